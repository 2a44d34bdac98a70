import pytest
import torch
from torch import nn

from treadle_loop import Engine, LoopError, Loss, RanksOutOfStep, Totals
from treadle_loop.meeting import agree

BATCHES = [torch.full((4, 3), float(index)) for index in range(4)]
REASON = (
    ": every rank has to call it, so call it outside of `if rank == 0`, and save what it returns on "
    "one rank"
)


def engine_of(here, kind="ddp", counts=()):
    torch.manual_seed(0)
    model, runtime = here.wrap(nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 1)), kind)

    def step(model, batch):
        loss = model(batch).square().mean()
        return Loss(loss, counts={name: index for index, name in enumerate(counts, 1)})

    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    return Engine(model, step, optimizer, runtime=runtime)


def error_of(function, *arguments):
    try:
        function(*arguments)
    except LoopError as error:
        return type(error).__name__, str(error)
    return None


CALLS = {
    "an update": lambda engine: engine.train_epoch(BATCHES),
    "test_epoch": lambda engine: engine.test_epoch(BATCHES),
    "state_dict": lambda engine: engine.state_dict(),
    "over_ranks": lambda engine: Totals().over_ranks(engine._runtime, None),
}


def apart(here, kind, places):
    engine = engine_of(here, kind)
    first = error_of(CALLS[here.mine(places)], engine)
    # Nothing is left behind for which another call would be taken.
    return first, error_of(CALLS["test_epoch"], engine), error_of(CALLS["an update"], engine)


@pytest.mark.parametrize("kind", ["ddp", "fsdp2"])
@pytest.mark.parametrize(
    "places",
    [
        ("state_dict", "an update"),
        ("test_epoch", "an update"),
        ("an update", "state_dict"),
        ("state_dict", "test_epoch"),
        ("over_ranks", "an update"),
    ],
    ids=str,
)
def test_ranks_at_different_places(ranks, kind, places):
    """Ranks that do different things end in one error that names both, and can go on."""
    expected = (
        "RanksOutOfStep",
        f"rank 0 is at {places[0]} and rank 1 at {places[1]}{REASON}",
    )

    assert [(expected, None, None)] * 2 == ranks(apart, kind, places)


def saved_on_one(here, kind):
    """What people write: within a pass, and at the end of an epoch."""
    engine = engine_of(here, kind)

    def save():
        if here.rank == 0:
            engine.state_dict()

    def within():
        for _ in engine.updates(BATCHES):
            save()

    def after():
        for _ in range(2):
            engine.train_epoch(BATCHES)
            save()

    return error_of(within), error_of(after), engine.updates_made


@pytest.mark.parametrize("kind", ["ddp", "fsdp2"])
def test_a_state_asked_for_on_one_rank(ranks, kind):
    """A state that only one rank asks for between two updates or passes is an error on both."""
    expected = ("RanksOutOfStep", f"rank 0 is at state_dict and rank 1 at an update{REASON}")

    assert [(expected, expected, 5)] * 2 == ranks(saved_on_one, kind)


class OwnError(Exception):
    pass


def failed_apart(here, kind):
    def failing():
        raise OwnError("the disk is on fire")
        yield

    engine = engine_of(here, kind)
    try:
        if here.rank == 0:
            engine.test_epoch(failing())
        else:
            engine.train_epoch(BATCHES)
    except LoopError as error:
        return str(error), repr(error.__cause__)


@pytest.mark.parametrize("kind", ["ddp", "fsdp2"])
def test_a_failure_of_a_rank_that_is_elsewhere(ranks, kind):
    """An error of one rank that nobody could be told of is the cause of the one that is raised."""
    message = f"rank 0 is at test_epoch and rank 1 at an update{REASON}"

    assert [(message, "OwnError('the disk is on fire')"), (message, "None")] == ranks(
        failed_apart, kind
    )


def counted(here, names):
    engine = engine_of(here, counts=here.mine(names))
    counts = []

    def train():
        counts.extend(update.counts for update in engine.updates(BATCHES[:2]))

    return error_of(train), counts


@pytest.mark.parametrize("many", [1, 13, 14, 40])
def test_any_number_of_counts(ranks, many):
    """However many counts a step gives, each is summed over the ranks."""
    names = [f"count {index:02d}" for index in range(many)]
    further = {name: 2 * index for index, name in enumerate(names, 1)}
    error, counts = ranks(counted, (names, names))[0]

    assert error is None
    assert [{**each, **further} for each in counts] == counts
    assert 2 == len(counts)


@pytest.mark.parametrize(
    ("own", "other"),
    [
        ({"counts": {"images": 1}}, {"counts": {"words": 1}}),
        ({"counts": {"images": 1}}, {"counts": dict.fromkeys(map(str, range(20)), 1)}),
        ({"counts": {"images": 1}}, {}),
        ({"metrics": {"accuracy": 0.5}}, {"metrics": {"error": 0.5}}),
        ({"metrics": {"accuracy": 0.5}}, {}),
        ({"weight": 3}, {}),
        ({}, {"records": 3, "weight": 3}),
    ],
    ids=str,
)
@pytest.mark.parametrize("kind", ["ddp", "fsdp2"])
def test_a_step_that_gives_other_things(ranks, kind, own, other):
    """A step that gives more, less or other things on another rank is an error that names them, before any is summed."""
    message = "the step gives {} on rank {}, and {} on rank {}: what it gives has to be the same on every rank"
    errors = [
        ("RanksOutOfStep", message.format(named(own), 0, named(other), 1)),
        ("RanksOutOfStep", message.format(named(other), 1, named(own), 0)),
    ]

    assert errors == ranks(given, kind, (own, other))


def named(given):
    names = [f"the metric {name!r}" for name in given.get("metrics", ())]
    names += [f"the count {name!r}" for name in sorted(given.get("counts", ()))]
    names += [f"the {name}" for name in ("records", "weight") if name in given]
    return ", ".join(names) or "nothing but a loss"


def given(here, kind, each):
    torch.manual_seed(0)
    model, runtime = here.wrap(nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 1)), kind)

    def step(model, batch):
        return Loss(model(batch).square().mean(), **here.mine(each))

    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    return error_of(Engine(model, step, optimizer, runtime=runtime).train_epoch, BATCHES)


def test_counts_of_other_names_later(ranks):
    """Steps that come to give other counts on another rank are an error, however many they are."""
    few, many = ["images"], [f"count {index}" for index in range(20)]
    reason = ": which it gives has to be the same on every rank"
    named = "the step gives the counts {} on rank {}, and others on rank {}"
    for own, other in ((few, ["words"]), (few, many)):
        first = named.format(", ".join(sorted(own)), 0, 1) + reason
        second = named.format(", ".join(sorted(other)), 1, 0) + reason

        assert [("RanksOutOfStep", first), ("RanksOutOfStep", second)] == ranks(
            counted_later, (own, other)
        )


def test_counts_on_one_rank_later(ranks):
    """A step that comes to give counts on one rank only is an error that says so."""
    message = (
        "rank 0 is at the counts of an update and rank 1 at an update: whether a step gives counts "
        "has to be the same on every rank"
    )
    first, second = ranks(counted_later, (["words"], []))

    assert ("RanksOutOfStep", message) == first == second


def counted_later(here, names):
    counts = []  # from the second update on
    engine = engine_of(here, counts=counts)
    engine.update([BATCHES[0]])
    counts.extend(here.mine(names))
    return error_of(engine.train_epoch, BATCHES)


class Elsewhere:
    """A runtime of four ranks, of which all but the first are somewhere else."""

    def agree(self, values):
        place, *rest = values
        return [[place, *rest], [place + 1, *rest], [place + 2, *rest], [place + 1, *rest]]


def test_one_rank_is_named_at_each_place():
    """Of many ranks, the first at each place is named."""
    with pytest.raises(RanksOutOfStep) as caught:
        agree(Elsewhere(), "test_epoch", [])

    message = "rank 0 is at test_epoch and rank 1 at over_ranks and rank 2 at state_dict"
    assert message + REASON == str(caught.value)
