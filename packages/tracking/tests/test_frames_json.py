import json
import sys
from math import inf, nan

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from treadle_tracking import AmbiguousRun, MissingExtra, open_runs, start_run
from treadle_tracking.comparing import compare
from treadle_tracking.exact_json import loads
from treadle_tracking.exporting import as_json, dumps, params_json
from treadle_tracking.frames import dataframe, history
from treadle_tracking.reading import RunRecord

BARE = RunRecord(
    target="x:y",
    identity="1",
    uid="u",
    experiment="e",
    name="n",
    status="RUNNING",
    started=1.5,
    reader=None,
)


@pytest.fixture
def read(tmp_path):
    """A run of every kind of thing, read from its directory."""
    params = {"optim": {"lr": 1e-3, "clip": inf}, "$x": None, "n": 2**70, "names": ["a", 1.0]}
    with start_run(
        f"tensorboard:{tmp_path}",
        name="whole",
        uid="u",
        group="g",
        params=params,
        tags={"$t": "é"},
    ) as run:
        run.log({"loss": nan, "acc": 0.5}, step=1)
        run.text("note", "", step=1)
        run.json("vocabulary", {})
        run.function("encode", json.dumps)
    (run,) = open_runs(f"tensorboard:{tmp_path}")
    return run


def test_a_run_is_a_plain_mapping(read):
    """Everything but the histories is in words of JSON, and floats that it has no word for are objects."""
    expected = {
        "uid": "u",
        "name": "whole",
        "experiment": "default",
        "group": "g",
        "status": "FINISHED",
        "started": read.started,
        "ended": read.ended,
        "duration": round((read.ended - read.started) * 1000) / 1000,
        "params": {
            "optim": {"lr": 1e-3, "clip": {"$float": "inf"}},
            "$$x": None,
            "n": 2**70,
            "names": ["a", 1.0],
        },
        "tags": {"$$t": "é"},
        "metrics": {"loss": {"$float": "nan"}, "acc": 0.5},
        "target": read.target,
        "identity": str(read.directory),
        "directory": str(read.directory),
        "url": None,
        "parent": None,
        "damage": None,
    }

    assert [expected] == as_json([read])
    assert repr(expected) == repr(json.loads(dumps(as_json([read])))[0])


def test_what_a_run_has_beside_numbers_is_named_on_request(read):
    """Artifacts, images, texts, histograms, tables and functions are asked for only then."""
    without, with_ = as_json([read]), as_json([read], contents=True)

    assert {
        **without[0],
        "artifacts": ["functions/encode.py", "vocabulary.json"],
        "images": [],
        "texts": ["note"],
        "histograms": [],
        "tables": [],
        "functions": {"encode": "json:dumps"},
    } == with_[0]


def test_a_run_without_an_end_has_no_duration():
    """What a run does not have is null."""
    (found,) = as_json([BARE])

    assert [1.5, None, None, None] == [
        found[name] for name in ("started", "ended", "duration", "group")
    ]


def test_parameters_of_many_runs_are_one_mapping():
    """They are nested as they were given, by uid; a run and its mirror are one."""
    params = {"optim": {"lr": 0.1}, "clip": -inf}
    runs = [
        evolve(BARE, params=params),
        evolve(BARE, uid="v", params={}),
        evolve(BARE, target="z:", params=params),
    ]

    assert {
        "u": {"optim": {"lr": 0.1}, "clip": {"$float": "-inf"}},
        "v": {},
    } == params_json(runs)


def test_one_uid_with_two_sets_of_parameters_is_an_error():
    """Neither is left out in silence."""
    with pytest.raises(AmbiguousRun) as caught:
        params_json([BARE, evolve(BARE, identity="2", params={"lr": 0.1})])

    assert "several runs are called 'u': 1, 2. Ask for one by a uid no other has" == str(
        caught.value
    )


def test_what_is_exported_is_a_copy(read):
    """What is done to it is not done to the run."""
    (found,) = as_json([read])
    found["params"]["names"].append("b")

    assert ["a", 1.0] == read.params["names"]


def test_the_text_can_be_written_as_utf_8():
    """Half of a surrogate pair is an escape, other letters are themselves, and an indent is for people."""
    text = dumps(params_json([evolve(BARE, params={"é": "\ud800"})]), indent=1)

    assert '{\n "u": {\n  "é": "\\ud800"\n }\n}' == text


_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=2), inner),
    max_leaves=5,
)


@given(st.dictionaries(st.text(max_size=2), _values, max_size=3))
def test_exported_parameters_come_back_exactly(params):
    """Whatever they are, what reads params.json reads them."""
    text = dumps(params_json([evolve(BARE, params=params)]))

    assert repr({"u": params}) == repr(loads(text.encode()))


@pytest.mark.parametrize(
    "asked", [dataframe, history, lambda runs: compare(*runs, *runs).dataframe()]
)
def test_without_pandas_a_frame_is_one_sentence(monkeypatch, asked):
    """The error names the extra to install."""
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(MissingExtra) as caught:
        asked([BARE])

    assert (
        "a DataFrame needs pandas, which is not installed: pip install 'treadle-tracking[frames]'"
        == str(caught.value)
    )
