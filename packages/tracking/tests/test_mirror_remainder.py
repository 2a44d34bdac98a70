"""How far a mirror is, and where it goes on."""

from hypothesis import given
from hypothesis import strategies as st

from treadle_tracking.attempts import cut
from treadle_tracking.entries import Artifact, Scalars, Started
from treadle_tracking.log import LogWriter, Position, attempt_path, read_entries
from treadle_tracking.mirrors.remainder import entries_left, rewound

FILES = [f"events.out.tfevents.{attempt:06}.treadle" for attempt in range(3)]


def test_a_mirror_behind_the_cut_stays_where_it_is():
    """What it has was not cut."""
    position = Position(FILES[1], 100)

    assert position == rewound(position, {})
    assert position == rewound(position, {FILES[1]: 100})
    assert position == rewound(position, {FILES[2]: 0})


def test_a_mirror_beyond_the_cut_goes_back_to_it():
    """To the earliest place that is as it was."""
    assert Position(FILES[1], 50) == rewound(Position(FILES[1], 100), {FILES[1]: 50})
    assert Position(FILES[0], 70) == rewound(Position(FILES[2], 100), {FILES[1]: 50, FILES[0]: 70})


@given(data=st.data())
def test_nothing_that_is_kept_is_missed(data, tmp_path_factory):
    """Wherever a mirror was when the log was cut, it has, or is sent, every entry that is there afterwards."""
    directory = tmp_path_factory.mktemp("run")
    for attempt in range(2):
        log = LogWriter(attempt_path(directory, attempt))
        log.append(Started(wall_time=1.0, uid="u", experiment="e", name="n", attempt=attempt))
        for step in data.draw(st.lists(st.integers(0, 5), max_size=5)):
            log.append(Scalars(wall_time=1.0, step=step, values={"a": 1.0}))
            log.append(Artifact(wall_time=1.0, path=f"{attempt}-{step}", size=0, sha256=""))
        log.close()
    entries = list(read_entries(directory))
    count = data.draw(st.integers(0, len(entries)))
    position = entries[count - 1][1] if count else Position("", 0)

    places = cut(directory, 2, step=data.draw(st.integers(0, 5)))

    # A reader who stands beyond the new end of a file goes on with the next file.
    has = [entry for entry, _ in entries[:count]]
    has += [entry for entry, _ in read_entries(directory, rewound(position, places))]
    assert [] == [entry for entry, _ in read_entries(directory) if entry not in has]


def test_no_more_is_counted_than_anybody_reads(tmp_path, monkeypatch):
    """Who waits for the end of a run does not wait for the number of what is left, too."""
    monkeypatch.setattr("treadle_tracking.mirrors.remainder._COUNTED", 3)
    log = LogWriter(attempt_path(tmp_path))
    log.append(Started(wall_time=1.0, uid="u", experiment="e", name="n"))
    said = []
    for step in range(4):
        said.append(entries_left(tmp_path, Position("", 0)))
        log.append(Scalars(wall_time=1.0, step=step, values={"a": 1.0}))
    log.close()

    assert ["1 entry", "2 entries", "3 entries or more", "3 entries or more"] == said
