"""The text that ships inside CPython: the topics of `help()`, cut from the language reference."""

import importlib
from math import log
from typing import Any, NamedTuple

import torch
from torch import Tensor

from treadle.errors import TreadleError


class MissingText(TreadleError):
    """Python comes without the text here."""


class Corpus(NamedTuple):
    """A text as numbers, in two parts.

    Attributes:
        vocabulary: Its characters, sorted; the number of a character is its place here.
        train: `(N,)` int64, the beginning.
        held_out: `(M,)` int64, the last tenth.
    """

    vocabulary: str
    train: Tensor
    held_out: Tensor

    def decode(self, numbers: Tensor) -> str:
        """The text of `(T,)` numbers."""
        return "".join(self.vocabulary[number] for number in numbers.tolist())

    def entropy(self) -> float:
        """The loss, in nats, of who knows how frequent each character is in the training text, and nothing else."""
        counts = torch.bincount(self.train, minlength=len(self.vocabulary)).double()
        shares = counts[counts > 0] / counts.sum()
        return -float((shares * shares.log()).sum())


def read_text() -> str:
    """The topics of `pydoc_data.topics`, in the order of their names, one after the other.

    Some 465,000 characters in CPython 3.11, and more in later ones.

    Raises:
        MissingText: It is not installed, or is something else than texts by name.
    """
    try:
        topics: Any = importlib.import_module("pydoc_data.topics").topics
    except (ImportError, AttributeError):
        topics = None
    is_text = isinstance(topics, dict) and all(isinstance(one, str) for one in topics.values())
    if not topics or not is_text:
        raise MissingText(
            "this Python has no texts in pydoc_data.topics, which the demo learns from; some systems leave them out: "
            "take one from python.org, conda or uv"
        )
    return "".join(topics[name] for name in sorted(topics))


def encode(text: str) -> Corpus:
    """Number the characters, all that there are, and hold the last tenth out."""
    vocabulary = "".join(sorted(set(text)))
    numbers = {character: number for number, character in enumerate(vocabulary)}
    encoded = torch.tensor([numbers[character] for character in text], dtype=torch.int64)
    held_out = len(encoded) // 10
    return Corpus(vocabulary, encoded[:-held_out], encoded[-held_out:])


def bits(nats: Tensor) -> Tensor:
    """The same amount of information in bits."""
    return nats / log(2)
