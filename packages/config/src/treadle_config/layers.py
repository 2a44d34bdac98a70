"""Layers: what `load` is given, in the order in which the later one wins."""

import os
from collections.abc import Mapping, Sequence
from types import FrameType
from typing import Any, Literal

from attrs import frozen

from treadle_config.environment import environment_layer
from treadle_config.errors import Problem
from treadle_config.files import read_file
from treadle_config.plans import Plan
from treadle_config.schema import Schema
from treadle_config.tree import Node, Source, nodes_of

Precedence = Literal["code_over_file", "file_over_code"]

ORDERS: dict[str, tuple[str, ...]] = {
    "code_over_file": ("default", "file", "env", "code", "cli"),
    "file_over_code": ("default", "code", "file", "env", "cli"),
}
COMMAND_LINE_RANK = 1_000_000
"""Above every layer that can be given, whose number is not known when argv is read."""


@frozen
class Layer:
    """A named layer; made by `layer`."""

    name: str
    values: Mapping[str, Any]
    at: Literal["file", "code"]
    must_win: bool = False


def layer(
    name: str, values: Mapping[str, Any], *, at: Literal["file", "code"], must_win: bool = False
) -> Layer:
    """Name a layer of one's own, such as a cluster's or a searcher's hyperparameters.

    Args:
        name: What provenance and messages call it.
        values: Nested like the schema; a key may also be a dotted path.
        at: The rank it stands just above: after the files, or after the code layers.
        must_win: Whether it is a problem, naming both sources, that a stronger layer says
            something else.

    Raises:
        ValueError: `at` is neither.
    """
    if at not in ("file", "code"):
        raise ValueError(f'layer(at={at!r}): a layer stands at="file" or at="code"')
    return Layer(name, values, at, must_win)


LayerLike = str | os.PathLike[str] | Mapping[str, Any] | Layer


@frozen(eq=False)
class Stack:
    """What one call was given, before anything is read."""

    layers: tuple[LayerLike, ...]
    precedence: Precedence
    env: str | None
    site: Source

    def read(self, schema: Schema, root: Plan, problems: list[Problem]) -> list[Node]:
        """Read every layer, the weakest first.

        Raises:
            MissingExtra: A YAML file was given and PyYAML is not installed.
        """
        found = []
        for rank, given in enumerate(self._ordered(), start=1):
            node: Node | None
            if isinstance(given, _Environment):
                variables = os.environ
                node = environment_layer(
                    schema, root, given.prefix, variables, rank=rank, problems=problems
                )
            elif isinstance(given, Layer):
                source = Source("layer", given.name, must_win=given.must_win, order=(rank, 0))
                node = nodes_of(_plain_dicts(given.values), source)
            elif isinstance(given, Mapping):
                node = nodes_of(_plain_dicts(given), self._site_at(rank))
            else:
                node = read_file(given, rank, problems)
            if node is not None:
                found.append(node)
        return found

    def _ordered(self) -> "list[LayerLike | _Environment]":
        """The layers, the weakest first; named ones stand above the others of their rank."""
        named = [given for given in self.layers if isinstance(given, Layer)]
        unnamed = [given for given in self.layers if not isinstance(given, Layer)]
        code = [given for given in unnamed if isinstance(given, Mapping)]
        files = [given for given in unnamed if not isinstance(given, Mapping)]
        code_rank: list[LayerLike] = [*code, *(given for given in named if given.at == "code")]
        file_rank: list[LayerLike] = [*files, *(given for given in named if given.at == "file")]
        env = [] if self.env is None else [_Environment(self.env)]
        if self.precedence == "code_over_file":
            return [*file_rank, *env, *code_rank]
        return [*code_rank, *file_rank, *env]

    def _site_at(self, rank: int) -> Source:
        return Source("code", self.site.name, self.site.line, order=(rank, self.site.line))


def stack_of(
    layers: Sequence[LayerLike], precedence: str, env: str | None, frame: FrameType
) -> Stack:
    """Check what one call was given.

    Raises:
        TypeError: A layer is neither a path, a mapping, nor a `layer`.
        ValueError: The precedence is unknown, or the prefix is empty.
    """
    if precedence not in ORDERS:
        raise ValueError(f"precedence={precedence!r} is unknown; it is one of {', '.join(ORDERS)}")
    if env == "":
        raise ValueError("env='' would read every variable there is; give a prefix such as 'APP_'")
    for given in layers:
        if not isinstance(given, str | os.PathLike | Mapping | Layer):
            raise TypeError(
                f"{given!r} is no layer: give a path, a mapping, or layer(name, values, at=...)"
            )
    checked: Precedence = "file_over_code" if precedence == "file_over_code" else "code_over_file"
    return Stack(tuple(layers), checked, env, site_of(frame))


def site_of(frame: FrameType) -> Source:
    """The line of code that a frame is at."""
    return Source("code", os.path.basename(frame.f_code.co_filename), frame.f_lineno)  # noqa: PTH119


@frozen
class _Environment:
    prefix: str


def _plain_dicts(values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: _plain_dicts(child) if isinstance(child, Mapping) else child
        for key, child in values.items()
    }
