"""A run that goes on is the run that was never interrupted."""

import io
import itertools
import json
import os
import re
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from treadle_tracking import clock as clock_module
from treadle_tracking import open_runs, start_run, starting
from treadle_tracking.clock import milliseconds
from treadle_tracking.encoding import EntryEncoder, decoded
from treadle_tracking.entries import (
    Committed,
    Histogram,
    Image,
    Rewound,
    Scalars,
    Started,
    Table,
    Text,
)
from treadle_tracking.errors import (
    InvalidState,
    PlaceUnknown,
    RunDirectoryError,
    RunEnded,
    WrongRun,
)
from treadle_tracking.log import START, Position, attempt_path, attempt_paths, read_entries
from treadle_tracking.mirrors import sender as sender_module
from treadle_tracking.mirrors.remainder import last_final
from treadle_tracking.protos import messages
from treadle_tracking.wire import records

RUNS = "tensorboard:runs"
GUIDE = Path(__file__).parents[3] / "docs" / "tracking.md"


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def killed(run, torn=b""):
    """What SIGKILL leaves of a run of this process: no end, perhaps a part of a record, and no process."""
    recorder = run._recorder
    recorder._pulse.close()
    recorder._log.close()
    for sender in run._senders:
        sender.close(0)
    with attempt_paths(run.directory)[-1].open("ab") as file:
        file.write(torn)
    (run.directory / ".writer").unlink()
    run._termination.restore()
    run._unclosed.detach()


def recorded(directory):
    """What a user has recorded, without the times."""
    return [
        (entry.step, entry.values if type(entry) is Scalars else entry.text)
        for entry, _ in read_entries(directory)
        if type(entry) in {Scalars, Text}
    ]


def aside(directory):
    """Every entry that was cut out."""
    found = []
    for path in sorted((directory / "abandoned").glob("*.records")):
        with path.open("rb") as file:
            found += [decoded(data) for _, data in records(file, 0)]
    return found


def again(**arguments):
    return start_run(RUNS, uid="u", resume="auto", **arguments)


def test_a_place_is_gone_back_to():
    """What came after `state_dict` is cut out, and kept aside, and the run goes on from there."""
    run = again(params={"lr": 0.1}, tags={"a": "1"})
    run.log({"loss": 1.0}, step=1)
    run.text("note", "a", step=1)
    state = run.state_dict()
    run.log({"loss": 2.0, "other": 0.0}, step=2)
    run.text("note", "b", step=2)
    run.tag({"a": "2"})
    run.close("FAILED")
    with again() as run:
        run.load_state_dict(json.loads(json.dumps(state)))
        run.log({"loss": 3.0}, step=2)
    (read,) = open_runs(RUNS)

    assert (["loss"], ((1, 1.0), (2, 3.0))) == (list(read.metrics), read.history("loss"))
    assert ({"a": "1"}, {"lr": 0.1}, "FINISHED") == (read.tags, read.params, read.status)
    assert ["Ended", "Scalars", "Text", "Tags"] == [
        type(entry).__name__ for entry in aside(run.directory)
    ]


def test_a_state_is_plain_and_of_this_run():
    """A state goes into any checkpoint; another run's is refused by both uids; none at all is nothing to go back to."""
    with again(name="a") as run:
        state = run.state_dict()
        with pytest.raises(WrongRun) as caught:
            run.load_state_dict({**state, "uid": "v"})
        run.load_state_dict({})
        run.load_state_dict(start_run(None).state_dict())
    start_run(None).load_state_dict(state)

    assert {"uid": str, "file": str, "offset": int, "checksum": int} == {
        key: type(value) for key, value in state.items()
    }
    assert (
        "this state belongs to the run with the uid 'v', and this run, 'a', has 'u'. Resume that one, "
        "start_run(…, uid='v', resume='must'), however it ended; or, for a new run, move the checkpoint away"
    ) == str(caught.value)


@pytest.mark.parametrize(
    "change", [{"checksum": 1}, {"file": "x"}, {"offset": -1}, {"offset": 2**70}]
)
def test_a_place_that_is_not_there_is_unknown(change):
    """Whatever place a state names, the log is not cut by one that it has not, and the run goes on."""
    run = again()
    state = run.state_dict()
    run.log({"loss": 1.0}, step=1)
    run.close("FAILED")
    with again() as run:
        with pytest.raises(PlaceUnknown):
            run.load_state_dict({**state, **change})
        run.log({"loss": 2.0}, step=2)

    assert ((1, 1.0), (2, 2.0)) == open_runs(RUNS)["u"].history("loss")


STATE = {"uid": "u", "file": "f", "offset": 1, "checksum": 1}


@pytest.mark.parametrize(
    ("state", "shown"),
    [
        (5, "5 (int)"),
        ("x", "'x' (str)"),
        ([1], "[1] (list)"),
        (None, "None (NoneType)"),
        ({"step": 1, "model": {}, "run": STATE}, "a mapping of 'step', 'model', 'run'"),
        (dict.fromkeys("abcdef"), "a mapping of 'a', 'b', 'c', 'd', 'e', …"),
        (
            {**STATE, "offset": "1"},
            "a mapping of 'uid': 'u' (str), 'file': 'f' (str), 'offset': '1' (str), 'checksum': 1 (int)",
        ),
        ({"uid": "v"}, "a mapping of 'uid': 'v' (str)"),
        (
            {**STATE, "file": None},
            "a mapping of 'uid': 'u' (str), 'file': None (NoneType), 'offset': 1 (int), 'checksum': 1 (int)",
        ),
    ],
)
def test_what_is_no_state_is_an_error(state, shown):
    """What is none is named, and what a state is, before it is asked whose it is or where; the run goes on."""
    with again() as run:
        run.log({"loss": 1.0}, step=1)
        with pytest.raises(InvalidState) as caught:
            run.load_state_dict(state)

    assert (
        f"the state of the run is {shown}; expected what `run.state_dict()` gave: uid and file, which are texts, offset "
        f"and checksum, which are integers. Of a checkpoint, give the run's part: checkpoint['run']"
    ) == str(caught.value)
    assert ((1, 1.0),) == open_runs(RUNS)["u"].history("loss")


def test_a_place_that_the_run_went_back_beyond_is_unknown():
    """A checkpoint of a history that was given up is refused, also by the process that gave it up."""
    with again() as run:
        early = run.state_dict()
        run.log({"loss": 1.0}, step=1)
        late = run.state_dict()
        run.load_state_dict(early)
        run.log({"loss": 2.0}, step=1)
        with pytest.raises(PlaceUnknown):
            run.load_state_dict(late)
        run.log({"loss": 3.0}, step=2)

    assert ((1, 2.0), (2, 3.0)) == open_runs(RUNS)["u"].history("loss")


def test_a_state_of_this_very_moment_changes_nothing():
    """Loading what was just saved opens no new attempt."""
    with again() as run:
        run.log({"loss": 1.0}, step=1)
        run.load_state_dict(run.state_dict())

    assert [attempt_path(run.directory)] == attempt_paths(run.directory)


def test_rewinding_to_a_step_keeps_what_has_none():
    """`rewind(step)` takes what has this step or a later one, of every kind, and leaves tags and parameters."""
    with again() as run:
        for step in (1, 5, 2):
            run.log({"loss": float(step)}, step=step)
            run.text("note", str(step), step=step)
        run.tag({"a": "b"})
        run.params({"added": 1})
        run.rewind(2)
        run.log({"loss": 0.5}, step=2)
    (read,) = open_runs(RUNS)

    assert [(1, {"loss": 1.0}), (1, "1"), (2, {"loss": 0.5})] == recorded(run.directory)
    assert ({"a": "b"}, {"added": 1}) == (read.tags, read.params)


def test_rewinding_to_the_beginning_keeps_what_the_run_was_started_with():
    """`rewind()` takes everything but the parameters and tags of the start; `params.json` follows."""
    with again(params={"lr": 0.1}, tags={"a": "1"}, name="n") as run:
        run.tag({"a": "2"})
        run.log({"loss": 1.0}, step=-5)
        run.params({"added": 1})
        run.rewind()
        run.params({"other": 2})
        run.log({"loss": 2.0}, step=-5)
    (read,) = open_runs(RUNS)

    assert ({"a": "1"}, {"lr": 0.1, "other": 2}) == (read.tags, read.params)
    assert ((-5, 2.0),) == read.history("loss")
    assert {"lr": 0.1, "other": 2} == json.loads((run.directory / "params.json").read_text())


def test_rewinding_a_new_run_changes_nothing():
    """A script that always rewinds when there is no checkpoint has one attempt the first time."""
    with again(params={"lr": 0.1}) as run:
        run.rewind()

    assert [attempt_path(run.directory)] == attempt_paths(run.directory)
    assert not (run.directory / "abandoned").exists()


def test_parameters_of_a_start_hold_wherever_it_goes_back_to():
    """What a run goes on with is what it has, though an attempt that is given up was the first to say it."""
    run = again(params={"lr": 1, "seed": 1})
    state = run.state_dict()
    run.log({"loss": 1.0}, step=1)
    run.close("FAILED")
    for value in (1.0, 2.0):
        run = again(params={"lr": value, "clip": None})
        run.log({"loss": value}, step=1)
        run.close("FAILED")
    with again(params={"lr": 2.0, "clip": None}) as run:
        run.load_state_dict(state)
        run.params({"lr": 3.0})
        later = run.state_dict()
        run.log({"loss": 2.0}, step=1)
        run.load_state_dict(later)
    params = open_runs(RUNS)["u"].params

    assert {"lr": 3.0, "seed": 1, "clip": None} == params
    assert params == json.loads((run.directory / "params.json").read_text())


def test_the_first_log_says_where_a_run_goes_on():
    """Without a word about where, what the run repeats is replaced, once, and nothing before it."""
    with again() as run:
        for step in range(1, 6):
            run.log({"loss": float(step)}, step=step)
        run.close("KILLED")
    with again() as run:
        run.log({"loss": 0.5}, step=4)
        run.log({"loss": 0.25}, step=2)

    assert ((1, 1.0), (2, 2.0), (2, 0.25), (3, 3.0), (4, 0.5)) == (
        open_runs(RUNS)["u"].history("loss")
    )


PNG = b"\x89PNG\r\n\x1a\n" + b"\0\0\0\rIHDR\0\0\0\1\0\0\0\1" + b"\0" * 9


@pytest.mark.parametrize(
    "before",
    [
        lambda run: run.text("config", "a", step=0),
        lambda run: run.image("picture", PNG, step=2),
        lambda run: run.histogram("weights", [1.0, 2.0], step=9),
        lambda run: run.table("scores", {"a": [1]}),
        lambda run: run.table("scores", {"a": [1]}, step=1),
    ],
    ids=["text", "image", "histogram", "table", "table of a step"],
)
def test_only_metrics_say_where_a_run_goes_on(before):
    """What else is recorded first is kept, decides nothing, and is not taken for what was cut."""
    with again() as run:
        for step in (1, 2, 3):
            run.log({"loss": float(step)}, step=step)
        run.close("KILLED")
    with again() as run:
        before(run)
        run.log({"loss": 0.5}, step=3)
    entries = [entry for entry, _ in read_entries(run.directory)]
    (rewound,) = (entry for entry in entries if type(entry) is Rewound)
    (began,) = (e.wall_time for e in entries if type(e) is Started and e.attempt == 1)
    (shown,) = (entry for entry in entries if type(entry) in {Text, Image, Histogram, Table})

    assert ((1, 1.0), (2, 2.0), (3, 0.5)) == open_runs(RUNS)["u"].history("loss")
    assert began == rewound.began
    assert milliseconds(shown.wall_time) >= milliseconds(began)
    assert entries.index(shown) < entries.index(rewound)


def test_what_came_before_the_first_metrics_goes_with_its_attempt():
    """The next attempt cuts it like everything else of its step."""
    with again() as run:
        run.log({"loss": 1.0}, step=1)
        run.close("KILLED")
    with again() as run:
        run.text("note", "before", step=1)
        run.log({"loss": 0.5}, step=1)
        run.close("KILLED")
    with again() as run:
        run.log({"loss": 0.25}, step=1)

    assert [(1, {"loss": 0.25})] == recorded(run.directory)


@pytest.mark.parametrize(
    ("last", "gone"),
    [(4, "1 entry of that step and later is"), (6, "3 entries of that step and later are")],
)
def test_what_a_first_log_cuts_is_said(capsys, last, gone):
    """The number of the entries that went, and the file that has them; nothing is said where nothing went."""
    with again() as run:
        for step in range(1, last + 1):
            run.log({"loss": float(step)}, step=step)
        run.close("KILLED")
    capsys.readouterr()
    with again() as run:
        run.log({"loss": 0.5}, step=4)
        run.close("KILLED")
    with again() as run:
        run.log({"loss": 0.5}, step=5)
    goes_on = f"treadle: the run in {run.directory} goes on\n"

    assert (
        f"{goes_on}treadle: the run goes on at step 4: {gone} replaced, and kept in "
        f"{run.directory / 'abandoned' / '000001.records'}\n{goes_on}"
    ) == capsys.readouterr().err


def test_a_table_without_a_step_stays():
    """A table that was given no step has none: it goes with no step, and waits for no commit."""
    with again() as run:
        run.table("scores", {"a": [1]})
        state = run.state_dict()
        place = Position(state["file"], state["offset"])
        final = last_final(run.directory, START)
        run.log({"loss": 1.0}, step=1)
        run.rewind(0)
    tables = [entry for entry, _ in read_entries(run.directory) if type(entry) is Table]

    assert (place.file, place.offset) == (final.file, final.offset)
    assert [None] == [table.step for table in tables]
    assert ("scores",) == open_runs(RUNS)["u"].tables
    assert {} == open_runs(RUNS)["u"].metrics


@pytest.mark.parametrize(("first", "is_told"), [(0, True), (2, True), (3, False), (4, False)])
def test_a_tensorboard_that_follows_is_told_unless_it_would_drop_too_much(first, is_told):
    """A restart drops what has its step or a later one: what the same attempt has shown must not be of these."""
    encoder = EntryEncoder()
    encoder.record(Started(wall_time=1.0, uid="u", experiment="e", name="n", attempt=1))
    encoder.record(Text(wall_time=1.0, step=first, name="note", text="a"))

    record = encoder.record(Rewound(wall_time=2.0, began=1.0, step=3))

    ((_, data),) = records(io.BytesIO(record), 0)
    assert is_told == messages().event.FromString(data).HasField("session_log")


@pytest.mark.parametrize("how", ["step", "place", "beginning"])
def test_going_back_is_in_a_later_millisecond(how):
    """However little time goes by, where a run went back is told from what was cut, and from what comes, by its time."""
    stopped = SimpleNamespace(time=lambda: 1000.0)
    with patch.object(clock_module, "time", stopped), again() as run:
        run.log({"loss": 1.0}, step=1)
        states = [run.state_dict()]
        run.load_state_dict(states[0])
        run.log({"loss": 2.0}, step=2)
        run.rewind(2)
        run.log({"loss": 3.0}, step=2)
        run.log({"loss": 4.0}, step=3)
        if how == "step":
            run.rewind(2)
        elif how == "place":
            run.load_state_dict(states[0])
        else:
            run.rewind()
        run.log({"loss": 5.0}, step=2)
    entries = [entry for entry, _ in read_entries(run.directory)]
    rewinds = [entry for entry in entries if type(entry) is Rewound]
    gone = points(aside(run.directory))

    assert 3 == len(gone) - (how == "beginning")
    assert [] == [point for point in gone if not is_cut(point, rewinds)]
    assert [] == [point for point in points(entries) if is_cut(point, rewinds)]


def test_a_commit_is_no_repetition():
    """A checkpoint that is saved as the run goes on replaces nothing."""
    with again() as run:
        run.log({"loss": 1.0}, step=1)
        run.close("KILLED")
    with again() as run:
        run.commit(1)
        run.log({"loss": 2.0}, step=2)

    assert ((1, 1.0), (2, 2.0)) == open_runs(RUNS)["u"].history("loss")
    assert any(type(entry) is Committed for entry, _ in read_entries(run.directory))


def test_the_best_value_is_that_of_what_was_kept():
    """A best value that was cut out is none any more, and one that was kept still is."""
    with again(best={"loss": "min"}) as run:
        run.log({"loss": 3.0}, step=1)
        state = run.state_dict()
        run.log({"loss": 1.0}, step=2)
        run.load_state_dict(state)
        run.log({"loss": 4.0}, step=2)
        run.log({"loss": 2.0}, step=3)
        run.close("KILLED")
    with again() as run:
        run.log({"loss": 2.5}, step=4)
        run.log({"loss": 1.5}, step=5)

    assert ((1, 3.0), (3, 2.0), (5, 1.5)) == open_runs(RUNS)["u"].history("best/loss")


def test_an_ended_run_does_not_go_back():
    """A run is taken back by going on with it, not by the one that has ended."""
    with again(name="a") as run:
        state = run.state_dict()
    for change in (lambda: run.load_state_dict(state), run.rewind, lambda: run.rewind(1)):
        with pytest.raises(RunEnded):
            change()


def test_a_run_that_cannot_go_back_stays_where_it_is(monkeypatch):
    """Where a disk takes nothing, the log is as it was, the error says so, and the run records on."""
    real = os.open

    def full(path, *arguments, **options):
        if str(path).endswith("000001.treadle"):
            raise OSError(28, "No space left on device")
        return real(path, *arguments, **options)

    with again() as run:
        run.log({"loss": 1.0}, step=1)
        with monkeypatch.context() as patched:
            patched.setattr(os, "open", full)
            with pytest.raises(RunDirectoryError) as caught:
                run.rewind(1)
        run.log({"loss": 2.0}, step=2)
        run.rewind(2)
        run.log({"loss": 3.0}, step=2)

    assert (
        f"{run.directory}: the run cannot go back: No space left on device. Its log is as it was; make room, or the "
        f"directory writable, and try again"
    ) == str(caught.value)
    assert ((1, 1.0), (2, 3.0)) == open_runs(RUNS)["u"].history("loss")


def test_a_log_that_cannot_go_back_is_said_and_logged_all_the_same(monkeypatch, capsys):
    """Where the first `log` of a run that goes on finds a full disk, training goes on, and it is said what is double."""
    with again() as run:
        run.log({"loss": 1.0}, step=1)
        run.close("KILLED")
    run = again()
    capsys.readouterr()

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        run.log({"loss": 2.0}, step=1)
    run.log({"loss": 3.0}, step=2)
    run.close()

    assert (
        f"treadle: {run.directory} cannot be written to (No space left on device); what this run repeats of steps that "
        f"it has already is there twice, until it goes back to before step 1: run.rewind(1)\n"
    ) == capsys.readouterr().err
    assert ((1, 1.0), (1, 2.0), (2, 3.0)) == open_runs(RUNS)["u"].history("loss")


@pytest.mark.parametrize("where", ["sender", "thread", "cut", "log"])
def test_a_start_that_fails_leaves_a_run_as_it_was(monkeypatch, where):
    """Whatever goes wrong as a run goes on, its log, its end and its parameters are those from before."""
    with again(params={"lr": 1}) as run:
        run.log({"loss": 1.0}, step=1)
        run.close("FAILED")

    def files():
        return {path.name: path.read_bytes() for path in run.directory.iterdir() if path.is_file()}

    class Sender:
        def __init__(self, *_):
            if where == "sender":
                raise OSError(28, "No space left on device")

        def start(self):
            raise RuntimeError("can't start new thread")

        def close(self, timeout):
            pass

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    before = files()
    target = RUNS
    with monkeypatch.context() as patched:
        if where in {"sender", "thread"}:
            patched.setattr(starting, "_mirror", lambda uri: uri)
            patched.setattr(starting, "Sender", Sender)
            target = [RUNS, "mlflow:http://a"]
        elif where == "cut":
            patched.setattr(os, "fsync", full)
        else:
            patched.setattr(os, "write", full)
        error = RuntimeError if where == "thread" else RunDirectoryError
        with pytest.raises(error):
            start_run(target, uid="u", resume="must", params={"lr": 2, "new": 3})

    assert before == files()
    assert "FAILED" == open_runs(RUNS)["u"].status
    assert [] == [path for path in (run.directory / "abandoned").glob("*") if path.stat().st_size]
    again().close()


def history(steps):
    """What the same script records, once, at each step."""
    for step in range(1, steps + 1):
        yield step, "log", {"loss": 1 / step, "step": float(step)}
        if step % 3 == 0:
            yield step, "text", f"text of step {step}"
        if step % 4 == 0:
            yield step, "tag", {"latest": str(step)}


class SetMirror:
    """A mirror that keeps each point once, as MLflow does, and everything about where the run went back."""

    uri = "mlflow:set"
    identity = None

    def __init__(self):
        self.points = set()
        self.rewinds = {}

    def open(self, started, directory):
        self.identity = "r"

    def send(self, entries):
        self.points |= points(entries)
        for entry in entries:
            if type(entry) is Rewound:
                self.rewinds[entry.wall_time] = entry

    def close(self):
        pass


def points(entries):
    """Points as a mirror has them: times are whole milliseconds."""
    return {
        (name, entry.step, milliseconds(entry.wall_time), value)
        for entry in entries
        if type(entry) is Scalars
        for name, value in entry.values.items()
    }


def is_cut(point, rewinds):
    """Whether a reader that has but a point and where the run went back leaves the point out."""
    _, step, time, _ = point
    for rewound in rewinds:
        if time >= milliseconds(rewound.began):
            continue
        if step >= rewound.step if rewound.after is None else time > milliseconds(rewound.after):
            return True
    return False


ATTEMPT = st.fixed_dictionaries(
    {
        "steps": st.integers(1, 8),  # how far it comes
        "checkpoints": st.integers(0, 255),  # bits: after which of its steps one is saved
        "end": st.sampled_from(["FAILED", "KILLED", "kill", "torn"]),
        "where": st.integers(0, 9),  # which of the checkpoints that are good is loaded
        "how": st.sampled_from(["load", "load", "load", "rewind", "log"]),
        "when": st.sampled_from(["logged", "committed"]),
        "mirrored": st.booleans(),
        "late": st.booleans(),  # whether it goes back once more, in the middle
    }
)
TICKS = st.lists(st.sampled_from([0.0, 0.0003, 0.001, 2.0, -5.0]), min_size=1, max_size=9)


@settings(max_examples=40, deadline=None)
@given(
    attempts=st.lists(ATTEMPT, max_size=4),
    ticks=TICKS,
    when=st.sampled_from(["logged", "committed"]),
)
def test_any_history_of_attempts_is_the_uninterrupted_one(tmp_path_factory, attempts, ticks, when):
    """Whatever attempts there were, the log is that of one that was never interrupted; so is what a mirror's reader has.

    The clock stands still, jumps and goes back. What was cut out is kept aside, all of it, and the rule about where a
    run went back tells it from what is there by nothing but step and milliseconds.
    """
    root = tmp_path_factory.mktemp("runs")
    steps = 12
    now = itertools.accumulate(itertools.cycle(ticks), initial=1000.0)
    mirror = SetMirror()
    last = {**dict.fromkeys(("checkpoints", "where"), 0), "steps": steps, "end": "FINISHED"}
    last |= {"how": "load", "when": when, "mirrored": True, "late": False}
    checkpoints = []  # (step, state), of the history that is still good
    with (
        patch.object(clock_module, "time", SimpleNamespace(time=lambda: next(now))),
        patch.object(starting, "_mirror", lambda uri: mirror),
        patch.object(sender_module, "REST", 0.0),
        patch.object(sender_module, "WAITING_REST", 0.0),
    ):
        for attempt in [*attempts, last]:
            target = [f"tensorboard:{root}", "mlflow:http://x"]
            run = start_run(
                target[: 1 + attempt["mirrored"]],
                uid="u",
                resume="auto",
                mirror_when=attempt["when"],
            )

            def back(attempt=attempt, run=run):
                del checkpoints[1 + attempt["where"] % (len(checkpoints) or 1) :]
                step, state = checkpoints[-1] if checkpoints else (0, None)
                if state is None or attempt["how"] == "rewind":
                    checkpoints.clear()
                    run.rewind()
                    return 0
                if attempt["how"] == "load":
                    run.load_state_dict(state)
                return step

            position = back()
            end = min(steps, position + attempt["steps"])
            middle = (position + end) // 2 if attempt["late"] else None
            while position < end:
                position += 1
                for step, kind, value in history(steps):
                    if step == position:
                        getattr(run, kind)(
                            *(["note"] if kind == "text" else []),
                            value,
                            **({} if kind == "tag" else {"step": step}),
                        )
                if attempt["checkpoints"] >> (position % 8) & 1:
                    checkpoints.append((position, run.state_dict()))
                    run.commit(position)
                if position == middle and attempt["how"] != "log":
                    middle, position = None, back()
            if attempt["end"] in {"kill", "torn"}:
                killed(run, b"" if attempt["end"] == "kill" else b"\x40\0\0\0\0\0\0\0\1")
            else:
                run.close(attempt["end"])
    (read,) = open_runs(f"tensorboard:{root}")
    entries = [entry for entry, _ in read_entries(run.directory)]
    rewinds = [entry for entry in entries if type(entry) is Rewound]
    expected = [(step, value) for step, kind, value in history(steps) if kind != "tag"]

    assert expected == recorded(run.directory)
    assert ("FINISHED", {"latest": "12"}) == (read.status, read.tags)
    times = [entry.wall_time for entry in entries]
    assert sorted(times) == times
    assert not [point for point in points(entries) if is_cut(point, rewinds)]
    gone = points(aside(run.directory)) - points(entries)
    assert [] == [point for point in gone if not is_cut(point, rewinds)]
    assert points(entries) == {
        point for point in mirror.points if not is_cut(point, mirror.rewinds.values())
    }


def test_nothing_is_lost_of_what_was_given_up():
    """Whatever a run has recorded in its attempts is in its log or kept aside."""
    written = Counter()
    state = None
    for attempt in range(3):
        run = again()
        if state:
            run.load_state_dict(state)
        for step in range(3):
            run.log({"loss": attempt + step / 10}, step=step)
            written[attempt + step / 10] += 1
            if attempt == 0 and step == 0:
                state = run.state_dict()
        run.close("FAILED")
    entries = [entry for entry, _ in read_entries(run.directory)]

    assert written == Counter(
        entry.values["loss"] for entry in entries + aside(run.directory) if type(entry) is Scalars
    )
    assert 1 == sum(type(entry) is Started and entry.attempt == 0 for entry in entries)


def test_the_guides_example_can_be_run_again():
    """The script that the guide shows is right when it is run a second time, and trains on with a larger `until`."""
    if not GUIDE.exists():
        pytest.skip("needs the guide docs/tracking.md")
    section = GUIDE.read_text().partition("## Go on with a run")[2]
    example = re.search(r"^```python\n(.*?)^```$", section, re.DOTALL | re.MULTILINE).group(1)
    for _ in range(2):
        namespace = {"open_runs": open_runs, "start_run": start_run}
        exec(example, namespace)  # our own document
    namespace["train"](until=13)
    (run,) = open_runs(RUNS)

    assert ("FINISHED", [*range(1, 14)]) == (run.status, [step for step, _ in run.history("loss")])
