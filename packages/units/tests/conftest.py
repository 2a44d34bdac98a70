"""Stand-ins for loaders, arrays and clocks."""

import pytest


class Unsized:
    """A loader without a length, which can be passed over again."""

    def __init__(self, *passes):
        self.passes = list(passes)
        self.begun = 0
        self.drawn = 0

    def __iter__(self):
        self.begun += 1
        batches = self.passes.pop(0) if len(self.passes) > 1 else self.passes[0]
        for batch in batches:
            self.drawn += 1
            yield batch


class Announced:
    """A loader whose length is what it says."""

    def __init__(self, batches, length):
        self.batches = batches
        self.length = length
        self.drawn = 0

    def __len__(self):
        return self.length

    def __iter__(self):
        for batch in self.batches:
            self.drawn += 1
            yield batch


class Array:
    """Something array-like."""

    def __init__(self, *shape):
        self.shape = shape


class Clock:
    """A clock that moves when it is told to."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def array():
    return Array


@pytest.fixture
def unsized():
    return Unsized


@pytest.fixture
def announced():
    return Announced


@pytest.fixture
def loader_of():
    """Batches of so many records in all: `loader_of(10, 4)` has batches of 4, 4 and 2."""

    def make(records, batch_size):
        ids = list(range(records))
        return [ids[at : at + batch_size] for at in range(0, records, batch_size)]

    return make


@pytest.fixture
def fires_of():
    """Run a schedule over a loader, and return (name, batch) for each name due in a body."""

    def run(schedule, loader, **arguments):
        return [
            (name, schedule.progress.batches)
            for _ in schedule.batches(loader, **arguments)
            for name in schedule.due()
        ]

    return run


@pytest.fixture
def steps_of():
    """Run a schedule over a loader, and return the batches at which it says to step."""

    def run(schedule, loader, **arguments):
        return [
            schedule.progress.batches
            for _ in schedule.batches(loader, **arguments)
            if schedule.step_now
        ]

    return run
