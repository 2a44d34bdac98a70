import copy
import pickle
from fractions import Fraction

import pytest

from treadle_units import (
    At,
    Batches,
    Counts,
    Epochs,
    Every,
    Length,
    Outcome,
    Seconds,
    Steps,
    Throughput,
    UnitsError,
)
from treadle_units.limits import FirstOf
from treadle_units.parsing import Amount

VALUES = {
    "Length(value=10, unit='epochs')": lambda: Epochs(10),
    "Length(value=Fraction(1, 3), unit='epochs')": lambda: Length(
        unit="epochs", value=Fraction(1, 3)
    ),
    "Seconds(value=90)": lambda: Seconds(value=90),
    "FirstOf(alternatives=(Length(value=1, unit='steps'), Seconds(value=2)))": (
        lambda: Steps(1) | Seconds(2)
    ),
    "Counts(records=8, batches=2, steps=0, epochs=0, seconds=0.5)": (
        lambda: Counts(8, 2, seconds=0.5)
    ),
    "Outcome(reason='patience', limit=None, counts=Counts(records=0, batches=0, steps=0, epochs=0, "
    "seconds=0.0), unreached=())": lambda: Outcome("patience", None, Counts()),
    "Throughput(records=8, batches=2, seconds=0.5, ranks=1)": lambda: Throughput(8, 2, 0.5),
    "Every(length=Length(value=5, unit='batches'), offset=1, at_end=False)": (
        lambda: Every("5 batches", offset=Fraction(1))
    ),
    "At(lengths=(Length(value=1, unit='steps'), Length(value=7, unit='steps')))": (
        lambda: At(lengths=["7 steps", Steps(1)])
    ),
}

values = pytest.mark.parametrize("make", VALUES.values(), ids=[text[:24] for text in VALUES])


@pytest.mark.parametrize("text", VALUES)
def test_representation(text):
    """The representation of a value is the call that makes it."""
    value = VALUES[text]()

    assert (text, value) == (repr(value), eval(text))


@values
def test_equality(make):
    """Values of equal fields are equal and have one hash."""
    assert (make(), {make(): 1}) == (make(), {make(): 1})


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Steps(3), Batches(3)),
        (Steps(3), Steps(4)),
        (Steps(3), Amount(3, "steps")),
        (Seconds(3), 3),
        (Counts(1), Throughput(1, 0, 0.0)),
        (Every("1 step"), Every("1 step", at_end=True)),
    ],
)
def test_inequality(one, other):
    """Another field, or another kind, makes another value."""
    assert (False, True) == (one == other, one != other)


@values
@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_pickle(make, protocol):
    """A pickled value is that value."""
    kept = pickle.loads(pickle.dumps(make(), protocol))

    assert (make(), type(make())) == (kept, type(kept))


@values
@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy])
def test_copy(make, duplicate):
    """A copied value is that value."""
    kept = duplicate(make())

    assert (make(), type(make())) == (kept, type(kept))


@values
def test_frozen(make):
    """No field of a value can be set again or deleted, also not on a copy of it."""
    value = copy.copy(pickle.loads(pickle.dumps(make())))
    kind = type(value).__name__
    messages = []
    for name in value.__match_args__:
        with pytest.raises(AttributeError) as set_again:
            setattr(value, name, None)
        with pytest.raises(AttributeError) as deleted:
            delattr(value, name)
        messages += [str(set_again.value), str(deleted.value)]

    assert make() == value
    assert messages == [
        f"{name} of a {kind} cannot be changed, since it is a value; make another {kind}"
        for name in value.__match_args__
        for _ in range(2)
    ]


@values
def test_closed(make):
    """A value has its fields and nothing else."""
    value = make()

    with pytest.raises(AttributeError):
        value.remark = "mine"

    assert not hasattr(value, "__dict__")


def test_patterns():
    """A value can be taken apart by a pattern, in the order of its fields."""
    match Epochs(3) | Seconds(60):
        case FirstOf((Length(value, unit), Seconds(seconds))):
            taken = (value, unit, seconds)

    assert (3, "epochs", 60) == taken


def test_refused_before_it_is():
    """What a constructor refuses never becomes a value, however its arguments are given."""
    with pytest.raises(UnitsError):
        Length(value=0, unit="epochs")
    with pytest.raises(TypeError):
        Every("1 step", 1)
    with pytest.raises(TypeError):
        FirstOf()
