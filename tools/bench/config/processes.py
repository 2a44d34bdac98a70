"""What a whole process costs that loads one config, and what an import costs."""

import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from plain import plain
from rivals import RIVALS
from rows import Row
from schema import ARGV, EXPECTED

HERE = Path(__file__).parent


def cpu_of(code: str) -> Callable[[], float]:
    """Seconds of CPU of an interpreter that runs this code, without the user's settings."""

    def seconds() -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-I", "-c", code], check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    return seconds


def _program_row(
    name: str, module: str, prepare: str, file: Path, *, gate: float | None = None
) -> Row:
    """A program that loads the config once and ends, having seen that it is the right one.

    All that it calls is in modules, which are compiled once and kept: the compiler is not timed.
    """
    folders = [str(HERE), str(file.parent)]
    code = (
        f"import sys; sys.path[:0] = {folders}; from {module} import {prepare} as prepare; "
        f"config = prepare()({str(file)!r}, {ARGV})"
    )
    shown = f"{code}; from plain import plain; print(repr(plain(config)))"
    made = subprocess.run(
        [sys.executable, "-I", "-c", shown], check=True, stdout=subprocess.PIPE, text=True
    ).stdout.strip()
    expected = repr(plain(EXPECTED))
    assert made == expected, f"{name} made\n{made}\ninstead of\n{expected}"
    return Row(name, cpu_of(code), gate)


def process_rows(file: Path, names: dict[str, str]) -> list[Row]:
    """Rows of whole processes, the floor first."""
    return [
        _program_row("by hand: CSafeLoader, merge, cattrs", "floor", "prepare", file),
        _program_row("treadle_config", "ours", "cold", file, gate=1.05),
        _program_row("by hand, again", "floor", "prepare", file),
        *(
            _program_row(name, "rivals", RIVALS[distribution][1].__name__, file)
            for distribution, name in names.items()
        ),
    ]


def bare() -> Row:
    """An interpreter that does nothing."""
    return Row("bare Python", cpu_of(""))


def import_rows() -> list[Row]:
    """Rows of imports, that of the dependencies first."""
    return [
        Row("import attrs, cattrs", cpu_of("import attrs, cattrs")),
        Row("import treadle_config", cpu_of("import treadle_config"), gate=1),
        Row("import attrs, cattrs, again", cpu_of("import attrs, cattrs")),
    ]
