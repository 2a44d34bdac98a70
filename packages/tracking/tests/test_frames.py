import json
from array import array
from math import inf, isnan, nan

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from treadle_tracking import InvalidName, UnknownMetric, open_runs, start_run
from treadle_tracking.frames import dataframe, history
from treadle_tracking.leaves import leaves
from treadle_tracking.reading import Points, RunRecord

pd = pytest.importorskip("pandas", reason="needs the extra treadle-tracking[frames]")
assert_frame_equal = pd.testing.assert_frame_equal


class StandIn:
    """Another backend: runs as they were read elsewhere, and their points in no particular order."""

    def __init__(self, target="elsewhere:here"):
        self.target = target
        self.points = {}
        self.questions = []

    def takes(self, run, points=None):
        """The same run, here."""
        identity = f"number {len(self.points)}"
        names = list(run.metrics)
        self.points[identity] = points or {name: run.points(name) for name in names}
        return evolve(
            run,
            target=self.target,
            identity=identity,
            directory=None,
            url="https://elsewhere",
            extremes=None,
            params=json.loads(json.dumps(dict(run.params))),
            reader=self,
        )

    def histories(self, runs, names=None):
        self.questions.append(([run.identity for run in runs], names))
        for run in reversed(runs):
            for name, points in reversed(self.points[run.identity].items()):
                if names is None or name in names:
                    yield run, name, points


@pytest.fixture
def elsewhere():
    return StandIn()


@pytest.fixture
def record(elsewhere):
    """A function that makes a record as another backend gives it, with whatever is asked for."""

    def make(points=None, **fields):
        made = RunRecord(
            **{
                "target": "",
                "identity": "",
                "uid": f"u{len(elsewhere.points)}",
                "experiment": "digits",
                "name": "a",
                "status": "FINISHED",
                "started": 1.5,
                "reader": elsewhere,
                **fields,
            }
        )
        points = {name: Points.of(some) for name, some in (points or {}).items()}
        last = {name: some.last for name, some in points.items()}
        return elsewhere.takes(
            evolve(made, metrics={**last, **made.metrics}), points or {"none": Points.of([])}
        )

    return make


@pytest.fixture
def recorded(tmp_path):
    """Runs of every kind, read from their directories."""
    target = f"tensorboard:{tmp_path}"
    adam = {"name": "adam", "lr": 1e-3, "betas": [0.9, 0.99]}
    params = {"optim": adam, "batch_size": 32, "amp": True, "clip": None, "seed": 2**60 + 1}
    with start_run(
        target, experiment="digits", name="whole", uid="u1", params=params, tags={"x": "1"}
    ) as run:
        run.log({"loss": 0.1, "acc": inf}, step=1)
        run.log({"loss": nan}, step=-2)
        run.log({"loss": 1e300}, step=2**40)
    with start_run(
        target, name="other", uid="u2", group="g", params={"batch_size": 2**70, "clip": 1}
    ) as run:
        run.log({"val/loss": nan, "-0": -0.0}, step=0)
    start_run(target, name="bare", uid="u3").close("FAILED")
    run = start_run(target, name="open", uid="u4", params={"clip": 0.5, "optim": {"lr": "?"}})
    yield list(open_runs(target))
    run.close()


def masked(kind, values, dtype):
    mask = [value is None for value in values]
    held = pd.array([0 if value is None else value for value in values], dtype=object)
    return kind(held.to_numpy().astype(dtype), pd.array(mask).to_numpy(dtype=bool))


def floats(*values):
    return masked(pd.arrays.FloatingArray, values, "float64")


def texts(*values):
    return pd.array([pd.NA if value is None else value for value in values], dtype="string[python]")


def objects(*values):
    return pd.Series([pd.NA if value is None else value for value in values], dtype=object)


def times(*seconds):
    moments = [None if one is None else round(one * 1000) for one in seconds]
    return pd.to_datetime(pd.Series(moments), unit="ms", utc=True).astype("datetime64[ms, UTC]")


def named(frame):
    frame.columns = pd.Index(list(frame), dtype=object)
    return frame


def test_runs_of_every_kind_are_a_whole_frame(recorded):
    """Every column has the type of its values, in a stated order, and what a run does not have is NA."""
    whole, other, bare, open_ = recorded
    ended = [whole.ended, other.ended, bare.ended, None]
    durations = [
        None if one is None else (round(one * 1000) - round(run.started * 1000)) / 1000
        for one, run in zip(ended, recorded, strict=True)
    ]
    expected = {
        "uid": texts("u1", "u2", "u3", "u4"),
        "name": texts("whole", "other", "bare", "open"),
        "experiment": texts("digits", "default", "default", "default"),
        "group": texts(None, "g", None, None),
        "status": texts("FINISHED", "FINISHED", "FAILED", "RUNNING"),
        "started": times(whole.started, other.started, bare.started, open_.started),
        "ended": times(*ended),
        "duration": floats(*durations),
        "params.amp": masked(pd.arrays.BooleanArray, [True, None, None, None], "bool"),
        "params.batch_size": objects(32, 2**70, None, None),
        "params.clip": floats(None, 1.0, None, 0.5),
        "params.optim.betas": objects([0.9, 0.99], None, None, None),
        "params.optim.lr": objects(1e-3, None, None, "?"),
        "params.optim.name": texts("adam", None, None, None),
        "params.seed": masked(pd.arrays.IntegerArray, [2**60 + 1, None, None, None], "int64"),
        "tags.x": texts("1", None, None, None),
        "metrics.-0": floats(None, -0.0, None, None),
        "metrics.acc": floats(inf, None, None, None),
        "metrics.loss": floats(1e300, None, None, None),
        "metrics.val/loss": floats(None, nan, None, None),
    }

    assert_frame_equal(named(pd.DataFrame(expected)), dataframe(recorded), check_exact=True)


def test_frames_are_the_same_from_another_backend(recorded, elsewhere):
    """The same runs give the same frames wherever they are read."""
    copies = [elsewhere.takes(run) for run in recorded]

    assert_frame_equal(dataframe(recorded), dataframe(copies), check_exact=True)
    assert_frame_equal(history(recorded), history(copies), check_exact=True)


def test_rows_are_counted_from_0(record):
    """The index is a count, as that of MLflow's search_runs is, and the uid is a column."""
    frame = dataframe([record(), record()])

    assert pd.RangeIndex(2).equals(frame.index)
    assert isinstance(frame.index, pd.RangeIndex)


def test_no_runs_are_a_frame_with_its_columns():
    """Without a run the columns that every run has are there, with their types."""
    text, moment = "string[python]", "datetime64[ms, UTC]"
    expected = {
        **dict.fromkeys(["uid", "name", "experiment", "group", "status"], text),
        **dict.fromkeys(["started", "ended"], moment),
        "duration": "Float64",
    }

    assert_frame_equal(
        named(pd.DataFrame({name: pd.Series([], dtype=kind) for name, kind in expected.items()})),
        dataframe([]),
    )


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        ([True, False], "boolean"),
        ([1, 2], "Int64"),
        ([-(2**63), 2**63 - 1], "Int64"),
        ([1, 2**63], "object"),
        ([1.0, 2.0], "Float64"),
        ([nan, inf], "Float64"),
        ([1, 0.5], "Float64"),
        ([2**53 + 1, 0.5], "object"),
        ([2**60, 0.5], "Float64"),
        ([10**400, 0.5], "object"),
        (["a", ""], "string"),
        ([1, True], "object"),
        ([0.5, "a"], "object"),
        ([[1], [2]], "object"),
        ([None, None], "object"),
        ([{}, {}], "object"),
    ],
)
def test_a_column_has_the_type_of_its_values(record, values, dtype):
    """Rows without a value, and rows in which it is None, change nothing."""
    runs = [record(params={"p": value}) for value in values]
    column = dataframe([*runs, record(), record(params={"p": None})])["params.p"]
    expected = [pd.NA if value is None else value for value in values]

    assert dtype == str(column.dtype)
    assert repr([*map(type(expected[0]), expected)] if dtype == "Float64" else expected) == repr(
        [*map(type(expected[0]), column[:2])] if dtype == "Float64" else column[:2].tolist()
    )
    assert [pd.NA, pd.NA] == column[2:].tolist()


def test_nan_is_not_missing(record):
    """A metric that is NaN is NaN, and one that a run does not have is NA."""
    runs = [record(metrics={"loss": nan}), record(), record(metrics={"loss": 0.5})]
    column = dataframe(runs)["metrics.loss"]

    assert [False, True, False] == column.isna().tolist()
    assert isnan(column[0])


def test_parameters_of_one_dotted_name_are_all_there(record):
    """The last of them has the name, the others have it with a number, and an empty mapping is a value."""
    params = {"a": {"b": 2}, "a.b": 1, "a.b.1": 3, "c": {}, "d": {"e": {}}}
    frame = dataframe([record(params=params)])
    found = {name: frame[name].tolist()[0] for name in frame if name.startswith("params.")}

    assert {
        "params.a.b": 1,
        "params.a.b.1": 3,
        "params.a.b.2": 2,
        "params.c": {},
        "params.d.e": {},
    } == found


def test_half_of_a_surrogate_pair_is_kept(record):
    """A text that UTF-8 cannot write is a value and a name as it is, and sorted as the others are."""
    frame = dataframe([record(params={"p\udc80": "\ud800", "p": "é"})])

    assert ["é", "\ud800"] == frame.iloc[0, -2:].tolist()
    assert ["params.p", "params.p\udc80"] == list(frame)[-2:]


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("abc"), inner),
    max_leaves=4,
)


@given(st.lists(st.dictionaries(st.sampled_from(["a", "b", "a.b"]), _json, max_size=3), max_size=4))
def test_the_values_of_a_frame_are_exactly_those_of_the_runs(params):
    """Whatever the parameters are, a cell is equal to the run's, of its type or a double equal to it, or NA."""
    runs = [
        RunRecord(
            target="x:y",
            identity=str(number),
            uid="u",
            experiment="e",
            name="n",
            status="FINISHED",
            started=0.0,
            params=values,
            reader=StandIn(),
        )
        for number, values in enumerate(params)
    ]
    frame = dataframe(runs)
    found = [
        {
            name.removeprefix("params."): frame[name][row]
            for name in frame
            if name.startswith("params.") and frame[name][row] is not pd.NA
        }
        for row in range(len(runs))
    ]
    expected = [
        {name: value for name, value in leaves(run.params).items() if value is not None}
        for run in runs
    ]

    assert [*map(_sorted, expected)] == [*map(_sorted, found)]


def _sorted(cells):
    return sorted((name, _exact(value)) for name, value in cells.items())


def _exact(value):
    if hasattr(value, "item"):
        value = value.item()
    # An integer in a column of doubles is one that is equal to it.
    is_integral = isinstance(value, float) and value.is_integer() and repr(value) != "-0.0"
    return repr(int(value) if is_integral else value)


def test_a_history_has_a_row_for_each_point(record):
    """Points are in the order of the runs, then by metric, step and time, with the types stated."""
    first = record({"loss": [(2, 1500, 0.5), (1, 1000, nan)], "acc": [(1, 1000, inf)]}, name="b")
    second = record({"acc": [(-1, 0, -0.0), (-1, 0, 1.0), (2**62, 2**41, 5e-324)]}, name="a")
    expected = {
        "uid": texts("u0", "u0", "u0", "u1", "u1", "u1"),
        "name": texts("b", "b", "b", "a", "a", "a"),
        "metric": texts("acc", "loss", "loss", "acc", "acc", "acc"),
        "step": pd.Series([1, 1, 2, -1, -1, 2**62], dtype="int64"),
        "time": times(1, 1, 1.5, 0, 0, 2**41 / 1000),
        "value": pd.Series([inf, nan, 0.5, -0.0, 1.0, 5e-324], dtype="float64"),
    }

    assert_frame_equal(named(pd.DataFrame(expected)), history([first, second]), check_exact=True)


def test_a_history_is_of_the_metrics_that_are_asked_for(record, elsewhere):
    """One name or several, in any order; a run that lacks one has no rows of it; each place is asked once."""
    runs = [record({"loss": [(1, 0, 0.5)], "acc": [(1, 0, 0.25)]}), record({"acc": [(1, 0, 1.0)]})]
    one = history(runs, "loss")
    both = history(runs, ["loss", "acc"])
    none = history(runs, [])

    assert [("u0", "loss")] == list(zip(one.uid, one.metric, strict=True))
    assert [("u0", "acc"), ("u0", "loss"), ("u1", "acc")] == list(
        zip(both.uid, both.metric, strict=True)
    )
    assert 0 == len(none)
    identities = ["number 0", "number 1"]
    assert [
        (identities, ["loss"]),
        (identities, ["loss", "acc"]),
        (identities, []),
    ] == elsewhere.questions


def test_a_history_is_of_several_places(recorded, elsewhere):
    """Runs of two readers stand in their order, also if one of them is there twice."""
    whole = recorded[0]
    copy = elsewhere.takes(whole)
    frame = history([copy, whole, copy], ["acc"])

    assert [inf, inf, inf] == frame["value"].tolist()
    assert_frame_equal(
        history([whole, whole, whole], "acc"),
        frame,
        check_exact=True,
    )


def test_a_metric_that_no_run_has_is_an_error(record):
    """The message counts the runs and suggests what may have been meant; no runs have no unknown metric."""
    runs = [record({"val/loss": [(1, 0, 0.5)]}), record({"loss": [(1, 0, 0.5)]})]
    with pytest.raises(UnknownMetric) as several:
        history(runs, ["loss", "val/los"])
    with pytest.raises(UnknownMetric) as single:
        history(runs[:1], "mAP")

    assert "none of the 2 runs has a metric 'val/los'. Did you mean 'val/loss'?" == str(
        several.value
    )
    assert "the run has no metric 'mAP'. There is 'val/loss'." == str(single.value)
    assert_frame_equal(history([]), history([], ["loss"]))


def test_what_is_no_name_is_no_metric(record):
    """A list among the names is shown."""
    with pytest.raises(InvalidName) as caught:
        history([record()], [["loss"]])

    assert (
        "the name of a metric that is asked for is ['loss']; "
        "expected a text of at least one character that UTF-8 can write"
    ) == str(caught.value)


def test_an_empty_history_has_its_columns():
    """Without a point the columns are there, with their types."""
    kinds = {
        **dict.fromkeys(["uid", "name", "metric"], "string[python]"),
        "step": "int64",
        "time": "datetime64[ms, UTC]",
        "value": "float64",
    }

    assert_frame_equal(
        named(pd.DataFrame({name: pd.Series([], dtype=kind) for name, kind in kinds.items()})),
        history([]),
    )


def test_a_history_is_a_copy(record):
    """What is done to a frame is not done to the points."""
    steps, moments, values = array("q", [1]), array("q", [0]), array("d", [0.5])
    run = record()
    run.reader.points[run.identity] = {"loss": Points(steps, moments, values)}
    frame = history([evolve(run, metrics={"loss": 0.5})])
    frame.loc[0, "value"] = 2.0

    assert [0.5] == list(values)
