"""Whether the loaders of several ranks deal out each record once, as far as they say how."""

from typing import Any

from treadle_loop.errors import InvalidSetting, RecordsRepeated
from treadle_loop.runtime import Runtime
from treadle_loop.seeking import parts_of


def check_shares(loader: Any, runtime: Runtime) -> None:
    """See that no record is dealt out twice, and that the records are dealt out only once.

    Raises:
        RecordsRepeated: a sampler repeats records, so that all ranks have equally many.
        InvalidSetting: what it deals out is one rank's share already, so most records would be in
            no share.
    """
    if runtime.world_size == 1:
        return
    parts = [part for part in parts_of(loader) if part is not None]
    for part in parts:
        places, together = _dealt(part)
        repeated = -places % together
        if repeated:
            raise RecordsRepeated(
                f"the {type(part).__name__} repeats {repeated} of {places} records, so that all "
                f"{runtime.world_size} ranks have equally many, and a repeated one would count, "
                "and weigh, twice; use EpochSampler(dataset), with drop_last=True for training, "
                "or leave the last records out of this one: drop_last=True",
            )
    if any(map(_deals_a_share, parts)):
        raise InvalidSetting(
            "the loader deals a rank's share of the records out over the ranks again, so most "
            "records would never be seen; leave it as it was made: it is dealt out already, and "
            "the engine moves its batches",
        )


def _dealt(part: Any) -> tuple[int, int]:
    """How many places a sampler deals out, and how many it rounds them up to a multiple of."""
    if getattr(part, "drop_last", True):
        return 0, 1
    if hasattr(part, "total_size"):  # torch's DistributedSampler, and what is made of it
        return len(part.dataset), part.num_replicas
    places = getattr(getattr(part, "batch_sampler", None), "sampler", None)
    if getattr(part, "even_batches", False) and places is not None:  # Accelerate's
        return len(places), part.batch_size * (1 if part.split_batches else part.num_processes)
    return 0, 1


def _deals_a_share(part: Any) -> bool:
    """Whether a host's sampler deals out what another one has dealt out already."""
    within = getattr(getattr(part, "dataset", None), "_sampler", None)  # Fabric's
    if hasattr(part, "even_batches"):
        within = getattr(part.batch_sampler, "sampler", None)
    ranks = getattr(within, "world_size", getattr(within, "num_replicas", 1))
    return type(ranks) is int and ranks > 1
