import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader
from torch.utils.data.distributed import DistributedSampler

from treadle_loop import Engine, LoopError, RankFailed, UnequalRanks, WrongLength

UNEQUAL = [(3, 2), (2, 3), (4, 1), (1, 3)]


class OwnError(Exception):
    pass


class Loader:
    """A loader that may break its word, or break."""

    def __init__(self, batches, length=None, fails_at=None):
        self.batches = batches
        self.fails_at = fails_at
        if length is not None:
            self.__class__ = type("Sized", (Loader,), {"__len__": lambda _: length})

    def __iter__(self):
        for index in range(self.batches):
            if index == self.fails_at:
                raise OwnError("the disk is on fire")
            yield torch.full((4, 3), float(index + 1))


def engine_of(here, kind="ddp", *, norm=False, **settings):
    torch.manual_seed(0)
    between = nn.BatchNorm1d(5) if norm else nn.Tanh()
    model, runtime = here.wrap(nn.Sequential(nn.Linear(3, 5), between, nn.Linear(5, 1)), kind)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    return Engine(
        model,
        lambda model, batch: model(batch).square().mean(),
        optimizer,
        runtime=runtime,
        **settings,
    )


def outcome_of(engine, loader, stop=None):
    """How many updates there were, and the class and the message of the error that ended them."""
    updates = 0
    try:
        for _ in engine.updates(loader, stop=stop):
            updates += 1
    except Exception as error:  # noqa: BLE001 (a test compares it)
        return updates, type(error).__name__, str(error)
    return updates, None, None


def uneven(here, kind, norm, accumulate, counts, sized):
    count = here.mine(counts)
    loader = Loader(count, count if sized else None)
    engine = engine_of(here, kind, norm=norm, accumulate=accumulate)
    first = outcome_of(engine, loader)
    # The ranks are still in step with each other.
    return first, outcome_of(engine, Loader(2, 2))


@pytest.mark.parametrize("counts", UNEQUAL, ids=str)
@pytest.mark.parametrize("accumulate", [1, 2])
@pytest.mark.parametrize("norm", [False, True], ids=["plain", "batch norm"])
def test_unequal_ranks_end_together(ranks, norm, accumulate, counts):
    """Ranks with unequal numbers of batches end in one error, at the same update, and can go on."""
    (first, after), (second, after_too) = ranks(uneven, "ddp", norm, accumulate, counts, True)

    assert "UnequalRanks" == first[1]
    assert first == second
    assert ((2 + accumulate - 1) // accumulate, None, None) == after == after_too


@pytest.mark.parametrize(("kind", "sized"), [("ddp", False), ("fsdp2", True), ("fsdp2", False)])
def test_unequal_ranks_without_lengths_and_in_shards(ranks, kind, sized):
    """The same goes for loaders without a length, and for a model in shards."""
    (first, after), (second, after_too) = ranks(uneven, kind, False, 2, (5, 3), sized)

    assert "UnequalRanks" == first[1]
    assert first == second
    assert (1, None, None) == after == after_too


def test_the_error_says_who_has_how_many(ranks):
    """The message names the batches of each rank, where the pass ends, and what to do."""
    (inside, _), _ = ranks(uneven, "ddp", False, 2, (4, 3), True)
    (between, _), _ = ranks(uneven, "ddp", False, 2, (4, 2), True)

    (early, _), _ = ranks(uneven, "ddp", False, 1, (3, 4), True)
    message = (
        "the ranks have unequal numbers of batches: {} (from where this pass was begun, or "
        "resumed); an update needs all of them, so give each rank equally many: "
        "EpochSampler(dataset, drop_last=True) does, and so does the loader's own drop_last"
    )

    assert message.format("rank 0: 4, rank 1: 3") == inside[2]
    assert message.format("rank 0: more than 2, rank 1: 2") == between[2]
    assert message.format("rank 0: 3, rank 1: more than 3") == early[2]


def accumulated(here, accumulate, count, sized):
    loader = Loader(count, count if sized else None)
    return outcome_of(engine_of(here, accumulate=here.mine(accumulate)), loader)


@pytest.mark.parametrize("sized", [True, False])
@pytest.mark.parametrize(
    ("accumulate", "count", "seen"), [((2, 4), 8, (2, 4)), ((4, 2), 3, (3, 2)), ((1, 3), 3, (1, 3))]
)
def test_ranks_that_accumulate_unequally_many(ranks, accumulate, count, seen, sized):
    """Where ranks accumulate unequally many, the message says so and blames no loader."""
    message = (
        f"the ranks accumulate unequal numbers of batches: in this update rank 0: {seen[0]}, "
        f"rank 1: {seen[1]}; make the engine with the same accumulate on every rank"
    )

    assert [(0, "UnequalRanks", message)] * 2 == ranks(accumulated, accumulate, count, sized)


def windows(here, counts):
    engine = engine_of(here)
    try:
        engine.update([torch.ones(4, 3)] * here.mine(counts))
    except UnequalRanks as error:
        return str(error)


def test_windows_of_unequal_lengths(ranks):
    """So do two lists of batches for one update, which belong to no pass."""
    message = (
        "Engine.update was given unequal numbers of batches: rank 0: 2, rank 1: 3; an update needs "
        "all ranks for each batch, so give it equally many on every rank"
    )

    assert [message, message] == ranks(windows, (2, 3))


def failing(here, who, loader, accumulate=1):
    """One rank has a loader of its own."""
    given = Loader(*loader) if here.rank == who else Loader(6, 6)
    engine = engine_of(here, accumulate=accumulate)
    first = outcome_of(engine, given)
    return first, outcome_of(engine, Loader(1, 1))


FAILED = "rank {} could not begin its next update, so no rank can go on; its own error says why"


@pytest.mark.parametrize("accumulate", [1, 2])
@pytest.mark.parametrize("who", [0, 1])
def test_a_loader_that_fails_on_one_rank(ranks, who, accumulate):
    """Where one rank's loader fails, its own error is raised there, and the others are told."""
    answers = ranks(failing, who, (6, 6, 4), accumulate)

    updates = 4 // accumulate
    assert (updates, "OwnError", "the disk is on fire") == answers[who][0]
    assert (updates, RankFailed.__name__, FAILED.format(who)) == answers[1 - who][0]
    assert (1, None, None) == answers[0][1] == answers[1][1]


@pytest.mark.parametrize(("batches", "updates"), [(5, 5), (7, 6)])
def test_a_wrong_length_on_one_rank(ranks, batches, updates):
    """Where one rank's loader has another length than it says, the others are told."""
    answers = ranks(failing, 1, (batches, 6))

    assert (updates, RankFailed.__name__, FAILED.format(1)) == answers[0][0]
    assert (updates, WrongLength.__name__) == answers[1][0][:2]
    assert (1, None, None) == answers[0][1] == answers[1][1]


def failing_stop(here):
    def stop():
        if here.rank == 1:
            raise OwnError("no answer")
        return False

    return outcome_of(engine_of(here), Loader(3, 3), stop)


def test_a_stop_that_fails_on_one_rank(ranks):
    """Where one rank cannot say whether to stop, the others are told too."""
    first, second = ranks(failing_stop)

    assert (0, RankFailed.__name__, FAILED.format(1)) == first
    assert (0, "OwnError", "no answer") == second


class NoBeginning:
    """A loader that cannot even begin."""

    def __init__(self, length=None):
        if length is not None:
            self.__class__ = type("Sized", (NoBeginning,), {"__len__": lambda _: length})

    def __iter__(self):
        raise OwnError("no file")


def beginning(here, loader):
    given = {"sized": NoBeginning(3), "unsized": NoBeginning(), "first": Loader(3, None, 0)}
    engine = engine_of(here)
    first = outcome_of(engine, given[loader] if here.rank == 1 else Loader(3, 3))
    return first[:2], outcome_of(engine, Loader(1, 1))


@pytest.mark.parametrize("loader", ["sized", "unsized", "first"])
def test_a_pass_that_cannot_begin_on_one_rank(ranks, loader):
    """Where a pass cannot begin on one rank, the others are told."""
    first, second = ranks(beginning, loader)

    assert (0, RankFailed.__name__) == first[0]
    assert (0, "OwnError") == second[0]
    assert (1, None, None) == first[1] == second[1]


def refused(here, kind, call, wrong):
    data = torch.ones(7, 3)
    repeating = DistributedSampler(data, num_replicas=2, rank=here.rank)
    given = {"repeats": DataLoader(data, sampler=repeating), "nothing": None, "records": data}
    engine = engine_of(here, kind)
    try:
        getattr(engine, call)(given[wrong] if here.rank == 1 else Loader(3, 3))
    except LoopError as error:
        first = type(error).__name__
    return first, outcome_of(engine, Loader(1, 1))


@pytest.mark.parametrize("kind", ["ddp", "fsdp2"])
@pytest.mark.parametrize("call", ["train_epoch", "test_epoch"])
@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ("repeats", "RecordsRepeated"),
        ("nothing", "InvalidSetting"),
        ("records", "InvalidSetting"),
    ],
)
def test_a_loader_that_is_refused_on_one_rank(ranks, kind, call, wrong, error):
    """Where one rank's loader cannot be meant, its error is raised there, and the others are told."""
    first, second = ranks(refused, kind, call, wrong)

    assert ("RankFailed", (1, None, None)) == first
    assert (error, (1, None, None)) == second
