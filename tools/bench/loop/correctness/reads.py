"""How often the host waits for the device to read a number, in a hundred batches.

Each such read goes through `aten::_local_scalar_dense`, on a CPU as on a GPU, where it lets the
queue of kernels run dry. Reads are counted in two passes, one longer by a hundred batches, and
the difference stands: what happens once a pass, such as the read of its mean, is not in it.
"""

import contextlib
import io
from typing import Any

import torch
from by_hand import by_hand, nanogpt, with_item
from grid import Answer, table
from ours import train_epoch, updates
from record_mean import RecordMean
from rivals import RIVALS, Make
from tasks import Loader, Task, tiny
from torch.utils._python_dispatch import TorchDispatchMode
from trainers import for_lightning, lightning_module, lightning_trainer

BATCHES = 100


class Counter(TorchDispatchMode):
    """Counts what reaches the kernels."""

    def __init__(self) -> None:
        super().__init__()
        self.operations = self.reads = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Count it, and do it."""
        self.operations += 1
        self.reads += func is torch.ops.aten._local_scalar_dense.default  # noqa: SLF001 (its name)
        return func(*args, **(kwargs or {}))


def lightning_with_bar(task: Task, loader: Loader) -> Any:
    """Lightning's own bar, which shows the loss."""

    def train(passes: int) -> float:
        module = lightning_module(task, on_step=True, on_epoch=True, prog_bar=True)
        trainer = lightning_trainer(max_epochs=passes, enable_progress_bar=True)
        trainer.fit(module, for_lightning(loader))
        return float(trainer.callback_metrics["loss_epoch"])

    return train


def ignite_as_made(task: Task, loader: Loader) -> Any:
    """`create_supervised_trainer` with what it hands on by default."""
    from ignite.engine import create_supervised_trainer

    def train(passes: int) -> float:
        model = task.model()
        optimizer = task.optimizer(model.parameters())
        create_supervised_trainer(model, optimizer, task.loss).run(loader, max_epochs=passes)
        return 0.0

    return train


def ignite_with_bar(task: Task, loader: Loader) -> Any:
    """Ignite's bar with the loss, which is handed on without reading it."""
    from ignite.engine import create_supervised_trainer
    from ignite.handlers import ProgressBar

    def train(passes: int) -> float:
        model, mean = task.model(), RecordMean()
        trainer: Any = create_supervised_trainer(
            model,
            task.optimizer(model.parameters()),
            task.loss,
            output_transform=lambda _inputs, _targets, _outputs, loss: loss.detach(),
        )
        ProgressBar().attach(trainer, output_transform=lambda loss: {"loss": loss})
        trainer.run(loader, max_epochs=passes)
        return float(mean.records)

    return train


WAYS: dict[str, Make] = {
    "treadle_loop": train_epoch,
    "treadle_loop, updates": updates,
    "by hand": by_hand,
    "by hand, loss.item() at every batch": with_item,
    "nanoGPT's body": nanogpt,
    **{name: make for name, (_, make) in RIVALS.items()},
    "Lightning, its bar with the loss": lightning_with_bar,
    "Ignite, its default output": ignite_as_made,
    "Ignite, its bar with the loss": ignite_with_bar,
}


def counted(make: Make) -> tuple[float, float]:
    """Reads and operations, each of a hundred batches."""
    counters = []
    for batches in (BATCHES, 2 * BATCHES):
        task = tiny(batches)
        train = make(task, task.data_loader())
        quiet = io.StringIO()
        hush_out, hush_err = contextlib.redirect_stdout(quiet), contextlib.redirect_stderr(quiet)
        with Counter() as counter, hush_out, hush_err:
            train(1)
        counters.append(counter)
    short, long = counters
    return long.reads - short.reads, long.operations - short.operations


def answers(make: Make) -> list[Answer]:
    """How many reads, and how many operations a batch."""
    kept: list[tuple[float, float]] = []

    def reads() -> str:
        kept.append(counted(make))
        return str(kept[0][0])

    def operations() -> str:
        return f"{kept[0][1] / BATCHES:.1f}" if kept else "-"

    return [reads, operations]


def reads_table() -> list[str]:
    """Print the counts; a line if ours reads at all."""
    missed = table(
        f"reads of the device in {BATCHES} batches",
        ["reads", "operations a batch"],
        ["0", ""],
        {name: answers(make) for name, make in WAYS.items()},
    )
    return [each for each in missed if not each.endswith("a batch")]
