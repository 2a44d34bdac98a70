"""The mean of the loss over ten records in batches of four, where record i has a loss of i: 4.5.

The mean of the batches' means is 5.17.
"""

from collections.abc import Callable
from typing import Any

import torch
from accumulation import Case, Weight
from grid import Answer, table
from torch import Tensor, nn
from trainers import accelerated_trainer, lightning_trainer, skorch_net

from treadle_loop import Engine, supervised

TEN = Case("10 records in batches of 4", tuple(map(float, range(10))), 4, 1, 1, "4.5")


def ten() -> Weight:
    """A model whose outputs are its inputs, and whose loss is the mean of the outputs."""
    weight = Weight(TEN)
    nn.init.ones_(weight.model.weight)
    return weight


def ours() -> float:
    """`Engine.test_epoch`."""
    weight = ten()
    return float(Engine(weight.model, supervised(weight.task.loss)).test_epoch(weight.loader).loss)


def by_hand() -> float:
    """The mean over the batches' losses, as in nanoGPT's `estimate_loss`.

    There it is right, since all of its batches are equal.
    """
    weight = ten()
    losses = torch.zeros(len(weight.loader))
    with torch.no_grad():
        for index, batch in enumerate(weight.loader):
            losses[index] = weight.loss(batch).item()
    return float(losses.mean())


def lightning() -> float:
    """`self.log` in a `validation_step`; how large a batch is, it finds out itself."""
    import lightning

    weight = ten()

    class Module(lightning.LightningModule):
        def validation_step(self, batch: Any, _index: int) -> None:
            self.log("loss", weight.loss(batch))

    trainer = lightning_trainer()
    (metrics,) = trainer.validate(Module(), weight.loader, verbose=False)
    return float(metrics["loss"])


def torchmetrics() -> float:
    """A `MeanMetric` that is given the losses."""
    from torchmetrics import MeanMetric

    weight, mean = ten(), MeanMetric()
    for batch in weight.loader:
        mean.update(weight.loss(batch).detach())
    return float(mean.compute())


def torchmetrics_weighted() -> float:
    """The same, with the weights that it takes."""
    from torchmetrics import MeanMetric

    weight, mean = ten(), MeanMetric()
    for batch in weight.loader:
        mean.update(weight.loss(batch).detach(), weight=len(batch[0]))
    return float(mean.compute())


def accelerate() -> float:
    """The losses repeated, gathered and averaged, as in Accelerate's and Transformers' examples."""
    from accelerate import Accelerator

    weight = ten()
    host: Any = Accelerator(cpu=True)
    model, loader = host.prepare(weight.model, weight.loader)
    losses = []
    for inputs, targets in loader:
        with torch.no_grad():
            loss = weight.task.loss(model(inputs), targets)
        losses.append(host.gather_for_metrics(loss.repeat(TEN.batch_size)))
    return float(torch.cat(losses).mean())


def ignite_metric(make: Callable[[Weight], Any]) -> float:
    """A metric of Ignite on an evaluator."""
    from ignite.engine import create_supervised_evaluator

    weight = ten()
    evaluator = create_supervised_evaluator(weight.model, metrics={"loss": make(weight)})
    return float(evaluator.run(weight.loader).metrics["loss"])


def ignite_loss() -> float:
    """`Loss`."""
    from ignite.metrics import Loss

    return ignite_metric(lambda weight: Loss(weight.task.loss))


def ignite_average() -> float:
    """`Average` of the losses."""
    from ignite.metrics import Average

    return ignite_metric(
        lambda weight: Average(output_transform=lambda output: weight.task.loss(*output))
    )


def skorch() -> float:
    """The `valid_loss` of its history."""
    from skorch.helper import predefined_split

    weight = ten()
    net = skorch_net(weight.task, max_epochs=1)
    net.set_params(train_split=predefined_split(weight.task.dataset), batch_size=TEN.batch_size)
    net.initialize()
    net.optimizer_.param_groups[0]["lr"] = 0.0
    net.partial_fit(weight.task.dataset, None)
    return float(net.history[-1, "valid_loss"])


def pytorch_accelerated() -> float:
    """`Trainer.evaluate`."""
    weight = ten()
    trainer = accelerated_trainer(weight.task)
    trainer.evaluate(weight.task.dataset, per_device_batch_size=TEN.batch_size)
    return float(trainer.run_history.get_latest_metric("evaluation_loss"))


def keras() -> float:
    """`Model.evaluate`."""
    import keras

    weight = ten()
    model: Any = keras.Sequential([keras.layers.TorchModuleWrapper(weight.model)])

    def loss(_targets: Tensor, outputs: Tensor) -> Tensor:
        return outputs

    model.compile(loss=loss)
    return float(model.evaluate(weight.loader, verbose=0))


WAYS: dict[str, Callable[[], float]] = {
    "treadle_loop": ours,
    "by hand, the mean of the batches' losses": by_hand,
    "Lightning, self.log": lightning,
    "Accelerate, gathered as in its examples": accelerate,
    "Ignite, Loss": ignite_loss,
    "Ignite, Average": ignite_average,
    "skorch": skorch,
    "pytorch-accelerated": pytorch_accelerated,
    "Keras on torch": keras,
    "torchmetrics, MeanMetric": torchmetrics,
    "torchmetrics, MeanMetric with weights": torchmetrics_weighted,
}


def answer(way: Callable[[], float]) -> Answer:
    """The mean, in four digits."""
    return lambda: f"{way():.4g}"


def means_table() -> list[str]:
    """Print the means; a line if ours is wrong."""
    return table(
        "the mean over a partial last batch",
        [TEN.name],
        [TEN.right],
        {name: [answer(way)] for name, way in WAYS.items()},
    )
