"""The demo on text as a command: a script in one line, with what it says at its end."""

import sys
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import Any, NamedTuple

from treadle.demo.report import events, report
from treadle.demo.text.config import Config
from treadle.errors import MissingExtra
from treadle.launching import launch
from treadle_tracking import Run

_TARGETS = ("tensorboard:runs", "mlflow:sqlite:///mlflow.db")
_LINES, _COLUMNS = 12, 100


class Ended(NamedTuple):
    """What a training came to.

    Attributes:
        run: Where it is recorded.
        bits: What the model takes for a held-out character.
        held_out: How many there are.
        sample: What it writes.
    """

    run: Run
    bits: float
    held_out: int
    sample: str


def demo(arguments: Sequence[str], *layers: Mapping[str, Any]) -> None:
    """Run the demo; what cannot be understood is a message on stderr and exit code 2.

    Args:
        arguments: The words of the command line.
        *layers: Values given in python, which the command line overrides.
    """
    if not find_spec("rich"):
        sys.stderr.write(f"treadle demo text: {MissingExtra('the demo', 'demo')}\n")
        sys.exit(2)
    ended = launch(
        train,
        *layers,
        argv=arguments,
        prog="treadle demo text",
        command=[sys.executable, "-m", "treadle", "demo", "text"],
        target=_TARGETS,
        experiment="text",
    )
    headline = (
        f"{ended.bits:.2f} bits for each of {ended.held_out} held-out characters. It writes:\n\n"
        + first_lines(ended.sample)
    )
    contents = [
        ("curves, samples", events(ended.run)),
        ("weights", "checkpoints/best.pt"),
        ("characters", "artifacts/vocabulary.json"),
    ]
    report(ended.run, headline, contents)


def train(config: Config, run: Run) -> Ended:
    """Train a small GPT on Python's reference manual, and record the run."""
    # Here, and not above: a mistyped flag need not wait for torch.
    from treadle.demo.device import threads
    from treadle.demo.text.recipe import follow, prepare

    with threads(config.threads):
        recipe = prepare(config)
        parameters = sum(one.numel() for one in recipe.engine.model.parameters())
        run.tag({"device": str(recipe.validation.tensors[0].device), "parameters": str(parameters)})
        validated, sample = follow(recipe, run)
        bits = float(validated.metrics["bits_per_character"])
        return Ended(run, bits, validated.counts["tokens"], sample)


def first_lines(text: str) -> str:
    """The first lines of a text that is only looked at, set off from the margin."""
    lines = text.strip("\n").splitlines()
    more = ["  ..."] if len(lines) > _LINES else []
    return "\n".join([f"  {line[:_COLUMNS]}".rstrip() for line in lines[:_LINES]] + more)
