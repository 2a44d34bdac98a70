"""What a demo computes on."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from treadle.errors import TreadleError


class UnknownDevice(TreadleError):
    """The device that was asked for is not here."""


@contextmanager
def threads(count: int | None) -> Iterator[None]:
    """Compute on so many CPU threads; on as many as torch has, if None.

    Several threads wait for each other by spinning. Three demos of digits side by side on two cores took 196 s that
    way, and 20 s on one thread each; alone, both take the same time.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(before if count is None else count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def choose_device(name: str | None) -> torch.device:
    """Find the device of this name, or the fastest there is.

    Raises:
        UnknownDevice: There is none of this name here.
    """
    here = [
        *(["cuda"] if torch.cuda.is_available() else []),
        *(["mps"] if torch.backends.mps.is_available() else []),
        "cpu",
    ]
    try:
        device = torch.device(here[0] if name is None else name)
        torch.zeros(1, device=device).item()
    except (RuntimeError, AssertionError, NotImplementedError):
        # torch's own message may be a page; what it comes to is this.
        raise UnknownDevice(
            f"--device {name!r}: not on this machine, which has {', '.join(here)}"
        ) from None
    return device
