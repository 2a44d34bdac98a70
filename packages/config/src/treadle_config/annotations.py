"""The types that the fields of a class are declared with, whatever form they are written in.

`typing.get_type_hints` gives the same and takes most of the time that a schema does; it is
left what is rare: names in quotes within other types.
"""

import builtins
import contextlib
import functools
import operator
import sys
import typing
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from attrs import NOTHING

from treadle_config.errors import SchemaError
from treadle_config.fields import Field, Fields, owner_of
from treadle_config.generics import Variables, filled
from treadle_config.tree import join

_TEXTS = (str, typing.ForwardRef)


def declared_types(
    fields: Fields, variables: Mapping[type, Variables], names: Mapping[str, Any], path: str
) -> dict[str, Any]:
    """The declared type of each field, by its key.

    Args:
        fields: The fields of a class.
        variables: What the type variables of the class and of its bases are; mostly empty.
        names: What a local class may refer to besides what its module has.
        path: Where the class stands, for messages.

    Returns:
        A type for each; `NOTHING` where nothing is declared.

    Raises:
        SchemaError: An annotation names what cannot be found.
    """
    found = {}
    texts: dict[type, list[Field]] = {}
    alone = fields.cls.__bases__ == (object,)
    for key, one in fields.items():
        declared = one.type
        if isinstance(declared, str):
            owner = fields.cls if alone else owner_of(one, fields.cls)
            texts.setdefault(owner, []).append(one)
        elif declared is None and not _is_annotated(one, fields.cls):
            found[key] = NOTHING
        else:
            found[key] = declared
    for owner, written in texts.items():
        found.update(_read(owner, written, names, path))
    if any(map(_holds_text, [one for one in found.values() if not isinstance(one, type)])):
        hints = _hints(fields.cls, names, path)
        found = {key: hints.get(one.name, found[key]) for key, one in fields.items()}
    if variables:
        for key, one in fields.items():
            found[key] = filled(found[key], variables.get(owner_of(one, fields.cls), {}))
    return found


def _read(
    owner: type, written: Iterable[Field], names: Mapping[str, Any], path: str
) -> dict[str, Any]:
    """Read annotations that are text, as `from __future__ import annotations` leaves them."""
    module = vars(sys.modules[owner.__module__]) if owner.__module__ in sys.modules else {}
    inside = vars(owner)
    spaces = (module, inside, _parameters(owner), names, vars(builtins))
    found = {}
    others = []
    for one in written:
        if one.type in module:  # as most names of classes are
            found[one.key] = module[one.type]
            continue
        try:
            found[one.key] = _simple(one.type, spaces)
        except (LookupError, TypeError):
            others.append(one)
    if others:
        # What the module has goes first, then the class, then the function around it.
        outside = {**_parameters(owner), **inside}
        together = "".join(f"({one.type}\n)," for one in others)
        try:
            values = _value(together, outside, module)
            if len(values) != len(others):
                raise SyntaxError  # noqa: TRY301  # as what holds no type is
        except Exception:  # noqa: BLE001  # one of them; which, is told below
            outside = {**names, **outside}
            values = [_alone(owner, one, outside, module, path) for one in others]
        found.update(zip((one.key for one in others), values, strict=True))
    return found


def _simple(text: str, spaces: Sequence[Mapping[str, Any]]) -> Any:
    """Read `int`, `int | None` and `dict[str, int]`: names, for which no compiler is needed.

    Raises:
        LookupError: There is more in it, or a name is not found.
        TypeError: What is found there is no type.
    """
    if text.endswith("]"):
        head, _, rest = text[:-1].partition("[")
        inside = tuple(_named(name, spaces) for name in rest.split(", "))
        return _named(head, spaces)[inside if len(inside) > 1 else inside[0]]
    if "|" in text:
        return functools.reduce(operator.or_, (_named(name, spaces) for name in text.split(" | ")))
    return _named(text, spaces)


def _named(name: str, spaces: Sequence[Mapping[str, Any]]) -> Any:
    for space in spaces:
        if name in space:
            return space[name]
    quote = name[:1]
    if quote in ("'", '"') and name.find(quote, 1) == len(name) - 1 and "\\" not in name:
        # In a Literal; within another type it is a name, looked up later.
        return name[1:-1]
    raise LookupError(name)


def _alone(
    owner: type, one: Field, outside: dict[str, Any], module: dict[str, Any], path: str
) -> Any:
    try:
        return _value(one.type, outside, module)
    except Exception as error:
        raise SchemaError(_unreadable(join(path, one.key), owner, error)) from error


def _value(text: str, outside: dict[str, Any], module: dict[str, Any]) -> Any:
    return eval(text, outside, module)  # noqa: S307  # an annotation of the program itself


def _hints(cls: type, names: Mapping[str, Any], path: str) -> dict[str, Any]:
    with contextlib.suppress(Exception):
        return typing.get_type_hints(cls)
    # A local class names what only its function knows.
    module = vars(sys.modules[cls.__module__]) if cls.__module__ in sys.modules else {}
    try:
        return typing.get_type_hints(cls, None, {**module, **_parameters(cls), **names})
    except Exception as error:
        raise SchemaError(_unreadable(path or cls.__name__, cls, error)) from error


def _parameters(cls: type) -> dict[str, Any]:
    """The type variables of `class Box[T]`, which only the class itself knows by name."""
    return {one.__name__: one for one in getattr(cls, "__type_params__", ())}


def _unreadable(path: str, cls: type, error: Exception) -> str:
    return (
        f"{path}: an annotation of {cls.__qualname__} cannot be read ({error}); "
        "define what it names at module level, outside of `if TYPE_CHECKING`"
    )


def _is_annotated(field: Field, cls: type) -> bool:
    """Whether a field without a type is one that is declared to be None."""
    return field.name in getattr(owner_of(field, cls), "__annotations__", {})


def _holds_text(declared: Any) -> bool:
    """Whether a type has a name in quotes in it, as `list["Tree"]` has."""
    if isinstance(declared, _TEXTS):
        return True
    if getattr(declared, "__origin__", None) is typing.Literal:
        return False
    # Not typing.get_args, which takes longer, and gives what is annotated with as well.
    for one in getattr(declared, "__args__", ()):
        if not isinstance(one, type) and _holds_text(one):
            return True
    return False
