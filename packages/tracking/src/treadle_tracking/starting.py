"""How a run begins, or resumes: everything that can be wrong is found before anything is written."""

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from datetime import UTC, datetime
from pathlib import Path
from shutil import rmtree
from typing import Any, Literal, TypeAlias, get_args
from uuid import uuid4

from attrs import evolve, frozen

from treadle_tracking.atomic import write_file
from treadle_tracking.backends import mirror as _mirror
from treadle_tracking.best import directions
from treadle_tracking.continuing import Known, Resume, find, known_run
from treadle_tracking.directory import ARTIFACTS, PARAMS, make_run_directory, safe_name
from treadle_tracking.entries import Params, ParamValue, Started, Tags
from treadle_tracking.errors import (
    InvalidChoice,
    InvalidName,
    InvalidTarget,
    NoSuchRun,
    ParamsChanged,
    RunDirectoryError,
)
from treadle_tracking.exact_json import dumps
from treadle_tracking.log import attempt_paths
from treadle_tracking.masking import to_be_filled_in
from treadle_tracking.mirrors.base import Follower, Mirror
from treadle_tracking.mirrors.errors import MirrorStateDamaged
from treadle_tracking.mirrors.locking import locked
from treadle_tracking.mirrors.sender import Sender, When
from treadle_tracking.mirrors.state import load_every
from treadle_tracking.names import checked_name, checked_tags
from treadle_tracking.notices import say
from treadle_tracking.ownership import Ownership
from treadle_tracking.params import flatten, given_params, joined
from treadle_tracking.ranks import this_rank
from treadle_tracking.recalled import Recalled, recalled
from treadle_tracking.recorder import Recorder
from treadle_tracking.run import Run
from treadle_tracking.shell import sync_command
from treadle_tracking.signals import Termination
from treadle_tracking.target import Targets, masked, parse_targets

__all__ = ["start_run"]

Worker: TypeAlias = Literal["thread", "process"]
WhenChanged: TypeAlias = Literal["record", "refuse"]


def _default_name(wall_time: float, uid: str) -> str:
    """The local time to the second, and enough of the uid that two runs of one second differ."""
    local = datetime.fromtimestamp(wall_time, UTC).astimezone()
    return f"{local:%Y-%m-%d-%H%M%S}-{uid[:4]}"


def start_run(
    target: str | Sequence[str] | None,
    *,
    experiment: str = "default",
    name: str | None = None,
    uid: str | None = None,
    resume: Resume = "never",
    directory: str | os.PathLike[str] | None = None,
    params: Any = None,
    tags: Mapping[str, str] | None = None,
    group: str | None = None,
    best: Mapping[str, str] | None = None,
    mirror: Worker = "thread",
    mirror_when: When = "logged",
    if_changed: WhenChanged = "record",
    rank: int | None = None,
    strict: bool = False,
) -> Run:
    """Start a run, or resume one, to be used as a context manager.

    ```text
    with start_run("tensorboard:runs", params={"lr": 1e-3}) as run:
        run.log({"loss": 0.5}, step=1)
    ```

    The run's directory, `<root>/<experiment>/<name>/`, is the source of truth: an event file that TensorBoard reads,
    `params.json`, `artifacts/`. If the name is taken, the directory is `<name>-2`, and so on.

    Args:
        target: `tensorboard:DIR` names the root of the run directories. `mlflow:URI` mirrors the run to an MLflow
            server or database from a thread; `mlflow:` alone is `MLFLOW_TRACKING_URI`, else `mlflow.db` here. A list
            is one root and its mirrors. None records nothing, at no cost, with the same methods.
        experiment: What the run belongs to.
        name: For people; it need not be unique. By default the time and the first four characters of its uid.
        uid: The run's one identity, by which mirrors know it; a random one by default.
        resume: `never` starts a new run. `auto` resumes the run of this uid or, without one, the one run of this
            experiment and name that is not finished: killed, failed, or left without an end; if there is none, it
            starts one. Without a name either, it is the one that was started without a name and with the same
            parameters. `must` is like `auto`, but never starts one. Where neither `load_state_dict` nor `rewind` has
            set the place to resume at, the first `log` does: what the run then repeats is replaced.
        directory: The root if no `tensorboard:DIR` names one; `.treadle/runs` by default. With `resume`, it may be the
            directory of the very run to resume.
        params: Parameters by name, nested as you like: None, bool, int, float, str, lists, paths, dates, functions,
            dtypes and the like; or an object of an attrs class or a dataclass, with numbers of the types it declares.
        tags: Texts by name, which may be replaced later.
        group: Runs of one group, such as seeds of one setting, are averaged on TensorBoard's HPARAMS page.
        best: `min` or `max` by metric: `best/<metric>` is recorded whenever it is better than ever before.
        mirror: What sends to the mirrors: a `thread`, which takes at most a twentieth of the interpreter's time and
            suits almost every run, or a separate `process` for each, which takes none but costs memory and a second.
        mirror_when: `logged` sends a mirror what is in the log; `committed` only what comes before the last `commit`,
            and everything when the run is finished. MLflow cannot take back what it was sent.
        if_changed: What to do with a parameter that a resumed run had with another value: `record` says so, and keeps
            the new one; `refuse` raises `ParamsChanged` before anything is written.
        rank: Which of several processes this is; only rank 0 records. By default an initialised `torch.distributed`
            tells, or the variables of torchrun, mpirun or srun.
        strict: Whether something that cannot be written raises `RecordingFailed`, instead of being kept in memory.

    Returns:
        The run. Use it as a context manager, so that it ends with the right status.

    Raises:
        InvalidTarget: the target names no known place, or two directories.
        InvalidName: a name is empty or not a text.
        InvalidMapping: parameters or tags are not a mapping.
        InvalidChoice: one of the words is not a known one.
        InvalidBest: `best` is not a mapping of metrics to `min` or `max`.
        InvalidRank: `rank` is not an integer from 0.
        UnsupportedParam: a parameter has no exact form in JSON.
        RunDirectoryError: the run's directory cannot be written to.
        RunExists: a new run was given the uid of one that exists.
        NoSuchRun: `resume` is `must`, and there is none.
        ParamsChanged: as `if_changed` says.
        SeveralRuns: more than one could be meant.
        RunInUse: a living process is writing the run.
        CorruptRecord: the log of the run to resume is damaged.
        MissingExtra: a mirror's library is not installed.
        MissingDriver: a database's own driver is not installed.
        DatabaseUnusable: a mirror's sqlite file cannot be opened, or created.
    """
    for argument, word, words in (
        ("resume", resume, get_args(Resume)),
        ("mirror", mirror, get_args(Worker)),
        ("mirror_when", mirror_when, get_args(When)),
        ("if_changed", if_changed, get_args(WhenChanged)),
    ):
        if word not in words:
            raise InvalidChoice(argument, word, words)
    if not isinstance(strict, bool):
        raise InvalidChoice("strict", strict, (True, False))
    wall_time = time.time()
    wanted_name = None if name is None else checked_name("the name of a run", name)
    wanted_uid = None if uid is None else checked_name("the uid of a run", uid)
    if wanted_uid and "\0" in wanted_uid:
        # A database's comparison ends there, and would find another run.
        raise InvalidName("the uid of a run", uid)
    new_uid = wanted_uid or uuid4().hex
    started = Started(
        wall_time=wall_time,
        uid=new_uid,
        experiment=checked_name("the name of an experiment", experiment),
        name=wanted_name or _default_name(wall_time, new_uid),
        named=wanted_name is not None,
        group=None if group is None else checked_name("the group of a run", group),
        best=directions(best),
    )
    if target is None:
        return Run(uid=new_uid, experiment=started.experiment, name=started.name)
    if own_rank := this_rank(rank):
        return Run(uid=new_uid, experiment=started.experiment, name=started.name, rank=own_rank)
    given = given_params({} if params is None else params)
    tags = checked_tags({} if tags is None else tags)
    own = None if directory is None or resume == "never" else known_run(_followed(directory))
    targets = parse_targets(target, directory=None if own else directory)
    mirrors = [_mirror(uri) for uri in targets.mirrors]
    if own is not None:
        targets = _of_run(targets, own, wanted_uid)
    elif _is_run(targets.root):
        raise InvalidTarget(
            f"{targets.root} is itself a run, and no run can be kept below it. Name the directory that the runs were "
            f"started with, or go on with this one: start_run(…, directory={str(targets.root)!r}, resume='must')"
        )
    beginning = _Beginning(given.values, tags, mirrors, mirror, mirror_when, if_changed, strict)
    # Nobody else may make a run between the look for it and its first entry.
    alone = own is None and (wanted_uid is not None or resume != "never")
    with _alone_in(targets.root, makes=resume != "must") if alone else nullcontext():
        known = own or find(
            targets.root,
            experiment=started.experiment,
            name=wanted_name,
            uid=wanted_uid,
            params=given.values,
            resume=resume,
        )
        if known is None:
            run = _new(targets, started, beginning)
        else:
            run = _again(targets, known, started, beginning)
    if notice := given.notice(run.name):
        say(notice)
    try:
        for dotted, function in given.functions:
            run.function(dotted, function)
    except BaseException:
        run.close("FAILED", timeout=0)
        raise
    if known is not None:
        say(f"the run in {run.directory} goes on")
        for uri in _left_behind(run.directory, mirrors):
            say(
                f"{uri} had this run, and is behind from now on: add the target {to_be_filled_in(uri)!r}, or send what it "
                f"lacks later with: {sync_command(run.directory, to=uri)}"
            )
    elif not targets.chosen:
        say(f"the run is kept in {run.directory}")
    return run


@contextmanager
def _alone_in(root: Path, *, makes: bool) -> Iterator[None]:
    """Let one process, and one thread, at a time look for a run below `root` and begin it."""
    with ExitStack() as stack:
        try:
            if makes:
                root.mkdir(parents=True, exist_ok=True)
            if root.is_dir():
                stack.enter_context(locked(root))
        except OSError as error:
            raise RunDirectoryError(
                root,
                f"no run directory can be made here: {error.strerror} ({error.filename})",
                "Name a directory that can be written to",
            ) from error
        yield


def _left_behind(directory: Path, mirrors: Sequence[Mirror]) -> list[str]:
    """The mirrors that the run had, and is not given any more."""
    given = {mirror.uri for mirror in mirrors}
    with suppress(MirrorStateDamaged, OSError):
        return [sent.uri for sent in load_every(directory) if sent.uri not in given]
    return []


def _followed(directory: str | os.PathLike[str]) -> Path:
    """The directory itself, of a link such as `latest` the one that it stands for."""
    path = Path(directory).absolute()
    return path.resolve() if path.is_symlink() else path


def _is_run(directory: Path) -> bool:
    with suppress(OSError):  # whoever makes a directory there says what is wrong
        return bool(attempt_paths(directory))
    return False


def _of_run(targets: Targets, own: Known, uid: str | None) -> Targets:
    """The targets of a run that is named by its directory."""
    root = own.directory.parents[1]
    # Of a run that was named by a link the directory is a real one, and the root, or the experiment, may be a link.
    linked = targets.root / safe_name(own.started.experiment)
    is_below = targets.root.resolve() == root.resolve() or linked.resolve() == own.directory.parent
    if targets.chosen and not is_below:
        raise InvalidTarget(
            f"the run in {own.directory} is not below {targets.root}, which the target names: leave out one of them"
        )
    if uid not in (None, own.started.uid):
        raise NoSuchRun(f"with the uid {uid!r}", own.directory, [own.started.uid])
    return Targets(
        root=targets.root if targets.chosen else root, mirrors=targets.mirrors, chosen=True
    )


@frozen
class _Beginning:
    """What a run is begun with, apart from who it is and where."""

    params: dict[str, ParamValue]
    tags: dict[str, str]
    mirrors: Sequence[Mirror]
    mirror: Worker
    mirror_when: When
    if_changed: WhenChanged
    strict: bool


def _new(targets: Targets, started: Started, beginning: _Beginning) -> Run:
    path = make_run_directory(targets.root, started.experiment, started.name)
    try:
        (path / ARTIFACTS).mkdir()
        return _begun(targets, started, Recalled(), Ownership(path), beginning)
    except BaseException as error:
        # The directory was made by this call, and the user has nothing in it: a Ctrl-C leaves no half of a run either.
        rmtree(path, ignore_errors=True)
        if not isinstance(error, OSError):
            raise
        raise _unwritable(path, error) from error


def _again(targets: Targets, known: Known, started: Started, beginning: _Beginning) -> Run:
    try:
        # First of all: what another process that is at its end writes still belongs to what there is before.
        ownership = Ownership(known.directory)
        try:
            before = recalled(known.directory)
        except BaseException:
            ownership.release()
            raise
        first = before.started or known.started
        goes_on = evolve(first, best=started.best or first.best)
        return _begun(targets, goes_on, before, ownership, beginning)
    except OSError as error:
        raise _unwritable(known.directory, error) from error


def _unwritable(path: Path, error: OSError) -> RunDirectoryError:
    return RunDirectoryError(
        path,
        f"the run cannot be written here: {error.strerror}",
        "Name a directory that can be written to",
    )


def _begun(
    targets: Targets,
    started: Started,
    before: Recalled,
    ownership: Ownership,
    beginning: _Beginning,
) -> Run:
    path = ownership.directory
    senders: Sequence[Follower] = []
    recorder = None
    try:
        added = _changed(path, before, beginning)
        params = joined(before.params, added)
        recorder = Recorder(
            path,
            started,
            before,
            ownership=ownership,
            given=beginning.params,
            strict=beginning.strict,
        )
        now = recorder.clock.now()
        # Written even when there are none: it is what makes TensorBoard's HPARAMS page list the run.
        if added or not before.has_session:
            recorder.append(Params(wall_time=now, values=added))
        if beginning.tags:
            recorder.append(Tags(wall_time=now, values=beginning.tags))
        recorder.clock.divide()
        senders = _senders(path, targets, beginning)
        _keep_params(path, params)
        recorder.mirror(senders, at_once=beginning.mirror_when == "logged")
    except BaseException:
        for sender in senders:
            sender.close(0)
        if recorder is not None:
            recorder.abandon()
        if before.started is not None:
            with suppress(OSError):
                _keep_params(path, before.params)
        ownership.release()
        raise
    return Run(
        uid=started.uid,
        experiment=started.experiment,
        name=started.name,
        directory=path,
        root=targets.root,
        mirrors=[masked(uri) for uri in targets.mirrors],
        recorder=recorder,
        senders=senders,
        termination=Termination(),
        params=params,
        resumed=before.started is not None,
    )


def _senders(path: Path, targets: Targets, beginning: _Beginning) -> Sequence[Follower]:
    when = beginning.mirror_when
    if beginning.mirror == "thread":
        return [Sender(path, mirror, when) for mirror in beginning.mirrors]
    from treadle_tracking.mirrors.process import ProcessSender

    return [ProcessSender(path, uri, when) for uri in targets.mirrors]


def _keep_params(path: Path, params: dict[str, ParamValue]) -> None:
    write_file(path / PARAMS, dumps(params, indent=2) + b"\n")


def _changed(path: Path, before: Recalled, beginning: _Beginning) -> dict[str, ParamValue]:
    """Those parameters that the run does not have yet; it is said which of them it had otherwise."""
    params = beginning.params
    if before.started is None:
        return params
    old = flatten(before.params)
    changed = [
        f"{name} was {old[name]!r} and is {value!r}"
        for name, value in flatten(params).items()
        if name in old and repr(old[name]) != repr(value)
    ]
    if changed and beginning.if_changed == "refuse":
        raise ParamsChanged(path, changed)
    if changed:
        say(f"parameters of the run in {path} have changed: {'; '.join(changed)}")
    return {
        name: value
        for name, value in params.items()
        if name not in before.params or repr(before.params[name]) != repr(value)
    }
