import pytest

from treadle_tracking import open_runs, start_run
from treadle_tracking.compat import SummaryWriter

pytestmark = pytest.mark.slow


@pytest.fixture
def png():
    """A PNG of 32 by 24 pixels."""
    image = pytest.importorskip("PIL.Image", reason="needs the extra treadle-tracking[images]")
    from io import BytesIO

    buffer = BytesIO()
    image.new("L", (32, 24), 128).save(buffer, "PNG")
    return buffer.getvalue()


def test_tensorboard_shows_two_runs_as_they_are(tensorboard, tmp_path, png):
    """Its HTTP API has two runs, the union of their parameters, scalars as metrics, images, texts and success."""
    common = {"amp": True, "optim": {"lr": 1e-3, "name": "adam"}, "clip": None, "layers": [1, 2]}
    for name, params in (("one", common | {"warmup": 10}), ("two", common | {"dropout": 0.1})):
        with start_run(
            f"tensorboard:{tmp_path / 'runs'}", experiment="digits", name=name, params=params
        ) as run:
            for step in range(5):
                run.log({"loss": 1 / (step + 1), "acc": step / 10}, step=step)
            run.log({"val/loss": 0.25}, step=4)
            run.image("samples", png, step=4)
            run.text("note", "*hello*", step=4)
            run.tag({"by": "me"})
            run.json("vocab", {"a": 1})
    names = ["digits/one", "digits/two"]

    def complete(plugin, tag):
        tags = tensorboard(f"plugin/{plugin}/tags")
        return sorted(tags) == names and all(tag in tags[run] for run in names) and tags

    scalars = tensorboard.until(lambda: complete("scalars", "val/loss"))
    images = tensorboard.until(lambda: complete("images", "samples"))
    texts = tensorboard.until(lambda: complete("text", "note"))
    points = tensorboard("plugin/scalars/scalars", run="digits/two", tag="loss")
    pictures = tensorboard("plugin/images/images", run="digits/two", tag="samples", sample=0)
    picture = tensorboard(f"plugin/images/individualImage?{pictures[0]['query']}")
    (text,) = tensorboard("plugin/text/text", run="digits/two", tag="note")
    experiment = tensorboard("plugin/hparams/experiment", {"experimentName": ""})
    statuses = ["STATUS_UNKNOWN", "STATUS_SUCCESS", "STATUS_FAILURE", "STATUS_RUNNING"]
    groups = tensorboard(
        "plugin/hparams/session_groups",
        {"experimentName": "", "allowedStatuses": statuses, "startIndex": 0, "sliceSize": 10}
        | {"colParams": []},
    )["sessionGroups"]
    columns = {info["name"]: info["type"] for info in experiment["hparamInfos"]}
    metrics = {info["name"]["tag"] for info in experiment["metricInfos"]}
    rows = {group["sessions"][0]["name"]: group for group in groups}

    assert names == sorted(tensorboard("runs"))
    assert {run: {"loss", "acc", "val/loss"} for run in names} == {
        run: set(scalars[run]) for run in names
    }
    assert [(step, pytest.approx(1 / (step + 1))) for step in range(5)] == [
        (step, value) for _, step, value in points
    ]
    assert {run: ["samples"] for run in names} == {run: list(images[run]) for run in names}
    assert (4, png) == (pictures[0]["step"], picture)
    assert {run: ["note"] for run in names} == {run: texts[run] for run in names}
    assert "<p><em>hello</em></p>" in text["text"]
    assert {
        "amp": "DATA_TYPE_BOOL",
        "optim.lr": "DATA_TYPE_FLOAT64",
        "optim.name": "DATA_TYPE_STRING",
        "layers": "DATA_TYPE_STRING",
        "warmup": "DATA_TYPE_FLOAT64",
        "dropout": "DATA_TYPE_FLOAT64",
    } == columns
    assert {"loss", "acc", "val/loss"} == metrics
    assert names == sorted(rows)
    assert {
        "amp": True,
        "optim.lr": 1e-3,
        "optim.name": "adam",
        "layers": "[1, 2]",
        "dropout": 0.1,
    } == (rows["digits/two"]["hparams"])
    assert ["STATUS_SUCCESS"] * 2 == [group["sessions"][0]["status"] for group in groups]


def test_tensorboard_follows_a_run_that_goes_on(tensorboard, tmp_path):
    """A run without an end is shown with its scalars, new ones appear, and a failure is shown as one."""
    run = start_run(
        f"tensorboard:{tmp_path / 'runs'}", experiment="e", name="live", params={"a": 1}
    )
    run.log({"loss": 1.0}, step=1)

    def steps():
        tags = tensorboard("plugin/scalars/tags")
        if "loss" not in tags.get("e/live", {}):
            return []
        return [p[1] for p in tensorboard("plugin/scalars/scalars", run="e/live", tag="loss")]

    def status():
        groups = tensorboard(
            "plugin/hparams/session_groups",
            {"experimentName": "", "startIndex": 0, "sliceSize": 10, "colParams": []}
            | {"allowedStatuses": ["STATUS_UNKNOWN", "STATUS_FAILURE"]},
        )["sessionGroups"]
        return groups[0]["sessions"][0].get("status", "STATUS_UNKNOWN") if groups else None

    assert [1] == tensorboard.until(steps)
    assert "STATUS_UNKNOWN" == tensorboard.until(status)
    run.log({"loss": 0.5}, step=2)
    assert tensorboard.until(lambda: steps() == [1, 2])
    run.close("KILLED")
    assert tensorboard.until(lambda: status() == "STATUS_FAILURE")


@pytest.mark.parametrize("how", ["place", "step", "log"])
def test_tensorboard_shows_a_run_that_went_on_as_one(tensorboard, tmp_path, how):
    """However it goes on, each step is there once, of every tag, in one run, whose end is its last one."""
    arguments = {"experiment": "e", "name": "a", "resume": "auto", "params": {"lr": 0.1}}
    target = f"tensorboard:{tmp_path / 'runs'}"
    with start_run(target, **arguments) as run:
        for step in range(1, 11):
            run.log({"loss": 1 / step}, step=step)
            if step in {4, 8}:
                run.log({"rare": float(step)}, step=step)
                run.text("note", f"first {step}", step=step)
            if step == 5:
                state = run.state_dict()
        run.close("FAILED")
    with start_run(target, **arguments) as run:
        if how == "place":
            run.load_state_dict(state)
        elif how == "step":
            run.rewind(6)
        for step in range(6, 13):
            run.log({"loss": -1 / step}, step=step)

    def read():
        runs = tensorboard("plugin/scalars/tags")
        if set(runs) != {"e/a"}:
            return None
        points = {
            tag: [
                (step, pytest.approx(value, rel=1e-6))
                for _, step, value in tensorboard("plugin/scalars/scalars", run="e/a", tag=tag)
            ]
            for tag in runs["e/a"]
        }
        return points if len(points.get("loss", ())) == 12 else None

    scalars = tensorboard.until(read)
    texts = tensorboard.until(lambda: tensorboard("plugin/text/text", run="e/a", tag="note"))
    (group,) = tensorboard(
        "plugin/hparams/session_groups",
        {"experimentName": "", "startIndex": 0, "sliceSize": 10, "colParams": []}
        | {"allowedStatuses": ["STATUS_UNKNOWN", "STATUS_SUCCESS", "STATUS_FAILURE"]},
    )["sessionGroups"]

    assert {
        "loss": [(step, 1 / step if step < 6 else -1 / step) for step in range(1, 13)],
        "rare": [(4, 4.0)],
    } == scalars
    assert [(4, "<p>first 4</p>")] == [(text["step"], text["text"]) for text in texts]
    assert ["STATUS_SUCCESS"] == [session["status"] for session in group["sessions"]]
    assert ["e/a"] == tensorboard("runs")


def test_tensorboard_follows_a_run_as_it_goes_back(tensorboard, tmp_path):
    """A TensorBoard that was there all the time shows each step of the metrics that go on once."""
    with start_run(f"tensorboard:{tmp_path / 'runs'}", experiment="e", name="a") as run:

        def points():
            if "loss" not in tensorboard("plugin/scalars/tags").get("e/a", {}):
                return []
            answer = tensorboard("plugin/scalars/scalars", run="e/a", tag="loss")
            return [(step, value) for _, step, value in answer]

        for step in range(1, 6):
            run.log({"loss": 1.0}, step=step)
        assert tensorboard.until(lambda: points() == [(step, 1.0) for step in range(1, 6)])
        run.rewind(4)
        for step in range(4, 8):
            run.log({"loss": 2.0}, step=step)
        expected = [(step, 1.0 if step < 4 else 2.0) for step in range(1, 8)]

        assert tensorboard.until(lambda: points() == expected)


@pytest.mark.parametrize("writer", ["compat", "torch"])
def test_a_directory_below_a_run_is_a_group_of_its_metrics(tensorboard, tmp_path, writer):
    """What a SummaryWriter records in `eval` below a run is in the run's row of HPARAMS, as a group of its own."""
    if writer == "torch":
        torch = pytest.importorskip("torch.utils.tensorboard", reason="needs torch and tensorboard")
        summary_writer = torch.SummaryWriter
    else:
        summary_writer = SummaryWriter
    target = f"tensorboard:{tmp_path / 'runs'}"
    with start_run(target, experiment="digits", name="a", params={"lr": 0.1}) as run:
        run.log({"loss": 0.5}, step=1)
        with summary_writer(str(run.directory / "eval")) as evaluation:
            evaluation.add_scalar("loss", 0.25, 1)

    def read():
        infos = tensorboard("plugin/hparams/experiment", {"experimentName": ""})["metricInfos"]
        names = {(info["name"].get("group", ""), info["name"]["tag"]) for info in infos}
        return names if len(names) == 2 else None

    assert {("", "loss"), ("eval", "loss")} == tensorboard.until(read)
    groups = tensorboard(
        "plugin/hparams/session_groups",
        {
            "experimentName": "",
            "startIndex": 0,
            "sliceSize": 10,
            "colParams": [],
            "allowedStatuses": ["STATUS_SUCCESS"],
        },
    )["sessionGroups"]
    assert [{("", 0.5), ("eval", 0.25)}] == [
        {(value["name"].get("group", ""), value["value"]) for value in group["metricValues"]}
        for group in groups
    ]
    assert ["a"] == [one.name for one in open_runs(target)]
