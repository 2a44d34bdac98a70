import os
import signal
import subprocess
import sys

import pytest

from treadle_tracking import open_runs
from treadle_tracking.log import attempt_path

pytestmark = pytest.mark.slow

SCRIPT = """
import sys
from treadle_tracking import start_run
with start_run("tensorboard:runs", experiment="e", name=sys.argv[1]) as run:
    step = 0
    while True:
        step += 1
        run.log({"loss": 1 / step, "step": step}, step=step)
        print(step, flush=True)
"""


@pytest.mark.parametrize("lines", [1, 10, 333, 2000])
def test_a_kill_loses_nothing_that_log_returned_from(tmp_path, monkeypatch, lines):
    """After SIGKILL every step that the process had reported is in the log, exact, and the log is readable."""
    monkeypatch.chdir(tmp_path)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(lines)],
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )
    reported = 0
    while reported < lines:
        reported = int(process.stdout.readline())
    process.send_signal(signal.SIGKILL)
    rest = process.stdout.read().splitlines()
    process.stdout.close()
    process.wait()
    reported = int(rest[-1]) if rest and rest[-1] else reported
    run = open_runs("tensorboard:runs")[str(lines)]
    history = run.history("loss")

    assert ("UNFINISHED", None) == (run.status, run.damage)
    assert reported <= len(history) <= reported + 1
    assert tuple((step, 1 / step) for step in range(1, len(history) + 1)) == history
    assert attempt_path(run.directory).exists()
