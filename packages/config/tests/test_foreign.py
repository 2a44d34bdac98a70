"""Types that only cattrs knows, through a converter of ours or of the user's."""

from collections import Counter, OrderedDict, deque
from typing import Any, Generic, NamedTuple, NewType, NotRequired, TypedDict, TypeVar

import cattrs
import pytest
from attrs import Factory, field, frozen, make_class

from treadle_config import Codecs, SchemaError, diff, dump, load, resolve

T = TypeVar("T")


class Pair(NamedTuple):
    low: int = 0
    name: str = "a"


class Couple(NamedTuple, Generic[T]):
    one: T
    other: T


class Table(TypedDict):
    width: int
    rows: NotRequired[list[float | None]]


class Strange:
    def __init__(self, text: str) -> None:
        self.text = text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Strange) and other.text == self.text

    __hash__ = None  # type: ignore[assignment]


Hours = NewType("Hours", float)


@frozen
class Foreign:
    pair: Pair = Factory(Pair)
    table: Table = Factory(lambda: {"width": 1})
    recent: deque[int] = Factory(deque)
    maybe: Pair | None = None
    many: list[Pair] = Factory(list)


def one_field(declared: Any) -> type:
    return make_class("One", {"x": field(type=declared)}, frozen=True)


def test_what_cattrs_knows_is_read_and_written(written):
    """From files, code and the command line; scalars within by the rules of this package."""
    name = written("a.json", '{"pair": [7, "no"],\n "table": {"width": "1_000"}}')

    resolution = resolve(
        Foreign,
        name,
        {"recent": [1, "2"], "maybe": Pair(3)},
        argv=["--table", '{"width": 2, "rows": [1e-3, null]}', "--many", '[[1, "b"]]'],
    )

    config = Foreign(
        Pair(7, "no"), {"width": 2, "rows": [0.001, None]}, deque([1, 2]), Pair(3), [Pair(1, "b")]
    )
    assert (config, "file a.json:1", {}, config) == (
        resolution.config,
        str(resolution.source("pair")),
        diff(config, resolution.config),
        load(Foreign, dump(config)),
    )


def test_problems_within_have_their_path_and_source(written, said):
    """All of them, with what was seen and what was expected."""
    name = written(
        "a.json",
        '{"pair": [3.5, "a"],\n "table": {"rows": [true], "hight": 1}, "recent": {"a": 1}}',
    )

    actual = said(load, Foreign, name, argv=["--maybe", "ab", "--many", "[[1]]"])

    assert [
        "pair[0] (file a.json:1): expected int, got 3.5",
        "recent (file a.json:2): expected deque, got a mapping; write a list",
        "table.hight (file a.json:2): expected a key of Table, got 'hight'",
        "table.rows[0] (file a.json:2): expected float | null, got True",
        "table.width (file a.json:2): expected int, got nothing; it is required",
        "maybe (cli --maybe): expected Pair | null, got ab; write a list",
        "many[0] (cli --many): expected tuple[int, str], got a list; it has 1 item instead of 2",
    ] == actual


def test_what_is_planned_here_is_so_within_other_types(schemas):
    """A class with a text form, an enum by its name, and a class with its tag."""

    class Mixed(NamedTuple):
        span: schemas.Span
        precision: schemas.Precision
        optim: schemas.Adam | schemas.SGD

    cls = one_field(Mixed)
    written = {"x": ["3 epochs", "FP32", {"type": "sgd", "lr": "2"}]}

    config = load(cls, written)

    expected = Mixed(schemas.Span(3, "epochs"), schemas.Precision.FP32, schemas.SGD(lr=2.0))
    assert (expected, expected) == (config.x, load(cls, dump(config)).x)


def test_the_hooks_of_a_converter_are_used():
    """For its own types, and for a NewType; the converter itself is left as it was."""
    converter = cattrs.Converter()
    converter.register_structure_hook(Strange, lambda text, _: Strange(str(text)))
    converter.register_unstructure_hook(Strange, lambda strange: strange.text)
    converter.register_structure_hook(Hours, lambda text, _: Hours(60 * float(text)))
    converter.register_unstructure_hook(Hours, lambda hours: hours / 60)
    codecs = Codecs(converter=converter)
    cls = make_class("One", {"a": field(type=list[Strange]), "b": field(type=Hours)})

    config = load(cls, argv=["--a", "x", "--b", "2"], codecs=codecs)

    assert (cls([Strange("x")], 120.0), {"a": ["x"], "b": 2.0}, 3) == (
        config,
        dump(config, codecs=codecs),
        converter.structure("3", int),
    )


def test_what_a_hook_raises_is_the_hint(said):
    """As for a registered type."""

    def refuse(_text: str, _type: type) -> Strange:
        raise ValueError("never right")

    converter = cattrs.Converter()
    converter.register_structure_hook(Strange, refuse)

    actual = said(load, one_field(Strange), argv=["--x", "a"], codecs=Codecs(converter=converter))

    assert ["x (cli --x): expected Strange, got a; never right"] == actual


def test_what_nobody_reads_is_a_schema_error():
    """Also within what cattrs reads, and a hook that writes no plain value is one."""
    converter = cattrs.Converter()
    converter.register_structure_hook(Strange, lambda text, _: Strange(text))
    codecs = Codecs(converter=converter)
    actual = []
    for declared in (Strange, deque[Strange], dict[str, Strange | None], bytes, Couple[int]):
        with pytest.raises(SchemaError) as caught:
            load(one_field(declared))
        actual.append(str(caught.value).partition(";")[0])
    with pytest.raises(SchemaError) as caught:
        dump(load(one_field(Strange), {"x": "a"}, codecs=codecs), codecs=codecs)

    assert [
        "x: nothing reads the type Strange",
        "x: nothing reads the type Strange",
        "x.*: nothing reads the type Strange",
        "x: nothing reads the type bytes",
        f"x: nothing reads the type {Couple[int]}",
        True,
    ] == [*actual, str(caught.value).startswith("Strange is written as <")]


def test_cattrs_is_imported_only_when_it_is_needed(python):
    """A schema of types that are planned here does without."""
    program = """
import sys
from collections import deque
from attrs import field, frozen
from treadle_config import dump, load
@frozen
class Plain:
    x: int = 0
    y: list[str] | None = None
@frozen
class Other:
    x: deque[int] = field(factory=deque)
dump(load(Plain, {"y": ["a"]}, argv=["--x", "3"]))
print("cattrs" in sys.modules)
load(Other)
print("cattrs" in sys.modules)
"""

    actual = python("-c", program)

    assert (0, "False\nTrue\n", "") == actual


class Loose(TypedDict):
    anything: Any


@pytest.mark.parametrize(
    ("declared", "text", "expected"),
    [
        (deque, '[1, "1", null]', deque([1, "1", None])),
        (deque[Any], "[[1.5]]", deque([[1.5]])),
        (Counter, '{"a": 2}', Counter(a=2)),
        (OrderedDict[str, Any], '{"a": [true]}', OrderedDict(a=[True])),
        (Loose, '{"anything": 1}', {"anything": 1}),
    ],
)
def test_what_may_be_anything_within_is_read_as_elsewhere(declared, text, expected, written):
    """No text of a file is left unread, and what is read is of plain types."""
    cls = one_field(declared)
    name = written("a.json", f'{{"x": {text}}}')

    actual = load(cls, name).x

    assert (repr(expected), expected) == (repr(actual), load(cls, dump(cls(actual))).x)


def test_a_key_of_a_table_that_is_no_text_is_a_problem(said):
    """As one that is not known."""
    actual = said(load, one_field(Loose), {"x": {1: 2, "anything": 3}})

    assert ["expected a key of Loose, got '1'"] == [one.partition(": ")[2] for one in actual]
