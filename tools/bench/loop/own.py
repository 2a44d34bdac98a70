"""Tables of ours beside loops by hand, in a process that has loaded no framework."""

from by_hand import accumulated, by_hand, clipped, evaluated, nanogpt, with_item
from harness import Row, Unit, again, table
from ours import test_epoch, train_epoch, updates
from rows import row, same_work
from tasks import Task, convnet, gpt, tiny

A_BATCH = Unit("us a batch", 1e6, decimals=1, of_ratios=3)
FEWER = 3
"""A round of the larger models takes longer, and spreads less: one of so many is enough."""


def tiny_tables(rounds: int) -> list[str]:
    """The tiny network on all kinds of loaders, and with all that may be asked for."""
    task, in_fours = tiny(), tiny(152)
    for name, make in {"train_epoch": train_epoch, "updates": updates, "nanoGPT": nanogpt}.items():
        same_work(name, make, task, task.batches)
    title = "tiny network"
    return [
        *table(f"{title}, a list of batches", _on_a_list(task, gate=1.0), rounds, A_BATCH),
        *table(f"{title}, DataLoader", _on_loaders(task, gate=1.0), rounds, A_BATCH),
        *table(f"{title}, clip_norm", _clipped(task), rounds, A_BATCH),
        *table(f"{title}, accumulate=4", _accumulated(in_fours), rounds, A_BATCH),
        *table(f"{title}, evaluation", _evaluated(task), rounds, A_BATCH),
        *table(f"{title}, what else may be asked for", _asked_for(task), rounds, A_BATCH),
    ]


def _on_a_list(task: Task, *, gate: float | None = None, quiet: bool = False) -> list[Row]:
    least = row("by hand", by_hand(task, task.batches), task)
    return [
        least,
        row("train_epoch", train_epoch(task, task.batches), task, gate=gate, quiet=quiet),
        again(least),
        row("updates, the mean by hand", updates(task, task.batches), task),
        row("nanoGPT's body", nanogpt(task, task.batches), task),
        row("by hand, loss.item() at every batch", with_item(task, task.batches), task),
    ]


def _on_loaders(
    task: Task, *, gate: float | None = None, quiet: bool = False, tensors: float | None = 0.7
) -> list[Row]:
    least = row("by hand", by_hand(task, task.data_loader()), task)
    ours, by_updates = train_epoch(task, task.data_loader()), updates(task, task.data_loader())
    return [
        least,
        row("train_epoch", ours, task, gate=gate, quiet=quiet),
        again(least),
        row("updates, the mean by hand", by_updates, task),
        row("nanoGPT's body", nanogpt(task, task.data_loader()), task),
        row(
            "train_epoch, TensorLoader", train_epoch(task, task.tensor_loader()), task, gate=tensors
        ),
        row("by hand, TensorLoader", by_hand(task, task.tensor_loader()), task),
    ]


def _clipped(task: Task) -> list[Row]:
    least = row("by hand", clipped(task, task.batches), task)
    ours = train_epoch(task, task.batches, clip_norm=1.0)
    return [least, row("train_epoch", ours, task), again(least)]


def _accumulated(task: Task) -> list[Row]:
    least = row("by hand", accumulated(task, task.batches), task)
    ours = train_epoch(task, task.batches, accumulate=4)
    return [least, row("train_epoch", ours, task), again(least)]


def _evaluated(task: Task) -> list[Row]:
    least = row("by hand", evaluated(task, task.batches), task)
    return [least, row("test_epoch", test_epoch(task, task.batches), task), again(least)]


def _asked_for(task: Task) -> list[Row]:
    least = row("train_epoch", train_epoch(task, task.batches), task)
    averaged = train_epoch(task, task.batches, ema=0.999)
    checked = train_epoch(task, task.batches, check_finite=True)
    return [least, row("ema", averaged, task), row("check_finite", checked, task), again(least)]


def _larger_tables(task: Task, rounds: int) -> list[str]:
    same_work("train_epoch", train_epoch, task, task.batches)
    name, rounds = task.name, max(rounds // FEWER, 15)
    loaders = _on_loaders(task, quiet=True, tensors=None)
    return [
        *table(f"{name}, a list of batches", _on_a_list(task, quiet=True), rounds, A_BATCH),
        *table(f"{name}, DataLoader", loaders, rounds, A_BATCH),
    ]


def convnet_tables(rounds: int) -> list[str]:
    """The convnet."""
    return _larger_tables(convnet(24), rounds)


def gpt_tables(rounds: int) -> list[str]:
    """The GPT block."""
    return _larger_tables(gpt(8), rounds)
