import contextlib
from unittest import mock

import pytest
import torch
from torch import distributed as dist
from torch import nn
from torch.nn.functional import mse_loss
from torch.utils.data import DataLoader

from treadle_loop import Engine, EpochSampler, InvalidSetting, runtimes, supervised

step = supervised(mse_loss)


def batches(count, size=3):
    generator = torch.Generator().manual_seed(2)
    return [
        (torch.randn(size, 4, generator=generator), torch.randn(size, 2, generator=generator))
        for _ in range(count)
    ]


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 2))


class Calls:
    """A runtime that notes what it is asked."""

    def __init__(self, runtime):
        self.runtime = runtime
        self.asked = []

    def __getattr__(self, name):
        return getattr(self.runtime, name)

    @contextlib.contextmanager
    def no_sync(self, model):
        self.asked.append("no sync")
        with self.runtime.no_sync(model):
            yield

    def backward(self, loss):
        self.asked.append("backward")
        self.runtime.backward(loss)

    def agree(self, values):
        self.asked.append("agree")
        return self.runtime.agree(values)

    def all_reduce(self, values):
        self.asked.append("all reduce")
        return self.runtime.all_reduce(values)

    def gather(self, value):
        self.asked.append("gather")
        return self.runtime.gather(value)


@contextlib.contextmanager
def noting_exchanges_of_shards(exchanged):
    """Note each reduction of the gradients of a sharded model, which has no hook for it."""
    within = []

    def noted(original):
        def call(*arguments, **named):
            if not within:  # one name of it may call the other
                exchanged.append(True)
            within.append(True)
            try:
                return original(*arguments, **named)
            finally:
                within.pop()

        return call

    with contextlib.ExitStack() as stack:
        for name in ("reduce_scatter_tensor", "reduce_scatter_single"):
            if hasattr(dist, name):
                patch = mock.patch.object(dist, name, noted(getattr(dist, name)))
                stack.enter_context(patch)
        yield


def calls(here, kind, accumulate, count):
    """What the runtime was asked in each update, and how often gradients were exchanged."""
    model, runtime = here.wrap(network(), kind)
    exchanged = []

    def hook(_, bucket):
        exchanged.append(bucket.is_last())
        return (
            dist.all_reduce(bucket.buffer(), async_op=True)
            .get_future()
            .then(lambda future: future.value()[0] / here.world_size)
        )

    if kind == "ddp":
        model.register_comm_hook(None, hook)
    noting = Calls(runtime)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    engine = Engine(model, step, optimizer, accumulate=accumulate, runtime=noting)
    updates = []
    with noting_exchanges_of_shards(exchanged):
        for _ in engine.updates(batches(count)):
            updates.append((noting.asked, sum(exchanged)))
            noting.asked = []
            exchanged.clear()
    return updates


@pytest.mark.parametrize(("accumulate", "count"), [(1, 2), (2, 5), (4, 7)])
@pytest.mark.parametrize("kind", ["ddp", "fsdp2"])
def test_gradients_are_held_back_within_a_window(ranks, kind, accumulate, count):
    """Gradients are exchanged once an update, in the backward of its last batch."""
    sizes = [accumulate] * (count // accumulate) + [count % accumulate] * (count % accumulate > 0)
    expected = [
        (
            ["agree", *["no sync", "backward"] * (size - 1), "backward", "all reduce"],
            # The model is sharded in two pieces, each with an exchange of its own.
            1 if kind == "ddp" else 2,
        )
        for size in sizes
    ]
    asked = expected[0][0]
    asked[1 + (sizes[0] > 1) : 1 + (sizes[0] > 1)] = ["agree", "gather"]  # once, what a step gives

    assert [expected, expected] == ranks(calls, kind, accumulate, count)


def counted(here):
    dataset = [(torch.randn(4), torch.randn(2)) for _ in range(255)]
    model, runtime = here.wrap(network(), "ddp")
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    engine = Engine(model, step, optimizer, runtime=runtime)
    loader = DataLoader(dataset, sampler=EpochSampler(dataset), batch_size=16)
    trained, tested = engine.train_epoch(loader), engine.test_epoch(loader)
    short = EpochSampler(dataset, drop_last=True)
    cut = engine.train_epoch(DataLoader(dataset, sampler=short, batch_size=16))
    return trained.counts, tested.counts, cut.counts


def test_records_are_those_of_all_ranks(ranks):
    """An odd number of records is counted as it is: no rank is given one twice."""
    counts = {"batches": 8, "epochs": 1}
    trained = {"records": 255, "steps": 8, **counts}
    expected = (trained, {**trained, "steps": 0}, {**trained, "records": 254})

    assert [expected, expected] == ranks(counted)


def mistakes(here, kind):
    optimizer_of = lambda model: torch.optim.SGD(model.parameters(), lr=0.1)  # noqa: E731
    wrapped, _ = here.wrap(network(), kind)
    bare = network()
    attempts = [
        lambda: Engine(wrapped, step, optimizer_of(wrapped)),
        lambda: Engine(bare, step, optimizer_of(bare), runtime=getattr(runtimes, kind)()),
        # An engine that only evaluates too: its means would be those of one rank.
        lambda: Engine(wrapped, step),
    ]
    messages = []
    for attempt in attempts:
        try:
            attempt()
        except InvalidSetting as error:
            messages.append(str(error))
    return messages


@pytest.mark.parametrize("kind", ["ddp", "fsdp2"])
def test_a_model_and_a_runtime_that_do_not_fit(ranks, kind):
    """A wrapped model without its runtime is an error that names it, and so is the reverse."""
    name, wanted = {
        "ddp": (
            "DistributedDataParallel",
            "a DistributedDataParallel; wrap it: DistributedDataParallel(model)",
        ),
        "fsdp2": (
            "FSDPSequential",
            "one that went through torch.distributed.fsdp.fully_shard(model)",
        ),
    }[kind]
    untold = (
        f"the model is a {name}, which trains on several ranks, and the engine was not told so: its "
        "counts and means would be those of one rank; give Engine(..., "
        f"runtime=runtimes.{kind}())"
    )
    bare = f"the model is a Sequential, and runtimes.{kind}() expects {wanted}"

    assert [[untold, bare, untold]] * 2 == ranks(mistakes, kind)


def untold(here):
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    try:
        Engine(model, step, optimizer)
    except InvalidSetting as error:
        # What was meant is said, or nothing is trained.
        Engine(model, step, optimizer, runtime=runtimes.torch()).train_epoch(batches(1))
        tested = Engine(model, step).test_epoch(batches(here.rank + 1))
        return str(error), tested.batches


def test_ranks_that_neither_the_model_nor_the_engine_knows_of(ranks):
    """To train a bare model where there are several ranks has to be asked for."""
    message = (
        "torch.distributed has 2 ranks, and neither the model nor the engine knows of them: each "
        "would train another model, on its share of the records; wrap the model and give "
        "Engine(..., runtime=runtimes.ddp()), or runtime=runtimes.torch() where each process "
        "trains a model of its own"
    )

    assert [(message, 1), (message, 2)] == ranks(untold)


@pytest.mark.parametrize(("kind", "name"), [("ddp", "DDPRuntime"), ("fsdp2", "FSDP2Runtime")])
def test_no_process_group(kind, name):
    """A runtime of several ranks without a process group is an error that says how to get one."""
    with pytest.raises(InvalidSetting) as caught:
        getattr(runtimes, kind)()

    assert (
        f"{name} needs a process group, and there is none; call "
        "torch.distributed.init_process_group() first, and start the script with torchrun"
    ) == str(caught.value)


def talk(here):
    runtime = runtimes.ddp()
    return runtime.agree([here.rank, 2**53 - 1]), runtime.gather({"rank": here.rank})


def test_ranks_talk(ranks):
    """Numbers and objects arrive in the order of the ranks, and integers up to 2**53 exactly."""
    expected = ([[0, 2**53 - 1], [1, 2**53 - 1]], [{"rank": 0}, {"rank": 1}])

    assert [expected, expected] == ranks(talk)


def agreed_three_times(here):
    runtime = runtimes.ddp()
    return [runtime.agree([here.rank, called, 0.1]) for called in range(3)]


@pytest.mark.slow
@pytest.mark.parametrize("world_size", [3, 6])
def test_any_number_of_ranks_agree(tmp_path, ranks, world_size):
    """Each rank gets what every rank gave, in their order, whether or not they are a power of two."""
    several = type(ranks)(tmp_path, world_size)

    everyone = several(agreed_three_times)

    assert several.close() == [0] * world_size
    assert [
        [[[rank, called, 0.1] for rank in range(world_size)] for called in range(3)]
    ] * world_size == everyone
