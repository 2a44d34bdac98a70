"""What becomes of accumulated gradients where a window is cut short, or its batches are unequal.

The loss is the mean of w * x over a batch, and the optimizer is plain SGD with a rate of 1, so the
weight, which starts at 0, is minus the sum of the gradients that were applied.
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from grid import Answer, table
from hosts import auto_unit
from tasks import Task
from torch import Tensor, nn
from torch.optim import SGD
from torch.utils.data import DataLoader
from trainers import accelerated_trainer, lightning_module, lightning_trainer

from treadle_loop import Engine, supervised


@dataclass(frozen=True, slots=True)
class Case:
    """Data, how it is cut into batches, and how many of those make a step.

    Args:
        name: What is special about it.
        inputs: The x of each record.
        batch_size: Records a batch; the last has what is left.
        accumulate: Batches a step.
        passes: Over the data.
        right: What the weight should be.
    """

    name: str
    inputs: tuple[float, ...]
    batch_size: int
    accumulate: int
    passes: int
    right: str


CASES = (
    Case("A: 6 batches, 4 a step", (1.0,) * 12, 2, 4, 1, "-2"),
    Case("B: the same, 2 passes", (1.0,) * 12, 2, 4, 2, "-4"),
    Case("C: 4 records and 1", (1.0, 1.0, 1.0, 1.0, 9.0), 4, 2, 1, "-2.6"),
)


class Weight:
    """A model of one weight, and what trains it."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.model = nn.Linear(1, 1, bias=False)
        nn.init.zeros_(self.model.weight)
        inputs = torch.tensor(case.inputs).unsqueeze(1)
        self.task = Task(
            "weight",
            lambda: self.model,
            lambda outputs, _targets: outputs.mean(),
            lambda parameters: SGD(parameters, lr=1.0),
            inputs,
            torch.zeros_like(inputs),
            case.batch_size,
        )
        self.loader: Any = DataLoader(self.task.dataset, batch_size=case.batch_size)
        self.optimizer = self.task.optimizer(self.model.parameters())

    def loss(self, batch: Any) -> Tensor:
        """The mean of w * x."""
        inputs, targets = batch
        return self.task.loss(self.model(inputs), targets)


def ours(weight: Weight) -> None:
    """`Engine(accumulate=...)`."""
    step = supervised(weight.task.loss)
    engine = Engine(weight.model, step, weight.optimizer, accumulate=weight.case.accumulate)
    for _ in range(weight.case.passes):
        engine.train_epoch(weight.loader)


def by_hand(weight: Weight) -> None:
    """The loop of tutorials."""
    for _ in range(weight.case.passes):
        for index, batch in enumerate(weight.loader):
            (weight.loss(batch) / weight.case.accumulate).backward()
            if (index + 1) % weight.case.accumulate == 0:
                weight.optimizer.step()
                weight.optimizer.zero_grad()


def lightning(weight: Weight) -> None:
    """`Trainer(accumulate_grad_batches=...)`."""
    case = weight.case
    trainer = lightning_trainer(max_epochs=case.passes, accumulate_grad_batches=case.accumulate)
    trainer.fit(lightning_module(weight.task), weight.loader)


def fabric(weight: Weight) -> None:
    """The page "Efficient Gradient Accumulation" of Fabric's documentation, as it stands."""
    from lightning.fabric import Fabric

    host: Any = Fabric(accelerator="cpu", devices=1)
    model, optimizer = host.setup(weight.model, weight.optimizer)
    loader = host.setup_dataloaders(weight.loader)
    for _ in range(weight.case.passes):
        for iteration, batch in enumerate(loader):
            accumulating = iteration % weight.case.accumulate != 0
            with host.no_backward_sync(model, enabled=accumulating):
                host.backward(weight.task.loss(model(batch[0]), batch[1]))
            if not accumulating:
                optimizer.step()
                optimizer.zero_grad()


def accelerate(weight: Weight) -> None:
    """`with accelerator.accumulate(model)`."""
    host, model, optimizer, loader = _accelerated(weight)
    for _ in range(weight.case.passes):
        for inputs, targets in loader:
            with host.accumulate(model):
                host.backward(weight.task.loss(model(inputs), targets))
                optimizer.step()
                optimizer.zero_grad()


def accelerate_by_hand(weight: Weight) -> None:
    """What Accelerate's guide says for records of unequal sizes: draw the window, then divide."""
    host, model, optimizer, loader = _accelerated(weight)
    accumulate = weight.case.accumulate
    for _ in range(weight.case.passes):
        batches = iter(loader)
        while window := list(itertools.islice(batches, accumulate)):
            records = sum(len(inputs) for inputs, _ in window)
            for inputs, targets in window:
                summed = weight.task.loss(model(inputs), targets) * len(inputs)
                host.backward(summed * accumulate / records)
            optimizer.step()
            optimizer.zero_grad()


def _accelerated(weight: Weight) -> tuple[Any, ...]:
    from accelerate import Accelerator

    host: Any = Accelerator(cpu=True, gradient_accumulation_steps=weight.case.accumulate)
    return host, *host.prepare(weight.model, weight.optimizer, weight.loader)


def ignite(weight: Weight) -> None:
    """`create_supervised_trainer(gradient_accumulation_steps=...)`."""
    from ignite.engine import create_supervised_trainer

    create_supervised_trainer(
        weight.model,
        weight.optimizer,
        weight.task.loss,
        gradient_accumulation_steps=weight.case.accumulate,
    ).run(weight.loader, max_epochs=weight.case.passes)


def torchtnt(weight: Weight) -> None:
    """`AutoUnit(gradient_accumulation_steps=...)`."""
    from torchtnt.framework.train import train

    unit = auto_unit(weight.task, gradient_accumulation_steps=weight.case.accumulate)
    train(unit, weight.loader, max_epochs=weight.case.passes)


def pytorch_accelerated(weight: Weight) -> None:
    """`Trainer.train(gradient_accumulation_steps=...)`."""
    accelerated_trainer(weight.task, weight.loader).train(
        weight.task.dataset,
        num_epochs=weight.case.passes,
        per_device_batch_size=weight.case.batch_size,
        gradient_accumulation_steps=weight.case.accumulate,
    )


def keras(weight: Weight) -> None:
    """An optimizer with `gradient_accumulation_steps`."""
    import keras

    model = keras.Sequential([keras.layers.TorchModuleWrapper(weight.model)])
    accumulate = weight.case.accumulate
    model.compile(
        optimizer=keras.optimizers.SGD(1.0, gradient_accumulation_steps=accumulate),  # type: ignore[arg-type, unused-ignore]
        loss=lambda _targets, outputs: outputs,
    )
    model.fit(weight.loader, epochs=weight.case.passes, verbose=0)


WAYS: dict[str, Callable[[Weight], None]] = {
    "treadle_loop": ours,
    "by hand, as in tutorials": by_hand,
    "Lightning": lightning,
    "Fabric, as in its guide": fabric,
    "Accelerate": accelerate,
    "Accelerate, the window by hand as in its guide": accelerate_by_hand,
    "Ignite": ignite,
    "torchtnt, AutoUnit": torchtnt,
    "pytorch-accelerated": pytorch_accelerated,
    "Keras on torch": keras,
}


def answer(way: Callable[[Weight], None], case: Case) -> Answer:
    """What the weight is in the end."""

    def weight_after() -> str:
        weight = Weight(case)
        way(weight)
        return f"{weight.model.weight.item():.4g}"

    return weight_after


def accumulation_table() -> list[str]:
    """Print the weights; the names of the cases that ours got wrong."""
    return table(
        "accumulation: the weight afterwards",
        [case.name for case in CASES],
        [case.right for case in CASES],
        {name: [answer(way, case) for case in CASES] for name, way in WAYS.items()},
    )
