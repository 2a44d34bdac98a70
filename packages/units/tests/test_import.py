import subprocess
import sys

import pytest

HEAVY = {"torch", "mlflow", "tensorboard", "pandas", "yaml", "rich", "numpy"}
# Each of them takes milliseconds, alone or by what it imports in turn.
SLOW = {
    "collections",
    "dataclasses",
    "decimal",
    "difflib",
    "enum",
    "fractions",
    "functools",
    "inspect",
    "logging",
    "numbers",
    "re",
    "typing",
    "warnings",
}


def loaded_by(code):
    """The modules that a fresh process has loaded after running some code."""
    code += "\nimport sys\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.fixture(scope="module")
def bare():
    """What Python loads by itself, as it is installed here."""
    return loaded_by("")


def test_imports_nothing_heavy(bare):
    """Importing the package loads nothing heavy, and nothing slow that only some calls need."""
    loaded = loaded_by("import treadle_units") - bare

    assert set() == (HEAVY | SLOW) & loaded
    assert "treadle_units.limits" in loaded


def test_imports_few_others(bare):
    """Beside its own modules the package loads three of the standard library at most."""
    loaded = loaded_by("import treadle_units") - bare
    others = {name for name in loaded if name.partition(".")[0] != "treadle_units"}

    assert set() == others - {"__future__", "math", "operator", "_operator"}


def test_whole_numbers_need_no_fractions(bare):
    """Lengths of whole numbers are made, read, computed and written without fractions."""
    loaded = loaded_by(
        "from treadle_units import Every, Meter, Records, Seconds, count_records, parse\n"
        "limit = parse('10 epochs') | Seconds(90) | Records(3) * 2 + Records(1)\n"
        "str(limit), hash(limit), Every('1k steps', offset=1).next_after(5)\n"
        "Meter().add(count_records([1, 2, 3]))"
    )

    assert set() == {"fractions", "decimal", "dataclasses", "typing"} & (loaded - bare)
