"""A pass without gradients on several ranks."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

import torch
from torch import nn

from treadle_loop.agreement import raise_if_failed
from treadle_loop.epoch import Totals
from treadle_loop.errors import RanksOutOfStep, UnequalRanks
from treadle_loop.evaluation import evaluate, uninterrupted
from treadle_loop.meeting import agree
from treadle_loop.runtime import Runtime
from treadle_loop.supervised import Step


def evaluate_together(
    model: nn.Module,
    step: Step,
    loader: Iterable[Any],
    device: torch.device | None,
    runtime: Runtime,
) -> Totals:
    """What all ranks come to together, each on the batches of its own loader.

    Raises:
        RankFailed: another rank could not evaluate.
        RanksOutOfStep: another rank is doing something else.
        UnequalRanks: each rank holds a part of the model, and one has no batch at all.
    """

    def in_step(batches: Iterator[Any]) -> Iterator[tuple[Any, bool]]:
        return equally_many(batches, runtime)

    totals = Totals()
    failure = None
    try:
        totals = evaluate(
            model, step, loader, device, in_step if runtime.collective_forward else uninterrupted
        )
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


def equally_many(batches: Iterator[Any], runtime: Runtime) -> Iterator[tuple[Any, bool]]:
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
        everyone = agree(runtime, "test_epoch", own_state, failure)
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
