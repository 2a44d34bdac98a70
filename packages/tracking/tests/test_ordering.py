"""Which run comes first."""

import math

import pytest

from treadle_tracking.reading.record import RunRecord
from treadle_tracking.searching import Field, parse_order, search


def make_run(uid, **values):
    given = {
        "target": "tensorboard:/runs",
        "identity": f"/runs/{uid}",
        "uid": uid,
        "experiment": "digits",
        "name": uid,
        "status": "FINISHED",
        "started": 1.0,
        "extremes": {},
        "reader": None,
    }
    return RunRecord(**given | values)


def found(runs, order_by, limit=None):
    return "".join(run.uid for run in search(runs, "", order_by, limit, lambda *_: {}))


@pytest.mark.parametrize(
    ("order_by", "expected"),
    [
        ("metrics.loss", [("metric", "loss", "last", False)]),
        ("metrics['val/loss'] DESC", [("metric", "val/loss", "last", True)]),
        (
            "params.lr desc, metrics.loss.min asc,status",
            [
                ("param", "lr", None, True),
                ("metric", "loss", "min", False),
                ("attribute", "status", None, False),
            ],
        ),
        (
            ["start_time desc, name", "tags.`a b`"],
            [
                ("attribute", "started", None, True),
                ("attribute", "name", None, False),
                ("tag", "a b", None, False),
            ],
        ),
        (("name",), [("attribute", "name", None, False)]),
        (None, []),
        ([], []),
    ],
)
def test_an_order_is_fields(order_by, expected):
    """In one text with commas, or in several, ascending where nothing else is said."""
    actual = parse_order(order_by)

    assert tuple((Field(*one[:3]), one[3]) for one in expected) == actual


@pytest.mark.parametrize(
    ("order_by", "expected"), [("params.a", "cbad"), ("params.a desc", "abcd")]
)
def test_what_is_missing_or_nan_is_last(order_by, expected):
    """Ascending and descending, and the order of its kind does not turn around."""
    runs = [
        make_run("d", params={"a": math.nan}),
        make_run("a", params={"a": 2}),
        make_run("b", params={"a": 1.5}),
        make_run("c", params={"a": -math.inf}),
    ]

    assert expected == found(runs, order_by)


@pytest.mark.parametrize(
    ("order_by", "expected"), [("params.a", "213465798"), ("params.a desc", "312645798")]
)
def test_a_mixed_column_has_one_order(order_by, expected):
    """Numbers, texts, false and true, lists, and then those without, of which the first started comes first."""
    values = {
        "1": 2**60,
        "2": -1.0,
        "3": 2**60 + 1,
        "4": "a",
        "5": True,
        "6": "b",
        "7": [1],
        "8": math.nan,
        "9": None,
    }
    runs = [
        make_run(uid, params={"a": value}, started=0.5 if uid == "9" else 1.0)
        for uid, value in values.items()
    ]

    assert expected == found(runs, order_by)


def test_the_first_field_decides_first():
    """A later one decides where it does not; then the start does, then the uid."""
    runs = [
        make_run("c", params={"a": 1}, metrics={"m": 1.0}, started=3.0),
        make_run("b", params={"a": 1}, metrics={"m": 1.0}, started=3.0),
        make_run("a", params={"a": 1}, metrics={"m": 1.0}, started=9.0),
        make_run("d", params={"a": 1}, metrics={"m": 2.0}),
        make_run("e", params={"a": 0}, metrics={"m": 0.0}),
    ]

    assert "dbcae" == found(runs, ["params.a desc", "metrics.m desc"])


def test_without_an_order_the_first_started_comes_first():
    """However the runs came."""
    runs = [make_run("b"), make_run("c", started=0.5), make_run("a")]

    assert "cab" == found(runs, None)


def test_a_limit_is_taken_from_the_front():
    """After the order is made."""
    runs = [make_run("a"), make_run("b"), make_run("c")]

    assert ["cb", "cba"] == [found(runs, "uid desc", limit) for limit in (2, 9)]


def test_times_and_durations_are_ordered():
    """A run without an end is last."""
    runs = [make_run("a"), make_run("b", ended=5.0), make_run("c", started=3.0, ended=4.0)]

    assert ["cba", "bca", "bac"] == [
        found(runs, order) for order in ("ended", "ended desc", "started, ended")
    ]
