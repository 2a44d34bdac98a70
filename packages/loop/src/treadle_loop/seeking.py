"""How a loader gets to a place within its data again."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import Any

import torch
from torch import Generator, Tensor
from torch.utils.data import DataLoader

from treadle_loop.errors import CannotSeek
from treadle_loop.random_state import get_random_state, set_random_state
from treadle_loop.tensor_loader import TensorLoader


def seeker_of(loader: Any) -> Any:
    """What in a loader has `set_position`: itself, or the sampler of a `DataLoader`; or None."""
    return next(iter(_having("set_position", loader)), None)


def parts_of(loader: Any) -> list[Any]:
    """A loader itself, and its samplers."""
    parts = [loader, getattr(loader, "sampler", None)]
    batch_sampler = getattr(loader, "batch_sampler", None)
    while batch_sampler is not None:  # a host's deals out the batches of another
        parts += [batch_sampler, getattr(batch_sampler, "sampler", None)]
        batch_sampler = getattr(batch_sampler, "batch_sampler", None)
    return list({id(part): part for part in parts if part is not None}.values())


def _having(method: str, loader: Any) -> list[Any]:
    return [part for part in parts_of(loader) if callable(getattr(part, method, None))]


def is_stateful(loader: Any) -> bool:
    """Whether a loader keeps its own position, and can be put back to it."""
    base = getattr(loader, "base_dataloader", loader)  # Accelerate's has both, whatever is within
    return callable(getattr(base, "state_dict", None)) and callable(
        getattr(base, "load_state_dict", None)
    )


def keeps_position(loader: Any) -> bool:
    """Whether its own state is the one way to put a loader back to a position."""
    return seeker_of(loader) is None and is_stateful(loader)


def records_a_batch(loader: Any) -> int | None:
    """How many places of its order a batch takes, the last one aside; None where it is not said.

    A batch may hold fewer records than that, or more, where a `collate_fn` leaves some out or a
    record of the step is something else.
    """
    size: Any = None
    if isinstance(loader, TensorLoader):
        size = loader.batch_size
    elif isinstance(loader, DataLoader):
        batches: Any = loader.batch_sampler
        if batches is None:  # each place of the order is a batch
            size = 1
        elif not callable(getattr(batches, "set_position", None)):
            size = getattr(batches, "batch_size", None)
            if getattr(batches, "split_batches", False):  # Accelerate's: each rank has a part of it
                size //= batches.num_processes
    return size if type(size) is int else None


def generators_of(loader: Any) -> list[Generator]:
    """The random number generators that a `DataLoader` was given for itself."""
    if not isinstance(getattr(loader, "_dataloader", loader), DataLoader):  # Fabric's has one
        return []
    owned = {id(each): each for each in (getattr(o, "generator", None) for o in parts_of(loader))}
    return [each for each in owned.values() if isinstance(each, Generator)]


def states_of_generators(loader: Any) -> list[Tensor]:
    """The states of those."""
    return [generator.get_state() for generator in generators_of(loader)]


def set_generators(loader: Any, states: Iterable[Tensor]) -> None:
    """Put them into the states they had; a loader without generators needs none."""
    for generator, state in zip(generators_of(loader), states, strict=False):
        generator.set_state(state.cpu())


def has_workers(loader: Any) -> bool:
    """Whether a `DataLoader` has workers from its last pass, and needs no seed for new ones."""
    if not isinstance(loader, DataLoader) or not loader.persistent_workers:
        return False
    return getattr(loader, "_iterator", None) is not None


def _tell_epoch(loader: Any, epoch: int) -> None:
    """Tell samplers such as a `DistributedSampler`, which have an order for each epoch."""
    seeker = seeker_of(loader)  # which is told the position
    for each in _having("set_epoch", loader):
        if each is not seeker:
            each.set_epoch(epoch)
    if hasattr(loader, "_num_iter_calls"):
        # Fabric's tells its sampler how often it was begun in this process, and nobody else.
        loader._num_iter_calls = epoch  # noqa: SLF001


def begin(loader: Iterable[Any], epoch: int) -> Iterator[Any]:
    """The batches of a pass, from its beginning."""
    _tell_epoch(loader, epoch)
    seeker = seeker_of(loader)
    if seeker is not None:
        seeker.set_position(epoch, 0)
    return iter(loader)


def begin_after(
    loader: Iterable[Any], epoch: int, *, state: Any, had_workers: bool
) -> Iterator[Any]:
    """The batches of a pass, where the one before was ended by another process.

    Args:
        loader: what they come from.
        epoch: which pass it is.
        state: what the loader said of itself at the end of the one before, if it is one that does.
        had_workers: whether the loader had workers there already.
    """
    random_state, generators = get_random_state(), states_of_generators(loader)
    if had_workers != has_workers(loader) and isinstance(loader, DataLoader):
        if had_workers:
            begin(loader, epoch)
            set_random_state(random_state)
            set_generators(loader, generators)
        else:  # the seed of its workers, which there was one more of
            torch.empty((), dtype=torch.int64).random_(generator=loader.generator)
    if state is None or not keeps_position(loader):
        return begin(loader, epoch)
    _tell_epoch(loader, epoch)
    stateful: Any = loader
    stateful.load_state_dict(state)
    batches = iter(loader)
    for first in batches:
        return chain([first], batches)
    # It was at the end, and yields what is left of that pass: nothing.
    set_random_state(random_state)
    return iter(loader)


def check_seekable(loader: Any, epoch: int, batches: int, state: Any) -> None:
    """See that a loader can go on within a pass.

    Args:
        loader: what the batches come from.
        epoch: which pass it is.
        batches: how many batches of it this process has used.
        state: what the loader said of itself there, if it is one that does.

    Raises:
        CannotSeek: it can only begin at its beginning.
    """
    by_itself = state is not None and is_stateful(loader)
    if seeker_of(loader) is None and not by_itself and not isinstance(loader, Sequence) and batches:
        raise CannotSeek(
            f"the training left off after batch {batches} of epoch {epoch} (counted from 0), and a "
            f"{type(loader).__name__} can only start at the beginning; use TensorLoader(...), or "
            "DataLoader(dataset, sampler=EpochSampler(dataset)), or give the loader a method "
            "set_position(epoch, records), or state_dict() and load_state_dict()",
        )


def go_on(
    loader: Iterable[Any], epoch: int, *, records: int, batches: int, state: Any
) -> Iterator[Any]:
    """The batches that are left of a pass; see `check_seekable`.

    Args:
        loader: what they come from.
        epoch: which pass it is.
        records: how many records of its order all ranks have used.
        batches: how many batches of it this process has used.
        state: what the loader said of itself there, if it is one that does.
    """
    _tell_epoch(loader, epoch)
    seeker = seeker_of(loader)
    if seeker is not None:
        seeker.set_position(epoch, records)
        return iter(loader)
    if state is not None and is_stateful(loader):
        stateful: Any = loader
        stateful.load_state_dict(state)
        return iter(loader)
    rest = iter(loader)
    # Now, since drawing may use random numbers, and they are put back after this.
    next(islice(rest, batches, batches), None)
    return rest
