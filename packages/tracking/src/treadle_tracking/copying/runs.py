"""Runs brought from one place to another, each once, however often it is asked for."""

from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import ExitStack

from attrs import evolve

from treadle_tracking.copying.copied import Copied, Outcome
from treadle_tracking.copying.destination import Addition, Destination
from treadle_tracking.copying.difference import difference
from treadle_tracking.copying.directories import Directories
from treadle_tracking.copying.errors import CopyIncomplete, SamePlace
from treadle_tracking.copying.mirrored import Mirrored
from treadle_tracking.copying.spelling import is_same_place
from treadle_tracking.errors import InvalidTarget, TrackingError, seen
from treadle_tracking.mirrors.errors import (
    AccessDenied,
    CertificateRefused,
    NotMLflow,
    ServerSilent,
    ServerUnreachable,
)
from treadle_tracking.names import checked_name
from treadle_tracking.reading.opening import open_runs
from treadle_tracking.reading.record import RunRecord
from treadle_tracking.reading.runs import Runs
from treadle_tracking.target import parse_targets

__all__ = ["copy_runs"]

# What is wrong with a whole place, and with every other run too.
_HOPELESS = (AccessDenied, CertificateRefused, NotMLflow, ServerSilent, ServerUnreachable)


def copy_runs(
    source: str | Runs,
    target: str,
    *,
    experiment: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[Copied]:
    """Copy runs to another place: `copy_runs("tensorboard:runs", "mlflow:http://HOST:5000")`, or back, or on.

    A run is known by its uid, and is at the target once: one that is there is left as it is, or gets what it lacks
    if the source has gone on since. Where the target is the newer one, nothing is taken away from it. A copy that was
    stopped in the middle, even killed, is finished by the next one, and of two at once each brings what the other has
    not. The source is not changed.

    Args:
        source: A target as `open_runs` takes it, of which all runs are copied, or some of its answer: `runs[:10]`.
        target: `tensorboard:DIR`, or `mlflow:URI`, or what other packages bring; it is made where it is not there.
        experiment: The experiment that new runs belong to at the target; None for each its own.
        progress: Called with the number of runs that are done, and of all, at the beginning and after each.

    Returns:
        What became of each, in the order of the source.

    Raises:
        InvalidTarget: the source or the target is none; `SamePlace` where they are the same one.
        InvalidName: the experiment's name is none.
        RunDirectoryError: there is no directory to copy from, or the one to copy to cannot be written to.
        CopyIncomplete: some runs could not be copied; all others were.
        TrackingError: one of the places cannot be reached, or what it takes is not installed.
    """
    if not isinstance(source, str | Runs):
        raise InvalidTarget(
            f"source is {seen(source)}; expected a text, 'tensorboard:DIR' or 'mlflow:URI', or runs that open_runs gave"
        )
    if not isinstance(target, str):
        raise InvalidTarget(
            f"target is {seen(target)}; runs are copied to one place: 'tensorboard:DIR' or 'mlflow:URI'"
        )
    if experiment is not None:
        checked_name("the name of an experiment", experiment)
    where = parse_targets(target)
    destination = Mirrored(where.mirrors[0]) if where.mirrors else Directories(where.root)
    with ExitStack() as stack:
        runs = open_runs(source) if isinstance(source, str) else source
        if isinstance(source, str):
            stack.callback(runs.close)
        _check_apart([runs.target], destination)
        records = runs.records
        _check_apart({run.target for run in records}, destination)
        if not records:  # a place for nothing is not made
            return []
        stack.enter_context(destination)
        return _copied(records, destination, experiment, progress or _silent)


def _silent(done: int, of: int) -> None:
    pass


def _check_apart(sources: Iterable[str], destination: Destination) -> None:
    for source in sources:
        if is_same_place(source, destination.target):
            raise SamePlace(source, destination.target)


def _copied(
    records: tuple[RunRecord, ...],
    destination: Destination,
    experiment: str | None,
    progress: Callable[[int, int], None],
) -> list[Copied]:
    known: dict[str, RunRecord] = {}
    # Of several that have one uid, always the same.
    for there in sorted(destination.runs(), key=lambda run: run.identity, reverse=True):
        known[there.uid] = there
    runs: dict[str, RunRecord] = {}
    for run in records:
        runs.setdefault(run.uid, run)
    several = Counter(run.uid for run in records)
    copied: list[Copied] = []
    failures: dict[str, str] = {}
    progress(0, len(runs))
    for run in runs.values():
        try:
            one = _brought(run, destination, known.get(run.uid), experiment)
        except Exception as error:  # noqa: BLE001  # whatever a backend raises, the other runs go on
            failures[run.uid] = _reason(error)
            if isinstance(error, _HOPELESS):
                break
        else:
            if several[run.uid] > 1:
                which = f"{several[run.uid]} runs of the source have its uid, and {run.identity} was taken"
                one = evolve(one, problems=(which, *one.problems))
            copied.append(one)
        progress(len(copied) + len(failures), len(runs))
    if failures:
        names = {uid: run.name for uid, run in runs.items()}
        untried = len(runs) - len(copied) - len(failures)
        raise CopyIncomplete(destination.target, copied, failures, names, untried)
    return copied


def _reason(error: Exception) -> str:
    if isinstance(error, TrackingError | OSError):
        return str(error)
    # SQLAlchemy goes on with the statement and all that it was to write.
    text = " ".join(str(error).partition("[SQL:")[0].split())[:300]
    return f"{type(error).__name__}: {text}"


def _brought(
    run: RunRecord, destination: Destination, there: RunRecord | None, experiment: str | None
) -> Copied:
    problems = [] if run.damage is None else [run.damage]
    if there is None:
        put = destination.put(run, experiment or run.experiment, None)
        if run.parent is not None:
            problems.append(f"that it is a part of the run {run.parent} is not kept")
        return Copied(
            uid=run.uid,
            name=run.name,
            experiment=experiment or run.experiment,
            outcome="copied",
            identity=put.identity,
            problems=(*problems, *put.problems),
        )
    found = difference(run, there)
    if found.files:
        refused = set(destination.refused(there))
        problems += [f"{name!r} was not taken" for name in found.files if name in refused]
        found.files = [name for name in found.files if name not in refused]
    outcome: Outcome = "there"
    identity = there.identity
    obstacle = destination.obstacle(there) if found.is_any else None
    if obstacle is None and (found.lacks or (destination.replaces and found.is_any)):
        put = destination.put(run, there.experiment, Addition(there=there, difference=found))
        problems += put.problems
        outcome, identity = "completed", put.identity
    elif obstacle is not None and found.lacks:
        problems.append(f"it {obstacle}; it lacks {found}")
    if outcome == "there" or not destination.replaces:
        problems += found.conflicts
    return Copied(
        uid=run.uid,
        name=run.name,
        experiment=there.experiment,
        outcome=outcome,
        identity=identity,
        problems=tuple(problems),
    )
