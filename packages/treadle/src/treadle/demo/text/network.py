"""A GPT: a decoder of the Transformer, which sees characters up to here and says how likely each is to come next."""

from math import sqrt

import torch
from torch import Tensor, nn
from torch.nn.functional import linear, scaled_dot_product_attention

# The standard deviation of initial weights in A. Radford et al., Improving Language Understanding by Generative
# Pre-Training, 2018, section 4.1.
_INITIAL = 0.02


class GPT(nn.Module):
    """Characters `(B, T)` int64 to logits `(B, T, characters)`; those at a place depend on nothing behind it.

    As in A. Radford et al., Language Models are Unsupervised Multitask Learners, 2019, section 2.3: learned positions,
    layer normalisation before each part and at the end, weights of the residual parts scaled down by how many there
    are, and the embedding used again for the output. There are no biases.

    Args:
        characters: How many different ones there are.
        layers: How many blocks follow each other.
        heads: How many attentions a block has; divides `width`.
        width: How many numbers stand for a character.
        block: The longest context, `T`.
        dropout: The share of activations left out in training.
    """

    def __init__(
        self, characters: int, *, layers: int, heads: int, width: int, block: int, dropout: float
    ) -> None:
        super().__init__()
        self.block = block
        self.characters = nn.Embedding(characters, width)
        self.positions = nn.Embedding(block, width)
        self.dropout = nn.Dropout(dropout)
        self.layers = nn.Sequential(*(Layer(heads, width, dropout) for _ in range(layers)))
        self.norm = nn.LayerNorm(width, bias=False)
        for name, parameter in self.named_parameters():
            if parameter.ndim == 2:
                is_residual = name.endswith(("joined.weight", "narrow.weight"))
                scale = 1 / sqrt(2 * layers) if is_residual else 1
                nn.init.normal_(parameter, std=_INITIAL * scale)

    def forward(self, characters: Tensor) -> Tensor:
        """`(B, T)` int64, with `T` no more than `block`, to `(B, T, characters)`."""
        places = torch.arange(characters.shape[1], device=characters.device)
        x = self.dropout(self.characters(characters) + self.positions(places))
        logits: Tensor = linear(self.norm(self.layers(x)), self.characters.weight)
        return logits


class Layer(nn.Module):
    """A block: each place looks at those before it, and then thinks for itself."""

    def __init__(self, heads: int, width: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.attention_norm = nn.LayerNorm(width, bias=False)
        self.asked = nn.Linear(width, 3 * width, bias=False)  # queries, keys and values
        self.joined = nn.Linear(width, width, bias=False)
        self.thinking_norm = nn.LayerNorm(width, bias=False)
        self.wide = nn.Linear(width, 4 * width, bias=False)
        self.narrow = nn.Linear(4 * width, width, bias=False)
        self.gelu = nn.GELU()
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """`(B, T, width)` to the same."""
        x = x + self.dropout(self.joined(self._attend(self.attention_norm(x))))
        thought = self.narrow(self.gelu(self.wide(self.thinking_norm(x))))
        out: Tensor = x + self.dropout(thought)
        return out

    def _attend(self, x: Tensor) -> Tensor:
        heads = (each.unflatten(2, (self.heads, -1)) for each in self.asked(x).chunk(3, dim=2))
        query, key, value = (each.transpose(1, 2) for each in heads)  # (B, heads, T, width / heads)
        dropout = self.dropout.p if self.training else 0.0
        seen = scaled_dot_product_attention(query, key, value, dropout_p=dropout, is_causal=True)
        return seen.transpose(1, 2).flatten(2)
