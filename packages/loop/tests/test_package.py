"""The package as a whole."""

import subprocess
import sys
import types

import treadle_loop


def test_every_public_name_is_there_and_documented():
    """What __all__ promises exists, in order, and every class and function has a docstring."""
    names = treadle_loop.__all__

    assert sorted(names) == names
    for name in names:
        value = getattr(treadle_loop, name)
        assert value.__doc__ or not isinstance(value, (type, types.FunctionType))


def test_errors_have_one_base():
    """Every error of the package is a LoopError."""
    errors = [
        value
        for value in vars(treadle_loop).values()
        if isinstance(value, type) and issubclass(value, Exception)
    ]

    assert all(issubclass(error, treadle_loop.LoopError) for error in errors)
    assert 15 < len(errors)


def test_nothing_but_torch_is_loaded():
    """Importing the package loads torch, and none of what others may want."""
    code = "import torch, sys; before = set(sys.modules); import treadle_loop"
    code += "; own = {name.partition('.')[0] for name in set(sys.modules) - before}"
    code += "; print(own - sys.stdlib_module_names)"

    loaded = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    )

    assert "{'treadle_loop'}" == loaded.stdout.strip()
