"""Layers: what `load` is given, in the order in which the later one wins."""

import itertools
import os
import typing
from collections.abc import Mapping, Sequence
from types import FrameType
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol

from treadle_config.environment import environment_layer
from treadle_config.errors import Problem
from treadle_config.include import INCLUDE, Files
from treadle_config.instances import value_tree
from treadle_config.plans import Choice, Plan
from treadle_config.schema import Schema
from treadle_config.tree import Node, Source, nodes_of
from treadle_config.value import Value

Precedence = Literal["code_over_file", "file_over_code"]

ORDERS: dict[str, tuple[str, ...]] = {
    "code_over_file": ("default", "file", "env", "code", "cli"),
    "file_over_code": ("default", "code", "file", "env", "cli"),
}
_KINDS = frozenset({*ORDERS["code_over_file"], "link"})
COMMAND_LINE_RANK = 1_000_000
"""Above every layer that can be given, whose number is not known when argv is read."""


class Layer(Value):
    """A named layer; made by `layer`."""

    __match_args__ = ("name", "values", "at", "must_win")

    name: str
    values: Mapping[str, Any]
    at: Literal["file", "code"]
    must_win: bool

    def __init__(
        self, name: str, values: Mapping[str, Any], at: Literal["file", "code"], *, must_win: bool
    ) -> None:
        self.__dict__.update(name=name, values=values, at=at, must_win=must_win)

    def __repr__(self) -> str:
        # Without the values: it is not known here which of them are secret.
        return f"Layer(name={self.name!r}, at={self.at!r}, must_win={self.must_win!r})"


def layer(
    name: str, values: Mapping[str, Any], *, at: Literal["file", "code"], must_win: bool = False
) -> Layer:
    """Name a layer of your own, such as a cluster's or a searcher's hyperparameters.

    Args:
        name: What provenance and messages call it.
        values: Nested like the schema; a key may also be a dotted path.
        at: The rank it stands just above: after the files, or after the code layers.
        must_win: Whether it is a problem, naming both sources, if a stronger layer gives
            something else.

    Raises:
        ValueError: `at` is neither, or the name is empty or that of a kind of layer, such as
            `file`.
        TypeError: The name is not a text, or `must_win` is not a bool.
    """
    if not isinstance(name, str):
        raise TypeError(f"layer({name!r}, ...): give a name, then a mapping of values")
    if not isinstance(must_win, bool):
        raise TypeError(f"layer({name!r}, must_win={must_win!r}): give True or False")
    if not name.strip() or name in _KINDS:
        raise ValueError(f"layer({name!r}, ...): give it a name of its own, such as 'cluster'")
    if at not in ("file", "code"):
        raise ValueError(f'layer(at={at!r}): give at="file" or at="code"')
    return Layer(name, values, at, must_win=must_win)


if TYPE_CHECKING:
    # To make a protocol and such a union takes long, and nothing looks at them later.
    from attrs import AttrsInstance

    class DataclassInstance(Protocol):
        """An instance of a dataclass."""

        __dataclass_fields__: ClassVar[dict[str, Any]]

    # An instance is one of the schema itself.
    LayerLike = (
        str | os.PathLike[str] | Mapping[str, Any] | Layer | AttrsInstance | DataclassInstance
    )
else:
    LayerLike = Any


def check_layers(
    cls: type,
    given: Sequence[LayerLike],
    precedence: str,
    env: str | None,
    *,
    has_secrets: bool = False,
) -> None:
    """Check what a program gave.

    If the schema has secrets, what is not a layer is not shown: it may hold one.

    Raises:
        TypeError: A layer is neither a path, a mapping, an instance of the class, nor a `layer`,
            or the prefix is not a text.
        ValueError: The precedence is unknown, the prefix is empty, or two layers have one name.
    """
    if not isinstance(precedence, str) or precedence not in ORDERS:
        raise ValueError(f"precedence={precedence!r} is unknown; it is one of {', '.join(ORDERS)}")
    if env is not None and not isinstance(env, str):
        raise TypeError(f"env={env!r}: give the prefix of the variables to read, such as 'APP_'")
    if env == "":
        raise ValueError("env='' would read every variable there is; give a prefix such as 'APP_'")
    bare = typing.get_origin(cls) or cls
    names: set[str] = set()
    for one in given:
        if isinstance(one, Layer):
            if one.name in names:
                raise ValueError(
                    f"two layers are named {one.name!r}; give one of them another name"
                )
            names.add(one.name)
        if not isinstance(one, str | os.PathLike | Mapping | Layer) and type(one) is not bare:
            if type(getattr(one, "config", None)) is bare:
                raise TypeError(f"a {type(one).__name__} is no layer: give its .config")
            said = f"an object of type {type(one).__name__}" if has_secrets else repr(one)
            raise TypeError(
                f"{said} is no layer: give a path, a mapping, an instance of {cls.__name__}, "
                "or layer(name, values, at=...)"
            )


def read_layers(
    schema: Schema,
    root: Plan,
    given: Sequence[LayerLike],
    precedence: Precedence,
    env: str | None,
    *,
    frame: FrameType,
    problems: list[Problem],
) -> list[Node]:
    """Read every layer, the weakest first; named ones stand above the others of their rank.

    Args:
        schema: Where classes are planned.
        root: The plan of the config.
        given: The layers, as `load` takes them.
        precedence: The policy.
        env: The prefix of environment variables, if they are to be read.
        frame: What gives them; mappings are attributed to its line.
        problems: Where to put what is wrong.

    Raises:
        MissingExtra: A YAML file was given and PyYAML is not installed.
    """
    ordered: dict[str, list[LayerLike]] = {"code": [], "file": []}
    for one in sorted(given, key=lambda one: isinstance(one, Layer)):
        at = "file" if isinstance(one, str | os.PathLike) else "code"
        ordered[one.at if isinstance(one, Layer) else at].append(one)
    found: list[Node | None] = []
    ranks = itertools.count(1)
    of_root = root.mapping.classes[0] if isinstance(root.mapping, Choice) else None
    includes = of_root is None or INCLUDE not in schema.fields_of(of_root)
    files = Files(ranks, problems, includes=includes)
    for kind in ORDERS[precedence]:
        if kind == "env" and env is not None:
            rank = next(ranks)
            found += environment_layer(schema, root, env, rank=rank, problems=problems)
        for one in ordered.get(kind, ()):
            if isinstance(one, str | os.PathLike):
                found += files.read(one)
            elif isinstance(one, Layer):
                order = (next(ranks), 0)
                at, must_win = one.at, one.must_win
                source = Source("layer", one.name, must_win=must_win, order=order, at=at)
                found.append(nodes_of(one.values, source))
            else:
                site = site_of(frame)
                source = site.replaced(order=(next(ranks), site.line))
                mapping = isinstance(one, Mapping)
                found.append(
                    nodes_of(one, source) if mapping else value_tree(schema, root, one, source)
                )
    return [node for node in found if node is not None]


def site_of(frame: FrameType) -> Source:
    """The line of code that a frame is at."""
    path = frame.f_code.co_filename
    return Source("code", _cell(frame, path) or os.path.basename(path), frame.f_lineno)  # noqa: PTH119


def _cell(frame: FrameType, path: str) -> str | None:
    """The number of a notebook's cell, as it is shown beside it: the file of one is called by a hash."""
    get_ipython = frame.f_builtins.get("get_ipython", lambda: None)
    name_of = getattr(getattr(get_ipython(), "compile", None), "format_code_name", lambda _: None)
    label: tuple[str, str] | None = name_of(path)  # such as ("Cell", "In[3]")
    return label[1] if label is not None else None
