"""A small training of every kind, that can be set up as often as it is resumed."""

import copy
import io
import math
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.optim import SGD, AdamW
from torch.optim.lr_scheduler import CosineAnnealingLR
from torch.utils.data import DataLoader, Dataset, TensorDataset

from treadle_loop import (
    Engine,
    EpochSampler,
    Loss,
    TensorLoader,
    seeded,
)
from treadle_loop.random_state import get_random_state

RECORDS, SIZE = 26, 4  # in 7 batches, the last of 2


def records() -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(RECORDS, 3, generator=generator)
    return inputs, inputs.argmax(1), torch.arange(RECORDS)


def noise() -> float:
    """Something from each of the global generators."""
    return float(torch.rand(())) + random.random() + float(np.random.rand())  # noqa: NPY002


class Noisy(Dataset):
    """Records with a random transform."""

    def __init__(self) -> None:
        self.inputs, self.targets, self.indices = records()

    def __len__(self) -> int:
        return RECORDS

    def plain(self, index: Any) -> tuple[Tensor, Tensor, Tensor]:
        return self.inputs[index], self.targets[index], self.indices[index]

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor, Tensor]:
        inputs, *rest = self.plain(index)
        return inputs + noise(), *rest


class Batches:
    """Batches of noise in an order of their own, that are lost when they are drawn."""

    def __init__(self) -> None:
        self.epoch = self.place = 0
        self.data = records()

    def draw(self) -> Iterable[Any]:
        order = torch.randperm(RECORDS, generator=torch.Generator().manual_seed(self.epoch))
        while self.place < RECORDS:
            picked = order[self.place : self.place + SIZE]
            self.place += SIZE
            inputs, targets, indices = (each[picked] for each in self.data)
            yield inputs + noise(), targets, indices
        self.epoch, self.place = self.epoch + 1, 0

    def __iter__(self) -> Any:
        return iter(self.draw())


class Seekable(Batches):
    """Has no length, and can be put anywhere."""

    def set_position(self, epoch: int, records: int = 0) -> None:
        self.epoch, self.place = epoch, records


class SizedSeekable(Seekable):
    def __len__(self) -> int:
        return math.ceil(RECORDS / SIZE)


class Stateful(Batches):
    """Has no length, and knows where it is; what it tells of that is what it lives on."""

    def __init__(self) -> None:
        super().__init__()
        self.left: list[int] = []
        self.generator = torch.Generator().manual_seed(7)

    def draw(self) -> Iterable[Any]:
        if not self.left:
            self.left += torch.randperm(RECORDS, generator=self.generator).tolist()
        while self.left:
            picked = self.left[:SIZE]
            del self.left[:SIZE]
            inputs, targets, indices = (each[picked] for each in self.data)
            yield inputs + noise(), targets, indices

    def state_dict(self) -> dict[str, Any]:
        return {"left": self.left, "generator": self.generator.get_state()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.left = list(state["left"])
        self.generator.set_state(state["generator"])


class SizedStateful(Stateful):
    def __len__(self) -> int:
        return math.ceil(RECORDS / SIZE)


class Counting(SizedSeekable):
    """As above, with the methods of one that knows where it is: at the end, nothing is left."""

    set_position = None  # type: ignore[assignment]

    def draw(self) -> Iterable[Any]:
        yield from super().draw()

    def state_dict(self) -> dict[str, Any]:
        return {"epoch": self.epoch, "place": self.place}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.epoch, self.place = state["epoch"], state["place"]


class Drawing(Sequence):
    """A sequence whose batches are drawn when they are asked for."""

    def __init__(self) -> None:
        self.batches = list(zip(*(each.split(SIZE) for each in records()), strict=True))

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, index: Any) -> Any:
        inputs, *rest = self.batches[index]
        return inputs + noise(), *rest


def sampled(dataset: Any, **settings: Any) -> DataLoader:
    return DataLoader(dataset, batch_size=SIZE, sampler=EpochSampler(dataset, seed=3), **settings)


LOADERS: dict[str, Callable[[], Any]] = {
    "tensors": lambda: TensorLoader(*records(), batch_size=SIZE, shuffle=True, seed=3),
    "sampler": lambda: sampled(Noisy()),
    "workers": lambda: sampled(seeded(Noisy()), num_workers=2),
    "persistent": lambda: sampled(seeded(Noisy()), num_workers=2, persistent_workers=True),
    "list": lambda: Drawing().batches,
    "sequence": Drawing,
    "seekable": Seekable,
    "sized seekable": SizedSeekable,
    "stateful": Stateful,
    "sized stateful": SizedStateful,
    "counting": Counting,
    "shuffled": lambda: DataLoader(Noisy(), batch_size=SIZE, shuffle=True),
    "own generator": lambda: DataLoader(
        Noisy(), batch_size=SIZE, shuffle=True, generator=torch.Generator().manual_seed(5)
    ),
}


@dataclass(frozen=True)
class Training:
    """What is trained, and how; `begin` sets all of it up anew."""

    loader: str = "sampler"
    kind: str = "sgd"
    accumulate: int = 1
    body: str = "nothing"
    epochs: int = 2
    settings: tuple[tuple[str, Any], ...] = ()
    factor: float = 1.0
    records: int | None = None
    make: Callable[[], Any] | None = None

    def begin(self, *, seed: int = 0) -> "Run":
        torch.manual_seed(seed)
        random.seed(seed)
        np.random.seed(seed)  # noqa: NPY002
        return Run(self)

    def but(self, **changes: Any) -> Self:
        return replace(self, **changes)

    def resume(self, state: Any) -> "Run":
        """In new objects and under other random numbers, from what a file holds."""
        run = self.begin(seed=99)
        run.engine.load_state_dict(written(state))
        run.epoch = state["ranks"][0]["epoch"]
        return run


def recording(used: list[list[int]], training: Training) -> Callable[[nn.Module, Any], Loss]:
    """A step that notes what it trains on; no method, so that a loader ends with its run."""

    def step(model: nn.Module, batch: Any) -> Loss:
        inputs, targets, indices = batch
        if torch.is_grad_enabled():
            used.append(indices.tolist())
        loss = training.factor * cross_entropy(model(inputs), targets)
        return Loss(loss, records=training.records)

    return step


class Run:
    def __init__(self, training: Training) -> None:
        self.training = training
        model = nn.Sequential(
            nn.Linear(3, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Dropout(0.3), nn.Linear(6, 3)
        )
        settings = dict(training.settings)
        if training.kind == "sgd":
            optimizer: Any = SGD(model.parameters(), lr=0.1, momentum=0.9)
        else:
            optimizer = AdamW(model.parameters(), lr=0.01)
            settings["clip_norm"] = 0.5
        self.used: list[list[int]] = []
        self.engine = Engine(
            model,
            recording(self.used, training),
            optimizer,
            accumulate=training.accumulate,
            scheduler=CosineAnnealingLR(optimizer, 50),
            ema=0.9,
            **settings,
        )
        self.loader = LOADERS[training.loader]() if training.make is None else training.make()
        self.validation = DataLoader(TensorDataset(*records()), batch_size=13, shuffle=True)
        self.epoch = 0

    def updates(self, **settings: Any) -> Iterable[Any]:
        """All updates that are left, pass by pass, with the body of the loop done."""
        while self.epoch < self.training.epochs:
            for update in self.engine.updates(self.loader, **settings):
                if self.training.body == "draws":
                    noise()
                elif self.training.body == "validates":
                    self.engine.test_epoch(self.validation)
                yield update
            self.epoch += 1

    def states(self) -> list[dict[str, Any]]:
        """Train to the end; a state of each update."""
        return [copy.deepcopy(self.engine.state_dict()) for _ in self.updates()]

    def finish(self) -> dict[str, Any]:
        """Train to the end; all that there is then, and all that was trained on."""
        for _ in self.updates():
            pass
        return self.outcome()

    def outcome(self) -> dict[str, Any]:
        state = copy.deepcopy(self.engine.state_dict())
        del state["ranks"]  # which are the same, or say the same in other words
        return {**state, "random": get_random_state(), "used": self.used[:]}


def written(state: Any) -> Any:
    """What is read of a state that was written to a file."""
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    return torch.load(file, weights_only=True)


@pytest.fixture
def training() -> Training:
    return Training()


@pytest.fixture
def reading() -> Callable[[Any], Any]:
    return written


@pytest.fixture
def outcome_from(same) -> Callable[[Training, dict[str, Any], dict[str, Any]], bool]:
    """Whether a training that is resumed from a state comes to an outcome."""

    def compare(training: Training, state: dict[str, Any], expected: dict[str, Any]) -> bool:
        actual = training.resume(state).finish()
        batches = actual["used"]
        tail = expected["used"][len(expected["used"]) - len(batches) :]
        return same({**expected, "used": tail}, actual)

    return compare


@pytest.fixture
def noisy() -> type[Dataset]:
    return Noisy
