"""What is said of a text that is no filter, and of one that cannot be meant."""

import pytest

from treadle_tracking.searching import (
    FilterTooDeep,
    FilterTooLong,
    InvalidFilter,
    InvalidOrder,
    SearchError,
    UnfitValue,
    UnknownField,
    parse,
    parse_order,
)

CONDITION = "expected a condition, such as params.lr > 0.1"
COMPARISON = "expected a comparison: =, !=, <, <=, >, >=, in, like, ilike, between or is null"
VALUE = "expected a number, a text in quotes, true or false"
MORE = "expected and, or, or the end"
ATTRIBUTES = (
    "There is 'status', 'name', 'uid', 'experiment', 'group', 'started', 'ended', 'duration'."
)
ISO = (
    "Write one as in ISO 8601, such as '2026-11-22' or '2026-11-22T10:30+01:00', or as seconds or milliseconds since "
    "the epoch"
)
SUFFIX = (
    "is unknown behind a name in quotes; expected, of a metric, .last, .min or .max. Quote a name with dots as a "
    "whole"
)
DOT = "A name follows its dot at once; one with other characters is in quotes: params['any name']"
QUOTE = "Within '…' a ' is written twice"


@pytest.mark.parametrize(
    ("text", "column", "expected"),
    [
        # Of other languages.
        ("params.lr => 3", 11, "'=>' is written >="),
        ("params.lr =< 3", 11, "'=<' is written <="),
        ("params.lr <> 3", 11, "'<>' is written !="),
        ("params.lr === 3", 11, "'===' is written ="),
        ("params.lr =! 3", 11, "'=!' is written !="),
        ("params.a = 1 && params.b = 1", 14, "'&&' is written and"),
        ("params.a = 1 || params.b = 1", 14, "'||' is written or"),
        ("!(params.a = 1)", 1, "'!' is written not"),
        ("name =~ 'x'", 6, "'=~' is written like"),
        (
            "min(metrics.loss) < 1",
            4,
            (
                f"found '('; {COMPARISON}. There are no functions; the least and the greatest of a metric are "
                f"metrics.loss.min and .max"
            ),
        ),
        # What joins conditions.
        (
            "params.a = 1 params.b = 2",
            14,
            f"found 'params'; {MORE}. Join two conditions with and, or with or",
        ),
        (
            "params.a = 1, params.b = 2",
            13,
            f"found ','; {MORE}. Join two conditions with and, or with or",
        ),
        ("params.a = 1 and", 17, f"it ends here; {CONDITION}"),
        ("params.a = 1 and or params.b = 1", 18, f"found 'or'; {CONDITION}"),
        (
            "params.a < 1 < 2",
            14,
            f"found '<'; {MORE}. Join two conditions with and, or write between",
        ),
        (
            "params.a = 1 order by x",
            14,
            f"found 'order'; {MORE}. What comes first, and how many, are arguments of their own",
        ),
        # Values.
        ("status = FINISHED", 10, f"found 'FINISHED'; {VALUE}. A text is in quotes: 'FINISHED'"),
        ("params.a = 'it's'", 16, f"found 's'; {MORE}. {QUOTE}"),
        ("params.a = 'x", 12, f"the ' is not closed; {VALUE}. {QUOTE}"),
        ("params.a = 'it''s", 12, f"the ' is not closed; {VALUE}. {QUOTE}"),
        ("params.a = “x”", 12, f"found '“'; {VALUE}. Quotes are ' and \""),
        (
            "params.a = `x`",
            12,
            f"found '`x`'; {VALUE}. A text is in ' or in \", a name in backticks",
        ),
        ("params.a > 10abc", 12, f"'10abc' is no number; {VALUE}"),
        ("params.a = -", 12, f"found '-'; {VALUE}"),
        (
            "params.a = 1e999",
            12,
            "the number is beyond every double; expected one up to 1.79e308, or inf",
        ),
        (
            f"params.a = {'9' * 5000}",
            12,
            "the integer has more digits than Python reads; expected 4,300 at most",
        ),
        (
            "params.a = params.b",
            12,
            f"found 'params'; {VALUE}. A field is compared with a value, and not with another field",
        ),
        (
            "0.1 < params.lr",
            1,
            f"found '0.1'; {CONDITION}. The field comes first, as in params.lr > 0.1",
        ),
        (
            "started > 2026-11-22T10:00",
            15,
            f"found '-11'; {MORE}. A time is in quotes: '2026-11-22T10:00'",
        ),
        ("name like x", 11, "found 'x'; expected a text in quotes. Write 'x'"),
        # Null and NaN.
        ("params.a = null", 12, f"found 'null'; {VALUE}. Write params.a is null"),
        ("params.a != None", 13, f"found 'None'; {VALUE}. Write params.a is not null"),
        ("params.a in (1, null)", 17, f"found 'null'; {VALUE}. Write … or params.a is null"),
        (
            "metrics['a b'].min = nan",
            22,
            f"found 'nan'; {VALUE}. Nothing is equal to NaN: write metrics['a b'].min is nan",
        ),
        ("params.a is 5", 13, "found '5'; expected null or nan. Write params.a = 5"),
        ("params.a is not true", 17, "found 'true'; expected null or nan. Write params.a != true"),
        ("status is KILLED", 11, "found 'KILLED'; expected null or nan. Write status = 'KILLED'"),
        ("name is not empty", 13, "found 'empty'; expected null or nan. Write name is not null"),
        # Parentheses.
        (
            "(params.a = 1",
            14,
            "it ends here; expected and, or, or ). The parenthesis at line 1, column 1 is not closed",
        ),
        (
            "name = 'x' and params.a in (1, 2",
            33,
            "it ends here; expected a comma or ). The parenthesis at line 1, column 28 is not closed",
        ),
        (
            "(name = 'x') and (name = 'y' or (name = 'z')",
            45,
            (
                "it ends here; expected and, or, or ). The parenthesis at line 1, column 18 is not closed"
            ),
        ),
        ("params.a = 1)", 13, f"found ')'; {MORE}. There is no ( for it"),
        ("params.a in ()", 14, f"found ')'; {VALUE}. The parentheses are empty"),
        ("()", 2, f"found ')'; {CONDITION}. The parentheses are empty"),
        ("params.a in [1]", 13, "found '['; expected values in parentheses, such as (1, 2)"),
        ("params.a in (1 2)", 16, "found '2'; expected a comma or )"),
        # Fields and what is behind them.
        (
            "not params.amp",
            15,
            f"it ends here; {COMPARISON}. Of true or false, write params.amp = true",
        ),
        ("metrics.loss or name = 'x'", 14, f"found 'or'; {COMPARISON}"),
        ("params.a not = 3", 14, "found '='; expected in, like, ilike or between. Write !="),
        ("params.a between 1 or 2", 20, "found 'or'; expected and, as in between 1 and 2"),
        ("params[lr] = 1", 8, "found 'lr'; expected a name in quotes. Write 'lr'"),
        ("params['a = 1", 8, f"the ' is not closed; expected a name in quotes. {QUOTE}"),
        ("params['a'", 11, "it ends here; expected ]"),
        (
            "params['a']['b'] = 1",
            12,
            f"found '['; {COMPARISON}. Of a nested parameter the whole name is in the quotes: params['optim.lr']",
        ),
        ("params. a = 1", 7, f"found '.'; {COMPARISON}. {DOT}"),
        (
            "metrics.mAP@0.5 > 1",
            12,
            f"found '@'; {COMPARISON}. A name with other characters is in quotes: metrics['mAP@0.5']",
        ),
        (
            "'params.a' = 1",
            1,
            f"found \"'params.a'\"; {CONDITION}. A name in quotes stands behind its kind, as in params['any name']",
        ),
        ("params[''] = 1", 8, "the name is empty"),
    ],
)
def test_no_sentence(text, column, expected):
    """What was found, what was expected, and what may have been meant."""
    with pytest.raises(InvalidFilter) as caught:
        parse(text)

    assert (
        f"filter, line 1, column {column}: {expected}",
        1,
        column,
    ) == (str(caught.value).split("\n")[0], caught.value.line, caught.value.column)


@pytest.mark.parametrize(
    ("text", "column", "expected"),
    [
        (
            "lr > 1",
            1,
            f"a run has no attribute 'lr'. {ATTRIBUTES} A parameter is written params.lr, a metric metrics.lr",
        ),
        (
            "name = 'x' and strated > 1",
            16,
            (
                "a run has no attribute 'strated'. Did you mean 'started'? A parameter is written params.strated, a metric "
                "metrics.strated"
            ),
        ),
        (
            "attributes.`artifact uri` = 'x'",
            1,
            f"a run has no attribute 'artifact uri'. {ATTRIBUTES} A parameter is written params.lr, a metric metrics.lr",
        ),
        (
            "parms.lr > 1",
            1,
            "'parms' is nothing that a run has; expected params, metrics, tags or attributes. Did you mean 'params'?",
        ),
        (
            "optim.lr > 1",
            1,
            (
                "'optim' is nothing that a run has; expected params, metrics, tags or attributes. A nested parameter is "
                "params.optim.lr"
            ),
        ),
        (
            "params = 1",
            1,
            "'params' alone is no field: name one, as in params.lr or params['any name']",
        ),
        ("metrics['a'].mean > 1", 13, f"'.mean' {SUFFIX}"),
        ("params['a'].min > 1", 12, f"'.min' {SUFFIX}"),
    ],
)
def test_no_field(text, column, expected):
    """What a run has is said, and what may have been meant."""
    with pytest.raises(UnknownField) as caught:
        parse(text)

    assert f"filter, line 1, column {column}: {expected}" == str(caught.value).split("\n")[0]


@pytest.mark.parametrize(
    ("text", "column", "expected"),
    [
        ("name = 5", 8, "name is a text: write '5'"),
        ("tags.a in ('x', 5)", 17, "a tag is a text: write '5'"),
        ("metrics.a = 'x'", 13, "a metric is a number, and 'x' is not"),
        ("metrics.a < '0.5'", 13, "a metric is a number, and '0.5' is not: write 0.5"),
        ("metrics.a = true", 13, "a metric is a number, and true is not"),
        ("duration > '1h'", 12, "duration is a number, and '1h' is not"),
        ("started > 'May'", 11, f"started is a time, and 'May' is not. {ISO}"),
        ("ended != false", 10, f"ended is a time, and false is not. {ISO}"),
        (
            "metrics.a like 'x'",
            11,
            "like is for texts, and 'a' is not one: write =, <, >, in or between",
        ),
        (
            "started not ilike '2026%'",
            13,
            "like is for texts, and 'started' is not one: write =, <, >, in or between",
        ),
        ("name is nan", 9, "'name' is never NaN"),
        ("params.a < true", 12, "nothing is less or greater than true: write = or !="),
        (
            "params.a between 1 and FALSE",
            24,
            "nothing is less or greater than FALSE: write = or !=",
        ),
        ("status = 'finished'", 10, "no run has the status 'finished'. Did you mean 'FINISHED'?"),
        (
            "status not in ('FAILED', 'DONE')",
            26,
            "no run has the status 'DONE'. There is 'RUNNING', 'FINISHED', 'FAILED', 'KILLED', 'UNFINISHED'.",
        ),
    ],
)
def test_no_value_of_the_field(text, column, expected):
    """A comparison that is unknown of every run was not meant."""
    with pytest.raises(UnfitValue) as caught:
        parse(text)

    assert f"filter, line 1, column {column}: {expected}" == str(caught.value).split("\n")[0]


@pytest.mark.parametrize(
    ("text", "column", "expected"),
    [
        (
            "-metrics.loss",
            1,
            (
                "found '-'; expected a field, such as metrics.loss or params.lr. Write desc behind the field for the "
                "greatest first"
            ),
        ),
        ("", 1, "it ends here; expected a field, such as metrics.loss or params.lr"),
        (
            "name, ",
            6,
            "it ends here; expected a field, such as metrics.loss or params.lr",
        ),
        (
            "name descending",
            6,
            "found 'descending'; expected asc, desc, a comma or the end. Write desc",
        ),
        ("name desc desc", 11, "found 'desc'; expected a comma or the end"),
        ("params.lr > 3", 11, "found '>'; expected asc, desc, a comma or the end"),
        ("metrics['a", 9, f"the ' is not closed; expected a name in quotes. {QUOTE}"),
    ],
)
def test_no_order(text, column, expected):
    """The argument is named, and which of several texts it is."""
    with pytest.raises(InvalidOrder) as caught:
        parse_order(["name", text])

    assert f"order_by[1], line 1, column {column}: {expected}" == str(caught.value).split("\n")[0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "params.lr => 3",
            "filter, line 1, column 11: '=>' is written >=\n    params.lr => 3\n              ^",
        ),
        (
            "\n params.a = 1 and\n\tparams.b => 1\nand name = 'x'",
            "filter, line 3, column 11: '=>' is written >=\n     params.b => 1\n              ^",
        ),
        (
            "params.x = 1 and " * 5 + "x = 1" + " and params.x = 1" * 5,
            f"filter, line 1, column 86: a run has no attribute 'x'. {ATTRIBUTES} A parameter is written params.x, a metric "
            f"metrics.x\n    …= 1 and params.x = 1 and params.x = 1 and params.x = 1 and x = 1 and params.x = 1 and "
            f"params.x = 1 and params.x = 1 an…\n" + " " * 64 + "^",
        ),
    ],
)
def test_a_caret_is_below_the_place(text, expected):
    """In the line where it is, or what of it is near."""
    with pytest.raises(SearchError) as caught:
        parse(text)

    assert expected == str(caught.value)


def test_a_filter_has_ten_thousand_characters_at_most():
    """Whatever they are, and nothing of it is read."""
    with pytest.raises(FilterTooLong) as caught:
        parse(" " * 10_001)

    assert (
        "filter has 10,001 characters; expected 10,000 at most. Search several times, or choose among the runs in Python",
        None,
    ) == (str(caught.value), caught.value.line)


def test_a_filter_is_a_hundred_parentheses_deep_at_most():
    """So that neither it nor what reads it comes near the end of a stack."""
    with pytest.raises(FilterTooDeep) as caught:
        parse("(" * 101 + "params.a = 1" + ")" * 101)

    assert (
        "filter, line 1, column 101: this one is in 100 others; expected 100 parentheses within each other at most. "
        "Leave out those that change nothing"
    ) == str(caught.value).split("\n")[0]
