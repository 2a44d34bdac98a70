import attrs
import pytest

from treadle_tracking.encoding import EntryEncoder
from treadle_tracking.entries import Ended, Params, Scalars, Started
from treadle_tracking.log import LogWriter, attempt_path
from treadle_tracking.params import plain_params
from treadle_tracking.protos import messages
from treadle_tracking.wire import records

STARTED = Started(wall_time=5.0, uid="u", experiment="e", name="n", group="seeds")


def summaries(*entries):
    """The HParams content of each summary that the entries are written as."""
    from io import BytesIO

    encoder = EntryEncoder()
    data = b"".join(encoder.record(entry) for entry in entries)
    values = [
        value
        for _, event in records(BytesIO(data), 0)
        for value in messages().event.FromString(event).summary.value
    ]
    assert all(value.metadata.plugin_data.plugin_name == "hparams" for value in values)
    return [
        (value.tag, messages().hparams.FromString(value.metadata.plugin_data.content))
        for value in values
    ]


def shown(params):
    """What TensorBoard is told of these parameters."""
    ((_, content),) = summaries(STARTED, Params(wall_time=6.0, values=params))
    return {
        item.key: getattr(item.value, item.value.WhichOneof("kind"))
        for item in content.session_start_info.hparams
    }


def test_a_session_starts_with_the_first_parameters():
    """One session start, with the run's start and group, is written with the parameters; later ones add none."""
    found = summaries(STARTED, Params(wall_time=6.0), Params(wall_time=7.0, values={"a": 1}))
    ((tag, content),) = found
    info = content.session_start_info

    assert "_hparams_/session_start_info" == tag
    assert (5.0, "seeds", 0) == (info.start_time_secs, info.group_name, len(info.hparams))


@pytest.mark.parametrize(("status", "expected"), [("FINISHED", 1), ("FAILED", 2), ("KILLED", 2)])
def test_a_session_ends_with_the_status_that_tensorboard_knows(status, expected):
    """FINISHED is SUCCESS; FAILED and KILLED are FAILURE, for want of another word."""
    _, (tag, content) = summaries(Params(wall_time=6.0), Ended(wall_time=9.0, status=status))
    info = content.session_end_info

    assert "_hparams_/session_end_info" == tag
    assert (expected, 9.0) == (info.status, info.end_time_secs)


def test_a_run_without_a_session_has_no_end_of_one():
    """A run that was never given parameters has no place on the page, and its end makes none."""
    assert [] == summaries(STARTED, Ended(wall_time=9.0, status="FINISHED"))


def test_parameters_keep_the_type_of_their_column():
    """Booleans, numbers and texts are what they are, nested names are dotted, a list is its JSON."""
    given = {"amp": True, "steps": 3, "optim": {"lr": 1e-3, "name": "adam"}, "layers": [1, 2]}
    expected = {
        "amp": True,
        "steps": 3.0,
        "optim.lr": 1e-3,
        "optim.name": "adam",
        "layers": "[1, 2]",
    }

    assert repr(expected) == repr(shown(given))


def test_what_would_turn_a_column_into_text_is_left_out():
    """None, NaN, the infinities and integers beyond a double are not shown: one text among numbers is a text column."""
    assert {"a": 1.0} == shown(
        {"a": 1, "b": None, "c": float("nan"), "d": float("inf"), "e": 10**400, "f": {}}
    )


def test_long_texts_are_cut_with_a_marker():
    """A text beyond 250 characters is cut to 250, the last of which say how long it is; 250 are whole."""
    cut = shown({"a": "x" * 20_000, "b": "y" * 250})

    assert "x" * 228 + "... (20000 characters)" == cut["a"]
    assert "y" * 250 == cut["b"]


def test_a_lone_surrogate_is_shown_as_an_escape():
    """A text that UTF-8 cannot write does not stop the run."""
    assert {"a": "\\ud800"} == shown({"a": "\ud800"})


def test_tensorboards_own_messages_read_ours():
    """TensorBoard's protobuf classes, from their own definitions, find the same session in our bytes."""
    plugin_data = pytest.importorskip(
        "tensorboard.plugins.hparams.plugin_data_pb2",
        reason="needs the extra treadle-tracking[tensorboard]",
    )
    (_, start), (_, end) = summaries(
        STARTED, Params(wall_time=6.0, values={"lr": 0.5}), Ended(wall_time=9.0, status="FINISHED")
    )
    start_info = plugin_data.HParamsPluginData.FromString(start.SerializeToString())
    end_info = plugin_data.HParamsPluginData.FromString(end.SerializeToString())

    assert 0.5 == start_info.session_start_info.hparams["lr"].number_value
    assert "seeds" == start_info.session_start_info.group_name
    assert 5.0 == start_info.session_start_info.start_time_secs
    assert (1, 9.0) == (end_info.session_end_info.status, end_info.session_end_info.end_time_secs)


def test_tensorboards_accumulator_reads_a_log(tmp_path):
    """TensorBoard's own reader finds scalars, images and texts where it looks for them."""
    accumulator = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator",
        reason="needs the extra treadle-tracking[tensorboard]",
    )
    from treadle_tracking import start_run

    png = bytes.fromhex("89504e470d0a1a0a0000000d49484452000000030000000201")
    with start_run(f"tensorboard:{tmp_path}", params={"a": 1}) as run:
        run.log({"loss": 0.1, "acc": 2.0}, step=3)
        run.log({"loss": 0.5}, step=4)
        run.image("digit", png, step=4)
        run.text("note", "*ü*", step=4)
    read = accumulator.EventAccumulator(str(run.directory))
    read.Reload()
    tags = read.Tags()
    image = read.Tensors("digit")[0]

    assert ["loss", "acc"] == tags["scalars"]
    assert [(3, pytest.approx(0.1)), (4, 0.5)] == [(e.step, e.value) for e in read.Scalars("loss")]
    assert (4, [b"3", b"2", png]) == (image.step, list(image.tensor_proto.string_val))
    assert ["*ü*".encode()] == list(read.Tensors("note")[0].tensor_proto.string_val)


def test_long_names_stay_different():
    """A name beyond 250 characters is cut with a digest, so that two of one beginning are two columns."""
    names = ["n" * 300, "n" * 299 + "m", "k" * 250]
    found = list(shown(dict.fromkeys(names, 1)))

    assert [250, 250, 250] == [len(name) for name in found]
    assert 3 == len(set(found))
    assert "k" * 250 == found[2]


def test_a_typed_object_keeps_its_columns_types():
    """A number that was given as a text is a number where the class says so, and a secret is stars."""

    @attrs.frozen
    class Config:
        lr: float = "1e-3"
        steps: float = 3
        clip: float | None = None
        token: str = attrs.field(default="hunter2", metadata={"secret": True})
        act: object = len

    expected = {"lr": 1e-3, "steps": 3.0, "token": "***", "act": "builtins:len"}

    assert repr(expected) == repr(shown(plain_params(Config())))


def test_no_experiment_is_ever_described():
    """TensorBoard's own classes find no description of an experiment in anything that a run writes."""
    plugin_data = pytest.importorskip(
        "tensorboard.plugins.hparams.plugin_data_pb2",
        reason="needs the extra treadle-tracking[tensorboard]",
    )
    found = summaries(
        STARTED,
        Params(wall_time=6.0, values={"lr": 0.5}),
        Params(wall_time=7.0, values={"wd": 0.5}),
        Ended(wall_time=9.0, status="FINISHED"),
    )

    assert [False, False] == [
        plugin_data.HParamsPluginData.FromString(content.SerializeToString()).HasField("experiment")
        for _, content in found
    ]


@attrs.frozen
class Typed:
    """What three runs are configured with."""

    lr: float = 1e-3
    amp: bool = False
    steps: int = 10
    act: object = len
    note: str = "plain"
    layers: tuple = (1, 2)
    clip: float | None = None
    seed: int = 0


@pytest.fixture
def record(tmp_path):
    """Writes a run, as far as TensorBoard sees it."""

    def write(name, params, *, metrics, group=None, status=None):
        directory = tmp_path / "runs" / name
        directory.mkdir(parents=True)
        log = LogWriter(attempt_path(directory))
        log.append(Started(wall_time=1.0, uid=name, experiment="runs", name=name, group=group))
        log.append(Params(wall_time=1.0, values=plain_params(params)))
        log.append(Scalars(wall_time=2.0, step=1, values=metrics))
        log.close(None if status is None else Ended(wall_time=3.0, status=status))

    return write


@pytest.mark.slow
def test_tensorboard_has_one_table_of_all_runs(tensorboard, record):
    """Odd values in some runs leave every column's type, the union of columns, seeds, statuses and names as they are."""
    names = ["lr@0", "a[0]", "a%", "a//b", "/a", "n" * 300, "ü ∞"]
    record("typed", Typed(lr="1e-3", amp=True), metrics={"loss": 1.0}, status="FINISHED")
    record(
        "odd",
        attrs.asdict(Typed(lr=float("nan"), note="x" * 20_000, act=print, clip=0.5))
        | {"steps": float("inf"), "only": {"here": "a"}},
        metrics=dict.fromkeys(names, 2.0),
        status="FAILED",
    )
    record("killed", Typed(lr=3e-4, steps=20), metrics={"loss": 3.0})
    for seed in (1, 2):
        params = Typed(seed=seed)
        record(f"seed{seed}", params, metrics={"loss": seed}, group="seeds", status="FINISHED")
    body = {"experimentName": "", "startIndex": 0, "sliceSize": 10, "colParams": []} | {
        "allowedStatuses": ["STATUS_UNKNOWN", "STATUS_SUCCESS", "STATUS_FAILURE", "STATUS_RUNNING"]
    }
    runs = ["killed", "odd", "seed1", "seed2", "typed"]
    scalars = tensorboard.until(
        lambda: sorted(found := tensorboard("plugin/scalars/tags")) == runs and found
    )
    groups = tensorboard.until(
        lambda: (
            len(found := tensorboard("plugin/hparams/session_groups", body)["sessionGroups"]) == 4
            and found
        )
    )
    experiment = tensorboard("plugin/hparams/experiment", {"experimentName": ""})
    columns = {info["name"]: info for info in experiment["hparamInfos"]}
    rows = {group["name"]: group for group in groups}
    metrics = {info["name"]["tag"] for info in experiment["metricInfos"]}
    averages = {value["name"]["tag"]: value["value"] for value in rows["seeds"]["metricValues"]}

    assert runs == sorted(tensorboard("runs"))
    assert {
        "lr": "DATA_TYPE_FLOAT64",
        "amp": "DATA_TYPE_BOOL",
        "steps": "DATA_TYPE_FLOAT64",
        "act": "DATA_TYPE_STRING",
        "note": "DATA_TYPE_STRING",
        "layers": "DATA_TYPE_STRING",
        "clip": "DATA_TYPE_FLOAT64",
        "seed": "DATA_TYPE_FLOAT64",
        "only.here": "DATA_TYPE_STRING",
    } == {name: info["type"] for name, info in columns.items()}
    assert {"minValue": 3e-4, "maxValue": 1e-3} == columns["lr"]["domainInterval"]
    assert ["builtins:len", "builtins:print"] == sorted(columns["act"]["domainDiscrete"])
    assert ["plain", "x" * 228 + "... (20000 characters)"] == sorted(
        columns["note"]["domainDiscrete"]
    )
    assert {"lr", "steps"}.isdisjoint(rows["odd"]["hparams"])
    assert {"loss", *names} == metrics
    assert sorted(names) == sorted(scalars["odd"])
    assert {"loss": 1.5} == averages
    assert {
        "typed": ["STATUS_SUCCESS"],
        "odd": ["STATUS_FAILURE"],
        "killed": ["STATUS_UNKNOWN"],
        "seeds": ["STATUS_SUCCESS"] * 2,
    } == {
        name: [session.get("status", "STATUS_UNKNOWN") for session in group["sessions"]]
        for name, group in rows.items()
    }
    for name in names:
        points = tensorboard("plugin/scalars/scalars", run="odd", tag=name)
        assert [2.0] == [value for _, _, value in points]
