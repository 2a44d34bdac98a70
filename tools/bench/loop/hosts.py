"""Passes by frameworks that are given a step, or leave the loop to the user.

They have no mean of the loss over records that stays on the device, so it is kept by hand.
"""

from typing import Any

import torch
from by_hand import Train
from record_mean import RecordMean
from tasks import Loader, Task
from torch import Tensor, nn
from torch.utils.data import DataLoader


def fabric(task: Task, loader: Loader) -> Train:
    """Lightning Fabric around a loop of one's own."""
    from lightning.fabric import Fabric

    host: Any = Fabric(accelerator="cpu", devices=1)
    model: Any = task.model()
    model, optimizer = host.setup(model, task.optimizer(model.parameters()))
    if isinstance(loader, DataLoader):
        loader = host.setup_dataloaders(loader)
    mean = RecordMean()

    def train(passes: int) -> float:
        for _ in range(passes):
            model.train()
            mean.begin()
            for inputs, targets in loader:
                loss = task.loss(model(inputs), targets)
                host.backward(loss)
                optimizer.step()
                optimizer.zero_grad()
                mean.add(loss, len(inputs))
        return mean.read()

    return train


def accelerate(task: Task, loader: Loader) -> Train:
    """Accelerate around a loop of one's own."""
    from accelerate import Accelerator

    host: Any = Accelerator(cpu=True)
    model: Any = task.model()
    model, optimizer = host.prepare(model, task.optimizer(model.parameters()))
    if isinstance(loader, DataLoader):
        loader = host.prepare(loader)
    mean = RecordMean()

    def train(passes: int) -> float:
        for _ in range(passes):
            model.train()
            mean.begin()
            for inputs, targets in loader:
                optimizer.zero_grad()
                loss = task.loss(model(inputs), targets)
                host.backward(loss)
                optimizer.step()
                mean.add(loss, len(inputs))
        return mean.read()

    return train


def ignite(task: Task, loader: Loader) -> Train:
    """`create_supervised_trainer`, which hands on the loss as it is, without reading it."""
    from ignite.engine import Events, create_supervised_trainer

    model = task.model()
    optimizer = task.optimizer(model.parameters())
    mean = RecordMean()

    def train(passes: int) -> float:
        # A trainer that is given more passes than before goes on where it was.
        trainer: Any = create_supervised_trainer(
            model,
            optimizer,
            task.loss,
            output_transform=lambda inputs, _targets, _outputs, loss: (loss.detach(), len(inputs)),
        )
        trainer.add_event_handler(Events.EPOCH_STARTED, mean.begin)
        trainer.add_event_handler(
            Events.ITERATION_COMPLETED, lambda engine: mean.add(*engine.state.output)
        )
        trainer.run(loader, max_epochs=passes)
        return mean.read()

    return train


def torchtnt(task: Task, loader: Loader) -> Train:
    """`torchtnt.framework.train` with a `TrainUnit`, whose step is written by hand."""
    from torchtnt.framework.train import train as run
    from torchtnt.framework.unit import TrainUnit

    class Unit(TrainUnit[Any]):
        def __init__(self) -> None:
            super().__init__()
            self.model = task.model()
            self.optimizer = task.optimizer(self.model.parameters())
            self.mean = RecordMean()

        def on_train_epoch_start(self, _state: Any) -> None:
            self.mean.begin()

        def train_step(self, _state: Any, data: Any) -> None:
            inputs, targets = data
            loss = task.loss(self.model(inputs), targets)
            loss.backward()
            self.optimizer.step()
            self.optimizer.zero_grad()
            self.mean.add(loss, len(inputs))

    unit = Unit()

    def train(passes: int) -> float:
        run(unit, loader, max_epochs=passes)
        # It counts the passes of a unit over its life, and trains until they are `max_epochs`.
        unit.train_progress = type(unit.train_progress)()
        return unit.mean.read()

    return train


def torchtnt_auto(task: Task, loader: Loader) -> Train:
    """The same with an `AutoUnit`, whose step is the framework's."""
    from torchtnt.framework.train import train as run

    unit = auto_unit(task)

    def train(passes: int) -> float:
        run(unit, loader, max_epochs=passes)
        unit.train_progress = type(unit.train_progress)()
        return unit.mean.read()

    return train


def auto_unit(task: Task, **settings: Any) -> Any:
    """An `AutoUnit` on the CPU."""
    from torchtnt.framework.auto_unit import AutoUnit

    class Unit(AutoUnit[Any]):
        def __init__(self) -> None:
            super().__init__(module=task.model(), device=torch.device("cpu"), **settings)
            self.mean = RecordMean()

        def compute_loss(self, _state: Any, data: Any) -> tuple[Tensor, Any]:
            inputs, targets = data
            outputs = self.module(inputs)
            return task.loss(outputs, targets), outputs

        def configure_optimizers_and_lr_scheduler(self, module: nn.Module) -> tuple[Any, None]:
            return task.optimizer(module.parameters()), None

        def on_train_epoch_start(self, _state: Any) -> None:
            self.mean.begin()

        def on_train_step_end(self, _state: Any, data: Any, _step: int, results: Any) -> None:
            self.mean.add(results.loss, len(data[0]))

    return Unit()
