"""What a demo says at its end: where everything went, and what opens it."""

import os
import shlex
import sys
from collections.abc import Sequence
from importlib.util import find_spec

from treadle_tracking import Run


def report(run: Run, headline: str, contents: Sequence[tuple[str, str]]) -> None:
    """Say what the training came to, where it is recorded, and how to look at it.

    Args:
        run: Closed.
        headline: What was reached; may have several lines.
        contents: What is in its directory, and under which name, relative to it.
    """
    if sys.stdout is None:
        return
    rows = [
        ("run", f"{run.experiment}/{run.name}, {run.status}"),
        ("directory", str(run.directory)),
        ("parameters", "params.json"),
        *contents,
        *(("mirrored to" if uri in run.mirrored else "not all at", uri) for uri in run.mirrors),
    ]
    lines = [
        "",
        headline,
        "",
        *(f"{label:<16}{value}" for label, value in rows),
        "",
        "to look at it:",
        *(f"  {opening}" for opening in openings(run)),
    ]
    sys.stdout.write("\n".join(lines) + "\n")


def events(run: Run) -> str:
    """The name of the run's event file, the newest if it was gone on with."""
    return max(path.name for path in run.directory.glob("events.*"))


def openings(run: Run) -> list[str]:
    """Give the commands that open the run's pages, as they work where the demo was started."""
    # Hatch says so of its environments, whose commands are not on the path outside of them.
    prefix = "hatch run " if "HATCH_ENV_ACTIVE" in os.environ else ""
    root = shlex.quote(str(run.root))
    commands = [
        f"{prefix}treadle runs plot {root} --out runs.html --open  # all runs there, compared",
        f"{prefix}tensorboard --logdir {root}{_missing('tensorboard', 'tensorboard')}",
    ]
    for target in run.mirrors:
        uri = target.removeprefix("mlflow:")
        if uri.startswith(("http:", "https:")):
            commands.append(uri)
        else:
            note = _missing("mlflow-ui", "flask") or "  # and choose Model training"
            commands.append(f"{prefix}mlflow ui --backend-store-uri {shlex.quote(uri)}{note}")
    return commands


def _missing(extra: str, module: str) -> str:
    """What is to be installed first, if the module is not here."""
    return "" if find_spec(module) else f"  # pip install 'treadle-tracking[{extra}]'"
