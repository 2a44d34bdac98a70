import inspect
import os
import re
import socket
import subprocess
import sys
import threading
from datetime import datetime
from pathlib import Path

import pytest

from treadle_tracking.compat import SummaryWriter
from treadle_tracking.entries import (
    Ended,
    Histogram,
    Image,
    Params,
    Rewound,
    Scalars,
    Started,
    Tags,
    Text,
)
from treadle_tracking.errors import (
    InvalidMapping,
    InvalidName,
    InvalidStep,
    InvalidTarget,
    InvalidValue,
    RunDirectoryError,
    UnsupportedHistogram,
    UnsupportedImage,
)
from treadle_tracking.log import LogClosed, read_entries

ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}


@pytest.fixture
def log_dir(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path / "runs" / "first"


@pytest.fixture
def np():
    return pytest.importorskip("numpy", reason="needs the extra treadle-tracking[images]")


@pytest.fixture
def pillow():
    return pytest.importorskip("PIL.Image", reason="needs the extra treadle-tracking[images]")


def entries(directory, *kinds):
    return [
        entry for entry, _ in read_entries(Path(directory)) if not kinds or isinstance(entry, kinds)
    ]


def points(directory):
    return [(entry.step, dict(entry.values)) for entry in entries(directory, Scalars)]


def files(directory):
    return sorted(
        str(path.relative_to(directory)) for path in Path(directory).rglob("*") if path.is_file()
    )


def ran(script, **options):
    return subprocess.run(
        [sys.executable, "-c", "from treadle_tracking.compat import SummaryWriter\n" + script],
        capture_output=True,
        text=True,
        check=False,
        env=ENVIRONMENT,
        **options,
    )


def test_a_writer_writes_into_exactly_its_directory(log_dir):
    """The event file is in `log_dir` itself, and nothing else is, until something else is recorded."""
    with SummaryWriter("runs/first") as writer:
        writer.add_scalar("loss", 0.1, 3)
    (started, scalars, ended) = entries(log_dir)

    assert ["events.out.tfevents.000000.treadle"] == files(log_dir)
    assert ("runs", "first") == (started.experiment, started.name)
    assert (3, {"loss": 0.1}) == (scalars.step, scalars.values)
    assert "FINISHED" == ended.status
    assert "runs/first" == writer.get_logdir()


def test_a_writer_without_a_directory_makes_one_as_torch_does(log_dir):
    """The default is `runs/` and the time, the host and the comment."""
    with SummaryWriter(comment="LR_0.1") as writer:
        pass
    found = re.fullmatch(r"runs/(\w{5}_\d\d-\d\d-\d\d)_(.*)LR_0\.1", writer.log_dir)

    assert socket.gethostname() == found.group(2)
    assert datetime.strptime(f"2024{found.group(1)}", "%Y%b%d_%H-%M-%S")  # noqa: DTZ007
    assert Path(writer.log_dir).is_dir()


def test_a_scalar_is_in_the_file_when_the_call_returns(log_dir):
    """Its double is exact, its step none, a float or an integer, and its time now or the one that is given."""
    writer = SummaryWriter(log_dir)
    writer.add_scalar("a", 0.1234567890123456, 2, 1_600_000_000.5)
    writer.add_scalar("a", 3)
    writer.add_scalar("b", True, 7.0, new_style=True, double_precision=True)
    written = entries(log_dir, Scalars)
    writer.close()

    assert [
        (2, {"a": 0.1234567890123456}),
        (0, {"a": 3.0}),
        (7, {"b": 1.0}),
    ] == points(log_dir)
    assert 1_600_000_000.5 == written[0].wall_time
    assert 3 == len(written)


def test_several_scalars_are_runs_below(log_dir):
    """Each curve of `add_scalars` has a directory of its own, named as torch names it, which cannot lead out."""
    with SummaryWriter(log_dir) as writer:
        for step in range(3):
            writer.add_scalars("a/b", {"x": step, "../../y/z": -step}, step)

    assert [
        "a_b_%2E%2E/%2E%2E/y/z/events.out.tfevents.000000.treadle".replace("a_b_%2E%2E", "a_b_.."),
        "a_b_x/events.out.tfevents.000000.treadle",
        "events.out.tfevents.000000.treadle",
    ] == files(log_dir)
    assert [(0, {"a/b": 0.0}), (1, {"a/b": 1.0}), (2, {"a/b": 2.0})] == points(log_dir / "a_b_x")
    assert [] == points(log_dir)


def test_parameters_are_those_of_the_run(log_dir):
    """`add_hparams` makes no run below: parameters are the run's own, typed, and its metrics are metrics."""
    with SummaryWriter(log_dir) as writer:
        writer.add_scalar("loss", 0.5, 10)
        writer.add_hparams(
            {"lr": 0.1, "amp": True, "optim": {"name": "adam"}, "none": None},
            {"hparam/acc": 0.9, "loss": 0.4},
            {"lr": [0.1, 0.2]},
        )

    assert [{"lr": 0.1, "amp": True, "optim": {"name": "adam"}, "none": None}] == [
        dict(entry.values) for entry in entries(log_dir, Params)
    ]
    # At step 0 it would hide the curve in TensorBoard.
    assert [(10, {"loss": 0.5}), (0, {"hparam/acc": 0.9, "hparam/loss": 0.4})] == points(log_dir)
    assert ["events.out.tfevents.000000.treadle", "params.json"] == files(log_dir)


def test_a_run_without_parameters_is_none_of_the_hparams_page(log_dir):
    """TensorBoard shows no empty page for a writer that is given no parameters."""
    with SummaryWriter(log_dir) as writer:
        writer.add_scalar("loss", 0.5, 10)

    assert b"_hparams_" not in (log_dir / "events.out.tfevents.000000.treadle").read_bytes()


def test_other_parameters_are_another_trial(log_dir):
    """Trials of one writer are runs below it, as with torch's; the same parameters again are the same trial."""
    with SummaryWriter(log_dir) as writer:
        writer.add_hparams({"lr": 0.1}, {"acc": 1})
        writer.add_hparams({"lr": 0.1}, {"other": 2}, run_name=".")
        writer.add_hparams({"lr": 0.2}, {"acc": 3}, run_name="second", global_step=4)
        writer.add_hparams({"lr": 0.3}, {"acc": 5})
    (unnamed,) = set(log_dir.glob("*/")) - {log_dir / "second"}

    assert [(0, {"acc": 1.0}), (0, {"other": 2.0})] == points(log_dir)
    assert [(4, {"acc": 3.0})] == points(log_dir / "second")
    assert [{"lr": 0.2}] == [entry.values for entry in entries(log_dir / "second", Params)]
    assert [(0, {"acc": 5.0})] == points(unnamed)
    assert float(unnamed.name)


def test_a_named_trial_is_one_from_the_first(log_dir):
    """With a `run_name` the parameters are not the writer's own run's."""
    with SummaryWriter(log_dir) as writer:
        writer.add_hparams({"lr": 0.1}, {"acc": 1}, run_name="a/b")

    assert ([], [(0, {"acc": 1.0})]) == (points(log_dir), points(log_dir / "a/b"))


def test_parameters_in_tensors_are_numbers():
    """A tensor with one element is its number, whatever its shape, and None is no tensor."""
    torch = pytest.importorskip("torch", reason="torch is no dependency of treadle-tracking")
    from treadle_tracking.compat.writer import _one

    assert [8, 0.5, None, "a"] == [
        _one(value) for value in (torch.tensor([8]), torch.tensor(0.5), None, "a")
    ]


def test_runs_below_are_closed_with_the_run(log_dir):
    """`close` lets go of the files of all runs below."""
    writer = SummaryWriter(log_dir)
    writer.add_scalars("pair", {"a": 1, "b": 2}, 0)
    below = list(writer._open_run.subruns.values())
    writer.close()

    assert 2 == len(below)
    for subrun in below:
        with pytest.raises(LogClosed):
            subrun.log(Scalars(wall_time=1.0, step=1, values={"pair": 1.0}))


def test_a_closed_writer_goes_on(log_dir):
    """After `close` the next call opens the run again: one run, nothing lost or replaced, one end."""
    writer = SummaryWriter(log_dir)
    for step in range(3):
        writer.add_scalar("loss", step, step)
    writer.add_scalars("pair", {"a": 1}, 0)
    writer.close()
    writer.close()
    writer.add_scalar("loss", 7, 0)
    writer.add_scalars("pair", {"a": 2}, 0)
    writer.add_hparams({"lr": 1}, {})
    writer.close()
    with SummaryWriter(log_dir) as another:
        another.add_scalar("test", 1, 0)
        another.add_hparams({"lr": 1}, {"loss": 3.0})

    assert [
        *((step, {"loss": float(step)}) for step in range(3)),
        (0, {"loss": 7.0}),
        (0, {"test": 1.0}),
        (0, {"hparam/loss": 3.0}),
    ] == points(log_dir)
    assert [(0, {"pair": 1.0}), (0, {"pair": 2.0})] == points(log_dir / "pair_a")
    assert 1 == len({entry.uid for entry in entries(log_dir, Started)})
    assert ["FINISHED"] == [entry.status for entry in entries(log_dir, Ended)]
    assert 1 == len(entries(log_dir, Params))


def test_a_purge_step_cuts_what_earlier_writers_recorded(log_dir):
    """With `purge_step` everything from that step on is replaced, in the runs below too."""
    with SummaryWriter(log_dir) as first:
        for step in range(5):
            first.add_scalar("loss", step, step)
            first.add_scalars("pair", {"a": step}, step)
    with SummaryWriter(log_dir, purge_step=3) as second:
        second.add_scalar("loss", 30, 3)
        second.add_scalars("pair", {"a": 30}, 3)
    kept = [0.0, 1.0, 2.0, 30.0]

    assert [(step, {"loss": value}) for step, value in enumerate(kept)] == points(log_dir)
    assert [(step, {"pair": value}) for step, value in enumerate(kept)] == points(
        log_dir / "pair_a"
    )
    assert [3] == [entry.step for entry in entries(log_dir, Rewound)]
    assert second.purge_step is None


def test_a_second_writer_has_a_directory_of_its_own(log_dir, capfd):
    """While one writer has a directory another one writes beside it, and says so: two would spoil each other's."""
    first = SummaryWriter(log_dir)
    second = SummaryWriter(log_dir)
    first.add_scalar("loss", 1, 1)
    second.add_scalar("loss", 2, 1)
    first.close()
    second.close()

    assert [(1, {"loss": 1.0})] == points(log_dir)
    assert [(1, {"loss": 2.0})] == points(f"{log_dir}-2")
    assert (log_dir, f"{log_dir}-2") == (first.log_dir, second.log_dir)
    assert re.fullmatch(
        rf"treadle: the run in {log_dir} is being written by this process \(number {os.getpid()}\), .*\. "
        r"Meanwhile this writer has a directory of its own beside it\n",
        capfd.readouterr().err,
    )


def test_event_files_of_others_are_told_of(log_dir, capfd):
    """A directory with another writer's files is written to as well, and what TensorBoard makes of it is said."""
    log_dir.mkdir(parents=True)
    (log_dir / "events.out.tfevents.1700000000.host.1.0").touch()
    SummaryWriter(log_dir).close()

    assert (
        f"treadle: {log_dir} has event files of another writer, which TensorBoard shows as one run with this one's. "
        f"Under `--load_fast=false` it shows what is added to this one only after a restart: name another `log_dir`\n"
    ) == capfd.readouterr().err


def test_what_is_not_kept_is_said_once(log_dir, capfd):
    """Graphs, layouts and the like end no script: each method says one sentence, once, whatever it is given."""
    with SummaryWriter(log_dir) as writer:
        for _ in range(2):
            writer.add_graph(object(), use_strict_trace=False)
            writer.add_onnx_graph("x")
            writer.add_embedding([[1]], tag="x")
            writer.add_video("x", None, fps=4)
            writer.add_audio("x", None)
            writer.add_mesh("x", None)
            writer.add_pr_curve("x", [1], [1])
            writer.add_pr_curve_raw("x", *range(6))
            writer.add_tensor("x", None)
            writer.add_image_with_boxes("x", None, None)
            writer.add_custom_scalars({"a": {}})
            writer.add_custom_scalars_multilinechart(["a"])
            writer.add_custom_scalars_marginchart(["a", "b", "c"])
    said = capfd.readouterr().err.splitlines()

    assert 13 == len(said)
    assert (
        "treadle: SummaryWriter.add_graph: a graph is not kept, and the script goes on" == said[0]
    )
    assert [] == points(log_dir)


def test_a_histogram_has_the_edges_of_its_values(log_dir, np):
    """Buckets end at the smallest and largest value, empty ends are left out, and counts sum to the finite values."""
    with SummaryWriter(log_dir) as writer:
        writer.add_histogram("h", np.array([[1.0, 2.0, 2.5, np.nan], [4.0, np.inf, 1.0, 0]]), 1)
        writer.add_histogram("bins", [0.5, 1.5, 1.5, 9], 1, bins=[0, 1, 2, 3])
        writer.add_histogram("joined", range(10), 1, bins=10, max_bins=3)
        writer.add_histogram("empty", np.zeros(0), 1)
        writer.add_histogram("outside", [5.0], 1, bins=[0, 1])
        writer.add_histogram_raw("raw", 1, 9.5, 6, 30, 200, [0, 2, 4, 8, 10], [0, 1, 0, 3, 0], 5)
    found = {entry.name: entry.buckets for entry in entries(log_dir, Histogram)}
    lefts, rights, counts = zip(*found.pop("h"), strict=True)

    assert (0.0, 4.0, 6.0) == (lefts[0], rights[-1], sum(counts))
    assert lefts[1:] == rights[:-1]
    assert {
        "bins": ((0.5, 1.0, 1.0), (1.0, 9.0, 2.0)),
        "joined": ((0.0, 2.7, 3.0), (2.7, 5.4, 3.0), (5.4, 8.1, 3.0), (8.1, 9.0, 1.0)),
        "empty": ((0.0, 0.0, 0.0),),
        "outside": ((0.0, 0.0, 0.0),),
        "raw": ((1.0, 2.0, 1.0), (2.0, 4.0, 0.0), (4.0, 9.5, 3.0)),
    } == {
        name: tuple(tuple(round(number, 9) for number in bucket) for bucket in buckets)
        for name, buckets in found.items()
    }


def test_an_image_is_laid_out_as_it_is_said(log_dir, np, pillow):
    """Letters say which dimension is which; a batch is a grid of eight columns; floats are clipped and cut."""
    from io import BytesIO

    grey = np.array([[0, 255, 7]], np.uint8)
    batch = np.arange(9, dtype=np.uint8).reshape(9, 1, 1, 1)
    with SummaryWriter(log_dir) as writer:
        writer.add_image("hw", grey, 1, dataformats="HW")
        writer.add_image("wh", grey.T, 1, dataformats="WH")
        writer.add_image("floats", np.array([[[-1.0, 0.5, 2.0, np.nan]]]), 1)
        writer.add_images("batch", batch, 1)
    found = {
        entry.name: (entry.width, np.asarray(pillow.open(BytesIO(entry.png)))[..., 0].tolist())
        for entry in entries(log_dir, Image)
    }

    assert {
        "hw": (3, [[0, 255, 7]]),
        "wh": (3, [[0, 255, 7]]),
        "floats": (4, [[0, 127, 255, 0]]),
        "batch": (8, [[0, 1, 2, 3, 4, 5, 6, 7], [8, 0, 0, 0, 0, 0, 0, 0]]),
    } == found


@pytest.mark.parametrize(
    ("shape", "layout", "problem"),
    [
        ((3, 4), "CHW", "has the shape (3, 4), which is not 'CHW'"),
        ((3, 4), "HC", "has the shape (3, 4), which is not 'HC'"),
        ((3, 4, 4), "HHW", "has the shape (3, 4, 4), which is not 'HHW'"),
    ],
)
def test_an_image_of_another_layout_is_an_error(log_dir, np, shape, layout, problem):
    """The message has the shape, what it was said to be, and what can be said."""
    with SummaryWriter(log_dir) as writer, pytest.raises(UnsupportedImage) as caught:
        writer.add_image("digit", np.zeros(shape), 1, dataformats=layout)

    assert (
        f"image 'digit' {problem}. "
        f"Say in `dataformats` what its dimensions are, such as 'CHW', 'HWC', 'HW' or 'NCHW'"
    ) == str(caught.value)


def test_an_image_of_two_channels_is_an_error(log_dir, np):
    """An image is grey or has colors."""
    with SummaryWriter(log_dir) as writer, pytest.raises(UnsupportedImage) as caught:
        writer.add_image("digit", np.zeros((2, 3, 4)), 1)

    assert (
        "image 'digit' has 2 channels of 3 by 4 pixels. "
        "It takes 1, 3 or 4 of some; say in `dataformats` which dimension they are"
        == (str(caught.value))
    )


def test_a_figure_is_closed_where_pyplot_has_it(log_dir, np, pillow):
    """A figure of pyplot's is closed unless it is to stay open, and then it keeps the canvas that it had."""
    pyplot = pytest.importorskip("matplotlib.pyplot", reason="needs treadle-tracking[plots]")
    closed, kept = pyplot.figure(figsize=(2, 1), dpi=50), pyplot.figure(figsize=(2, 1), dpi=50)
    canvas = kept.canvas
    with SummaryWriter(log_dir) as writer:
        writer.add_figure("closed", closed, 1)
        writer.add_figure("kept", [kept, kept], 1, close=False)
        same = kept.canvas is canvas
        left = [number for number in pyplot.get_fignums() if number in {closed.number, kept.number}]
        pyplot.close(kept)
        with pytest.raises(UnsupportedImage) as caught:
            writer.add_figure("none", 3)

    assert [kept.number] == left
    assert same
    assert [("closed", 100), ("kept", 200)] == [
        (entry.name, entry.width) for entry in entries(log_dir, Image)
    ]
    assert "image 'none' is of type int. A figure is a matplotlib Figure" == str(caught.value)


def test_a_text_has_torchs_name(log_dir):
    """TensorBoard knows texts of torch's writer by a name that ends in `text_summary`."""
    with SummaryWriter(log_dir) as writer:
        writer.add_text("note", "*hi*", 2)

    assert [("note/text_summary", "*hi*", 2)] == [
        (entry.name, entry.text, entry.step) for entry in entries(log_dir, Text)
    ]


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda writer: writer.add_scalar("loss", "much", 1), InvalidValue),
        (lambda writer: writer.add_scalar("loss", None, 1, 7.0), InvalidValue),
        (lambda writer: writer.add_scalar("loss", 1, "later"), InvalidStep),
        (lambda writer: writer.add_scalar("loss", 1, 2**63), InvalidStep),
        (lambda writer: writer.add_scalar("", 1, 1), InvalidName),
        (lambda writer: writer.add_scalars("a", {"b": "much"}, 1), InvalidValue),
        (lambda writer: writer.add_text(3, "a"), InvalidName),
        (lambda writer: writer.add_hparams([], {}), InvalidMapping),
        (lambda writer: writer.add_hparams({}, []), InvalidMapping),
        (lambda writer: writer.add_histogram_raw("a", 0, 1, 1, 1, 1, [1], []), ValueError),
    ],
    ids=range(10),
)
def test_what_cannot_be_recorded_is_an_error_and_the_run_goes_on(log_dir, call, error):
    """As with torch's writer a wrong argument raises; nothing of the call is recorded, and the next call is."""
    with SummaryWriter(log_dir) as writer:
        with pytest.raises(error):
            call(writer)
        writer.add_scalar("fine", 1, 1)

    assert [(1, {"fine": 1.0})] == points(log_dir)


@pytest.mark.parametrize(
    "values",
    [[1j], ["a"], [object()], [[1], [1, 2]]],
    ids=["complex", "texts", "objects", "ragged"],
)
def test_what_cannot_be_counted_is_an_error(log_dir, np, values):
    """A histogram takes real numbers, and says so."""
    with SummaryWriter(log_dir) as writer, pytest.raises(UnsupportedHistogram) as caught:
        writer.add_histogram("h", values, 1)

    assert str(caught.value).startswith("the histogram 'h' cannot be counted: ")


@pytest.mark.parametrize("mirror", ["tensorboard:elsewhere", "elsewhere", ["tensorboard:x"]])
def test_a_mirror_is_no_directory(log_dir, mirror):
    """A directory as mirror is refused before anything is written."""
    with pytest.raises(InvalidTarget):
        SummaryWriter(log_dir, mirror=mirror)

    assert not log_dir.exists()


def test_a_directory_that_cannot_be_one_is_an_error(log_dir):
    """A file in the way of the directory is named."""
    log_dir.parent.write_text("in the way")
    with pytest.raises(RunDirectoryError) as caught:
        SummaryWriter(log_dir)

    assert str(log_dir) in str(caught.value)


@pytest.mark.parametrize(
    ("error", "status"), [(ValueError, "FAILED"), (KeyboardInterrupt, "KILLED")]
)
def test_a_block_that_an_exception_leaves_ends_the_run_so(log_dir, error, status):
    """The status is that of the block, where torch's writer knows none."""
    with pytest.raises(error), SummaryWriter(log_dir):
        raise error

    assert [status] == [entry.status for entry in entries(log_dir, Ended)]


def test_a_forgotten_writer_ends_its_run(log_dir):
    """A writer that nobody closes and nobody holds any more has finished."""
    writer = SummaryWriter(log_dir)
    writer.add_scalar("loss", 1, 1)
    del writer

    assert ["FINISHED"] == [entry.status for entry in entries(log_dir, Ended)]


@pytest.mark.parametrize(
    ("end", "status"),
    [
        ("", "FINISHED"),
        ("raise ValueError", "FAILED"),
        ("raise KeyboardInterrupt", "KILLED"),
    ],
)
def test_a_program_that_closes_nothing_has_recorded_everything(log_dir, end, status):
    """At the end of a program its open runs end as it did, those below too."""
    done = ran(
        f"writer = SummaryWriter({str(log_dir)!r})\n"
        f"writer.add_scalar('loss', 1, 1)\nwriter.add_scalars('a', {{'b': 1}})\n" + end
    )

    assert "treadle" not in done.stderr.replace("treadle_tracking", "")
    assert [(1, {"loss": 1.0})] == points(log_dir)
    assert [status] == [entry.status for entry in entries(log_dir, Ended)]


def test_a_forked_worker_records_nothing(log_dir):
    """A process that was forked from the writer's leaves the run, and the runs below it, alone."""
    done = ran(
        "import os, warnings\n"
        "warnings.simplefilter('ignore', DeprecationWarning)\n"  # a fork beside threads
        f"writer = SummaryWriter({str(log_dir)!r})\n"
        "writer.add_scalars('a', {'b': 1}, 0)\n"
        "child = os.fork()\n"
        "writer.add_scalar('loss', 1, 1 if child else 2)\n"
        "writer.add_scalars('a', {'b': 1}, 1 if child else 2)\n"
        "writer.add_text('a', 'b')\n"
        "writer.add_hparams({'a': 1}, {'c': 1}) if not child else os.waitpid(child, 0)\n"
        "writer.close()\n"
    )

    assert (0, "") == (done.returncode, done.stderr)
    assert [(1, {"loss": 1.0})] == points(log_dir)
    assert [(0, {"a": 1.0}), (1, {"a": 1.0})] == points(log_dir / "a_b")
    assert (1, 0) == (len(entries(log_dir, Ended)), len(entries(log_dir, Params)))


def test_threads_may_share_a_writer(log_dir):
    """Of calls from several threads each is recorded, in the runs below too, and each of these is opened once."""
    with SummaryWriter(log_dir) as writer:

        def record(thread):
            for step in range(50):
                writer.add_scalar(f"of {thread}", step, step)
                writer.add_scalars("all", {str(thread): step, "shared": step}, step)

        threads = [threading.Thread(target=record, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert 200 == len(points(log_dir))
    assert 200 == len(points(log_dir / "all_shared"))
    assert [6] == [len(list(log_dir.rglob("*tfevents*")))]


def test_a_thread_that_records_while_another_closes_goes_on(log_dir):
    """Every call is recorded, in one run and one directory, however often the writer is closed meanwhile."""
    writer = SummaryWriter(log_dir)
    started = threading.Barrier(3)

    def record(thread):
        started.wait()
        for step in range(100):
            writer.add_scalar(f"of {thread}", step, step)
            writer.add_scalars("all", {str(thread): step}, step)

    threads = [threading.Thread(target=record, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    started.wait()
    for _ in range(5):
        writer.close()
    for thread in threads:
        thread.join()
    writer.close()

    assert {f"of {thread}": list(range(100)) for thread in range(2)} == {
        f"of {thread}": [step for step, values in points(log_dir) if f"of {thread}" in values]
        for thread in range(2)
    }
    assert [100, 100] == [len(points(log_dir / f"all_{thread}")) for thread in range(2)]
    assert [log_dir] == list(log_dir.parent.iterdir())


def test_a_run_that_is_closed_as_such_goes_on(log_dir):
    """`writer.run` is the run; where it is closed by itself, the next call goes on with it."""
    with SummaryWriter(log_dir) as writer:
        writer.add_scalars("pair", {"a": 1}, 0)
        writer.run.tag({"by": "me"})
        writer.run.close("FAILED")
        writer.add_scalar("loss", 1, 1)
        writer.add_scalars("pair", {"a": 2}, 1)

    assert [{"by": "me"}] == [entry.values for entry in entries(log_dir, Tags)]
    assert [(1, {"loss": 1.0})] == points(log_dir)
    assert [(0, {"pair": 1.0}), (1, {"pair": 2.0})] == points(log_dir / "pair_a")
    assert ["FINISHED"] == [entry.status for entry in entries(log_dir, Ended)]


def test_the_writer_has_torchs_methods_and_arguments():
    """Every public method of torch's class is here, with the same arguments in the same order."""
    pytest.importorskip("torch", reason="torch is no dependency of treadle-tracking")
    pytest.importorskip("tensorboard", reason="torch's writer needs tensorboard")
    from torch.utils.tensorboard import SummaryWriter as Original

    def arguments(method):
        return list(inspect.signature(method).parameters)

    missing = {
        name: (arguments(method), arguments(getattr(SummaryWriter, name, None)))
        for name, method in inspect.getmembers(Original, inspect.isfunction)
        if not name.startswith("_") or name in {"__init__", "__enter__"}
        if "arguments" not in arguments(getattr(SummaryWriter, name, lambda: None))
        if arguments(method)
        != arguments(getattr(SummaryWriter, name, None))[: len(arguments(method))]
    }

    assert {} == missing


def test_the_import_loads_nothing_heavy():
    """A script that only logs numbers pays for none of these."""
    heavy = {
        "torch",
        "numpy",
        "mlflow",
        "tensorboard",
        "pandas",
        "PIL",
        "matplotlib",
        "google.protobuf",
    }
    done = ran("import sys; print(*sys.modules)")

    assert set() == heavy & set(done.stdout.split())


def test_a_mirror_has_every_curve(log_dir, fake_mlflow):
    """With a mirror the curves of `add_scalars` are metrics of the run too, and a trial is a run of its own there."""
    with SummaryWriter(log_dir, mirror=f"mlflow:{fake_mlflow.uri}") as writer:
        writer.add_scalar("loss", 0.5, 1)
        writer.add_scalars("pair", {"a": 1, "b/c": -1}, 2)
        writer.add_hparams({"lr": 0.1}, {"acc": 1})
        writer.add_hparams({"lr": 0.2}, {"acc": 2}, run_name="second")
    found = {
        run["info"]["run_name"]: (
            run["info"]["status"],
            run["data"]["params"],
            {(name, step, value) for name, step, _, value in run["points"]},
        )
        for run in fake_mlflow.runs.values()
    }

    assert {
        "first": (
            "FINISHED",
            {"lr": "0.1"},
            {("loss", 1, 0.5), ("pair/a", 2, 1.0), ("pair/b/c", 2, -1.0), ("acc", 0, 1.0)},
        ),
        "second": ("FINISHED", {"lr": "0.2"}, {("acc", 0, 2.0)}),
    } == found


@pytest.mark.slow
def test_a_mirrored_writers_run_is_in_mlflow(log_dir):
    """With a mirror MLflow has the run: scalars, those of several curves, parameters, and trials as runs of their own."""
    mlflow = pytest.importorskip("mlflow", reason="needs the extra treadle-tracking[mlflow]")
    with SummaryWriter("runs/first", mirror="mlflow:sqlite:///mlflow.db") as writer:
        for step in range(3):
            writer.add_scalar("loss", 1 / (step + 1), step)
            writer.add_scalars("pair", {"a": step, "b": -step}, step)
        writer.add_hparams({"lr": 0.1}, {"acc": 0.5})
        writer.add_hparams({"lr": 0.2}, {"acc": 0.6}, run_name="second")
    client = mlflow.MlflowClient("sqlite:///mlflow.db")
    names = {each.name: each.experiment_id for each in client.search_experiments()}
    (run,) = client.search_runs([names["runs"]])
    (trial,) = client.search_runs([names["first"]])

    assert ("first", "FINISHED") == (run.info.run_name, run.info.status)
    assert {"loss": 1 / 3, "pair/a": 2.0, "pair/b": -2.0, "acc": 0.5} == run.data.metrics
    assert [1.0, 0.5, 1 / 3] == [
        point.value for point in client.get_metric_history(run.info.run_id, "loss")
    ]
    assert ({"lr": "0.1"}, {"lr": "0.2"}) == (run.data.params, trial.data.params)
    assert ({"acc": 0.6}, "second") == (trial.data.metrics, trial.info.run_name)


@pytest.mark.parametrize("given", [5, b"runs", "a\0b"])
def test_a_directory_that_is_none_is_named(given):
    """Nothing of Python's own is raised."""
    with pytest.raises(InvalidTarget) as caught:
        SummaryWriter(given)

    assert (
        f"log_dir is {given!r} ({type(given).__name__}); expected the path of a directory"
    ) == str(caught.value)
