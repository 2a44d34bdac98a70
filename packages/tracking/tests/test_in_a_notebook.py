"""What a notebook shows of runs; real ones are in tests/hosts."""

import sys

import pytest

from treadle_tracking import open_runs, start_run


@pytest.fixture
def runs(tmp_path):
    for name in ("a", "<b>"):
        with start_run(f"tensorboard:{tmp_path}", name=name, params={"lr": 0.1}) as run:
            run.log({"loss": 0.5}, step=1)
    return open_runs(f"tensorboard:{tmp_path}")


def test_runs_are_a_table(runs):
    """The last value of a cell is the table of the runs, in which names are text."""
    pytest.importorskip("pandas", reason="needs the extra treadle-tracking[frames]")
    table = runs._repr_html_()

    assert "<th>metrics.loss</th>" in table
    assert "<td>&lt;b&gt;</td>" in table
    assert "<p>2 rows" in table


def test_without_pandas_runs_are_a_line(runs, monkeypatch):
    """A notebook falls back on the text."""
    monkeypatch.setitem(sys.modules, "pandas", None)

    assert runs._repr_html_() is None
