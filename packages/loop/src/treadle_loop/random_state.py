"""The state of all random-number generators that a program shares, as plain data."""

import random
import sys
from types import ModuleType
from typing import Any

import torch

from treadle_loop.errors import NumpyMissing


def get_random_state() -> dict[str, Any]:
    """The state of the global generators, such that `torch.load(..., weights_only=True)` reads it.

    They are Python's `random`, torch's on the CPU and on every CUDA, XPU and MPS device, and
    numpy's. What the program has not loaded so far is not touched: a kind of device that is not
    initialised, and numpy where it is not imported, are left out.

    Returns:
        By generator: `"python"`, what `random.getstate()` returns; `"torch"` and `"mps"`, a uint8
        tensor on the CPU; `"cuda"` and `"xpu"`, a list with one for each device; `"numpy"`, what
        `numpy.random.get_state(legacy=False)` returns, with lists for its arrays.
    """
    state: dict[str, Any] = {"python": random.getstate(), "torch": torch.get_rng_state()}
    # Not numpy.random, which is imported on first use: a state from before that would not say what
    # the first use draws.
    np = sys.modules.get("numpy")
    if np is not None:
        state["numpy"] = _without_arrays(np.random.get_state(legacy=False))
    for kind, devices in _device_kinds().items():
        if devices.is_initialized():
            state[kind] = devices.get_rng_state_all()
    # Nothing says whether MPS is initialised; what trains on it has memory there.
    if torch.backends.mps.is_available() and torch.mps.current_allocated_memory():
        state["mps"] = torch.mps.get_rng_state()
    return state


def set_random_state(state: dict[str, Any]) -> None:
    """Put the global generators into a state that `get_random_state` returned.

    A generator that the state does not hold is left as it is, and so is a kind of device of which
    there are more or fewer here: they cannot go on. One that is not initialised yet gets its state
    when it is. An error leaves everything as it was.

    Raises:
        NumpyMissing: it holds numpy's generator, and numpy cannot be imported.
    """
    if "numpy" in state:
        _import_numpy_random().set_state(state["numpy"])
    if "python" in state:
        random.setstate(state["python"])
    # A checkpoint may have been loaded with a map_location, and states belong on the CPU.
    if "torch" in state:
        torch.set_rng_state(state["torch"].cpu())
    for kind, devices in _device_kinds().items():
        if kind in state and len(state[kind]) == devices.device_count():
            devices.set_rng_state_all([each.cpu() for each in state[kind]])
    if "mps" in state and torch.backends.mps.is_available():
        torch.mps.set_rng_state(state["mps"].cpu())


def check_random_state(state: dict[str, Any]) -> None:
    """See that the program has the generators of a state.

    Raises:
        NumpyMissing: it holds numpy's generator, and numpy cannot be imported.
    """
    if "numpy" in state:
        _import_numpy_random()


def _device_kinds() -> dict[str, Any]:
    """The kinds of devices of which a machine may have several, and which can be asked alike."""
    return {"cuda": torch.cuda, "xpu": torch.xpu}


def _import_numpy_random() -> ModuleType:
    try:
        import numpy as np
    except ImportError as error:
        raise NumpyMissing(
            "the random state holds that of numpy, and numpy cannot be imported; install it "
            "(pip install numpy), or remove 'numpy' from the random state, if nothing draws from "
            "numpy.random",
        ) from error
    return np.random


def _without_arrays(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_arrays(item) for key, item in value.items()}
    return value.tolist() if hasattr(value, "tolist") else value
