"""The random state: all shared generators, as plain data, and none that is not used."""
# ruff: noqa: NPY002  # the legacy generator is the one that programs share

import io
import random
import subprocess
import sys
import textwrap
import types

import numpy as np
import pytest
import torch

from treadle_loop.errors import NumpyMissing
from treadle_loop.random_state import get_random_state, set_random_state


def draws():
    """Numbers from each generator, and from what each keeps for a second normal number."""
    return [
        torch.rand(3).tolist(),
        torch.randn(1).tolist(),
        random.random(),
        random.gauss(0, 1),
        np.random.rand(3).tolist(),
        np.random.standard_normal(),
    ]


def through_a_file(state):
    """The state as a checkpoint that only holds plain data returns it."""
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    return torch.load(file, weights_only=True)


@pytest.fixture(autouse=True)
def generators_kept():
    """Leave the generators to other tests as they were."""
    state = get_random_state()
    yield
    set_random_state(state)


@pytest.mark.parametrize("before", range(4))
def test_every_generator_goes_on_where_it_was(before):
    """After a state is set, all generators draw what they drew after it was got, from a file too."""
    for _ in range(before):
        draws()
    state = get_random_state()
    kept = through_a_file(state)
    expected = [draws(), draws()]

    set_random_state(state)
    again = [draws(), draws()]
    set_random_state(kept)

    assert expected == again
    assert expected == [draws(), draws()]


def test_a_state_that_was_moved_to_a_device():
    """A state that was loaded with a map_location comes back to the CPU, where it belongs."""
    state = get_random_state()
    expected = draws()
    moved = types.SimpleNamespace(cpu=lambda tensor=state["torch"]: tensor)

    set_random_state({**state, "torch": moved})

    assert expected == draws()


@pytest.mark.parametrize("name", ["torch", "python", "numpy"])
def test_a_generator_that_is_left_out_is_left_alone(name):
    """A state without one generator puts back the others, and that one goes on."""
    draw = {"torch": lambda: torch.rand(1).item(), "python": random.random, "numpy": np.random.rand}
    state = get_random_state()
    del state[name]
    first = {each: draw[each]() for each in draw}

    set_random_state(state)
    second = {each: draw[each]() for each in draw}

    assert {each: each != name for each in draw} == {
        each: first[each] == second[each] for each in draw
    }


def test_getting_the_state_draws_nothing():
    """A state that was got is the same as the one before it."""
    first, second = get_random_state(), get_random_state()

    assert torch.equal(first.pop("torch"), second.pop("torch"))
    assert first == second


def test_other_generators_of_numpy():
    """A program that gave numpy another kind of generator has that one back."""
    usual = np.random.get_bit_generator()
    try:
        np.random.set_bit_generator(np.random.PCG64(7))
        state = through_a_file(get_random_state())
        expected = draws()
        set_random_state(state)

        assert expected == draws()
    finally:
        np.random.set_bit_generator(usual)


def test_numpy_that_is_not_imported_is_left_out(monkeypatch):
    """Where numpy is not imported, there is no state of it, and it is not imported."""
    monkeypatch.delitem(sys.modules, "numpy")

    state = get_random_state()

    assert {"python", "torch"} == state.keys()
    assert "numpy" not in sys.modules


@pytest.mark.slow
def test_the_first_use_of_numpy_is_kept():
    """A state from before the first use of numpy's generator says what the first use draws."""
    code = """
        import torch  # which imports numpy, and not its generator

        from treadle_loop.random_state import get_random_state, set_random_state

        state = get_random_state()
        import numpy
        first = numpy.random.rand()
        set_random_state(state)
        assert first == numpy.random.rand()
    """

    ran = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], check=False, capture_output=True, text=True
    )

    assert ("", 0) == (ran.stderr, ran.returncode)


def test_numpy_that_cannot_be_imported(monkeypatch):
    """A state of numpy's generator without numpy is an error, and sets none of the others."""
    state = get_random_state()
    random.random()
    before = random.getstate()
    monkeypatch.setitem(sys.modules, "numpy", None)

    with pytest.raises(NumpyMissing) as caught:
        set_random_state(state)

    assert (
        "the random state holds that of numpy, and numpy cannot be imported; install it "
        "(pip install numpy), or remove 'numpy' from the random state, if nothing draws from "
        "numpy.random"
    ) == str(caught.value)
    assert before == random.getstate()


@pytest.fixture(params=["cuda", "xpu"])
def devices(request, monkeypatch):
    """Two devices of one kind, whose generators are numbers."""
    module = getattr(torch, request.param)
    states = [torch.tensor([1], dtype=torch.uint8), torch.tensor([2], dtype=torch.uint8)]

    def set_all(new):
        states[:] = new

    monkeypatch.setattr(module, "is_initialized", lambda: True)
    monkeypatch.setattr(module, "device_count", lambda: len(states))
    monkeypatch.setattr(module, "get_rng_state_all", lambda: list(states))
    monkeypatch.setattr(module, "set_rng_state_all", set_all)
    return request.param, states, module


def test_every_device_goes_on_where_it_was(devices):
    """The generators of all devices of a kind are got and set."""
    kind, states, _ = devices
    state = through_a_file(get_random_state())
    states[:] = [torch.tensor([8], dtype=torch.uint8), torch.tensor([9], dtype=torch.uint8)]

    set_random_state(state)

    assert [1, 2] == [int(each) for each in states]
    assert {"python", "torch", "numpy", kind} == state.keys()


def test_devices_that_are_not_used_are_left_out(devices, monkeypatch):
    """A kind of device that is not initialised has no state, and stays uninitialised."""
    _, _, module = devices
    monkeypatch.setattr(module, "is_initialized", lambda: False)
    monkeypatch.setattr(module, "get_rng_state_all", lambda: pytest.fail("initialises"))

    state = get_random_state()

    assert {"python", "torch", "numpy"} == state.keys()


@pytest.mark.parametrize("here", [0, 1, 3])
def test_another_number_of_devices(devices, here):
    """The state of more or fewer devices is passed over, and all else is set."""
    kind, states, _ = devices
    state = get_random_state()
    states[:] = [torch.zeros_like(states[0])] * here
    before = list(states)
    random.random()

    set_random_state(state)

    assert len(state[kind]) == 2
    assert all(map(torch.equal, before, states))
    assert state["python"] == random.getstate()


def test_mps_goes_on_where_it_was(monkeypatch):
    """The one generator of MPS is got where there is memory on it, and set where there is MPS."""
    given = []
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    monkeypatch.setattr(torch.mps, "current_allocated_memory", lambda: 1)
    monkeypatch.setattr(torch.mps, "get_rng_state", lambda: torch.tensor([5], dtype=torch.uint8))
    monkeypatch.setattr(torch.mps, "set_rng_state", lambda state: given.append(int(state)))
    state = through_a_file(get_random_state())

    set_random_state(state)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    set_random_state(state)

    assert [5] == given
