"""An MLflow server, asked in plain JSON: no MLflow is needed for it, and an eighth of its client's time."""

import json
import os
from collections.abc import Mapping
from http import HTTPStatus
from io import BytesIO
from math import isfinite, isnan
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote, urlsplit

from treadle_tracking.entries import RunStatus
from treadle_tracking.masking import masked
from treadle_tracking.mirrors.address import Address
from treadle_tracking.mirrors.batching import Request
from treadle_tracking.mirrors.connection import Answer
from treadle_tracking.mirrors.errors import RequestRefused
from treadle_tracking.mirrors.mlflow_api import FILES, PROXIED, UNKNOWN, Api, said
from treadle_tracking.mirrors.store import AlreadyThere, Experiment, FileRefused, Found
from treadle_tracking.mirrors.uid import uid_filter

__all__ = ["HttpStore"]

_SLOWEST = 5_000_000  # bytes a second, at which a server may pass a file on


def _pairs(items: Any) -> dict[str, str]:
    return {item["key"]: item.get("value", "") for item in items or ()}


def _found(run: Any) -> Found:
    info, data = run["info"], run.get("data", {})
    return Found(
        identity=info.get("run_id") or info["run_uuid"],
        is_deleted=info.get("lifecycle_stage") == "deleted",
        params=_pairs(data.get("params")),
        tags=_pairs(data.get("tags")),
        artifact_uri=info.get("artifact_uri", ""),
    )


def _double(value: float) -> str:
    """A double as the JSON of a protobuf message has it: what is not finite is a word."""
    if isfinite(value):
        return repr(value)
    return '"NaN"' if isnan(value) else '"Infinity"' if value > 0 else '"-Infinity"'


def _batch(run: str, request: Request) -> bytes:
    """The body of a `log-batch`. Points are many and all alike: written here, they take a third of the time."""
    keys = {key: json.dumps(key) for key in {point.key for point in request.metrics}}
    metrics = ",".join(
        [
            f'{{"key":{keys[key]},"value":{_double(value)},"timestamp":{timestamp},"step":{step}}}'
            for key, value, timestamp, step in request.metrics
        ]
    )
    texts = {
        "run_id": run,
        "params": [{"key": key, "value": text} for key, text in request.params],
        "tags": [{"key": key, "value": text} for key, text in request.tags],
    }
    return f'{json.dumps(texts)[:-1]},"metrics":[{metrics}]}}'.encode("ascii")


class HttpStore:
    """An MLflow server.

    Args:
        address: Its address, which may hold user and password.
        shown: The mirror's address for messages.

    Raises:
        InvalidTarget: this is no address of a server.
        InvalidSetting: an environment variable for MLflow says nothing that can be used.
        CredentialsUnreadable: the file `~/.mlflow/credentials` is not as MLflow writes it.
    """

    def __init__(self, address: Address, shown: str) -> None:
        self._api = Api(address, shown)
        self._connection = self._api.connection

    def connect(self) -> None:
        """As `Store` says."""
        self._api.connect()

    def close(self) -> None:
        """As `Store` says."""
        self._api.close()

    def experiment(self, name: str) -> Experiment | None:
        """As `Store` says."""
        try:
            answer = self._api.call("GET", "experiments/get-by-name", {"experiment_name": name})
        except RequestRefused as error:
            if error.code == UNKNOWN:
                return None
            raise
        with self._api.as_mlflow_writes():
            experiment = answer["experiment"]
            is_deleted = experiment.get("lifecycle_stage") == "deleted"
            return Experiment(str(experiment["experiment_id"]), is_deleted)

    def create_experiment(self, name: str, directory: Path) -> Experiment:  # noqa: ARG002  # a server knows where
        """As `Store` says."""
        try:
            answer = self._api.call("POST", "experiments/create", {"name": name}, repeatable=False)
        except RequestRefused as error:
            if error.code == "RESOURCE_ALREADY_EXISTS":
                raise AlreadyThere from error
            raise
        with self._api.as_mlflow_writes():
            return Experiment(str(answer["experiment_id"]), is_deleted=False)

    def runs(self, experiment: str, uid: str) -> list[Found]:
        """As `Store` says."""
        asked = {
            "experiment_ids": [experiment],
            "filter": uid_filter(uid),
            "run_view_type": "ALL",
            "max_results": 1_000,
        }
        answer = self._api.call("POST", "runs/search", asked)
        with self._api.as_mlflow_writes():
            return [_found(run) for run in answer.get("runs", ())]

    def create_run(
        self, experiment: str, name: str, start_time: int, tags: Mapping[str, str]
    ) -> Found:
        """As `Store` says."""
        asked = {
            "experiment_id": experiment,
            "user_id": "unknown",  # as MLflow's own client says where it is told nobody
            "run_name": name,
            "start_time": start_time,
            "tags": [{"key": key, "value": text} for key, text in tags.items()],
        }
        answer = self._api.call("POST", "runs/create", asked, repeatable=False)
        with self._api.as_mlflow_writes():
            return _found(answer["run"])

    def delete_run(self, run: str) -> None:
        """As `Store` says."""
        self._api.call("POST", "runs/delete", {"run_id": run})

    def log(self, run: str, request: Request) -> None:
        """As `Store` says."""
        self._api.call("POST", "runs/log-batch", _batch(run, request))

    def delete_tag(self, run: str, key: str) -> None:
        """As `Store` says."""
        try:
            self._api.call("POST", "runs/delete-tag", {"run_id": run, "key": key})
        except RequestRefused as error:
            if error.code != UNKNOWN:
                raise

    def set_status(self, run: str, status: RunStatus, end_time: int | None) -> None:
        """As `Store` says."""
        asked: dict[str, object] = {"run_id": run, "status": status}
        if end_time is not None:
            asked["end_time"] = end_time
        self._api.call("POST", "runs/update", asked)

    def files_of(self, run: Found) -> str | None:
        """As `Store` says."""
        parts = urlsplit(run.artifact_uri)
        if parts.scheme == PROXIED and parts.netloc in {"", self._api.netloc}:
            return None
        return masked(run.artifact_uri)

    def send_file(self, run: Found, path: str, content: Path | bytes) -> None:
        """As `Store` says."""
        folder = urlsplit(run.artifact_uri).path.strip("/")
        endpoint = f"{FILES}/{quote(f'{folder}/{path}', safe='/~')}"
        with BytesIO(content) if isinstance(content, bytes) else content.open("rb") as file:
            size = len(content) if isinstance(content, bytes) else os.fstat(file.fileno()).st_size
            answer = self._sent(endpoint, file, size)
        if answer.status == HTTPStatus.OK:
            return
        text = said(answer)
        if answer.status in {HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND} or (
            answer.status == HTTPStatus.SERVICE_UNAVAILABLE and "--no-serve-artifacts" in text
        ):
            raise FileRefused(f"the server does not take it ({answer.status}: {text})")
        raise self._api.problem(answer)

    def _sent(self, endpoint: str, file: BinaryIO, size: int) -> Answer:
        return self._connection.request(
            "PUT",
            endpoint,
            file,
            size=size,
            content_type="application/octet-stream",
            # A server may have to bring it elsewhere before it answers.
            extra_seconds=size / _SLOWEST,
        )
