"""Errors go from process to process: of a pool, of joblib, of Ray."""

import copy
import pickle
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from importlib import import_module
from multiprocessing import get_context
from pkgutil import walk_packages

import pytest

from treadle.launching import RunOptions
from treadle_config import ConfigError, layer, load

PACKAGES = ["treadle_units", "treadle_config", "treadle_loop", "treadle_tracking", "treadle"]


def errors() -> Iterator[type[Exception]]:
    """Every error of every module that is called for its errors."""
    for package in PACKAGES:
        path = import_module(package).__path__
        names = [one.name for one in walk_packages(path, f"{package}.")]
        for name in names:
            if name.endswith(".errors"):
                for kind in vars(import_module(name)).values():
                    if (
                        isinstance(kind, type)
                        and issubclass(kind, Exception)
                        and kind.__module__ == name
                        and "__str__" not in vars(kind)  # says what its attributes are
                    ):
                        yield kind


@pytest.mark.parametrize(
    "kind", list(errors()), ids=lambda kind: f"{kind.__module__}.{kind.__name__}"
)
def test_an_error_is_the_same_in_another_process(kind: type[Exception]) -> None:
    """An error that is pickled or copied says what it said, with its attributes and notes."""
    error = kind.__new__(kind, "what was seen")
    vars(error)["place"] = "somewhere"
    error.add_note("and where")

    for other in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert (kind, str(error), vars(error)) == (type(other), str(other), vars(other))


def test_a_wrong_config_is_the_same_error_from_a_worker() -> None:
    """What is wrong with a config in a worker's process reaches who waits for it, whole."""
    wrong = layer("worker", {"naem": "first", "resume": "sometimes"}, at="code")
    with pytest.raises(ConfigError) as here:
        load(RunOptions, wrong)
    with ProcessPoolExecutor(1, get_context("spawn")) as pool, pytest.raises(ConfigError) as there:
        pool.submit(load, RunOptions, wrong).result(60)

    assert str(here.value) == str(there.value)
