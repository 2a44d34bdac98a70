"""What a filter is true of, and of what it says nothing."""

import math

import pytest

from treadle_tracking.reading.condition import Condition
from treadle_tracking.reading.record import RunRecord
from treadle_tracking.searching import parse

DAY = 1_795_305_600  # 2026-11-22T00:00:00Z


def make_run(**values):
    given = {
        "target": "tensorboard:/runs",
        "identity": "/runs/a",
        "uid": "u1",
        "experiment": "digits",
        "name": "baseline",
        "status": "FINISHED",
        "started": DAY + 0.25,
        "reader": None,
    }
    return RunRecord(**given | values)


RUN = make_run(
    started=DAY + 36_000.25,
    ended=DAY + 36_070.5,
    params={
        "lr": 1e-3,
        "layers": 4,
        "huge": 2**53 + 1,
        "amp": True,
        "clip": None,
        "act": "gelu",
        "betas": [0.9, 0.999],
        "optim": {"lr": 0.5, "name": "adam"},
        "broken": math.nan,
        "endless": math.inf,
        "digits": "10",
        "none": "None",
        "odd name": 1,
    },
    tags={"outcome": "it's 100%\nfine", "mlflow.note": "x", "fold": "3", "line": "x\n"},
    metrics={"loss": 0.25, "val/loss": 0.5, "gone": math.nan, "loss.min": 7.0},
    extremes={
        "loss": (0.125, 4.0),
        "val/loss": (0.25, 2.0),
        "gone": (math.nan, math.nan),
        "loss.min": (7.0, 8.0),
    },
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("params.lr = 0.001", True),
        ("params.lr == 1e-3", True),
        ("params.lr != 1E-3", False),
        ("params.lr < .01 and params.lr > +0.000_1", True),
        ("params.layers >= 4", True),
        ("params.layers <= 3.999", False),
        ("params.layers = 4.", True),
        ("params.endless = inf", True),
        ("params.endless > -Infinity", True),
        ("params.act = 'gelu'", True),
        ('params.act < "h"', True),
        ("params.amp = true", True),
        ("params.amp != TRUE", False),
        ("params.amp = False", False),
        ("tags.outcome = 'it''s 100%\nfine'", True),
        ("tags.fold >= '3'", True),
        ("metrics.loss < 1", True),
        ("metrics.loss.min = 0.125", True),
        ("metrics.loss.MAX = 4", True),
        ("metrics.loss.last = 0.25", True),
        ("metrics['val/loss'].min = 0.25", True),
        ("metrics.gone.min is nan", True),
        ("group is null", True),
        ("group = 'a'", None),
        ("name = 'baseline' and uid = 'u1' and experiment != 'other'", True),
        ("duration = 70.25", True),
        ("status in ('FAILED', 'FINISHED')", True),
    ],
)
def test_a_comparison_is_exact(text, expected):
    """Numbers compare as numbers, texts as texts, and a time that passed in whole milliseconds."""
    assert expected is parse(text).matches(RUN)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("params.huge = 9007199254740993", True),
        ("params.huge = 9007199254740992", False),
        ("params.huge > 9007199254740992", True),
        ("params.huge = 9007199254740992.0", False),
        ("params.huge in (9007199254740992, 1)", False),
        (f"params.huge < {'9' * 4000}", True),
    ],
)
def test_an_integer_is_no_double(text, expected):
    """2**53 + 1, which no double is, is told apart from its neighbours."""
    assert expected is parse(text).matches(RUN)


@pytest.mark.parametrize(
    "text",
    [
        "params.act > 1",
        "params.act = 1",
        "params.act != 1",
        "params.lr < 'a'",
        "params.amp = 1",
        "params.amp != 1",
        "params.amp > 0",
        "params.lr = true",
        "params.digits = 10",
        "params.betas = 1",
        "params.clip = 1",
        "params.clip != 1",
        "params.clip = 'None'",
        "params.missing = 1",
        "params.missing != 1",
        "params.missing like '%'",
        "params.missing in (1)",
        "params.missing not in (1)",
        "params.missing is nan",
        "params.act is nan",
        "params.amp is not nan",
        "params.act in (1, true)",
        "params.betas in (1, 'x')",
        "params.amp in (1, 'x')",
        "params.lr in (true, 5)",
        "metrics.missing < 1",
        "metrics.missing.min < 1",
        "tags.missing != 'x'",
        "ended > 0 and group = 'x'",
        "params.missing between 1 and 2",
    ],
)
def test_what_cannot_be_compared_is_unknown(text):
    """Neither the filter nor its opposite is true of a run that lacks it, or has another kind of value."""
    assert (None, None) == (parse(text).matches(RUN), parse(f"not ({text})").matches(RUN))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("params.lr = '0.001'", True),
        ("params.lr = '1e-3'", False),
        ("params.lr != 'adam'", True),
        ("params.amp = 'True'", True),
        ("params.amp = 'true'", False),
        ("params.layers in ('4', '5')", True),
        ("params.betas = '[0.9, 0.999]'", True),
        ("params.betas like '[0.9%'", True),
        ("params.lr like '0.0%'", True),
        ("params.digits = '10'", True),
        ("params.none = 'None'", True),
        ("params.amp in ('True', 'x')", True),
        ("params.broken = 'nan'", True),
    ],
)
def test_against_a_text_a_parameter_is_what_mlflow_shows_of_it(text, expected):
    """A filter written for MLflow, where every parameter is a text, finds the same runs."""
    assert expected is parse(text).matches(RUN)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("metrics.gone < 1", False),
        ("metrics.gone > 1", False),
        ("metrics.gone = 1", False),
        ("metrics.gone != 1", True),
        ("not metrics.gone < 1", True),
        ("metrics.gone in (1, inf)", False),
        ("metrics.gone not in (1, inf)", True),
        ("metrics.gone between -inf and inf", False),
        ("metrics.gone is null", False),
        ("metrics.gone is nan", True),
        ("metrics.gone is not nan", False),
        ("metrics.loss is nan", False),
        ("metrics.loss is not NaN", True),
        ("params.broken is nan", True),
        ("params.huge is nan", False),
        ("params.broken != 1", True),
        ("params.broken < 1", False),
    ],
)
def test_nan_is_unequal_to_everything(text, expected):
    """As IEEE 754 has it; it is a value, and not a missing one."""
    assert expected is parse(text).matches(RUN)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("params.clip is null", True),
        ("params.clip IS NOT NULL", False),
        ("params.missing is null", True),
        ("params.betas is null", False),
        ("params.optim is null", True),
        ("params.optim.lr is null", False),
        ("tags.missing is null", True),
        ("tags.fold is not null", True),
        ("metrics.loss.max is null", False),
        ("metrics.missing.max is null", True),
        ("name is null", False),
        ("ended is null", False),
    ],
)
def test_null_is_what_is_missing_or_none(text, expected):
    """It is never unknown."""
    assert expected is parse(text).matches(RUN)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("params.clip = 1 and params.lr = 1", False),
        ("params.clip = 1 and params.lr = 0.001", None),
        ("params.clip = 1 or params.lr = 0.001", True),
        ("params.clip = 1 or params.lr = 1", None),
        ("not params.clip = 1", None),
        ("not not params.lr = 0.001", True),
        ("NOT not Not params.lr = 0.001", False),
        ("params.lr = 1 or params.lr = 0.001 and params.layers = 4", True),
        ("(params.lr = 1 or params.lr = 0.001) and params.layers = 5", False),
        ("not params.lr = 1 and params.layers = 5", False),
        ("not (params.lr = 1 and params.layers = 5)", True),
        ("params.layers between 4 and 4 and params.lr between 0.0001 and 0.001", True),
        ("params.layers not between 5 and 6", True),
        ("params.layers not in (4, 5,)", False),
        ("", True),
        (" \n ", True),
    ],
)
def test_conditions_are_joined_as_in_sql(text, expected):
    """`not` binds closest, then `and`, then `or`; unknown stays unknown where it decides."""
    assert expected is parse(text).matches(RUN)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("tags.outcome like 'it%fine'", True),
        ("tags.outcome like 'it_s 100__fine'", True),
        ("tags.outcome like '%S%'", False),
        ("tags.outcome ilike '%IT''S%'", True),
        ("tags.outcome not like 'it%'", False),
        ("tags.outcome not ilike 'x%'", True),
        ("tags.outcome like 'fine'", False),
        ("tags.outcome like '%fine'", True),
        ("tags.outcome like '%100%%'", True),
        ("tags.outcome like '%e%e'", False),
        ("tags.outcome like ''", False),
        ("tags.line like 'x'", False),
        ("tags.line like '%x'", False),
        ("name like 'base.ine'", False),
        ("name like '%%%'", True),
        ("name like 'b%b%'", False),
    ],
)
def test_like_knows_two_wildcards(text, expected):
    """`%` is any characters and `_` is one; everything else, a backslash too, is itself."""
    assert expected is parse(text).matches(RUN)


def test_like_is_quick_however_many_wildcards_there_are():
    """A pattern that a backtracking search would not finish in a lifetime is decided at once."""
    run = make_run(tags={"text": "a" * 20_000})

    assert False is parse(f"tags.text like '{'%a' * 2000}b'").matches(run)


@pytest.mark.parametrize(
    "field",
    [
        "params.optim.lr",
        "param.optim.lr",
        "parameter.optim.lr",
        "parameters.optim.lr",
        "PARAMS.optim.lr",
        "params['optim.lr']",
        'params["optim.lr"]',
        "params [ 'optim.lr' ]",
        "params.`optim.lr`",
        "params.'optim.lr'",
        'params."optim.lr"',
    ],
)
def test_a_name_is_written_in_many_ways(field):
    """Ours and MLflow's come to the same parameter."""
    expected = (Condition(kind="param", name="optim.lr", operator="=", value=0.5),)

    assert expected == parse(f"{field} = 0.5").conditions


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("metrics.val/loss", ("metric", "val/loss", "last")),
        ("metric.val/a-b:c.d", ("metric", "val/a-b:c.d", "last")),
        ("metrics.2nd", ("metric", "2nd", "last")),
        ("metrics.größe", ("metric", "größe", "last")),
        ("metrics.val/loss.max", ("metric", "val/loss", "max")),
        ("metrics['loss.min']", ("metric", "loss.min", "last")),
        ("metrics.`loss.min`.min", ("metric", "loss.min", "min")),
        ("metrics.min", ("metric", "min", "last")),
        ("metrics.loss.min.max", ("metric", "loss.min", "max")),
        ("params.x.min", ("param", "x.min", "last")),
        ("tags.mlflow.note", ("tag", "mlflow.note", "last")),
        ("tags.`a``b`", ("tag", "a`b", "last")),
        ("tags['it''s']", ("tag", "it's", "last")),
        ("params.and", ("param", "and", "last")),
        ("params.null", ("param", "null", "last")),
    ],
)
def test_a_bare_name_goes_as_far_as_it_can(text, expected):
    """Slashes, dashes, colons and dots are of it; of a metric, `.min`, `.max` and `.last` at its end are not."""
    (condition,) = parse(f"{text} is null").conditions

    assert expected == (condition.kind, condition.name, condition.which)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("status", "status"),
        ("attributes.status", "status"),
        ("attribute.status", "status"),
        ("attr.Status", "status"),
        ("run.name", "name"),
        ("run_name", "name"),
        ("attributes.`Run name`", "name"),
        ("run_id", "uid"),
        ("start_time", "started"),
        ("Created", "started"),
        ("end_time", "ended"),
        ("duration", "duration"),
        ("group", "group"),
    ],
)
def test_an_attribute_has_mlflows_names_too(written, expected):
    """In any case of letters, with its kind or without."""
    assert frozenset({("attribute", expected)}) == parse(f"{written} is null").names


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("started > '2026-11-22'", True),
        ("started < '2026-11-22T10:00:00.25'", False),
        ("started = '2026-11-22T10:00:00.25'", True),
        ("started = '2026-11-22 10:00:00.250Z'", True),
        ("started = '2026-11-22T11:00:00.25+01:00'", True),
        ("started < '2026-11-22T10:00:00.250001'", True),
        (f"started = {DAY + 36_000}.25", True),
        (f"started = {DAY + 36_000}250", True),
        (f"start_time > {DAY + 36_000}249.5", True),
        (f"started > {DAY + 36_000}", True),
        (f"ended = {DAY + 36_070}.5", True),
        ("started between '2026-11-22' and '2026-11-23'", True),
        ("started in ('2026-11-22', '2026-11-22T10:00:00.250')", True),
        ("started < inf and started > -inf", True),
        ("started > '0001-01-01T00:00+14:00' and started < '9999-12-31T23:59-14:00'", True),
        ("started > 1e11", False),
        ("started > 100_000_000_001", True),
        ("started > -5", True),
        (f"started > -{'9' * 400} and started > 1e-999999999", True),
        ("started between 1_795_341_600.25 and 1_795_341_600_250", True),
    ],
)
def test_a_time_is_a_text_or_a_number(text, expected):
    """A text is ISO 8601, UTC where no zone is in it; a number above 1e11 milliseconds, any other seconds."""
    assert expected is parse(text).matches(RUN)


def test_a_run_that_has_not_ended_has_no_duration():
    """So that nothing about its end is known."""
    run = make_run(status="RUNNING")

    expected = [True, True, None, None]

    texts = ["ended is null", "duration is null", "ended > '2020-01-01'", "duration < 10"]
    assert expected == [parse(text).matches(run) for text in texts]


def test_extremes_are_the_runs_own_where_it_knows_them():
    """Others are given along."""
    filter = parse("metrics.loss.min < 0.2")
    given = {"loss": (0.5, 1.0)}

    actual = [
        filter.matches(RUN, given),
        filter.matches(make_run(), given),
        filter.matches(make_run()),
    ]

    assert [True, False, None] == actual


def test_conditions_are_those_that_every_run_found_meets():
    """However they are in parentheses; what `or` and `not` are before is none, and `between` is two."""
    text = (
        "params.lr > 0.1 and (tags.a = 'x' and (status in ('FAILED',) or name = 'b')) and not uid = 'u' "
        "and metrics.loss.max between 1 and 2 and params.a not like 'x%' and metrics.loss is nan "
        "and started >= '2026-11-22' and ((params.z is not null)) and not not group == 'g'"
    )
    expected = (
        Condition(kind="param", name="lr", operator=">", value=0.1),
        Condition(kind="tag", name="a", operator="=", value="x"),
        Condition(kind="metric", name="loss", operator=">=", value=1, which="max"),
        Condition(kind="metric", name="loss", operator="<=", value=2, which="max"),
        Condition(kind="param", name="a", operator="not like", value="x%"),
        Condition(kind="attribute", name="started", operator=">=", value=DAY * 1000),
        Condition(kind="param", name="z", operator="is not null"),
        Condition(kind="attribute", name="group", operator="=", value="g"),
    )

    assert expected == parse(text).conditions


def test_names_are_all_that_a_filter_reads():
    """Wherever in it they are."""
    expected = frozenset({("param", "a"), ("metric", "b"), ("tag", "c"), ("attribute", "name")})

    assert (
        expected
        == parse("not (params.a = 1 or metrics.b.min > 1) or tags.c = 'x' and name = 'y'").names
    )


@pytest.mark.parametrize(
    "text",
    [
        "not " * 2400 + "params.lr = 1",
        " or ".join(["params.a = 1"] * 600),
        " and ".join(["params.a = 1"] * 580),
        "(" * 100 + "params.lr = 1" + ")" * 100,
        " or ".join(["(params.a = 1)"] * 500),
        "not (" * 100 + "params.lr = 1" + " or params.a = 1 and params.b = 1)" * 100,
        f"params.lr in ({', '.join(['1'] * 3000)})",
    ],
)
def test_a_long_filter_is_no_deep_one(text):
    """Chains may be as long as the text may be, and parentheses a hundred deep."""
    assert parse(text).matches(RUN) in {False, None}
