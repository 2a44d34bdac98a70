"""What the frozen values of this package have in common."""

from typing import Any, ClassVar, NoReturn, Self


class Value:
    """Something that is what its fields are: frozen, and equal and hashed by them.

    A subclass names the fields that count in `__match_args__`, in the order of its constructor,
    which puts them into `__dict__` itself.
    `attrs.frozen` makes the same of a class, but to make six of them takes a third of the time that
    it takes to import this package.
    """

    __match_args__: ClassVar[tuple[str, ...]] = ()

    def replaced(self, **changes: Any) -> Self:
        """The same with other values for some fields."""
        made = object.__new__(type(self))
        made.__dict__.update(self.__dict__, **changes)
        return made

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        mine, others = self.__dict__, other.__dict__
        return all(mine[name] == others[name] for name in self.__match_args__)

    def __hash__(self) -> int:
        return hash(tuple([self.__dict__[name] for name in self.__match_args__]))

    def __repr__(self) -> str:
        said = ", ".join(f"{name}={self.__dict__[name]!r}" for name in self.__match_args__)
        return f"{type(self).__name__}({said})"

    def __setattr__(self, name: str, _value: object) -> NoReturn:
        kind = type(self).__name__
        raise AttributeError(f"{name} of a {kind} cannot be set, since it is a value")

    def __delattr__(self, name: str) -> NoReturn:
        self.__setattr__(name, None)
