"""Whether each pass over the data brings a run nearer to its limit."""

from __future__ import annotations

from treadle_units.errors import EmptyEpoch
from treadle_units.vocabulary import spell

TYPE_CHECKING = False
if TYPE_CHECKING:
    from treadle_units.limits import Length, Limit
    from treadle_units.progress import Progress


class Nearness:
    """Remembers where a pass began, and refuses one that ends where it began.

    Without this a limit in steps on a pass too short for a step would never be reached, and
    neither would any limit on a loader that yields nothing any more.

    Args:
        progress: What is counted.
        until: The limit; one alternative that comes nearer is enough.
        epoch_length: What an epoch is, `None` where it is a pass.

    Attributes:
        only_passes: Whether nothing but the end of passes ends the run.
    """

    __slots__ = (
        "_continued",
        "_ends_by_itself",
        "_mark",
        "_progress",
        "_units",
        "_until",
        "_window",
        "only_passes",
    )

    def __init__(self, progress: Progress, until: Limit, epoch_length: Length | None) -> None:
        self._progress = progress
        self._until = until
        units = {goal.unit for goal in until.alternatives}
        if epoch_length is not None and "epochs" in units:
            units = (units - {"epochs"}) | {epoch_length.unit}
        # Time passes and passes are counted, whatever the batches hold.
        self._ends_by_itself = bool(units & {"epochs", "seconds"})
        self.only_passes = units == {"epochs"}
        self._units = sorted(units - {"epochs", "seconds"})
        self.mark(0)

    def mark(self, window: int, *, continued: bool = False) -> None:
        """Remember that a pass begins here, with so many batches in an open window.

        Of a pass that is continued, what it had added before is not known: its end is accepted,
        and the next one looked at.
        """
        self._window = window
        self._continued = continued
        units = {"records", "batches", *self._units}
        self._mark = {unit: self._progress.total(unit) for unit in units}

    def check(self, window: int) -> None:
        """Look at the end of a pass whether it came nearer.

        Raises:
            EmptyEpoch: It had no batch, or added nothing in any unit of the limit.
        """
        if self._continued:
            return
        gained = {unit: self._progress.total(unit) - count for unit, count in self._mark.items()}
        if gained["batches"] == 0:
            raise self.no_batches()
        # Batches in a window that runs on into the next pass come nearer to a step.
        if self._ends_by_itself or ("steps" in self._units and window > self._window):
            return
        if not any(gained[unit] for unit in self._units):
            raise EmptyEpoch(
                f"a pass over the data had {spell(gained['records'], 'records')} in "
                f"{spell(gained['batches'], 'batches')} but added no "
                f"{' and no '.join(self._units)}, so {self._until} would never be reached; "
                "limit the run in batches"
            )

    def no_batches(self) -> EmptyEpoch:
        """The error for a pass without a batch."""
        return EmptyEpoch(
            f"a pass over the data had no batches, after {self._progress.counts()} of "
            f"{self._until}; give a loader that can be passed over again"
        )
