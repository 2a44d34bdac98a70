"""What a trial tells Ray Tune."""

import json
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from math import isnan
from pathlib import Path
from typing import Any

from treadle.errors import NotComparable, NotReported
from treadle.integrations.ray.searches import described
from treadle.integrations.ray.trials import is_in_trial
from treadle.reporting import Row, counts_of, numbers
from treadle_tracking import Run
from treadle_units import Progress

__all__ = ["Reports", "report"]

_FILE = ".reported.json"


def report(
    values: Mapping[str, Any], counts: Progress | None = None, *, checkpoint: Any = None
) -> None:
    """Tell Ray Tune how a trial is doing; outside of a trial, do nothing.

    Args:
        values: Numbers and tensors of one element on any device, by name. Tensors are fetched here, at once.
        counts: Those of the training, which are told as `records`, `batches`, `steps` and `epochs`.
        checkpoint: A `ray.tune.Checkpoint`, handed on as it is.

    Raises:
        NotComparable: A value is NaN. The trial fails of it.
        SystemExit: With code 0, where Tune has stopped the trial.
    """
    if not is_in_trial():
        return
    row = numbers(values) | ({} if counts is None else counts_of(counts))
    _check_comparable(row)
    _send(row, checkpoint)


class Reports:
    """The reports of one trial, the last of which waits until its run is closed.

    Tune may stop a trial at any report. A training that is at its end has not been stopped.

    Args:
        run: The trial's.
        names: The metrics that are reported, if it is to be seen to that they are.
    """

    def __init__(self, run: Run, names: Sequence[str]) -> None:
        self.count = 0
        self._names = names
        self._file = run.directory / _FILE if run.recording else None
        self._waiting: Row | None = None

    def tell(self, row: Row, *, is_last: bool) -> None:
        """Report a row, or keep it for the end. Raises as `report` does."""
        _check_comparable(row)
        self.count += 1
        if self._file is not None:
            with suppress(OSError):  # a full disk is said of by the run, and costs no trial
                part = self._file.with_suffix(".part")  # a killed trial leaves a whole one behind
                part.write_text(json.dumps(row))
                part.replace(self._file)
        self.end()  # of a training before this one
        if is_last:
            self._waiting = row
        else:
            _send(row)

    def check(self, logged: Collection[str]) -> None:
        """See whether there is something to compare the trial by.

        Args:
            logged: The names of what was logged instead.

        Raises:
            NotReported: There is nothing.
        """
        if not self._names or self.count:
            return
        # Nothing was left to do for a training whose end Ray does not know of.
        self._waiting = _stored(self._file)
        if self._waiting is None:
            raise NotReported(
                f"the trial has ended with nothing to compare it by: it should have logged {described(self._names)}, "
                f"and has logged {described(sorted(logged)) or 'nothing'}. Have it validate, or name what it logs"
            )

    def end(self) -> None:
        """Report what was kept for the end. Raises as `report` does."""
        row, self._waiting = self._waiting, None
        if row is not None:
            _send(row)


def _check_comparable(row: Row) -> None:
    bad = [name for name, value in row.items() if isnan(value)]
    if bad:
        reached = ", ".join(f"{row[unit]} {unit}" for unit in ("steps", "records") if unit in row)
        raise NotComparable(
            f"{described(bad)} is nan{f' after {reached}' if reached else ''}, which is neither better nor worse than "
            f"any other value, and the trial ends as failed. Lower the learning rate, clip gradients, or report inf "
            f"where a trial is to count as the worst"
        )


def _send(row: Row, checkpoint: Any = None) -> None:
    from ray import tune

    tune.report(row, checkpoint=checkpoint)


def _stored(file: Path | None) -> Row | None:
    if file is None:
        return None
    try:
        return dict(json.loads(file.read_bytes()))
    except (OSError, ValueError):
        return None
