"""A process that is one rank of several: it runs the cases of the tests, one after another."""

import contextlib
import faulthandler
import importlib.util
import pickle
import sys
import traceback
import warnings
from datetime import timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from treadle_loop import Runtime, runtimes

torch.set_num_threads(1)


class Rank:
    """What a case knows of where it runs: one rank of a group, or one process alone."""

    def __init__(self, rank: int = 0, world_size: int = 1) -> None:
        self.rank = rank
        self.world_size = world_size

    def wrap(self, model: nn.Module, kind: str, **options: Any) -> tuple[nn.Module, Runtime | None]:
        """The model as it trains here, and the engine's runtime; alone, the model itself."""
        if self.world_size == 1:
            return model, None
        if kind == "ddp":
            return DistributedDataParallel(model, **options), runtimes.ddp()
        from torch.distributed.device_mesh import init_device_mesh
        from torch.distributed.fsdp import fully_shard

        mesh = init_device_mesh("cpu", (self.world_size,))
        for layer in list(model.children())[:-1]:
            if next(layer.parameters(), None) is not None:
                fully_shard(layer, mesh=mesh)
        return fully_shard(model, mesh=mesh), runtimes.fsdp2()

    def mine(self, batches: list[Any]) -> Any:
        """From one item a rank, this rank's."""
        return batches[self.rank]


def load(path: Path | str) -> ModuleType:
    """The module in a file."""
    name = f"rank_{Path(path).stem}"
    if name not in sys.modules:
        specification = importlib.util.spec_from_file_location(name, path)
        assert specification is not None
        assert specification.loader is not None
        module = sys.modules[name] = importlib.util.module_from_spec(specification)
        specification.loader.exec_module(module)
    return sys.modules[name]


def serve(channel: Connection, here: Rank, seconds: float) -> None:
    """Run cases until there are no more: what each returned, or the text of its error."""
    while (asked := pickle.loads(channel.recv_bytes())) is not None:
        path, name, arguments = asked
        # Later than the other end gives up, it would be too late to say where this one waits.
        faulthandler.dump_traceback_later(0.9 * seconds)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                returned = getattr(load(path), name)(here, *arguments)
                # A collective without its counterpart shows here, and not in the next case.
                dist.barrier()
            answer = (True, returned)
        except BaseException:  # noqa: BLE001 (the tests are told)
            answer = (False, traceback.format_exc())
        faulthandler.cancel_dump_traceback_later()
        channel.send_bytes(pickle.dumps(answer))


def main(rank: int, world_size: int, store: str, descriptor: int, seconds: float) -> None:
    dist.init_process_group(
        "gloo",
        init_method=f"file://{store}",
        rank=rank,
        world_size=world_size,
        timeout=timedelta(seconds=2 * seconds),
    )
    with contextlib.suppress(EOFError):  # the tests were ended
        serve(Connection(descriptor), Rank(rank, world_size), seconds)
    dist.destroy_process_group()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], int(sys.argv[4]), float(sys.argv[5]))
