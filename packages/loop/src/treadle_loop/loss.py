"""What a step returns: a loss, and what it is a mean over."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from numbers import Real
from types import MappingProxyType
from typing import Any, NamedTuple

from torch import Tensor

from treadle_loop.errors import InvalidSetting, LossNotATensor, UnreducedLoss, UnreducedMetric

Weight = int | float | Tensor
"""What a mean is over: a number, or a 0-dim tensor that stays on its device."""

COUNTED_BY_THE_ENGINE = ("records", "batches", "steps", "epochs")


@dataclass(frozen=True, slots=True, eq=False)
class Mean:
    """A metric that is a mean over something other than what the loss is a mean over.

    Args:
        value: the mean, as a 0-dim tensor or a number.
        weight: how many things it is a mean over, not negative.

    Raises:
        InvalidSetting: the value or the weight is not such a number.
    """

    value: Tensor | float
    weight: Weight

    def __post_init__(self) -> None:
        if not _is_value(self.value):
            raise InvalidSetting(
                f"a Mean is of {_a(self.value)}, and {_A_VALUE} was expected",
            )
        _check_weight(self.weight)


@dataclass(frozen=True, slots=True, eq=False)
class Loss:
    """A loss, with what is needed to average it exactly.

    Args:
        value: the loss, a single value, as the tensor that the computation gave. Only an evaluation
            may return a Python number.
        weight: what `value` is a mean over: the number of records (the default), of tokens, or the
            sum of the records' weights; a number or a 0-dim tensor on any device, not negative. A
            batch of weight 0 counts for nothing, whatever its value; give a plain 0 if the value is
            not finite, since a tensor is not read.
        records: how many records the batch holds; by default they are counted in the batch.
        counts: further integers known on the host, such as `{"tokens": 512}`; they are summed into
            `Update.counts`.
        metrics: further values by name, averaged with `weight`, or as a `Mean` with a weight of
            their own.

    Raises:
        InvalidSetting: a weight or a count is not such a number, a count has a name that the
            engine counts itself, or a metric the name of the loss.
    """

    value: Tensor | float
    weight: Weight | None = None
    records: int | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    metrics: Mapping[str, Tensor | float | Mean] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.weight is not None:
            _check_weight(self.weight)
        if self.records is not None:
            _check_count("records", self.records)
        for name, given in (("counts", self.counts), ("metrics", self.metrics)):
            if type(given) is not dict and not isinstance(given, Mapping):
                raise InvalidSetting(
                    f"Loss.{name} is {_a(given)}, and a mapping of names to values was expected",
                )
        if "loss" in self.metrics:
            raise InvalidSetting(
                "Loss.metrics has 'loss', which is the name of the loss itself; give it another",
            )
        for name, count in self.counts.items():
            if name in COUNTED_BY_THE_ENGINE:
                raise InvalidSetting(
                    f"Loss.counts has {name!r}, which the engine counts itself; "
                    + ("give Loss(records=...)" if name == "records" else "leave it out"),
                )
            _check_count(f"counts[{name!r}]", count)


class Outcome(NamedTuple):
    """The outcome of one batch, with every blank filled in and without a gradient.

    Attributes:
        value: the loss, detached.
        weight: what `value` is a mean over.
        records: how many records the batch held.
        counts: further counts.
        metrics: further means.
        said: which of `"weight"` and `"records"` the step gave itself: otherwise the weight is the
            records, and these are counted in the batch.
    """

    value: Tensor | float
    weight: Weight
    records: int
    counts: Mapping[str, int]
    metrics: Mapping[str, Mean]
    said: frozenset[str] = frozenset()


_NOTHING: Mapping[str, Any] = MappingProxyType({})
_UNSAID: frozenset[str] = frozenset()
_A_VALUE = "a tensor of one value or a number"
# What the class itself calls, in a function of its own.
_new = tuple.__new__


def read_outcome(
    returned: Any, batch: Any, count: Callable[[Any], int]
) -> tuple[Tensor | float, Outcome]:
    """The loss that the step returned, and the same without a gradient, with every blank filled in.

    Args:
        returned: what the step returned.
        batch: what it was given.
        count: counts the records of the batch, where the step does not say how many they are.

    Raises:
        LossNotATensor: it is neither a loss nor a number.
        UnreducedLoss: the loss has more than one value.
        UnreducedMetric: a metric has more than one value.
        InvalidSetting: a metric is neither a tensor nor a number.
        RecordsUnknown: the batch does not say how many records it holds.
        RecordsDisagree: the arrays of the batch have different leading sizes.
    """
    if isinstance(returned, Tensor):  # first and without a Loss: this is the hot path
        if returned.ndim:
            returned = _single(returned)
        records = count(batch)
        fields = (returned.detach(), records, records, _NOTHING, _NOTHING, _UNSAID)
        return returned, _new(Outcome, fields)
    loss = returned if isinstance(returned, Loss) else Loss(returned)
    value: Any = loss.value
    if isinstance(value, Tensor):
        value = _single(value) if value.ndim else value
    elif not is_number(value):
        raise LossNotATensor(
            f"the step returned {_a(returned)} where a loss was expected; return the loss as a "
            "tensor, or a Loss(value, ...)",
        )
    said = frozenset(name for name in ("weight", "records") if getattr(loss, name) is not None)
    records = count(batch) if loss.records is None else loss.records
    weight = records if loss.weight is None else _plain(loss.weight)
    if (
        isinstance(weight, Tensor)
        and weight.is_cpu
        and isinstance(value, Tensor)
        and not value.is_cpu
    ):
        weight = weight.item()  # it is on the host already, and would be sent at each use
    metrics = {name: _metric(name, metric, weight) for name, metric in loss.metrics.items()}
    detached = value.detach() if isinstance(value, Tensor) else float(value)
    return value, Outcome(detached, weight, records, loss.counts, metrics, said)


def is_number(value: Any) -> bool:
    """Whether it is a real number, numpy's included, and not a bool."""
    # The two usual ones first: Real looks through all that was ever registered as one.
    return isinstance(value, (int, float, Real)) and not isinstance(value, bool)


def _single(value: Tensor) -> Tensor:
    if value.numel() != 1:
        raise UnreducedLoss(
            f"the loss has shape {tuple(value.shape)}, and one value was expected; reduce it with "
            ".mean(), or with .sum() / n and Loss(value, weight=n). From nn.DataParallel it is one "
            "loss a device, to be weighted by each device's records",
        )
    return value.reshape(())


def _metric(name: str, metric: Tensor | float | Mean, weight: Weight) -> Mean:
    value: Any = metric
    if isinstance(metric, Mean):
        value, weight = metric.value, _plain(metric.weight)
    if isinstance(value, Tensor):
        if value.numel() != 1:
            raise UnreducedMetric(
                f"the metric {name!r} has shape {tuple(value.shape)}, and one value was expected; "
                "reduce it, for instance with .mean()",
            )
        # A copy: it may be a parameter, which the step changes, or a view of all outputs.
        value = value.detach().clone().reshape(())
    elif _is_value(value):
        value = float(value)
    else:
        raise InvalidSetting(
            f"the metric {name!r} is {_a(value)}, and {_A_VALUE} was expected",
        )
    return Mean(value, weight)


def _is_value(value: Any) -> bool:
    return isinstance(value, (float, Tensor, Real))


def _plain(weight: Weight) -> Weight:
    """The weight without a gradient, or as a Python number: numpy's would round and wrap."""
    if isinstance(weight, Tensor):
        return weight.detach().clone().reshape(())
    return weight if type(weight) is int else float(weight)


def _check_weight(weight: Any) -> None:
    if isinstance(weight, Tensor):
        if weight.numel() == 1:
            return
        seen = f"a tensor of shape {tuple(weight.shape)}"
    else:
        if is_number(weight) and 0 <= weight < math.inf:
            return
        seen = repr(weight)
    raise InvalidSetting(
        f"a weight is {seen}, and a finite number that is not negative, or a 0-dim tensor of one, "
        "was expected: what the value is a mean over",
    )


def _check_count(name: str, count: Any) -> None:
    if type(count) is not int or count < 0:
        raise InvalidSetting(
            f"Loss.{name} is {count!r}, and an int of at least 0 was expected: counts are kept on "
            "the host",
        )


def _a(value: Any) -> str:
    name = type(value).__name__
    return f"{'an' if name[0] in 'aeiouAEIOU' else 'a'} {name}"
