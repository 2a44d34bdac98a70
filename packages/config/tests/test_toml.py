"""TOML: the same strict values as from other files, with lines that `tomllib` does not give."""

import datetime as dt
import math
import re
import tomllib
from pathlib import Path

import pytest
from attrs import frozen
from hypothesis import given, settings
from hypothesis import strategies as st

from treadle_config import load, resolve
from treadle_config.toml_reader import read_toml
from treadle_config.tree import Plain, Source, Unreadable


@frozen
class Holder:
    a: int = 0
    f: float = 0.0
    flag: bool = False
    s: str = ""
    day: dt.date = dt.date(2000, 1, 1)
    at: dt.datetime = dt.datetime(2000, 1, 1)  # noqa: DTZ001
    either: int | str = 0
    deep: object = None


def source_at(line):
    return Source("file", "a.toml", line)


def leaves(node):
    """Every scalar node below a node, itself included."""
    if isinstance(node.content, dict | list):
        below = node.content.values() if isinstance(node.content, dict) else node.content
        return [leaf for child in below for leaf in leaves(child)]
    return [node]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a = 1_000", Holder(a=1000)),
        ("a = 0x1F", Holder(a=31)),
        ("a = 1e23", Holder(a=10**23)),
        ("f = 1e-3", Holder(f=1e-3)),
        ("f = +5", Holder(f=5.0)),
        ("f = -inf", Holder(f=-math.inf)),
        ("flag = true", Holder(flag=True)),
        ("flag = 'yes'", Holder(flag=True)),
        ("s = 'no'", Holder(s="no")),
        ("s = 1e-3", Holder(s="1e-3")),
        ('s = """\na\\\n  b"""', Holder(s="ab")),
        ("either = 3", Holder(either=3)),
        ("either = '3'", Holder(either="3")),
        ("day = 2024-02-29", Holder(day=dt.date(2024, 2, 29))),
        (
            "at = 2024-02-29 12:30:00Z",
            Holder(at=dt.datetime(2024, 2, 29, 12, 30, tzinfo=dt.UTC)),
        ),
        ("a = 1\r\nf = 2\r\n", Holder(a=1, f=2.0)),
        ("deep = 07:32:00", Holder(deep=dt.time(7, 32))),
        ("deep = [1, 1.5, 'x', {y.z = 1}]", Holder(deep=[1, 1.5, "x", {"y": {"z": 1}}])),
    ],
)
def test_a_value_is_read_by_its_declared_type(text, expected, written):
    """Numbers are exact, as from other files; dates and times are those of TOML."""
    name = written("a.toml", text)

    assert expected == load(Holder, name)


def test_nan_may_have_a_sign(written):
    """TOML has it, and other files have not."""
    name = written("a.toml", "f = -nan")

    assert math.isnan(load(Holder, name).f)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a = 32.7", "a (file a.toml:1): expected int, got 32.7"),
        ("a = true", "a (file a.toml:1): expected int, got true"),
        ("a = 1e9999999", "a (file a.toml:1): expected int, got 1e9999999; too large"),
        (
            "f = 1e400",
            (
                "f (file a.toml:1): expected float, got 1e400; "
                "too large for a float; write inf to mean infinity"
            ),
        ),
        ("s = 0x1F", "s (file a.toml:1): expected str, got 31"),
        (
            "a = 1\nf = 2\na = 3",
            (
                "a (file a.toml:3): expected one value, got a second; "
                "it is given on line 1 and again on line 3"
            ),
        ),
        (
            "[x]\n[y]\n[x]",
            (
                "x (file a.toml:3): expected one value, got a second; "
                "it is given on line 1 and again on line 3"
            ),
        ),
        (
            '[[x]]\n[[x]]\n"y z".q = {b = 1,\tb = 2}',
            (
                "x[1].y z.q.b (file a.toml:3): expected one value, got a second; "
                "it is given on line 3 and again on line 3"
            ),
        ),
        (
            "x.y = 1\n[x]",
            "file a.toml:2: is not valid TOML: cannot declare x twice",
        ),
        (
            "x.y = 1\n\n[x.y.z]",
            "file a.toml:3: is not valid TOML: cannot overwrite a value",
        ),
        (
            "x = [1]\n[[x]]",
            "file a.toml:2: is not valid TOML: cannot mutate immutable namespace x",
        ),
        ("a = 1\nb = ", "file a.toml:2: is not valid TOML: invalid value"),
        (
            'a = 1\ns = """b\n\n',
            "file a.toml:2: is not valid TOML: unterminated string",
        ),
        (
            "a = 1\r\r\n",
            (
                "file a.toml:1: is not valid TOML: "
                "expected newline or end of document after a statement"
            ),
        ),
        ("a = \u0663", "file a.toml:1: is not valid TOML: invalid value"),
        ("\u00e9 = 1", "file a.toml:1: is not valid TOML: invalid statement"),
        (
            "[]",
            ("file a.toml:1: is not valid TOML: invalid initial character for a key part"),
        ),
        (
            "null",
            ("file a.toml:1: is not valid TOML: expected '=' after a key in a key/value pair"),
        ),
        (
            "deep = 0x" + "f" * 1001,
            ("file a.toml:1: is not valid TOML: a number of more than 1000 digits"),
        ),
    ],
    ids=lambda one: f"{one!r:.30}",
)
def test_what_is_wrong_is_one_message(text, expected, written, said):
    """The message names the file and the line."""
    name = written("a.toml", text)

    assert [expected] == said(load, Holder, name)


def test_a_value_knows_its_line(written):
    """Also within arrays of several lines, inline tables, and arrays of tables."""
    name = written(
        "a.toml",
        """\
# a = 0
s = '''
a = 1
'''
"deep".list = [ # ]
  1,
  {x = 2, y.z = "}"},
]\r
[[deep.tables]]
x = 3
[[deep.tables.sub]]
x = 4
[[deep.tables]]

"quoted\\tkey" = 5
""",
    )

    content = resolve(Holder, name)
    node = read_toml(Path(name).read_text(), source_at)
    actual = {
        str(leaf.content): leaf.source.line for leaf in leaves(node) if type(leaf.content) is Plain
    }

    assert ({"1": 6, "2": 7, "3": 10, "4": 12, "5": 15}, "file a.toml:2") == (
        actual,
        str(content.source("s")),
    )


blanks = st.sampled_from(["", " ", "\t "])
breaks = st.sampled_from(["", "\n", " # ] } ' \" \"\"\" '''\n", "\n\n  "])
texts = st.sampled_from(
    [
        '"a # b"',
        r'"\" ] \\"',
        "'] \\'",
        '"""\n[x]\n""y"""""',
        "'''\nx = ''\n'''",
        '""',
        "''",
        '""""""',
        r'"""\"""\\"""',
        "true",
        "1979-05-27 07:32:00",
        "1979-05-27",
        "07:32:00.5",
    ]
)
numbers = st.sampled_from(["¤", "+¤", "-¤.5", "¤_0", "¤e3"])


def arrays(inner):
    item = st.tuples(breaks, inner, breaks).map("".join)
    end = st.sampled_from(["", ","])
    return st.tuples(st.lists(item, max_size=3), end, breaks).map(
        lambda parts: "[" + ",".join(parts[0]) + (parts[1] if parts[0] else "") + parts[2] + "]"
    )


def inline_tables(inner):
    pair = st.tuples(keys, blanks, inner, blanks).map(lambda parts: "{}{}= {}{}".format(*parts))
    return st.lists(pair, max_size=3).map(lambda pairs: "{" + ",".join(pairs) + "}")


keys = st.sampled_from(["k§", '"k.]§"', "'#k§'", "k§.x", r'"\u0041§" . "y"', "1§"])
values = st.recursive(numbers | texts, lambda inner: arrays(inner) | inline_tables(inner))
pairs = st.tuples(blanks, keys, blanks, values, blanks).map(
    lambda parts: "{}{}{}= {}{}".format(*parts)
)
headers = st.sampled_from(["[t§]", "[ t§ . x ]", "[[t]]", "[[t]] # [", "[[t.u]]", "[t.s§]"])
documents = st.lists(pairs | headers | st.sampled_from(["", "# x = 7"]), max_size=12)


NUMBER = re.compile(r"[+-]?7[0-9]{4}7[.\w]*")


def numbered(statements):
    """Each key and each number one of its own; the first table of tables is there."""
    counts = iter(range(1, 10_000))
    text = "\n".join(["a = ¤", "[[t]]", *statements])
    return re.sub("[§¤]", lambda at: f"{'7' if at[0] == '¤' else '8'}{next(counts):04d}7", text)


@given(documents)
def test_the_line_of_a_number_is_where_it_stands(statements):
    """Whatever the document, and as it is written there."""
    text = numbered(statements)

    found = leaves(read_toml(text, source_at))
    actual = {str(leaf.content): leaf.source.line for leaf in found if type(leaf.content) is Plain}

    assert {
        written: number
        for number, line in enumerate(text.split("\n"), 1)
        for written in NUMBER.findall(line)
    } == actual


edits = st.lists(
    st.tuples(
        st.floats(0, 1),
        st.integers(0, 2),
        st.sampled_from([*"\"'[]{}=.,#\n \\e0\u00e9", "'" * 3, '"' * 3, "\r\n", "a = 1\n", "x."]),
    ),
    max_size=2,
)


@given(documents, edits)
@settings(max_examples=200)
def test_what_tomllib_reads_is_read(statements, changes):
    """A document is taken exactly if `tomllib` takes it, and all in it has a line."""
    text = numbered(statements)
    for place, count, put in changes:
        at = int(place * len(text))
        text = text[:at] + put + text[at + count :]
    try:
        expected = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        expected = None
    try:
        root = read_toml(text, source_at)
    except Unreadable:
        root = None

    values = [] if root is None else root.content.values()
    lost = [leaf for one in values for leaf in leaves(one) if leaf.source.line == 0]
    assert (expected is None, []) == (root is None, lost)
