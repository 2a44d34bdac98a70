"""A visit to a run: what is found, and what is done about it if that is wished."""

from collections.abc import Iterator
from pathlib import Path

from attrs import evolve, frozen

from treadle_tracking.doctor.examination import Run, in_use, run_findings
from treadle_tracking.doctor.finding import Finding
from treadle_tracking.doctor.unsent import unsent_findings
from treadle_tracking.errors import RunInUse, TrackingError
from treadle_tracking.ownership import Ownership
from treadle_tracking.shell import migrate_command

__all__ = ["Outcome", "old_file_store", "reason", "visit"]


@frozen(kw_only=True)
class Outcome:
    """A finding, and what has become of it."""

    finding: Finding
    done: str | None = None  # what was done
    failed: str | None = None  # why it could not be

    @property
    def is_left(self) -> bool:
        """Whether it is a problem still."""
        return self.finding.is_problem and self.done is None


def reason(error: Exception) -> str:
    """What went wrong, in a few words."""
    if isinstance(error, OSError):
        return f"{error.filename or ''}{': ' if error.filename else ''}{error.strerror or error}"
    return str(error) if isinstance(error, TrackingError) else f"{type(error).__name__}: {error}"


def _unreadable(directory: Path, error: Exception) -> Outcome:
    return Outcome(
        finding=Finding(
            directory=directory,
            kind="unreadable",
            sentence=f"cannot be read ({reason(error)})",
        )
    )


def visit(
    directory: Path, *, fix: bool, timeout: float | None = None, twin: Finding | None = None
) -> Iterator[Outcome]:
    """Look at a run, and mend it, one thing after the other.

    Args:
        directory: The run directory.
        fix: Whether to mend what can be.
        timeout: Seconds for each mirror that is sent something; None for as long as it takes.
        twin: What is to be said of another directory of its uid (`twin_findings`). Where that is a problem, nothing is
            sent: at a mirror it would join what the other one has recorded.
    """
    if twin is not None:
        yield Outcome(finding=twin)
    run = Run.at(directory, timeout)
    if (used := in_use(run)) is not None:
        yield Outcome(finding=used)
        return
    outcomes = list(_as_far_as_it_goes(run, fix=False))
    if fix and any(outcome.finding.mend for outcome in outcomes):
        outcomes = _mended(run, outcomes)
    yield from outcomes
    if any(outcome.finding.kind in {"in use", "unreadable"} for outcome in outcomes):
        return
    is_sent = fix and (twin is None or not twin.is_problem)
    try:
        for finding in unsent_findings(run):
            yield _treated(finding) if is_sent else Outcome(finding=_kept_back(finding, twin))
    except Exception as error:  # noqa: BLE001  # whatever a file may hold, other runs are looked at
        yield _unreadable(directory, error)


def _as_far_as_it_goes(run: Run, *, fix: bool) -> Iterator[Outcome]:
    """What is found, and mended, up to what cannot be read."""
    try:
        for finding in run_findings(run):
            yield _treated(finding) if fix else Outcome(finding=finding)
    except Exception as error:  # noqa: BLE001  # whatever a file may hold, other runs are looked at
        yield _unreadable(run.directory, error)


def _kept_back(finding: Finding, twin: Finding | None) -> Finding:
    if twin is None or not twin.is_problem:
        return finding
    return evolve(finding, remedy=None, mend=None)


def _mended(run: Run, found: list[Outcome]) -> list[Outcome]:
    """What is found again, and mended, while nobody else may write the run."""
    try:
        ownership = Ownership(run.directory)
    except RunInUse:
        used = in_use(Run.at(run.directory))
        return [] if used is None else [Outcome(finding=used)]
    except OSError as error:
        why = reason(error)
        return [evolve(one, failed=why) if one.finding.mend else one for one in found]
    try:
        return list(_as_far_as_it_goes(run, fix=True))
    finally:
        ownership.release()


def _treated(finding: Finding) -> Outcome:
    if finding.mend is None:
        return Outcome(finding=finding)
    try:
        return Outcome(finding=finding, done=finding.mend())
    except (OSError, TrackingError) as error:
        return Outcome(finding=finding, failed=reason(error))


def old_file_store(folder: Path) -> Finding | None:
    """That MLflow's old file store is in this folder: nobody opens its runs any more."""
    store = folder / "mlruns"
    if not any(store.glob("[0-9]*/meta.yaml")):
        return None
    command = migrate_command(store)
    return Finding(
        directory=store,
        kind="mlruns",
        sentence=f"is a file store of older versions of MLflow; its runs are brought into a database by: {command}",
        is_problem=False,
    )
