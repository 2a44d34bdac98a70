"""The checkpoints of one training: all that it needs to go on exactly, the last few and the best."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from treadle.best import Best
from treadle.errors import WrongArgument, WrongCheckpoint
from treadle_loop import Engine, NoCheckpoint, load_checkpoint, save_checkpoint
from treadle_tracking import Run
from treadle_units import Schedule

__all__ = ["Checkpoints", "folder_of"]

_PARTS = ("engine", "schedule", "run", "fit")


def folder_of(
    engine: Engine, run: Run | None, directory: str | Path | None, *, is_needed: bool
) -> Path | None:
    """Where a training keeps its checkpoints: in its run's directory, or, without a run, where it is told.

    On several ranks it is where the first one keeps them.

    Raises:
        WrongArgument: There is a run, and another place is named; or one is needed, and there is none.
    """
    folder = None if directory is None else Path(directory)
    if run is not None and run.recording:
        if folder is not None:
            raise WrongArgument(
                f"directory is {str(folder)!r}, and the checkpoints of a run are kept with it, in "
                f"{run.directory / 'checkpoints'}; leave `directory` out"
            )
        folder = run.directory / "checkpoints"
    [first, *_] = engine.runtime.gather(folder) if is_needed else [folder]
    if is_needed and first is None:
        raise WrongArgument(
            "checkpoints have no place: give the training a run that records, or a directory=..."
        )
    return first


class Checkpoints:
    """Saves and continues a training.

    Args:
        folder: Where they are kept; None where nothing is.
        keep: How many stay beside the best one; None keeps all.
        engine: Whose state is saved,
        schedule: with the counts,
        run: the place in the log,
        best: and the search for the best.
    """

    def __init__(
        self,
        folder: Path | None,
        keep: int | None,
        *,
        engine: Engine,
        schedule: Schedule,
        run: Run,
        best: Best | None,
    ) -> None:
        self._folder = folder
        self._saved_at: int | None = None
        self._keep = keep
        self._engine = engine
        self._schedule = schedule
        self._run = run
        self._best = best

    def resume(self) -> str | None:
        """Go on from the newest checkpoint, or, where there is none, from the beginning of the run.

        Returns:
            Why the training has ended by itself, if it has.

        Raises:
            WrongCheckpoint: The newest is none of a training.
            CheckpointUnreadable: It is damaged. The message names the newest older one beside it.
            StateMismatch: It is one of another model, or of an engine made otherwise.
            WrongRun: It belongs to another run.
        """
        if self._folder is None:
            return None
        try:
            state = load_checkpoint(self._folder)
        except NoCheckpoint:
            if self._run.resumed:
                self._run.rewind()
            return None
        _check_parts(state, self._folder)
        # Last of the run, whose log is cut: who has opened the wrong folder shall lose nothing.
        self._engine.load_state_dict(state["engine"])
        self._schedule.load_state_dict(state["schedule"])
        self._run.load_state_dict(state["run"])
        fit = state["fit"]
        if self._best is not None and fit["best"] is not None:
            self._best.load_state_dict(fit["best"])
        return str(fit["ended"]) if fit["ended"] is not None else None

    def save(self, *, is_best: bool = False) -> None:
        """Save where the training is now; with `is_best`, as `best.pt` too.

        Raises:
            WrongArgument: There is no place for it.
            CheckpointNotWritten: The system refused; the older ones are untouched.
        """
        if self._folder is None:
            raise WrongArgument(
                "this training saves nothing, so it has no place for it: say when it does, as in checkpoint='1 epoch'"
            )
        step = self._schedule.progress.steps
        state = {
            "engine": self._engine.state_dict(),
            "schedule": self._schedule.state_dict(),
            "run": self._run.state_dict(),
            "fit": {
                "best": None if self._best is None else self._best.state_dict(),
                "ended": self._ended(),
            },
        }
        if self._engine.runtime.rank == 0:
            save_checkpoint(self._folder, state, step=step, keep=self._keep, best=is_best)
            self._run.commit(step)
        self._saved_at = step

    def save_if_new(self) -> None:
        """Save what is not saved yet, if there is a place for it. Raises as `save`."""
        if self._folder is not None and self._saved_at != self._schedule.progress.steps:
            self.save()

    def _ended(self) -> str | None:
        """Why the training has ended by itself: a limit that was reached may be moved, and is none."""
        outcome = self._schedule.outcome
        if outcome is None or outcome.reason in {"limit", "exhausted"}:
            return None
        return outcome.reason


def _check_parts(state: Mapping[str, Any], folder: Path) -> None:
    missing = [part for part in _PARTS if part not in state]
    if missing:
        raise WrongCheckpoint(
            f"the newest checkpoint in {folder} is none of a training: it has no "
            f"{' and no '.join(map(repr, missing))}. Name another directory, or move it away to begin anew"
        )
