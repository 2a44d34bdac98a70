import math
import sys
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from treadle_tracking.entries import Histogram, Started
from treadle_tracking.errors import MissingExtra, UnsupportedHistogram
from treadle_tracking.histograms import buckets
from treadle_tracking.log import LogWriter, attempt_path

ADVICE = (
    "Give an array or tensor of bools, integers or real numbers, of any shape, or lists of these"
)
NUMBERS = st.lists(st.floats() | st.integers(min_value=-(2**60), max_value=2**60), max_size=60)
BINS = st.integers(min_value=1, max_value=40)


@pytest.fixture
def np():
    return pytest.importorskip("numpy", reason="numpy is no dependency of treadle-tracking")


@pytest.fixture
def torch():
    return pytest.importorskip("torch", reason="torch is no dependency of treadle-tracking")


def test_values_are_counted_between_the_smallest_and_the_largest():
    """Buckets are of equal width and have their left edge; the last has the right one too."""
    assert ((0.0, 1.0, 2.0), (1.0, 2.0, 1.0), (2.0, 3.0, 2.0)) == buckets(
        "w", [0, 0.5, 1, 2, 3], bins=3
    )


@given(NUMBERS, BINS)
def test_every_finite_value_is_in_one_bucket(values, bins):
    """Counts sum to the finite values, edges ascend without gaps from the smallest to the largest."""
    found = buckets("w", values, bins=bins)
    finite = [float(value) for value in values if math.isfinite(value)]

    assert len(finite) == sum(count for _, _, count in found)
    assert 1 <= len(found) <= bins
    if finite:
        assert (min(finite), max(finite)) == (found[0][0], found[-1][1])
        assert all(left < right for left, right, _ in found) or len(found) == 1
        assert all(one[1] == other[0] for one, other in pairwise(found))
        assert [
            sum(left <= value < right for value in finite) for left, right, _ in found[:-1]
        ] == [count for _, _, count in found[:-1]]


@example([0.0, 1.7976931348623157e308], 3)
@given(NUMBERS, BINS)
def test_an_array_is_counted_as_a_list_is(values, bins):
    """numpy gives the same buckets, to the last bit."""
    np = pytest.importorskip("numpy", reason="numpy is no dependency of treadle-tracking")
    array = np.array([float(value) for value in values])

    assert buckets("w", values, bins=bins) == buckets("w", array, bins=bins)


def test_blocks_of_a_large_array_are_one_histogram(np):
    """A large array, in a narrow type, is counted as the whole that it is."""
    array = np.random.default_rng(0).normal(size=(3, 800_000)).astype(np.float32)
    array[0, 0] = np.nan
    counts, edges = np.histogram(array[np.isfinite(array)].astype(np.float64), 30)
    found = buckets("w", array)

    assert counts.tolist() == [count for _, _, count in found]
    assert edges.tolist() == [*(left for left, _, _ in found), found[-1][1]]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([], ((0.0, 0.0, 0.0),)),
        ([math.nan, math.inf, -math.inf], ((0.0, 0.0, 0.0),)),
        ([7, 7.0, math.nan], ((7.0, 7.0, 2.0),)),
        ([[1, (2,)], True], ((1.0, 1.5, 2.0), (1.5, 2.0, 1.0))),
        # Nothing is between these two, and between those more than a double.
        ([1.0, math.nextafter(1, 2)], ((1.0, math.nextafter(1, 2), 2.0),)),
        ([-1.5e308, 1.5e308], ((-1.5e308, 0.0, 1.0), (0.0, 1.5e308, 1.0))),
    ],
)
def test_odd_values_have_buckets_too(values, expected):
    """Nothing, one value, neighbours and the ends of the range of a double all have buckets."""
    assert expected == buckets("w", values, bins=2)


def test_tensors_of_any_kind_are_counted(torch):
    """Every real dtype, a gradient, a sparse layout, and lists of tensors are counted."""
    expected = ((0.0, 0.5, 1.0), (0.5, 1.0, 2.0))
    zero_one = torch.tensor([[0.0, 1.0, 1.0]], requires_grad=True)
    kinds = [torch.float16, torch.bfloat16, torch.float64, torch.int64, torch.uint8, torch.bool]
    found = [buckets("w", zero_one.to(kind), bins=2) for kind in [torch.float32, *kinds]]

    assert [expected] * 7 == found
    assert expected == buckets("w", zero_one.detach().to_sparse(), bins=2)
    assert expected == buckets("w", list(zero_one.detach()[0]), bins=2)
    assert expected == buckets("w", [zero_one.detach()], bins=2)


def test_what_has_no_place_on_an_axis_is_an_error(np, torch):
    """Complex numbers, texts, objects and what is on no device are named as what they are."""
    given_values = [
        (np.array([1j]), "is a ndarray of dtype complex128"),
        (np.array(["a"]), "is a ndarray of dtype <U1"),
        (np.array([None]), "is a ndarray of dtype object"),
        (torch.tensor([1j]), "is a tensor of dtype torch.complex64"),
        ("text", "is 'text' (str)"),
        (None, "is a NoneType of dtype object"),
        ([1, "2"], "holds '2' (str)"),
        ([1j], "holds 1j (complex)"),
        ([None], "holds None (NoneType)"),
        ([10**400], "holds an integer beyond the range of a double"),
    ]
    messages = []
    for values, _ in given_values:
        with pytest.raises(UnsupportedHistogram) as caught:
            buckets("w", values)
        messages.append(str(caught.value))

    assert [f"the histogram 'w' {problem}. {ADVICE}" for _, problem in given_values] == messages


def test_a_tensor_without_values_is_an_error(torch):
    """One on torch's device `meta` cannot be fetched, and the message says so."""
    with pytest.raises(UnsupportedHistogram) as caught:
        buckets("w", torch.ones(2, device="meta"))

    assert str(caught.value).startswith("the histogram 'w' is a tensor that cannot be fetched (")


@pytest.mark.parametrize("bins", [0, -1, 10_001, 2.0, True, None])
def test_a_number_of_buckets_is_a_positive_integer(bins):
    """Anything else is an error, and so is what nobody can draw."""
    with pytest.raises(UnsupportedHistogram) as caught:
        buckets("w", [1, 2], bins=bins)

    assert f"the histogram 'w' is to have {bins!r} buckets. Give `bins` from 1 to 10000" == str(
        caught.value
    )


def test_a_missing_numpy_names_the_extra(monkeypatch):
    """Lists of numbers need no numpy; anything else says what to install."""
    monkeypatch.setitem(sys.modules, "numpy", None)
    with pytest.raises(MissingExtra) as caught:
        buckets("w", memoryview(b"ab"))

    assert ((1.0, 2.0, 2.0),) == buckets("w", [1, 2], bins=1)
    assert (
        "a histogram of an array needs numpy, which is not installed: pip install 'treadle-tracking[images]'"
    ) == str(caught.value)


@pytest.mark.slow
def test_tensorboard_shows_histograms(tensorboard, tmp_path):
    """Both backends give the very buckets, also of one value and of none, and distributions of them."""
    run = tmp_path / "runs" / "e" / "r"
    run.mkdir(parents=True)
    log = LogWriter(attempt_path(run))
    log.append(Started(wall_time=1.0, uid="u", experiment="e", name="r"))
    given_values = {
        "normal": [math.sin(index) for index in range(500)],
        "constant": [7, 7],
        "empty": [],
        "odd": [math.nan, -1e300, 1e300],
        "a//b [0] %ü": [1, 2],
    }
    for step in range(3):
        for name, values in given_values.items():
            shown = buckets(name, values)
            log.append(Histogram(wall_time=2.0 + step, step=step, name=name, buckets=shown))
    log.close()

    assert given_values.keys() == set(
        tensorboard.until(
            lambda: (
                len(found := tensorboard("plugin/histograms/tags").get("e/r", {})) == 5 and found
            )
        )
    )
    for name, values in given_values.items():
        tensorboard.until(
            lambda name=name: (
                len(tensorboard("plugin/histograms/histograms", run="e/r", tag=name)) == 3
            )
        )
        points = tensorboard("plugin/histograms/histograms", run="e/r", tag=name)
        distributions = tensorboard("plugin/distributions/distributions", run="e/r", tag=name)
        expected = [list(bucket) for bucket in buckets(name, values)]

        assert [(step, expected) for step in range(3)] == [(step, rows) for _, step, rows in points]
        assert [0, 1, 2] == [step for _, step, _ in distributions]
        assert all(math.isfinite(value) for _, _, rows in distributions for _, value in rows)
