"""The compiled step: forward and loss, in training and evaluation, with the same result."""

import copy

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy
from torch.optim import SGD

from treadle_loop import Engine, InvalidSetting, Loss, Mean, RebuiltLoss, supervised


def own_step(model, batch):
    return cross_entropy(model(batch[0]), batch[1])


def loss_step(model, batch):
    inputs, targets = batch
    outputs = model(inputs)
    return Loss(
        cross_entropy(outputs, targets),
        weight=(targets != 0).sum(),
        counts={"targets": targets.numel()},
        metrics={
            "accuracy": (outputs.argmax(1) == targets).float().mean(),
            "top": Mean(outputs.max(), (targets == 0).sum()),
        },
    )


def accuracy(outputs, targets):
    return (outputs.argmax(1) == targets).float().mean()


STEPS = {
    "own": own_step,
    "loss": loss_step,
    "supervised": supervised(cross_entropy),
    "with metrics": supervised(cross_entropy, metrics={"accuracy": accuracy}),
}


def batches():
    torch.manual_seed(5)
    return [(torch.randn(size, 6), torch.randint(3, (size,))) for size in (4, 4, 4, 4, 2)]


class Backend:
    """Compiles nothing, and keeps the graphs that it was given."""

    def __init__(self):
        self.operations = []

    def __call__(self, graph, inputs):
        self.operations.append({node.name for node in graph.graph.nodes})
        return graph.forward


@pytest.fixture(autouse=True)
def _fresh():
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


def trained(step, setting, **settings):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 3))
    optimizer = SGD(model.parameters(), lr=0.1)
    engine = Engine(model, step, optimizer, compile=setting, **settings)
    results = [engine.train_epoch(batches()), engine.test_epoch(batches())]
    return (
        dict(model.state_dict()),
        [float(result.loss) for result in results],
        [{name: float(value) for name, value in result.metrics.items()} for result in results],
        [result.counts for result in results],
    )


@pytest.mark.parametrize("name", STEPS)
def test_a_compiled_step_has_the_same_result(name):
    """Weights, losses, metrics and counts of training and evaluation, for each kind of step."""
    settings = {"accumulate": 2, "ema": 0.9, "check_finite": True, "clip_norm": 1.0}

    expected = trained(STEPS[name], False, **settings)
    # The first three are captured only; of the last, forward and backward are taken apart too.
    backend = "aot_eager" if name == "with metrics" else "eager"
    actual = trained(STEPS[name], {"backend": backend}, **settings)

    torch.testing.assert_close(actual, expected, rtol=1e-6, atol=1e-6)


def test_model_and_loss_are_in_one_graph():
    """The graph that is compiled holds the layers and the loss, once for training."""
    backend = Backend()
    torch.manual_seed(0)
    model = nn.Linear(6, 3)
    engine = Engine(
        model,
        supervised(cross_entropy),
        SGD(model.parameters(), lr=0.1),
        compile={"backend": backend},
    )

    engine.train_epoch(batches()[:4])

    (operations,) = backend.operations
    assert {"outputs", "loss"} & operations or any("cross_entropy" in one for one in operations)
    assert any("linear" in one for one in operations)


def test_the_mapping_goes_to_torch(monkeypatch):
    """compile={...} is handed on as it is, compile=True without anything."""
    given = []
    monkeypatch.setattr(torch, "compile", lambda step, **options: given.append(options) or step)
    model = nn.Linear(6, 3)

    Engine(model, own_step, compile={"mode": "max-autotune", "dynamic": True})
    Engine(model, own_step, compile=True)
    Engine(model, own_step)

    assert [{"mode": "max-autotune", "dynamic": True}, {}] == given


@pytest.mark.parametrize("setting", [1, 0, None, "max-autotune", ["backend"]])
def test_anything_else_is_refused(setting):
    """A text, a number and None are neither on nor off nor options."""
    with pytest.raises(InvalidSetting) as caught:
        Engine(nn.Linear(1, 1), own_step, compile=setting)

    assert (
        f"compile is {setting!r}, and True, False or a mapping of arguments for torch.compile was "
        'expected, such as {"mode": "max-autotune"}'
    ) == str(caught.value)


def test_averages_are_seen_by_a_compiled_step():
    """A graph that was compiled before averaged() computes with the averages within it."""
    losses = []
    for setting in (False, {"backend": "eager"}):
        torch.manual_seed(0)
        model = nn.Linear(6, 3)
        optimizer = SGD(model.parameters(), lr=1.0)
        engine = Engine(model, own_step, optimizer, compile=setting, ema=0.9)
        engine.train_epoch(batches())
        own = engine.test_epoch(batches()).loss
        with engine.averaged():
            averaged = engine.test_epoch(batches()).loss
        losses.append((own, averaged, engine.test_epoch(batches()).loss))
    plain, compiled = losses

    assert not torch.equal(plain[0], plain[1])
    torch.testing.assert_close(compiled, plain, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_a_compiled_step_is_autocast(precision):
    """It computes in half precision, as the same step does when it is not compiled."""
    expected = trained(own_step, False, precision=precision)
    actual = trained(own_step, {"backend": "eager"}, precision=precision)

    torch.testing.assert_close(actual, expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("step", [own_step, loss_step], ids=["tensor", "loss"])
def test_a_result_outlives_the_next_replay(monkeypatch, step):
    """What a captured graph returns is copied, since its next replay writes over it."""
    model = nn.Linear(6, 3)
    begun, returned = [], []

    def replayed(step, **options):
        def call(model, batch):
            fresh = step(model, batch)
            fresh = fresh if isinstance(fresh, Loss) else Loss(fresh, weight=torch.tensor(1.0))
            tensors = [fresh.value, fresh.weight]
            tensors += [
                each
                for metric in fresh.metrics.values()
                for each in (
                    [metric.value, metric.weight] if isinstance(metric, Mean) else [metric]
                )
            ]
            with torch.no_grad():
                for old in returned:
                    old.zero_()
            returned[:] = [each for each in tensors if not each.requires_grad]
            returned.append(fresh.value.detach())
            return step_of[0](fresh)

        step_of = [lambda fresh: fresh if step is loss_step else fresh.value]
        return call

    expected = Engine(model, step).test_epoch(batches())
    monkeypatch.setattr(torch, "compile", replayed)
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.compiler, "cudagraph_mark_step_begin", lambda: begun.append(True))
    engine = Engine(model, step, SGD(model.parameters(), lr=0.0), compile=True)
    result = engine.train_epoch(batches())

    torch.testing.assert_close(result.loss, expected.loss)
    torch.testing.assert_close(dict(result.metrics), dict(expected.metrics))
    assert [True] * 5 == begun


def test_a_rebuilt_loss_is_found_among_copies(monkeypatch):
    """The copy of a result does not hide that it was never computed from the weights."""
    monkeypatch.setattr(torch, "compile", lambda step, **options: step)
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.compiler, "cudagraph_mark_step_begin", lambda: None)

    def step(model, batch):
        return torch.tensor(1.0, requires_grad=True)

    model = nn.Linear(6, 3)
    engine = Engine(model, step, SGD(model.parameters(), lr=0.1), compile=True)

    with pytest.raises(RebuiltLoss):
        engine.train_epoch(batches())


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.filterwarnings("ignore:`torch.jit.script_method`:DeprecationWarning")
@pytest.mark.parametrize("name", ["supervised", "loss"])
def test_compiled_code_has_the_same_result(name):
    """What inductor makes of the step, to 1e-6."""
    expected = trained(STEPS[name], False, accumulate=2)
    actual = trained(STEPS[name], True, accumulate=2)

    torch.testing.assert_close(actual, expected, rtol=1e-6, atol=1e-6)


def test_the_model_is_not_changed():
    """Its state has the names that it had, and it can be copied and pickled as before."""
    model = nn.Linear(6, 3)
    engine = Engine(model, own_step, SGD(model.parameters(), lr=0.1), compile={"backend": "eager"})
    engine.train_epoch(batches())

    assert ["weight", "bias"] == list(engine.state_dict()["model"])
    assert engine.model is model
    assert torch.equal(model.weight, copy.deepcopy(model).weight)
