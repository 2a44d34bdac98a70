"""Where in its data a training stands, to be saved at any update and gone on from."""

import copy
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch

from treadle_loop.errors import InvalidPosition
from treadle_loop.passes import Pass, SizedPass, UnsizedPass, length_of
from treadle_loop.random_state import check_random_state, get_random_state, set_random_state
from treadle_loop.records import record_counter
from treadle_loop.seeking import (
    begin,
    begin_after,
    check_seekable,
    go_on,
    has_workers,
    keeps_position,
    records_a_batch,
    seeker_of,
    set_generators,
    states_of_generators,
)
from treadle_loop.tensor_loader import TensorLoader
from treadle_loop.transfer import sent

# What the state of a position has, at least.
POSITION = frozenset({"epoch", "batches", "random_state"})
# What it has besides, in the middle of a pass.
POSITION_WITHIN = frozenset(
    {
        "updates",
        "records",
        "world_size",
        "started_from",
        "ahead",
        "seed",
        "shuffle",
        "batch_size",
        "length",
        "data",
    }
)
# Which of the values of a state are random states, that of one process and of no other.
_RANDOM_STATES = {"random_state", "started_from", "ahead"}


class Progress:
    """How much of which pass was used, counted from the batches that were.

    Never from a sampler or a loader, which may be ahead of the loop.

    Attributes:
        epoch: which pass over the data, from 0.
        updates: how many updates were made in it.
        batches: how many batches this process has used of it.
        records: how many records of its order all ranks have used, from which it can be gone on
            with. Where the loader says how many a batch has, this is not what the step counted.
        complete: whether nothing of it is left.
        made: how many updates were made in all passes.
        turn: how often a pass was begun or a state loaded.
    """

    def __init__(self, world_size: int) -> None:
        self._world_size = world_size
        self._loader: Any = None
        self._records_a_batch: int | None = None
        self._started_from: dict[str, Any] | None = None
        # What drawing one batch ahead may have changed, as it was before.
        self._ahead: dict[str, Any] | None = None
        self._resumed: Mapping[str, Any] | None = None
        self.epoch = self.updates = self.batches = self.records = 0
        self.complete = False
        self.made = self.turn = 0

    def open_pass(
        self, loader: Iterable[Any], accumulate: int, device: torch.device | None
    ) -> Pass:
        """Begin the next pass, or go on with the one that was loaded; its batches go to `device`.

        Raises:
            CannotSeek: the loader can only begin at its beginning.
            InvalidPosition: the position is that of another order of the data.
        """
        self.turn += 1
        self._loader = loader
        self._records_a_batch = records_a_batch(loader)
        resumed = self._resumed
        if resumed is not None and "started_from" in resumed:
            windows = self._go_on(loader, accumulate, device, resumed)
            self._resumed = None  # only now: what was refused is asked for again
            return windows
        if self.batches:  # a pass of which nothing was used is begun again
            self._set(self.epoch + 1)
        self._ahead = None
        length = length_of(loader)
        if resumed is None:
            self._started_from = {} if _draws_nothing(loader) else get_random_state()
            batches = begin(loader, self.epoch)
        else:
            set_generators(loader, resumed.get("generators", []))
            self._started_from = get_random_state()
            batches = begin_after(
                loader,
                self.epoch,
                state=resumed.get("loader"),
                had_workers=resumed.get("had_workers", False),
            )
            self._resumed = None
        batches = sent(batches, loader, device)
        if length is None:
            return UnsizedPass(batches, accumulate, self._note_ahead)
        return SizedPass(batches, length, accumulate, record_counter(loader, length))

    def used(self, records: int, batches: int, *, last: bool) -> None:
        """Count an update."""
        if self._records_a_batch is not None:
            records = self._records_a_batch * self._world_size * batches
        # In one statement, so that no number lags behind another.
        self.records, self.batches, self.updates, self.complete = (
            self.records + records,
            self.batches + batches,
            self.updates + 1,
            last,
        )
        self.made += 1

    def state_dict(self) -> dict[str, Any]:
        """Plain values, from which another process can go on; those of this rank."""
        resumed = self._resumed
        if resumed is not None and "started_from" in resumed:  # loaded, and not gone on from yet
            return dict(resumed)
        if resumed is not None:
            return {**resumed, "random_state": get_random_state()}
        if self.complete or self._started_from is None:
            epoch = self.epoch + 1 if self.complete else self.epoch
            state = {"epoch": epoch, "batches": 0, "random_state": get_random_state()}
            ahead = None
        else:
            ahead = self._ahead
            state = {
                "epoch": self.epoch,
                "updates": self.updates,
                "batches": self.batches,
                "records": self.records,
                "world_size": self._world_size,
                "started_from": self._started_from,
                "ahead": {} if ahead is None else ahead["random_state"],
                "random_state": get_random_state(),
                **_order_of(self._loader),
            }
        if keeps_position(self._loader):
            state["loader"] = self._loader.state_dict() if ahead is None else ahead["loader"]
        generators = states_of_generators(self._loader)
        if generators:
            state["generators"] = generators
        state["made"] = self.made
        if has_workers(self._loader):
            state["had_workers"] = True
        return state

    def state_for(self, ranks: Sequence[Mapping[str, Any]], rank: int) -> Mapping[str, Any]:
        """The state of one rank, of those that all ranks saved.

        On another number of ranks, the random states belong to none of them, and are passed over.

        Raises:
            NumpyMissing: it holds the random state of numpy, which cannot be imported.
        """
        if len(ranks) == self._world_size:
            state = ranks[rank]
        else:
            state = {key: ranks[0][key] for key in ranks[0].keys() - {"loader", "generators"}}
            state |= {key: {} for key in _RANDOM_STATES & state.keys()}
        check_random_state(state["random_state"])
        return state

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Stand where the state of this rank says; the next pass goes on from there."""
        self.turn += 1
        set_random_state(state["random_state"])
        self._started_from = self._ahead = self._loader = None
        self._set(*(state.get(count, 0) for count in ("epoch", "updates", "batches", "records")))
        self.made = state.get("made", 0)
        self._resumed = state

    def _go_on(
        self,
        loader: Iterable[Any],
        accumulate: int,
        device: torch.device | None,
        resumed: Mapping[str, Any],
    ) -> Pass:
        if resumed["batches"]:
            check_seekable(loader, self.epoch, resumed["batches"], resumed.get("loader"))
            self._check_order(loader, resumed)
        batches_used = self._batches_now(loader, resumed)
        # The workers are seeded when the loader is asked for its iterator: as they were.
        set_random_state(resumed["started_from"])
        length = length_of(loader)
        batches = go_on(
            loader,
            self.epoch,
            records=self.records,
            batches=batches_used,
            state=resumed.get("loader"),
        )
        batches = sent(batches, loader, device)
        self.batches = batches_used
        self._started_from = resumed["started_from"]
        windows: Pass
        if length is None:
            set_random_state(resumed["ahead"])
            windows = UnsizedPass(batches, accumulate, self._note_ahead)
        else:
            count = record_counter(loader, length, seen=self.batches)
            windows = SizedPass(batches, length, accumulate, count, seen=self.batches)
        set_generators(loader, resumed.get("generators", []))
        set_random_state(resumed["random_state"])
        return windows

    def _check_order(self, loader: Any, resumed: Mapping[str, Any]) -> None:
        order = _order_of(loader)
        names = ["seed", "shuffle", "data"]
        # Smaller batches are more of them, and so are fewer ranks.
        if (order["batch_size"], self._world_size) == (
            resumed["batch_size"],
            resumed["world_size"],
        ):
            names.append("length")
        for name in names:
            if order[name] != resumed[name]:
                what = {"length": "batches", "data": "records"}.get(name, name)
                raise InvalidPosition(
                    f"the position was saved in an order of {what} {resumed[name]}, and the "
                    f"loader has {what} {order[name]}: records would be repeated and others left "
                    "out; make the loader as it was, or resume from the end of a pass",
                )

    def _batches_now(self, loader: Iterable[Any], resumed: Mapping[str, Any]) -> int:
        """How many batches of this loader's size were used; it may have another than the saved."""
        size, saved = _order_of(loader)["batch_size"], resumed["batch_size"]
        used: int = resumed["batches"]
        if not used or (size == saved and resumed["world_size"] == self._world_size):
            return used
        together = (size or 0) * self._world_size
        if not saved or not together or self.records % together:
            raise InvalidPosition(
                f"the position is after {self.records} records, saved with batches of {saved} on "
                f"{resumed['world_size']} ranks, and with batches of {size} on {self._world_size} "
                "it would lie within a batch; resume with a batch size that divides it, or from "
                "the end of a pass",
            )
        return self.records // together

    def _note_ahead(self) -> None:
        self._ahead = {"random_state": get_random_state()}
        if keeps_position(self._loader):
            # A copy: drawing may change what it is made of.
            self._ahead["loader"] = copy.deepcopy(self._loader.state_dict())

    def _set(self, epoch: int, updates: int = 0, batches: int = 0, records: int = 0) -> None:
        self.epoch = epoch
        self.updates = updates
        self.batches = batches
        self.records = records
        self.complete = False


def _draws_nothing(loader: Any) -> bool:
    """Whether the loader uses no random numbers of the program, whose state takes long to copy."""
    return type(loader) in (list, tuple, TensorLoader)


def _order_of(loader: Any) -> dict[str, Any]:
    """What the order of a loader's batches depends on, where it says so."""
    seeker = seeker_of(loader)
    return {
        "seed": getattr(seeker, "seed", None),
        "shuffle": getattr(seeker, "shuffle", None),
        "batch_size": records_a_batch(loader) or getattr(loader, "batch_size", None),
        "length": length_of(loader) if seeker or isinstance(loader, Sequence) else None,
        "data": getattr(seeker, "data_records", None),
    }
