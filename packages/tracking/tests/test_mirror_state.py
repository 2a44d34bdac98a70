"""The note of what a mirror has been sent."""

import pytest

from treadle_tracking.entries import Started
from treadle_tracking.log import Position
from treadle_tracking.mirrors.errors import MirrorStateDamaged
from treadle_tracking.mirrors.state import Sent, load_every, load_sent, lock_path, save_sent

SENT = Sent(
    uri="mlflow:http://a",
    position=Position("events", 12),
    identity="r1",
    started=Started(wall_time=1.5, uid="u", experiment="é", name="n", group="g"),
)


def test_a_note_comes_back(tmp_path):
    """What was noted is read again, for its own mirror."""
    save_sent(tmp_path, SENT)

    assert SENT == load_sent(tmp_path, "mlflow:http://a")


def test_an_unknown_mirror_has_been_sent_nothing(tmp_path):
    """A mirror without a note begins at the beginning."""
    save_sent(tmp_path, SENT)

    assert Sent(uri="mlflow:http://b") == load_sent(tmp_path, "mlflow:http://b")


def test_every_mirror_has_its_own_note(tmp_path):
    """Two mirrors of one run do not disturb each other, and locks are no notes."""
    other = Sent(uri="mlflow:http://b")
    save_sent(tmp_path, SENT)
    save_sent(tmp_path, other)
    lock_path(tmp_path, SENT.uri).touch()

    assert {SENT.uri: SENT, other.uri: other} == {sent.uri: sent for sent in load_every(tmp_path)}


def test_a_damaged_note_begins_again(tmp_path):
    """A sender that cannot read its note sends everything, which changes nothing."""
    save_sent(tmp_path, SENT)
    next(tmp_path.glob(".mirror-*.json")).write_text("")

    assert Sent(uri=SENT.uri) == load_sent(tmp_path, SENT.uri)


def test_a_damaged_note_is_named_where_it_is_all_there_is(tmp_path):
    """Asked for every mirror, a note that cannot be read is an error that says what to do."""
    save_sent(tmp_path, SENT)
    path = next(tmp_path.glob(".mirror-*.json"))
    path.write_text("{}")
    expected = (
        f"{path} cannot be read, and it says where this run is mirrored to: delete that file and send the run again "
        f"with: python -m treadle_tracking sync {tmp_path} --to mlflow:URI. What has arrived already stays as it is"
    )

    with pytest.raises(MirrorStateDamaged) as caught:
        load_every(tmp_path)

    assert expected == str(caught.value)
