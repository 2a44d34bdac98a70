"""Requests that MLflow accepts: its client splits what is too many, and this what is too many bytes."""

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain

from attrs import field, frozen

__all__ = ["Point", "Request", "requests"]

BYTES = 900_000  # `mlflow.utils.validation`: MAX_BATCH_LOG_REQUEST_SIZE is 1e6, and the frame needs a little
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

    params: list[tuple[str, str]] = field(factory=list)
    tags: list[tuple[str, str]] = field(factory=list)
    metrics: list[Point] = field(factory=list)


def _bytes(key: str, value: str = "") -> int:
    # Anything that is not ASCII is six bytes of JSON, a quote two.
    return len(json.dumps(key)) + len(json.dumps(value)) + 30


def requests(
    metrics: Sequence[Point], params: Mapping[str, str], tags: Mapping[str, str]
) -> Iterator[Request]:
    """Everything given, each kind in its order: parameters, then tags, then metrics; as few requests as are allowed."""
    request, size = Request(), 0
    for kind, item, cost in chain(
        (("params", item, _bytes(*item)) for item in params.items()),
        (("tags", item, _bytes(*item)) for item in tags.items()),
        (("metrics", point, _bytes(point.key) + _METRIC_BYTES) for point in metrics),
    ):
        if size + cost > BYTES:
            yield request
            request, size = Request(), 0
        getattr(request, kind).append(item)
        size += cost
    if size:
        yield request
