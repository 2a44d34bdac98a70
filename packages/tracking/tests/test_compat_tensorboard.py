import re
import subprocess
import sys
from io import BytesIO
from struct import pack, unpack

import pytest

pytestmark = pytest.mark.slow
NAMES = {"torch": "torch.utils.tensorboard", "ours": "treadle_tracking.compat"}

CURVES = """
import sys
import numpy as np
import torch
from matplotlib import pyplot
from {module} import SummaryWriter

random = np.random.default_rng(7)
writer = SummaryWriter(sys.argv[1] + "/run", max_queue=5, flush_secs=1, filename_suffix=".x")
for step in range(7):
    at = 1_700_000_000 + step / 4
    writer.add_scalar("train/loss", 1 / (step + 1), step, at)
    writer.add_scalar("of torch", torch.tensor([0.1 * step]), step, at)
    writer.add_scalar("of numpy", np.float32(step), float(step), at)
    writer.add_scalar("whole", step, step, at, new_style=True)
    writer.add_scalars("a/pair", {{"x": step, "y/z": -step}}, step, at)
writer.add_scalar("large", 1e300, 3, 1_700_000_000)
writer.add_scalar("nan", float("nan"), 3, 1_700_000_000)
writer.add_scalar("without a step", 2, walltime=1_700_000_000)
normal = random.standard_normal((20, 30))
for name, values, options in [
    ("normal", normal, {{}}),
    ("tensor", torch.tensor(normal).float(), {{}}),
    ("integers", random.integers(-5, 5, 100), {{}}),
    ("constant", np.full(7, 0.25), {{}}),
    ("zeros", np.zeros(3), {{}}),
    ("positive", random.exponential(size=500), {{"bins": "auto"}}),
    ("few bins", normal, {{"bins": 10}}),
    ("narrow", normal, {{"bins": [-1, -0.5, 0, 2]}}),
    ("joined", normal, {{"bins": 47, "max_bins": 10}}),
    ("outliers", np.concatenate([np.zeros(50), [1e9, -1e9]]), {{}}),
]:
    writer.add_histogram(name, values, 4, walltime=1_700_000_000, **options)
writer.add_histogram_raw(
    "raw", 1.0, 9.5, 6, 30.0, 200.0, [0.0, 2.0, 4.0, 8.0, 10.0, 12.0], [0, 1, 0, 3, 2, 0], 5, 1_700_000_000
)
color = random.random((3, 6, 9))
grey = random.integers(0, 256, (5, 4), dtype=np.uint8)
for name, image, options in [
    ("color", color, {{}}),
    ("tensor image", torch.tensor(color * 1.5 - 0.2), {{}}),
    ("last", color.transpose(1, 2, 0), {{"dataformats": "HWC"}}),
    ("grey", grey, {{"dataformats": "HW"}}),
    ("one channel", grey[None], {{}}),
    ("bool", grey > 99, {{"dataformats": "hw"}}),
    ("transparent", random.integers(0, 256, (4, 5, 6), dtype=np.uint8), {{}}),
]:
    writer.add_image(name, image, 2, 1_700_000_000, **options)
writer.add_images("batch", random.random((11, 3, 4, 5)), 2, 1_700_000_000)
writer.add_images("greys", random.random((3, 4, 5, 1)), 2, 1_700_000_000, dataformats="NHWC")
def figure():
    made, axes = pyplot.subplots(figsize=(2, 1), dpi=60)
    axes.plot([1, 3, 2])
    return made
writer.add_figure("figure", figure(), 2, walltime=1_700_000_000)
writer.add_figure("figures", [figure(), figure()], 2, walltime=1_700_000_000)
print(len(pyplot.get_fignums()))
writer.add_text("note", "some **bold** words\\n\\n- one\\n- twö", 2, 1_700_000_000)
writer.add_text("note", "later", 3, 1_700_000_001)
writer.flush()
writer.close()
writer.add_scalar("after close", 1.0, 9, 1_700_000_009)
writer.close()
"""

PARAMS = """
import sys
import torch
from {module} import SummaryWriter

for seed, lr in enumerate([0.1, 0.01]):
    with SummaryWriter(f"{{sys.argv[1]}}/{{seed}}") as writer:
        writer.add_scalar("loss", seed, 1)
        writer.add_hparams(
            {{"lr": lr, "amp": True, "name": "adam", "none": None, "width": torch.tensor([8])}},
            {{"hparam/acc": seed + 0.5}},
        )
"""

GRID = """
import sys
from {module} import SummaryWriter

with SummaryWriter(sys.argv[1] + "/grid") as writer:
    for i in range(5):
        writer.add_hparams({{"lr": 0.1 * i, "bsize": i}}, {{"hparam/loss": 10 * i}}, run_name=f"trial-{{i}}")
"""


@pytest.fixture
def both(tmp_path, serve_tensorboard):
    """Runs a script with either import; TensorBoard over what each has written, and what each has said."""

    def run(script):
        asks, said = {}, {}
        for name, module in NAMES.items():
            folder = tmp_path / name
            folder.mkdir()
            done = subprocess.run(
                [sys.executable, "-c", script.format(module=module), str(folder)],
                capture_output=True,
                text=True,
                check=False,
            )
            assert 0 == done.returncode, done.stderr
            asks[name], said[name] = serve_tensorboard(folder), done.stdout
        return asks, said

    for needed in ("torch", "matplotlib", "PIL"):
        pytest.importorskip(needed, reason="the scripts need it")
    return run


def complete(ask, plugin, tag, run="run"):
    """The tags of a plugin, as soon as the last one is there."""

    def read():
        tags = ask(f"plugin/{plugin}/tags")
        return tag in tags.get(run, {}) and tags

    return ask.until(read)


def single(numbers):
    """Numbers, nested, in single precision: all that is left of a histogram of torch's."""
    if isinstance(numbers, list):
        return [single(number) for number in numbers]
    return float(f"{unpack('<f', pack('<f', numbers))[0]:.6g}")


def inner(rows):
    """Histograms without their empty ends and outermost edges.

    The Rust server leaves torch's as they are written, with a bucket that ends before it begins; Python mends them.
    """
    for _, _, buckets in rows:
        while buckets and not buckets[0][2]:
            del buckets[0]
        while buckets and not buckets[-1][2]:
            del buckets[-1]
        buckets[0][0] = buckets[-1][1] = None
    return rows


def tags(answer):
    return {run: sorted(names) for run, names in answer.items() if names}


def test_a_script_shows_the_same_with_either_import(both, request):
    """Of curves, histograms, images and texts TensorBoard's backend gives the same for torch's writer and for ours."""
    from PIL import Image

    asks, said = both(CURVES)
    shown = {}
    for name, ask in asks.items():
        scalars = tags(complete(ask, "scalars", "after close"))
        histograms = tags(complete(ask, "histograms", "raw"))
        images = tags(complete(ask, "images", "figures"))
        texts = complete(ask, "text", "note/text_summary")
        shown[name] = {
            "said": said[name],
            "runs": sorted(ask("runs")),
            "scalars": {
                (run, tag): repr(ask("plugin/scalars/scalars", run=run, tag=tag))
                for run, names in scalars.items()
                for tag in names
            },
            "histograms": {
                tag: single(ask("plugin/histograms/histograms", run="run", tag=tag))
                for tag in histograms["run"]
            },
            "distributions": {
                tag: single(ask("plugin/distributions/distributions", run="run", tag=tag))
                for tag in histograms["run"]
            },
            "images": {},
            "texts": {
                tag: [
                    # torch's text is a table of one cell.
                    (row["wall_time"], row["step"], re.sub(r"</?t\w+>|\s", "", row["text"]))
                    for row in ask("plugin/text/text", run="run", tag=tag)
                ]
                for tag in texts["run"]
            },
        }
        for tag in images["run"]:
            (row,) = ask("plugin/images/images", run="run", tag=tag, sample=0)
            image = Image.open(BytesIO(ask(f"plugin/images/individualImage?{row['query']}")))
            shown[name]["images"][tag] = (
                (row["wall_time"], row["step"], image.mode, image.size),
                image.tobytes(),
            )

    if request.node.callspec.params["serve_tensorboard"] == "auto":
        for each in shown.values():
            each["histograms"] = {tag: inner(rows) for tag, rows in each["histograms"].items()}
            del each["distributions"]  # made of the same

    assert {"run", "run/a_pair_x", "run/a_pair_y/z"} == set(shown["ours"]["runs"])
    assert 11 == len(shown["ours"]["histograms"])
    assert 11 == len(shown["ours"]["images"])
    assert 10 == len(shown["ours"]["scalars"])
    for what in shown["torch"]:
        assert shown["torch"][what] == shown["ours"][what], what


def sessions(ask, count):
    statuses = ["STATUS_UNKNOWN", "STATUS_SUCCESS", "STATUS_FAILURE", "STATUS_RUNNING"]
    query = {"experimentName": "", "startIndex": 0, "sliceSize": 10, "colParams": []}

    def read():
        answer = ask("plugin/hparams/session_groups", query | {"allowedStatuses": statuses})
        groups = answer["sessionGroups"]
        return len(groups) == count and all(group["sessions"] for group in groups) and groups

    return ask.until(read)


def test_hyperparameters_are_those_of_the_run_itself(both):
    """Both imports give the page the same rows of parameters; ours has no run below a run, and every curve as metric."""
    asks, _ = both(PARAMS)
    rows, runs, metrics = {}, {}, {}
    for name, ask in asks.items():
        groups = sessions(ask, 2)
        complete(ask, "scalars", "loss", "1")
        experiment = ask("plugin/hparams/experiment", {"experimentName": ""})
        rows[name] = sorted(str(sorted(group["hparams"].items())) for group in groups)
        runs[name] = sorted(ask("runs"))
        metrics[name] = {info["name"]["tag"] for info in experiment["metricInfos"]}
        assert {"STATUS_SUCCESS"} == {group["sessions"][0]["status"] for group in groups}

    assert rows["torch"] == [row.replace("True", "1.0") for row in rows["ours"]]
    assert (4, ["0", "1"]) == (len(runs["torch"]), runs["ours"])
    assert ({"hparam/acc"}, {"hparam/acc", "loss"}) == (metrics["torch"], metrics["ours"])


def test_trials_of_one_writer_stay_trials(both):
    """A script that makes a grid of trials with one writer has a row for each, with either import."""
    asks, _ = both(GRID)
    rows = {
        name: sorted(
            (group["sessions"][0]["name"], str(sorted(group["hparams"].items())))
            for group in sessions(ask, 5)
        )
        for name, ask in asks.items()
    }

    assert rows["torch"] == rows["ours"]
    assert "grid/trial-0" == rows["ours"][0][0]
