"""The demo as a command: from a configuration to a trained network and a recorded run."""

import sys
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import Any

from treadle.demo.config import Config
from treadle.demo.report import events, report
from treadle.errors import MissingExtra, TreadleError
from treadle_config import dump, run_cli
from treadle_tracking import TrackingError, start_run
from treadle_units import UnitsError


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
    from treadle.demo.device import threads
    from treadle.demo.recipe import follow, prepare

    recipe = prepare(config)
    # What the run says of itself in other places would only be columns that always differ.
    params = {
        name: value
        for name, value in dump(config).items()
        if name not in ("experiment", "name", "track")
    } | {"device": str(recipe.device)}
    run = start_run(config.track, experiment=config.experiment, name=config.name, params=params)
    try:
        with run, threads(1):
            validated = follow(recipe, config, run)
    except KeyboardInterrupt:
        sys.stderr.write(
            f"treadle demo: interrupted; the run is {run.status}, in {run.directory}\n"
        )
        sys.exit(130)  # what a shell gives for SIGINT
    right = float(validated.metrics["accuracy"])
    headline = f"{right:.1%} of {validated.records} held-out digits are read right"
    report(run, headline, [("curves, figure", events(run)), ("weights", "artifacts/model.pt")])
