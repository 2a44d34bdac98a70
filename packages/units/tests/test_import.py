import subprocess
import sys

HEAVY = {"torch", "mlflow", "tensorboard", "pandas", "yaml", "rich", "numpy", "logging", "difflib"}


def test_imports_nothing_heavy():
    """Importing the package loads nothing heavy, and nothing that only an error or a log needs."""
    code = "import sys, treadle_units; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()

    assert set() == HEAVY & set(loaded)
