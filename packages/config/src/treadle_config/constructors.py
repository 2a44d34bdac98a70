"""Whether a class can be made from its fields."""

import inspect
import typing
from typing import Any

from treadle_config.errors import SchemaError
from treadle_config.fields import Fields
from treadle_config.tree import join


def check_constructor(fields: Fields, path: str) -> None:
    """Compare what the constructor of a class takes with its fields.

    They differ where the class has an `__init__` of its own, and where a dataclass has an
    `InitVar`, which its instances do not keep.

    Args:
        fields: The fields of the class.
        path: Where the class stands, for messages.

    Raises:
        SchemaError: It does not take a field, or wants what is none; or the decorator that makes
            fields of what the class declares is missing.
    """
    _check_decorated(fields.cls, path)
    # Not inspect.signature, which takes longer than all else that is done for a class.
    init: Any = fields.cls.__init__  # type: ignore[misc]  # of the class, not of an instance
    code = getattr(init, "__code__", None)
    name = fields.cls.__name__
    where = f"{path}: " if path else ""
    if code is None:
        taken: tuple[str, ...] = ()
        flags = 0
    else:
        taken = code.co_varnames[1 : code.co_argcount + code.co_kwonlyargcount]
        flags = code.co_flags
    if not flags & inspect.CO_VARKEYWORDS:
        for key in fields:
            if key not in taken:
                raise SchemaError(
                    f"{where}the __init__ of {name} takes no {key!r}, which is a field of it; "
                    "let it take every field by name, or declare the field with init=False"
                )
    if len(taken) == len(fields):
        return
    for key in taken:
        if (
            key not in fields
            and inspect.signature(init).parameters[key].default is inspect.Parameter.empty
        ):
            raise SchemaError(
                f"{where}the __init__ of {name} needs {key!r}, which is not a field, so no "
                "config can hold it; give it a default there, or make it a field"
            )


def _check_decorated(cls: type, path: str) -> None:
    """A subclass without the decorator of its base declares fields that are none."""
    if "__attrs_attrs__" in cls.__dict__ or "__dataclass_fields__" in cls.__dict__:
        return
    for name, declared in cls.__annotations__.items():
        kinds: tuple[Any, ...] = (declared, typing.get_origin(declared))
        text = declared if isinstance(declared, str) else ""
        if typing.ClassVar not in kinds and not text.startswith(("ClassVar", "typing.ClassVar")):
            raise SchemaError(
                f"{join(path, name)}: {cls.__name__} declares it but is not decorated like its "
                "base, so it is not a field; put @frozen, or what its base has, above the class"
            )
