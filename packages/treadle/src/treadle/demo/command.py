"""The demo as a command: from a configuration to a trained network and a recorded run."""

import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from treadle.demo.config import Config
from treadle.errors import MissingExtra, TreadleError
from treadle_config import dump, run_cli
from treadle_tracking import Run, TrackingError, start_run
from treadle_units import UnitsError

if TYPE_CHECKING:
    from treadle_loop import EpochResult


def demo(arguments: Sequence[str], *layers: Mapping[str, Any]) -> None:
    """Run the demo; what cannot be understood is a message on stderr and exit code 2.

    Args:
        arguments: The words of the command line.
        *layers: Values given in python, which the command line overrides.
    """
    run_cli(train, *layers, argv=arguments, prog="treadle demo")


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
    # Here, and not above: a mistyped flag need not wait for torch.
    from treadle.demo.recipe import follow, one_thread, prepare

    recipe = prepare(config)
    # What the run says of itself in other places would only be columns that always differ.
    params = {
        name: value
        for name, value in dump(config).items()
        if name not in ("experiment", "name", "track")
    } | {"device": str(recipe.device)}
    run = start_run(config.track, experiment=config.experiment, name=config.name, params=params)
    try:
        with run, one_thread():
            validated = follow(recipe, config, run)
    except KeyboardInterrupt:
        sys.stderr.write(
            f"treadle demo: interrupted; the run is {run.status}, in {run.directory}\n"
        )
        sys.exit(130)  # what a shell gives for SIGINT
    report(run, validated)


def report(run: Run, validated: "EpochResult") -> None:
    """Say where everything went, and what opens it."""
    if sys.stdout is None:
        return
    right = float(validated.metrics["accuracy"])
    rows = [
        ("run", f"{run.experiment}/{run.name}, {run.status}"),
        ("directory", str(run.directory)),
        ("parameters", "params.json"),
        ("curves, figure", next(path.name for path in run.directory.glob("events.*"))),
        ("weights", "artifacts/model.pt"),
        *(("mirrored to" if uri in run.mirrored else "not all at", uri) for uri in run.mirrors),
    ]
    lines = [
        "",
        f"{right:.1%} of {validated.records} held-out digits are read right",
        "",
        *(f"{label:<16}{value}" for label, value in rows),
        "",
        "to look at it:",
        *(f"  {opening}" for opening in openings(run)),
    ]
    sys.stdout.write("\n".join(lines) + "\n")


def openings(run: Run) -> list[str]:
    """Give the commands that open the run's pages, as they work where the demo was started."""
    # Hatch says so of its environments, whose commands are not on the path outside of them.
    prefix = "hatch run " if "HATCH_ENV_ACTIVE" in os.environ else ""
    commands = [("tensorboard", f"tensorboard --logdir {shlex.quote(str(run.root))}")]
    for target in run.mirrors:
        uri = target.removeprefix("mlflow:")
        if uri.startswith(("http:", "https:")):
            commands.append(("", uri))
        else:
            commands.append(("mlflow-ui", f"mlflow ui --backend-store-uri {shlex.quote(uri)}"))
    there = {"tensorboard": find_spec("tensorboard"), "mlflow-ui": find_spec("flask"), "": True}
    return [
        (prefix if extra else "")
        + command
        + ("" if there[extra] else f"  # pip install 'treadle-tracking[{extra}]'")
        for extra, command in commands
    ]
