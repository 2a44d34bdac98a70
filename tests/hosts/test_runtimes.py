"""The same engine inside Fabric and Accelerate, on one process and on two ranks."""

import importlib.util
import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import distributed as dist
from torch import nn
from torch.nn.functional import mse_loss
from torch.utils.data import DataLoader, TensorDataset
from torch.utils.data.distributed import DistributedSampler

from treadle_loop import (
    Engine,
    EpochSampler,
    InvalidSetting,
    NotFinite,
    RecordsRepeated,
    runtimes,
    supervised,
)

pytestmark = pytest.mark.hosts
WHY = "needs the hosts environment: hatch run hosts:test"
accelerate = pytest.importorskip("accelerate", reason=WHY)
fabric = pytest.importorskip("lightning.fabric", reason=WHY)

_PATH = Path(__file__).parents[2] / "packages/loop/tests/ranks/conftest.py"
_specification = importlib.util.spec_from_file_location("two_ranks", _PATH)
_two_ranks = importlib.util.module_from_spec(_specification)
_specification.loader.exec_module(_two_ranks)
ranks, alone = _two_ranks.ranks, _two_ranks.alone

step = supervised(mse_loss)


def enter(here):
    """Let a host find the ranks that are there, as under torchrun."""
    os.environ["OMP_NUM_THREADS"] = "1"
    if here.world_size == 1:
        return
    os.environ |= {
        "RANK": str(here.rank),
        "LOCAL_RANK": str(here.rank),
        "GROUP_RANK": "0",
        "WORLD_SIZE": str(here.world_size),
        "LOCAL_WORLD_SIZE": str(here.world_size),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": "29500",  # which nobody opens: the group is there already
        "TORCHELASTIC_RUN_ID": "tests",
    }


def made_fabric(here, **settings):
    enter(here)
    settings = {"strategy": "ddp" if here.world_size > 1 else "auto", **settings}
    made = fabric.Fabric(accelerator="cpu", devices=here.world_size, **settings)
    made.launch()
    return made


def made_accelerator(here, **settings):
    enter(here)
    # It keeps what it was made with for the whole process, and the next one must not find it.
    accelerate.state.AcceleratorState._reset_state(reset_partial_state=True)
    accelerate.state.GradientState._reset_state()
    return accelerate.Accelerator(cpu=True, **settings)


def sharded(model, mesh):
    from torch.distributed.fsdp import fully_shard

    mesh = mesh["data_parallel"]
    fully_shard(model[0], mesh=mesh)
    return fully_shard(model, mesh=mesh)


def network(dtype=torch.float64):
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 2)).to(dtype)


def adam(model, **settings):
    return torch.optim.AdamW(model.parameters(), lr=0.01, **settings)


def set_up(here, host, model=None, make=adam, **settings):
    """Model, optimizer and runtime, as a user of the host makes them."""
    model = network() if model is None else model
    if host == "fabric":
        made = made_fabric(here, **settings)
        return (*made.setup(model, make(model)), runtimes.fabric(made))
    if host == "fabric, sharded":
        from lightning.fabric.strategies import ModelParallelStrategy

        strategy = ModelParallelStrategy(
            sharded, data_parallel_size=here.world_size, tensor_parallel_size=1
        )
        made = made_fabric(here, strategy=strategy)
        model = made.setup_module(model)
        return model, made.setup_optimizers(make(model)), runtimes.fabric(made)
    if host == "accelerate":
        made = made_accelerator(here, **settings)
        return (*made.prepare(model, make(model)), runtimes.accelerate(made))
    model, runtime = here.wrap(model, host)
    return model, make(model), runtime


def dataset(records=28, dtype=torch.float64):
    generator = torch.Generator().manual_seed(1)
    return TensorDataset(
        *(torch.randn(records, size, generator=generator, dtype=dtype) for size in (6, 2))
    )


def loader_of(here, data, size=6):
    """Of the same records a batch, on however many ranks."""
    return DataLoader(data, batch_size=size // here.world_size, sampler=EpochSampler(data, seed=3))


def numbers_of(engine):
    state = engine.state_dict()["model"]
    return {
        f"{name} {place}": number
        for name, value in state.items()
        for place, number in enumerate(value.flatten().tolist())
    }


def trained(here, host, accumulate):
    model, optimizer, runtime = set_up(here, host)
    scheduler = torch.optim.lr_scheduler.ExponentialLR(
        getattr(optimizer, "optimizer", optimizer), 0.9
    )
    engine = Engine(
        model,
        step,
        optimizer,
        accumulate=accumulate,
        clip_norm=0.5,
        scheduler=scheduler,
        runtime=runtime,
    )
    loader = loader_of(here, dataset())
    updates = [update for _ in range(2) for update in engine.updates(loader)]
    tested = engine.test_epoch(loader)
    return {
        "counts": [update.counts for update in updates],
        "losses": [float(update.loss) for update in updates] + [float(tested.loss)],
        "norms": [float(update.grad_norm) for update in updates],
        "weights": numbers_of(engine),
        "types": sorted({type(update.grad_norm).__name__ for update in updates}),
    }


@pytest.mark.parametrize("accumulate", [1, 4])
@pytest.mark.parametrize("host", ["fabric", "accelerate"])
def test_one_process_in_a_host_is_plain_torch(alone, host, accumulate):
    """In one process, a host changes no bit of losses, norms, counts and weights."""
    assert alone(trained, "plain", accumulate) == alone(trained, host, accumulate)


@pytest.mark.parametrize("accumulate", [1, 4])
@pytest.mark.parametrize("host", ["ddp", "fsdp2", "fabric", "fabric, sharded", "accelerate"])
def test_two_ranks_in_a_host_are_one_process(ranks, alone, host, accumulate):
    """On two ranks, each host comes to one process's numbers, with short windows and batches."""
    expected = alone(trained, "plain", accumulate)
    first, second = ranks(trained, host, accumulate)

    assert first["norms"] == second["norms"]
    for one in (first, second):
        assert expected["counts"] == one["counts"]
        assert expected["types"] == one["types"] == ["Tensor"]
        for name in ("losses", "norms", "weights"):
            assert expected[name] == pytest.approx(one[name], rel=1e-10)


def exchanges(here, host):
    """How often gradients were exchanged in each update."""
    model, optimizer, runtime = set_up(here, host)
    exchanged = []

    def hook(_, bucket):
        exchanged.append(bucket.is_last())
        return (
            dist.all_reduce(bucket.buffer(), async_op=True)
            .get_future()
            .then(lambda future: future.value()[0] / here.world_size)
        )

    replicated = getattr(model, "_forward_module", model)
    replicated.register_comm_hook(None, hook)
    engine = Engine(model, step, optimizer, accumulate=4, runtime=runtime)
    counts = []
    for _ in engine.updates(loader_of(here, dataset())):
        counts.append(sum(exchanged))
        exchanged.clear()
    return counts


@pytest.mark.parametrize("host", ["fabric", "accelerate"])
def test_gradients_are_held_back_in_a_host(ranks, host):
    """Gradients are exchanged once an update, also in a short window."""
    assert [[1, 1], [1, 1]] == ranks(exchanges, host)


def half_trained(here, host, data, settings, **engine_settings):
    model = network(torch.float32)
    model, optimizer, runtime = set_up(here, host, model, **settings)
    engine = Engine(model, step, optimizer, clip_norm=1.0, runtime=runtime, **engine_settings)
    engine.train_epoch(loader_of(here, data))
    tested = engine.test_epoch(loader_of(here, data))
    return numbers_of(engine), float(tested.loss)


@pytest.mark.parametrize(
    ("host", "settings"),
    [("fabric", {"precision": "bf16-mixed"}), ("accelerate", {"mixed_precision": "bf16"})],
)
def test_the_precision_of_a_host(alone, host, settings):
    """The mixed precision of a host comes to what the engine's own does."""
    data = dataset(dtype=torch.float32)
    expected, loss = alone(
        lambda here: half_trained(here, "plain", data, {}, precision="bf16"),
    )
    actual, tested = alone(lambda here: half_trained(here, host, data, settings))
    full, _ = alone(lambda here: half_trained(here, "plain", data, {}))

    assert expected == pytest.approx(actual, abs=1e-6)
    assert loss == pytest.approx(tested, rel=1e-3)
    assert full != pytest.approx(actual, abs=1e-6)


@pytest.mark.parametrize("host", ["fabric", "accelerate"])
def test_the_engine_scales_losses_in_a_host(alone, host):
    """With fp16 of the engine, a host that has no precision of its own changes no bit."""
    data = dataset(dtype=torch.float32)
    expected = alone(lambda here: half_trained(here, "plain", data, {}, precision="fp16"))

    assert expected == alone(lambda here: half_trained(here, host, data, {}, precision="fp16"))


@pytest.mark.parametrize("host", ["fabric", "accelerate"])
def test_a_scheduler_follows_steps_that_are_scaled(alone, host):
    """With fp16, a scheduler of the host's optimizer moves the rate, and torch warns of nothing."""

    def rates(here):
        model, optimizer, runtime = set_up(here, host, network(torch.float32))
        scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.5)
        settings = {"precision": "fp16", "scheduler": scheduler, "runtime": runtime}
        engine = Engine(model, step, optimizer, **settings)
        engine.update([dataset(6, torch.float32).tensors])
        return [group["lr"] for group in optimizer.param_groups]

    assert [0.005] == alone(rates)


@pytest.mark.parametrize("host", ["fabric", "accelerate"])
def test_an_optimizer_that_computes_the_loss(alone, host):
    """LBFGS, whose closure a host's wrapper hides, is refused by its own name."""

    def refused(here):
        model, optimizer, runtime = set_up(
            here, host, make=lambda model: torch.optim.LBFGS(model.parameters())
        )
        return mistake(lambda: Engine(model, step, optimizer, runtime=runtime))

    assert (
        "the optimizer is of type LBFGS, whose step() computes the loss itself, as often as it "
        "likes, through a closure; the engine computes it once an update, so write that loop by "
        "hand, or use another optimizer"
    ) == alone(refused)


def names_compiled(here, host):
    model, optimizer, runtime = set_up(here, host, torch.compile(network(), backend="eager"))
    return list(Engine(model, step, optimizer, runtime=runtime).state_dict()["model"])


@pytest.mark.parametrize("host", ["fabric", "accelerate"])
def test_a_compiled_model_has_its_own_names(alone, ranks, host):
    """The names of a state are the user's on one rank and on two, of a compiled model, too."""
    expected = list(network().state_dict())

    assert expected == alone(names_compiled, host)
    assert [expected, expected] == ranks(names_compiled, host)


def untold(here):
    model, optimizer, _ = set_up(here, "fabric")
    return mistake(lambda: Engine(model, step)), mistake(lambda: Engine(model, step, optimizer))


def test_an_engine_that_was_not_told_of_fabric(ranks):
    """On two ranks, a model of Fabric's without its runtime is refused, in evaluation too."""
    message = (
        "the model is a _FabricModule, which trains on several ranks, and the engine was not told "
        "so: its counts and means would be those of one rank; give Engine(..., "
        "runtime=runtimes.fabric(fabric))"
    )

    assert [(message, message)] * 2 == ranks(untold)


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("host", ["fabric", "accelerate"])
def test_an_update_that_is_not_finite_is_withheld_in_a_host(alone, host, fused):
    """Also where the optimizer in the host's wrapper is a fused one, which withholds by itself."""

    def withheld(here):
        model, optimizer, runtime = set_up(here, host, make=lambda m: adam(m, fused=fused))
        engine = Engine(model, step, optimizer, check_finite=True, runtime=runtime)
        before = numbers_of(engine)
        inputs, targets = dataset().tensors
        with pytest.raises(NotFinite):
            engine.train_epoch([(inputs * float("nan"), targets)])
        return before == numbers_of(engine)

    assert alone(withheld)


def mistake(attempt, error=InvalidSetting):
    try:
        attempt()
    except error as caught:
        return str(caught)
    return "nothing was refused"


def test_two_accumulations_are_one_too_many(alone):
    """An accelerator that accumulates is refused, and both settings are named."""

    def refused(here):
        accelerator = made_accelerator(here, gradient_accumulation_steps=2)
        return mistake(lambda: runtimes.accelerate(accelerator))

    assert (
        "Accelerator was made with gradient_accumulation_steps=2, so it would divide each loss "
        "again and skip steps that the engine makes; leave it out there, and give "
        "Engine(..., accumulate=2)"
    ) == alone(refused)


@pytest.mark.parametrize(
    ("host", "settings", "told"),
    [
        ("fabric", {"precision": "bf16-mixed"}, "Fabric(precision='bf16-mixed')"),
        ("accelerate", {"mixed_precision": "bf16"}, "Accelerator(mixed_precision='bf16')"),
    ],
)
def test_two_precisions_are_one_too_many(alone, host, settings, told):
    """A precision of the engine beside one of its host is refused, and both are named."""

    def refused(here):
        model, optimizer, runtime = set_up(here, host, **settings)
        return mistake(lambda: Engine(model, step, optimizer, precision="bf16", runtime=runtime))

    assert (
        f"precision is 'bf16', and the host has one of its own, {told}; leave one of the two out"
    ) == alone(refused)


def test_a_fabric_that_converts_is_refused(alone):
    """A precision in which Fabric converts model and inputs is refused by its name."""

    def refused(here):
        made = made_fabric(here, precision="64-true")
        return mistake(lambda: runtimes.fabric(made))

    assert (
        "Fabric was made with precision='64-true', and '32-true' or 'bf16-mixed' was expected: "
        "with another it skips steps that the engine would count, or converts what an evaluation "
        'here would not; leave it out there, and for fp16 give Engine(..., precision="fp16")'
    ) == alone(refused)


def test_a_fabric_that_is_not_launched():
    """A Fabric of two processes that were not started is refused before a model is made."""
    made = fabric.Fabric(accelerator="cpu", devices=2, strategy="ddp")

    assert (
        "fabric has 2 processes, and there is no process group in which they could talk; make the "
        "runtime after they were started, as fabric.launch() does"
    ) == mistake(lambda: runtimes.fabric(made))


def test_a_model_that_was_not_set_up(alone):
    """A model that did not go through fabric.setup is refused, in one process too."""

    def refused(here):
        runtime = runtimes.fabric(made_fabric(here))
        model = network()
        return mistake(lambda: Engine(model, step, adam(model), runtime=runtime))

    assert (
        "the model is a Sequential that Fabric knows nothing of; set it up first: "
        "model, optimizer = fabric.setup(model, optimizer)"
    ) == alone(refused)


def unprepared(here):
    runtime = runtimes.accelerate(made_accelerator(here))
    model = network()
    return mistake(lambda: Engine(model, step, adam(model), runtime=runtime))


def test_a_model_that_was_not_prepared(ranks):
    """On two ranks, a model that did not go through accelerator.prepare is refused."""
    message = (
        "the model is a Sequential, and runtimes.accelerate() expects one that accelerator.prepare "
        "wrapped in DistributedDataParallel, sharded by fully_shard (FSDP2) or, with one "
        "process, left as it was; call that, with a strategy that does so"
    )

    assert [message, message] == ranks(unprepared)


def half_sharded(here):
    from lightning.fabric.strategies import ModelParallelStrategy

    # By itself it spreads tensors over the ranks of a machine, and data over machines.
    made = made_fabric(here, strategy=ModelParallelStrategy(sharded))
    model = made.setup_module(network())
    runtime = runtimes.fabric(made)
    return mistake(lambda: Engine(model, step, adam(model), runtime=runtime))


def test_a_model_in_shards_of_some_ranks(ranks):
    """A model whose gradients would be exchanged with some ranks only is refused."""
    message = (
        "the parameter 0.weight is spread over 1 of 2 ranks, and each rank trains on records of "
        "its own, so the others would train another model; give fully_shard a mesh of all ranks"
    )

    assert [message, message] == ranks(half_sharded)


def test_a_scheduler_that_steps_for_every_process(alone):
    """A scheduler that accelerator.prepare has wrapped is refused: it steps once a process."""

    def refused(here):
        accelerator = made_accelerator(here)
        model = network()
        optimizer = adam(model)
        scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.9)
        model, optimizer, scheduler = accelerator.prepare(model, optimizer, scheduler)
        runtime = runtimes.accelerate(accelerator)
        return mistake(lambda: Engine(model, step, optimizer, scheduler=scheduler, runtime=runtime))

    assert (
        "the scheduler is an AcceleratedScheduler, which steps once for each process at each step; "
        "give the scheduler itself, without accelerator.prepare"
    ) == alone(refused)


def saved(here, host):
    model, optimizer, runtime = set_up(here, host)
    engine = Engine(model, step, optimizer, ema=0.9, runtime=runtime)
    loader = loader_of(here, dataset())
    for update in engine.updates(loader):
        if update.index == 2:
            break
    file = io.BytesIO()
    torch.save(engine.state_dict(), file)
    engine.train_epoch(loader)
    return file.getvalue()


def gone_on(here, host, state):
    """What is left of a pass whose beginning was trained elsewhere."""
    model, optimizer, runtime = set_up(here, host)
    engine = Engine(model, step, optimizer, ema=0.9, runtime=runtime)
    engine.load_state_dict(torch.load(io.BytesIO(state), weights_only=True))
    rest = engine.train_epoch(loader_of(here, dataset()))
    return rest.counts, engine.updates_made, numbers_of(engine)


HOSTS = ["ddp", "fsdp2", "fabric", "fabric, sharded", "accelerate"]
LOADERS = ["fabric", "accelerate", "accelerate, dispatching"]


@pytest.mark.parametrize("host", HOSTS)
def test_a_state_of_a_host_loads_in_plain_torch(ranks, alone, host):
    """A state saved on two ranks in a host has the user's names and goes on in one process."""
    first, _ = ranks(saved, host)
    expected = alone(gone_on, "plain", alone(saved, "plain"))
    counts, made, weights = alone(gone_on, "plain", first)
    state = torch.load(io.BytesIO(first), weights_only=True)
    network().load_state_dict(state["model"])

    assert list(network().state_dict()) == state["parameter_names"]
    assert list(network().state_dict()) == list(state["averages"]["averages"])
    assert expected[:2] == (counts, made)
    assert expected[2] == pytest.approx(weights, rel=1e-10)


@pytest.mark.parametrize("host", HOSTS)
def test_a_state_of_plain_torch_loads_in_a_host(ranks, alone, host):
    """A state saved in one process goes on in a host, on two ranks."""
    state = alone(saved, "plain")
    expected = alone(gone_on, "plain", state)

    for counts, made, weights in ranks(gone_on, host, state):
        assert expected[:2] == (counts, made)
        assert expected[2] == pytest.approx(weights, rel=1e-10)


def the_loader_of_a_host(here, host, sampler=None, **settings):
    """An engine in a host, and a loader that the host has set up: 8 records a batch and rank."""
    model = network()
    data = dataset(settings.pop("records", 64))
    told = {}
    if host == "accelerate, dispatching":
        told["dataloader_config"] = accelerate.DataLoaderConfiguration(dispatch_batches=True)
    loader = DataLoader(data, batch_size=8, sampler=sampler, shuffle=sampler is None, **settings)
    if host == "fabric":
        made = made_fabric(here)
        model, optimizer = made.setup(model, adam(model))
        runtime = runtimes.fabric(made)
        loader = made.setup_dataloaders(loader)
    else:
        made = made_accelerator(here, **told)
        model, optimizer, loader = made.prepare(model, adam(model), loader)
        runtime = runtimes.accelerate(made)
    return Engine(model, step, optimizer, runtime=runtime), loader


def counted(here, host):
    engine, loader = the_loader_of_a_host(here, host)
    return [engine.train_epoch(loader).counts, engine.test_epoch(loader).counts]


@pytest.mark.parametrize("host", LOADERS)
def test_the_loader_of_a_host_deals_out(ranks, host):
    """A loader that the host set up counts the records of all ranks."""
    counts = {"records": 64, "batches": 4, "epochs": 1}
    expected = [{**counts, "steps": 4}, {**counts, "steps": 0}]

    assert [expected, expected] == ranks(counted, host)


def repeated(here, host):
    """What training and testing say on 255 records that the host makes 256 of."""
    engine, loader = the_loader_of_a_host(here, host, records=255)
    exact = loader_of(here, dataset(255), size=16)
    return (
        mistake(lambda: engine.train_epoch(loader), RecordsRepeated),
        mistake(lambda: engine.test_epoch(loader), RecordsRepeated),
        engine.train_epoch(exact).records,
        engine.test_epoch(exact).records,
    )


@pytest.mark.parametrize(
    ("host", "sampler"),
    [
        ("fabric", "DistributedSampler"),
        ("accelerate", "BatchSamplerShard"),
        ("accelerate, dispatching", "DataLoaderDispatcher"),
    ],
)
def test_no_record_is_counted_twice(ranks, host, sampler):
    """255 records are never 256: a loader that repeats one is refused, and ours repeats none."""
    message = (
        f"the {sampler} repeats 1 of 255 records, so that all 2 ranks have equally many, and a "
        "repeated one would count, and weigh, twice; use EpochSampler(dataset), with "
        "drop_last=True for training, or leave the last records out of this one: drop_last=True"
    )
    expected = (message, message, 255, 255)

    assert [expected, expected] == ranks(repeated, host)


def dealt_twice(here, host):
    engine, loader = the_loader_of_a_host(here, host, EpochSampler(dataset(64)))
    return mistake(lambda: engine.train_epoch(loader))


@pytest.mark.parametrize("host", LOADERS)
def test_a_share_is_not_dealt_out_again(ranks, host):
    """A loader that deals out by itself, and went through the host as well, is refused."""
    message = (
        "the loader splits a rank's share of the records over the ranks again, so most records "
        "would never be seen; leave it as it was made: it is split already, and the engine "
        "moves its batches"
    )

    assert [message, message] == ranks(dealt_twice, host)


def resumed(here, host, sampler, stop):
    """Weights after three passes, and after those of a training that is stopped and gone on with."""

    def make():
        samplers = {
            "shuffle": None,
            "epochs": EpochSampler(dataset(64), rank=0, world_size=1),
            "distributed": DistributedSampler(range(64), here.world_size, here.rank),
        }
        torch.manual_seed(5)
        return the_loader_of_a_host(here, host, samplers[sampler])

    engine, loader = make()
    for _ in range(3):
        engine.train_epoch(loader)
    whole = numbers_of(engine)
    engine, loader = make()
    engine.train_epoch(loader)
    for update in engine.updates(loader):
        if update.index == stop:
            break
    file = io.BytesIO()
    torch.save(engine.state_dict(), file)
    engine, loader = make()
    engine.load_state_dict(torch.load(io.BytesIO(file.getvalue()), weights_only=True))
    while engine.epoch < 3:
        engine.train_epoch(loader)
    return whole == numbers_of(engine)


@pytest.mark.parametrize(
    ("host", "sampler", "stop"),
    [
        ("fabric", "shuffle", 3),
        ("fabric", "distributed", 3),
        ("accelerate", "shuffle", 3),
        ("accelerate", "epochs", 3),
        ("accelerate", "epochs", 1),
    ],
)
def test_the_loader_of_a_host_is_gone_on_with(ranks, host, sampler, stop):
    """A training on the loader of a host that was stopped goes on to the weights of one that was not."""
    assert [True, True] == ranks(resumed, host, sampler, stop)


def test_no_host_is_imported():
    """Neither Fabric nor Accelerate is imported by the loop."""
    code = (
        "import sys, treadle_loop; treadle_loop.runtimes.fabric, treadle_loop.runtimes.accelerate; "
        "print(sorted({'lightning', 'lightning_fabric', 'accelerate'} & sys.modules.keys()))"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert "[]\n" == said.stdout
