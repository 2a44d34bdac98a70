"""Requests within MLflow's limits."""

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from treadle_tracking.mirrors.batching import Point, requests


def test_what_fits_is_one_request():
    """Everything goes together while it may; numbers of entries are the client's own business."""
    points = [Point("loss", 1.0, 0, step) for step in range(2_000)]
    params = {f"p{number}": "1" for number in range(200)}

    [made] = requests(points, params, {"t": "1"})

    assert (points, list(params.items()), [("t", "1")]) == (made.metrics, made.params, made.tags)


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
