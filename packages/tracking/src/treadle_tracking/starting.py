"""How a run begins: everything that can be wrong is found before anything is written."""

import os
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from shutil import rmtree
from typing import Any
from uuid import uuid4

from treadle_tracking.atomic import write_file
from treadle_tracking.directory import ARTIFACTS, PARAMS, make_run_directory
from treadle_tracking.entries import Params, ParamValue, Started, Tags
from treadle_tracking.errors import RunDirectoryError
from treadle_tracking.exact_json import dumps
from treadle_tracking.log import LogWriter, attempt_path
from treadle_tracking.mirrors.base import Mirror
from treadle_tracking.mirrors.sender import Sender
from treadle_tracking.names import checked_name, checked_tags
from treadle_tracking.notices import say
from treadle_tracking.params import plain_params
from treadle_tracking.run import Run
from treadle_tracking.signals import Termination
from treadle_tracking.target import masked, parse_targets

__all__ = ["start_run"]


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
    directory: str | os.PathLike[str] | None = None,
    params: Mapping[str, Any] | None = None,
    tags: Mapping[str, str] | None = None,
    group: str | None = None,
) -> Run:
    """Start a run, to be used as a context manager.

    ```text
    with start_run("tensorboard:runs", params={"lr": 1e-3}) as run:
        run.log({"loss": 0.5}, step=1)
    ```

    The run's directory, `<root>/<experiment>/<name>/`, is the truth: an event file that TensorBoard reads,
    `params.json`, `artifacts/`. Where the name is taken, the directory is `<name>-2`, and so on.

    Args:
        target: `tensorboard:DIR` names the root of the run directories. `mlflow:URI` mirrors the run to an MLflow
            server or database from a thread; `mlflow:` alone is `MLFLOW_TRACKING_URI`, else `mlflow.db` here. A list
            is one root and its mirrors. None records nothing, at no cost, with the same methods.
        experiment: What the run belongs to.
        name: For people; need not be unique. By default the time and four letters.
        uid: The run's one identity, by which mirrors know it; a random one by default. Give no other run the same.
        directory: The root where no `tensorboard:DIR` names one; `.treadle/runs` by default.
        params: Parameters by name, nested as you like: None, bool, int, float, str, lists and paths.
        tags: Texts by name, which may be replaced later.
        group: Runs of one group, such as seeds of one setting, are averaged in TensorBoard's HPARAMS page.

    Returns:
        The run. Use it as a context manager, so that it ends as what it was.

    Raises:
        InvalidTarget: the target names no place that is known, or two directories.
        InvalidName: a name is empty or no text.
        InvalidMapping: parameters or tags are no mapping.
        UnsupportedParam: a parameter has no exact form in JSON.
        RunDirectoryError: the run's directory cannot be written to.
        MissingExtra: a mirror's library is not installed.
        MissingDriver: a database's own driver is not installed.
        DatabaseUnusable: a mirror's sqlite file cannot be opened, or made.
    """
    wall_time = time.time()
    uid = uuid4().hex if uid is None else checked_name("the uid of a run", uid)
    experiment = checked_name("the name of an experiment", experiment)
    name = (
        _default_name(wall_time, uid) if name is None else checked_name("the name of a run", name)
    )
    if target is None:
        return Run(uid=uid, experiment=experiment, name=name)
    if group is not None:
        group = checked_name("the group of a run", group)
    values = plain_params({} if params is None else params)
    tags = checked_tags({} if tags is None else tags)
    targets = parse_targets(target, directory=directory)
    mirrors = [_mirror(uri) for uri in targets.mirrors]

    path = make_run_directory(targets.root, experiment, name)
    started = Started(wall_time=wall_time, uid=uid, experiment=experiment, name=name, group=group)
    log, senders = _begin(path, started, values, tags, mirrors)
    run = Run(
        uid=uid,
        experiment=experiment,
        name=name,
        directory=path,
        root=targets.root,
        mirrors=[masked(uri) for uri in targets.mirrors],
        log=log,
        senders=senders,
        termination=Termination(),
    )
    if not targets.chosen:
        say(f"the run is kept in {path}")
    return run


def _begin(
    path: Path,
    started: Started,
    params: dict[str, ParamValue],
    tags: dict[str, str],
    mirrors: Sequence[Mirror],
) -> tuple[LogWriter, list[Sender]]:
    log, senders = None, []
    try:
        (path / ARTIFACTS).mkdir()
        write_file(path / PARAMS, dumps(params, indent=2) + b"\n")
        log = LogWriter(attempt_path(path))
        log.append(started)
        # Written even when there are none: it is what makes TensorBoard's HPARAMS page list the run.
        log.append(Params(wall_time=started.wall_time, values=params))
        if tags:
            log.append(Tags(wall_time=started.wall_time, values=tags))
        senders = [Sender(path, mirror) for mirror in mirrors]
        for sender in senders:
            sender.start()
    except BaseException as error:
        # The directory was made by this call, and the user has nothing in it: a Ctrl-C leaves no half of a run either.
        for sender in senders:
            sender.close(0)
        if log is not None:
            log.close()
        rmtree(path, ignore_errors=True)
        if not isinstance(error, OSError):
            raise
        raise RunDirectoryError(
            path,
            f"the run cannot be written here: {error.strerror}",
            "Name a directory that can be written to",
        ) from error
    return log, senders


def _mirror(uri: str) -> Mirror:
    from treadle_tracking.mirrors.mlflow import MLflowMirror

    return MLflowMirror(uri)
