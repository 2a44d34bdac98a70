"""Whether the loaders of several ranks deal out each record once, as far as they say how."""

from typing import Any

from torch.utils.data import BatchSampler, DistributedSampler

from treadle_loop.errors import InvalidSetting, RecordsRepeated
from treadle_loop.runtime import Runtime
from treadle_loop.seeking import parts_of

_OF_ACCELERATE = ("even_batches", "split_batches", "num_processes")


def check_shares(loader: Any, runtime: Runtime) -> None:
    """See that no record is dealt out twice, and that the records are dealt out only once.

    Raises:
        RecordsRepeated: a sampler repeats records, so that all ranks have equally many.
        InvalidSetting: what it deals out is one rank's share already, so most records would be in
            no share.
    """
    if runtime.world_size == 1:
        return
    parts = parts_of(loader)
    for part in parts:
        repeated, places = _repeated(part)
        if repeated > 0:
            raise RecordsRepeated(
                f"the {type(part).__name__} repeats {repeated} of {places} records, so that all "
                f"{runtime.world_size} ranks have equally many, and a repeated one would count, "
                "and weigh, twice; use EpochSampler(dataset), with drop_last=True for training, "
                "or leave the last records out of this one: drop_last=True",
            )
    if any(map(_deals_a_share, parts)):
        raise InvalidSetting(
            "the loader splits a rank's share of the records over the ranks again, so most "
            "records would never be seen; leave it as it was made: it is split already, and "
            "the engine moves its batches",
        )


def _repeated(part: Any) -> tuple[int, int]:
    """How many records a sampler deals out twice, and of how many.

    None, where it goes about it in a way of its own: nobody's loader is refused for a name in it.
    """
    if isinstance(part, DistributedSampler):
        as_torch = type(part).__iter__ is DistributedSampler.__iter__ or _within(part) is not None
        records = len(part.dataset) if as_torch and not part.drop_last else 0  # type: ignore[arg-type]
        return (part.total_size - records, records) if records else (0, 0)
    if _dispatches(part) and not part._drop_last:  # noqa: SLF001
        records = _cut(part.batch_sampler)
        return -records % part.state.num_processes, records
    if _is_accelerates(part) and part.even_batches and not part.drop_last:
        records = _cut(part.batch_sampler)
        ranks = 1 if part.split_batches else part.num_processes
        return -records % (part.batch_size * ranks), records
    return 0, 0


def _deals_a_share(part: Any) -> bool:
    """Whether a host's sampler deals out what another one has dealt out already."""
    within = _within(part)
    ranks = getattr(within, "world_size", getattr(within, "num_replicas", 1))
    return type(ranks) is int and ranks > 1


def _within(part: Any) -> Any:
    """The sampler of the user whose records that of a host deals out; None where there is none."""
    if isinstance(part, DistributedSampler):
        return getattr(part.dataset, "_sampler", None)  # Fabric's
    if _is_accelerates(part) or _dispatches(part):
        return getattr(part.batch_sampler, "sampler", None)
    return None


def _is_accelerates(part: Any) -> bool:
    """Whether it gives each rank batches, or parts of batches, of a batch sampler."""
    return isinstance(part, BatchSampler) and all(hasattr(part, name) for name in _OF_ACCELERATE)


def _dispatches(loader: Any) -> bool:
    """Whether it is Accelerate's that draws on rank 0, and sends each rank its part."""
    return callable(getattr(loader, "_fetch_batches", None)) and hasattr(loader, "_drop_last")


def _cut(batches: Any) -> int:
    """How many records torch's own batch sampler cuts into batches; 0 where that is not known."""
    if type(batches).__iter__ is not BatchSampler.__iter__:
        return 0
    try:
        records = len(batches.sampler)
    except TypeError:
        return 0
    return records - (records % batches.batch_size if batches.drop_last else 0)
