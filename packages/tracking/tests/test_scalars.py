from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treadle_tracking.errors import InvalidStep, InvalidTensor, InvalidValue
from treadle_tracking.scalars import as_double, as_step


class Tensor:
    """Stands for a tensor: `item` is its one element, or raises where there are several."""

    def __init__(self, value):
        self.value = value

    def item(self):
        if isinstance(self.value, Exception):
            raise self.value
        return self.value

    def __repr__(self):
        return "Tensor(…)"


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0.5, 0.5), (3, 3.0), (True, 1.0), (Tensor(0.25), 0.25), (Tensor(2), 2.0), (-0.0, -0.0)],
)
def test_one_number_is_a_double(value, expected):
    """Python's numbers and anything with one element are the double they are."""
    assert repr(expected) == repr(as_double("loss", value))


def test_numpys_and_torchs_numbers_are_doubles():
    """Scalars of every float and integer kind, and tensors with one element, are read exactly."""
    torch = pytest.importorskip("torch", reason="torch is no dependency of treadle-tracking")
    values = [torch.tensor(0.5), torch.tensor([3]), torch.tensor(0.1, dtype=torch.bfloat16)]
    values += [values[0].numpy()[()], values[1].numpy()]

    assert [0.5, 3.0, 0.10009765625, 0.5, 3.0] == [as_double("x", value) for value in values]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("0.5", "'0.5' (str)"),
        (None, "None (NoneType)"),
        (1j, "1j (complex)"),
        ([1.0], "[1.0] (list)"),
        (
            Tensor(RuntimeError("a Tensor with 2 elements cannot be converted")),
            "Tensor(…) (Tensor)",
        ),
        (Tensor(1j), "Tensor(…) (Tensor)"),
        ("x" * 100, "'" + "x" * 78 + "… (str)"),
        (10**400, "1" + "0" * 78 + "… (int)"),
    ],
)
def test_what_is_no_number_is_an_error(value, shown):
    """The message names the metric, shows the value and its type, and says what is expected."""
    with pytest.raises(InvalidValue) as caught:
        as_double("loss", value)

    assert (
        f"the value of metric 'loss' is {shown}; expected one number: a Python or numpy number or a tensor with "
        f"one element, within the range of a double"
    ) == str(caught.value)


def test_a_tensor_with_several_elements_is_an_error():
    """A tensor is described by its shape, not by its contents."""
    torch = pytest.importorskip("torch", reason="torch is no dependency of treadle-tracking")
    with pytest.raises(InvalidTensor) as caught:
        as_double("loss", torch.zeros(2, 3))

    assert (
        "the value of metric 'loss' is a tensor of shape (2, 3), torch.float32 on cpu. "
        "Log its mean, or one of its elements"
    ) == str(caught.value)


@given(st.integers(min_value=-(2**63), max_value=2**63 - 1))
def test_a_step_is_any_64_bit_integer(step):
    """Steps of 64 bits are taken as they are."""
    assert step == as_step(step)


@pytest.mark.parametrize("step", [1.0, 1.5, "1", None, 2**63, -(2**63) - 1])
def test_what_is_no_step_is_an_error(step):
    """A float, even a whole one, and what needs more than 64 bits is refused."""
    with pytest.raises(InvalidStep) as caught:
        as_step(step)

    assert (
        f"step is {step!r} ({type(step).__name__}); expected an integer from -2**63 to 2**63 - 1, such as the "
        f"number of optimizer updates so far"
    ) == str(caught.value)


def test_the_cause_is_kept():
    """A device that failed says so beside the message: it may be no matter of shape at all."""
    cause = RuntimeError("CUDA error: device-side assert triggered")
    with pytest.raises(InvalidValue) as caught:
        as_double("loss", Tensor(cause))

    assert cause is caught.value.__cause__


@pytest.mark.parametrize(
    ("given", "expected"),
    [(Decimal("0.1"), 0.1), (Fraction(1, 3), 1 / 3), (Decimal("-Infinity"), float("-inf"))],
)
def test_an_exact_number_is_the_double_nearest_to_it(given, expected):
    """Python's own numbers of other kinds are numbers."""
    assert expected == as_double("loss", given)


@pytest.mark.parametrize("given", [Decimal("1e999"), Fraction(10) ** 999, Decimal("sNaN")])
def test_an_exact_number_that_no_double_is_near_to_is_an_error(given):
    """It does not become infinite."""
    with pytest.raises(InvalidValue):
        as_double("loss", given)


def test_a_masked_number_is_an_error():
    """numpy gives 0.0 for what is masked, which nobody has measured."""
    np = pytest.importorskip("numpy", reason="needs the extra treadle-tracking[images]")

    for masked in (np.ma.masked, np.ma.array([1.0], mask=[True])):
        with pytest.raises(InvalidValue):
            as_double("loss", masked)

    assert as_double("loss", np.ma.array([1.0], mask=[False])) == 1.0
