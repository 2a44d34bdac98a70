"""Unions of types that share a text form."""

import datetime as dt
import enum
import re
import uuid
from pathlib import Path
from typing import Any

import pytest
from attrs import Factory, frozen

from treadle_config import ConfigError, diff, dump, load, resolve

DAY = dt.date(2026, 1, 2)
MIDNIGHT = dt.datetime(2026, 1, 2)  # noqa: DTZ001  # as a file says it, without a zone
KEY = uuid.UUID(int=3)


class Color(enum.Enum):
    RED = "red"


@frozen
class Moment:
    at: dt.datetime | dt.date


@frozen
class Day:
    at: dt.date | dt.datetime | None


@frozen
class Logged:
    at: dt.datetime | str | dt.date


@frozen
class Clock:
    at: dt.time | dt.date


@frozen
class Number:
    at: int | float


@frozen
class Switch:
    at: int | bool


@frozen
class Pause:
    at: dt.timedelta | int


@frozen
class Place:
    at: Path | dt.datetime | uuid.UUID | Color


@frozen
class Texts:
    where: Path | str = "data"
    when: dt.datetime | dt.date | str | None = None
    colors: list[Color | str] = Factory(list)
    pairs: tuple[Path | str, int] = ("a", 1)
    by_name: dict[str, Path | str] = Factory(dict)
    plain: str = "2026-01-02"


@frozen
class Run:
    texts: Texts = Texts()


@pytest.mark.parametrize(
    "config",
    [
        Moment(DAY),
        Moment(MIDNIGHT),
        Moment(MIDNIGHT.replace(hour=3)),
        Day(DAY),
        Day(MIDNIGHT),
        Day(None),
        Logged(DAY),
        Logged(MIDNIGHT),
        Logged("soon"),
        Clock(DAY),
        Clock(dt.time(3, 30)),
        Number(1),
        Number(1.0),
        Switch(1),
        Switch(True),
        Pause(3),
        Pause(dt.timedelta(days=3)),
        Place(Path("2026")),
        Place(MIDNIGHT),
        Place(KEY),
        Place(Color.RED),
    ],
    ids=repr,
)
def test_what_is_dumped_of_a_union_is_read_back_as_its_type(config, tmp_path):
    """Whatever the order in which the union names its types."""
    back = [load(type(config), dump(config)).at]
    dump(config, tmp_path / "a.json")
    back.append(load(type(config), tmp_path / "a.json").at)

    assert [(type(config.at), config.at)] * 2 == [(type(one), one) for one in back]


@pytest.mark.parametrize(
    ("schema", "text", "expected"),
    [
        (Moment, "2026-01-02", DAY),
        (Moment, "2026-01-02T00:00", MIDNIGHT),
        (Clock, "03:30", dt.time(3, 30)),
        (Place, "2026-01-02T00:00", MIDNIGHT),
        (Place, "runs/7", Path("runs/7")),
    ],
)
def test_an_argument_is_read_as_the_narrowest_type(schema, text, expected):
    """A day without a time is a date, and a path is what nothing else takes."""
    made: Any = load(schema, argv=["--at", text]).at

    assert (type(expected), expected) == (type(made), made)


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (Texts(), ["texts.where", "texts.pairs[0]"]),
        (Texts(Path("data"), pairs=(Path("a"), 1)), []),
        (
            Texts("a", "2026-01-02", ["red", "blue", Color.RED], ("b", 2), {"x": "c"}),
            [
                "texts.where",
                "texts.when",
                "texts.colors[0]",
                "texts.pairs[0]",
                "texts.by_name.x",
            ],
        ),
        (Texts(Path("a"), DAY, pairs=(Path("a"), 1), by_name={"x": Path("c")}), []),
        (Texts(Path("a"), "soon", ["blue"], (Path("b"), 2)), []),
    ],
    ids=range(5),
)
def test_a_dump_says_which_texts_are_text_where_another_type_would_take_them(
    texts, expected, tmp_path
):
    """So that it is read back as what it was, from mappings and files."""
    config = Run(texts)
    dumped = dump(config, tmp_path / "a.json")
    resolved = resolve(Run, config)
    back = [
        load(Run, dumped),
        load(Run, tmp_path / "a.json"),
        load(Run, resolved.dump("source")),
        load(Run, resolved.dump("resolved")),
    ]

    assert (expected, [{}] * 4, [repr(config)] * 4) == (
        dumped.get("treadle-config", {}).get("text", []),
        [diff(config, one) for one in back],
        [repr(one) for one in back],
    )


def test_a_default_that_was_not_said_is_not_named():
    """The other kind of dump leaves it out."""
    assert {"treadle-config": {"precedence": "code_over_file"}} == resolve(Run).dump("source")


def test_a_stronger_layer_wins_over_such_a_text():
    """It is a value as any other."""
    dumped = dump(Run(Texts("mine")))

    assert Path("theirs") == load(Run, dumped, {"texts.where": "theirs"}).texts.where


def test_what_is_named_as_text_is_read_as_what_its_type_takes():
    """Somebody may have changed the dump."""
    with pytest.raises(ConfigError) as caught:
        load(Run, {"texts": {"pairs": ["a", "b"]}, "treadle-config": {"text": ["texts.pairs[1]"]}})

    assert "texts.pairs[1] (code test_text_unions.py): expected int, got 'b'" == (
        re.sub(r":[0-9]+\)", ")", str(caught.value))
    )


def test_a_tuple_in_code_is_read_as_a_list_is():
    """Only what an object holds already is what it is."""
    pairs = [
        load(Run, {"texts": {"pairs": given}}).texts.pairs
        for given in (["b", 2], ("b", 2), (Path("b"), 2))
    ]

    assert [(Path("b"), 2)] * 3 == pairs
