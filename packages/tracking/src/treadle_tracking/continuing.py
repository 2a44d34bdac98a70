"""Which run `start_run` continues, decided once and from the directories alone."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Literal, TypeAlias

from attrs import frozen

from treadle_tracking.directory import safe_name
from treadle_tracking.entries import Ended, Params, ParamValue, Started
from treadle_tracking.errors import CorruptRecord, NoSuchRun, RunExists, SeveralRuns
from treadle_tracking.log import attempt_paths, last_entry, read_entries
from treadle_tracking.ownership import is_alive

__all__ = ["Known", "Resume", "find", "known_run"]

Resume: TypeAlias = Literal["never", "auto", "must"]


@frozen(kw_only=True)
class Known:
    """A run as its first entry has it."""

    directory: Path
    started: Started


def known_run(directory: Path) -> Known | None:
    """The run that begins in this directory; None for none, or one that cannot be read."""
    if not attempt_paths(directory):
        return None
    try:
        entry, _ = next(read_entries(directory), (None, None))
    except CorruptRecord:
        return None
    return Known(directory=directory, started=entry) if isinstance(entry, Started) else None


def _experiments(root: Path) -> Iterable[Path]:
    """The folders of a root, each once, though links may lead to it as well."""
    folders = sorted(root.iterdir()) if root.is_dir() else []
    folders.sort(key=Path.is_symlink)
    found: dict[Path, Path] = {}
    for folder in folders:
        found.setdefault(folder.resolve(), folder)
    return found.values()


def _runs_below(folder: Path) -> Iterator[Known]:
    # As when runs are read: an experiment may be a link to another disk, but `latest`, say, is no second run.
    if folder.is_dir() and not attempt_paths(folder):
        for directory in sorted(folder.iterdir()):
            if directory.is_symlink() or not directory.is_dir():
                continue
            if (run := known_run(directory)) is not None:
                yield run


def _is_finished(directory: Path) -> bool:
    last = last_entry(directory)
    return isinstance(last, Ended) and last.status == "FINISHED"


def _exactly(value: object) -> str:
    """A parameter as a text: 1, 1.0 and True are three, NaN is itself, and the order of names does not matter."""
    if isinstance(value, Mapping):
        return repr(sorted((name, _exactly(item)) for name, item in value.items()))
    return repr([_exactly(item) for item in value]) if isinstance(value, list) else repr(value)


def _params(directory: Path) -> str:
    found = (entry for entry, _ in read_entries(directory) if isinstance(entry, Params))
    first = next(found, None)
    return _exactly({} if first is None else first.values)


def find(
    root: Path,
    *,
    experiment: str,
    name: str | None,
    uid: str | None,
    params: Mapping[str, ParamValue],
    resume: Resume,
) -> Known | None:
    """The run to continue; None for a new one.

    A uid names a run wherever it is below the root, and however it ended. Without one, it is the one run of the
    experiment and the name that is not finished; without a name either, of those that were started without one and
    with the same parameters, and that no process is writing.

    Raises:
        RunExists: `resume` is never, and there is a run of this uid.
        NoSuchRun: `resume` is must, and there is none to continue.
        SeveralRuns: there are several.
    """
    finished: list[str] = []  # uids, where none was given
    if uid is not None:
        wanted = f"with the uid {uid!r}"
        found = [
            run
            for folder in _experiments(root)
            for run in _runs_below(folder)
            if run.started.uid == uid
        ]
        if resume == "never":
            if found:
                raise RunExists(uid, found[0].directory)
            return None
    elif resume == "never":
        return None
    else:
        there = list(_runs_below(root / safe_name(experiment)))
        if name is None:
            wanted = f"of the experiment {experiment!r}"
            meant = [
                run
                for run in there
                if not run.started.named
                and not is_alive(run.directory)
                and _params(run.directory) == _exactly(params)
            ]
        else:
            wanted = f"{name!r} of the experiment {experiment!r}"
            meant = [run for run in there if run.started.name == name]
        found = [run for run in meant if not _is_finished(run.directory)]
        finished = [run.started.uid for run in meant]
    if len(found) > 1:
        raise SeveralRuns(wanted, [run.directory for run in found])
    if found:
        return found[0]
    if resume == "must":
        others = _runs_below(root / safe_name(experiment))
        raise NoSuchRun(
            wanted, root, [run.started.uid if uid else run.started.name for run in others], finished
        )
    return None
