"""MLflow read through its own client: databases, Databricks, what plugins have taught it.

A database is read by MLflow's store for it, which knows how its tables are to be read; an sqlite file is opened so that
nothing can be written to it.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby
from math import nan
from operator import itemgetter
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir
from typing import TYPE_CHECKING, Any, BinaryIO
from urllib.parse import quote
from weakref import finalize

from treadle_tracking.errors import TrackingError
from treadle_tracking.mirrors.address import Address
from treadle_tracking.mirrors.database import check_driver, schema_of
from treadle_tracking.mirrors.mlflow_client import check_installed, discreet
from treadle_tracking.mirrors.quiet import without_telemetry
from treadle_tracking.reading.database import check_database, is_locked, locked
from treadle_tracking.reading.errors import DatabaseUnreadable, MLflowFailed, SchemaDiffers
from treadle_tracking.reading.mlflow_source import (
    Experiment,
    FilterRefused,
    NoSuchFile,
    Point,
    StoredFile,
    StoredRun,
)
from treadle_tracking.reading.points import Points

if TYPE_CHECKING:
    from mlflow.entities import Metric, Run

__all__ = ["ClientSource"]

_PAGE = 1_000  # of runs and of experiments
_RUNS_AT_ONCE = 100  # of which a whole history is in memory
_UNKNOWN = "RESOURCE_DOES_NOT_EXIST"
_INVALID = "INVALID_PARAMETER_VALUE"


class ClientSource:
    """Whatever MLflow's client reaches.

    Args:
        address: A tracking URI.
        shown: The whole target for messages, without secrets.
        because: What asks for the client, where something beside the address does.

    Raises:
        MissingExtra: what the address takes is not installed.
        MissingDriver: the database's own driver is not installed.
        DatabaseUnreadable: there is no such sqlite file, or it cannot be read, or is no database of MLflow's.
        SchemaDiffers: the database is of another version of MLflow.
        InvalidTarget: SQLAlchemy cannot read the address.
        MLflowFailed: whatever MLflow's client raises.
    """

    def __init__(self, address: Address, shown: str, because: str | None = None) -> None:
        self._address = address
        self._shown = shown
        if address.file is not None:
            # Before anything has to be installed or imported.
            check_database(address.file)
        asking = f"reading {shown}"
        check_installed(address, asking, because)
        if address.is_database and address.file is None:
            check_driver(address.uri, shown, asking)
        self._made: Any = None
        _ = self._store

    def close(self) -> None:
        """As `Source` says."""
        if self._made is not None and self._address.is_database:
            self._made.engine.dispose()
        self._made = None

    def page(self, run: StoredRun) -> str | None:  # noqa: ARG002
        """As `Source` says."""
        return None

    @property
    def _store(self) -> Any:
        """MLflow's own store, made where there is none."""
        if self._made is None:
            with self._told():
                with without_telemetry():
                    import mlflow.store.db.utils  # noqa: F401
                    from mlflow.tracking import _get_store
                if self._address.is_database:
                    self._made = self._database()
                    # Whoever reads runs has nothing to close.
                    finalize(self, self._made.engine.dispose)
                else:
                    self._made = _get_store(self._address.uri)  # type: ignore[no-untyped-call]
        return self._made

    def _database(self) -> Any:
        from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

        file, uri = self._address.file, self._address.uri
        if file is not None:
            # With its driver named, MLflow makes no folder of what it takes for the path.
            uri = f"sqlite+pysqlite:///file:{quote(str(file))}?mode=ro&uri=true"
        self._check_schema(uri)
        # Older versions of MLflow make this folder.
        return SqlAlchemyStore(uri, Path(gettempdir()).as_uri())  # type: ignore[no-untyped-call]

    def _check_schema(self, uri: str) -> None:
        """Raise where MLflow would upgrade the database, or cannot read it."""
        from mlflow import __version__
        from sqlalchemy import create_engine, text

        engine = create_engine(uri)
        try:
            schema = schema_of(engine)
            if schema == "same":
                with engine.connect() as connection:
                    any_experiment = connection.execute(text("SELECT 1 FROM experiments")).first()
        finally:
            engine.dispose()
        if schema == "none":
            raise DatabaseUnreadable(self._shown, "it is no database of MLflow's")
        if schema != "same":
            raise SchemaDiffers(self._shown, __version__, is_older=schema == "older")
        if any_experiment is None:
            # MLflow would make its experiment "Default".
            raise DatabaseUnreadable(self._shown, "nothing was ever written to it")

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Let what MLflow raises be one sentence of this package's."""
        try:
            with discreet(self._address):
                yield
        except (TrackingError, FilterRefused, NoSuchFile):
            raise
        except Exception as error:
            if is_locked(error):
                raise locked(self._shown) from None
            if self._address.uri == self._address.shown:
                raise MLflowFailed(self._shown, error) from error
            raise MLflowFailed(self._shown, error) from None

    def experiments(self) -> Sequence[Experiment]:
        """As `Source` says."""
        from mlflow.entities import ViewType

        with self._told():
            found = _pages(
                lambda token: self._store.search_experiments(
                    view_type=ViewType.ACTIVE_ONLY, max_results=_PAGE, page_token=token
                )
            )
            return [Experiment(str(one.experiment_id), one.name) for one in found]

    def runs(self, experiments: Sequence[str], condition: str) -> Iterator[StoredRun]:
        """As `Source` says."""
        from mlflow.entities import ViewType
        from mlflow.exceptions import MlflowException

        token: str | None = None
        while True:
            with self._told():
                try:
                    page = self._store.search_runs(
                        list(experiments), condition, ViewType.ACTIVE_ONLY, _PAGE, None, token
                    )
                except MlflowException as error:
                    if condition and error.error_code == _INVALID:
                        raise FilterRefused from error
                    raise
                found, token = [_run(run) for run in page], page.token
            yield from found
            if not token:
                return

    def histories(self, runs: Sequence[str], key: str) -> Iterator[tuple[str, Points]]:
        """As `Source` says."""
        if self._address.is_database:
            for start in range(0, len(runs), _RUNS_AT_ONCE):
                with self._told():
                    found = self._selected(runs[start : start + _RUNS_AT_ONCE], key)
                yield from found
            return
        for run in runs:
            with self._told():
                history = self._store.get_metric_history(run, key)
                points = Points.of(_point(metric) for metric in history)
            yield run, points

    def _selected(self, runs: Sequence[str], key: str) -> list[tuple[str, Points]]:
        """Rows as they are: MLflow's own function for it makes two objects of each, which takes ten times as long."""
        from mlflow.store.tracking.dbmodels.models import SqlMetric
        from sqlalchemy import select

        columns = SqlMetric.run_uuid, SqlMetric.step, SqlMetric.timestamp, SqlMetric.value
        rows = (
            select(*columns, SqlMetric.is_nan)
            .where(SqlMetric.key == key, SqlMetric.run_uuid.in_(runs))
            .order_by(*columns)
        )
        found: list[tuple[str, Points]] = []
        with self._store.ManagedSessionMaker() as session:
            for run, history in groupby(session.execute(rows), key=itemgetter(0)):
                points = [
                    (step, time, nan if bad else value) for _, step, time, value, bad in history
                ]
                found.append((run, Points.of(points)))
        return found

    def files(self, run: StoredRun, folder: str) -> Sequence[StoredFile]:
        """As `Source` says."""
        with self._told():
            files = self._files_of(run).list_artifacts(folder or None)
            return [StoredFile(file.path, file.file_size or 0, file.is_dir) for file in files]

    def download(self, run: StoredRun, path: str, file: BinaryIO) -> None:
        """As `Source` says."""
        from mlflow.exceptions import MlflowException

        with TemporaryDirectory() as place:
            copy = Path(place) / "file"
            with self._told():
                try:
                    # What `download_artifacts` calls for a file, after it has asked whether it is a folder, and drawn a
                    # bar.
                    self._files_of(run)._download_file(path, str(copy))  # noqa: SLF001
                except (MlflowException, FileNotFoundError, IsADirectoryError) as error:
                    if getattr(error, "error_code", _UNKNOWN) in {_UNKNOWN, _INVALID}:
                        raise NoSuchFile(path) from error
                    raise
            with copy.open("rb") as downloaded:
                while block := downloaded.read(1 << 20):
                    file.write(block)

    def _files_of(self, run: StoredRun) -> Any:
        from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

        return get_artifact_repository(run.artifact_uri, tracking_uri=self._address.uri)


def _pages(ask: Callable[[str | None], Any]) -> Iterator[Any]:
    token: str | None = None
    while True:
        page = ask(token)
        yield from page
        token = page.token
        if not token:
            return


def _point(metric: "Metric") -> Point:
    return Point(int(metric.step), int(metric.timestamp), float(metric.value))


def _run(run: "Run") -> StoredRun:
    info, data = run.info, run.data
    return StoredRun(
        identity=info.run_id,
        experiment=str(info.experiment_id),
        name=info.run_name or "",
        status=str(info.status),
        started=int(info.start_time or 0),
        ended=int(info.end_time) if info.end_time else None,
        artifact_uri=info.artifact_uri or "",
        params=dict(data.params),
        tags=dict(data.tags),
        latest={metric.key: _point(metric) for metric in data._metric_objs},  # noqa: SLF001
    )
