"""What the demo trains, and what it records of it."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from treadle.demo.config import Config
from treadle.demo.digits import Digits, load_digits
from treadle.demo.figure import misclassified
from treadle.demo.network import network
from treadle.errors import TreadleError
from treadle.fitting import fit
from treadle_loop import Engine, EpochResult, TensorLoader, supervised
from treadle_tracking import Run


class UnknownDevice(TreadleError):
    """The device that was asked for is not here."""


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


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute on one CPU thread: enough for a network of this size, and nothing for others to wait for.

    Several threads wait for each other by spinning. Three demos side by side on two cores took 196 s that way, and
    20 s on one thread each; alone, both take the same time.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def choose_device(name: str | None) -> torch.device:
    """Find the device of this name, or the fastest there is.

    Raises:
        UnknownDevice: There is none of this name here.
    """
    here = [
        *(["cuda"] if torch.cuda.is_available() else []),
        *(["mps"] if torch.backends.mps.is_available() else []),
        "cpu",
    ]
    try:
        device = torch.device(here[0] if name is None else name)
        torch.zeros(1, device=device).item()
    except (RuntimeError, AssertionError, NotImplementedError):
        # torch's own message may be a page; what it comes to is this.
        raise UnknownDevice(
            f"--device {name!r}: not on this machine, which has {', '.join(here)}"
        ) from None
    return device


def accuracy(logits: Tensor, labels: Tensor) -> Tensor:
    """Give the share of records `(B,)` whose largest logit `(B, 10)` is that of the label."""
    return (logits.argmax(1) == labels).float().mean()
