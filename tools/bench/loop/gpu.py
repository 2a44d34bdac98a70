"""What a GPU gets done: a step of GPT-2 small in bf16, and a network so small that launches are all.

By the clock on the wall, and without a gate on a machine that has no GPU.
"""

import statistics
from collections.abc import Callable, Mapping
from functools import partial
from time import perf_counter
from typing import Any

import torch
from by_hand import Train
from harness import Row, again, measure, timed, verdict
from record_mean import RecordMean
from tasks import Task, gpt, tiny
from torch import Tensor
from trainers import for_lightning, lightning_module, lightning_trainer

from treadle_loop import Engine, TensorLoader, supervised

ROUNDS = 15
AUTOCAST = partial(torch.autocast, "cuda", torch.bfloat16)
Batches = list[tuple[Tensor, Tensor]]
CUDA = torch.device("cuda")


def cuda_tables(_rounds: int) -> list[str]:
    """Both tables; the names of the gates that are missed."""
    if not torch.cuda.is_available():
        print("\nno CUDA device here")
        return []
    print(f"\n{torch.cuda.get_device_name()}, {ROUNDS} rounds, by the wall")
    return [*_large_table(), *_small_table()]


def _large_table() -> list[str]:
    task = gpt(
        10,
        name="GPT-2 small",
        tokens=50_304,
        length=1024,
        width=768,
        blocks=12,
        heads=12,
        batch_size=16,
        fused=True,
    )
    batches = [(inputs.pin_memory(), targets.pin_memory()) for inputs, targets in task.batches]
    makes: dict[str, Callable[[Task, Batches], Train]] = {
        "by hand": by_hand,
        "treadle_loop": ours,
        "Lightning": lightning,
        "Fabric": fabric,
        "Accelerate": accelerate,
    }
    rows, missing = {}, []
    for name, make in makes.items():
        try:
            rows[name] = make(task, batches)
        except ImportError as error:
            missing.append(f"  {name}: not installed ({error.name})")
    # Within 1 % of the loop by hand, and above each of the others.
    gates = {"treadle_loop": 0.99}
    missed = _told("GPT-2 small, bf16", "tokens/s", task.inputs.numel(), rows, gates, faster=True)
    for line in missing:
        print(line)
    return missed


def _small_table() -> list[str]:
    task, options = tiny(200), {"mode": "reduce-overhead"}
    rows = {
        "by hand": small_by_hand(task),
        "treadle_loop": small_ours(task),
        "by hand, compiled with CUDA graphs": small_by_hand(task, **options),
        "treadle_loop, compiled with CUDA graphs": small_ours(task, compile=options),
    }
    return _told("tiny network", "batches/s", len(task.batches), rows, {}, faster=False)


def _told(
    title: str,
    unit: str,
    amount: int,
    trains: Mapping[str, Train],
    gates: Mapping[str, float],
    *,
    faster: bool,
) -> list[str]:
    """Measure passes, print how much of something each gets done a second, and check the gates.

    Args:
        title: What is compared.
        unit: What is counted.
        amount: How much of it there is in a pass.
        trains: The passes, the one that others are compared with first.
        gates: What a rate must at least be, as a share of the first.
        faster: Whether the second must be at least as fast as all after it.
    """
    rows = [
        Row(name, timed(lambda train=train: lambda: train(1), clock=perf_counter))  # type: ignore[misc]
        for name, train in trains.items()
    ]
    rows.append(again(rows[0]))
    seconds = measure(rows, ROUNDS)
    missed = []
    print(f"\n{title:52}{unit:>11}{'ratio':>9}{'spread':>8}  gate")
    for index, (row, own) in enumerate(zip(rows, seconds, strict=True)):
        shares = [first / mine for first, mine in zip(seconds[0], own, strict=True)]
        low, share, high = statistics.quantiles(shares, n=4)
        line = f"  {row.name:50}{amount / statistics.median(own):11.0f}"
        line += f"{share:9.3f}{high - low:8.3f}"
        bound = gates.get(row.name)
        gate = ""
        if bound is not None:
            # `verdict` takes what is small for good.
            gate = f"at least {bound:g}: {verdict(-share, -bound)}"
        elif faster and 1 < index < len(rows) - 1:
            of_ours = statistics.median(
                ours / mine for ours, mine in zip(seconds[1], own, strict=True)
            )
            gate = f"ours takes {of_ours:.4f} of it, at most 1: {verdict(of_ours, 1)}"
        if gate.endswith("MISSED"):
            missed.append(f"{title}: {row.name}")
        print(f"{line}  {gate}".rstrip(), flush=True)
    return missed


def by_hand(task: Task, batches: Batches) -> Train:
    """The loop, from pinned memory, under autocast."""
    model = task.model().to(CUDA)
    optimizer = task.optimizer(model.parameters())

    def train(passes: int) -> float:
        mean = RecordMean(CUDA)
        for _ in range(passes):
            model.train()
            for batch in batches:
                inputs, targets = (each.to(CUDA, non_blocking=True) for each in batch)
                with AUTOCAST():
                    loss = task.loss(model(inputs), targets)
                loss.backward()
                optimizer.step()
                optimizer.zero_grad()
                mean.add(loss, len(inputs))
        return mean.read()

    return train


def ours(task: Task, batches: Batches) -> Train:
    """`Engine.train_epoch` with `precision="bf16"`."""
    model = task.model().to(CUDA)
    optimizer = task.optimizer(model.parameters())
    engine = Engine(model, supervised(task.loss), optimizer, precision="bf16")

    def train(passes: int) -> float:
        return [float(engine.train_epoch(batches).loss) for _ in range(passes)][-1]

    return train


def lightning(task: Task, batches: Batches) -> Train:
    """`Trainer.fit` with `precision="bf16-mixed"`, the loss logged for the epoch."""
    module = lightning_module(task, on_step=False, on_epoch=True)

    def train(passes: int) -> float:
        trainer = lightning_trainer(accelerator="gpu", precision="bf16-mixed", max_epochs=passes)
        trainer.fit(module, for_lightning(batches))
        return float(trainer.callback_metrics["loss"])

    return train


def fabric(task: Task, batches: Batches) -> Train:
    """Fabric with `precision="bf16-mixed"`."""
    from lightning.fabric import Fabric

    host: Any = Fabric(accelerator="cuda", devices=1, precision="bf16-mixed")
    model: Any = task.model()
    model, optimizer = host.setup(model, task.optimizer(model.parameters()))

    def train(passes: int) -> float:
        mean = RecordMean(CUDA)
        for _ in range(passes):
            model.train()
            for batch in batches:
                inputs, targets = host.to_device(batch)
                loss = task.loss(model(inputs), targets)
                host.backward(loss)
                optimizer.step()
                optimizer.zero_grad()
                mean.add(loss, len(inputs))
        return mean.read()

    return train


def accelerate(task: Task, batches: Batches) -> Train:
    """Accelerate with `mixed_precision="bf16"`."""
    from accelerate import Accelerator

    host: Any = Accelerator(mixed_precision="bf16")
    model: Any = task.model().to(CUDA)
    model, optimizer = host.prepare(model, task.optimizer(model.parameters()))

    def train(passes: int) -> float:
        mean = RecordMean(CUDA)
        for _ in range(passes):
            model.train()
            for batch in batches:
                inputs, targets = (each.to(host.device, non_blocking=True) for each in batch)
                with host.autocast():
                    loss = task.loss(model(inputs), targets)
                host.backward(loss)
                optimizer.step()
                optimizer.zero_grad()
                mean.add(loss, len(inputs))
        return mean.read()

    return train


def small_loader(task: Task) -> TensorLoader:
    """Data that is on the device already."""
    inputs, targets = task.inputs.to(CUDA), task.targets.to(CUDA)
    return TensorLoader(inputs, targets, batch_size=task.batch_size, shuffle=True)


def small_by_hand(task: Task, **options: Any) -> Train:
    """The loop on the device, forward and loss compiled where there are options."""
    model, loader = task.model().to(CUDA), small_loader(task)
    optimizer = task.optimizer(model.parameters())

    def forward(inputs: Tensor, targets: Tensor) -> Tensor:
        return task.loss(model(inputs), targets)

    computed = torch.compile(forward, **options) if options else forward

    def train(passes: int) -> float:
        mean = RecordMean(CUDA)
        for _ in range(passes):
            model.train()
            for inputs, targets in loader:
                loss = computed(inputs, targets)
                loss.backward()
                optimizer.step()
                optimizer.zero_grad()
                mean.add(loss, len(inputs))
        return mean.read()

    return train


def small_ours(task: Task, **settings: Any) -> Train:
    """`Engine.train_epoch` on the device."""
    model, loader = task.model().to(CUDA), small_loader(task)
    optimizer = task.optimizer(model.parameters())
    engine = Engine(model, supervised(task.loss), optimizer, **settings)

    def train(passes: int) -> float:
        return [float(engine.train_epoch(loader).loss) for _ in range(passes)][-1]

    return train
