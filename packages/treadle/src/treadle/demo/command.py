"""The demo as a command: from a configuration to a trained network and a recorded run."""

import shlex
import sys
import tempfile
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from treadle.demo.config import Config
from treadle.errors import MissingExtra, TreadleError
from treadle_config import dump, run_cli
from treadle_tracking import Run, TrackingError, start_run
from treadle_units import UnitsError

if TYPE_CHECKING:
    import torch

    from treadle_loop import EpochResult


class UnknownDevice(TreadleError):
    """The device that was asked for is not here."""


def demo(arguments: Sequence[str]) -> None:
    """Run the demo with these command-line arguments; what cannot be understood leaves with code 2."""
    run_cli(train, argv=arguments, prog="treadle demo")


def train(config: Config) -> None:
    """Train a small network on real handwritten digits, and record the run."""
    try:
        _train(config)
    except (TreadleError, TrackingError, UnitsError) as error:
        sys.stderr.write(f"treadle demo: {error}\n")
        sys.exit(2)


def _train(config: Config) -> None:
    if not all(map(find_spec, ["matplotlib", "sklearn"])):
        raise MissingExtra("the demo", "demo")
    import torch
    from torch.nn import functional

    from treadle.demo.digits import load_digits
    from treadle.demo.figure import misclassified
    from treadle.demo.network import network
    from treadle.fitting import fit
    from treadle_loop import Engine, TensorLoader, supervised

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
    engine = Engine(
        model, supervised(functional.cross_entropy, metrics={"accuracy": accuracy}), optimizer
    )

    # What the run says of itself in other places would only be columns that always differ.
    params = {
        name: value
        for name, value in dump(config).items()
        if name not in ("experiment", "name", "track")
    }
    with start_run(
        config.track, experiment=config.experiment, name=config.name, params=params
    ) as run:
        result = fit(
            engine,
            loader,
            {"val": validation},
            until=config.until,
            validate=config.validate,
            log=config.log,
            run=run,
            progress=True,
        )
        predicted = torch.cat([logits.argmax(1) for logits in engine.predict(validation)]).cpu()
        steps = result.outcome.counts.steps
        run.figure("misclassified", misclassified(held_out, predicted), step=steps)
        with tempfile.TemporaryDirectory() as folder:
            weights = Path(folder) / "model.pt"
            torch.save({name: value.cpu() for name, value in model.state_dict().items()}, weights)
            run.artifact(weights)
    report(run, result.validated["val"])


def choose_device(name: str | None) -> "torch.device":
    """Find the device of this name, or the fastest there is.

    Raises:
        UnknownDevice: There is none of this name here.
    """
    import torch

    here = [
        *(["cuda"] if torch.cuda.is_available() else []),
        *(["mps"] if torch.backends.mps.is_available() else []),
        "cpu",
    ]
    try:
        device = torch.device(here[0] if name is None else name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError):
        # torch's own message may be a page; what it comes to is this.
        raise UnknownDevice(
            f"--device {name}: not on this machine, which has {', '.join(here)}"
        ) from None
    return device


def accuracy(logits: "torch.Tensor", labels: "torch.Tensor") -> "torch.Tensor":
    """Give the share of records `(B,)` whose largest logit `(B, 10)` is that of the label."""
    return (logits.argmax(1) == labels).float().mean()


def report(run: Run, validated: "EpochResult") -> None:
    """Say where everything went, and what opens it."""
    right = float(validated.metrics["accuracy"])
    rows = [
        ("run", f"{run.experiment}/{run.name}, {run.status}"),
        ("directory", str(run.directory)),
        ("parameters", "params.json"),
        ("curves, figure", next(path.name for path in run.directory.glob("events.*"))),
        ("weights", "artifacts/model.pt"),
        *(("mirrored to", uri) for uri in run.mirrors),
    ]
    lines = [
        "",
        f"{right:.1%} of {validated.records} held-out digits are read right",
        "",
        *(f"{label:<16}{value}" for label, value in rows),
        "",
        "to look at it:",
        f"  tensorboard --logdir {shlex.quote(str(run.root))}",
        *(f"  mlflow ui --backend-store-uri {shlex.quote(uri)}" for uri in run.mirrors),
    ]
    sys.stdout.write("\n".join(lines) + "\n")
