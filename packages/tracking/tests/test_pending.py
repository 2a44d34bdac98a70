import os
import signal
import subprocess
import sys
import threading
import weakref
from pathlib import Path
from types import SimpleNamespace

import pytest

from treadle_tracking import open_runs, start_run
from treadle_tracking.entries import Scalars
from treadle_tracking.errors import InvalidTensor, InvalidValue
from treadle_tracking.log import read_entries
from treadle_tracking.pending import Pending, is_on_device
from treadle_tracking.scalars import as_double, as_tensor

torch = pytest.importorskip("torch", reason="torch is no dependency of treadle-tracking")

READS = {"aten._to_copy.default", "aten._local_scalar_dense.default"}


class Away(torch.Tensor):
    """A tensor on a device of its own, which says what it is asked for."""

    @staticmethod
    def __new__(cls, inner, device, asked, failing):
        return torch.Tensor._make_wrapper_subclass(
            cls, inner.shape, dtype=inner.dtype, device=device, requires_grad=False
        )

    def __init__(self, inner, device, asked, failing):
        self.inner = inner
        self.on = device
        self.asked = asked
        self.failing = failing

    @classmethod
    def __torch_dispatch__(cls, function, types, args=(), kwargs=None):
        from torch.utils._pytree import tree_flatten, tree_map

        here = next(each for each in tree_flatten((args, kwargs))[0] if isinstance(each, cls))
        name = str(function)
        here.asked.append(name)
        if any(name.startswith(f"aten.{word}") for word in here.failing):
            raise RuntimeError(f"device error: {name}")
        args, kwargs = tree_map(
            lambda each: each.inner if isinstance(each, cls) else each, (args, kwargs or {})
        )
        given = function(*args, **kwargs)
        if name in READS:
            return given
        return tree_map(
            lambda each: (
                cls(each, here.on, here.asked, here.failing)
                if isinstance(each, torch.Tensor)
                else each
            ),
            given,
        )


class Device:
    """Puts tensors on a stand-in for a device, and knows what was asked of it."""

    def __init__(self):
        self.asked = []
        self.failing = set()  # operations

    def __call__(self, value, dtype=None, index=0):
        inner = value if isinstance(value, torch.Tensor) else torch.tensor(value, dtype=dtype)
        return Away(inner, f"privateuseone:{index}", self.asked, self.failing)

    @property
    def reads(self):
        return [name for name in self.asked if name in READS]


@pytest.fixture
def device():
    return Device()


@pytest.fixture
def pending():
    return Pending()


def test_a_call_reads_nothing_and_a_second_of_calls_is_read_at_once(device, pending):
    """`add` fetches nothing from the device; `take` fetches all calls in one transfer, with their times and steps."""
    for step in range(100):
        loss, accuracy = device(step / 8), device([[step / 2]])
        pending.add(1000.0 + step, step, {"loss": loss, "lr": 0.1, "accuracy": accuracy, "n": 3})
    before = list(device.reads), len(pending)
    taken = pending.take()

    assert ([], 100) == before
    assert ["aten._to_copy.default"] == device.reads
    assert [
        Scalars(
            wall_time=1000.0 + step,
            step=step,
            values={"loss": step / 8, "lr": 0.1, "accuracy": step / 2, "n": 3.0},
        )
        for step in range(100)
    ] == taken
    assert [["loss", "lr", "accuracy", "n"]] * 100 == [list(entry.values) for entry in taken]
    assert (0, []) == (len(pending), pending.take())


def test_there_is_one_transfer_for_each_dtype_on_each_device(device, pending):
    """Numbers of several dtypes and devices are never made into one another: each is the double that it is."""
    for _ in range(10):
        pending.add(
            1.0,
            1,
            {
                "float": device(0.1, torch.float32),
                "brain": device(0.1, torch.bfloat16),
                "half": device(0.1, torch.float16),
                "eight": device(torch.tensor(0.1).to(torch.float8_e4m3fn)),
                "double": device(0.1, torch.float64),
                "other": device(0.1, torch.float64, index=1),
                "integer": device(2**53 + 3, torch.int64),
                "unsigned": device(2**63, torch.uint64),
                "bool": device(True, torch.bool),
                "here": torch.tensor(0.5),
            },
        )
    taken = pending.take()

    assert 9 == len(device.reads)
    assert [
        {
            "float": 0.10000000149011612,
            "brain": 0.10009765625,
            "half": 0.0999755859375,
            "eight": 0.1015625,
            "double": 0.1,
            "other": 0.1,
            "integer": float(2**53 + 3),
            "unsigned": float(2**63),
            "bool": 1.0,
            "here": 0.5,
        }
    ] * 10 == [dict(entry.values) for entry in taken]


def test_what_happens_to_a_tensor_afterwards_is_not_seen(device, pending):
    """A tensor that is changed in place after the call was logged as it was at the call."""
    total = device(1.0)
    pending.add(1.0, 1, {"total": total})
    total += 41
    pending.add(2.0, 2, {"total": total})

    assert [1.0, 42.0] == [entry.values["total"] for entry in pending.take()]


def test_nothing_but_the_number_is_kept_alive(device, pending):
    """One element of a big tensor does not keep the tensor: what waits is as small as it looks."""
    big = torch.zeros(1_000_000)
    row = device(big[7])
    pending.add(1.0, 1, {"x": row})
    gone = weakref.ref(big), weakref.ref(row)
    del big, row
    (call,) = pending._calls
    (snapshot,) = call.snapshots

    assert (None, None) == tuple(each() for each in gone)
    assert 4 == snapshot.values.inner.untyped_storage().nbytes()
    assert {"x": None} == call.values


def test_tensors_of_every_mode_are_logged(device, pending):
    """A parameter, a tensor with a history, and one of inference mode are numbers like any other."""
    weight = torch.nn.Parameter(torch.tensor(0.5))
    with torch.inference_mode():
        inferred = torch.tensor(0.25) * 1
    away = device(weight.detach()).requires_grad_()
    pending.add(1.0, 1, {"away": away, "weight": weight, "inferred": inferred})
    with torch.inference_mode():
        pending.add(2.0, 2, {"away": device(torch.tensor(3.0))})
    histories = [call.snapshots[0].values.requires_grad for call in pending._calls]

    assert [False, False] == histories
    assert [{"away": 0.5, "weight": 0.5, "inferred": 0.25}, {"away": 3.0}] == [
        dict(entry.values) for entry in pending.take()
    ]


@pytest.mark.parametrize(
    ("make", "shown"),
    [
        (
            lambda device: device([1.0, 2.0]),
            (
                "a tensor of shape (2,), torch.float32 on privateuseone:0. "
                "Log its mean, or one of its elements"
            ),
        ),
        (
            lambda device: device([]),
            (
                "a tensor of shape (0,), torch.float32 on privateuseone:0. "
                "Log its mean, or one of its elements"
            ),
        ),
        (
            lambda device: device(1j),
            (
                "a tensor of shape (), torch.complex64 on privateuseone:0. "
                "Log its real and its imaginary part, or its absolute value"
            ),
        ),
        (
            lambda device: torch.zeros((), device="meta"),
            (
                "a tensor of shape (), torch.float32 on meta. "
                "A meta tensor has no value: log it where the model has its weights"
            ),
        ),
        (
            lambda device: torch.ones(1).to_sparse(),
            "a tensor of shape (1,), torch.float32 on cpu. Log its to_dense()",
        ),
    ],
)
def test_what_is_no_number_is_said_without_asking_the_device(device, pending, make, shown):
    """The message describes the tensor and not its contents, and nothing of the call is kept."""
    with pytest.raises(InvalidTensor) as caught:
        pending.add(1.0, 1, {"fine": device(1.0), "loss": make(device)})

    assert f"the value of metric 'loss' is {shown}" == str(caught.value)
    assert isinstance(caught.value, InvalidValue)
    assert (0, []) == (len(pending), device.reads)


def test_a_tensor_that_is_spread_over_ranks_is_not_put_together(pending):
    """A part of a DTensor is refused, since to fetch it would wait for other ranks; a replica of one is its number."""

    class Spread(torch.Tensor):
        def full_tensor(self):
            raise AssertionError

        def to_local(self):
            return torch.tensor(0.5)

    part, replica = torch.tensor(1.0).as_subclass(Spread), torch.tensor(1.0).as_subclass(Spread)
    part.placements = [SimpleNamespace(is_replicate=lambda: False)]
    replica.placements = [SimpleNamespace(is_replicate=lambda: True)]
    with pytest.raises(InvalidTensor) as caught:
        as_double("loss", part)

    assert (
        "the value of metric 'loss' is a tensor of shape (), torch.float32 on cpu. "
        "Its value is spread over ranks: call its full_tensor() on every rank, and log that"
    ) == str(caught.value)
    assert 0.5 == as_double("loss", replica)


@pytest.mark.slow
def test_a_real_dtensor_is_read_where_it_is_whole(tmp_path):
    """Of torch's own DTensors, a replicated one is its number, and a partial one is refused."""
    distributed = pytest.importorskip("torch.distributed", reason="a torch with distributed")
    from torch.distributed.tensor import DTensor, Partial, Replicate, init_device_mesh

    store = distributed.FileStore(str(tmp_path / "store"), 1)
    distributed.init_process_group("gloo", store=store, rank=0, world_size=1)
    try:
        mesh = init_device_mesh("cpu", (1,))
        whole = DTensor.from_local(torch.tensor(0.5), mesh, [Replicate()])
        partial = DTensor.from_local(torch.tensor(0.5), mesh, [Partial()])

        assert 0.5 == as_double("loss", whole)
        with pytest.raises(InvalidTensor):
            as_tensor("loss", partial)
    finally:
        distributed.destroy_process_group()


def test_what_is_on_a_device_is_known_by_torch():
    """Only torch's tensors can be on a device; without torch nothing is."""
    other = SimpleNamespace(device=SimpleNamespace(type="cuda"))

    assert [False, False, False, True] == [
        is_on_device(value)
        for value in (1.0, other, torch.tensor(1.0), torch.zeros((), device="meta"))
    ]


def test_without_torch_nothing_is_on_a_device(monkeypatch):
    """A program that has not imported torch pays a look-up, and torch is not imported for it."""
    monkeypatch.delitem(sys.modules, "torch")

    assert not is_on_device(object())
    assert 3.0 == as_double("x", 3)
    assert "torch" not in sys.modules


def test_a_call_that_is_refused_names_what_is_wrong(device, pending):
    """Values that are no tensors are checked at the call, as they are where no device has a part in it."""
    with pytest.raises(InvalidValue) as caught:
        pending.add(1.0, 1, {"loss": device(1.0), "note": "fine"})

    assert "the value of metric 'note' is 'fine' (str); expected one number" in str(caught.value)
    assert 0 == len(pending)


def test_a_device_without_room_for_all_is_asked_for_one_after_the_other(device, pending):
    """Where the device has no memory to put the calls together, each is fetched by itself, and none is lost."""
    for step in range(3):
        pending.add(1.0, step, {"loss": device(float(step))})
    device.failing.add("cat")
    taken = pending.take()

    assert [0.0, 1.0, 2.0] == [entry.values["loss"] for entry in taken]
    assert (0, None) == (pending.lost, pending.trouble)


def test_a_device_without_room_for_a_copy_is_waited_for(device, pending):
    """Where the device cannot copy at the call, the value is read at once: it is not lost, nor is its place."""
    pending.add(1.0, 1, {"loss": device(1.0)})
    device.failing.add("stack")
    pending.add(2.0, 2, {"loss": device(2.0)})
    read = list(device.reads)
    device.failing.clear()

    assert ["aten._local_scalar_dense.default"] == read
    assert [1.0, 2.0] == [entry.values["loss"] for entry in pending.take()]


def test_what_a_failed_device_does_not_give_back_is_counted(device, pending):
    """Calls with a value on a device that has failed are lost as a whole and counted; the others are not."""
    pending.add(1.0, 1, {"loss": device(1.0), "lr": 0.1})
    pending.add(1.0, 1, {"loss": device(1.0), "lr": 0.1})
    device.failing.update({"cat", "_to_copy"})
    pending.add(2.0, 2, {"lr": 0.2})
    taken = pending.take()

    assert [Scalars(wall_time=2.0, step=2, values={"lr": 0.2})] == taken
    assert (2, 0) == (pending.lost, len(pending))
    assert "device error: aten._to_copy.default" == str(pending.trouble)


def test_a_call_on_a_failed_device_raises_what_torch_says(device, pending):
    """A device that can neither copy nor be read has failed: the call says so in torch's words and keeps nothing."""
    device.failing.update({"stack", "_local_scalar_dense"})
    with pytest.raises(RuntimeError) as caught:
        pending.add(1.0, 1, {"loss": device(1.0)})

    assert "device error: aten._local_scalar_dense.default" == str(caught.value)
    assert 0 == len(pending)


def test_threads_add_while_another_takes(device, pending):
    """Of calls from four threads, none is lost or doubled while a fifth takes, and each thread's stay in order."""
    added = threading.Barrier(5)
    finished = threading.Event()
    taken = []

    def add(thread):
        added.wait()
        for step in range(200):
            pending.add(float(step), step, {f"of {thread}": device(float(step))})

    def take():
        added.wait()
        while not finished.is_set():
            taken.extend(pending.take())

    taking = threading.Thread(target=take)
    adding = [threading.Thread(target=add, args=(thread,)) for thread in range(4)]
    for thread in [taking, *adding]:
        thread.start()
    for thread in adding:
        thread.join()
    finished.set()
    taking.join()
    taken.extend(pending.take())

    assert {
        f"of {thread}": [(step, float(step)) for step in range(200)] for thread in range(4)
    } == {
        f"of {thread}": [
            (entry.step, entry.values[f"of {thread}"])
            for entry in taken
            if f"of {thread}" in entry.values
        ]
        for thread in range(4)
    }


def test_what_cannot_be_delivered_is_delivered_later(device, pending):
    """A call leaves only when it was taken: where the writer raises, it and those behind it come again."""
    for step in range(3):
        pending.add(1.0, step, {"loss": device(float(step))})
    written = []

    def full(entry):
        if entry.step == 1:
            raise OSError("full")
        written.append(entry.step)

    with pytest.raises(OSError, match="full"):
        pending.deliver(full)
    left = len(pending)
    pending.deliver(lambda entry: written.append(entry.step))

    assert (2, [0, 1, 2]) == (left, written)


def test_an_interruption_while_a_device_is_waited_for_loses_nothing(device, pending, monkeypatch):
    """Ctrl-C in the middle of a transfer leaves every call where it was."""
    pending.add(1.0, 1, {"loss": device(1.0)})
    with monkeypatch.context() as patched:
        patched.setattr(torch.Tensor, "cpu", lambda _: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            pending.take()

    assert [1.0] == [entry.values["loss"] for entry in pending.take()]


def test_a_copy_on_another_stream_is_waited_for(device, pending, monkeypatch):
    """A value that was copied on a stream of the caller's is fetched after it: torch orders only what one stream does."""
    waited = []
    streams = {
        name: type("Stream", (), {"synchronize": lambda self, name=name: waited.append(name)})()
        for name in ("own", "side")
    }
    current = SimpleNamespace(name="own")
    monkeypatch.setattr(
        torch,
        "privateuseone",
        SimpleNamespace(current_stream=lambda device: streams[current.name]),
        raising=False,
    )
    pending.add(1.0, 1, {"loss": device(1.0)})
    pending.take()
    before = list(waited)
    current.name = "side"
    pending.add(2.0, 2, {"loss": device(2.0)})
    current.name = "own"
    pending.take()

    assert ([], ["side"]) == (before, waited)


def test_what_nobody_takes_does_not_fill_the_memory(device, pending, monkeypatch):
    """Where nobody takes the calls, for a disk that hangs, those beyond a number are lost and counted."""
    monkeypatch.setattr("treadle_tracking.pending._MOST", 3)
    for step in range(5):
        pending.add(1.0, step, {"loss": device(1.0)})
    waiting, lost = len(pending), pending.lost
    taken = pending.take()
    pending.add(1.0, 5, {"loss": device(1.0)})

    assert (3, 2) == (waiting, lost)
    assert [0, 1, 2, 5] == [entry.step for entry in taken + pending.take()]


def test_a_run_waits_for_no_device(device, tmp_path, monkeypatch):
    """`log` of a run reads nothing from a device; `flush` reads all calls at once, with their times, and so does the end."""
    with start_run(f"tensorboard:{tmp_path}", name="a", best={"loss": "min"}) as run:
        # The thread that flushes within a second has its own test.
        monkeypatch.setattr(run._recorder._pulse, "nudge", lambda: None)
        for step in range(10):
            run.log({"loss": device(10.0 - step), "lr": 0.1}, step=step)
        before = list(device.reads)
        run.flush()
        flushed = list(device.reads)
        run.log({"loss": device(20.0)}, step=10)
    record = open_runs(f"tensorboard:{tmp_path}")["a"]

    assert ([], 1, 2) == (before, len(flushed), len(device.reads))
    assert (*((step, 10.0 - step) for step in range(10)), (10, 20.0)) == record.history("loss")
    assert tuple((step, 10.0 - step) for step in range(10)) == record.history("best/loss")


def test_what_is_on_a_device_is_committed_with_the_rest(device, tmp_path, monkeypatch):
    """Metrics that were logged before `commit` stand before it in the log, wherever they were."""
    with start_run(f"tensorboard:{tmp_path}", name="a") as run:
        monkeypatch.setattr(run._recorder._pulse, "nudge", lambda: None)
        run.log({"loss": device(1.0)}, step=1)
        run.commit(1)
        run.log({"loss": device(2.0)}, step=2)
    found = [entry for entry, _ in read_entries(run.directory)]

    assert [("Scalars", 1), ("Committed", 1), ("Scalars", 2)] == [
        (type(entry).__name__, entry.step) for entry in found if hasattr(entry, "step")
    ]


@pytest.mark.slow
def test_a_kill_loses_what_was_not_fetched_and_nothing_else(tmp_path):
    """Of metrics on a device, those up to the last flush survive `kill -9`, and the log is whole."""
    script = """
import os, signal, sys
sys.path.insert(0, sys.argv[1])
from test_pending import Device
from treadle_tracking import start_run
from treadle_tracking.pulse import Pulse
Pulse.nudge = lambda pulse: None
device = Device()
run = start_run(f"tensorboard:{sys.argv[2]}", name="a")
for step in range(5):
    run.log({"loss": device(float(step))}, step=step)
run.flush()
run.log({"accuracy": 0.5}, step=5)
for step in range(5, 9):
    run.log({"loss": device(float(step))}, step=step)
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run(
        [sys.executable, "-c", script, str(Path(__file__).parent), str(tmp_path / "runs")],
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    read = open_runs(f"tensorboard:{tmp_path / 'runs'}")["a"]

    assert -signal.SIGKILL == done.returncode
    assert ("UNFINISHED", None) == (read.status, read.damage)
    assert tuple((step, float(step)) for step in range(5)) == read.history("loss")
    assert ((5, 0.5),) == read.history("accuracy")


def test_a_run_fetches_by_itself(device, tmp_path, monkeypatch):
    """Nobody has to flush: what is on a device is in the file soon after."""
    delivered = threading.Event()
    deliver = Pending.deliver

    def noted(pending, append):
        deliver(pending, append)
        delivered.set()

    monkeypatch.setattr(Pending, "deliver", noted)
    monkeypatch.setattr("treadle_tracking.pulse.Pulse.FLUSH_SECONDS", 0.0)
    with start_run(f"tensorboard:{tmp_path}", name="a") as run:
        delivered.clear()
        run.log({"loss": device(1.0)}, step=1)

        assert delivered.wait(60)
        assert ((1, 1.0),) == open_runs(f"tensorboard:{tmp_path}")["a"].history("loss")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpus_values_are_those_of_the_call():
    """On a real device, on the default stream and on another, values are as they were at the call."""
    pending = Pending()
    total = torch.zeros((), device="cuda")
    side = torch.cuda.Stream()
    for step in range(100):
        total += 1
        pending.add(1.0, step, {"total": total})
    torch.cuda.synchronize()
    with torch.cuda.stream(side):
        for step in range(100, 200):
            total += 1
            pending.add(1.0, step, {"total": total, "half": total.half()})
    found = []
    thread = threading.Thread(target=lambda: found.extend(pending.take()))
    thread.start()
    thread.join()

    assert [float(step + 1) for step in range(200)] == [entry.values["total"] for entry in found]
