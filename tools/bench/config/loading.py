"""Rows of one load within a process, by hand, by us and by others."""

from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import floor
import ours
from harness import Row, repeated
from plain import check
from rivals import RIVALS, Load
from schema import ARGV


def _row(
    name: str, load: Load, file: str, times: int, *, gate: float | None = None, rival: bool = False
) -> Row:
    check(name, load(file, ARGV))
    # Ours has to be at least as fast as a rival.
    share = 1 if rival else None
    return Row(name, repeated(lambda: load(file, ARGV), times), gate, share)


def own_rows(file: Path) -> list[Row]:
    """The floor and ours, in a process that has loaded nothing else."""
    path = str(file)

    def anew(file: str, argv: Sequence[str]) -> object:
        return floor.prepare()(file, argv)

    return [
        _row("by hand: CSafeLoader, merge, cattrs", floor.prepare(), path, 20),
        _row("load(..., codecs=kept)", ours.warm(), path, 20, gate=1),
        _row("load(...), the schema planned anew", ours.cold(), path, 20, gate=2),
        _row("by hand, again", floor.prepare(), path, 20),
        _row("by hand, the converter made anew", anew, path, 1),
    ]


def rival_rows(file: Path, names: dict[str, str]) -> list[Row]:
    """The same and the others; ours, the second row, has to be faster than each."""
    path = str(file)
    return [
        _row("by hand: CSafeLoader, merge, cattrs", floor.prepare(), path, 5),
        _row("treadle_config, codecs kept", ours.warm(), path, 5),
        _row("treadle_config, the schema planned anew", ours.cold(), path, 5),
        *(
            _row(name, RIVALS[distribution][1](), path, 1, rival=True)
            for distribution, name in names.items()
        ),
    ]


def installed(*wanted: str) -> tuple[dict[str, str], list[str]]:
    """Those rivals that are installed, with their names and versions, and a line for each other."""
    names, missing = {}, []
    for distribution in wanted or RIVALS:
        name = RIVALS[distribution][0]
        try:
            names[distribution] = f"{name} ({version(distribution)})"
        except PackageNotFoundError:
            missing.append(f"  {name}: not installed; `hatch run bench-config:run` installs it")
    return names, missing
