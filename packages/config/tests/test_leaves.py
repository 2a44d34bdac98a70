"""The scalar types with a text form of their own."""

import datetime as dt
import enum
import functools
import json
import math
import operator
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal, Self
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treadle_config import Codecs, SchemaError


class Access(enum.Flag):
    READ = 1
    WRITE = 2
    RUN = 4


class Mode(enum.Enum):
    FAST = "quick"
    SLOW = "careful"


UTC = dt.UTC


@pytest.mark.parametrize(
    ("declared", "written", "expected"),
    [
        (dt.timedelta, "90 s", dt.timedelta(seconds=90)),
        (dt.timedelta, "1h30m", dt.timedelta(minutes=90)),
        (dt.timedelta, "2 days 1.5 hours", dt.timedelta(days=2, minutes=90)),
        (dt.timedelta, "250ms", dt.timedelta(milliseconds=250)),
        (dt.timedelta, "-1 min", dt.timedelta(minutes=-1)),
        (dt.timedelta, "01:30:00", dt.timedelta(minutes=90)),
        (dt.timedelta, "0:00:00.5", dt.timedelta(milliseconds=500)),
        (dt.timedelta, dt.timedelta(1), dt.timedelta(1)),
        (dt.date, "2024-02-29", dt.date(2024, 2, 29)),
        (dt.datetime, "2024-02-29T12:30:00Z", dt.datetime(2024, 2, 29, 12, 30, tzinfo=UTC)),
        (dt.datetime, "2024-02-29", dt.datetime(2024, 2, 29)),  # noqa: DTZ001
        (dt.datetime, dt.date(2024, 2, 29), dt.datetime(2024, 2, 29)),  # noqa: DTZ001
        (dt.time, "12:30", dt.time(12, 30)),
        (Decimal, "0.10", Decimal("0.10")),
        (Decimal, 0.1, Decimal("0.1")),
        (Decimal, 3, Decimal(3)),
        (Fraction, "1/3", Fraction(1, 3)),
        (Fraction, 0.1, Fraction(1, 10)),
        (Fraction, 3, Fraction(3)),
        (UUID, "12345678-1234-5678-1234-567812345678", UUID("12345678123456781234567812345678")),
        (Access, "READ|RUN", Access.READ | Access.RUN),
        (Access, "READ | RUN", Access.READ | Access.RUN),
        (Access, "3", Access.READ | Access.WRITE),
        (Access, 0, Access(0)),
        (Mode | str, "FAST", Mode.FAST),
        (Mode | str, "other", "other"),
        (dt.date | str | None, "2024-02-29", dt.date(2024, 2, 29)),
    ],
)
def test_a_text_form_is_read_by_its_type(declared: Any, written, expected):
    """What python holds already is taken as it is, or as a file would have said it."""
    actual = Codecs().decode(written, declared)

    assert (type(expected), expected) == (type(actual), actual)


@pytest.mark.parametrize(
    ("declared", "written", "expected"),
    [
        (
            dt.timedelta,
            5,
            "code: expected timedelta, got 5",
        ),
        (
            dt.timedelta,
            "5",
            (
                "code: expected timedelta, got '5'; "
                "write it with a unit, as in 90 s, 15 min, 1 h 30 min or 2 d"
            ),
        ),
        (
            dt.timedelta,
            "5 y",
            (
                "code: expected timedelta, got '5 y'; "
                "write it with a unit, as in 90 s, 15 min, 1 h 30 min or 2 d"
            ),
        ),
        (
            dt.timedelta,
            "0.1 us",
            "code: expected timedelta, got '0.1 us'; nothing finer than a microsecond is counted",
        ),
        (
            dt.timedelta,
            "999999999999 d",
            "code: expected timedelta, got '999999999999 d'; too long",
        ),
        (
            dt.date,
            dt.datetime(2024, 1, 1),  # noqa: DTZ001
            (
                "code: expected date, got datetime.datetime(2024, 1, 1, 0, 0); "
                "Invalid isoformat string: '2024-01-01T00:00:00'"
            ),
        ),
        (dt.time, 12, "code: expected time, got 12"),
        (Decimal, "\u0663", "code: expected Decimal, got '\u0663'; write it as 0.1 or 1e-3"),
        (Decimal, "a", "code: expected Decimal, got 'a'; write it as 0.1 or 1e-3"),
        (Decimal, True, "code: expected Decimal, got True"),
        (
            Fraction,
            "1e9999999",
            "code: expected Fraction, got '1e9999999'; write it as 1/3 or 0.25",
        ),
        (Fraction, math.inf, "code: expected Fraction, got inf; write it as 1/3 or 0.25"),
        (UUID, "a", "code: expected UUID, got 'a'; badly formed hexadecimal UUID string"),
        (
            Access,
            "READ|NONE",
            (
                "code: expected any of READ (1), WRITE (2), RUN (4) with | between them, "
                "got 'READ|NONE'"
            ),
        ),
    ],
)
def test_what_is_no_such_text_is_refused(declared: Any, written, expected, said):
    """With the way to write it."""
    assert [expected] == said(Codecs().decode, written, declared)


@given(
    st.one_of(
        st.timedeltas(),
        st.dates(),
        st.times(),
        st.datetimes(),
        st.decimals(allow_nan=False),
        st.fractions(),
        st.uuids(),
        st.sampled_from(Mode),
        st.lists(st.sampled_from(Access)).map(
            lambda members: functools.reduce(operator.or_, members, Access(0))
        ),
    )
)
def test_what_is_written_is_read_back(value):
    """For every value of every such type."""
    codecs = Codecs()
    # ISO 8601 has no word for the second pass through an hour, python's fold.
    value = value.replace(fold=0) if isinstance(value, dt.time | dt.datetime) else value

    written = codecs.encode(value)

    assert (True, value) == (isinstance(written, str | int), codecs.decode(written, type(value)))


@pytest.mark.parametrize(
    ("declared", "expected"),
    [
        (
            complex,
            (
                "x: nothing reads the type complex; "
                "register it with Codecs().register(type, encode, decode)"
            ),
        ),
        (
            Callable[[int], int],
            (
                "x: a file has no word for collections.abc.Callable[[int], int]; "
                "declare a Literal or an Enum of names, and look up what they mean"
            ),
        ),
        (
            type[int],
            (
                "x: a file has no word for type[int]; "
                "declare a Literal or an Enum of names, and look up what they mean"
            ),
        ),
        (Self, "x: typing.Self is not read; name the class itself"),
        (
            enum.Enum,
            (
                "x: nothing reads the type Enum; "
                "register it with Codecs().register(type, encode, decode)"
            ),
        ),
        (list["Mode"], "x[]: the type 'Mode' is a name in quotes; give the type itself"),
    ],
)
def test_what_has_no_text_form_is_refused(declared: Any, expected):
    """When it is first seen, with what to do."""
    with pytest.raises(SchemaError) as caught:
        Codecs().schema.of_type(declared, "x")

    assert expected == str(caught.value)


def test_what_stands_where_anything_may_is_plain():
    """Nothing would say how another thing is read back."""
    codecs = Codecs()
    with pytest.raises(SchemaError) as caught:
        codecs.encode({"a": [Path("b")]}, Any)

    assert (
        (
            f"{Path('b')!r} stands where any value may, so nothing says how to read it "
            "back; declare its type"
        ),
        {"a": [1, None, {"b": True}]},
    ) == (str(caught.value), codecs.encode({"a": [1, None, {"b": True}]}, Any))


class Level(enum.IntEnum):
    LOW = 1


class Word(str, enum.Enum):  # noqa: UP042  # whose str() is not its text
    NO = "no"


@pytest.mark.parametrize("value", [[Level.LOW], {"a": Word.NO}, {Word.NO: 1.5}])
def test_what_stands_where_anything_may_is_written_as_an_equal_value(value):
    """A member of an enum that is a number or text is that."""
    actual = Codecs().encode(value, Any)

    assert (value, value) == (actual, json.loads(json.dumps(actual)))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ([(1, "a")], "(1, 'a') stands where any value may"),
        ({"a": {1, 2}}, "{1, 2} stands where any value may"),
        ({1: 2}, "a mapping with keys that are not text stands where any value may"),
    ],
)
def test_what_would_be_read_back_as_another_type_is_refused(value, expected):
    """Not even a tuple becomes a list in silence."""
    with pytest.raises(SchemaError) as caught:
        Codecs().encode(value, Any)

    assert expected == str(caught.value).partition(", so")[0]


def test_a_literal_beside_text_is_text():
    """Quotes make text of what could be the literal's number."""
    actual = [Codecs().decode(one, Literal[1, 2] | str) for one in (1, "1", "b")]

    assert [1, "1", "b"] == actual


def test_types_of_torch_are_read_by_their_names(said):
    """With or without the module's name, and written without it."""
    torch = pytest.importorskip("torch", reason="reads types of torch")
    codecs = Codecs()

    actual = [
        codecs.decode("float32", torch.dtype),
        codecs.decode("torch.bfloat16", torch.dtype),
        codecs.decode(torch.int8, torch.dtype),
        codecs.decode("cuda:1", torch.device),
        codecs.encode(torch.float16),
        codecs.encode(torch.device("cpu")),
        said(codecs.decode, "flaot32", torch.dtype),
        said(codecs.decode, "Tensor", torch.dtype),
        said(codecs.decode, "gpu", torch.device),
        codecs.decode({"float32": "cpu"}, dict[torch.dtype, torch.device]),
    ]

    assert [
        torch.float32,
        torch.bfloat16,
        torch.int8,
        torch.device("cuda", 1),
        "float16",
        "cpu",
        ["code: expected torch.dtype, got 'flaot32'; did you mean float32?"],
        ["code: expected torch.dtype, got 'Tensor'; write it as float32 or bfloat16"],
        ["code: expected torch.device, got 'gpu'; write it as cpu, cuda or cuda:0"],
        {torch.float32: torch.device("cpu")},
    ] == actual


def test_torch_is_never_imported_here(python):
    """Only a schema that names its types brings it."""
    program = """
import sys
from treadle_config import Codecs
class dtype:
    def __init__(self, text): pass
dtype.__module__ = "elsewhere"
try:
    Codecs().decode("float32", dtype)
except Exception as error:
    print(error)
print("torch" in sys.modules)
"""

    actual = python("-c", program)

    printed = (
        "the type: nothing reads the type dtype; "
        "register it with Codecs().register(type, encode, decode)\nFalse\n"
    )
    assert (0, printed, "") == actual
