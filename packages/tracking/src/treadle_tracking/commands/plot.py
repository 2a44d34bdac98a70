"""`plot`: a page with runs as lines over parallel axes."""

import argparse
import webbrowser
from collections.abc import Sequence

from treadle_tracking.commands.answer import tell
from treadle_tracking.commands.calling import FINE, Commands, WrongCall, names
from treadle_tracking.commands.listing import found, say_why_nothing
from treadle_tracking.commands.opening import add_infer_types, add_target, opened, say_damage
from treadle_tracking.commands.output import checked_out
from treadle_tracking.doctor.finding import counted
from treadle_tracking.terminal import visible

__all__ = ["add"]


def add(commands: Commands) -> None:
    """Let `plot` be called."""
    parser = commands.add_parser(
        "plot",
        help="draw runs over parallel coordinates, as a page",
        description="Draw runs as lines over parallel axes, one a parameter or metric, on a page of HTML that needs no "
        "network. Runs are selected there by dragging along an axis, or by typing bounds.",
        example="{prog} plot runs --out runs.html --open\n"
        "{prog} plot runs 'status = \"FINISHED\"' --out runs.html --color val/loss\n"
        "{prog} plot runs --out runs.html --scale optim.lr=log --bounds val/loss=:0.5",
    )
    add_target(parser)
    parser.add_argument(
        "filter",
        nargs="?",
        default="",
        metavar="FILTER",
        help="only the runs that meet it, as in search",
    )
    parser.add_argument("--out", required=True, metavar="FILE", help="the page, such as runs.html")
    parser.add_argument(
        "--params",
        action="append",
        metavar="NAME,…",
        help="the parameters that have an axis; those that are not the same in all runs by default",
    )
    parser.add_argument(
        "--metrics",
        action="append",
        metavar="NAME,…",
        help="the metrics that have an axis; three at most by default",
    )
    parser.add_argument("--color", metavar="NAME", help="whose values color the lines")
    parser.add_argument(
        "--scale",
        action="append",
        default=[],
        metavar="NAME=SCALE",
        help="linear, log or quantile, when the page opens",
    )
    parser.add_argument(
        "--bounds",
        action="append",
        default=[],
        metavar="NAME=MIN:MAX",
        help="which runs are selected at first; either may be left out, as in lr=1e-4:",
    )
    add_infer_types(parser)
    parser.add_argument("--title", metavar="TEXT", help="the title of the page")
    parser.add_argument("--open", action="store_true", help="open the page in a browser")
    parser.add_argument(
        "--force", action="store_true", help="replace a file even if it is no such page"
    )
    parser.set_defaults(do=_plot, interrupted=None)


def _plot(given: argparse.Namespace) -> int:
    from treadle_tracking.plots import (
        AmbiguousAxis,
        InvalidBounds,
        NoPage,
        ScaleUnfit,
        UnknownAxis,
    )

    path = checked_out(given.out)
    options = {
        "params": names(given.params),
        "metrics": names(given.metrics),
        "color": given.color,
        "scales": dict(_scale(text) for text in given.scale) or None,
        "bounds": dict(_bounds(text) for text in given.bounds) or None,
        "title": given.title,
    }
    every = opened(given.target, infer_types=given.infer_types)
    runs = found(every, given.filter)
    for run in runs:
        say_damage(run)
    if not runs.records:
        say_why_nothing(given.filter, every, infer_types=given.infer_types)
    try:
        page = runs.parallel_coordinates(**options)
    except (AmbiguousAxis, InvalidBounds, ScaleUnfit, UnknownAxis) as error:
        raise WrongCall(str(error)) from None
    try:
        saved = page.save(path, force=given.force)
    except NoPage:
        raise WrongCall(
            f"{str(path)!r} is there, and is no page of this kind: give --force if it is to be replaced"
        ) from None
    tell([visible(f"{saved}: {counted(len(runs.records), 'run')}")])
    if given.open:
        webbrowser.open(saved.absolute().as_uri())
    return FINE


def _pair(option: str, text: str, example: str) -> Sequence[str]:
    name, equals, value = text.rpartition("=")
    if not name or not equals:
        raise WrongCall(f"{option} is {text!r}; expected {option} {example}")
    return name, value


def _scale(text: str) -> tuple[str, str]:
    name, scale = _pair("--scale", text, "NAME=SCALE, such as lr=log")
    if scale not in {"linear", "log", "quantile"}:
        raise WrongCall(f"the scale of {name!r} is {scale!r}; expected linear, log or quantile")
    return name, scale


def _bounds(text: str) -> tuple[str, tuple[float | None, float | None]]:
    name, bounds = _pair("--bounds", text, "NAME=MIN:MAX, such as lr=1e-4:1e-2")
    least, colon, most = bounds.partition(":")
    try:
        both = _bound(least), _bound(most)
    except ValueError:
        colon = ""
    if not colon:
        raise WrongCall(
            f"the bounds of {name!r} are {bounds!r}; expected MIN:MAX, two numbers of which each may be left out"
        )
    return name, both


def _bound(text: str) -> float | None:
    return float(text) if text.strip() else None
