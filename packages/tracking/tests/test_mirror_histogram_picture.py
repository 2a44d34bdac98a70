"""Histograms as pictures that hold their numbers."""

from math import inf
from xml.etree import ElementTree as ET

import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from treadle_tracking.entries import Histogram
from treadle_tracking.mirrors.histogram_picture import histogram_buckets, histogram_svg

SVG = "{http://www.w3.org/2000/svg}"
HISTOGRAM = Histogram(
    wall_time=1.0,
    step=7,
    name="layer/weights",
    buckets=((-1.0, 0.0, 10.0), (0.0, 0.5, 40.0), (0.5, 1.0, 0.0)),
)
EDGES = st.floats(allow_nan=False)


def bars(histogram):
    """What is drawn: each bar as its left side, top, width and height."""
    root = ET.fromstring(histogram_svg(histogram))
    return [
        tuple(float(bar.get(key)) for key in ("x", "y", "width", "height"))
        for bar in root.iter(f"{SVG}rect")
        if bar.get("x") is not None
    ]


def test_bars_are_as_high_as_their_counts():
    """The highest count is as high as the picture, none is no bar, and widths follow the edges."""
    assert [(72.0, 249.0, 303.5, 67.0), (376.0, 48.0, 151.5, 268.0)] == bars(HISTOGRAM)


def test_name_step_and_number_are_written():
    """A picture says what it shows without its file's name."""
    root = ET.fromstring(histogram_svg(HISTOGRAM))

    words = [element.text for element in root.iter(f"{SVG}text")]

    assert ["layer/weights", "step 7, 50 values"] == words[:2]
    assert ["0", "10", "20", "30", "40"] == words[2:7]
    assert ["-1", "-0.5", "0", "0.5", "1"] == words[7:]


def test_nothing_is_fetched_or_run():
    """The picture stands alone, wherever it is opened."""
    svg = histogram_svg(evolve(HISTOGRAM, name="<script>alert(1)</script>"))

    assert ["<script", "href", "url(", "<style", "<image"] == [
        word for word in ("<script", "href", "url(", "<style", "<image") if word not in svg
    ]


def test_a_long_name_is_cut_in_the_picture_alone():
    """A title has room for 48 characters."""
    svg = histogram_svg(evolve(HISTOGRAM, name="x" * 49))

    assert f">{'x' * 47}…<" in svg
    assert f'"name": "{"x" * 49}"' in svg


@pytest.mark.parametrize(
    "buckets",
    [
        (),
        ((0.0, 0.0, 0.0),),
        ((3.0, 3.0, 5.0),),
        ((0.0, 0.0, 5.0),),
        ((-inf, 0.0, 1.0), (0.0, inf, 2.0)),
        ((-1.7e308, 0.0, 1.0), (0.0, 1.7e308, 2.0)),
        ((1e-320, 2e-320, 1.0),),
        ((1.0, 1.0 + 2**-52, 1.0),),
        ((0.0, 1.0, 1e308),),
    ],
)
def test_odd_buckets_are_drawn_inside_the_picture(buckets):
    """Whatever the numbers are, the picture is one, and its bars are in it."""
    drawn = bars(evolve(HISTOGRAM, buckets=buckets))

    assert [] == [
        bar
        for bar in drawn
        if not (72 <= bar[0] and bar[0] + bar[2] <= 681 and 48 <= bar[1] <= 316 and bar[3] >= 0)
    ]


@settings(deadline=None, max_examples=100)
@given(st.lists(st.tuples(EDGES, EDGES, EDGES), max_size=5), st.text(max_size=80))
def test_the_numbers_come_back(buckets, name):
    """Every double is exact, and the picture is XML whatever the name is."""
    svg = histogram_svg(evolve(HISTOGRAM, buckets=tuple(buckets), name=name))

    ET.fromstring(svg)

    assert [tuple(map(repr, bucket)) for bucket in buckets] == [
        tuple(map(repr, bucket)) for bucket in histogram_buckets(svg)
    ]


@pytest.mark.parametrize("text", ["", "<svg/>", "<metadata>{}</metadata>"])
def test_another_picture_has_no_buckets(text):
    """What is none of ours is told."""
    with pytest.raises(ValueError):
        histogram_buckets(text)
