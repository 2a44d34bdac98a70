"""Cutting a log."""

import os
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from treadle_tracking import attempts as attempts_module
from treadle_tracking.attempts import beginning, cut, next_attempt
from treadle_tracking.encoding import decoded
from treadle_tracking.entries import (
    Artifact,
    Committed,
    Ended,
    Params,
    Rewound,
    Scalars,
    Started,
    Tags,
    Text,
)
from treadle_tracking.errors import CorruptRecord, PlaceUnknown
from treadle_tracking.log import (
    START,
    LogWriter,
    Position,
    attempt_path,
    attempt_paths,
    read_entries,
)
from treadle_tracking.recalled import recalled
from treadle_tracking.wire import records

TAGS = Tags(wall_time=1.0, values={"a": "b"})
ENDED = Ended(wall_time=9.0, status="FAILED")


def started(attempt=0):
    return Started(wall_time=1.0, uid="u", experiment="e", name="n", attempt=attempt)


def scalars(step, value=0.5):
    return Scalars(wall_time=2.0, step=step, values={"loss": value})


def text(step):
    return Text(wall_time=2.0, step=step, name="t", text="x" * step)


def written(directory, *attempts):
    """A log with these attempts, and the place after each of its entries."""
    for number, entries in enumerate(attempts):
        log = LogWriter(attempt_path(directory, number))
        for entry in entries:
            log.append(entry)
        log.close()
    return [place for _, place in read_entries(directory)]


def read(directory):
    return [entry for entry, _ in read_entries(directory)]


def aside(directory):
    """Every entry that was cut out, in the order of attempts and of the log."""
    found = []
    for path in sorted((directory / "abandoned").glob("*.records")):
        with path.open("rb") as file:
            entries = [decoded(data) for _, data in records(file, 0)]
        found += [entry for entry in entries if entry is not None]  # else a file's version
    return found


def test_every_end_is_cut(tmp_path):
    """A run that goes on has not ended: its ends go, in place, and what follows the file goes on following it."""
    written(tmp_path, [started(), scalars(1), ENDED], [started(1), ENDED])
    inode = attempt_path(tmp_path).stat().st_ino

    places = cut(tmp_path, 2)

    assert [started(), scalars(1), started(1)] == read(tmp_path)
    assert [ENDED, ENDED] == aside(tmp_path)
    assert inode == attempt_path(tmp_path).stat().st_ino
    assert {path.name: path.stat().st_size for path in attempt_paths(tmp_path)} == places


def test_what_is_behind_a_place_is_cut(tmp_path):
    """The place itself and what is before it stay; files of which nothing stays are gone."""
    log = [started(), scalars(1), TAGS, scalars(2)]
    place = written(tmp_path, log, [started(1), scalars(3)], [started(2)])[1]

    places = cut(tmp_path, 3, after=place)

    assert log[:2] == read(tmp_path)
    assert [TAGS, scalars(2), started(1), scalars(3), started(2)] == aside(tmp_path)
    assert [attempt_path(tmp_path)] == attempt_paths(tmp_path)
    assert place.offset == places.pop(attempt_path(tmp_path).name)
    assert {attempt_path(tmp_path, 1).name, attempt_path(tmp_path, 2).name} == set(places)


def test_what_has_a_step_is_cut_from_that_step_on(tmp_path):
    """Whatever has the step or a later one goes, wherever it is; what has none stays, and so does where it went back."""
    rewound = Rewound(wall_time=3.0, began=3.0, step=9, after=2.5)
    artifact = Artifact(wall_time=2.0, path="a", size=1, sha256="")
    written(
        tmp_path,
        [started(), scalars(5), TAGS, text(4), scalars(3), Committed(wall_time=2.0, step=5)],
        [started(1), rewound, text(3), artifact, scalars(4)],
    )

    cut(tmp_path, 2, step=4)

    assert [started(), TAGS, scalars(3), started(1), rewound, text(3), artifact] == read(tmp_path)
    assert [scalars(5), text(4), Committed(wall_time=2.0, step=5), scalars(4)] == aside(tmp_path)


def test_the_attempt_that_cuts_is_left_alone(tmp_path):
    """Its own file, and any later one, stays as it is."""
    written(tmp_path, [started(), scalars(7)], [started(1), scalars(8), ENDED])

    cut(tmp_path, 1, step=0)

    assert [started(), started(1), scalars(8), ENDED] == read(tmp_path)


def test_a_log_with_nothing_to_cut_is_not_touched(tmp_path):
    """Nothing is written, and nothing is kept aside."""
    written(tmp_path, [started(), scalars(1)])
    before = attempt_path(tmp_path).stat()

    assert {} == cut(tmp_path, 1, step=2)
    assert before == attempt_path(tmp_path).stat()
    assert not (tmp_path / "abandoned").exists()


def test_a_torn_end_is_cut(tmp_path):
    """What a killed process has left half written goes, and only that."""
    written(tmp_path, [started(), scalars(1)])
    whole = attempt_path(tmp_path).read_bytes()
    attempt_path(tmp_path).write_bytes(whole + whole[:20])

    assert {attempt_path(tmp_path).name: len(whole)} == cut(tmp_path, 1)
    assert whole == attempt_path(tmp_path).read_bytes()


def test_a_place_that_was_cut_is_unknown(tmp_path):
    """A place behind which the log went on otherwise is refused, also where another entry happens to end there."""
    places = written(tmp_path, [started(), scalars(1), scalars(5), scalars(2), TAGS])
    cut(tmp_path, 1, step=5)
    [*_, (_, now), _] = read_entries(tmp_path)
    with pytest.raises(PlaceUnknown) as caught:
        cut(tmp_path, 2, after=places[2])

    assert (places[2].file, places[2].offset) == (now.file, now.offset)
    assert (
        f"the log of the run in {tmp_path} no longer has this place: the run was rewound to before it, and went on from "
        f"there. Load a checkpoint taken since, or give the step to go back to: run.rewind(step)"
    ) == str(caught.value)
    assert [started(), scalars(1), scalars(2), TAGS] == read(tmp_path)


@pytest.mark.parametrize(
    "place",
    [Position("events.out.tfevents.000007.treadle", 9), Position("../x", 0), Position("", 1)],
)
def test_a_place_in_no_file_is_unknown(tmp_path, place):
    """A place in a file that is not there, or is none of the run's, is refused."""
    written(tmp_path, [started()])
    with pytest.raises(PlaceUnknown):
        cut(tmp_path, 1, after=place)


def test_a_place_within_a_record_is_unknown(tmp_path):
    """A place that is none between two entries is refused, whatever it says of itself."""
    written(tmp_path, [started(), scalars(1)])
    with pytest.raises(PlaceUnknown):
        cut(tmp_path, 1, after=Position(attempt_path(tmp_path).name, 3))


def test_a_damaged_log_is_not_cut(tmp_path):
    """Damage is named, and nothing is changed."""
    written(tmp_path, [started(), scalars(1), ENDED])
    data = bytearray(attempt_path(tmp_path).read_bytes())
    data[-1] ^= 1
    attempt_path(tmp_path).write_bytes(data)
    with pytest.raises(CorruptRecord):
        cut(tmp_path, 1)

    assert data == attempt_path(tmp_path).read_bytes()


def test_the_beginning_is_what_the_run_was_started_with(tmp_path):
    """It ends before what the user has added since, were it of the same kind, and before another attempt."""
    with_start = Tags(wall_time=1.5, values={"a": "b"})
    first = [started(), Params(wall_time=1.5), with_start]
    places = written(tmp_path, [*first, TAGS, scalars(1)], [started(1)])

    assert places[2] == beginning(tmp_path)


def test_the_beginning_ends_with_the_first_attempt(tmp_path):
    """A second attempt, though it brings parameters of its own, is no part of it."""
    places = written(
        tmp_path, [started(), Params(wall_time=1.5)], [started(1), Params(wall_time=1.5)]
    )

    assert places[1] == beginning(tmp_path)
    assert START == beginning(tmp_path / "nothing")


def test_an_attempt_has_a_number_of_its_own(tmp_path):
    """Not even one whose file was cut out whole gives its number away."""
    place = written(tmp_path, [started()], [started(1)], [started(2)])[0]
    numbers = [next_attempt(tmp_path)]
    cut(tmp_path, 3, after=place)
    numbers.append(next_attempt(tmp_path))

    assert [3, 4] == numbers
    assert 0 == next_attempt(tmp_path / "nothing")


def test_the_latest_time_is_that_of_earlier_attempts(tmp_path):
    """The attempt that asks has no part in it."""
    written(tmp_path, [started(), ENDED], [Tags(wall_time=11.0, values={})])

    log = recalled(tmp_path)

    assert 11.0 == log.latest
    assert [9.0, 11.0, 0.0] == [
        log.latest_before(attempt_path(tmp_path, number).name) for number in (1, 2, 0)
    ]


ENTRY = st.one_of(
    st.builds(scalars, st.integers(0, 5)),
    st.builds(text, st.integers(0, 5)),
    st.just(TAGS),
    st.just(ENDED),
    st.builds(Committed, wall_time=st.just(2.0), step=st.integers(0, 5)),
    st.builds(Rewound, wall_time=st.just(2.0), began=st.just(2.0), step=st.integers(0, 5)),
)
LOGS = st.lists(st.lists(ENTRY, max_size=6), min_size=1, max_size=3)


def wanted(entries, places, after, step):
    """What is to stay of a log."""
    return [
        entry
        for entry, place in zip(entries, places, strict=True)
        if type(entry) is not Ended
        and (after is None or (place.file, place.offset) <= (after.file, after.offset))
        and (step is None or type(entry) is Rewound or getattr(entry, "step", -1) < step)
    ]


@settings(deadline=None)
@given(LOGS, st.data())
def test_nothing_is_lost(tmp_path_factory, logs, data):
    """Whatever is cut, the log has what is to stay, in order, and the rest is kept aside, in order, each once."""
    directory = tmp_path_factory.mktemp("run")
    places = written(directory, *([started(n), *log] for n, log in enumerate(logs)))
    before = read(directory)
    after = data.draw(st.none() | st.sampled_from(places))
    step = data.draw(st.none() | st.integers(0, 6)) if after is None else None

    cut(directory, len(logs), after=after, step=step)

    expected = wanted(before, places, after, step)
    assert expected == read(directory)
    assert Counter(map(repr, before)) == Counter(map(repr, expected + aside(directory)))


class Killed(BaseException):
    """Stands for SIGKILL."""


CALLS = ("mkdir", "fsync", "truncate", "replace", "unlink")


def killed_at(monkeypatch, number, *, done):
    """Make the process die at one of the calls that change a disk, before it or when it is done."""
    calls = []

    def patched(name, real):
        def call(*arguments, **options):
            calls.append(name)
            if len(calls) < number:
                return real(*arguments, **options)
            if len(calls) == number and done:
                real(*arguments, **options)
            raise Killed  # and whatever comes then, in `finally` say, is not done either

        return call

    for name in CALLS:
        monkeypatch.setattr(os, name, patched(name, getattr(os, name)))
    return calls


@pytest.mark.parametrize("done", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("where", ["place", "step"])
def test_a_kill_while_a_log_is_cut_leaves_one_that_can_be_cut_again(
    tmp_path_factory, monkeypatch, where, done
):
    """At whatever call the process dies, the log can be read, nothing is lost, and cutting it again completes it."""
    logs = [
        [started(), scalars(1), scalars(4), TAGS, scalars(2), ENDED],
        [started(1), text(2), scalars(3), TAGS],
        [started(2), scalars(4), scalars(5), ENDED],
    ]
    number = 0
    while True:
        number += 1
        directory = tmp_path_factory.mktemp("run")
        places = written(directory, *logs)
        before = read(directory)
        choice = {"after": places[1]} if where == "place" else {"step": 3}
        expected = wanted(before, places, choice.get("after"), choice.get("step"))
        with monkeypatch.context() as patch:
            calls = killed_at(patch, number, done=done)
            try:
                cut(directory, 3, **choice)
            except Killed:
                pass
            else:
                break
        meanwhile = read(directory)
        left = [entry for entry in meanwhile if entry != ENDED]

        assert not Counter(map(repr, before)) - Counter(map(repr, meanwhile + aside(directory)))
        assert not Counter(map(repr, expected)) - Counter(map(repr, meanwhile))
        if where == "place":
            assert [entry for entry in before if entry != ENDED][: len(left)] == left
        cut(directory, 4, **choice)
        assert expected == read(directory)

    assert expected == read(directory)
    assert len(calls) >= 5


def test_a_disk_without_room_leaves_the_log_as_it_was(tmp_path, monkeypatch):
    """Where what goes cannot be kept aside, or what stays not be written anew, nothing goes."""
    written(tmp_path, [started(), scalars(4), TAGS], [started(1), scalars(5)])
    before = read(tmp_path)
    syncs = []

    def fsync(descriptor):
        syncs.append(descriptor)
        if len(syncs) in {1, 3}:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(attempts_module.os, "fsync", fsync)
    for _ in range(2):
        with pytest.raises(OSError, match="No space"):
            cut(tmp_path, 2, step=4)
        assert before == read(tmp_path)
    cut(tmp_path, 2, step=4)

    assert [started(), TAGS, started(1)] == read(tmp_path)
    assert [scalars(4), scalars(5)] * 2 == aside(tmp_path)
    assert [] == [path for path in Path(tmp_path).iterdir() if "unfinished" in path.name]


def test_records_that_stay_are_not_decoded(tmp_path, monkeypatch):
    """Going back in a long run takes as long as reading it: only what may go, or may be an end, is looked into."""
    steps = [scalars(step) for step in (-5, 0, 1, 2, 3, 2**63 - 1)]
    places = written(tmp_path, [started(), *steps, ENDED], [started(1)])
    looked = []

    def noted(data):
        looked.append(decoded(data))
        return looked[-1]

    monkeypatch.setattr(attempts_module, "decoded", noted)
    cut(tmp_path, 2, after=places[4])
    beyond = [entry for entry in looked if isinstance(entry, Scalars)]
    looked.clear()
    cut(tmp_path, 2, step=2)

    assert [] == beyond
    assert [] == [entry for entry in looked if isinstance(entry, Scalars) and entry.step < 2]
    assert [-5, 0, 1] == [entry.step for entry in read(tmp_path) if isinstance(entry, Scalars)]


def test_records_beside_each_other_go_as_one_stretch(tmp_path, monkeypatch):
    """However many there are, they are copied in pieces of a size that is the same for all."""
    monkeypatch.setattr(attempts_module, "_CHUNK", 50)
    steps = [scalars(step) for step in (0, 1, 5, 6, 7, 2, 3, 8, 9)]
    written(tmp_path, [started(), *steps])
    found = attempts_module._cut_of(attempt_path(tmp_path), None, 5)
    cut(tmp_path, 1, step=5)

    assert (1, 2) == (len(found.kept), len(found.gone))
    assert [started(), *(scalars(step) for step in (0, 1, 2, 3))] == read(tmp_path)
    assert [scalars(step) for step in (5, 6, 7, 8, 9)] == aside(tmp_path)
