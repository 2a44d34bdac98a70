"""Passes by frameworks that are trainers, which have a mean of the loss themselves.

What they print or write by default, a bar, a log, a checkpoint, is switched off.
"""

import logging
from collections.abc import Iterator
from typing import Any

import torch
from by_hand import Train
from record_mean import RecordMean
from tasks import Loader, LossFunction, Task
from torch import Tensor, nn
from torch.optim import AdamW
from torch.utils.data import DataLoader


class Batches:
    """A list of batches as a loader; Lightning takes a plain list for one of loaders."""

    def __init__(self, batches: list[Any]) -> None:
        self.batches = batches

    def __iter__(self) -> Iterator[Any]:
        return iter(self.batches)

    def __len__(self) -> int:
        return len(self.batches)


class Criterion(nn.Module):
    """A loss function as a module."""

    def __init__(self, loss_function: LossFunction) -> None:
        super().__init__()
        self.loss_function = loss_function

    def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """The loss."""
        return self.loss_function(outputs, targets)


def lightning_trainer(**settings: Any) -> Any:
    """A quiet `lightning.Trainer` on the CPU."""
    import lightning

    # It sets the level of its logger when it is imported.
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    quiet: dict[str, Any] = {
        "accelerator": "cpu",
        "devices": 1,
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
    }
    return lightning.Trainer(**quiet | settings)


def lightning_module(task: Task, **log: Any) -> Any:
    """A `LightningModule` that logs its loss with these arguments, or, without any, not at all."""
    import lightning

    class Module(lightning.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.model = task.model()
            self.mean = RecordMean()

        def training_step(self, batch: Any, _index: int) -> Tensor:
            inputs, targets = batch
            loss = task.loss(self.model(inputs), targets)
            if log:
                self.log("loss", loss, batch_size=len(inputs), **log)
            else:
                self.mean.add(loss, len(inputs))
            return loss

        def on_train_epoch_start(self) -> None:
            self.mean.begin()

        def configure_optimizers(self) -> Any:
            return task.optimizer(self.parameters())

    return Module()


def for_lightning(loader: Loader) -> Loader:
    """A loader that Lightning takes for one."""
    return Batches(loader) if isinstance(loader, list) else loader


def lightning(task: Task, loader: Loader) -> Train:
    """`Trainer.fit`, the loss logged for the epoch."""
    module, loader = lightning_module(task, on_step=False, on_epoch=True), for_lightning(loader)

    def train(passes: int) -> float:
        trainer = lightning_trainer(max_epochs=passes)
        trainer.fit(module, loader)
        return float(trainer.callback_metrics["loss"])

    return train


def lightning_without_log(task: Task, loader: Loader) -> Train:
    """`Trainer.fit`, without `self.log`."""
    module, loader = lightning_module(task), for_lightning(loader)

    def train(passes: int) -> float:
        lightning_trainer(max_epochs=passes).fit(module, loader)
        mean: float = module.mean.read()
        return mean

    return train


def skorch_net(task: Task, loader: Loader | None = None, **settings: Any) -> Any:
    """A quiet `NeuralNet`; it trains on this loader, or on one that it makes of its data."""
    import skorch

    class Net(skorch.NeuralNet):
        def get_iterator(self, dataset: Any, training: bool = False) -> Any:  # noqa: FBT001, FBT002 (its signature)
            return super().get_iterator(dataset, training) if loader is None else loader

        def initialize_optimizer(self, *_: Any, **__: Any) -> Any:
            self.optimizer_ = task.optimizer(self.module_.parameters())
            return self

    return Net(
        task.model(),
        Criterion(task.loss),
        train_split=None,
        verbose=0,
        **settings,
    )


def skorch(task: Task, loader: Loader) -> Train:
    """`NeuralNet.partial_fit`, with the callbacks that it has by default."""
    net = skorch_net(task, loader).initialize()
    dataset = task.dataset

    def train(passes: int) -> float:
        net.partial_fit(dataset, None, epochs=passes)
        return float(net.history[-1, "train_loss"])

    return train


def accelerated_trainer(task: Task, loader: Loader | None = None) -> Any:
    """A quiet pytorch-accelerated `Trainer`; the callbacks that print are left out."""
    from pytorch_accelerated import Trainer
    from pytorch_accelerated.callbacks import MoveModulesToDeviceCallback, TerminateOnNaNCallback

    class Quiet(Trainer):  # type: ignore[misc, unused-ignore]
        def create_train_dataloader(self, *arguments: Any, **settings: Any) -> Any:
            made = super().create_train_dataloader(*arguments, **settings)
            return made if loader is None else loader

    model = task.model()
    return Quiet(
        model=model,
        loss_func=task.loss,
        optimizer=task.optimizer(model.parameters()),
        callbacks=(MoveModulesToDeviceCallback, TerminateOnNaNCallback),
    )


def pytorch_accelerated(task: Task, loader: Loader) -> Train:
    """`Trainer.train`."""
    if not isinstance(loader, DataLoader):
        raise NotImplementedError("it takes a data set, and makes the DataLoader itself")
    trainer, dataset = accelerated_trainer(task, loader), task.dataset

    def train(passes: int) -> float:
        trainer.train(dataset, num_epochs=passes, per_device_batch_size=task.batch_size)
        return float(trainer.run_history.get_latest_metric("train_loss_epoch"))

    return train


def keras_model(task: Task, **settings: Any) -> Any:
    """A compiled Keras model around ours, with Keras's own optimizer and loss of the same kind."""
    import keras

    model = keras.Sequential([keras.layers.TorchModuleWrapper(task.model())])
    optimizer = task.optimizer([nn.Parameter(torch.zeros(()))])
    rate = optimizer.defaults["lr"]
    own: Any
    if isinstance(optimizer, AdamW):
        own = keras.optimizers.AdamW(rate, weight_decay=0.01, epsilon=1e-8, **settings)
    else:
        own = keras.optimizers.SGD(rate, **settings)
    loss: Any = keras.losses.MeanSquaredError()
    if not task.targets.is_floating_point():
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=own, loss=loss)
    return model


def keras(task: Task, loader: Loader) -> Train:
    """`Model.fit` on the torch backend."""
    model = keras_model(task)
    if isinstance(loader, list):
        # It takes arrays, data sets of its own, generators, and torch's DataLoader.
        loader = DataLoader(loader, batch_size=None)  # type: ignore[arg-type]

    def train(passes: int) -> float:
        return float(model.fit(loader, epochs=passes, verbose=0).history["loss"][-1])

    return train
