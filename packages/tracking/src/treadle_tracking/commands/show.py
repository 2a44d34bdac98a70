"""`show`: everything of a run but its histories."""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from functools import partial

from attrs import evolve

from treadle_tracking.commands import shown, table
from treadle_tracking.commands.answer import tell, tell_json
from treadle_tracking.commands.calling import FINE, Commands
from treadle_tracking.commands.opening import add_infer_types, add_target, opened, say_damage
from treadle_tracking.commands.which import RUN, only_run, run_named
from treadle_tracking.comparing.shown import exact
from treadle_tracking.entries import ParamValue
from treadle_tracking.progress import Progress
from treadle_tracking.reading import Contents, RunRecord
from treadle_tracking.reading.extremes import extremes
from treadle_tracking.terminal import columns, cut, padded, visible, width

__all__ = ["add"]

_CONTENTS = "artifacts", "images", "texts", "histograms", "tables"


def add(commands: Commands) -> None:
    """Let `show` be called."""
    parser = commands.add_parser(
        "show",
        help="show a run",
        description="Show everything of a run but its histories: parameters, tags, the last, least and greatest value "
        "of each metric, and the names of what else it has.",
        example="{prog} show runs 3f2a91bc\n"
        "{prog} show runs/digits/baseline\n"
        "{prog} show mlflow:http://127.0.0.1:5000 digits/baseline --json",
    )
    add_target(parser)
    parser.add_argument(
        "run", nargs="?", metavar="RUN", help=f"{RUN}; it may be left out where there is one run"
    )
    add_infer_types(parser)
    parser.add_argument("--json", action="store_true", help="print it as JSON")
    parser.set_defaults(do=_show, interrupted=None)


def _show(given: argparse.Namespace) -> int:
    from treadle_tracking.commands.records import run_json

    runs = opened(given.target, infer_types=given.infer_types)
    run = only_run(runs) if given.run is None else run_named(runs, given.run)
    say_damage(run)
    with Progress(partial("reading {}".format, visible(run.name))):
        contents = run.contents
        known = _extremes(run)
    if given.json:
        tell_json(run_json(evolve(run, known_contents=contents), known))
    else:
        most = columns()
        for line in _lines(run, contents, known, most):
            tell([line if most is None else cut(line, most)])
    return FINE


def _extremes(run: RunRecord) -> Mapping[str, tuple[float, float]]:
    if run.extremes is not None:
        return run.extremes
    return extremes([run]).get(run.identity, {})


def _lines(
    run: RunRecord,
    contents: Contents,
    extremes: Mapping[str, tuple[float, float]],
    most: int | None,
) -> Iterator[str]:
    yield visible(f"{run.experiment}/{run.name}")
    yield from _pairs(dict(_attributes(run)), "  ")
    if run.params:
        yield "params"
        yield from _tree(run.params, "  ")
    if run.tags:
        yield "tags"
        yield from _pairs(dict(sorted(run.tags.items())), "  ")
    if run.metrics:
        yield from _metrics(run, extremes, most)
    for kind in _CONTENTS:
        yield from _listed(kind, getattr(contents, kind))
    if contents.functions:
        yield f"functions ({len(contents.functions):,})"
        yield from _pairs(dict(sorted(contents.functions.items())), "  ")


def _attributes(run: RunRecord) -> Iterator[tuple[str, str]]:
    yield "uid", run.uid
    yield "status", run.status
    yield "started", shown.moment(run.started, precise=True)
    if run.ended is not None:
        lasted = shown.duration(run.ended - run.started)
        yield "ended", f"{shown.moment(run.ended, precise=True)} (after {lasted})"
    if run.group is not None:
        yield "group", run.group
    if run.parent is not None:
        yield "parent", run.parent
    if run.directory is not None:
        yield "directory", str(run.directory)
    else:
        yield "target", run.target
        yield "identity", run.identity
    if run.url is not None:
        yield "url", run.url
    if run.damage is not None:
        yield "damage", run.damage


def _pairs(values: Mapping[str, str], indent: str) -> Iterator[str]:
    """Names and values, side by side."""
    names = {name: visible(name) for name in values}
    most = max(map(width, names.values()), default=0)
    for name, value in values.items():
        yield f"{indent}{padded(names[name], most)}  {visible(value)}".rstrip()


def _tree(params: Mapping[str, ParamValue], indent: str) -> Iterator[str]:
    """Parameters as they are nested, each level in the order in which they were given."""
    leaves = {name: value for name, value in params.items() if not _is_branch(value)}
    most = max((width(visible(name)) for name in leaves), default=0)
    for name, value in params.items():
        if isinstance(value, Mapping) and value:
            yield f"{indent}{visible(name)}"
            yield from _tree(value, f"{indent}  ")
        else:
            yield f"{indent}{padded(visible(name), most)}  {visible(exact(value))}"


def _is_branch(value: ParamValue) -> bool:
    return isinstance(value, Mapping) and bool(value)


def _metrics(
    run: RunRecord, extremes: Mapping[str, tuple[float, float]], most: int | None
) -> Iterator[str]:
    header = [
        table.Column("metrics", can_be_cut=True),
        *(table.Column(name, right=True) for name in ("last", "min", "max")),
    ]
    rows = [
        (f"  {name}", *map(exact, (run.metrics[name], *extremes.get(name, ()))))
        for name in sorted(run.metrics)
    ]
    yield from table.lines(header, [(*row, *[""] * (4 - len(row))) for row in rows], most)


def _listed(kind: str, names: Sequence[str]) -> Iterator[str]:
    if names:
        yield f"{kind} ({len(names):,})"
        yield from (f"  {visible(name)}" for name in sorted(names))
