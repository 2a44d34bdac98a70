import os
import re
from math import inf, nan

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from treadle_tracking import open_runs, start_run
from treadle_tracking.comparing import MISSING, NotARun, TooFewRuns, compare
from treadle_tracking.comparing.labels import labels
from treadle_tracking.comparing.sameness import differ, identity
from treadle_tracking.comparing.shown import cut_name, exact, tag, told_apart
from treadle_tracking.entries import Function
from treadle_tracking.reading import Contents, RunRecord
from treadle_tracking.terminal import visible
from treadle_tracking.terminal import width as columns_of

BARE = RunRecord(
    target="tensorboard:/runs",
    identity="1",
    uid="0123456789",
    experiment="digits",
    name="baseline",
    status="FINISHED",
    started=0.0,
    ended=1.5,
    reader=None,
)


def run(name="baseline", **fields):
    return evolve(BARE, name=name, **fields)


BASELINE = run(
    params={
        "optim": {"name": "adam", "lr": 1e-3},
        "clip": None,
        "batch_size": 32,
        "augment": "x" * 60,
    },
    tags={"host": "a", "owner": "me"},
    metrics={"loss": 0.25, "acc": 0.875},
)
WIDE = run(
    "wide",
    uid="wide",
    experiment="letters",
    group="g",
    status="FAILED",
    ended=3723.25,
    params={
        "optim": {"name": "adam", "lr": 0.01},
        "batch_size": 32.0,
        "augment": "x" * 60 + "!",
        "width": "64",
    },
    tags={"host": "b", "owner": "me"},
    metrics={"loss": 0.125, "val/loss": nan},
)


def test_only_what_differs_is_told_and_metrics_stand_side_by_side():
    """Parameters have dotted names, and what a run does not have is MISSING, which None is not."""
    found = compare(BASELINE, WIDE)

    assert (BASELINE, WIDE) == found.runs
    assert ("baseline", "wide") == found.labels
    assert {
        "experiment": ("digits", "letters"),
        "group": (None, "g"),
        "status": ("FINISHED", "FAILED"),
        "duration": (1.5, 3723.25),
    } == found.attributes
    assert {
        "augment": ("x" * 60, "x" * 60 + "!"),
        "clip": (None, MISSING),
        "optim.lr": (0.001, 0.01),
        "width": (MISSING, "64"),
    } == found.params
    assert {"batch_size": 32, "optim.name": "adam"} == found.same_params
    assert {"host": ("a", "b")} == found.tags
    assert {
        "acc": (0.875, MISSING),
        "loss": (0.25, 0.125),
        "val/loss": (MISSING, nan),
    } == found.metrics
    assert {
        "acc": (0.0, MISSING),
        "loss": (0.0, -0.125),
        "val/loss": (MISSING, MISSING),
    } == found.deltas
    assert not found.is_same


def test_names_are_sorted():
    """Fields stand in the order of their names, whatever order the runs have them in."""
    found = compare(run(params={"b": 1, "a": 1}), run(params={"c": 1}))

    assert ["a", "b", "c"] == list(found.params)


@pytest.mark.parametrize(
    ("one", "other", "are_same"),
    [
        (0.001, 1e-3, True),
        (1, 1.0, True),
        (0.0, -0.0, True),
        (nan, -nan, True),
        (inf, -inf, False),
        (True, 1, False),
        (False, 0.0, False),
        (None, MISSING, False),
        (None, "None", False),
        ("1", 1, False),
        (2**53 + 1, 2.0**53, False),
        pytest.param(10**400, inf, False, id="beyond a double"),
        ([1, [nan]], [1.0, [nan]], True),
        ([1, 2], [2, 1], False),
        ([], {}, False),
        ({"a": 1, "b": 2}, {"b": 2.0, "a": 1}, True),
        ({"a": 1}, {"a": True}, False),
    ],
)
def test_values_are_compared_as_what_they_are(one, other, are_same):
    """Equal numbers are the same and NaN is NaN; a bool is no number, and a text is none."""
    assert are_same == (not differ([one, other]))


_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=1), inner),
    max_leaves=5,
)


@given(_values, _values)
def test_what_differs_looks_different(one, other):
    """Two values that are not the same never have the same text."""
    if exact(one) == exact(other):
        assert identity(one) == identity(other)


@given(st.dictionaries(st.text(max_size=2), _values, max_size=3))
def test_a_run_does_not_differ_from_itself(params):
    """Whatever its parameters and metrics are."""
    one = run(params=params, metrics={"loss": nan})

    assert compare(one, one).is_same
    assert "" == compare(one, one).config_diff()


def test_a_run_and_its_mirror_are_the_same():
    """They are told apart by the place, and nothing differs."""
    mirror = evolve(BASELINE, target="mlflow:http://host", identity="f00", directory=None)
    found = compare(BASELINE, mirror)

    assert found.is_same
    assert ("baseline (tensorboard)", "baseline (mlflow)") == found.labels
    assert (
        "         baseline (tensorboard)  baseline (mlflow)\n"
        "params\n"
        "  all 5 are the same\n"
        "metrics\n"
        "  acc    0.875                   0.875\n"
        "  loss   0.25                    0.25"
    ) == found.text(80)


def test_runs_of_one_name_are_told_apart():
    """By as much of the uid as it takes, else by the place, else by the number; others keep their names."""
    far = "tensorboard:/far"
    runs = [
        run("a", uid="0123456789"),
        run("a", uid="0123456780"),
        run("b", uid="0123456789"),
        run("c", uid="x"),
        run("c", uid="x", target=far),
        run("d", uid="x"),
        run("d", uid="x"),
        run("e", uid="x"),
        run("e", uid="x"),
        run("e #8", uid="x"),
    ]

    assert (
        "a (0123456789)",
        "a (0123456780)",
        "b",
        "c (tensorboard:/runs)",
        "c (tensorboard:/far)",
        "d #6",
        "d #7",
        "e #8 #8",
        "e #9",
        "e #8 #10",
    ) == labels(runs)


def test_the_table_is_aligned_and_cuts_long_values():
    """A value takes 32 columns at most, and where two would look alike, what differs is shown."""
    assert (
        "              baseline   wide\n"
        "attributes\n"
        "  experiment  digits     letters\n"
        "  group       None       g\n"
        "  status      FINISHED   FAILED\n"
        "  duration    1.5 s      1 h 2 min\n"
        "params\n"
        "  augment     …xxxxxxxx  …xxxxxxxx!\n"
        "  clip        None       —\n"
        "  optim.lr    0.001      0.01\n"
        "  width       —          '64'\n"
        "  2 more are the same\n"
        "tags\n"
        "  host        a          b\n"
        "metrics\n"
        "  acc         0.875      —\n"
        "  loss        0.25       0.125 (-0.125)\n"
        "  val/loss    —          nan"
    ) == compare(BASELINE, WIDE).text(80)


def test_runs_that_do_not_fit_side_by_side_stand_below():
    """No line is longer than the terminal, and no value is broken."""
    runs = [run(f"run {number}", params={"lr": 10.0**-number}) for number in range(5)]

    assert (
        "        run 0  run 1\n"
        "params\n"
        "  lr    1.0    0.1\n"
        "\n"
        "        run 2  run 3\n"
        "params\n"
        "  lr    0.01   0.001\n"
        "\n"
        "        run 4\n"
        "params\n"
        "  lr    0.0001"
    ) == compare(*runs).text(22)


@given(
    st.lists(
        st.dictionaries(
            st.text(min_size=1, max_size=50), st.text(max_size=90) | st.floats(), max_size=3
        ),
        min_size=2,
        max_size=4,
    ),
    st.integers(20, 120),
)
def test_no_line_is_longer_than_the_terminal(params, width):
    """Whatever names and values are, wide letters and control characters too."""
    runs = [run(str(list(some))[:40], params=some) for some in params]
    text = compare(*runs).text(width)

    assert [] == [line for line in text.split("\n") if columns_of(line) > width]
    assert visible(text.replace("\n", "")) == text.replace("\n", "")


def test_the_width_is_that_of_the_terminal(monkeypatch):
    """What is printed, and what a prompt shows, fits where it is shown."""
    found = compare(*[run(f"run {number}", params={"lr": number}) for number in range(9)])
    monkeypatch.setenv("COLUMNS", "30")

    assert found.text(30) == str(found)
    assert str(found) == repr(found)
    assert found.text(30) != found.text(80)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("adam", "adam"),
        ("two words", "two words"),
        ("", "''"),
        (" a", "' a'"),
        ("1e-3", "'1e-3'"),
        ("None", "'None'"),
        ("nan", "'nan'"),
        ("—", "'—'"),
        ("a\nb", r"'a\nb'"),
        ("\x1b[31m", r"'\x1b[31m'"),
        ("\udc80", r"'\udc80'"),
        ("[1]", "'[1]'"),
        ("'a'", "\"'a'\""),
        (1e-5, "1e-05"),
        (2**60, "1152921504606846976"),
        (True, "True"),
        (None, "None"),
        ([1, "a"], "[1, 'a']"),
        (MISSING, "—"),
    ],
)
def test_values_are_shown_as_they_are(value, text):
    """A text stands bare unless it could be taken for something else, or a terminal would act on it."""
    assert text == exact(value)


def test_a_tag_is_a_text_without_quotes():
    """A number among tags is a text as everything there is; what could not be seen is in quotes all the same."""
    assert ["1", "None", "''", "'a\\nb'", "—", "'—'"] == [
        tag(value) for value in ("1", "None", "", "a\nb", MISSING, "—")
    ]


def test_what_is_cut_shows_what_tells_it_apart():
    """Of a name that is its end, and of values that would look alike, what differs."""
    assert ["model.…heads", "model.heads", "漢字…漢"] == [
        cut_name("model.encoder.heads", 12),
        cut_name("model.heads", 12),
        cut_name("漢字漢字漢", 8),
    ]
    assert ["abc…", "…cdefghijX", "…cdefghijY"] == [
        *told_apart(["abcdef"], 4),
        *told_apart(["abcdefghijX", "abcdefghijY"], 10),
    ]


def test_metrics_that_six_digits_do_not_tell_apart_are_exact():
    """So are durations; infinities and NaN have no distance."""
    runs = [
        run("a", metrics={"x": 0.1234567, "y": 1e-7, "z": nan}, ended=60.001),
        run("b", metrics={"x": 0.1234568, "y": inf, "z": 1.0}, ended=60.002),
        run("c", metrics={"x": 0.1234567, "y": 1234567.0}, ended=None),
    ]

    assert [
        "a",
        "b",
        "c",
        "attributes",
        "duration",
        "60.001",
        "s",
        "60.002",
        "s",
        "None",
        "metrics",
        "x",
        "0.1234567",
        "0.1234568",
        "(+1e-07)",
        "0.1234567",
        "y",
        "1e-07",
        "inf",
        "1.23457e+06",
        "(+1.23e+06)",
        "z",
        "nan",
        "1",
        "—",
    ] == compare(*runs).text(120).split()


def test_the_config_diff_is_whole():
    """Two runs are as `diff` has lines, several below each name; nothing is cut."""
    three = compare(BASELINE, WIDE, run("third", params={**BASELINE.params, "clip": 1}))

    assert (
        "--- baseline\n"
        "+++ wide\n"
        f"- augment: {'x' * 60}\n"
        f"+ augment: {'x' * 60}!\n"
        "- clip: None\n"
        "- optim.lr: 0.001\n"
        "+ optim.lr: 0.01\n"
        "+ width: '64'"
    ) == compare(BASELINE, WIDE).config_diff()
    assert (
        "augment\n"
        f"  baseline: {'x' * 60}\n"
        f"  wide: {'x' * 60}!\n"
        f"  third: {'x' * 60}\n"
        "clip\n"
        "  baseline: None\n"
        "  third: 1\n"
        "optim.lr\n"
        "  baseline: 0.001\n"
        "  wide: 0.01\n"
        "  third: 0.001\n"
        "width\n"
        "  wide: '64'"
    ) == three.config_diff()


def test_the_page_of_a_notebook_is_text_alone():
    """Names and values are escaped, and long ones cut at 200 characters."""
    evil = run("<script>", params={"<b>": "<img src=x>", "long": "&" * 300})
    html = compare(BARE, evil)._repr_html_()

    assert (
        "<table><thead><tr><th></th><th>baseline</th><th>&lt;script&gt;</th></tr></thead>\n"
        '<tbody><tr><th colspan="3">params</th></tr>\n'
        "<tr><td>&lt;b&gt;</td><td>—</td><td>&lt;img src=x&gt;</td></tr>\n"
        f"<tr><td>long</td><td>—</td><td>{'&amp;' * 199}…</td></tr>\n"
        "</tbody>\n"
        "</table>"
    ) == html


def test_the_page_of_a_notebook_has_all_sections():
    """They are those of the table, whole rows of them."""
    html = compare(BASELINE, WIDE)._repr_html_()
    heads = re.findall(r'<th colspan="3">(\w+)</th>', html)

    assert ["attributes", "params", "tags", "metrics"] == heads
    assert "<td>loss</td><td>0.25</td><td>0.125 (-0.125)</td>" in html
    assert "<em>2 more are the same</em>" in html


def test_a_comparison_is_a_frame_of_fields():
    """Rows are called as the columns of a frame of runs, columns are the labels, values are as they are."""
    pd = pytest.importorskip("pandas", reason="needs the extra treadle-tracking[frames]")
    rows = {
        "experiment": ["digits", "letters"],
        "group": [None, "g"],
        "status": ["FINISHED", "FAILED"],
        "duration": [1.5, 3723.25],
        "params.augment": ["x" * 60, "x" * 60 + "!"],
        "params.clip": [None, pd.NA],
        "params.optim.lr": [0.001, 0.01],
        "params.width": [pd.NA, "64"],
        "tags.host": ["a", "b"],
        "metrics.acc": [0.875, pd.NA],
        "metrics.loss": [0.25, 0.125],
        "metrics.val/loss": [pd.NA, nan],
    }
    frame = compare(BASELINE, WIDE).dataframe()

    assert ["baseline", "wide"] == list(frame)
    assert [object, object] == list(frame.dtypes)
    assert repr(rows) == repr({name: [*frame.loc[name]] for name in frame.index})


def test_a_frame_of_nothing_that_differs_has_no_rows():
    """The runs are its columns still."""
    pytest.importorskip("pandas", reason="needs the extra treadle-tracking[frames]")
    frame = compare(BARE, run("b")).dataframe()

    assert (0, 2) == frame.shape


class Recorded:
    """A reader that has these entries of a run."""

    target = "elsewhere:"

    def __init__(self, *entries):
        self._entries = entries

    def entries(self, run):
        return iter(self._entries)


def test_functions_that_differ_are_read_on_request(tmp_path):
    """They differ in what they are called or in their source; of one recorded twice the last counts."""

    def function(name, qualified_name, sha256, time=0.0):
        return Function(
            wall_time=time, name=name, qualified_name=qualified_name, sha256=sha256, path=None
        )

    same, later = function("same", "m:f", "1"), function("same", "m:f", "1", 2.0)
    old, new = function("loss", "m:g", "2"), function("loss", "m:g", "3")
    other = function("other", "m:h", None)
    has = Contents(functions={"same": "m:f"})
    runs = [
        run("a", known_contents=has, reader=Recorded(new, same, old)),
        run("b", known_contents=has, reader=Recorded(later, new, other)),
        run("c", known_contents=Contents(), reader=None),
    ]

    assert {
        "loss": (old, new),
        "other": (MISSING, other),
    } == compare(*runs[:2]).functions()
    assert {
        "loss": (new, MISSING),
        "other": (other, MISSING),
        "same": (later, MISSING),
    } == compare(*runs[1:]).functions()


def test_recorded_runs_are_compared(tmp_path):
    """What was read from a directory is compared as what it is."""
    target = f"tensorboard:{tmp_path}"
    for name, rate in (("a", 0.1), ("b", 0.2)):
        with start_run(target, name=name, params={"optim": {"lr": rate}, "amp": True}) as started:
            started.log({"loss": rate}, step=1)
            started.function("join", os.path.join)
    found = compare(*open_runs(target))

    assert {"optim.lr": (0.1, 0.2)} == found.params
    assert {"amp": True} == found.same_params
    assert {"loss": (0.1, 0.2)} == found.metrics
    assert {} == found.functions()


def test_fewer_than_two_runs_are_an_error():
    """The message says how many are expected."""
    with pytest.raises(TooFewRuns) as one:
        compare(BARE)
    with pytest.raises(TooFewRuns) as none:
        compare()

    assert (
        "one run was given to be compared; expected two or more, such as compare(runs['a'], runs['b']), or "
        "compare(*runs) for all"
    ) == str(one.value)
    assert (
        "no run was given to be compared; expected two or more, such as compare(runs['a'], runs['b']), or "
        "compare(*runs) for all"
    ) == str(none.value)


def test_what_is_no_run_is_an_error():
    """A name is none: the message shows where runs come from."""
    with pytest.raises(NotARun) as caught:
        compare(BARE, "wide")

    assert (
        "'wide' (str) was given to be compared; expected runs as open_runs gives them, such as "
        "compare(runs['a'], runs['b']), or compare(*runs) for all"
    ) == str(caught.value)
