"""Loops as people write them: the floor that everything else is compared with.

Each makes its model anew and returns what trains it: from a number of passes to the mean of the
loss over the last of them.
"""

from collections.abc import Callable
from contextlib import nullcontext

import torch
from tasks import Loader, Task
from torch import nn
from torch.nn.utils import clip_grad_norm_

Train = Callable[[int], float]


def by_hand(task: Task, loader: Loader) -> Train:
    """The loop, with the mean of the loss kept where the loss is."""
    model, loss_function = task.model(), task.loss
    optimizer = task.optimizer(model.parameters())

    def train(passes: int) -> float:
        mean = 0.0
        for _ in range(passes):
            model.train()
            total, records = torch.zeros(()), 0
            for inputs, targets in loader:
                loss = loss_function(model(inputs), targets)
                loss.backward()
                optimizer.step()
                optimizer.zero_grad()
                total.add_(loss.detach(), alpha=len(inputs))
                records += len(inputs)
            mean = float(total) / records
        return mean

    return train


def with_item(task: Task, loader: Loader) -> Train:
    """The same as tutorials have it: the loss is read at every batch, which is free on a CPU."""
    model, loss_function = task.model(), task.loss
    optimizer = task.optimizer(model.parameters())

    def train(passes: int) -> float:
        mean = 0.0
        for _ in range(passes):
            model.train()
            total, records = 0.0, 0
            for inputs, targets in loader:
                loss = loss_function(model(inputs), targets)
                loss.backward()
                optimizer.step()
                optimizer.zero_grad()
                total += loss.item() * len(inputs)
                records += len(inputs)
            mean = total / records
        return mean

    return train


def clipped(task: Task, loader: Loader, clip_norm: float = 1.0) -> Train:
    """The loop, with the norm of the gradients limited."""
    model, loss_function = task.model(), task.loss
    optimizer = task.optimizer(model.parameters())

    def train(passes: int) -> float:
        mean = 0.0
        for _ in range(passes):
            model.train()
            total, records = torch.zeros(()), 0
            for inputs, targets in loader:
                loss = loss_function(model(inputs), targets)
                loss.backward()
                clip_grad_norm_(model.parameters(), clip_norm)
                optimizer.step()
                optimizer.zero_grad()
                total.add_(loss.detach(), alpha=len(inputs))
                records += len(inputs)
            mean = float(total) / records
        return mean

    return train


def accumulated(task: Task, loader: Loader, accumulate: int = 4) -> Train:
    """The loop, with a step after so many batches; what a pass leaves over stays for the next."""
    model, loss_function = task.model(), task.loss
    optimizer = task.optimizer(model.parameters())

    def train(passes: int) -> float:
        mean = 0.0
        for _ in range(passes):
            model.train()
            total, records = torch.zeros(()), 0
            for index, (inputs, targets) in enumerate(loader, 1):
                loss = loss_function(model(inputs), targets)
                (loss / accumulate).backward()
                if index % accumulate == 0:
                    optimizer.step()
                    optimizer.zero_grad()
                total.add_(loss.detach(), alpha=len(inputs))
                records += len(inputs)
            mean = float(total) / records
        return mean

    return train


def nanogpt(task: Task, loader: Loader) -> Train:
    """The body of nanoGPT's loop: the next batch is drawn between forward and backward.

    Its scaler and its context do nothing in fp32, and are there, as in its `train.py`.
    """
    model, loss_function = task.model(), task.loss
    optimizer = task.optimizer(model.parameters())
    context, accumulate = nullcontext(), 1
    scaler = torch.amp.GradScaler("cpu", enabled=False)

    def train(passes: int) -> float:
        mean = 0.0
        for _ in range(passes):
            model.train()
            total, records = torch.zeros(()), 0
            batches = iter(loader)
            batch = next(batches, None)
            while batch is not None:
                for _ in range(accumulate):
                    inputs, targets = batch
                    with context:
                        loss = loss_function(model(inputs), targets) / accumulate
                    batch = next(batches, None)
                    scaler.scale(loss).backward()
                scaler.step(optimizer)
                scaler.update()
                optimizer.zero_grad(set_to_none=True)
                total.add_(loss.detach(), alpha=len(inputs))
                records += len(inputs)
            mean = float(total) / records
        return mean

    return train


def evaluated(task: Task, loader: Loader) -> Train:
    """The loop that evaluates, with the mean over records."""
    model: nn.Module = task.model()
    loss_function = task.loss

    def evaluate(passes: int) -> float:
        mean = 0.0
        for _ in range(passes):
            model.eval()
            total, records = torch.zeros(()), 0
            with torch.no_grad():
                for inputs, targets in loader:
                    total.add_(loss_function(model(inputs), targets), alpha=len(inputs))
                    records += len(inputs)
            mean = float(total) / records
        return mean

    return evaluate
