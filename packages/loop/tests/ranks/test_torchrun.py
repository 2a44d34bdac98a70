import os
import subprocess
import sys

import pytest

SCRIPT = """
import os

import torch
from torch import distributed as dist
from torch.nn.functional import mse_loss
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, TensorDataset

from treadle_loop import Engine, EpochSampler, runtimes, supervised

torch.set_num_threads(1)
dist.init_process_group("gloo")
torch.manual_seed(0)
dataset = TensorDataset(torch.randn(23, 4), torch.randn(23, 1))
model = DistributedDataParallel(torch.nn.Linear(4, 1))
engine = Engine(
    model,
    supervised(mse_loss),
    torch.optim.SGD(model.parameters(), lr=0.1),
    accumulate=2,
    runtime=runtimes.ddp(),
)
loader = DataLoader(dataset, sampler=EpochSampler(dataset), batch_size=4)
trained = engine.train_epoch(loader)
tested = engine.test_epoch(loader)
same = engine._runtime.gather(float(tested.loss))
if dist.get_rank() == 0:
    print(*trained.counts.values(), tested.records, len(set(same)), flush=True)
dist.destroy_process_group()
"""

ENDING = """
import sys

from torch import distributed as dist

from treadle_loop import runtimes

store, rank = sys.argv[1:]
dist.init_process_group("gloo", init_method=f"file://{store}", rank=int(rank), world_size=2)
held = dist.group.WORLD  # as a model does that outlives the group
sys.setswitchinterval(10)  # no thread is let in between the last collective and the end
runtime = runtimes.ddp()
for _ in range(5):
    runtime.gather("anything")
dist.destroy_process_group()
"""


@pytest.mark.slow
def test_a_script_under_torchrun(tmp_path):
    """A script that is started with torchrun trains on two ranks."""
    script = tmp_path / "train.py"
    script.write_text(SCRIPT)
    launcher = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2"]
    launcher += ["--rdzv-backend=c10d", "--rdzv-endpoint=127.0.0.1:0", "--local-addr=127.0.0.1"]

    ended = subprocess.run(
        [*launcher, script],
        cwd=tmp_path,
        env={**os.environ, "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )

    assert (0, "23 3 2 1 23 1\n") == (ended.returncode, ended.stdout), ended.stderr


@pytest.mark.slow
def test_the_end_of_a_script(tmp_path):
    """A rank ends well right after a collective, though its model holds the group.

    Without a moment for gloo's threads one rank of four aborts.
    """
    script = tmp_path / "train.py"
    script.write_text(ENDING)
    codes = []
    for pair in range(8):
        started = [
            subprocess.Popen([sys.executable, script, tmp_path / f"store-{pair}", str(rank)])
            for rank in range(2)
        ]
        codes += [one.wait(50) for one in started]

    assert codes == [0] * 16
