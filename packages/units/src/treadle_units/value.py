"""What the frozen values of this package have in common."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import final
else:

    def final(cls: type) -> type:
        """Mark a class for type checkers as `typing.final` does, which takes long to import."""
        return cls


__all__ = ["Value", "final"]


class Value:
    """Something that is what its fields are: frozen, and equal and hashed by them.

    A subclass names its fields in the order of its constructor, as
    `__slots__ = __match_args__ = (...)`, annotates each of them as `Final`, and sets each once, in
    an `__init__` of its own; a type checker and this class refuse to set it again.
    Pickles and copies need no more than that.

    `dataclass(frozen=True, slots=True)` makes the same, but to import `dataclasses` takes longer
    than to import all of this package.
    """

    __slots__ = ()
    __match_args__: tuple[str, ...] = ()

    def _fields(self) -> tuple[object, ...]:
        return tuple([getattr(self, name) for name in self.__match_args__])

    def __eq__(self, other: object) -> bool:
        return self._fields() == other._fields() if type(other) is type(self) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._fields())

    def __repr__(self) -> str:
        fields = zip(self.__match_args__, self._fields(), strict=True)
        return f"{type(self).__qualname__}({', '.join(f'{name}={it!r}' for name, it in fields)})"

    # Type checkers take a class with these for one to which anything may be assigned.
    if not TYPE_CHECKING:

        def __setattr__(self, name: str, value: object) -> None:
            if hasattr(self, name):
                raise AttributeError(_frozen(self, name))
            super().__setattr__(name, value)

        def __delattr__(self, name: str) -> None:
            raise AttributeError(_frozen(self, name))


def _frozen(value: Value, name: str) -> str:
    kind = type(value).__name__
    return f"{name} of a {kind} cannot be changed, since it is a value; make another {kind}"
