"""The same passes by `treadle_loop`."""

from typing import Any

import torch
from by_hand import Train
from tasks import Loader, Task

from treadle_loop import Engine, supervised


def engine_of(task: Task, **settings: Any) -> Engine:
    """An engine with a new model."""
    model = task.model()
    optimizer = task.optimizer(model.parameters())
    return Engine(model, supervised(task.loss), optimizer, **settings)


def train_epoch(task: Task, loader: Loader, **settings: Any) -> Train:
    """`Engine.train_epoch`."""
    engine = engine_of(task, **settings)

    def train(passes: int) -> float:
        mean = 0.0
        for _ in range(passes):
            mean = float(engine.train_epoch(loader).loss)
        return mean

    return train


def updates(task: Task, loader: Loader) -> Train:
    """`Engine.updates`, with the mean kept by hand."""
    engine = engine_of(task)

    def train(passes: int) -> float:
        mean = 0.0
        for _ in range(passes):
            total, records = torch.zeros(()), 0
            for update in engine.updates(loader):
                total.add_(update.loss, alpha=update.records)
                records += update.records
            mean = float(total) / records
        return mean

    return train


def test_epoch(task: Task, loader: Loader) -> Train:
    """`Engine.test_epoch`."""
    engine = Engine(task.model(), supervised(task.loss))

    def evaluate(passes: int) -> float:
        mean = 0.0
        for _ in range(passes):
            mean = float(engine.test_epoch(loader).loss)
        return mean

    return evaluate
