"""What an import costs."""

import subprocess
import sys


def test_importing_loads_nothing_heavy_or_optional():
    """Neither the optional YAML nor what only a mistake or a help page needs."""
    program = (
        "import sys, treadle_config;"
        "heavy = {'torch', 'mlflow', 'tensorboard', 'pandas', 'yaml', 'rich', 'numpy', 'cattrs'};"
        "print(sorted(heavy & set(sys.modules)))"
    )

    actual = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert "[]\n" == actual.stdout
