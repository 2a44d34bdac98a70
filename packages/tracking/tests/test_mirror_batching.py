"""Requests within MLflow's limits."""

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from treadle_tracking.mirrors.batching import Point, requests


def sizes(metrics, params, tags):
    """How many metrics, parameters and tags each request carries."""
    points = [Point("loss", 1.0, 0, step) for step in range(metrics)]
    return [
        (len(request.metrics), len(request.params), len(request.tags))
        for request in requests(
            points,
            {f"p{number}": "1" for number in range(params)},
            {f"t{number}": "1" for number in range(tags)},
        )
    ]


def test_a_small_batch_is_one_request():
    """Everything goes together while it may."""
    assert [(3, 2, 1)] == sizes(3, 2, 1)


def test_metrics_parameters_and_tags_count_together():
    """A request carries a thousand entries of all kinds, not of each."""
    assert [(998, 1, 1), (2, 0, 0)] == sizes(1000, 1, 1)


def test_parameters_and_tags_have_limits_of_their_own():
    """A request carries a hundred parameters and a hundred tags."""
    assert [(0, 100, 0), (0, 100, 0), (0, 50, 100), (0, 0, 50)] == sizes(0, 250, 150)


def test_nothing_is_no_request():
    """An empty batch asks nothing of the server."""
    assert [] == sizes(0, 0, 0)


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
