"""How many optimizer steps a training will have made at its end, for those who must know it in advance."""

from collections.abc import Iterable, Mapping
from math import ceil
from typing import Any

from treadle.errors import TreadleError
from treadle_loop import Engine
from treadle_units import Geometry, Length, Limit, Seconds, parse

__all__ = ["UnknownTotal", "length_of", "total_steps"]


class UnknownTotal(TreadleError, ValueError):
    """It cannot be known in advance how many optimizer steps it takes to reach a limit."""


def length_of(loader: Iterable[Any]) -> int | None:
    """How many batches a pass has, if the loader says so and there are any."""
    try:
        return len(loader) or None  # type: ignore[arg-type]
    except (TypeError, NotImplementedError):
        return None


def total_steps(
    until: Limit | str,
    loader: Iterable[Any],
    engine: Engine,
    *,
    per_record: Mapping[str, int] | None = None,
) -> int:
    """How many optimizer steps a training of this engine on this loader takes to reach a limit.

    ```python
    total = total_steps("10 epochs", loader, engine)
    engine.scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(engine.optimizer, total)
    ```

    It is exact: the steps that `training` makes from the beginning, with the engine's accumulation windows and the
    short batch and the short window at the end of a pass, over all ranks. It works for the length of a warmup, too.
    Steps that fp16 skips are not considered, since they cannot be known in advance.

    Args:
        until: A length, or several, the first of which ends it. In steps, it is that number whatever the loader is.
        loader: What will be passed over. Epochs and batches need its `len`; records need its batch size and its number
            of records, which a `TensorLoader`, a `DataLoader`, or anything with `batch_size` and `data_records` has.
        engine: What will train: its `accumulate` and ranks.
        per_record: How many of each further counter a record brings, where that number is fixed, as in
            `{"tokens": 256}`.

    Raises:
        UnknownTotal: The limit is a time, or in a counter that is not in `per_record`, or the loader does not say what
            is needed.
        UnitsError: A text is not a limit.
    """
    limit = parse(until) if isinstance(until, str) else until
    return min(_steps(goal, loader, engine, per_record or {}) for goal in limit.alternatives)


def _steps(
    goal: Length | Seconds, loader: Iterable[Any], engine: Engine, per_record: Mapping[str, int]
) -> int:
    if goal.unit == "steps":
        return int(goal.value)
    if goal.unit in per_record:
        goal = Length(ceil(goal.value / per_record[goal.unit]), "records")
    if isinstance(goal, Seconds):
        raise UnknownTotal(
            f"the number of steps in {goal} is known only afterwards; give a length, such as '10 epochs' or '1k steps'"
        )
    if goal.unit not in ("records", "batches", "epochs"):
        raise UnknownTotal(
            f"the number of steps in {goal} depends on how many a record has; if that is constant, give "
            f"per_record={{{goal.unit!r}: ...}}, or a length in records, batches, steps or epochs"
        )
    batches = length_of(loader)
    if batches is None:
        raise UnknownTotal(
            f"the number of steps in {goal} depends on the batches of a pass, and the {type(loader).__name__} does not say "
            "how many it has; give a length in steps"
        )
    if goal.unit != "records":
        # As if each batch were a record: neither unit looks into one.
        return Geometry(1, dataset_size=batches, accumulate=engine.accumulate).at_end(goal).steps
    geometry = _geometry(loader, engine)
    if geometry is None or geometry.batches_per_epoch != batches:
        raise UnknownTotal(
            f"the number of steps in {goal} depends on the records of a batch, and the {type(loader).__name__} does not "
            "say how many those are and how many there are in all; give a length in batches, steps or epochs"
        )
    return geometry.at_end(goal).steps


def _geometry(loader: Any, engine: Engine) -> Geometry | None:
    """The sizes of a loader in records, if it says them."""
    ranks = engine.runtime.world_size
    sampler = getattr(loader, "sampler", None)
    records = next(
        (found for one in (loader, sampler) if (found := getattr(one, "data_records", None))), None
    )
    if records is None and sampler is not None:
        # Of one rank, and a sampler of torch's own gives each of them as many.
        share = length_of(sampler)
        records = None if share is None else share * ranks
    batch_size = getattr(loader, "batch_size", None)
    if type(batch_size) is not int or type(records) is not int:
        return None
    return Geometry(
        batch_size,
        dataset_size=records,
        accumulate=engine.accumulate,
        world_size=ranks,
        drop_last=bool(getattr(loader, "drop_last", False)),
    )
