"""What is said where a filter compares a parameter with a value of another type."""

from pathlib import Path

import pytest

from treadle_tracking.commands import main
from treadle_tracking.commands.mistyped import mistyped
from treadle_tracking.reading import RunRecord
from treadle_tracking.searching import parse


def run(value, *, directory=None, uid="a", identity="a"):
    return RunRecord(
        target="mlflow:sqlite:////m.db",
        identity=identity,
        uid=uid,
        experiment="e",
        name="n",
        status="FINISHED",
        started=0.0,
        params={"lr": value},
        directory=directory,
        reader=None,
    )


def hints(filter, *runs, infer_types=False):
    return list(mistyped(parse(filter).conditions, runs, infer_types=infer_types))


TEXT = "the parameter 'lr' is a text in 1 run, such as '0.1', and is compared with a number: "
NUMBER = "the parameter 'lr' is a number in 1 run, such as 0.1, and is compared with a text: "


@pytest.mark.parametrize(
    "filter",
    ["params.lr < 0.5", "params.lr in (1, 'x')", "params.lr between 1 and 2 and name = 'n'"],
)
def test_a_text_that_is_compared_with_a_number_is_told(filter):
    """With the option that reads it as a number, where it is of a place that has texts alone."""
    assert [TEXT + "--infer-types reads such texts as numbers"] == hints(filter, run("0.1"))
    assert [TEXT + "put that in quotes"] == hints(filter, run("0.1", uid="b"))
    assert [TEXT + "put that in quotes"] == hints(filter, run("0.1", directory=Path("a")))
    assert [TEXT + "put that in quotes"] == hints(filter, run("0.1"), infer_types=True)


def test_a_number_that_is_compared_with_a_text_is_told():
    """Where the text reads as a number."""
    assert [NUMBER + "write that without quotes"] == hints("params.lr > '1e-2'", run(0.1), run("x"))


@pytest.mark.parametrize(
    ("filter", "value"),
    [
        ("params.lr < 0.5", 0.9),
        ("params.lr < 0.5", "high"),
        ("params.lr < 0.5", True),
        ("params.lr = true", "1"),
        ("params.lr = 'adam'", 0.1),
        ("params.lr = '0.2'", "0.1"),
        ("params.lr is null", "0.1"),
        ("tags.lr = '1'", 1),
        ("name = '1' or params.x > 1", "0.1"),
    ],
)
def test_nothing_else_is_told(filter, value):
    """What is of one type, or reads as nothing else, has not been found for another reason."""
    assert [] == hints(filter, run(value))


@pytest.mark.parametrize("command", ["search", "export", "copy"])
def test_commands_tell_it(five_runs, capsys, command):
    """On stderr, where a filter finds nothing."""
    arguments = {
        "search": ["search", "runs", "params.optim.lr > '0.01'"],
        "export": ["export", "runs", "params.optim.lr > '0.01'", "--out", "-"],
        "copy": ["copy", "runs", "tensorboard:copies", "--filter", "params.optim.lr > '0.01'"],
    }

    assert 0 == main(arguments[command])
    assert capsys.readouterr().err.endswith(
        "treadle: the parameter 'optim.lr' is a number in 5 runs, such as 0.001, and is compared with a text: write that "
        "without quotes\n"
    )
