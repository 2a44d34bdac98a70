"""The least that a program does by hand for a file, flags and a typed config.

No help, no sources, no suggestions, no strictness: an unknown field is dropped in silence, `32.7`
becomes 32, and `--trainer.compile=false` is true.
"""

from collections.abc import Callable, Sequence
from typing import Any

import cattrs
import yaml
from schema import Config


def prepare() -> Callable[[str, Sequence[str]], Config]:
    """A load that keeps one prepared converter."""
    converter = cattrs.Converter()

    def load(file: str, argv: Sequence[str]) -> Config:
        with open(file, "rb") as stream:  # noqa: PTH123 (the fastest way)
            tree: dict[str, Any] = yaml.load(stream, yaml.CSafeLoader)
        for argument in argv:
            path, _, text = argument[2:].partition("=")
            *outer, key = path.replace("-", "_").split(".")
            inner = tree
            for step in outer:
                inner = inner.setdefault(step, {})
            inner[key] = text
        return converter.structure(tree, Config)

    return load
