"""What a whole process costs that loads one config, and what an import costs."""

import subprocess
import sys
from pathlib import Path

from harness import Row, again, process
from plain import plain
from rivals import RIVALS
from schema import ARGV, EXPECTED

HERE = Path(__file__).parent


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
    return Row(name, process(code), gate)


def process_rows(file: Path, names: dict[str, str]) -> list[Row]:
    """Rows of whole processes, the floor first."""
    least = _program_row("by hand: CSafeLoader, merge, cattrs", "floor", "prepare", file)
    return [
        least,
        _program_row("treadle_config", "ours", "cold", file, gate=1.05),
        again(least),
        *(
            _program_row(name, "rivals", RIVALS[distribution][1].__name__, file)
            for distribution, name in names.items()
        ),
    ]


def bare() -> Row:
    """An interpreter that does nothing."""
    return Row("bare Python", process(""))


def import_rows() -> list[Row]:
    """Rows of imports, that of the dependencies first."""
    least = Row("import attrs, cattrs", process("import attrs, cattrs"))
    return [
        least,
        Row("import treadle_config", process("import treadle_config"), gate=1),
        again(least),
    ]
