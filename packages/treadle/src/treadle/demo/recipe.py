"""What the demo trains, and what it records of it."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from treadle.demo.config import Config
from treadle.demo.device import choose_device
from treadle.demo.digits import Digits, load_digits
from treadle.demo.figure import misclassified
from treadle.demo.network import network
from treadle.fitting import fit
from treadle_loop import Engine, EpochResult, TensorLoader, supervised
from treadle_tracking import Run


@dataclass(frozen=True, slots=True, eq=False)
class Recipe:
    """All that is needed to train, made before anything is recorded."""

    engine: Engine
    loader: TensorLoader
    validation: TensorLoader
    held_out: Digits  # on the CPU
    device: torch.device


def prepare(config: Config) -> Recipe:
    """Make the data, the model and the engine.

    Raises:
        UnknownDevice: The device is not here.
    """
    device = choose_device(config.device)
    torch.manual_seed(config.seed)
    digits, held_out = load_digits(config.data.held_out, seed=config.seed)
    loader = TensorLoader(
        *(tensor.to(device) for tensor in digits),
        batch_size=config.data.batch_size,
        shuffle=True,
        seed=config.seed,
    )
    validation = TensorLoader(
        *(tensor.to(device) for tensor in held_out), batch_size=config.data.batch_size
    )
    model = network().to(device)
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=config.optim.lr, weight_decay=config.optim.weight_decay
    )
    step = supervised(functional.cross_entropy, metrics={"accuracy": accuracy})
    return Recipe(Engine(model, step, optimizer), loader, validation, held_out, device)


def follow(recipe: Recipe, config: Config, run: Run) -> EpochResult:
    """Train, and record the digits that are read wrong and the weights; returns the validation at the end."""
    engine, validation = recipe.engine, recipe.validation
    result = fit(
        engine,
        recipe.loader,
        {"val": validation},
        until=config.until,
        validate=config.validate,
        log=config.log,
        run=run,
        progress=True,
    )
    predicted = torch.cat([logits.argmax(1) for logits in engine.predict(validation)]).cpu()
    figure = misclassified(recipe.held_out, predicted)
    run.figure("misclassified", figure, step=result.outcome.counts.steps)
    weights = {name: value.cpu() for name, value in engine.model.state_dict().items()}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.pt"
        torch.save(weights, path)
        run.artifact(path)
    return result.validated.get("val") or engine.test_epoch(validation, verb="validated")


def accuracy(logits: Tensor, labels: Tensor) -> Tensor:
    """Give the share of records `(B,)` whose largest logit `(B, 10)` is that of the label."""
    return (logits.argmax(1) == labels).float().mean()
