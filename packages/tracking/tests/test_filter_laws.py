"""Filters against a database's own, and against whatever may be typed."""

import sqlite3
from collections.abc import Iterator

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from treadle_tracking.reading.record import RunRecord
from treadle_tracking.searching import SearchError, parse, parse_order

NUMBERS = st.integers(-5, 5) | st.sampled_from(
    [0.5, -0.5, 1e-3, 2.0, 2**53, 2**53 + 1, 2.0**53, -(2**62) - 1, 1e300]
)
TEXTS = st.text("aAbé%_'\\ \n", max_size=4)
BOOLS = st.booleans()
# What is compared: how it is written, its column, and what is in it.
FIELDS = [
    ("params.lr", "p_number", NUMBERS),
    ("params['optim.name']", "p_text", TEXTS),
    ("params.amp", "p_bool", BOOLS),
    ("tags.`a b`", "tag", TEXTS),
    ("metrics.val/loss", "last", NUMBERS.map(float)),
    ("metrics['val/loss'].min", "least", NUMBERS.map(float)),
    ("metrics.val/loss.max", "greatest", NUMBERS.map(float)),
    ("name", "name", TEXTS),
    ("group", "grouped", TEXTS),
]
COLUMNS = [column for _, column, _ in FIELDS]


def quoted(text):
    return "'" + text.replace("'", "''") + "'"


def in_sql(value):
    if isinstance(value, bool):
        return str(int(value))
    return quoted(value) if isinstance(value, str) else repr(value)


def in_ours(value):
    if isinstance(value, bool):
        return str(value).lower()
    return quoted(value) if isinstance(value, str) else repr(value)


@st.composite
def conditions(draw):
    """A condition as it is written in the language, and as it is in SQL."""
    field, column, values = draw(st.sampled_from(FIELDS))
    value = draw(values)
    signs = ["=", "!=", "<", "<=", ">", ">="]
    shape = draw(st.sampled_from(["sign", "in", "null", "between", "like"]))
    inverted = "not " if draw(st.booleans()) else ""
    if isinstance(value, bool):
        signs = ["=", "!="]
        shape = shape if shape in {"in", "null"} else "sign"
    if shape == "like" and not isinstance(value, str):
        shape = "between"
    if shape == "sign":
        sign = draw(st.sampled_from(signs))
        return f"{field} {sign} {in_ours(value)}", f"{column} {sign} {in_sql(value)}"
    if shape == "null":
        return f"{field} is {inverted}null", f"{column} is {inverted}null"
    if shape == "like":
        return f"{field} {inverted}like {quoted(value)}", f"{column} {inverted}like {quoted(value)}"
    if shape == "between":
        other = draw(values)
        return (
            f"{field} {inverted}between {in_ours(value)} and {in_ours(other)}",
            f"{column} {inverted}between {in_sql(value)} and {in_sql(other)}",
        )
    several = [value, *draw(st.lists(values, max_size=3))]
    return (
        f"{field} {inverted}in ({', '.join(map(in_ours, several))})",
        f"{column} {inverted}in ({', '.join(map(in_sql, several))})",
    )


def joined(inner):
    def by(word):
        return st.lists(inner, min_size=2, max_size=3).map(
            lambda both: tuple(f" {word} ".join(side) for side in zip(*both, strict=True))
        )

    return (
        by("and")
        | by("or")
        | inner.map(lambda both: (f"not {both[0]}", f"not {both[1]}"))
        | inner.map(lambda both: (f"({both[0]})", f"({both[1]})"))
    )


FILTERS = st.recursive(conditions(), joined, max_leaves=6)
ROWS = st.fixed_dictionaries(
    {column: values if column == "name" else st.none() | values for _, column, values in FIELDS}
)


@pytest.fixture(scope="module")
def database() -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(":memory:")
    connection.execute("pragma case_sensitive_like = on")
    yield connection
    connection.close()


def make_run(row):
    known = {"val/loss": (row["least"], row["greatest"])}
    return RunRecord(
        target="tensorboard:/runs",
        identity="/runs/a",
        uid="u",
        experiment="e",
        name=row["name"],
        group=row["grouped"],
        status="FINISHED",
        started=1.0,
        params={"lr": row["p_number"], "optim": {"name": row["p_text"]}, "amp": row["p_bool"]},
        tags={} if row["tag"] is None else {"a b": row["tag"]},
        metrics={} if row["last"] is None else {"val/loss": row["last"]},
        extremes=known,
        reader=None,
    )


@given(FILTERS, st.lists(ROWS, min_size=1, max_size=6))
@settings(max_examples=150)
def test_a_filter_is_true_of_what_a_database_finds(database, filter, rows):
    """Of true, false and unknown alike, for all that SQL knows too."""
    ours, sql = filter
    names = ", ".join(f"? as {column}" for column in COLUMNS)
    expected = [
        database.execute(
            f"select ({sql}) from (select {names})", [row[column] for column in COLUMNS]
        ).fetchone()[0]
        for row in rows
    ]
    wanted = parse(ours)

    assert [None if one is None else bool(one) for one in expected] == [
        wanted.matches(make_run(row)) for row in rows
    ]


WRITTEN = {
    ("param", "lr", "last"): "params.lr",
    ("param", "optim.name", "last"): "params.optim.name",
    ("param", "amp", "last"): "params.amp",
    ("tag", "a b", "last"): "tags['a b']",
    ("metric", "val/loss", "last"): "metrics.val/loss",
    ("metric", "val/loss", "min"): "metrics.val/loss.min",
    ("metric", "val/loss", "max"): "metrics.val/loss.max",
    ("attribute", "name", "last"): "name",
    ("attribute", "group", "last"): "group",
}


def written(condition):
    value = condition.value
    if isinstance(value, tuple):
        shown = f"({', '.join(map(in_ours, value))})"
    else:
        shown = "" if value is None else in_ours(value)
    field = WRITTEN[condition.kind, condition.name, condition.which]
    return f"{field} {condition.operator} {shown}"


@given(FILTERS, ROWS)
@settings(max_examples=150)
def test_every_condition_is_implied(filter, row):
    """Each condition that a filter names, as a filter of its own, is true wherever that is."""
    wanted, run = parse(filter[0]), make_run(row)
    parts = [parse(written(one)) for one in wanted.conditions]

    assert not wanted.matches(run) or all(part.matches(run) for part in parts)


WORDS = st.sampled_from(
    [
        *(
            "params.lr",
            "metrics['a']",
            "tags.`b`",
            "status",
            "name",
            "lr",
            "params",
            "run.",
            "`",
            "'",
        ),
        *("and", "or", "not", "in", "like", "is", "null", "nan", "between", "true", "None", "asc"),
        *(
            "=",
            "==",
            "!=",
            "<",
            ">=",
            "=>",
            "<>",
            "&&",
            "!",
            "(",
            ")",
            "[",
            "]",
            ",",
            ".",
            "-",
            "@",
        ),
        *(
            "1",
            "-1e3",
            ".5",
            "1e999",
            "inf",
            "'x'",
            '"y"',
            "'",
            "“",
            "2026-11-22",
            "\n",
            "\0",
            "\ud800",
        ),
    ]
)


@st.composite
def damaged(draw):
    text = draw(FILTERS)[0]
    for _ in range(draw(st.integers(1, 4))):
        begin = draw(st.integers(0, len(text)))
        end = draw(st.integers(begin, min(len(text), begin + 6)))
        text = text[:begin] + draw(WORDS | st.just("")) + text[end:]
    return text


@given(damaged() | st.lists(WORDS, max_size=12).map(" ".join) | st.text(max_size=40))
@example("9" * 5000)
@example("params.a = " + "9" * 5000)
@example("'" * 9_999)
@example("(" * 10_000)
@example("!" * 10_000)
@settings(max_examples=400)
def test_whatever_is_typed_is_a_filter_or_an_error_of_ours(text):
    """The error names a place that is there, and its caret is below the text."""
    places = []
    for read in (parse, parse_order):
        try:
            read(text)
        except SearchError as error:
            line, column = error.line, error.column
            shown = str(error).split("\n")
            places.append(
                line is not None
                and len(text.split("\n")[line - 1]) + 1 >= column >= 1
                and shown[-1].strip() == "^"
                and len(shown[-2]) + 1 >= len(shown[-1])
            )

    assert all(places)
