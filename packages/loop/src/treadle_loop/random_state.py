"""The state of all random-number generators that a program shares, as plain data."""

import random
import sys
from types import ModuleType
from typing import Any

import torch

from treadle_loop.errors import DevicesDisagree, NumpyMissing


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

    A generator that the state does not hold is left as it is. A kind of device that is not
    initialised yet gets its state when it is. An error leaves everything as it was.

    Raises:
        DevicesDisagree: the state is that of more or fewer devices than there are here.
        NumpyMissing: it holds numpy's generator, and numpy cannot be imported.
    """
    for kind, devices in _device_kinds().items():
        if kind in state:
            _check_count(kind.upper(), len(state[kind]), devices.device_count())
    if "mps" in state:
        _check_count("MPS", 1, int(torch.backends.mps.is_available()))
    if "numpy" in state:
        _import_numpy_random().set_state(state["numpy"])
    if "python" in state:
        random.setstate(state["python"])
    # A checkpoint may have been loaded with a map_location, and states belong on the CPU.
    if "torch" in state:
        torch.set_rng_state(state["torch"].cpu())
    for kind, devices in _device_kinds().items():
        if kind in state:
            devices.set_rng_state_all([each.cpu() for each in state[kind]])
    if "mps" in state:
        torch.mps.set_rng_state(state["mps"].cpu())


def fitting(state: dict[str, Any]) -> dict[str, Any]:
    """The same without the devices of which there are more or fewer here: they cannot go on."""
    here = {kind: devices.device_count() for kind, devices in _device_kinds().items()}
    here["mps"] = int(torch.backends.mps.is_available())
    seen = {kind: len(state[kind]) if kind != "mps" else 1 for kind in here if kind in state}
    return {
        kind: each for kind, each in state.items() if kind not in seen or seen[kind] == here[kind]
    }


def _device_kinds() -> dict[str, Any]:
    """The kinds of devices of which a machine may have several, and which can be asked alike."""
    return {"cuda": torch.cuda, "xpu": torch.xpu}


def _check_count(kind: str, seen: int, here: int) -> None:
    if seen != here:
        raise DevicesDisagree(
            f"the random state is that of {seen} {kind} device{'s' * (seen != 1)}, and this process "
            f"has {here}; go on where there are as many, or remove {kind.lower()!r} from the random "
            "state, to go on with other random numbers there",
        )


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
