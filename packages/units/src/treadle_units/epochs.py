"""Where a run is in its epochs, in exact fractions where their length is known."""

from __future__ import annotations

from math import ceil, floor

from treadle_units.errors import InvalidState
from treadle_units.progress import whole_entry
from treadle_units.ratio import ratio

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from fractions import Fraction
    from typing import Any

    from treadle_units.limits import Length
    from treadle_units.progress import Progress


class EpochPosition:
    """Counts epochs, by passes over the loader or by a length of the user's.

    An epoch that is a pass ends when the pass does, however long it was; a fraction of it is
    reached after `ceil(fraction x batches_per_epoch)` of its batches.
    A pass shorter than that reaches its remaining fractions at its end, and a longer one reaches
    none of the next epoch's.
    An epoch that is a length ends on the absolute grid of that length: the batch that straddles
    a boundary belongs to the epoch that it closes, and one batch may close several.

    Args:
        progress: Where the epochs are counted.
        denominator: Every point that matters is a multiple of one over this.
        length: The length of an epoch, `None` where a pass is one.
        batches_per_epoch: The batches of a pass, if known.
    """

    __slots__ = (
        "_base",
        "_base_batches",
        "_denominator",
        "_pass_began",
        "_progress",
        "batches_per_epoch",
        "length",
    )

    def __init__(
        self,
        progress: Progress,
        denominator: int,
        length: Length | None,
        batches_per_epoch: int | None,
    ) -> None:
        self._progress = progress
        self._denominator = denominator
        self.length = length
        self.batches_per_epoch = batches_per_epoch
        self._pass_began = 0
        # How much of the epoch was behind us when the length of a pass may have changed, and after
        # how many of its batches: a resumed run may have another batch size.
        self._base: int | Fraction = 0
        self._base_batches = 0

    @property
    def pass_batches(self) -> int:
        """The batches of the pass that is not ended yet."""
        return self._progress.batches - self._pass_began

    def position(self) -> int | Fraction:
        """The last point reached, in epochs: a multiple of one over the denominator."""
        parts = self._denominator
        if self.length is not None:
            reached = self._progress.total(self.length.unit) * parts
            return ratio(reached // int(self.length.value), parts)
        if parts == 1 or self.batches_per_epoch is None:
            return self._progress.epochs
        part = min(floor(self._within() * parts), parts - 1)
        return self._progress.epochs + ratio(part, parts)

    def threshold(self, point: int | Fraction | None) -> tuple[str, int] | None:
        """The unit and the total in it at which a point in epochs is reached.

        Returns:
            `None` where that is found only at the end of a pass.
        """
        if self.length is not None:
            boundary = self._progress.epochs + 1
            nearest = boundary if point is None else min(point, boundary)
            return self.length.unit, ceil(nearest * self.length.value)
        if point is None or self.batches_per_epoch is None or point >= self._progress.epochs + 1:
            return None
        missing = (point - self._progress.epochs - self._base) * self.batches_per_epoch
        return "batches", self._pass_began + self._base_batches + ceil(missing)

    def count_by_length(self) -> None:
        """Count the epochs that the last counts have closed, where an epoch is a length."""
        if self.length is not None:
            total = self._progress.total(self.length.unit) // int(self.length.value)
            if total > self._progress.epochs:
                self._progress.end_epochs(total - self._progress.epochs)

    def end_passes(self, passes: int) -> None:
        """Count passes as epochs, where a pass is one, and begin the next."""
        if self.length is None:
            self._progress.end_epochs(passes)
        self._pass_began = self._progress.batches
        self._base, self._base_batches = 0, 0

    def state_dict(self) -> dict[str, Any]:
        """The position in the pass as plain integers, in batches and as an exact fraction."""
        known = self.length is None and self.batches_per_epoch is not None
        within = min(self._within(), 1) if known else None
        return {
            "pass_batches": self.pass_batches,
            "batches_per_epoch": self.batches_per_epoch,
            "pass_fraction": None if within is None else [within.numerator, within.denominator],
        }

    def load_state_dict(self, state: Mapping[str, Any], batches: int) -> None:
        """Continue from what `state_dict` returned.

        A length of the epoch that was given holds; otherwise the one in the state does.

        Args:
            state: What `state_dict` returned.
            batches: The batches of the run when it did.

        Raises:
            InvalidState: An entry is missing or is no count; nothing is changed then.
        """
        pass_batches = whole_entry(state, "pass_batches")
        base = _fraction(state.get("pass_fraction"))
        if state.get("batches_per_epoch") is not None:
            saved = whole_entry(state, "batches_per_epoch")
            self.batches_per_epoch = self.batches_per_epoch or saved or None
        self._pass_began = batches - pass_batches
        self._base = base or 0
        self._base_batches = 0 if base is None else pass_batches

    def _within(self) -> int | Fraction:
        """The part of the epoch that lies behind; may pass 1 in a pass longer than expected."""
        assert self.batches_per_epoch is not None
        later = self.pass_batches - self._base_batches
        return self._base + ratio(later, self.batches_per_epoch)


def _fraction(parts: object) -> int | Fraction | None:
    if parts is None:
        return None
    ints = isinstance(parts, list) and all(type(part) is int for part in parts)
    if not (ints and isinstance(parts, list) and len(parts) == 2 and 0 <= parts[0] <= parts[1] > 0):
        raise InvalidState(
            f"the state has {parts!r} as 'pass_fraction'; expected the two ints of a fraction"
        )
    return ratio(parts[0], parts[1])
