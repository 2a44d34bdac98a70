import io
import sys

from treadle_tracking.notices import say


def test_a_sentence_is_one_line_on_stderr(capsys):
    """What the library says is marked as its own."""
    say("hello")

    assert "treadle: hello\n" == capsys.readouterr().err


def test_nobody_listening_is_no_error(monkeypatch):
    """A stderr that is closed, or none at all, does not stop a training."""
    closed = io.StringIO()
    closed.close()
    for stderr in (None, closed):
        monkeypatch.setattr(sys, "stderr", stderr)

        assert None is say("hello")
