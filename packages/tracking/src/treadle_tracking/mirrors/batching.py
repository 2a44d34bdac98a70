"""Requests that MLflow accepts: no more than so many entries, and so many bytes, in one."""

import json
from collections.abc import Iterator, Mapping, Sequence

from attrs import field, frozen

__all__ = ["Point", "Request", "requests"]

# `mlflow.utils.validation`: MAX_ENTITIES_PER_BATCH, MAX_PARAMS_TAGS_PER_BATCH, MAX_BATCH_LOG_REQUEST_SIZE (1e6, of
# which the frame of a request needs a little).
ENTRIES = 1000
PARAMS = 100
TAGS = 100
BYTES = 900_000
_METRIC_BYTES = 120  # a number, a step, a time, and the words around them


@frozen
class Point:
    """One value of one metric."""

    key: str
    value: float
    timestamp: int  # milliseconds since the epoch
    step: int


@frozen
class Request:
    """What one `log_batch` carries."""

    metrics: list[Point] = field(factory=list)
    params: list[tuple[str, str]] = field(factory=list)
    tags: list[tuple[str, str]] = field(factory=list)

    @property
    def size(self) -> int:
        """Metrics, parameters and tags together, which is what MLflow limits."""
        return len(self.metrics) + len(self.params) + len(self.tags)


def _bytes(key: str, value: str = "") -> int:
    # Anything that is not ASCII is six bytes of JSON, a quote two.
    return len(json.dumps(key)) + len(json.dumps(value)) + 30


def requests(
    metrics: Sequence[Point], params: Mapping[str, str], tags: Mapping[str, str]
) -> Iterator[Request]:
    """Everything given, each kind in its order: parameters, then tags, then metrics; as few requests as are allowed."""
    request, size = Request(), 0
    key_bytes: dict[str, int] = {}
    for kind, limit, items in (
        ("params", PARAMS, params.items()),
        ("tags", TAGS, tags.items()),
    ):
        for key, value in items:
            cost = _bytes(key, value)
            if len(getattr(request, kind)) == limit or size + cost > BYTES:
                yield request
                request, size = Request(), 0
            getattr(request, kind).append((key, value))
            size += cost
    for point in metrics:
        if (cost := key_bytes.get(point.key, 0)) == 0:
            cost = key_bytes[point.key] = _bytes(point.key) + _METRIC_BYTES
        if request.size == ENTRIES or size + cost > BYTES:
            yield request
            request, size = Request(), 0
        request.metrics.append(point)
        size += cost
    if request.size:
        yield request
