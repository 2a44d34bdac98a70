"""MLflow through its own client: databases, Databricks, what plugins have taught it.

Every call names its run. MLflow's fluent interface, with its active run, is never used: a second run in the same process
would disturb it.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from treadle_tracking.entries import RunStatus
from treadle_tracking.errors import MissingExtra, TrackingError
from treadle_tracking.mirrors.address import Address
from treadle_tracking.mirrors.batching import Request
from treadle_tracking.mirrors.database import (
    check_driver,
    check_usable,
    held,
    schema_of,
    unfinished_path,
)
from treadle_tracking.mirrors.errors import MirrorFailed
from treadle_tracking.mirrors.names import escape_file
from treadle_tracking.mirrors.quiet import quiet, without_telemetry
from treadle_tracking.mirrors.store import AlreadyThere, Experiment, Found
from treadle_tracking.mirrors.uid import uid_filter

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

__all__ = ["ClientStore", "check_installed", "discreet"]


def _found(run: "Run") -> Found:
    return Found(
        identity=run.info.run_id,
        is_deleted=run.info.lifecycle_stage == "deleted",
        params=dict(run.data.params),
        tags=dict(run.data.tags),
        artifact_uri=run.info.artifact_uri or "",
    )


def check_installed(address: Address, asking: str, because: str | None = None) -> None:
    """Find out whether MLflow's client is there, and what it needs for a database.

    Args:
        address: What it is to reach.
        asking: Who asks, for messages.
        because: What asks for the client, where something beside the address does.

    Raises:
        MissingExtra: it is not installed.
    """
    wanted = ("mlflow", "sqlalchemy", "alembic") if address.is_database else ("mlflow",)
    for module in wanted:
        if find_spec(module) is None:
            if because is not None:
                asking += f", for which {because} is set,"
            raise MissingExtra(asking, module, "mlflow")


@contextmanager
def discreet(address: Address) -> Iterator[None]:
    """Let MLflow say what is wrong in its exceptions alone, and without the password."""
    try:
        with quiet():
            yield
    except Exception as error:
        # Our own errors are made of what may be shown.
        if address.uri == address.shown or isinstance(error, TrackingError | AlreadyThere):
            raise
        text = str(error).replace(address.uri, address.shown)
        # Without its cause: a traceback would show what was just left out.
        raise MirrorFailed(f"{type(error).__name__}: {text}") from None


class ClientStore:
    """Whatever MLflow's client reaches.

    Args:
        address: A tracking URI.
        shown: The mirror's address for messages, without secrets.
        because: What asks for the client, where something beside the address does.

    Raises:
        MissingExtra: what the address takes is not installed.
        MissingDriver: the database's own driver is not installed.
        DatabaseUnusable: the sqlite file cannot be opened, or made.
        InvalidTarget: SQLAlchemy cannot read the address.
    """

    def __init__(self, address: Address, shown: str, because: str | None = None) -> None:
        self._address = address
        self._shown = shown
        asking = f"the mirror {shown}"
        check_installed(address, asking, because)
        if address.file is not None:
            check_usable(address.file)
        elif address.is_database:
            check_driver(address.uri, shown, asking)
        self._connected: MlflowClient | None = None

    @property
    def _client(self) -> "MlflowClient":
        assert self._connected is not None, "connect() comes first"
        return self._connected

    def connect(self) -> None:
        """As `Store` says."""
        with discreet(self._address):
            with without_telemetry():
                import mlflow  # noqa: F401
            file = self._address.file
            if file is None:
                self._connected = self._opened()
                return
            with held(file) as is_new:
                if is_new:
                    self._make_database(file)
                self._connected = self._opened()

    def _opened(self) -> "MlflowClient":
        from mlflow import MlflowClient
        from mlflow.exceptions import MlflowException

        uri = self._address.uri
        try:
            return MlflowClient(tracking_uri=uri, registry_uri=uri)
        except MlflowException:
            if self._address.is_database:
                self._check_schema()
            raise

    def _check_schema(self) -> None:
        """Raise where it is the database's version that MLflow refuses; it says so in a paragraph."""
        from mlflow import __version__
        from sqlalchemy import create_engine

        from treadle_tracking.reading.errors import SchemaDiffers

        engine = create_engine(self._address.uri)
        try:
            schema = schema_of(engine)
        finally:
            engine.dispose()
        if schema in {"older", "newer"}:
            raise SchemaDiffers(
                self._shown, __version__, is_older=schema == "older", purpose="write"
            ) from None

    def close(self) -> None:
        """Let go of the client, and of a database's file: one that is made anew at the same place is opened anew."""
        if self._connected is not None and self._address.is_database:
            self._store().engine.dispose()
        self._connected = None

    def _store(self) -> Any:
        """What the client calls: MLflow has one of it for an address, in a process."""
        from mlflow.tracking import _get_store

        return _get_store(self._address.uri)  # type: ignore[no-untyped-call]

    def _make_database(self, file: Path) -> None:
        """Make the tables beside `file`, then put them there: of half of them, MLflow would never make the rest."""
        from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

        unfinished = unfinished_path(file)
        # Its journal first: sqlite would take it for that of the next one.
        unfinished.with_name(f"{unfinished.name}-journal").unlink(missing_ok=True)
        unfinished.unlink(missing_ok=True)
        # Only here can MLflow's own experiment "Default" be kept out of the current directory.
        store = SqlAlchemyStore(  # type: ignore[no-untyped-call]
            f"sqlite:///{unfinished}", (file.parent / "mlartifacts").as_uri()
        )
        store.engine.dispose()
        unfinished.replace(file)

    def experiment(self, name: str) -> Experiment | None:
        """As `Store` says."""
        with discreet(self._address):
            experiment = self._client.get_experiment_by_name(name)
        if experiment is None:
            return None
        return Experiment(
            str(experiment.experiment_id), is_deleted=experiment.lifecycle_stage == "deleted"
        )

    def create_experiment(self, name: str, directory: Path) -> Experiment:
        """As `Store` says."""
        from mlflow.exceptions import MlflowException

        with discreet(self._address):
            try:
                location = self._artifact_location(name, directory)
                identity = self._client.create_experiment(name, location)
            except MlflowException as error:
                if error.error_code == "RESOURCE_ALREADY_EXISTS":
                    raise AlreadyThere from error
                raise
        return Experiment(str(identity), is_deleted=False)

    def _artifact_location(self, experiment: str, directory: Path) -> str | None:
        """Where an experiment's files go: beside the database; a server decides for itself."""
        if not self._address.is_database:
            return None
        # Without a file to be beside, the folder of all runs: MLflow itself would take the current directory.
        file = self._address.file
        home = file.parent if file is not None else directory.absolute().parents[1]
        return (home / "mlartifacts" / escape_file(experiment)).as_uri()

    def runs(self, experiment: str, uid: str) -> list[Found]:
        """As `Store` says."""
        from mlflow.entities import ViewType

        with discreet(self._address):
            runs = self._client.search_runs(
                [experiment], uid_filter(uid), run_view_type=ViewType.ALL
            )
        return [_found(run) for run in runs]

    def create_run(
        self, experiment: str, name: str, start_time: int, tags: Mapping[str, str]
    ) -> Found:
        """As `Store` says."""
        with discreet(self._address):
            return _found(
                self._client.create_run(
                    experiment, start_time=start_time, tags=dict(tags), run_name=name
                )
            )

    def delete_run(self, run: str) -> None:
        """As `Store` says."""
        with discreet(self._address):
            self._client.delete_run(run)

    def log(self, run: str, request: Request) -> None:
        """As `Store` says."""
        from mlflow.entities import Metric, Param, RunTag

        with discreet(self._address):
            self._client.log_batch(
                run,
                metrics=[Metric(*point) for point in request.metrics],
                params=[Param(key, text) for key, text in request.params],
                tags=[RunTag(key, text) for key, text in request.tags],
                synchronous=True,
            )

    def delete_tag(self, run: str, key: str) -> None:
        """As `Store` says."""
        from mlflow.exceptions import MlflowException

        with discreet(self._address):
            try:
                self._client.delete_tag(run, key)
            except MlflowException as error:
                if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                    raise

    def set_status(self, run: str, status: RunStatus, end_time: int | None) -> None:
        """As `Store` says."""
        from mlflow.entities import RunStatus as Status

        with discreet(self._address):
            # What the client's `set_terminated` does, less the server's address, password and all, on stdout.
            self._store().update_run_info(run, Status.from_string(status), end_time, None)

    def files_of(self, run: Found) -> str | None:  # noqa: ARG002
        """As `Store` says."""
        return None  # wherever that is, MLflow's client writes there

    def send_file(self, run: Found, path: str, content: Path | bytes) -> None:
        """As `Store` says."""
        folder, _, name = path.rpartition("/")
        with discreet(self._address):
            if isinstance(content, Path) and content.name == name:
                self._client.log_artifact(run.identity, str(content), folder or None)
                return
            with TemporaryDirectory() as place:
                file = Path(place) / name
                if isinstance(content, bytes):
                    file.write_bytes(content)
                else:
                    # The client names a file as it is named here, and reads through a link.
                    file.symlink_to(content.absolute())
                self._client.log_artifact(run.identity, str(file), folder or None)
