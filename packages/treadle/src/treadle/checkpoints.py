"""The checkpoints of one training: all that it needs to go on exactly, the last few and the best."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from treadle.best import Best
from treadle.errors import WrongArgument, WrongCheckpoint
from treadle_loop import (
    CheckpointUnreadable,
    Engine,
    NoCheckpoint,
    StateMismatch,
    list_checkpoints,
    load_checkpoint,
    save_checkpoint,
)
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
    # Whether it is needed or not: any rank may be told to stop, and then all of them save.
    first: Path | None
    [first, *_] = engine.runtime.gather(folder)
    if is_needed and first is None:
        raise WrongArgument(
            "checkpoint= and best= save files, and have no place: give the training a run that records, or a directory=..."
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
            StateMismatch: It is one of another model, or of an engine with other settings.
            WrongRun: It belongs to another run.
        """
        if self._folder is None:
            return None
        with _explaining(self._folder):
            state = _newest(self._folder)
            if state is not None:
                _check_parts(state, self._folder)
                self._engine.load_state_dict(state["engine"])
        if state is None:
            if self._run.resumed:
                self._run.rewind()
            return None
        # Last, as its log is cut: who has opened the wrong folder shall lose nothing.
        self._schedule.load_state_dict(state["schedule"])
        self._run.load_state_dict(state["run"])
        fit = state["fit"]
        if self._best is not None and fit["best"] is not None:
            self._best.load_state_dict(fit["best"])
            if self._best.step == self._schedule.progress.steps and not self._has_best(
                self._folder
            ):
                self.save(is_best=True)  # a kill came between the two names of this checkpoint
        return str(fit["ended"]) if fit["ended"] is not None else None

    def _has_best(self, folder: Path) -> bool:
        best = folder / "best.pt"
        if not best.exists():
            return False
        newest = list_checkpoints(folder)[-1]
        # A copy where the file system has no links: then it was made after the other.
        return best.samefile(newest) or best.stat().st_mtime >= newest.stat().st_mtime

    def save(self, *, is_best: bool = False) -> None:
        """Save where the training is now; with `is_best`, as `best.pt` too.

        Raises:
            WrongArgument: There is no place for it.
            CheckpointNotWritten: The system refused; the older ones are untouched.
        """
        if self._folder is None:
            raise WrongArgument(
                "this training has no folder to save in: give it a run that records, or a directory=..."
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

    def how_to_go_on(self) -> str:
        """What who has stopped the training reads last."""
        stopped = f"stopped after step {self._schedule.progress.steps}, which is"
        if self._folder is None:
            return (
                f"{stopped} not saved, as there is neither a run nor a directory=... for it: the engine is as that step "
                f"has left it, and another call counts from 0"
            )
        again = f"{stopped} saved in {self._folder}: the same call goes on from there"
        if not self._run.recording:
            return again
        return (
            f"{again} with this run, which start_run(..., name={self._run.name!r}, resume='auto') reopens once it is "
            f"closed"
        )

    def _ended(self) -> str | None:
        """Why the training has ended by itself: a limit that was reached may be moved, and is none."""
        outcome = self._schedule.outcome
        if outcome is None or outcome.reason in {"limit", "exhausted"}:
            return None
        return outcome.reason


def _newest(folder: Path) -> dict[str, Any] | None:
    try:
        return load_checkpoint(folder)
    except NoCheckpoint:
        return None


@contextmanager
def _explaining(folder: Path) -> Iterator[None]:
    """Say which file it is that cannot be gone on with, and what else can be done."""
    try:
        yield
    except CheckpointUnreadable as error:
        raise CheckpointUnreadable(
            f"{error}. A training resumes from the newest in the folder: to start from an older one, move this one away"
        ) from error
    except StateMismatch as error:
        raise type(error)(
            f"{folder} holds checkpoints that this training cannot resume from: {error}, or begin another run"
        ) from error
    except OSError as error:
        raise CheckpointUnreadable(
            f"{error.filename or folder} cannot be read ({error.strerror or error}), and the training resumes "
            f"from the checkpoints in {folder}; check that this user may read it"
        ) from error


def _check_parts(state: Mapping[str, Any], folder: Path) -> None:
    missing = [part for part in _PARTS if part not in state]
    if missing:
        raise WrongCheckpoint(
            f"the newest checkpoint in {folder} is not from a training: it has no "
            f"{' and no '.join(map(repr, missing))}. Name another directory, or move it away to start over"
        )
