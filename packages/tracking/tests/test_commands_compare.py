"""`compare`."""

import json
import shutil

import pytest

from treadle_tracking.commands import main

TABLE = """\
            baseline    wider
attributes
  duration  3 min 12 s  1 h 15 min
params
  optim.lr  0.001       0.0003
  width     —           256
  3 more are the same
tags
  outcome   good        good, but slow
metrics
  loss      0.21        0.12 (-0.09)
  val/loss  0.35        0.22 (-0.13)
"""


@pytest.mark.parametrize(
    "arguments",
    [
        ["runs", "3f2a", "wider"],
        ["runs/digits", "baseline", "wider"],
        ["runs/digits/baseline", "runs/digits/wider"],
        ["runs/digits/baseline", "runs#wider"],
        ["runs", "digits/baseline", "elsewhere#wider"],
        ["runs", "tensorboard:runs/digits#baseline", "tensorboard:elsewhere/digits/wider#"],
    ],
)
def test_runs_are_compared_wherever_they_are(five_runs, capsys, arguments):
    """By their names in one place, by their directories, or as `TARGET#RUN` of another."""
    shutil.copytree("runs", "elsewhere")

    assert 0 == main(["compare", *arguments])
    assert (TABLE, "") == capsys.readouterr()


def test_a_name_may_have_the_sign_in_it(five_runs, capsys):
    """What is before it is no place then."""
    from treadle_tracking import start_run

    start_run("tensorboard:runs", name="a#b").close()

    assert 0 == main(["compare", "runs", "a#b", "wider"])
    assert capsys.readouterr().out.split()[:2] == ["a#b", "wider"]


def test_what_differs_is_shown_as_lines(five_runs, capsys):
    """As `diff` shows it, whole."""
    main(["compare", "runs/digits", "baseline", "wider", "--diff"])
    main(["compare", "runs/digits", "baseline", "baseline", "--diff"])

    assert (
        "--- baseline\n+++ wider\n- optim.lr: 0.001\n+ optim.lr: 0.0003\n+ width: 256\n"
        == capsys.readouterr().out
    )


def test_a_comparison_is_json(five_runs, capsys):
    """What each run has by the label that it is given; what one does not have is not there."""
    main(["compare", "runs", "digits/baseline", "letters/baseline", "--json"])

    out = capsys.readouterr().out
    first, second = "baseline (3f2a91bc)", "baseline (3fe8d2a0)"
    assert out.isascii()
    assert {
        "runs": [
            {
                "label": label,
                "uid": uid,
                "name": "baseline",
                "experiment": experiment,
                "target": f"tensorboard:{five_runs}",
                "identity": f"{five_runs}/{experiment}/baseline",
            }
            for label, uid, experiment in (
                (first, "3f2a91bc6f0d4e1c9a7be2d15f60c834", "digits"),
                (second, "3fe8d2a04b614c9f91e7a05c3d82b6f1", "letters"),
            )
        ],
        "is_same": False,
        "attributes": {
            "experiment": {first: "digits", second: "letters"},
            "status": {first: "FINISHED", second: "FAILED"},
            "duration": {first: 192.0, second: 60.0},
        },
        "params": {
            "optim.lr": {first: 0.001, second: 0.1},
            "optim.name": {first: "adam", second: "sgd"},
        },
        "same_params": {"batch_size": 32, "clip": None},
        "tags": {"outcome": {first: "good"}},
        "metrics": {
            "loss": {first: 0.21, second: {"$float": "nan"}},
            "val/loss": {first: 0.35, second: 2.4},
        },
    } == json.loads(out)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["runs", "wider"], "a run is compared with another: name two, or more"),
        (["runs", "wider", "nobody"], "no run 'nobody' in {}/runs. "),
        (["runs", "wider", "runs#nobody"], "no run 'nobody' in {}/runs. "),
        (
            ["runs", "wider", "runs/digits"],
            "there are 3 runs in tensorboard:{}/runs/digits: name one, by its uid or its name",
        ),
    ],
)
def test_what_cannot_be_compared_is_told(five_runs, tmp_path, capsys, arguments, said):
    """The call is wrong."""
    assert 2 == main(["compare", *arguments])
    assert capsys.readouterr().err.startswith(f"treadle: {said.replace('{}', str(tmp_path))}")
