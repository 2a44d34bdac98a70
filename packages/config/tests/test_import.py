"""What an import costs."""


def test_importing_loads_nothing_heavy_or_optional(python):
    """Neither the optional YAML nor what only a mistake or a help page needs."""
    program = (
        "import sys, treadle_config;"
        "heavy = {'torch', 'mlflow', 'tensorboard', 'pandas', 'yaml', 'rich', 'numpy', 'cattrs'};"
        "print(sorted(heavy & set(sys.modules)))"
    )

    actual = python("-c", program)

    assert (0, "[]\n", "") == actual
