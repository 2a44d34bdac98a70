"""The runs of an MLflow server or database."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from io import BytesIO
from pathlib import Path, PurePosixPath

from treadle_tracking.directory import PARAMS
from treadle_tracking.entries import Entry, ParamValue
from treadle_tracking.errors import TrackingError
from treadle_tracking.exact_json import loads
from treadle_tracking.mirrors.address import Address, parse_address
from treadle_tracking.mirrors.credentials import needs_client
from treadle_tracking.mirrors.names import escape_artifact
from treadle_tracking.reading.condition import Condition
from treadle_tracking.reading.errors import UnknownArtifact
from treadle_tracking.reading.mlflow_entries import log_of
from treadle_tracking.reading.mlflow_files import Sorted, sorted_files, walk
from treadle_tracking.reading.mlflow_filter import named_experiments, pushed
from treadle_tracking.reading.mlflow_runs import PARENT_TAG, Translated
from treadle_tracking.reading.mlflow_source import FilterRefused, NoSuchFile, Source, StoredRun
from treadle_tracking.reading.points import Points
from treadle_tracking.reading.record import Contents, RunRecord

__all__ = ["MLflowReader"]


def _source(address: Address, shown: str) -> Source:
    because = needs_client() if address.is_http else None
    if address.is_http and because is None:
        from treadle_tracking.reading.mlflow_http import HttpSource

        return HttpSource(address, shown)
    from treadle_tracking.reading.mlflow_client import ClientSource

    return ClientSource(address, shown, because)


class MLflowReader:
    """Runs in MLflow: of this package as they were recorded, of others as MLflow has them.

    Args:
        uri: A tracking URI: an sqlite file by its absolute path, another database, or a server.
        infer_types: Whether parameters that are there as texts alone are read as the numbers that they are the texts of.

    Raises:
        FileStoreRefused: the URI is a folder.
        InvalidTarget: it is nothing that MLflow knows.
        InvalidSetting: an environment variable for MLflow says nothing that can be used.
        CredentialsUnreadable: the file `~/.mlflow/credentials` is not as MLflow writes it.
        MissingExtra: what the URI takes is not installed.
        MissingDriver: the database's own driver is not installed.
        DatabaseUnreadable: there is no such sqlite file, or it is no database of MLflow's.
        SchemaDiffers: the database is of another version of MLflow than the one that is installed.
        TrackingError: the server cannot be reached, or refuses; each condition has its class.
    """

    def __init__(self, uri: str, *, infer_types: bool = False) -> None:
        address = parse_address(uri)
        self.target = f"mlflow:{address.shown}"
        self._infer_types = infer_types
        self._source = _source(address, self.target)
        self._found: dict[str, Translated] = {}  # by identity, as it was read last

    def close(self) -> None:
        """As `Reader` says."""
        self._source.close()

    def runs(self, conditions: Sequence[Condition] = ()) -> Iterator[RunRecord]:
        """As `Reader` says."""
        names = {one.identity: one.name for one in self._source.experiments()}
        experiments = named_experiments(conditions, list(names.items()))
        if not experiments:
            return
        found: dict[str, Translated] = {}
        for run in self._searched(experiments, pushed(conditions).filters):
            if run.experiment in names:
                found[run.identity] = Translated.of(run)
        again = self._latest_of_kept(found)
        for identity, translated in found.items():
            experiment = names[translated.stored.experiment]
            record = self._record(translated, experiment, again.get(identity, {}))
            self._found[identity] = translated.lasting()
            yield record

    def _searched(self, experiments: Sequence[str], filters: Iterable[str]) -> Iterator[StoredRun]:
        try:
            for condition in filters:
                yield from self._source.runs(experiments, condition)
        except FilterRefused:
            # An older MLflow, or another database.
            yield from self._source.runs(experiments, "")

    def _latest_of_kept(self, runs: Mapping[str, Translated]) -> dict[str, dict[str, float]]:
        """By run and metric, the last value of what MLflow's last is of an abandoned attempt."""
        asked: dict[str, list[str]] = {}
        for run in runs.values():
            for name, value in run.latest():
                if value is None:
                    asked.setdefault(run.key(name), []).append(run.stored.identity)
        found: dict[str, dict[str, float]] = {}
        for key, identities in asked.items():
            for identity, points in self._source.histories(identities, key):
                run = runs[identity]
                kept = run.kept(points)
                if len(kept):
                    found.setdefault(identity, {})[run.metric_name(key)] = kept.last
        return found

    def _record(self, run: Translated, experiment: str, again: Mapping[str, float]) -> RunRecord:
        stored = run.stored
        params, damage = self._params(run)
        metrics = {name: value for name, value in run.latest() if value is not None}
        ended = run.ended
        return RunRecord(
            target=self.target,
            identity=stored.identity,
            uid=run.uid,
            experiment=run.experiment(experiment),
            name=run.name,
            group=run.group,
            status=run.status,
            started=stored.started / 1000,
            ended=None if ended is None else ended / 1000,
            params=params,
            tags=run.tags,
            metrics={**metrics, **again},
            url=self._source.page(stored),
            parent=stored.tags.get(PARENT_TAG),
            damage=damage,
            reader=self,
        )

    def _params(self, run: Translated) -> tuple[dict[str, ParamValue], str | None]:
        """Parameters, and what is wrong with them."""
        if not run.ours:
            return run.shown_params(infer_types=self._infer_types), None
        exact = run.exact_params()
        if exact is not None:
            return exact, None
        problem = "the tags treadle.params of the exact parameters are missing, or not whole"
        try:
            data = self._content(run.stored, PARAMS)
            if data is not None:
                return loads(data), f"{problem}; they are read from the run's {PARAMS}"
        except (TrackingError, ValueError):
            pass
        return (
            run.shown_params(infer_types=self._infer_types),
            f"{problem}, and there is no {PARAMS}: they are read as the texts that MLflow shows",
        )

    def histories(
        self, runs: Sequence[RunRecord], names: Collection[str] | None = None
    ) -> Iterator[tuple[RunRecord, str, Points]]:
        """As `Reader` says."""
        asked: dict[str, dict[str, RunRecord]] = {}
        for run in runs:
            translated = self._translated(run)
            for name in run.metrics:
                if names is None or name in names:
                    asked.setdefault(translated.key(name), {})[run.identity] = run
        for key, records in asked.items():
            for identity, found in self._source.histories(list(records), key):
                record = records.get(identity)
                if record is None:
                    continue
                translated = self._translated(record)
                points = translated.kept(found)
                if len(points):
                    yield record, translated.metric_name(key), points

    def contents(self, run: RunRecord) -> Contents:
        """As `Reader` says."""
        return self._files(run).contents

    def entries(self, run: RunRecord) -> Iterator[Entry]:
        """As `Reader` says."""
        translated = self._translated(run)
        histories = {name: points for _, name, points in self.histories([run])}
        return log_of(
            run,
            histories,
            self._files(run),
            lambda path: self._content(translated.stored, path),
        )

    def download(self, run: RunRecord, path: str, file: Path) -> None:
        """As `Reader` says."""
        translated = self._translated(run)
        there = escape_artifact(path) if translated.ours else path
        if not self._is_artifact(translated, there):
            found = self._files(run)
            if path not in found.artifacts:
                raise UnknownArtifact(path, run.name, found.contents.artifacts)
            there = found.artifacts[path].path
        try:
            with file.open("xb") as content:
                self._source.download(translated.stored, there, content)
        except BaseException as error:
            file.unlink(missing_ok=True)
            if isinstance(error, NoSuchFile):
                raise UnknownArtifact(path, run.name, ()) from None
            raise

    def _is_artifact(self, run: Translated, path: str) -> bool:
        """Whether a file of the run is an artifact, by a look at its own folder alone."""
        folder = str(PurePosixPath(path).parent)
        if (
            path != str(PurePosixPath(path))
            or ".." in PurePosixPath(path).parts
            or path[:1] in "/."
        ):
            return False
        listed = self._source.files(run.stored, "" if folder == "." else folder)
        there = [one for one in listed if one.path == path and not one.is_folder]
        return bool(sorted_files(run.stored, there, ours=run.ours).artifacts)

    def _translated(self, run: RunRecord) -> Translated:
        return self._found[run.identity]

    def _files(self, run: RunRecord) -> Sorted:
        found = self._translated(run)
        return sorted_files(found.stored, walk(self._source, found.stored), ours=found.ours)

    def _content(self, run: StoredRun, path: str) -> bytes | None:
        content = BytesIO()
        try:
            self._source.download(run, path, content)
        except NoSuchFile:
            return None
        return content.getvalue()
