"""MLflow as a mirror: the only module that imports mlflow, and only inside functions.

Every call names its run. MLflow's fluent interface, with its active run, is never used: a second run in the same process
would disturb it. What is sent carries the log's own times, by which MLflow's stores know a point that they have already.
"""

import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from treadle_tracking.clock import milliseconds
from treadle_tracking.directory import ARTIFACTS, PARAMS
from treadle_tracking.entries import (
    Artifact,
    Ended,
    Entry,
    Image,
    Params,
    ParamValue,
    Scalars,
    Started,
    Tags,
    Text,
)
from treadle_tracking.errors import MissingExtra, TrackingError
from treadle_tracking.mirrors.address import parse_address
from treadle_tracking.mirrors.batching import Point, requests
from treadle_tracking.mirrors.database import check_driver, check_usable, held
from treadle_tracking.mirrors.errors import (
    ExperimentDeleted,
    MirrorFailed,
    RunDeleted,
)
from treadle_tracking.mirrors.locking import locked
from treadle_tracking.mirrors.names import (
    escape_artifact,
    escape_file,
    escape_key,
    escape_tag,
    is_shortened,
)
from treadle_tracking.mirrors.parameters import fitted, from_pieces, pieces, shown
from treadle_tracking.mirrors.quiet import quiet, without_telemetry
from treadle_tracking.mirrors.slider import FOLDER, SLIDER_TAG, image_files
from treadle_tracking.mirrors.state import lock_path
from treadle_tracking.params import flatten

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

__all__ = ["MLflowMirror"]

UID_TAG = "treadle.uid"
GROUP_TAG = "treadle.group"
# `mlflow.utils.validation`: MAX_PARAM_VAL_LENGTH, MAX_TAG_VAL_LENGTH. Longer ones are cut there without a word.
PARAM_LENGTH = 6000
TAG_LENGTH = 8000
NAME_LENGTH = 250  # of a run and an experiment: `mlflow.store.tracking.dbmodels.models`


class MLflowMirror:
    """A run in MLflow, found by the tag `treadle.uid` or made.

    Args:
        uri: A tracking URI: an sqlite file by its absolute path, another database, or a server.

    Raises:
        FileStoreRefused: the URI is a folder.
        MissingExtra: what the URI takes is not installed.
        MissingDriver: the database's own driver is not installed.
        DatabaseUnusable: the sqlite file cannot be opened, or made.
    """

    def __init__(self, uri: str) -> None:
        self._address = parse_address(uri)
        self.uri = f"mlflow:{self._address.shown}"
        self.identity: str | None = None
        for module in (
            ("mlflow", "sqlalchemy", "alembic") if self._address.is_database else ("mlflow",)
        ):
            if find_spec(module) is None:
                raise MissingExtra(f"the mirror {self.uri}", module, "mlflow")
        if self._address.file is not None:
            check_usable(self._address.file)
        elif self._address.is_database:
            check_driver(self._address.uri, self.uri)
        self._client: MlflowClient | None = None
        self._directory = Path()
        self._uid = ""
        self._shown_params: dict[str, str] = {}
        self._exact_params: dict[str, ParamValue] = {}

    def open(self, started: Started, directory: Path) -> None:
        """Find the run, or make its experiment and it, and the database itself where there is none.

        Args:
            started: The first entry of its log.
            directory: The run directory: artifacts are taken from there.

        Raises:
            ExperimentDeleted: MLflow holds the experiment's name for one that was deleted.
            RunDeleted: the run was deleted in MLflow.
            DatabaseUnusable: the sqlite file cannot be opened.
            Exception: whatever MLflow raises; `MirrorFailed` in its place where the URI holds a password.
        """
        self._directory = directory
        self._uid = started.uid
        with self._discreet():
            self._client = client = self._connected()
            # The search and the making of what it did not find are not one step in MLflow.
            with locked(lock_path(directory, self.uri)):
                run = self._run(client, started)
            self.identity = run.info.run_id
            self._shown_params = dict(run.data.params)
            self._exact_params = from_pieces(run.data.tags) or {}

    def send(self, entries: Sequence[Entry]) -> None:
        """Send entries: numbers, parameters and tags in as few requests as MLflow allows, files one by one, status last.

        Raises:
            Exception: whatever MLflow raises; `MirrorFailed` in its place where the URI holds a password.
        """
        assert self._client is not None, "open() comes first"
        assert self.identity is not None
        with self._discreet():
            self._send(self._client, self.identity, entries)

    def close(self) -> None:
        """Let go of the client, and of a database's file: one that is made anew at the same place is opened anew."""
        if self._client is not None and self._address.is_database:
            self._store().engine.dispose()
        self._client = None

    def _store(self) -> Any:
        """What the client calls: MLflow has one of it for an address, in a process."""
        from mlflow.tracking import _get_store

        return _get_store(self._address.uri)  # type: ignore[no-untyped-call]

    @contextmanager
    def _discreet(self) -> Iterator[None]:
        """Let MLflow say what is wrong in its exceptions alone, and without the password."""
        try:
            with quiet():
                yield
        except Exception as error:
            # Our own errors are made of what may be shown.
            if self._address.uri == self._address.shown or isinstance(error, TrackingError):
                raise
            text = str(error).replace(self._address.uri, self._address.shown)
            # Without its cause: a traceback would show what was just left out.
            raise MirrorFailed(f"{type(error).__name__}: {text}") from None

    def _connected(self) -> "MlflowClient":
        with without_telemetry():
            from mlflow import MlflowClient
        uri, file = self._address.uri, self._address.file
        if file is None:
            return MlflowClient(tracking_uri=uri, registry_uri=uri)
        with held(file) as is_new:
            if is_new:
                self._make_database(file)
            return MlflowClient(tracking_uri=uri, registry_uri=uri)

    def _make_database(self, file: Path) -> None:
        """Make the tables beside `file`, then put them there: of half of them, MLflow would never make the rest."""
        from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

        unfinished = file.with_name(f".{file.name}.unfinished")
        unfinished.unlink(missing_ok=True)
        # Only here can MLflow's own experiment "Default" be kept out of the current directory.
        store = SqlAlchemyStore(  # type: ignore[no-untyped-call]
            f"sqlite:///{unfinished}", (file.parent / "mlartifacts").as_uri()
        )
        store.engine.dispose()
        unfinished.replace(file)

    def _artifact_location(self, experiment: str) -> str | None:
        """Where an experiment's files go: beside the database; a server decides for itself."""
        if not self._address.is_database:
            return None
        # Without a file to be beside, the folder of all runs: MLflow itself would take the current directory.
        file = self._address.file
        home = file.parent if file is not None else self._directory.absolute().parents[1]
        return (home / "mlartifacts" / escape_file(experiment)).as_uri()

    def _experiment(self, client: "MlflowClient", name: str) -> str:
        from mlflow.exceptions import MlflowException

        experiment = client.get_experiment_by_name(name)
        if experiment is None:
            try:
                return str(client.create_experiment(name, self._artifact_location(name)))
            except MlflowException as error:
                if error.error_code != "RESOURCE_ALREADY_EXISTS":
                    raise
                # Another run was quicker.
                experiment = client.get_experiment_by_name(name)
                if experiment is None:
                    raise
        if experiment.lifecycle_stage == "deleted":
            raise ExperimentDeleted(name, experiment.experiment_id, self.uri)
        return str(experiment.experiment_id)

    def _run(self, client: "MlflowClient", started: Started) -> "Run":
        from mlflow.entities import ViewType

        experiment = self._experiment(
            client, fitted(started.experiment, NAME_LENGTH, "the run directory")
        )
        start_time = milliseconds(started.wall_time)
        # MLflow's filters have no escapes: whatever might end the quotes is matched by anything, and compared here.
        pattern = re.sub(r"[^A-Za-z0-9\-]", "_", started.uid)
        found = [
            run
            for run in client.search_runs(
                [experiment], f"tags.`{UID_TAG}` LIKE '{pattern}'", run_view_type=ViewType.ALL
            )
            # Another run directory may have been given the same uid: it is a run of its own here too.
            if run.data.tags.get(UID_TAG) == started.uid and run.info.start_time == start_time
        ]
        active = [run for run in found if run.info.lifecycle_stage == "active"]
        if active:
            return min(active, key=lambda run: run.info.run_id)
        if found:
            raise RunDeleted(started.name, found[0].info.run_id, self.uri)
        tags = {UID_TAG: started.uid}
        if started.group is not None:
            tags[GROUP_TAG] = fitted(started.group, TAG_LENGTH, "the run directory")
        return client.create_run(
            experiment,
            start_time=start_time,
            tags=tags,
            run_name=fitted(started.name, NAME_LENGTH, "the run directory"),
        )

    def _send(self, client: "MlflowClient", identity: str, entries: Sequence[Entry]) -> None:
        metrics: list[Point] = []
        params: dict[str, str] = {}
        tags: dict[str, str] = {}
        ended: Ended | None = None
        for entry in entries:
            match entry:
                case Scalars():
                    timestamp = milliseconds(entry.wall_time)
                    metrics.extend(
                        Point(_key(name, tags), value, timestamp, entry.step)
                        for name, value in entry.values.items()
                    )
                case Params():
                    params.update(self._params(entry.values, tags))
                    file = self._directory / PARAMS
                    if file.is_file():
                        self._log_file(client, file, PARAMS)
                case Tags():
                    for name, text in entry.values.items():
                        key = _key(name, tags, escape_tag)
                        tags[key] = fitted(text, TAG_LENGTH, "the run directory")
                case Image():
                    for name, data in image_files(entry, self._uid).items():
                        self._log_bytes(client, f"{FOLDER}/{name}", data)
                    tags[SLIDER_TAG] = "True"
                case Text():
                    self._log_bytes(
                        client, _text_path(entry), entry.text.encode("utf-8", "replace")
                    )
                case Artifact():
                    self._log_artifact(client, entry.path, tags)
                case Ended():
                    ended = entry
                case Started():
                    pass  # `open` has made the run
        self._log_batches(client, identity, metrics, params, tags)
        self._shown_params.update(params)
        if ended is not None and ended.status != "RUNNING":
            self._end(identity, ended)

    def _params(self, values: Mapping[str, ParamValue], tags: dict[str, str]) -> dict[str, str]:
        """Parameters that MLflow does not have yet. It never changes one: the tags have the newest."""
        self._exact_params.update(values)
        tags.update(pieces(self._exact_params))
        texts = {
            _key(name, tags): fitted(shown(value), PARAM_LENGTH, "the tag treadle.params")
            for name, value in flatten(values).items()
        }
        return {key: text for key, text in texts.items() if key not in self._shown_params}

    def _log_batches(
        self,
        client: "MlflowClient",
        identity: str,
        metrics: list[Point],
        params: dict[str, str],
        tags: dict[str, str],
    ) -> None:
        from mlflow.entities import Metric, Param, RunTag

        for request in requests(metrics, params, tags):
            client.log_batch(
                identity,
                metrics=[Metric(p.key, p.value, p.timestamp, p.step) for p in request.metrics],
                params=[Param(key, text) for key, text in request.params],
                tags=[RunTag(key, text) for key, text in request.tags],
                synchronous=True,
            )

    def _end(self, identity: str, ended: Ended) -> None:
        from mlflow.entities import RunStatus

        # What the client's `set_terminated` does, less the server's address, password and all, on stdout.
        self._store().update_run_info(
            identity, RunStatus.from_string(ended.status), milliseconds(ended.wall_time), None
        )

    def _log_bytes(self, client: "MlflowClient", path: str, data: bytes) -> None:
        with TemporaryDirectory() as folder:
            file = Path(folder) / path.rpartition("/")[2]
            file.write_bytes(data)
            self._log_file(client, file, path)

    def _log_artifact(self, client: "MlflowClient", path: str, tags: dict[str, str]) -> None:
        file = self._directory / ARTIFACTS / path
        there = escape_artifact(path)
        if not file.is_file():
            # Whoever removed it meant it, and everything after it is still to be sent.
            tags[_key(f"treadle.missing.{path}", tags)] = "not in the run directory any more"
        elif there == path:
            self._log_file(client, file, path)
        else:
            with TemporaryDirectory() as folder:
                renamed = Path(folder) / there.rpartition("/")[2]
                shutil.copy2(file, renamed)
                self._log_file(client, renamed, there)

    def _log_file(self, client: "MlflowClient", file: Path, path: str) -> None:
        assert self.identity is not None
        client.log_artifact(self.identity, str(file), path.rpartition("/")[0] or None)


def _key(name: str, tags: dict[str, str], escape: Callable[[str], str] = escape_key) -> str:
    """`name` as MLflow takes it; a name that had to be shortened is kept whole in a tag."""
    key = escape(name)
    if is_shortened(key):
        tags[f"treadle.name.{key[-32:]}"] = fitted(name, TAG_LENGTH, "the run directory")
    return key


def _text_path(text: Text) -> str:
    # A name that ends in .md would be the folder of one text and the file of another.
    name = re.sub(r"\.(?=md(?:/|$))", "_x002E_", escape_file(text.name))
    return f"texts/{name}/{text.step}.md"
