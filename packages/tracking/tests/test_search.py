"""Which runs a search finds, and what it asks for them."""

import subprocess
import sys

import pytest

from treadle_tracking.errors import TrackingError
from treadle_tracking.reading.record import RunRecord
from treadle_tracking.searching import InvalidLimit, NotText, SearchError, search


def make_run(uid, **values):
    given = {
        "target": "tensorboard:/runs",
        "identity": f"/runs/{uid}",
        "uid": uid,
        "experiment": "digits",
        "name": uid,
        "status": "FINISHED",
        "started": 1.0,
        "reader": None,
    }
    return RunRecord(**given | values)


class Histories:
    """Least and greatest values by identity and name, and what was asked for."""

    def __init__(self, **known):
        self.known = known
        self.asked = []

    def __call__(self, runs, names):
        self.asked.append(("".join(run.uid for run in runs), sorted(names)))
        return {run.identity: self.known[run.uid] for run in runs if run.uid in self.known}


def unasked(runs, names):
    raise AssertionError


def uids(runs):
    return "".join(run.uid for run in runs)


RUNS = [
    make_run("a", params={"lr": 0.1}, metrics={"loss": 1.0}),
    make_run("b", params={"lr": 0.01}, metrics={"loss": 2.0}),
    make_run("c", params={"lr": "auto"}, metrics={"loss": 3.0}),
    make_run("d", metrics={"other": 1.0}),
]


def test_the_runs_that_are_found_are_those_of_which_the_filter_is_true():
    """Unknown is not true; the records are the ones that were given."""
    found = search(RUNS, "params.lr < 1 and metrics.loss > 0.5", None, None, unasked)

    assert [True, True] == [one is other for one, other in zip(found, RUNS[:2], strict=True)]


def test_nothing_is_found_where_nothing_has_the_name():
    """A name that no run has is no error."""
    assert [] == search(RUNS, "params.missing = 1", "metrics.missing", 5, unasked)


def test_extremes_are_asked_for_once_and_of_those_that_may_be_found():
    """Not of a run that the rest of the filter leaves out, or that lacks the metric."""
    histories = Histories(a={"loss": (0.25, 1.0)}, c={"loss": (0.75, 9.0)})

    found = search(RUNS, "metrics.loss.min < 0.5 and not name = 'b'", None, None, histories)

    assert ("a", [("ac", ["loss"])]) == (uids(found), histories.asked)


def test_extremes_are_asked_for_together_for_filter_and_order():
    """In one call, whatever the filter says of the runs."""
    histories = Histories(
        a={"loss": (0.25, 1.0), "x": (0.0, 3.0)},
        b={"loss": (0.25, 9.0), "x": (0.0, 5.0)},
    )
    order = "metrics.x.max desc"

    found = search(RUNS[:3], "metrics.loss.min < 0.5 or params.lr = 'auto'", order, None, histories)

    assert ("bac", [("abc", ["loss", "x"])]) == (uids(found), histories.asked)


def test_an_order_by_extremes_asks_only_of_those_that_were_found():
    """They are not needed to find them."""
    histories = Histories(b={"loss": (1.0, 1.0)}, c={"loss": (0.5, 1.0)})

    found = search(RUNS, "metrics.loss >= 2", "metrics.loss.min", None, histories)

    assert ("cb", [("bc", ["loss"])]) == (uids(found), histories.asked)


def test_a_run_that_knows_its_extremes_is_not_asked_about():
    """It is taken at its word, and nothing is asked where all are."""
    runs = [make_run("a", metrics={"loss": 1.0}, extremes={"loss": (0.5, 2.0)})]

    assert "a" == uids(search(runs, "metrics.loss.max = 2", "metrics.loss.min", None, unasked))


@pytest.mark.parametrize("limit", [0, -1, True, 1.0, "1"])
def test_a_limit_is_a_positive_integer(limit):
    """Or None."""
    with pytest.raises(InvalidLimit) as caught:
        search(RUNS, "", None, limit, unasked)

    assert (
        f"limit is {limit!r} ({type(limit).__name__}); expected a positive integer, or None for every run that is found"
    ) == str(caught.value)


@pytest.mark.parametrize(
    ("filter", "order_by", "expected"),
    [
        (
            None,
            None,
            "filter is None (NoneType); expected a text, such as 'params.lr > 1e-3'",
        ),
        (
            "",
            5,
            "order_by is 5 (int); expected a text, such as 'metrics.loss desc, name', or a list of such",
        ),
        (
            "",
            ["name", b"x"],
            "order_by[1] is b'x' (bytes); expected a text, such as 'metrics.loss desc, name', or a list of such",
        ),
    ],
)
def test_a_filter_and_an_order_are_texts(filter, order_by, expected):
    """Anything else is shown."""
    with pytest.raises(NotText) as caught:
        search(RUNS, filter, order_by, None, unasked)

    assert expected == str(caught.value)


def test_an_error_is_raised_before_anything_is_asked_for():
    """Also of the order, and where there is no run at all."""
    with pytest.raises(SearchError):
        search([], "metrics.loss.min > 0", "metrics.loss down", None, unasked)

    assert issubclass(SearchError, TrackingError)


def test_the_parser_is_loaded_for_the_first_filter():
    """Importing the package costs nothing of it."""
    program = "import sys, treadle_tracking.searching as s; a = 'lark' in sys.modules; s.parse(''); print(a, 'lark' in sys.modules)"

    actual = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )

    assert "False True\n" == actual.stdout
