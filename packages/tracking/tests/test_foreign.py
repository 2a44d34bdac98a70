import math
import shutil
import struct
from pathlib import Path

import pytest

from treadle_tracking import open_runs, start_run
from treadle_tracking.entries import Ended, Histogram, Image, Params, Scalars, Started, Text
from treadle_tracking.protos import messages
from treadle_tracking.wire import framed

FOREIGN = Path(__file__).parent / "foreign"


@pytest.fixture
def copied(tmp_path):
    """A function that copies a folder of files of another program, and lists the runs in it by name."""

    def copy(name):
        shutil.copytree(FOREIGN / name, tmp_path / "runs")
        return {run.name: run for run in open_runs(f"tensorboard:{tmp_path}/runs")}

    return copy


@pytest.fixture
def written(tmp_path):
    """A function that writes events into a file of a run below `runs`, and returns the directory of them all."""

    def write(*events, run="run", file="events.out.tfevents.1.host"):
        directory = tmp_path / "runs" / run
        directory.mkdir(parents=True, exist_ok=True)
        data = b"".join(framed(event.SerializeToString()) for event in events)
        (directory / file).write_bytes(data)
        return tmp_path / "runs"

    return write


def version(text="brain.Event:2", time=100.0):
    return messages().event(wall_time=time, file_version=text)


def scalar(name, value, step=None, time=100.0):
    event = messages().event(wall_time=time, step=step)
    event.summary.value.add(tag=name, simple_value=value)
    return event


def tensor(name, plugin, time=100.0, step=0, **fields):
    event = messages().event(wall_time=time, step=step)
    value = event.summary.value.add(tag=name)
    if plugin:
        value.metadata.plugin_data.plugin_name = plugin
    for field, content in fields.items():
        if isinstance(content, list):
            getattr(value.tensor, field).extend(content)
        else:
            setattr(value.tensor, field, content)
    return event


def start(step, time=100.0):
    event = messages().event(wall_time=time, step=step)
    event.session_log.status = 1
    return event


def session(content, time=100.0):
    event = messages().event(wall_time=time)
    value = event.summary.value.add(tag="_hparams_/session")
    value.metadata.plugin_data.plugin_name = "hparams"
    value.metadata.plugin_data.content = content.SerializeToString()
    return event


def only(root):
    [run] = open_runs(f"tensorboard:{root}")
    return run


def entries(run):
    return list(run.reader.entries(run))


def test_a_summary_writer_of_torch_is_read(copied):
    """Its numbers are as they are in the file, exact where they were written so, at step 0 where they have none."""
    run = copied("torch")["full"]

    assert {
        "loss": ((0, 1.0), (1, 0.5), (2, 0.3333333432674408), (3, 0.25)),
        "exact": ((1, 0.1234567890123456),),
        "stepless": ((0, 3.0),),
        "odd": ((-1, -2.0),),
        "final/acc": ((0, 0.75),),
    } == {name: run.history(name) for name in run.metrics}
    assert (("picture",), ("note",), ("weights",)) == (run.images, run.texts, run.histograms)
    assert (0.25, 1.0) == run.extremes["loss"]


def test_what_add_hparams_makes_belongs_to_its_run(copied):
    """The only directory that is named by the time adds parameters, an end and metrics that the run has not."""
    runs = copied("torch")
    run = runs["full"]

    assert {"batch": 16.0, "amp": 1.0, "lr": 0.1, "name": "adam"} == run.params
    assert ("FINISHED", 0.25, 0.75) == (run.status, run.metrics["loss"], run.metrics["final/acc"])
    assert run.started < run.ended
    assert ["curves_a", "curves_b"] == sorted(name for name in runs if name.startswith("curves"))


def test_trials_of_add_hparams_are_runs(copied, tmp_path):
    """Several of them below a directory in which nothing was recorded are one run each."""
    runs = [run for run in copied("torch").values() if run.experiment == "trials"]

    assert [(0.0, 0.0, None), (0.1, 1.0, None)] == sorted(
        (run.params["lr"], run.metrics["acc"], run.parent) for run in runs
    )


def test_the_lines_of_add_scalars_are_runs_of_their_own(copied, tmp_path):
    """Each is below the run that has written it, which is its parent."""
    line = copied("torch")["curves_a"]

    assert ("full", "curves_a", "UNFINISHED", None, {"curves": 0.5}) == (
        line.experiment,
        line.name,
        line.status,
        line.ended,
        line.metrics,
    )
    assert str(tmp_path / "runs" / "full") == line.parent


def test_a_file_that_goes_on_supersedes_what_is_beyond(copied):
    """A restart in a new file supersedes its own names, and one that is marked supersedes all of them."""
    runs = copied("torch")
    resumed, purged = runs["resumed"], runs["purged"]
    again = (
        (0, 1.0),
        (1, 2.0),
        (2, 3.0),
        (3, 5.0),
        (4, 6.0),
        (5, 7.0),
        (6, 8.0),
        (7, 9.0),
        (8, 10.0),
    )

    assert (again, again) == (resumed.history("loss"), purged.history("loss"))
    assert (6, 3) == (len(resumed.history("old")), len(purged.history("old")))
    assert ((1.0, 6.0), (1.0, 3.0)) == (resumed.extremes["old"], purged.extremes["old"])
    assert 3 == sum("old" in getattr(entry, "values", ()) for entry in entries(purged))


def test_tensorboardx_is_read(copied):
    """Its booleans are booleans, and its images need no plugin's name."""
    run = copied("tensorboardx")["full"]

    assert {"batch": 16.0, "amp": True, "lr": 0.1} == run.params
    assert {"loss": 0.25, "acc": 0.75} == run.metrics
    assert (("picture",), ("note",), ("weights",)) == (run.images, run.texts, run.histograms)


def test_lightning_is_read_with_the_types_of_its_file(copied):
    """Parameters are typed and nested as they were given, and what is no plain value is text; nothing is imported."""
    pytest.importorskip("yaml", reason="needs PyYAML, which whoever has Lightning has")
    run = copied("lightning")["version_0"]

    expected = {
        "amp": True,
        "batch": 16,
        "clip": None,
        "lr": 0.1,
        "model": {"act": "builtins.len", "depth": 3},
    }
    assert repr(expected) == repr(run.params)
    assert {"loss": 0.25, "epoch": 0.0} == run.metrics
    assert ("digits", "version_0", "FINISHED") == (run.experiment, run.name, run.status)


def test_lightning_is_read_without_its_file(copied):
    """The session has the same parameters, as far as TensorBoard's types go."""
    run = copied("lightning")["version_0"]
    (run.directory / "hparams.yaml").unlink()
    params = only(run.directory.parent).params

    assert {"amp": True, "batch": 16.0, "clip": "None", "lr": 0.1, "model/depth": 3.0} == {
        name: value for name, value in params.items() if name != "model/act"
    }


@pytest.mark.parametrize(
    "text",
    [
        "!!python/object/apply:os.system ['touch stolen']",
        "a: &a [1, 1, 1, 1, 1, 1, 1, 1]\n"
        + "".join(
            f"{new}: &{new} [{', '.join([f'*{old}'] * 8)}]\n"
            for old, new in zip("abcdefg", "bcdefgh", strict=True)
        ),
        "a: &a [*a]",
        "[" * 5000,
        "{a: 1",
        "\0",
        "- a list",
        "a: !!bool maybe",
        "a: !!int ''",
        "a: !!timestamp today",
    ],
)
def test_a_file_of_parameters_that_is_none_says_nothing(copied, text, tmp_path, monkeypatch):
    """Nothing in it is run, and what refers to itself, or to much of itself, is left out."""
    pytest.importorskip("yaml", reason="needs PyYAML, which whoever has Lightning has")
    monkeypatch.chdir(tmp_path)
    directory = copied("lightning")["version_0"].directory
    (directory / "hparams.yaml").write_text(text)
    run = only(directory.parent)

    assert 16.0 == run.params["batch"]
    assert not Path("stolen").exists()


def test_an_integer_of_more_digits_than_python_writes_is_its_text(copied):
    """A hexadecimal integer may be longer than any decimal one that Python reads and writes."""
    pytest.importorskip("yaml", reason="needs PyYAML, which whoever has Lightning has")
    directory = copied("lightning")["version_0"].directory
    (directory / "hparams.yaml").write_text(f"mask: 0x{'f' * 5000}\n")
    run = only(directory.parent)

    assert f"0x{'f' * 5000}" == run.params["mask"]


def test_keras_is_read(written):
    """Its epochs are tensors of float32, in one field or the other, below `train` and `validation`."""
    content = tensor("epoch_loss", "scalars", dtype=1, tensor_content=struct.pack("<f", 0.5))
    listed = tensor("epoch_loss", "", time=101.0, step=1, dtype=1, float_val=[0.25])
    root = written(version(), content, listed, run="fit/train")
    written(version(), content, run="fit/validation")
    runs = {run.name: run for run in open_runs(f"tensorboard:{root}")}

    assert ["train", "validation"] == sorted(runs)
    assert ((0, 0.5), (1, 0.25)) == runs["train"].history("epoch_loss")
    assert ("fit", None) == (runs["train"].experiment, runs["train"].parent)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"dtype": 1, "float_val": [0.5]}, 0.5),
        ({"dtype": 2, "double_val": [0.1]}, 0.1),
        ({"dtype": 2, "tensor_content": struct.pack("<d", 0.1)}, 0.1),
        ({"dtype": 3, "int_val": [-3]}, -3.0),
        ({"dtype": 9, "int64_val": [2**40]}, 2.0**40),
        ({"dtype": 9, "tensor_content": struct.pack("<q", 5)}, 5.0),
        ({"dtype": 10, "bool_val": [True]}, 1.0),
        ({"dtype": 19, "half_val": [0x3800]}, 0.5),
        ({"dtype": 14, "half_val": [0x3F00]}, 0.5),
        ({"dtype": 14, "tensor_content": b"\x00\x3f"}, 0.5),
        ({"dtype": 23, "uint64_val": [7]}, 7.0),
    ],
)
def test_a_scalar_is_read_of_every_type_of_number(written, fields, expected):
    """Whatever the tensor's type and wherever its number is."""
    run = only(written(version(), tensor("x", "scalars", **fields)))

    assert {"x": expected} == run.metrics


def test_entries_hold_what_entries_can(written):
    """Images that are PNG, texts and histograms of both forms are there, by time, between a start and an end."""
    png = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", 7, 5)
    old = messages().event(wall_time=103.0, step=1)
    old.summary.value.add(tag="old/image").image.encoded_image_string = png
    other = messages().event(wall_time=103.5, step=1)
    other.summary.value.add(tag="jpeg").image.encoded_image_string = b"\xff\xd8\xff"
    histo = messages().event(wall_time=104.0, step=1)
    counted = histo.summary.value.add(tag="old/histogram").histo
    counted.min, counted.max = -1.0, 2.0
    counted.bucket_limit.extend([-1e308, 0.0, 1.0, 1e308])
    counted.bucket.extend([0.0, 2.0, 0.0, 3.0])
    buckets = struct.pack("<6d", 0, 1, 5, 1, 2, 6)
    end = messages().hparams()
    end.session_end_info.status = 2
    run = only(
        written(
            version(),
            scalar("loss", 0.5, 1, time=101.0),
            tensor("images", "images", time=102.0, dtype=7, string_val=[b"7", b"5", png, png]),
            old,
            other,
            histo,
            tensor("histogram", "histograms", time=105.0, dtype=2, tensor_content=buckets),
            tensor("note/text_summary", "text", time=106.0, dtype=7, string_val=[b"# Hi"]),
            tensor("sound", "audio", time=107.0, dtype=7, string_val=[b"RIFF"]),
            session(end, time=108.0),
        )
    )
    first, *those, last = entries(run)

    assert [
        Scalars(wall_time=101.0, step=1, values={"loss": 0.5}),
        Image(wall_time=102.0, step=0, name="images/0", png=png, width=7, height=5),
        Image(wall_time=102.0, step=0, name="images/1", png=png, width=7, height=5),
        Image(wall_time=103.0, step=1, name="old/image", png=png, width=7, height=5),
        Histogram(
            wall_time=104.0,
            step=1,
            name="old/histogram",
            buckets=((-1.0, 0.0, 2.0), (0.0, 1.0, 0.0), (1.0, 2.0, 3.0)),
        ),
        Histogram(
            wall_time=105.0, step=0, name="histogram", buckets=((0.0, 1.0, 5.0), (1.0, 2.0, 6.0))
        ),
        Text(wall_time=106.0, step=0, name="note", text="# Hi"),
    ] == those
    assert Started(wall_time=100.0, uid=run.uid, experiment="default", name="run") == first
    assert Ended(wall_time=108.0, status="FAILED") == last


def test_a_large_event_is_listed_by_its_name(written):
    """What is too large to be looked into for a listing has the same name as what is small."""
    png = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", 7, 5) + bytes(10_000)
    text = "x" * 10_000
    old = messages().event(wall_time=103.0, step=1)
    old.summary.value.add(tag="old").image.encoded_image_string = png
    root = written(
        version(),
        tensor("image", "images", dtype=7, string_val=[b"7", b"5", png]),
        tensor("note/text_summary", "text", dtype=7, string_val=[text.encode()]),
        tensor("note/text_summary", "", dtype=7, string_val=[text.encode()]),
        old,
    )
    run = only(root)

    assert (("image", "old"), ("note",)) == (run.images, run.texts)


def test_the_uid_of_a_run_goes_with_it(written, tmp_path):
    """It is of the first file and its first event, and so the same in another directory and after more was written."""
    root = written(version(), scalar("x", 1.0))
    before = only(root)
    root.rename(tmp_path / "moved")
    path = tmp_path / "moved" / "run" / "events.out.tfevents.1.host"
    path.write_bytes(path.read_bytes() + framed(scalar("x", 2.0, 1).SerializeToString()))
    after = only(tmp_path / "moved")

    assert before.uid == after.uid
    assert 2 == len(after.history("x"))


def test_parameters_of_a_session_are_read(written):
    """Booleans, numbers, texts, lists, nothing, and the group; the first session counts, as in TensorBoard."""
    info = messages().hparams()
    hparams = info.session_start_info.hparams
    hparams.add(key="lr").value.number_value = 0.1
    hparams.add(key="amp").value.bool_value = False
    hparams.add(key="name").value.string_value = "adam"
    hparams.add(key="none").value.null_value = 0
    hparams.add(key="list").value.list_value.values.add().number_value = 1.0
    hparams.add(key="map").value.struct_value.fields["a"].number_value = 2.0
    info.session_start_info.group_name = "seeds"
    again = messages().hparams()
    again.session_start_info.hparams.add(key="lr").value.number_value = 9.0
    run = only(written(version(), session(info), session(again)))
    expected = {
        "lr": 0.1,
        "amp": False,
        "name": "adam",
        "none": None,
        "list": [1.0],
        "map": {"a": 2.0},
    }

    assert (expected, "seeds") == (run.params, run.group)
    assert Params(wall_time=100.0, values=expected) == entries(run)[1]


def test_a_run_of_one_directory_is_named_for_it(written):
    """Asked for by itself, its name is the directory's."""
    root = written(version(), scalar("x", 1.0), run="a/b")

    assert ("a", "b") == (only(root).experiment, only(root).name)
    assert ("default", "b") == (only(root / "a" / "b").experiment, only(root / "a" / "b").name)


def test_a_directory_in_which_nothing_was_recorded_is_no_run(written):
    """Neither a file's version, nor an empty file, nor one for TensorBoard's profiler makes a run."""
    root = written(version())
    written(run="empty")
    written(version(), scalar("x", 1.0), run="profile", file="events.out.tfevents.1.profile-empty")

    assert [] == list(open_runs(f"tensorboard:{root}"))


def test_others_files_in_our_runs_are_none(tmp_path, monkeypatch, written):
    """Whatever event files are below a run of ours belong to it."""
    with start_run(f"tensorboard:{tmp_path}/runs", name="ours") as ours:
        pass
    where = ours.directory.relative_to(tmp_path / "runs")
    written(version(), scalar("x", 1.0), run=str(where / "artifacts" / "logs"))
    written(version(), scalar("x", 1.0), run=str(where))
    root = written(version(), scalar("x", 1.0), run="theirs")

    assert ["ours", "theirs"] == sorted(run.name for run in open_runs(f"tensorboard:{root}"))


def test_a_session_that_starts_again_supersedes(written):
    """The very first start is none; a later one supersedes all at its step and beyond, in the same file too."""
    run = only(
        written(
            version(),
            scalar("x", 0.0, 0),
            start(0),
            *(scalar("x", float(step), step) for step in range(1, 5)),
            scalar("y", 1.0, 3),
            start(2),
            scalar("x", 20.0, 2),
        )
    )

    assert ((0, 0.0), (1, 1.0), (2, 20.0)) == run.history("x")
    assert {"x": 20.0} == run.metrics
    assert {"x": (0.0, 20.0)} == run.extremes
    assert 4 == len(entries(run))


@pytest.mark.parametrize("text", [None, "brain.Event:1"])
def test_without_marks_a_step_back_supersedes(written, text):
    """A file of no version, or of an old one, that steps back goes on from there, for the names that do."""
    events = [scalar("x", float(step), step) for step in (1, 2, 3)]
    more = [scalar("y", 1.0, 3), scalar("x", 9.0, 2), scalar("z", 1.0, 1)]
    run = only(written(*([version(text)] if text else []), *events, *more))

    assert ((1, 1.0), (2, 9.0)) == run.history("x")
    assert {"x": 9.0, "y": 1.0, "z": 1.0} == run.metrics


def test_steps_in_any_order_are_kept_where_restarts_are_marked(written):
    """A file whose restarts are marked may step back without losing anything."""
    run = only(written(version(), *(scalar("x", 1.0 + step, step) for step in (3, 1, 2, 1))))

    assert ((1, 2.0), (2, 3.0), (3, 4.0)) == run.history("x")


@pytest.mark.parametrize("folder", ["torch", "tensorboardx", "lightning"])
def test_tensorboard_reads_the_same_numbers(copied, folder):
    """Every point that TensorBoard's accumulator has, and no other, where nothing was superseded."""
    need = "needs the extra treadle-tracking[tensorboard]"
    name = "tensorboard.backend.event_processing.plugin_event_accumulator"
    accumulators = pytest.importorskip(name, reason=need)
    arrays = pytest.importorskip("tensorboard.util.tensor_util", reason=need)
    expected, read = {}, {}
    for run in copied(folder).values():
        if run.name in {"resumed", "purged"}:
            continue
        read |= {(run.name, name): set(run.history(name)) for name in run.metrics}
        folded = run.directory.glob("1*") if run.name == "full" else ()
        for directory in (run.directory, *folded):
            accumulator = accumulators.EventAccumulator(str(directory))
            accumulator.Reload()
            for tag in accumulator.PluginTagToContent("scalars"):
                points = {
                    (one.step, float(arrays.make_ndarray(one.tensor_proto)))
                    for one in accumulator.Tensors(tag)
                }
                expected[run.name, tag] = expected.get((run.name, tag), set()) | points
    # What Lightning begins with is no number, and what a run has itself is not what `add_hparams` was given.
    expected.pop(("version_0", "hp_metric"), None)
    expected.get(("full", "loss"), set()).discard((0, 9.0))

    assert expected == read


def test_a_point_is_nan_where_it_was(written):
    """NaN is a value, and no extreme."""
    run = only(written(version(), scalar("x", math.nan, 1), scalar("x", 1.0, 0)))

    assert math.isnan(run.metrics["x"])
    assert {"x": (1.0, 1.0)} == run.extremes
