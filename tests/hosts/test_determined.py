"""The recipe for Determined, with its real Core API, against a stand-in for its master."""

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import torch

from treadle_loop import load_checkpoint

pytestmark = pytest.mark.determined
pytest.importorskip(
    "determined", reason="needs an environment of its own: hatch run determined:test"
)

# What a container of Determined has in files below /run, and a question that waits for the answer that is under way.
ON_CLUSTER = """
import json, runpy, sys, time, urllib.request

from determined import _info
from determined.core import _preempt

said = json.loads(sys.argv.pop(1))
trial = _info.TrialInfo(
    trial_id=1, experiment_id=1, trial_seed=0, hparams=said["hparams"], steps_completed=0,
    config={"checkpoint_storage": {"type": "directory", "container_path": said["storage"]}},
    trial_run_id=1, debug=False, inter_node_network_interface=None,
)
_info._info = _info.ClusterInfo(
    master_url=said["master"], cluster_id="c", agent_id="a", slot_ids=[0], task_id="1.1",
    allocation_id="1.1.1", session_token="t", task_type="TRIAL",
    latest_checkpoint=said["latest"], trial_info=trial,
    rendezvous_info=_info.RendezvousInfo(["127.0.0.1"], 0, [1]),
    resources_info=_info.ResourcesInfo([]),
)
asked, ask = [], _preempt._PreemptionWatcher.should_preempt

def preempted_at(watcher):
    asked.append(None)
    if len(asked) == said["preempted_at"]:
        urllib.request.urlopen(said["master"] + "/preempt", data=b"").close()
        while not watcher._should_preempt:
            time.sleep(0.001)
    return ask(watcher)

_preempt._PreemptionWatcher.should_preempt = preempted_at
sys.argv.pop(0)
runpy.run_path(sys.argv[0], run_name="__main__")
"""


class Master:
    """A master of one trial: it says when the trial is preempted, and remembers what it is told.

    Attributes:
        url: Where it answers.
        acknowledged: How often a trial has said that it ends in order to come back.
        checkpoints: The ids of checkpoints, in their order.
        validated: The steps of the validations that were reported, in their order.
    """

    def __init__(self, server: ThreadingHTTPServer) -> None:
        self.url = f"http://127.0.0.1:{server.server_address[1]}"
        self.acknowledged = 0
        self.checkpoints: list[str] = []
        self.validated: list[int] = []
        self.preempted = threading.Event()

    def get(self, path: str) -> Any:
        seconds = re.search(r"signals/preemption\?timeout_seconds=(\d+)", path)
        if seconds is not None:
            return {"preempt": self.preempted.wait(int(seconds[1]))}
        return {}

    def post(self, path: str, said: Any) -> Any:
        if path.endswith("/preempt"):
            self.preempted.set()
        elif path.endswith("/ack_preemption"):
            self.acknowledged += 1
        elif path.endswith("/checkpoints"):
            self.checkpoints.append(said["uuid"])
        elif path.endswith("/metrics") and said["group"] == "validation":
            self.validated.append(said["metrics"]["stepsCompleted"])
        elif path.endswith("/runs/start"):
            return {"storageId": 1}
        return {}


@pytest.fixture
def master() -> Iterator[Master]:
    """A stand-in for Determined's master, on loopback."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.answer(master.get(self.path))

        def do_POST(self) -> None:
            said = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.answer(master.post(self.path, json.loads(said) if said else None))

        def answer(self, value: Any) -> None:
            data = json.dumps(value).encode()
            try:
                self.send_response(200)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)
            except OSError:  # who has asked is gone
                self.close_connection = True

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.block_on_close = False
    master = Master(server)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield master
    master.preempted.set()
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def home(tmp_path: Path, root: Path) -> Path:
    """A folder with the script of the page."""
    page = (root / "docs" / "examples" / "determined.md").read_text()
    [script] = re.findall(r'```python title="train.py"\n(.*?)```', page, re.DOTALL)
    (tmp_path / "train.py").write_text(script)
    (tmp_path / "on_cluster.py").write_text(ON_CLUSTER)
    return tmp_path


def run(home: Path, *words: str) -> str:
    done = subprocess.run(
        [sys.executable, *words],
        cwd=home,
        env={**os.environ, "XDG_DATA_HOME": str(home), "DET_SESSION_TOKEN": "t", "DET_USER": "u"},
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert 0 == done.returncode, done.stderr
    return done.stdout


def on_cluster(
    home: Path,
    master: Master,
    script: str = "train.py",
    *,
    latest: str | None = None,
    preempted_at: int = 0,
    **hparams: Any,
) -> str:
    said = {
        "master": master.url,
        "storage": str(home / "storage"),
        "hparams": hparams,
        "latest": latest,
        "preempted_at": preempted_at,
    }
    return run(home, "on_cluster.py", json.dumps(said), script)


def test_a_trial_that_is_preempted_goes_on_exactly(home: Path, master: Master) -> None:
    """Preempted after step 11 it acknowledges, saves and ends; the next start ends at batch 48 as on a laptop."""
    run(home, "train.py", "--lr", "0.005")
    [laptop] = home.glob("determined/*/step-00000048.pt")
    first = on_cluster(home, master, preempted_at=13, lr=0.005)
    left = list(master.checkpoints)
    master.preempted.clear()
    second = on_cluster(home, master, latest=left[-1], lr=0.005)
    expected = load_checkpoint(laptop)
    actual = load_checkpoint(home / "storage" / master.checkpoints[-1])

    assert ("preempted after 11 steps\n", 1, 1) == (first, master.acknowledged, len(left))
    assert "reached 48 batches after 744 records, 48 batches, 48 steps" in second
    for name, weight in expected["engine"]["model"].items():
        assert torch.equal(weight, actual["engine"]["model"][name]), name
    assert [13, 26, 39, 48] == master.validated


def test_what_the_searcher_chose_wins_where_it_wins_on_a_laptop(home: Path, master: Master) -> None:
    """In a file's place, each precedence gives on the cluster what it gives where a file says the same."""
    (home / "chosen.json").write_text('{"lr": 0.005}')
    (home / "which.py").write_text(
        """
import determined as det, treadle
from attrs import frozen

@frozen
class Config:
    lr: float = 0.01

cluster = det.get_cluster_info()
chosen = treadle.config.layer("searcher", cluster.trial.hparams, at="file") if cluster else "chosen.json"
for precedence in ("code_over_file", "file_over_code"):
    print(treadle.load(Config, chosen, {"lr": 0.001}, precedence=precedence).lr)
"""
    )

    laptop = run(home, "which.py")
    cluster = on_cluster(home, master, "which.py", lr=0.005)

    assert ("0.001\n0.005\n", "0.001\n0.005\n") == (laptop, cluster)


def test_the_trainer_of_determined_prefers_the_code_without_a_word(
    home: Path, master: Master
) -> None:
    """What the page says of `det.pytorch.init`: on the cluster, too, it keeps the hyperparameters that it was given."""
    (home / "theirs.py").write_text(
        """
from determined import pytorch

with pytorch.init(hparams={"lr": 0.001}, exp_conf={"name": "mine"}) as context:
    print(context.get_hparams(), "name" in context.get_experiment_config())
"""
    )

    assert "{'lr': 0.001} False\n" == on_cluster(home, master, "theirs.py", lr=0.005)
