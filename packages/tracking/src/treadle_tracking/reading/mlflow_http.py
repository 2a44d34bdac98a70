"""An MLflow server, read in plain JSON: no MLflow is needed for it.

The endpoints are those of MLflow's REST API, and two that its own pages use: `get-history-bulk`, which gives a metric of a
hundred runs at once, and `get-artifact`, which gives a file wherever the server keeps it.
"""

from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Any, BinaryIO
from urllib.parse import quote, urlencode, urlsplit
from weakref import finalize

from treadle_tracking.mirrors.address import Address
from treadle_tracking.mirrors.errors import NotMLflow, RequestRefused, ServerFailed
from treadle_tracking.mirrors.mlflow_api import FILES, PROXIED, UNKNOWN, Api
from treadle_tracking.reading.mlflow_source import (
    Experiment,
    FilterRefused,
    NoSuchFile,
    Point,
    StoredFile,
    StoredRun,
)
from treadle_tracking.reading.points import Points

__all__ = ["HttpSource"]

_BULK = "/ajax-api/2.0/mlflow/metrics/get-history-bulk"
_BULK_RUNS = 100  # `mlflow.server.handlers.get_metric_history_bulk_handler`: more are refused
_BULK_POINTS = 25_000  # what is beyond is left out without a word
_PAGE_OF_RUNS = 1_000
_PAGE_OF_EXPERIMENTS = 1_000
_PAGE_OF_POINTS = 10_000
_FILE = "/get-artifact"


class HttpSource:
    """An MLflow server.

    Args:
        address: Its address, which may hold user and password.
        shown: The whole target for messages.

    Raises:
        InvalidTarget: this is no address of a server.
        InvalidSetting: an environment variable for MLflow says nothing that can be used.
        CredentialsUnreadable: the file `~/.mlflow/credentials` is not as MLflow writes it.
        TrackingError: the server cannot be reached, or refuses; each condition has its class.
    """

    def __init__(self, address: Address, shown: str) -> None:
        self._shown = shown
        self._api = Api(address, shown, "read")
        self._api.connect()
        # Whoever reads runs has nothing to close.
        finalize(self, self._api.close)
        self._has_bulk = True
        self._at_once = _BULK_RUNS
        self.experiments()  # whether it is there, and is an MLflow, is told at once

    def close(self) -> None:
        """As `Source` says."""
        # The next request connects anew, with what the environment says then.
        self._api.connect()

    def page(self, run: StoredRun) -> str | None:
        """As `Source` says."""
        identity = quote(run.identity, safe="")
        return f"{self._api.base}/#/experiments/{quote(run.experiment, safe='')}/runs/{identity}"

    def experiments(self) -> Sequence[Experiment]:
        """As `Source` says."""
        found: list[Experiment] = []
        asked = {"max_results": _PAGE_OF_EXPERIMENTS, "view_type": "ACTIVE_ONLY"}
        for answer in self._pages("POST", "experiments/search", asked):
            with self._api.as_mlflow_writes():
                found += map(_experiment, answer.get("experiments", ()))
        return found

    def _pages(self, method: str, endpoint: str, asked: Mapping[str, Any]) -> Iterator[Any]:
        """The answers of an endpoint that gives a page at a time."""
        tokens: list[str] = []
        while True:
            page = {"page_token": tokens[-1]} if tokens else {}
            answer = self._api.call(method, endpoint, {**asked, **page})
            yield answer
            token = answer.get("next_page_token")
            if not token:
                return
            if token in tokens:
                raise NotMLflow(self._shown, "with the same page again and again")
            tokens.append(str(token))

    def runs(self, experiments: Sequence[str], condition: str) -> Iterator[StoredRun]:
        """As `Source` says."""
        asked = {
            "experiment_ids": list(experiments),
            "filter": condition,
            "run_view_type": "ACTIVE_ONLY",
            "max_results": _PAGE_OF_RUNS,
        }
        try:
            for answer in self._pages("POST", "runs/search", asked):
                with self._api.as_mlflow_writes():
                    found = list(map(_run, answer.get("runs", ())))
                yield from found
        except RequestRefused as error:
            if condition and error.status == HTTPStatus.BAD_REQUEST:
                raise FilterRefused from error
            raise

    def histories(self, runs: Sequence[str], key: str) -> Iterator[tuple[str, Points]]:
        """As `Source` says."""
        start = 0
        while start < len(runs):
            some = runs[start : start + self._at_once]
            found = self._asked_in_bulk(some, key) if self._has_bulk else None
            if found is None or (len(some) == 1 and len(found) >= _BULK_POINTS):
                for run in some:
                    yield run, Points.of(self._paged(run, key))
            elif len(found) >= _BULK_POINTS:
                # There may be more, of any of them.
                self._at_once = max(1, len(some) // 2)
                continue
            else:
                yield from _by_run(found)
            start += len(some)
            if found is not None and 4 * len(found) < _BULK_POINTS:
                self._at_once = min(_BULK_RUNS, 2 * self._at_once)

    def _asked_in_bulk(self, runs: Sequence[str], key: str) -> list[tuple[str, Point]] | None:
        """Points of all of the runs; None where the server, or what is before it, has no such endpoint."""
        asked = [("run_id", run) for run in runs]
        asked += [("metric_key", key), ("max_results", str(_BULK_POINTS))]
        try:
            answer = self._api.call("GET", _BULK, asked)
        except (NotMLflow, RequestRefused, ServerFailed):
            # Whatever it is, the public endpoint says it as well.
            self._has_bulk = False
            return None
        with self._api.as_mlflow_writes():
            return [(str(one["run_id"]), _point(one)) for one in answer.get("metrics", ())]

    def _paged(self, run: str, key: str) -> list[Point]:
        points: list[Point] = []
        asked = {"run_id": run, "metric_key": key, "max_results": _PAGE_OF_POINTS}
        for answer in self._pages("GET", "metrics/get-history", asked):
            with self._api.as_mlflow_writes():
                points += map(_point, answer.get("metrics", ()))
        return points

    def files(self, run: StoredRun, folder: str) -> Sequence[StoredFile]:
        """As `Source` says."""
        found: list[StoredFile] = []
        asked = {"run_id": run.identity, **({"path": folder} if folder else {})}
        for answer in self._pages("GET", "artifacts/list", asked):
            with self._api.as_mlflow_writes():
                found += map(_file, answer.get("files", ()))
        return found

    def download(self, run: StoredRun, path: str, file: BinaryIO) -> None:
        """As `Source` says."""
        parts = urlsplit(run.artifact_uri)
        if parts.scheme == PROXIED and parts.netloc in {"", self._api.netloc}:
            folder = parts.path.strip("/")
            endpoint = f"{FILES}/{quote(f'{folder}/{path}', safe='/~')}"
        else:
            endpoint = f"{_FILE}?{urlencode({'run_uuid': run.identity, 'path': path})}"
        answer = self._api.connection.request("GET", endpoint, into=file)
        if answer.status == HTTPStatus.OK:
            return
        problem = self._api.problem(answer)
        if answer.status == HTTPStatus.NOT_FOUND or (
            isinstance(problem, RequestRefused) and problem.code == UNKNOWN
        ):
            raise NoSuchFile(path)
        raise problem


def _experiment(experiment: Any) -> Experiment:
    return Experiment(str(experiment["experiment_id"]), str(experiment["name"]))


def _file(file: Any) -> StoredFile:
    return StoredFile(
        str(file["path"]), _integer(file.get("file_size") or 0), bool(file.get("is_dir"))
    )


def _point(point: Any) -> Point:
    # NaN and the infinities may be words.
    value = float(point.get("value", 0.0))
    return Point(_integer(point.get("step", 0)), _integer(point.get("timestamp", 0)), value)


def _integer(value: Any) -> int:
    """One of 64 bits, which protobuf writes as a text."""
    number = int(value)
    if not -(2**63) <= number < 2**63:
        raise ValueError(value)
    return number


def _by_run(points: Sequence[tuple[str, Point]]) -> Iterator[tuple[str, Points]]:
    found: dict[str, list[Point]] = {}
    for run, point in points:
        found.setdefault(run, []).append(point)
    for run, history in found.items():
        yield run, Points.of(history)


def _run(run: Any) -> StoredRun:
    info, data = run["info"], run.get("data", {})
    ended = info.get("end_time")
    return StoredRun(
        identity=str(info.get("run_id") or info["run_uuid"]),
        experiment=str(info["experiment_id"]),
        name=str(info.get("run_name") or ""),
        status=str(info.get("status", "")),
        started=_integer(info.get("start_time") or 0),
        ended=_integer(ended) if ended else None,
        artifact_uri=str(info.get("artifact_uri") or ""),
        params=_texts(data.get("params")),
        tags=_texts(data.get("tags")),
        latest={str(one["key"]): _point(one) for one in data.get("metrics") or ()},
    )


def _texts(items: Any) -> dict[str, str]:
    return {str(item["key"]): str(item.get("value", "")) for item in items or ()}
