"""A run in a directory that the user names, which may be there already, with other files in it."""

import time
from collections.abc import Mapping, Sequence
from itertools import count
from pathlib import Path
from uuid import uuid4

from attrs import frozen

from treadle_tracking.backends import mirror as make_mirror
from treadle_tracking.entries import ParamValue, Started
from treadle_tracking.errors import InvalidTarget, RunDirectoryError, RunInUse
from treadle_tracking.log import attempt_paths
from treadle_tracking.masking import masked
from treadle_tracking.mirrors.base import Mirror
from treadle_tracking.mirrors.sender import Sender
from treadle_tracking.notices import say
from treadle_tracking.ownership import Ownership
from treadle_tracking.recalled import recalled
from treadle_tracking.recorder import Recorder
from treadle_tracking.run import Run
from treadle_tracking.target import parse_targets

__all__ = ["Begun", "begin"]


@frozen
class Begun:
    """A run, what writes it, and what an earlier writer has left in it."""

    run: Run
    recorder: Recorder
    params: Mapping[str, ParamValue] | None  # None where it was never given any
    metrics: frozenset[str]  # names


def _mirrors(mirror: str | Sequence[str] | None) -> list[Mirror]:
    if mirror is None:
        return []
    targets = parse_targets(mirror)
    if targets.chosen:
        raise InvalidTarget(
            f"mirror={masked(str(mirror))!r} names a directory, and the writer has one: `log_dir`. "
            f"Name a mirror, as in 'mlflow:sqlite:///mlflow.db'"
        )
    return [make_mirror(uri) for uri in targets.mirrors]


def _owned(wanted: Path) -> Ownership:
    """The directory that is wanted, or the first of `<name>-2`, `-3`, … that nobody writes."""
    for number in count(1):
        directory = wanted.with_name(wanted.name + (f"-{number}" if number > 1 else ""))
        directory.mkdir(parents=True, exist_ok=True)
        try:
            return Ownership(directory)
        except RunInUse as error:
            if number == 1:
                say(f"{error}. Meanwhile this writer has a directory of its own beside it")
    raise AssertionError


def begin(
    directory: Path, mirror: str | Sequence[str] | None = None, purge_step: int | None = None
) -> Begun:
    """Start a run in `directory`, or go on with the one in it; what it records next replaces nothing.

    It has no parameters, so that TensorBoard's HPARAMS page does not list it, until it is given some. SIGTERM is left
    as it is.

    Args:
        directory: The run's directory; where another writer has it, the next free one, which is said on stderr.
        mirror: Where it is mirrored to, such as `mlflow:sqlite:///mlflow.db`, or a list of such.
        purge_step: The step from which on what earlier writers recorded is cut out of the run.

    Raises:
        InvalidTarget: `mirror` is no mirror.
        RunDirectoryError: the directory cannot be written to.
        CorruptRecord: the log of the run in it is damaged.
        MissingExtra: a mirror's library is not installed.
    """
    mirrors = _mirrors(mirror)
    directory = directory.absolute()
    try:
        ownership = _owned(directory)
        try:
            return _begun(ownership, mirrors, purge_step)
        except BaseException:
            ownership.release()
            raise
    except OSError as error:
        raise RunDirectoryError(
            directory,
            f"the run cannot be written here: {error.strerror}",
            "Name a directory that can be written to",
        ) from error


def _begun(ownership: Ownership, mirrors: Sequence[Mirror], purge_step: int | None) -> Begun:
    directory = ownership.directory
    before = recalled(directory)
    _tell_of_others(directory)
    started = before.started or Started(
        wall_time=time.time(),
        uid=uuid4().hex,
        experiment=directory.parent.name or "default",
        name=directory.name,
    )
    recorder = Recorder(directory, started, before, ownership=ownership, repeats=False)
    senders: list[Sender] = []
    try:
        senders = [Sender(directory, mirror) for mirror in mirrors]
        recorder.mirror(senders, at_once=True)
        if purge_step is not None:
            recorder.rewind(step=purge_step)
    except BaseException:
        for sender in senders:
            sender.close(0)
        recorder.abandon()
        raise
    run = Run(
        uid=started.uid,
        experiment=started.experiment,
        name=started.name,
        directory=directory,
        root=directory.parent,
        mirrors=[mirror.uri for mirror in mirrors],
        recorder=recorder,
        senders=senders,
        params=before.params,
        resumed=before.started is not None,
        ends_itself=False,
    )
    return Begun(
        run=run,
        recorder=recorder,
        params=before.params if before.has_session else None,
        metrics=frozenset(before.extremes),
    )


def _tell_of_others(directory: Path) -> None:
    ours = set(attempt_paths(directory))
    if any(path not in ours for path in directory.glob("*tfevents*")):
        say(
            f"{directory} has event files of another writer, which TensorBoard shows as one run with this one's. "
            f"Under `--load_fast=false` it shows what is added to this one only after a restart: "
            f"name another `log_dir`"
        )
