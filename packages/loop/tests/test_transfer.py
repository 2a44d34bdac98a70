"""Batches on their way to a GPU: on a stream of their own, and one ahead where that leaves no trace."""

import copy
from contextlib import contextmanager

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.optim import SGD
from torch.utils.data import DataLoader, TensorDataset

from treadle_loop import Engine, TensorLoader, supervised
from treadle_loop.devices import place
from treadle_loop.transfer import draws_nothing, sent

CUDA = torch.device("cuda", 0)
needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


class Recorded(Tensor):
    """A tensor that stays on the CPU, and says that it is where it was sent."""

    where, pinned, name, log = torch.device("cpu"), False, "", None

    @property
    def device(self):
        return self.where

    def like(self, name):
        other = torch.zeros(1).as_subclass(Recorded)
        other.where, other.pinned, other.name, other.log = self.where, self.pinned, name, self.log
        return other

    def is_pinned(self):
        return self.pinned

    def pin_memory(self):
        other = self.like(self.name)
        other.pinned = True
        self.log.append(("pin", self.name))
        return other

    def to(self, device, *, non_blocking=False):
        other = self.like(self.name)
        other.where, other.pinned = device, False
        self.log.append(("copy", self.name, self.log.stream, non_blocking))
        return other

    def record_stream(self, stream):
        self.log.append(("used on", self.name, stream))


class Log(list):
    """What was asked of CUDA, in order, and the stream it was asked on."""

    stream = "computing"


@pytest.fixture
def log(monkeypatch):
    """CUDA without a device."""
    log = Log()

    class Stream(str):
        __slots__ = ()

        def __new__(cls, name="computing"):
            return super().__new__(cls, "copying" if isinstance(name, torch.device) else name)

        def record_event(self):
            event = f"event {sum(entry[0] == 'event' for entry in log)}"
            log.append(("event", str(self)))
            return event

        def wait_event(self, event):
            log.append(("wait", str(self), event))

    @contextmanager
    def stream(stream):
        log.stream = str(stream)
        yield
        log.stream = "computing"

    monkeypatch.setattr(
        "treadle_loop.transfer.draws_nothing", lambda loader: isinstance(loader, Workers)
    )
    monkeypatch.setattr(torch.cuda, "Stream", Stream)
    monkeypatch.setattr(torch.cuda, "stream", stream)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: Stream())
    return log


def recorded(name, log, *, pinned=False, where="cpu"):
    tensor = torch.zeros(1).as_subclass(Recorded)
    tensor.name, tensor.log, tensor.pinned, tensor.where = name, log, pinned, torch.device(where)
    return tensor


class Plain(list):
    """Batches, of which each is noted when it is drawn."""

    def __init__(self, batches, log):
        super().__init__(batches)
        self.log = log

    def __iter__(self):
        for index, batch in enumerate(list(super().__iter__())):
            self.log.append(("draw", index))
            yield batch


class Workers(Plain):
    """The same from workers, so that nothing is drawn in this process."""


def through(loader, log):
    """The batches, with a note where each is handed out and used."""
    for index, batch in enumerate(sent(iter(loader), loader, CUDA)):
        log.append(("compute", index))
        yield batch


def steps(log, *kinds):
    return [entry[:2] for entry in log if entry[0] in kinds]


@pytest.mark.parametrize("device", [None, torch.device("cpu"), torch.device("meta")])
def test_elsewhere_nothing_changes(device):
    """For any other device, the loader's iterator is the one that was given."""
    batches = iter([1, 2])

    assert batches is sent(batches, [], device)


def test_a_copy_is_made_beside_the_computation(log):
    """It is queued on the copying stream; the computing one waits for it, and is recorded on it."""
    loader = Plain([(recorded("x", log), {"y": recorded("y", log, pinned=True)}, "text")], log)

    ((inputs, targets, text),) = through(loader, log)

    assert [
        ("draw", 0),
        ("pin", "x"),
        ("copy", "x", "copying", True),
        ("copy", "y", "copying", True),
        ("event", "copying"),
        ("wait", "computing", "event 0"),
        ("used on", "x", "computing"),
        ("used on", "y", "computing"),
        ("compute", 0),
    ] == log
    assert (CUDA, CUDA, "text") == (inputs.device, targets["y"].device, text)
    assert torch.device("cpu") == loader[0][0].device


def test_what_is_on_a_device_already_is_left(log):
    """It is not copied, and is there when the batch is handed out."""
    there = recorded("x", log, where="cuda:0")
    loader = Plain([(there,)], log)

    ((same,),) = through(loader, log)

    assert there is same
    assert [] == steps(log, "pin", "copy")


def test_workers_are_one_batch_ahead(log):
    """The next batch is drawn and queued before this one is computed; none is lost or repeated."""
    loader = Workers([(recorded(str(index), log),) for index in range(4)], log)

    names = [batch[0].name for batch in through(loader, log)]

    assert ["0", "1", "2", "3"] == names
    assert [
        ("draw", 0),
        ("copy", "0"),
        ("draw", 1),
        ("copy", "1"),
        ("compute", 0),
        ("draw", 2),
        ("copy", "2"),
        ("compute", 1),
        ("draw", 3),
        ("copy", "3"),
        ("compute", 2),
        ("compute", 3),
    ] == steps(log, "draw", "copy", "compute")
    # Each waits for its own copy, and not for the one that is under way.
    assert [f"event {index}" for index in range(4)] == [e[2] for e in log if e[0] == "wait"]


def test_what_draws_here_is_never_ahead(log):
    """Where drawing may use this process's random numbers, each is drawn when it is asked for."""
    loader = Plain([(recorded(str(index), log),) for index in range(3)], log)

    names = [batch[0].name for batch in through(loader, log)]

    assert ["0", "1", "2"] == names
    assert [(kind, index) for index in range(3) for kind in ("draw", "compute")] == steps(
        log, "draw", "compute"
    )


@pytest.mark.parametrize("kind", [Workers, Plain])
@pytest.mark.parametrize("count", [0, 1, 2])
def test_short_passes_are_whole(log, kind, count):
    """Nothing, one batch, or two."""
    loader = kind([(recorded(str(index), log),) for index in range(count)], log)

    batches = sent(iter(loader), loader, CUDA)

    assert [str(index) for index in range(count)] == [batch[0].name for batch in batches]
    assert [] == list(batches)


@pytest.mark.parametrize("kind", [Workers, Plain])
def test_a_pass_can_be_left(log, kind):
    """After a break the loader's iterator is let go, and the next pass begins at its beginning."""
    closed = []

    class Closing(kind):
        def __iter__(self):
            try:
                yield from super().__iter__()
            finally:
                closed.append(True)

    loader = Closing([(recorded(str(index), log),) for index in range(5)], log)

    for batch in through(loader, log):
        if batch[0].name == "1":
            break
    left = list(closed)

    assert [True] == left
    assert 5 == len(list(through(loader, log)))


@pytest.mark.parametrize("kind", [Workers, Plain])
def test_an_error_comes_where_it_belongs(log, kind):
    """What fails while the next batch is drawn is raised when that is asked for, not one early."""

    class Failing(kind):
        def __iter__(self):
            yield from super().__iter__()
            raise KeyError

    loader = Failing([(recorded("0", log),), (recorded("1", log),)], log)
    names = []

    with pytest.raises(KeyError):
        names.extend(batch[0].name for batch in through(loader, log))

    assert ["0", "1"] == names


def loaders():
    dataset = TensorDataset(torch.zeros(4))

    class Stateful(DataLoader):
        def state_dict(self):
            """Where it is."""

        def load_state_dict(self, state):
            """Go there."""

    class Noisy(TensorLoader):
        def __iter__(self):
            for (batch,) in super().__iter__():
                yield batch + torch.rand(())

    class Tired(DataLoader):
        def __iter__(self):
            yield from super().__iter__()

    class Indexed:
        def __getitem__(self, index):
            return [1, 2][index]

    return {
        "indexed": (Indexed(), False),
        "inherited tensors": (Noisy(torch.zeros(4), batch_size=2), False),
        "inherited workers": (Tired(dataset, num_workers=2), False),
        "tensors": (TensorLoader(torch.zeros(4), batch_size=2), True),
        "workers": (DataLoader(dataset, num_workers=2), True),
        "no workers": (DataLoader(dataset), False),
        "list": ([1, 2], False),
        "stateful": (Stateful(dataset, num_workers=2), False),
    }


@pytest.mark.parametrize("case", loaders())
def test_which_loaders_are_drawn_ahead(case):
    """Those that use no random number here, and do not say that they are used."""
    loader, ahead = loaders()[case]

    assert ahead == draws_nothing(loader)


@pytest.mark.parametrize("pinned", [False, True])
def test_a_tensor_is_moved_once(log, pinned):
    """Each tensor of a batch once, and without waiting only where it is pinned."""
    batch = {name: recorded(name, log, pinned=pinned) for name in ("x", "y")} | {
        "more": [recorded("z", log, pinned=pinned)]
    }

    moved = place(batch, CUDA)

    assert [("copy", name, "computing", pinned) for name in "xyz"] == log
    assert moved == place(moved, CUDA)
    assert 3 == len(log)


@needs_cuda
@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("accumulate", [1, 3])
def test_training_on_cuda_is_the_loop_by_hand(same, workers, accumulate):
    """Weights are those of batches that were copied one by one, and waited for."""
    torch.manual_seed(0)
    data = TensorDataset(torch.randn(512, 64), torch.randint(3, (512,)))
    loader = DataLoader(data, batch_size=16, num_workers=workers)
    model = nn.Sequential(nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, 3)).to(CUDA)
    hand = copy.deepcopy(model)
    engine = Engine(
        model, supervised(cross_entropy), SGD(model.parameters(), lr=0.1), accumulate=accumulate
    )
    optimizer = SGD(hand.parameters(), lr=0.1)

    for _ in range(2):
        engine.train_epoch(loader)
    for _ in range(2):
        batches = list(loader)
        for start in range(0, len(batches), accumulate):
            window = batches[start : start + accumulate]
            optimizer.zero_grad()
            for inputs, targets in window:
                (cross_entropy(hand(inputs.to(CUDA)), targets.to(CUDA)) / len(window)).backward()
            torch.cuda.synchronize()
            optimizer.step()

    assert same(hand.state_dict(), model.state_dict())


@needs_cuda
def test_a_pass_on_cuda_reads_nothing():
    """No synchronisation in a pass, with everything that does not ask for one."""
    tensors = torch.randn(512, 64), torch.randint(3, (512,))
    model = nn.Linear(64, 3).to(CUDA)
    engine = Engine(
        model,
        supervised(cross_entropy),
        SGD(model.parameters(), lr=0.1),
        accumulate=3,
        clip_norm=1.0,
        ema=0.9,
        precision="bf16",
    )
    loader = TensorLoader(*(tensor.to(CUDA) for tensor in tensors), batch_size=16)
    engine.train_epoch(loader)

    before = torch.cuda.get_sync_debug_mode()
    torch.cuda.set_sync_debug_mode("error")
    try:
        updates = sum(1 for _ in engine.updates(loader))
    finally:
        torch.cuda.set_sync_debug_mode(before)

    assert 11 == updates


@needs_cuda
@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_half_precision_trains_on_cuda(precision):
    """The loss goes down, on tensors that are moved by the engine."""
    torch.manual_seed(0)
    inputs = torch.randn(512, 64)
    loader = TensorLoader(inputs, inputs[:, :3].argmax(1), batch_size=32, shuffle=True)
    model = nn.Linear(64, 3).to(CUDA)
    engine = Engine(
        model, supervised(cross_entropy), SGD(model.parameters(), lr=0.5), precision=precision
    )

    first = engine.train_epoch(loader)
    for _ in range(5):
        last = engine.train_epoch(loader)

    assert float(last.loss) < float(first.loss) / 2
