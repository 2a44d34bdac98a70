"""What a mirror calls a run, known without asking it."""

import pytest

from treadle_tracking import InvalidTarget, InvalidTimeout, identity_at, start_run
from treadle_tracking.mirrors.state import Sent, save_sent


def test_a_mirror_is_waited_for(tmp_path, fake_mlflow):
    """While a run goes on, what the mirror calls it is there as soon as the mirror has been reached."""
    uri = f"mlflow:{fake_mlflow.uri}"
    with start_run(uri, directory=tmp_path) as run:
        identity = identity_at(run.directory, *run.mirrors, timeout=60)

    assert [*fake_mlflow.runs] == [identity]
    assert identity == identity_at(str(run.directory), uri)


def test_a_mirror_that_was_not_reached_knows_no_run(tmp_path):
    """Nothing is known of a mirror that has not answered, nor of another one's."""
    save_sent(tmp_path, Sent(uri="mlflow:http://127.0.0.1:9"))
    save_sent(tmp_path, Sent(uri="mlflow:http://127.0.0.1:10", identity="ab"))

    assert [None, "ab", None] == [
        identity_at(tmp_path, f"mlflow:http://127.0.0.1:{port}") for port in (9, 10, 11)
    ]
    assert None is identity_at(tmp_path, "mlflow:http://127.0.0.1:9", timeout=0.05)


def test_a_mirror_is_found_by_the_target_that_it_was_given_as(tmp_path, monkeypatch):
    """A relative database, a slash at the end and a password name the mirror that notes have without them."""
    monkeypatch.chdir(tmp_path)
    save_sent(tmp_path, Sent(uri=f"mlflow:sqlite:///{tmp_path}/mlflow.db", identity="of the file"))
    save_sent(tmp_path, Sent(uri="mlflow:http://***@host", identity="of the server"))

    assert "of the file" == identity_at(tmp_path, "mlflow:sqlite:///mlflow.db")
    assert "of the server" == identity_at(tmp_path, "mlflow:http://me:secret@host/")


def test_no_time_to_wait_is_an_error(tmp_path):
    """A text is no time."""
    with pytest.raises(InvalidTimeout) as error:
        identity_at(tmp_path, "mlflow:http://127.0.0.1:9", timeout="1")

    assert "timeout is '1' (str); expected 0 or more seconds, or None for no limit" == str(
        error.value
    )


def test_several_mirrors_are_an_error(tmp_path):
    """A run may have several mirrors, each of which calls it something else."""
    with pytest.raises(InvalidTarget) as error:
        identity_at(tmp_path, ())

    assert "mirror is () (tuple); expected one of the run's, as run.mirrors[0] is" == str(
        error.value
    )
