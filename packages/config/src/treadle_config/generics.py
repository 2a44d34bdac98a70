"""Generic classes: what their type variables are, in a class, its bases and its subclasses."""

import functools
import operator
import typing
from collections.abc import Mapping, Sequence
from typing import Any

Variables = Mapping[Any, Any]


class Given(type):
    """A generic class with its parameters given, such as `Box[int]`, in the form of a class.

    Python's own `Box[int]` is no class. This has the instances and subclasses of `Box` that
    say nothing else of its parameters, and stands for it wherever classes are looked up.
    Nothing is made of it.

    Attributes:
        of: The generic class.
        arguments: Its parameters, as they were given.
    """

    of: type
    arguments: tuple[Any, ...]

    def __new__(mcs, of: type, arguments: tuple[Any, ...]) -> "Given":
        """Make what stands for `of[arguments]`."""
        name = f"{of.__name__}[{', '.join(map(_named, arguments))}]"
        made: Any = super().__new__(mcs, name, (), {"__module__": of.__module__})
        made.__qualname__ = of.__qualname__.removesuffix(of.__name__) + name
        made.of = of
        made.arguments = arguments
        if abstract := getattr(of, "__abstractmethods__", None):
            made.__abstractmethods__ = abstract
        return typing.cast(Given, made)

    def __init__(cls, of: type, arguments: tuple[Any, ...]) -> None:
        """Take the arguments of `__new__`, in place of those of `type`."""

    def __instancecheck__(cls, instance: Any) -> bool:
        """Whether something is an instance of the generic class that may have these parameters."""
        return issubclass(type(instance), cls)

    def __subclasscheck__(cls, other: type) -> bool:
        """Whether a class is the generic class, or a subclass that may have these parameters."""
        if other is cls:
            return True
        if not issubclass(bare(other), cls.of):
            return False
        arguments = other.arguments if isinstance(other, Given) else None
        said = variables_of(bare(other), arguments).get(cls.of, {})
        return all(
            _may_be(parameter, said.get(parameter, parameter), wanted)
            for parameter, wanted in zip(parameters_of(cls.of), cls.arguments, strict=True)
        )


def bare(cls: type) -> type:
    """The class itself, without parameters."""
    return cls.of if isinstance(cls, Given) else cls


def parameters_of(cls: type) -> tuple[Any, ...]:
    """The type variables that a class is declared with."""
    found: tuple[Any, ...] = cls.__dict__.get("__parameters__", ())
    return found


def variables_of(cls: type, arguments: Sequence[Any] | None = None) -> dict[type, Variables]:
    """What each generic class among a class and its bases has for its type variables.

    Args:
        cls: The class.
        arguments: Its own parameters; `None` leaves them open.
    """
    found: dict[type, Variables] = {}
    own = parameters_of(cls)
    _collect(cls, own if arguments is None else arguments, found)
    return found


def solved(cls: type, given: Given) -> tuple[Any, ...]:
    """The parameters of a generic subclass, so far as those of its base decide them."""
    said = variables_of(cls).get(given.of, {})
    wanted = dict(zip(map(said.get, parameters_of(given.of)), given.arguments, strict=True))
    return tuple(wanted.get(one, assumed(one)) for one in parameters_of(cls))


def filled(declared: Any, variables: Variables) -> Any:
    """A type with its type variables replaced."""
    if isinstance(declared, typing.TypeVar):
        return variables.get(declared, declared)
    # A bare generic class has parameters, too, but nothing within it to replace.
    open_ = () if isinstance(declared, type) else getattr(declared, "__parameters__", ())
    return declared[tuple(variables.get(one, one) for one in open_)] if open_ else declared


def assumed(variable: Any) -> Any:
    """What a type variable is where nobody says: its default, its bound, or anything."""
    # From python 3.13 on, or of typing_extensions.
    if hasattr(variable, "has_default") and variable.has_default():
        return variable.__default__
    if variable.__bound__ is not None:
        return variable.__bound__
    if not variable.__constraints__:
        return Any
    return functools.reduce(operator.or_, variable.__constraints__)


def _collect(cls: type, arguments: Sequence[Any], found: dict[type, Variables]) -> None:
    variables = dict(zip(parameters_of(cls), arguments, strict=False))
    # By the first way that leads to a base, in a diamond.
    found.setdefault(cls, variables)
    bases: Sequence[Any] = cls.__dict__.get("__orig_bases__", cls.__bases__)
    for base in bases:
        origin = typing.get_origin(base) or base
        if isinstance(origin, type) and origin not in (object, typing.Generic, typing.Protocol):
            inner = typing.get_args(base) or tuple(map(assumed, parameters_of(origin)))
            _collect(origin, [filled(one, variables) for one in inner], found)


def _may_be(parameter: Any, said: Any, wanted: Any) -> bool:
    """Whether a parameter that a subclass has, as far as it says, is the wanted one."""
    loose = parameter.__covariant__ or parameter.__contravariant__
    undecided = isinstance(said, typing.TypeVar) or len(getattr(said, "__parameters__", "")) > 0
    return bool(loose or undecided or said == wanted or Any in (said, wanted))


def _named(argument: Any) -> str:
    plain = isinstance(argument, type) and typing.get_origin(argument) is None
    return argument.__name__ if plain else str(argument).replace("typing.", "")
