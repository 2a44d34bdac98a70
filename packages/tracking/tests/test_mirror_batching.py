"""Requests within MLflow's limits."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from treadle_tracking.mirrors.batching import Point, Request, requests


def test_what_fits_is_one_request():
    """Everything goes together while it may: a thousand entries, a hundred of them parameters, a hundred tags."""
    points = [Point("loss", 1.0, 0, step) for step in range(800)]
    params = {f"p{number}": "1" for number in range(100)}
    tags = {f"t{number}": "1" for number in range(100)}

    [made] = requests(points, params, tags)

    assert (points, params, tags) == (made.metrics, dict(made.params), dict(made.tags))


@pytest.mark.parametrize(
    ("points", "params", "tags", "expected"),
    [
        (801, 100, 100, [(100, 100, 800), (0, 0, 1)]),
        (1_000, 0, 0, [(0, 0, 1_000)]),
        (2_001, 0, 0, [(0, 0, 1_000), (0, 0, 1_000), (0, 0, 1)]),
        (0, 101, 1, [(100, 0, 0), (1, 1, 0)]),
        (3, 0, 250, [(0, 100, 0), (0, 100, 0), (0, 50, 3)]),
    ],
)
def test_what_is_too_many_is_several_requests(points, params, tags, expected):
    """MLflow's limits hold for each kind, and for all of a request together."""
    made = requests(
        [Point("loss", 1.0, 0, step) for step in range(points)],
        {f"p{number}": "1" for number in range(params)},
        {f"t{number}": "1" for number in range(tags)},
    )

    assert expected == [(len(one.params), len(one.tags), len(one.metrics)) for one in made]


def test_an_entry_that_is_too_large_is_alone():
    """What nobody can divide is a request of its own, between others."""
    made = list(requests([], {}, {"a": "1", "b": "x" * 200, "c": "1"}, most_bytes=100))

    assert [["a"], ["b"], ["c"]] == [[key for key, _ in one.tags] for one in made]


@settings(deadline=None)
@given(st.integers(0, 4), st.integers(0, 4), st.integers(0, 4))
def test_halves_are_the_whole(params, tags, metrics):
    """A request that was halved is the same in two, in order, until only single entries are left."""
    request = Request(
        [(f"p{number}", "1") for number in range(params)],
        [(f"t{number}", "1") for number in range(tags)],
        [Point("m", 1.0, 0, number) for number in range(metrics)],
        size=100,
    )
    whole = [*request.params, *request.tags, *request.metrics]

    def divided(one):
        halves = one.halves()
        if halves is None:
            return [*one.params, *one.tags, *one.metrics]
        return divided(halves[0]) + divided(halves[1])

    assert whole == divided(request)


def test_nothing_is_no_request():
    """An empty batch asks nothing of the server."""
    assert [] == list(requests([], {}, {}))


def test_long_texts_are_spread():
    """A request stays below a million bytes, as JSON."""
    tags = {f"tag{number}": '"' * 8000 for number in range(200)}

    made = list(requests([], {}, tags))

    assert tags == dict(tag for request in made for tag in request.tags)
    assert all(len(json.dumps(request.tags)) < 1_000_000 for request in made)


@settings(deadline=None, max_examples=50)
@given(
    st.lists(st.tuples(st.text(max_size=250), st.integers(0, 5)), max_size=30),
    st.dictionaries(st.text(max_size=250), st.text(max_size=6000), max_size=120),
)
def test_everything_is_sent_once_and_in_order(names, params):
    """The requests together are what was given."""
    points = [Point(name, 1.0, 0, step) for name, step in names]

    made = list(requests(points, params, {}))

    assert points == [point for request in made for point in request.metrics]
    assert list(params.items()) == [param for request in made for param in request.params]
