"""Requests that MLflow accepts: so many entries of each kind, and so many bytes, at most."""

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import NamedTuple

from attrs import evolve, field, frozen

__all__ = ["BYTES", "Point", "Request", "requests"]

# `mlflow.utils.validation`: MAX_BATCH_LOG_REQUEST_SIZE is 1e6 bytes, and the frame needs a little.
BYTES = 900_000
MOST = 1_000  # MAX_ENTITIES_PER_BATCH: parameters, tags and metrics together
_MOST_TEXTS = 100  # MAX_PARAMS_TAGS_PER_BATCH: parameters, and tags
_METRIC_BYTES = 120  # a number, a step, a time, and the words around them


class Point(NamedTuple):  # a tuple is made three times as fast as a frozen class
    """One value of one metric."""

    key: str
    value: float
    timestamp: int  # milliseconds since the epoch
    step: int


@frozen
class Request:
    """What one request for a run carries."""

    params: list[tuple[str, str]] = field(factory=list)
    tags: list[tuple[str, str]] = field(factory=list)
    metrics: list[Point] = field(factory=list)
    size: int = 0  # bytes as JSON, at most

    def halves(self) -> "tuple[Request, Request] | None":
        """The same in two requests, one after the other; None if it is a single entry."""
        half = (len(self.params) + len(self.tags) + len(self.metrics)) // 2
        if half == 0:
            return None
        tags = max(0, half - len(self.params))
        metrics = max(0, tags - len(self.tags))
        size = (self.size + 1) // 2
        return (
            Request(self.params[:half], self.tags[:tags], self.metrics[:metrics], size),
            Request(self.params[half:], self.tags[tags:], self.metrics[metrics:], size),
        )


def _bytes(key: str, value: str = "") -> int:
    # Anything that is not ASCII is six bytes of JSON, a quote two.
    return len(json.dumps(key)) + len(json.dumps(value)) + 30


def requests(
    metrics: Sequence[Point],
    params: Mapping[str, str],
    tags: Mapping[str, str],
    *,
    most_bytes: int = BYTES,
) -> Iterator[Request]:
    """Everything given, each kind in its order: parameters, then tags, then metrics; as few requests as are allowed.

    Args:
        metrics: Points.
        params: Texts by key.
        tags: Texts by key.
        most_bytes: Of one request; a single entry that is larger is a request of its own.
    """
    key_bytes = {key: _bytes(key) + _METRIC_BYTES for key in {point.key for point in metrics}}
    request, size, left = Request(), 0, MOST
    for kind, item, cost in chain(
        (("params", item, _bytes(*item)) for item in params.items()),
        (("tags", item, _bytes(*item)) for item in tags.items()),
        (("metrics", point, key_bytes[point.key]) for point in metrics),
    ):
        is_full = kind != "metrics" and len(getattr(request, kind)) == _MOST_TEXTS
        if left < MOST and (is_full or left == 0 or size + cost > most_bytes):
            yield evolve(request, size=size)
            request, size, left = Request(), 0, MOST
        getattr(request, kind).append(item)
        size += cost
        left -= 1
    if left < MOST:
        yield evolve(request, size=size)
