import copy
import itertools
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

torch.set_num_threads(1)


class Scale(nn.Module):
    """One weight, from 0, that multiplies its input: gradients can be done in the head."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros((), dtype=torch.float64))

    def forward(self, inputs: Tensor) -> Tensor:
        return self.weight * inputs


class Exceptions(nn.Module):
    """A shared weight, a frozen layer, one that no loss reaches, one that every other loss does."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.frozen = nn.Linear(6, 6), nn.Linear(6, 6), nn.Linear(6, 3)
        self.second.weight = self.first.weight
        self.frozen.requires_grad_(requires_grad=False)
        self.norm, self.unreached, self.sometimes = (
            nn.BatchNorm1d(6),
            nn.Linear(2, 2),
            nn.Linear(3, 3),
        )
        self.calls = 0

    def forward(self, inputs: Tensor) -> Tensor:
        self.calls += 1
        outputs = self.frozen(self.norm(self.second(torch.relu(self.first(inputs)))))
        return self.sometimes(outputs) if self.calls % 2 else outputs


class Block(nn.Module):
    """A tiny transformer: tokens of shape (records, 5) in, three scores a record out."""

    def __init__(self) -> None:
        super().__init__()
        self.tokens, self.places = nn.Embedding(11, 8), nn.Embedding(5, 8)
        self.block = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.1, batch_first=True)
        self.head = nn.Linear(8, 3)

    def forward(self, tokens: Tensor) -> Tensor:
        mask = nn.Transformer.generate_square_subsequent_mask(5)
        hidden = self.tokens(tokens) + self.places.weight
        return self.head(self.block(hidden, src_mask=mask, is_causal=True)[:, -1])


@pytest.fixture
def scale() -> Scale:
    return Scale()


@pytest.fixture
def network() -> Callable[..., nn.Module]:
    def build(kind: str = "mlp", seed: int = 0) -> nn.Module:
        torch.manual_seed(seed)
        if kind == "conv":
            return nn.Sequential(
                nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(144, 3)
            )
        if kind == "exceptions":
            return Exceptions()
        if kind == "gpt":
            return Block()
        return nn.Sequential(nn.Linear(6, 16), nn.Tanh(), nn.Dropout(0.2), nn.Linear(16, 3))

    return build


@pytest.fixture
def same() -> Callable[[object, object], bool]:
    """Whether two trees of tensors and values are the same to the last bit."""

    def compare(left: object, right: object) -> bool:
        if isinstance(left, Tensor):
            return isinstance(right, Tensor) and torch.equal(left, right)
        if isinstance(left, dict):
            return left.keys() == right.keys() and all(compare(left[k], right[k]) for k in left)
        if isinstance(left, (list, tuple)):
            return len(left) == len(right) and all(map(compare, left, right))
        return left == right

    return compare


@pytest.fixture
def twins(network) -> Callable[..., tuple[nn.Module, nn.Module]]:
    """Two copies of one network."""

    def build(kind: str = "mlp") -> tuple[nn.Module, nn.Module]:
        model = network(kind)
        return model, copy.deepcopy(model)

    return build


class HostReads(TorchDispatchMode):
    """Counts what makes the host wait for a device."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        name = function.overloadpacket.__name__
        if name in ("_local_scalar_dense", "item", "is_nonzero", "equal", "nonzero"):
            self.names.append(name)
        return function(*args, **(kwargs or {}))


@pytest.fixture
def host_reads() -> HostReads:
    return HostReads()


@pytest.fixture
def ticking(monkeypatch) -> Callable[[float], None]:
    """Let the engine's clock read 0, then `seconds`."""

    def patch(seconds: float) -> None:
        times = itertools.cycle([0.0, seconds])
        monkeypatch.setattr("treadle_loop.engine.perf_counter", lambda: next(times))

    return patch
