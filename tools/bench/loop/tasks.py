"""What is trained: three models and their data, the same each time they are made."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, mse_loss, scaled_dot_product_attention
from torch.optim import SGD, AdamW, Optimizer
from torch.utils.data import DataLoader, TensorDataset

from treadle_loop import TensorLoader

LossFunction = Callable[[Any, Any], Tensor]
Loader = Iterable[Any]


@dataclass(frozen=True, slots=True)
class Task:
    """A model to train.

    Args:
        name: What it is called in a table.
        model: Makes it, with the same weights each time.
        loss: From its outputs and the targets, the mean over a batch.
        optimizer: Makes an optimizer of its parameters.
        inputs: All of them.
        targets: As many.
        batch_size: Records a batch.
    """

    name: str
    model: Callable[[], nn.Module]
    loss: LossFunction
    optimizer: Callable[[Any], Optimizer]
    inputs: Tensor
    targets: Tensor
    batch_size: int

    @property
    def batches(self) -> list[tuple[Tensor, Tensor]]:
        """All batches, made beforehand."""
        size = self.batch_size
        return list(zip(self.inputs.split(size), self.targets.split(size), strict=True))

    @property
    def dataset(self) -> TensorDataset:
        """The records, one by one."""
        return TensorDataset(self.inputs, self.targets)

    def data_loader(self) -> DataLoader[Any]:
        """What most programs have."""
        return DataLoader(self.dataset, batch_size=self.batch_size, shuffle=True)

    def tensor_loader(self) -> TensorLoader:
        """Ours, for data in memory."""
        return TensorLoader(self.inputs, self.targets, batch_size=self.batch_size, shuffle=True)


def tiny(batches: int = 150) -> Task:
    """A network of 10-32-1, where a loop's own cost shows most."""

    def model() -> nn.Module:
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 1))

    torch.manual_seed(1)
    inputs = torch.randn(32 * batches, 10)
    return Task(
        "tiny network",
        model,
        mse_loss,
        lambda parameters: SGD(parameters, lr=0.01),
        inputs,
        inputs.sum(1, keepdim=True),
        32,
    )


def convnet(batches: int = 40) -> Task:
    """Two convolutions over pictures of 16 by 16."""

    def model() -> nn.Module:
        torch.manual_seed(0)
        return nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(32, 10),
        )

    torch.manual_seed(1)
    inputs = torch.randn(64 * batches, 1, 16, 16)
    targets = inputs.mean((1, 2, 3)).mul(60).long().clamp(-4, 5) + 4
    return Task(
        "convnet",
        model,
        cross_entropy,
        lambda parameters: SGD(parameters, lr=0.05),
        inputs,
        targets,
        64,
    )


class Block(nn.Module):
    """A block of a GPT: attention to what was before, and a network of its own."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.before_attention, self.before_network = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention, self.mixed = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.network = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        )

    def forward(self, inputs: Tensor) -> Tensor:
        """(records, tokens, width) to the same."""
        query, key, value = (
            each.unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for each in self.attention(self.before_attention(inputs)).chunk(3, -1)
        )
        attended = scaled_dot_product_attention(query, key, value, is_causal=True)
        inputs = inputs + self.mixed(attended.transpose(1, 2).flatten(-2))
        return inputs + self.network(self.before_network(inputs))


class GPT(nn.Module):
    """A GPT: embeddings of tokens and places, blocks, and a guess of each next token."""

    def __init__(self, *, tokens: int, length: int, width: int, blocks: int, heads: int) -> None:
        super().__init__()
        self.tokens, self.places = nn.Embedding(tokens, width), nn.Embedding(length, width)
        self.blocks = nn.Sequential(*(Block(width, heads) for _ in range(blocks)))
        self.normalised = nn.LayerNorm(width)
        self.guess = nn.Linear(width, tokens, bias=False)
        self.guess.weight = self.tokens.weight
        nn.init.normal_(self.tokens.weight, std=0.02)

    def forward(self, tokens: Tensor) -> Tensor:
        """(records, tokens) to (records, tokens, vocabulary)."""
        places = torch.arange(tokens.size(1), device=tokens.device)
        inputs = self.tokens(tokens) + self.places(places)
        guesses: Tensor = self.guess(self.normalised(self.blocks(inputs)))
        return guesses


def next_token_loss(guesses: Tensor, targets: Tensor) -> Tensor:
    """The mean cross entropy over all tokens."""
    return cross_entropy(guesses.flatten(0, 1), targets.flatten())


def gpt(
    batches: int = 12,
    *,
    name: str = "GPT block",
    tokens: int = 65,
    length: int = 32,
    width: int = 128,
    blocks: int = 2,
    heads: int = 4,
    batch_size: int = 16,
    fused: bool | None = None,
) -> Task:
    """A small GPT, or as large a one as is asked for."""

    def model() -> nn.Module:
        torch.manual_seed(0)
        return GPT(tokens=tokens, length=length, width=width, blocks=blocks, heads=heads)

    torch.manual_seed(1)
    text = torch.randint(tokens, (batch_size * batches, length + 1))
    return Task(
        name,
        model,
        next_token_loss,
        lambda parameters: AdamW(parameters, lr=1e-3, fused=fused),
        text[:, :-1].contiguous(),
        text[:, 1:].contiguous(),
        batch_size,
    )
