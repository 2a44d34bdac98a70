"""Tables of ours beside frameworks: every row is timed in the passes after the first of a call.

What a call of `fit` costs by itself, before its first batch and after its last, is a table of its
own.
"""

from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version

from by_hand import by_hand
from harness import Row, Timed, Unit, again, table
from ours import train_epoch
from rivals import RIVALS, Make
from rows import later_row, same_work
from tasks import Loader, Task, convnet, gpt, tiny
from torch.utils.data import DataLoader

A_BATCH = Unit("us a batch", 1e6, decimals=1, of_ratios=2)
A_CALL = Unit("ms a call", 1e3, decimals=1, of_ratios=2)
LATER = 2


def rival_tables(rounds: int) -> list[str]:
    """All of them on all models; on the tiny network ours has to be faster than each."""
    rounds = max(rounds // 4, 15)
    task = tiny(100)
    missed = _table(f"{task.name}, a list of batches", task, lambda: task.batches, rounds, share=1)
    missed += _table(f"{task.name}, DataLoader", task, task.data_loader, rounds, share=1)
    missed += _calls(tiny(1), rounds)
    for larger in (convnet(8), gpt(4)):
        missed += _table(f"{larger.name}, DataLoader", larger, larger.data_loader, rounds)
    return missed


def _table(
    title: str,
    task: Task,
    loader: Callable[[], Loader],
    rounds: int,
    *,
    share: float | None = None,
) -> list[str]:
    found, missing = _installed(task, loader)
    least = later_row("by hand", by_hand(task, loader()), task, LATER)
    rows = [
        least,
        later_row("treadle_loop", train_epoch(task, loader()), task, LATER),
        again(least),
        *(
            later_row(name, make(task, loader()), task, LATER, share=share)
            for name, make in found.items()
        ),
    ]
    missed = table(f"{title}, beside others", rows, rounds, A_BATCH)
    for line in missing:
        print(line)
    return missed


def _calls(task: Task, rounds: int) -> list[str]:
    found, _ = _installed(task, task.data_loader)
    makes: dict[str, Make] = {"by hand": by_hand, "treadle_loop": train_epoch, **found}
    rows = []
    for name, make in makes.items():
        train = make(task, task.data_loader())
        timed = Timed(lambda train=train: lambda: train(1))  # type: ignore[misc]
        rows.append(Row(name, timed, wall=timed.wall))
    return table("a call with one batch", rows, rounds, A_CALL)


def _installed(task: Task, loader: Callable[[], Loader]) -> tuple[dict[str, Make], list[str]]:
    """Those that do the work of a loop by hand, and a line for each other that says why not."""
    found: dict[str, Make] = {}
    missing = []
    in_order: Loader = task.batches
    if isinstance(loader(), DataLoader):
        in_order = DataLoader(task.dataset, batch_size=task.batch_size)
    for name, (distribution, make) in RIVALS.items():
        try:
            named = f"{name} ({version(distribution)})"
            same_work(name, make, task, in_order)
        except PackageNotFoundError:
            missing.append(f"  {name}: not installed; `hatch run bench-loop:run` installs it")
        except (ImportError, NotImplementedError) as error:
            missing.append(f"  {name}: {error}")
        else:
            found[named] = make
    return found, missing
