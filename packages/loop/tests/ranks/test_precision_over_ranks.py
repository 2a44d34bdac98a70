import math
from unittest import mock

import pytest
import torch
from torch import nn

from treadle_loop import Engine, NotFinite


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 2))


def batches_of(here, bad=()):
    """Unequal micro-batches of each rank; alone, those of both. Some have an infinite input."""
    generator = torch.Generator().manual_seed(3)
    batches = []
    for index, sizes in enumerate([[3, 7], [5, 1], [2, 2], [7, 3], [4, 6], [6, 4]]):
        parts = [torch.randn(size, 6, generator=generator) for size in sizes]
        for where, rank in bad:
            if where == index:
                parts[rank][0, 0] = math.inf
        batches.append(torch.cat(parts) if here.world_size == 1 else parts[here.rank])
    return batches


def engine_of(here, kind, **settings):
    model, runtime = here.wrap(network(), kind)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    return Engine(
        model,
        lambda model, inputs: (model(inputs).float() - inputs[:, :2]).square().mean(),
        optimizer,
        accumulate=2,
        runtime=runtime,
        scheduler=torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.5),
        **settings,
    )


def weights_of(engine):
    whole = [
        each.full_tensor() if hasattr(each, "full_tensor") else each
        for each in engine.model.parameters()
    ]
    return torch.cat([each.detach().flatten() for each in whole])


def trained(here, kind, settings, bad):
    engine = engine_of(here, kind, **settings)
    updates = list(engine.updates(batches_of(here, bad)))
    return (
        weights_of(engine),
        [update.skipped for update in updates],
        [float(update.grad_norm) for update in updates if not update.skipped],
        engine.scheduler.get_last_lr(),
        engine.state_dict().get("scaling", {}).get("scale"),
        [update.counts for update in updates],
    )


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
@pytest.mark.parametrize("kind", ["ddp", "fsdp2"])
def test_mixed_precision(ranks, alone, kind, precision):
    """In bf16 and fp16, two ranks are one process, up to the rounding of that precision."""
    settings = {"precision": precision, "clip_norm": 0.5}
    expected = alone(trained, kind, settings, ())
    first, second = ranks(trained, kind, settings, ())

    assert torch.equal(first[0], second[0])
    assert first[2] == second[2]
    assert expected[1] == first[1] == second[1]
    assert expected[3:] == first[3:] == second[3:]
    assert (expected[0] - first[0]).abs().max() < 0.01
    assert all(
        math.isclose(one, other, rel_tol=0.05)
        for one, other in zip(expected[2], first[2], strict=True)
    )


@pytest.mark.parametrize("kind", ["ddp", "fsdp2"])
def test_an_overflow_on_one_rank_skips_the_step_on_all(ranks, alone, kind):
    """Where one rank's gradients overflow in fp16, every rank skips the step and halves the scale."""
    settings = {"precision": "fp16", "clip_norm": 0.5}
    bad = [(2, 1)]
    expected = alone(trained, kind, settings, bad)
    first, second = ranks(trained, kind, settings, bad)

    assert [False, True, False] == first[1] == second[1]
    assert 2.0**15 == first[4] == second[4]
    assert [0.01 * 0.5**2] == first[3] == second[3]
    assert torch.equal(first[0], second[0])
    assert expected[1] == first[1]
    assert (expected[0] - first[0]).abs().max() < 0.01


def checked(here, kind, bad, settings):
    """Train until something is not finite; the weights then, and those before it."""
    engine = engine_of(here, kind, check_finite=True, **settings)
    updates, before = 0, weights_of(engine)
    try:
        for _ in engine.updates(batches_of(here, bad)):
            updates += 1
            if updates == 1:
                before = weights_of(engine)
    except NotFinite as error:
        return updates, torch.equal(before, weights_of(engine)), str(error)
    return updates, None, None


@pytest.mark.parametrize("settings", [{}, {"clip_norm": 1.0}], ids=["plain", "clipped"])
@pytest.mark.parametrize("kind", ["ddp", "fsdp2"])
def test_what_is_not_finite_on_one_rank_is_withheld_on_all(ranks, kind, settings):
    """A loss that is not finite on one rank withholds that update and those after it on all."""
    first, second = ranks(checked, kind, [(2, 1)], settings)

    assert first == second
    assert (3, True) == first[:2]
    assert first[2].startswith("the loss of update 2 is inf; it was withheld, and so w")


def normed(here):
    """Statistics of a batch norm, after a pass of unequal batches."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.Linear(8, 2)).double()
    model, runtime = here.wrap(model, "ddp")
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    engine = Engine(
        model,
        lambda model, inputs: model(inputs.double()).square().mean(),
        optimizer,
        accumulate=2,
        runtime=runtime,
        ema=0.5,
    )
    engine.train_epoch(batches_of(here)[2:])
    own = [each.tolist() for each in engine.model.module.parameters()]
    with engine.averaged():
        averaged = [each.tolist() for each in engine.model.module.parameters()]
    return own, averaged, engine.model.module[1].running_mean.tolist()


def test_a_batch_norm_keeps_the_ranks_together(ranks):
    """With a batch norm, whose statistics are each rank's, weights and averages are the same."""
    first, second = ranks(normed)

    assert first[:2] == second[:2]
    assert first[0] != first[1]


class Arrival:
    """Says of a copy, as an event of CUDA does, whether it has arrived: after so many queries."""

    def __init__(self, queries):
        self.queries = queries

    def query(self):
        self.queries -= 1
        return self.queries < 0


def found_within(here, kind, delays):
    engine = engine_of(here, kind, check_finite=True)
    batches = [torch.ones(2, 6) for _ in range(300)]
    if here.rank == 1:
        batches[4] = batches[4] * math.nan
    seen = []
    arrival = Arrival(here.mine(delays))
    with mock.patch("treadle_loop.finite._sent", lambda number: (number, arrival)):
        try:
            seen.extend(update.index for update in engine.updates(batches))
        except NotFinite as error:
            return len(seen), str(error).partition(";")[0]
    return None


@pytest.mark.parametrize("kind", ["ddp", "fsdp2"])
@pytest.mark.parametrize("delays", [(0, 0), (5, 1), (0, 7)])
def test_what_is_not_finite_ends_the_pass_on_all_ranks_at_once(ranks, kind, delays):
    """Whichever rank learns of it first, no other goes on to an update that would wait for it."""
    updates = 64 + min(delays) + 1

    expected = (updates, "the loss of update 3 is nan")
    assert [expected, expected] == ranks(found_within, kind, delays)
