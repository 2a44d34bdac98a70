import math

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader

from treadle_loop import Engine, EpochSampler, LoopError, Loss, Mean

GENERATOR = torch.Generator().manual_seed(4)
INPUTS = torch.randn(11, 3, generator=GENERATOR, dtype=torch.float64)


def step(model, inputs):
    outputs = model(inputs)
    return Loss(
        outputs.square().mean(),
        counts={"values": inputs.numel()},
        metrics={"mean": outputs.mean(), "largest": Mean(inputs[0, 0], weight=2)},
    )


def engine_of(here, kind):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.Dropout(), nn.Linear(4, 2)).double()
    model, runtime = here.wrap(model, kind)
    return Engine(model, step, runtime=runtime)


def numbers(result):
    return (
        result.counts,
        result.complete,
        float(result.loss),
        {name: float(value) for name, value in sorted(result.metrics.items())},
    )


def evaluated(here, kind, batch_size):
    sampler = EpochSampler(11, shuffle=False)
    loader = DataLoader(INPUTS, sampler=sampler, batch_size=batch_size)
    return numbers(engine_of(here, kind).test_epoch(loader))


@pytest.mark.parametrize("batch_size", [1, 2, 4, 6])
def test_eleven_records_on_two_ranks(ranks, alone, batch_size):
    """Eleven records on two ranks are eleven, and their mean is that of one process."""
    counts, complete, loss, metrics = alone(evaluated, "ddp", 11)
    first, second = ranks(evaluated, "ddp", batch_size)

    assert first == second
    # Batches are those of the rank with the most.
    assert {**counts, "batches": math.ceil(6 / batch_size)} == first[0]
    assert complete is first[1] is True
    assert math.isclose(loss, first[2], rel_tol=1e-14)
    assert math.isclose(metrics["mean"], first[3]["mean"], rel_tol=1e-13)


@pytest.mark.parametrize("batch_size", [1, 2, 5, 6])
def test_eleven_records_in_shards(ranks, alone, batch_size):
    """The same with a model in shards, for which ranks compute together."""
    counts, _, loss, _ = alone(evaluated, "fsdp2", 11)
    first, second = ranks(evaluated, "fsdp2", batch_size)

    assert first == second
    assert {**counts, "batches": math.ceil(6 / batch_size)} == first[0]
    assert math.isclose(loss, first[2], rel_tol=1e-14)


def evaluated_on_one(here, who):
    mine = [INPUTS[:6], INPUTS[6:]] if here.rank == who else []
    return numbers(engine_of(here, "ddp").test_epoch(mine))


@pytest.mark.parametrize("who", [0, 1])
def test_a_rank_with_nothing_to_test(ranks, alone, who):
    """A rank that has no batch at all adds nothing, and knows of what the others had."""
    counts, _, loss, metrics = alone(evaluated_on_one, 0)
    first, second = ranks(evaluated_on_one, who)

    assert first == second
    assert counts == first[0]
    assert math.isclose(loss, first[2], rel_tol=1e-14)
    assert metrics.keys() == first[3].keys()


def untested(here):
    return numbers(engine_of(here, "ddp").test_epoch([]))


def test_nothing_to_test_anywhere(ranks):
    """Where no rank has a batch, there is no mean."""
    first, second = ranks(untested)

    assert {"records": 0, "batches": 0, "steps": 0, "epochs": 0} == first[0] == second[0]
    assert math.isnan(first[2])


class OwnError(Exception):
    pass


def failing(here, kind, who, fails):
    """One rank's loader fails, or has nothing."""

    def batches():
        if fails:
            yield INPUTS[:2]
            raise OwnError("the disk is on fire")

    given = batches() if here.rank == who else [INPUTS[:4], INPUTS[4:6], INPUTS[6:8]]
    engine = engine_of(here, kind)
    try:
        engine.test_epoch(given)
    except (LoopError, OwnError) as error:
        return type(error).__name__, str(error), engine.model.training
    return None


@pytest.mark.parametrize("who", [0, 1])
def test_a_loader_that_fails_while_testing(ranks, who):
    """Where one rank's loader fails, its own error is raised there, and the others are told."""
    answers = ranks(failing, "ddp", who, True)

    assert ("OwnError", "the disk is on fire", True) == answers[who]
    assert (
        "RankFailed",
        f"rank {who} could not evaluate, so there is no result of all ranks; its own error says why",
        True,
    ) == answers[1 - who]


@pytest.mark.parametrize("who", [0, 1])
def test_a_loader_that_fails_while_testing_in_shards(ranks, who):
    """The same with a model in shards."""
    answers = ranks(failing, "fsdp2", who, True)

    assert ("OwnError", "the disk is on fire", True) == answers[who]
    assert (
        "RankFailed",
        f"rank {who} could not draw its batch, so no rank can go on; its own error says why",
        True,
    ) == answers[1 - who]


def test_a_rank_with_nothing_to_test_in_shards(ranks):
    """A rank that holds a part of the model and has no batch at all is a named error on all."""
    message = (
        "rank 1 has no batch, and holds a part of the model, which the others cannot compute "
        "without; give each rank at least one batch"
    )

    assert [("UnequalRanks", message, True)] * 2 == ranks(failing, "fsdp2", 1, False)


def predicted(here, kind, counts):
    """What each rank's own batches are answered with, however many the others have."""
    own = [INPUTS[index : index + 2] for index in range(here.mine(counts))]
    engine = engine_of(here, kind)
    answers = list(engine.predict(own))
    # Nothing is left behind that another rank would wait for.
    engine.test_epoch([INPUTS[:2]])
    return [answer.sum().item() for answer in answers]


@pytest.mark.parametrize("kind", ["ddp", "fsdp2"])
@pytest.mark.parametrize("counts", [(3, 1), (1, 4), (2, 2)])
def test_ranks_predict_unequal_numbers_of_batches(ranks, kind, counts):
    """Each rank gets the answers to its own batches; with a model in shards they compute together."""
    first, second = ranks(predicted, kind, counts)

    assert counts == (len(first), len(second))
    shared = min(counts)
    assert first[:shared] == second[:shared]


def predicting_apart(here, kind):
    engine = engine_of(here, kind)
    try:
        if here.rank:
            engine.test_epoch([INPUTS[:2]])
        else:
            list(engine.predict([INPUTS[:2]]))
    except LoopError as error:
        return type(error).__name__, str(error), engine.model.training
    return None


def test_a_rank_that_predicts_alone_in_shards(ranks):
    """Where one rank predicts and another evaluates, both are told; without shards none needs the other."""
    message = (
        "rank 0 is at predict and rank 1 at test_epoch: every rank has to call it, so call it "
        "outside of `if rank == 0`, and save what it returns on one rank"
    )

    assert [("RanksOutOfStep", message, True)] * 2 == ranks(predicting_apart, "fsdp2")


def predicting_nothing(here):
    engine = engine_of(here, "fsdp2")
    try:
        list(engine.predict([INPUTS[:2]] if here.rank == 0 else []))
    except LoopError as error:
        return type(error).__name__, str(error)
    return None


def test_a_rank_with_nothing_to_predict_in_shards(ranks):
    """A rank that holds a part of the model and has no batch at all is a named error on all."""
    message = (
        "rank 1 has no batch, and holds a part of the model, which the others cannot compute "
        "without; give each rank at least one batch"
    )

    assert [("UnequalRanks", message)] * 2 == ranks(predicting_nothing)
