"""The mean of a loss, kept by hand."""

import torch
from torch import Tensor


class RecordMean:
    """A mean over records that stays on the device until it is read, kept by hand."""

    def __init__(self, device: torch.device | None = None) -> None:
        self.device = device
        self.begin()

    def begin(self) -> None:
        """Start anew."""
        self.total, self.records = torch.zeros((), device=self.device), 0

    def add(self, loss: Tensor, records: int) -> None:
        """Take in a batch."""
        self.total.add_(loss.detach(), alpha=records)
        self.records += records

    def read(self) -> float:
        """Wait for it."""
        return float(self.total) / self.records
