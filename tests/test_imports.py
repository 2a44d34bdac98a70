"""What importing a package brings with it."""

import json
import subprocess
import sys

import pytest

HEAVY = {"torch", "mlflow", "tensorboard", "pandas", "yaml", "rich", "tqdm", "numpy", "sklearn"}
MODULES = ["treadle_units", "treadle_config", "treadle_tracking", "treadle_loop", "treadle"]


def loaded_by(statement: str) -> set[str]:
    """The top-level modules that a fresh interpreter holds after a statement."""
    report = f"import json, sys\n{statement}\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-I", "-c", report], capture_output=True, text=True, check=True
    )
    return {name.partition(".")[0] for name in json.loads(done.stdout)}


@pytest.mark.parametrize(
    "module", ["treadle_units", "treadle_config", "treadle_tracking", "treadle"]
)
def test_nothing_heavy_is_loaded(module: str) -> None:
    """Importing a package loads none of the heavy libraries."""
    actual = loaded_by(f"import {module}") & HEAVY

    assert set() == actual


def test_loop_loads_only_torch() -> None:
    """The loop loads torch, and what torch loads, and nothing else that is heavy."""
    actual = (loaded_by("import treadle_loop") - loaded_by("import torch")) & HEAVY

    assert set() == actual


@pytest.mark.parametrize("module", MODULES)
def test_siblings_stay_out(module: str) -> None:
    """Importing a package, even the umbrella, loads none of the others."""
    actual = loaded_by(f"import {module}") & set(MODULES)

    assert {module} == actual


def test_naming_a_library_loads_that_library_alone() -> None:
    """`from treadle import units` loads units, and neither torch nor another library."""
    actual = loaded_by("from treadle import units") & (HEAVY | set(MODULES))

    assert {"treadle", "treadle_units"} == actual


@pytest.mark.parametrize("library", ["units", "config", "loop", "tracking"])
def test_a_library_is_one_by_either_name(library: str) -> None:
    """`from treadle.loop import …` imports from the very module that `treadle_loop` is."""
    statement = f"import treadle_{library} as one, treadle.{library} as other; assert one is other"

    assert "treadle" in loaded_by(f"{statement}; from treadle.{library} import __all__")
