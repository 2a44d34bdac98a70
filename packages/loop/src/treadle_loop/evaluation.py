"""A pass without gradients."""

from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice, repeat
from typing import Any

import torch
from torch import Tensor, nn

from treadle_loop.containers import map_tensors
from treadle_loop.devices import place
from treadle_loop.epoch import Totals
from treadle_loop.errors import RanksOutOfStep, UnequalRanks
from treadle_loop.loss import read_outcome
from treadle_loop.meeting import Place, agree, raise_if_failed
from treadle_loop.passes import length_of, too_few, too_many
from treadle_loop.records import record_counter
from treadle_loop.runtime import Runtime
from treadle_loop.settings import check_loader
from treadle_loop.shares import check_shares
from treadle_loop.supervised import Step
from treadle_loop.transfer import sent

Forward = Callable[[nn.Module, Any], Any]


class Evaluating:
    """Puts a whole model in evaluation mode, and every module back in its own mode afterwards.

    A batch norm that was frozen with `eval()` inside a training model is frozen again. Evaluations
    may be open at the same time, and end in any order.

    Args:
        model: whose modules have modes.
    """

    __slots__ = ("_open", "model")

    def __init__(self, model: nn.Module) -> None:
        self.model = model
        self._open: list[list[tuple[nn.Module, bool]]] = []

    @contextmanager
    def __call__(self) -> Iterator[nn.Module]:
        """Evaluate the model."""
        modes = [(module, module.training) for module in self.model.modules()]
        if self._open and not any(training for _, training in modes):
            # These modes are another evaluation's doing, and what came before it is to come back.
            modes = list(self._open[-1])
        self._open.append(modes)
        self.model.eval()
        try:
            yield self.model
        finally:
            self._open = [each for each in self._open if each is not modes]
            # Through train() and from the outside in, since a module may act on the change
            # (adapters merge their weights), and since train() takes the modules inside along.
            for module, training in modes:
                if module.training is not training:
                    module.train(training)


def evaluate(
    evaluating: Evaluating,
    step: Step,
    loader: Iterable[Any],
    device: torch.device | None,
    runtime: Runtime,
) -> Totals:
    """What the step comes to on every batch, in evaluation mode.

    That is what all ranks come to together, each on the batches of its own loader.

    Raises:
        InvalidSetting: the loader yields single records, or nothing.
        RecordsRepeated: it repeats records to have equally many on each rank.
        WrongLength: it has more or fewer batches than it promised.
        RankFailed: another rank could not evaluate.
        RanksOutOfStep: another rank is doing something else.
        UnequalRanks: each rank holds a part of the model, and one has no batch at all.
    """
    if runtime.world_size == 1:
        return _evaluate(evaluating, step, loader, device, runtime)
    totals = Totals()
    failure = None
    try:
        totals = _evaluate(evaluating, step, loader, device, runtime)
    except RanksOutOfStep:  # nobody is waiting here
        raise
    except Exception as error:  # noqa: BLE001 (the others are waiting, and are told first)
        failure = error
    everyone = agree(runtime, "test_epoch", [failure is not None], failure)
    failed = [one for (one,) in everyone]
    raise_if_failed(
        failed, "could not evaluate, so there is no result of all ranks; its own error says why"
    )
    return totals.over_ranks(runtime, device)


def _evaluate(
    evaluating: Evaluating,
    step: Step,
    loader: Iterable[Any],
    device: torch.device | None,
    runtime: Runtime,
) -> Totals:
    """What this rank comes to."""
    totals = Totals()
    length = length_of(loader)
    count = record_counter(loader, length)
    # Not inference_mode: what a module caches in it could not be used in training afterwards.
    with evaluating() as model, torch.no_grad():
        drawn = _checked(loader, device, length, runtime)
        for batch, counts in _in_step(runtime, "test_epoch", drawn):
            placed = place(batch, device)
            _, outcome = read_outcome(step(model, placed), placed, count)
            if counts:
                totals.add((outcome,), outcome.records, 1)
    totals.complete = True
    return totals


def outputs_of(
    evaluating: Evaluating,
    forward: Forward,
    loader: Iterable[Any],
    device: torch.device | None,
    runtime: Runtime,
) -> Generator[Any, None, None]:
    """What the model answers to every batch that counts, in evaluation mode."""
    with evaluating() as model:
        for batch, counts in _in_step(runtime, "predict", _drawn(loader, device)):
            if model.training:  # your code may have trained it at the last yield
                model.eval()
            with torch.no_grad():  # not around the yield: your code has its own mode
                outputs = forward(model, place(batch, device))
            if counts:
                yield map_tensors(_detached, outputs)


def forward_inputs(model: nn.Module, batch: Any) -> Any:
    """The model's answer to a batch, or to its first item, as in `(inputs, targets)`."""
    return model(batch[0] if isinstance(batch, (tuple, list)) else batch)


def _in_step(runtime: Runtime, place: Place, batches: Iterator[Any]) -> Iterable[tuple[Any, bool]]:
    """The batches, and whether each counts: all of them, where no rank needs another."""
    if not runtime.collective_forward:
        return zip(batches, repeat(True))
    return _equally_many(runtime, place, batches)


def _equally_many(
    runtime: Runtime, place: Place, batches: Iterator[Any]
) -> Iterator[tuple[Any, bool]]:
    """As many batches on each rank, and whether each counts.

    A rank that has no more of its own repeats its last one, which does not count, for as long as
    another rank has some: they need its part of the model.

    Raises:
        RankFailed: another rank could not draw its batch.
        RanksOutOfStep: another rank is doing something else.
        UnequalRanks: a rank has none at all.
    """
    last: list[Any] = []
    while True:
        drawn: list[Any] = []
        failure = None
        try:
            drawn = list(islice(batches, 1))
        except Exception as error:  # noqa: BLE001 (the others are waiting, and are told first)
            failure = error
        last = drawn or last
        own_state = [failure is not None, len(drawn), len(last)]
        everyone = agree(runtime, place, own_state, failure)
        failed, own, any_so_far = zip(*everyone, strict=True)
        raise_if_failed(
            failed, "could not draw its batch, so no rank can go on; its own error says why"
        )
        if not any(own):
            return
        for rank, one in enumerate(any_so_far):
            if not one:
                raise UnequalRanks(
                    f"rank {rank} has no batch, and holds a part of the model, which the others "
                    "cannot compute without; give each rank at least one batch",
                )
        yield last[0], bool(drawn)


def _drawn(loader: Iterable[Any], device: torch.device | None) -> Iterator[Any]:
    # A generator, so that a loader that cannot begin fails at its first batch.
    yield from sent(iter(loader), loader, device)


def _checked(
    loader: Iterable[Any], device: torch.device | None, length: int | None, runtime: Runtime
) -> Iterator[Any]:
    """The same of a loader whose records are dealt out once, and that is held to its length."""
    check_loader(loader)
    check_shares(loader, runtime)
    seen = 0
    for seen, batch in enumerate(sent(iter(loader), loader, device), 1):
        if length is not None and seen > length:
            raise too_many(seen, length)
        yield batch
    if length is not None and seen < length:
        raise too_few(seen, length)


def _detached(leaf: Any) -> Any:
    return leaf.detach() if isinstance(leaf, Tensor) and leaf.requires_grad else leaf
