import pickle
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treadle_units import (
    Batches,
    Epochs,
    Inexact,
    InvalidAmount,
    InvalidUnit,
    Length,
    Limit,
    Records,
    Seconds,
    Steps,
    UnitMismatch,
    UnitsError,
    WrongKind,
    parse,
)

parts = st.fractions(min_value=Fraction(1, 50), max_value=1000, max_denominator=50)
whole = st.integers(1, 10**12)
quantities = st.one_of(
    st.builds(Length, whole, st.sampled_from(["records", "batches", "steps", "tokens", "frames"])),
    st.builds(Epochs, parts),
    st.builds(Seconds, parts | whole),
)


def test_constructors():
    """Each constructor makes a length of its unit."""
    made = [Records(3), Batches(3), Steps(3), Epochs(3)]

    assert [Length(3, unit) for unit in ("records", "batches", "steps", "epochs")] == made


def test_whole_fraction():
    """A fraction that is whole is the whole number."""
    length = Epochs(Fraction(4, 2))

    assert (Epochs(2), int) == (length, type(length.value))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: Records(0),
            "Length(0, 'records') is not positive; give more than 0, or None for never",
        ),
        (
            lambda: Batches(-1),
            "Length(-1, 'batches') is not positive; give more than 0, or None for never",
        ),
        (
            lambda: Records(True),
            "Length(True, 'records') is made from a bool; give an int, or a Fraction for a part",
        ),
        (
            lambda: Records(1.0),
            "Length(1.0, 'records') is made from a float; give an int, or a Fraction for a part",
        ),
        (
            lambda: Seconds(0.5),
            "Seconds(0.5) is made from a float; give an int, or a Fraction for a part",
        ),
        (
            lambda: Batches(Fraction(3, 2)),
            "3/2 batches is not whole; only epochs may be fractions, so use 1 or 2",
        ),
        (
            lambda: Steps(Fraction(1, 2)),
            "1/2 steps is not whole; only epochs may be fractions, so use 1",
        ),
    ],
)
def test_invalid_amounts(make, message):
    """Zero, negatives, bools, floats and parts of whole things are refused at construction."""
    with pytest.raises(InvalidAmount) as raised:
        make()

    assert message == str(raised.value)


@pytest.mark.parametrize(
    ("unit", "message"),
    [
        ("epoch", "'epoch' is no unit; use 'epochs'"),
        ("min", "'min' is a time; use Seconds(5)"),
        (
            "two words",
            (
                "'two words' cannot name a counter; "
                "use 'records', 'batches', 'steps', 'epochs', 'tokens' or an identifier"
            ),
        ),
    ],
)
def test_invalid_units(unit, message):
    """A unit that would be misread is refused."""
    with pytest.raises(InvalidUnit) as raised:
        Length(5, unit)

    assert message == str(raised.value)


def test_equality_never_raises():
    """Across units and kinds `==` is false, in containers too."""
    others = [Batches(1), Seconds(1), None, "1 epoch", 1, Epochs(1) | Batches(1)]

    assert (False, [False] * 6) == (Epochs(1) in others, [Epochs(1) == other for other in others])


@pytest.mark.parametrize(
    ("compute", "message"),
    [
        (
            lambda: Epochs(1) < Batches(3),
            (
                "cannot order 1 epoch and 3 batches: epochs and batches have no fixed ratio; "
                "use lengths of one unit, or join limits with '|'"
            ),
        ),
        (
            lambda: Records(1) + Seconds(3),
            (
                "cannot add 1 record and 3 s: records and seconds have no fixed ratio; "
                "use lengths of one unit, or join limits with '|'"
            ),
        ),
    ],
)
def test_units_do_not_mix(compute, message):
    """Order and sums across units are a TypeError that says what to do."""
    with pytest.raises(TypeError) as raised:
        compute()

    assert (UnitMismatch, message) == (raised.type, str(raised.value))


def test_arithmetic_is_exact():
    """Within a unit sums, differences and products are exact."""
    results = [
        Records(100) * Fraction(29, 100),
        2 * Epochs(Fraction(1, 4)),
        Steps(3) + Steps(4),
        Seconds(90) - Seconds(30),
    ]

    assert [Records(29), Epochs(Fraction(1, 2)), Steps(7), Seconds(60)] == results


def test_inexact_product():
    """A product that is not whole names its neighbours instead of rounding."""
    with pytest.raises(Inexact) as raised:
        Records(10) * Fraction(1, 3)

    assert ("10/3 records is not whole; take .floor or .ceil of this error", 3, 4) == (
        str(raised.value),
        raised.value.floor.value,
        raised.value.ceil.value,
    )


def test_difference_is_positive():
    """A difference that is no length is refused like one."""
    with pytest.raises(InvalidAmount) as raised:
        Records(3) - Records(3)

    assert (
        "Length(0, 'records') is not positive; give more than 0, or None for never"
        == str(raised.value)
    )  # fmt: skip


def test_order_within_a_unit():
    """Lengths of one unit sort by their value."""
    halves = [Epochs(2), Epochs(Fraction(1, 2)), Epochs(1)]

    assert [Epochs(Fraction(1, 2)), Epochs(1), Epochs(2)] == sorted(halves)


def test_alternatives():
    """`|` joins limits in order, once each, however they are grouped."""
    joined = (Epochs(10) | Seconds(7200)) | (Seconds(7200) | Steps(5))

    assert ((Epochs(10), Seconds(7200), Steps(5)), "10 epochs | 2 h | 5 steps") == (
        joined.alternatives,
        str(joined),
    )


def test_alternative_of_itself():
    """A limit or itself is that limit."""
    assert Epochs(1) == Epochs(1) | Epochs(1)


def test_frozen():
    """A limit cannot be changed."""
    with pytest.raises(AttributeError):
        Epochs(1).value = 2


@pytest.mark.parametrize(
    ("kind", "text", "message"),
    [
        (
            Length,
            "2 h",
            "'2 h' is a time such as '2 h'; write a length such as '10 epochs'",
        ),
        (
            Length,
            "1 epoch | 2 h",
            (
                "'1 epoch | 2 h' is several alternatives such as '10 epochs | 2 h'; "
                "write a length such as '10 epochs'"
            ),
        ),
        (
            Seconds,
            "1 epoch",
            "'1 epoch' is a length such as '10 epochs'; write a time such as '2 h'",
        ),
    ],
)
def test_parse_of_a_kind(kind, text, message):
    """`parse` of a class returns that kind or says what was found instead."""
    with pytest.raises(WrongKind) as raised:
        kind.parse(text)

    assert message == str(raised.value)


@given(st.lists(quantities, min_size=1, max_size=4))
def test_round_trips(amounts):
    """Text, pickle and hash all keep a limit as it is."""
    limit = amounts[0]
    for amount in amounts[1:]:
        limit = limit | amount
    kept = {parse(str(limit)), pickle.loads(pickle.dumps(limit)), type(limit).parse(str(limit))}

    assert {limit} == kept


@given(quantities, quantities)
def test_order_is_of_values(one, other):
    """Within a unit order is the order of values, across units it is an error."""
    try:
        ordered = one < other
    except UnitsError:
        ordered = None

    assert (one.value < other.value if one.unit == other.unit else None) == ordered


def test_limit_is_abstract():
    """There is no limit that is none of the kinds."""
    with pytest.raises(TypeError):
        Limit()
