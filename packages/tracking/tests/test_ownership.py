"""Which process writes a run."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from threading import Barrier, Thread

import pytest
from attrs import asdict, evolve

from treadle_tracking import ownership as ownership_module
from treadle_tracking.errors import RunInUse
from treadle_tracking.ownership import Ownership, Writer, is_alive, last_beat, writer_of


def claimed(directory, writer):
    """A run that this process wrote last."""
    (directory / ".writer").write_text(json.dumps(asdict(writer)))


def test_a_run_that_is_written_is_alive(tmp_path):
    """It is, by this process, until it is released; and then nobody is known to write it."""
    ownership = Ownership(tmp_path)
    meanwhile = (is_alive(tmp_path), writer_of(tmp_path), last_beat(tmp_path) is None)
    ownership.release()
    afterwards = (is_alive(tmp_path), writer_of(tmp_path), last_beat(tmp_path))

    assert (True, Writer.this_process(), False) == meanwhile
    assert (False, None, None) == afterwards
    assert [] == list(tmp_path.iterdir())


def test_one_process_writes_a_run(tmp_path):
    """A second one is told which process it is, were it the same, and changes nothing."""
    ownership = Ownership(tmp_path)
    with pytest.raises(RunInUse) as caught:
        Ownership(tmp_path)
    alive = is_alive(tmp_path)
    ownership.release()

    assert alive
    assert (
        f"the run in {tmp_path} is being written by this process (number {os.getpid()}), where it was started and not "
        f"closed: close it, with `run.close()`, or start another run. Where no name for it is left, as after a notebook "
        f"cell that raised, that exception has held it until this one came: call `gc.collect()`, and try again"
    ) == str(caught.value)


def test_of_many_that_come_at_once_one_has_it(tmp_path):
    """However close they are, all but one are refused."""
    barrier, refused = Barrier(8), []

    def own():
        barrier.wait()
        try:
            Ownership(tmp_path)
        except RunInUse:
            refused.append(1)

    threads = [Thread(target=own) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert 7 == len(refused)


def test_a_process_that_is_gone_writes_nothing(tmp_path):
    """A run whose process has died without a word is free."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    claimed(tmp_path, evolve(Writer.this_process(), pid=process.pid))

    assert not is_alive(tmp_path)
    Ownership(tmp_path).release()


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
def test_another_process_of_the_same_number_is_another(tmp_path):
    """Numbers are used again, so the time at which a process began counts, too."""
    claimed(tmp_path, evolve(Writer.this_process(), began="1"))

    assert not is_alive(tmp_path)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
def test_a_process_that_nobody_has_waited_for_is_dead(tmp_path):
    """Below a launcher that goes on, a killed process keeps its number, and writes nothing any more."""
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    began = ownership_module._began(process.pid)
    claimed(tmp_path, evolve(Writer.this_process(), pid=process.pid, began=began))
    before = is_alive(tmp_path)
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # dead, and still to be waited for
    after = is_alive(tmp_path)
    process.wait()

    assert (True, False) == (before, after)


def test_where_a_system_does_not_say_when_a_process_began_its_number_counts(tmp_path):
    """Without that, a process that is there is taken for the one."""
    claimed(tmp_path, evolve(Writer.this_process(), began=""))

    assert is_alive(tmp_path)


@pytest.mark.parametrize(("seconds", "alive"), [(0, True), (290, True), (310, False)])
def test_a_process_on_another_machine_is_known_by_its_beat(tmp_path, seconds, alive):
    """What cannot be looked for is alive while it says so, and for five minutes longer."""
    claimed(tmp_path, Writer(pid=1, host="elsewhere", place="elsewhere", began=""))
    beat = time.time() - seconds
    os.utime(tmp_path / ".writer", (beat, beat))

    assert alive == is_alive(tmp_path)
    assert pytest.approx(beat, abs=1e-3) == last_beat(tmp_path)


def test_a_beat_says_that_the_process_lives(tmp_path):
    """It moves the time of the last one on."""
    ownership = Ownership(tmp_path)
    os.utime(tmp_path / ".writer", (1.0, 1.0))
    ownership.beat()
    beat = last_beat(tmp_path)
    ownership.release()

    assert beat > 1.0


def test_what_another_process_has_taken_over_is_left_to_it(tmp_path):
    """A process that was asleep for long enough to be taken for dead neither beats for the new one nor ends it."""
    ownership = Ownership(tmp_path)
    other = Writer(pid=1, host="elsewhere", place="elsewhere", began="")
    claimed(tmp_path, other)
    os.utime(tmp_path / ".writer", (1.0, 1.0))
    ownership.beat()
    ownership.release()

    assert (other, 1.0) == (writer_of(tmp_path), last_beat(tmp_path))


@pytest.mark.parametrize("content", ["", "{", "[]", '{"pid": 1}', "null"])
def test_a_damaged_note_is_none(tmp_path, content):
    """A run whose note cannot be read is free, since a note is written whole."""
    (tmp_path / ".writer").write_text(content)

    assert (None, False) == (writer_of(tmp_path), is_alive(tmp_path))
    Ownership(tmp_path).release()


def test_a_note_that_cannot_be_written_is_an_error(tmp_path):
    """A path that is no directory is the system's own error, for `start_run` to explain."""
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="Not a directory"):
        Ownership(tmp_path / "file")
