"""`plot`."""

import json
import re
import webbrowser

import pytest

from treadle_tracking.commands import main


def drawn(path):
    """What the page in a file shows."""
    data = re.search(r'<script type="application/json" id="data">(.*?)</script>', path.read_text())
    return json.loads(data.group(1))


def test_runs_are_drawn(five_runs, tmp_path, capsys):
    """On a page, with the axes that are asked for, and as they are asked for."""
    arguments = ["--params", "optim.lr,batch_size", "--params", "width", "--metrics", "loss"]
    arguments += ["--scale", "optim.lr=linear", "--bounds", "loss=:0.5", "--bounds", "width=16:"]
    arguments += ["--color", "loss", "--title", "mine"]

    code = main(["plot", "runs", "experiment = 'digits'", "--out", "runs.html", *arguments])

    page = drawn(tmp_path / "runs.html")
    axes = {axis["key"]: axis for axis in page["axes"]}
    assert (0, "runs.html: 3 runs\n", "") == (code, *capsys.readouterr())
    assert ["params.optim.lr", "params.batch_size", "params.width", "metrics.loss"] == list(axes)
    assert "linear" == axes["params.optim.lr"]["scale"]
    assert [[None, 0.5], [16.0, None]] == [
        axes[name]["bounds"] for name in ("metrics.loss", "params.width")
    ]
    assert ("metrics.loss", "mine") == (page["color"], page["title"])
    assert ["baseline", "narrow", "wider"] == sorted(page["runs"]["name"])


def test_a_page_is_replaced_and_nothing_else(five_runs, tmp_path, capsys):
    """What is no page of ours is replaced only by force."""
    (tmp_path / "mine.html").write_text("<!doctype html>\n<html lang='en'>")
    (tmp_path / "empty.html").touch()

    codes = [
        main(["plot", "runs", "--out", out, *more])
        for out, *more in (
            ["new.html"],
            ["new.html", "--title", "again"],
            ["mine.html"],
            ["empty.html"],
            ["mine.html", "--force"],
        )
    ]

    assert [0, 0, 2, 2, 0] == codes
    assert "again" == drawn(tmp_path / "new.html")["title"]
    assert "5 runs of 2 experiments" == drawn(tmp_path / "mine.html")["title"]
    assert (
        "treadle: 'mine.html' is there, and is no page of this kind: give --force if it is to be replaced\n"
        "treadle: 'empty.html' is there, and is no page of this kind: give --force if it is to be replaced\n"
    ) == capsys.readouterr().err


def test_a_page_is_opened(five_runs, tmp_path, monkeypatch):
    """In a browser, if that is asked for."""
    opened = []
    monkeypatch.setattr(webbrowser, "open", opened.append)
    main(["plot", "runs", "--out", "runs.html"])
    main(["plot", "runs", "--out", "runs.html", "--open"])

    assert [f"file://{tmp_path}/runs.html"] == opened


def test_nothing_to_draw(five_runs, tmp_path, capsys):
    """It is said why, and no page is written."""
    assert 1 == main(["plot", "runs", "params.lr = 1", "--out", "runs.html"])
    assert (
        "treadle: no run has a parameter 'lr'. There is 'optim.name', 'optim.lr', 'batch_size', 'clip', 'width'.\n"
        "treadle: there is nothing to draw: no runs were given. Look at what was searched for\n"
    ) == capsys.readouterr().err
    assert not (tmp_path / "runs.html").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--scale", "lr"], "--scale is 'lr'; expected --scale NAME=SCALE, such as lr=log"),
        (["--scale", "lr=ln"], "the scale of 'lr' is 'ln'; expected linear, log or quantile"),
        (
            ["--bounds", "=1:2"],
            "--bounds is '=1:2'; expected --bounds NAME=MIN:MAX, such as lr=1e-4:1e-2",
        ),
        (
            ["--bounds", "loss=1"],
            "the bounds of 'loss' are '1'; expected MIN:MAX, two numbers of which each may be left out",
        ),
        (
            ["--bounds", "loss=1:b"],
            "the bounds of 'loss' are '1:b'; expected MIN:MAX, two numbers of which each may be left out",
        ),
        (
            ["--bounds", "loss=2:1"],
            (
                "the bounds of 'loss' are (2.0, 1.0) (tuple), of which the least is above the most; expected (least, "
                "most), two numbers of which each may be None for no bound, such as (1e-4, None)"
            ),
        ),
        (
            ["--color", "los"],
            "color names 'los' (str), and no run has a parameter or metric of this name. Did you mean 'loss'?",
        ),
        (["--out", "no/x.html"], "--out is 'no/x.html', and there is no directory 'no'"),
        (
            ["--out", "runs"],
            "--out is 'runs', which is a directory; expected the name of a file",
        ),
        (["--out", ""], "--out is '', which names no file"),
    ],
)
def test_a_wrong_call_is_told(five_runs, tmp_path, capsys, arguments, said):
    """And no page is written."""
    assert 2 == main(["plot", "runs", "--out", "x.html", *arguments])
    assert f"treadle: {said}\n" == capsys.readouterr().err
    assert not (tmp_path / "x.html").exists()
