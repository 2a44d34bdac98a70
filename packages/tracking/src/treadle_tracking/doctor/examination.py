"""What is wrong with one run, looked for in an order in which it can be mended."""

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from hashlib import file_digest
from pathlib import Path

from attrs import define, evolve, field, frozen

from treadle_tracking.atomic import write_file
from treadle_tracking.attempts import abandoned_artifacts
from treadle_tracking.directory import ARTIFACTS, PARAMS
from treadle_tracking.doctor.damage import Damage, cut_off, damages, set_aside
from treadle_tracking.doctor.finding import Finding, bytes_of, counted
from treadle_tracking.encoding import decoded, decoded_strictly
from treadle_tracking.entries import Artifact, Ended, Params, ParamValue, Started
from treadle_tracking.exact_json import dumps, loads
from treadle_tracking.log import LogWriter, attempt_paths, read_entries
from treadle_tracking.ownership import Writer, is_alive, last_beat, writer_of
from treadle_tracking.params import joined
from treadle_tracking.recalled import recalled
from treadle_tracking.wire import FrameMismatch, records

__all__ = ["Run", "in_use", "run_findings"]

_PARAMS_MISSING = f"{PARAMS} is missing"
_PARAMS_NO_JSON = f"{PARAMS} is no JSON that a run writes"
_BACK = 60.0  # seconds; values of a device are written later than they were logged, and bear the earlier time
_AHEAD = 300.0
_OLD = 300.0  # seconds
_WRITER = ".writer"  # as `Ownership` has it


@frozen(kw_only=True)
class Run:
    """A run as it is found, before anything is done to it."""

    directory: Path
    writer: Writer | None
    beat: float | None  # seconds since the epoch, as all times here
    sync_timeout: float | None = None  # seconds

    @classmethod
    def at(cls, directory: Path, sync_timeout: float | None = None) -> "Run":
        """The run in a directory."""
        return cls(
            directory=directory,
            writer=writer_of(directory),
            beat=last_beat(directory),
            sync_timeout=sync_timeout,
        )


def shown_time(seconds: float) -> str:
    """A time for people, to the second."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC"


def in_use(run: Run) -> Finding | None:
    """That a process writes the run, so that nobody else may."""
    if run.writer is None or not is_alive(run.directory):
        return None
    sentence = (
        f"is being written by process {run.writer.pid} on {run.writer.host}, and is left alone"
    )
    if run.beat is not None and run.beat > time.time() + _AHEAD:
        # Of a process on another machine nothing else is known, and it would be alive until then.
        sentence += (
            f". It was last heard of at {shown_time(run.beat)}, which is in the future: a clock was ahead. If that process "
            f"is gone, delete {run.directory / _WRITER}"
        )
    return Finding(directory=run.directory, kind="in use", sentence=sentence, is_problem=False)


def run_findings(run: Run) -> Iterator[Finding]:
    """What is wrong with a run that no process writes: each looked for after what is before it was, perhaps, mended.

    Raises:
        OSError: something cannot be read.
    """
    yield from _damage_findings(run)
    if any(not damage.is_torn for path in attempt_paths(run.directory) for damage in damages(path)):
        yield from _findings_beside_damage(run)
        return
    log = _read(run.directory)
    yield from _strange_findings(run)
    if not log.has_begun:
        yield Finding(
            directory=run.directory,
            kind="empty",
            sentence="has no entry: its process ended while the run began. Delete it if you like",
            is_problem=False,
        )
        return
    yield from _params_findings(run, log)
    yield from _artifact_findings(run, log)
    yield from _clock_findings(run, log)
    yield from _leftover_findings(run)
    yield from _end_findings(run, log)


def _findings_beside_damage(run: Run) -> Iterator[Finding]:
    """What is wrong whatever the damaged records say: none is mended before they are."""
    try:
        loads((run.directory / PARAMS).read_bytes())
    except FileNotFoundError:
        yield _params_finding(run, _PARAMS_MISSING)
    except ValueError:
        yield _params_finding(run, _PARAMS_NO_JSON)
    for path in sorted(_artifacts_beside_damage(run.directory)):
        if not (run.directory / ARTIFACTS / path).is_file():
            what = f"is missing{_way_back(run, run.directory / ARTIFACTS / path)}"
            yield _artifact_finding(run, path, what)
    yield from _leftover_findings(run)


def _strange_findings(run: Run) -> Iterator[Finding]:
    for path in attempt_paths(run.directory):
        strange = 0
        with path.open("rb") as file:
            for _, data in records(file, 0):
                try:
                    decoded_strictly(data)
                except Exception:  # noqa: BLE001  # whatever others' bytes make of it
                    strange += 1
        if strange:
            yield Finding(
                directory=run.directory,
                kind="damaged",
                sentence=f"{counted(strange, 'record')} of {path.name} {'is' if strange == 1 else 'are'} whole but unknown: "
                f"another program, or a later version of this one, wrote that. Everything else is read",
                is_problem=False,
            )


def _params_finding(run: Run, what: str) -> Finding:
    return Finding(
        directory=run.directory,
        kind="params",
        sentence=what,
        remedy="it is written from the log",
    )


def _artifacts_beside_damage(directory: Path) -> set[str]:
    """The paths of artifacts in all entries that can be read, before damaged records and behind them."""
    paths = set()
    for log in attempt_paths(directory):
        begins = [0, *(damage.end for damage in damages(log))]
        with log.open("rb") as file:
            for begin in begins:
                with suppress(FrameMismatch):
                    for _, data in records(file, begin):
                        if isinstance(entry := decoded(data), Artifact):
                            paths.add(entry.path)
    return paths


@define
class _Log:
    """A log, summed up."""

    has_begun: bool = False
    is_ended: bool = False
    params: dict[str, ParamValue] = field(factory=dict)
    artifacts: dict[str, Artifact] = field(factory=dict)  # the newest of each path
    latest: float = 0.0  # the latest time of an entry
    set_back: tuple[float, float] | None = None  # an earlier time that comes after a later one


def _read(directory: Path) -> _Log:
    log = _Log()
    for entry, _ in read_entries(directory):
        if entry.wall_time < log.latest - _BACK and log.set_back is None:
            log.set_back = (log.latest, entry.wall_time)
        log.latest = max(log.latest, entry.wall_time)
        match entry:
            case Started():
                log.has_begun, log.is_ended = True, False
            case Ended():
                log.is_ended = True
            case Params():
                log.params = joined(log.params, entry.values)
            case Artifact():
                log.artifacts[entry.path] = entry
            case _:
                pass
    return log


def _damage_findings(run: Run) -> Iterator[Finding]:
    for path in attempt_paths(run.directory):
        for damage in damages(path):
            if damage.is_torn:
                yield Finding(
                    directory=run.directory,
                    kind="torn",
                    sentence=f"{bytes_of(damage.size)} at the end of {path.name} are an entry that was never whole",
                    remedy="they are cut off",
                    mend=partial(_cut_off, damage),
                )
            else:
                where = f"from byte {damage.begin:,} of {path.name} on"
                yield Finding(
                    directory=run.directory,
                    kind="damaged",
                    sentence=f"{bytes_of(damage.size)} {where} are damaged: {counted(damage.before, 'entry', 'entries')} "
                    f"before them can be read; {counted(damage.behind, 'entry', 'entries')} after them reach a mirror "
                    f"(and, where a length was hit, a reader) only once they are mended",
                    remedy="they are set aside in abandoned/, and everything else can be read",
                    mend=partial(_set_aside, damage),
                )


def _cut_off(damage: Damage) -> str:
    cut_off(damage)
    return f"{bytes_of(damage.size)} were cut off"


def _set_aside(damage: Damage) -> str:
    kept = set_aside(damage)
    return f"{bytes_of(damage.size)} are now in {kept}, and everything else can be read"


def _params_findings(run: Run, log: _Log) -> Iterator[Finding]:
    path = run.directory / PARAMS
    try:
        is_same = dumps(loads(path.read_bytes())) == dumps(log.params)
    except FileNotFoundError:
        what = _PARAMS_MISSING
    except ValueError:
        what = _PARAMS_NO_JSON
    else:
        if is_same:
            return
        what = f"{PARAMS} is not what the log says"
    mend = partial(_write_params, path, dumps(log.params, indent=2) + b"\n")
    yield evolve(_params_finding(run, what), mend=mend)


def _write_params(path: Path, data: bytes) -> str:
    write_file(path, data)
    return f"{PARAMS} was written from the log"


def _artifact_findings(run: Run, log: _Log) -> Iterator[Finding]:
    abandoned: set[tuple[str, str]] | None = None
    for artifact in log.artifacts.values():
        path = run.directory / ARTIFACTS / artifact.path
        what = _artifact_problem(path, artifact)
        if what is None:
            continue
        if abandoned is None:
            abandoned = abandoned_artifacts(run.directory)
        if path.is_file() and (artifact.path, _digest(path)) in abandoned:
            what = (
                "is from an attempt abandoned since, and replaced what was kept before: "
                "that is gone, until the run keeps it again"
            )
            yield evolve(_artifact_finding(run, artifact.path, what), is_problem=False)
        else:
            yield _artifact_finding(run, artifact.path, what + _way_back(run, path))


def _artifact_finding(run: Run, path: str, what: str) -> Finding:
    return Finding(
        directory=run.directory, kind="artifact", sentence=f"the artifact {path!r} {what}"
    )


def _way_back(run: Run, path: Path) -> str:
    return (
        f". Put it back in its place, {path}; or, if it is lost, resume the run, "
        f"start_run(…, directory={str(run.directory)!r}, resume='must'), and keep another file under this name"
    )


def _artifact_problem(path: Path, artifact: Artifact) -> str | None:
    if not path.is_file():
        return "is missing"
    size = path.stat().st_size
    if size != artifact.size:
        return f"has {bytes_of(size)}, and had {artifact.size:,} when it was kept"
    if _digest(path) != artifact.sha256:
        return "is not what was kept: its sha256 differs"
    return None


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def _clock_findings(run: Run, log: _Log) -> Iterator[Finding]:
    if log.set_back is not None:
        later, earlier = map(shown_time, log.set_back)
        yield _clock_finding(
            run, f"a clock was set back: an entry of {later} is before one of {earlier}"
        )
    if log.latest > time.time() + _AHEAD:
        when = shown_time(log.latest)
        yield _clock_finding(
            run, f"a clock was ahead: an entry is of {when}, which is in the future"
        )


def _clock_finding(run: Run, sentence: str) -> Finding:
    return Finding(directory=run.directory, kind="clock", sentence=sentence, is_problem=False)


def _leftover_findings(run: Run) -> Iterator[Finding]:
    left = [path for path in run.directory.rglob(".unfinished-*-*-*") if _is_left(path, run)]
    if not left:
        return
    size = sum(path.stat().st_size for path in left)
    files = counted(len(left), "file")
    yield Finding(
        directory=run.directory,
        kind="leftover",
        sentence=f"{files} left half-written by a process that is gone, {bytes_of(size)} in all: {left[0].name}"
        f"{', …' if len(left) > 1 else ''}",
        remedy="they are removed",
        mend=partial(_remove, left),
    )


def _is_left(path: Path, run: Run) -> bool:
    try:
        pid = int(path.name.split("-")[1])
        os.kill(pid, 0)
    except ProcessLookupError:
        pass
    except (ValueError, OverflowError, PermissionError):
        return False
    else:
        return False
    # The number of a process of another machine says nothing here.
    is_from_here = run.writer is None or run.writer.place == Writer.this_process().place
    return is_from_here or time.time() - path.stat().st_mtime > _OLD


def _remove(left: Sequence[Path]) -> str:
    for path in left:
        path.unlink(missing_ok=True)
    return f"{counted(len(left), 'file')} removed"


def _end_findings(run: Run, log: _Log) -> Iterator[Finding]:
    if log.is_ended:
        return
    heard = max(run.beat or 0.0, log.latest)
    who = "no process writes it"
    if run.writer is not None:
        who = f"its process, {run.writer.pid} on {run.writer.host}, is gone"
    yield Finding(
        directory=run.directory,
        kind="orphan",
        sentence=f"has no end, and {who}: it was last heard of at {shown_time(heard)}",
        remedy="it is ended as KILLED at that time",
        mend=partial(_end, run.directory, heard),
    )


def _end(directory: Path, wall_time: float) -> str:
    shown = recalled(directory).has_session
    log = LogWriter(attempt_paths(directory)[-1], again=True, session_shown=shown, strict=True)
    log.close(Ended(wall_time=wall_time, status="KILLED"))
    return f"ended as KILLED at {shown_time(wall_time)}"
