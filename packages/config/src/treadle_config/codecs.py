"""`Codecs`: how values of each type are read and written, in an object that the user holds."""

import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from treadle_config.build import Build
from treadle_config.encode import encoded
from treadle_config.errors import ConfigError, SchemaError
from treadle_config.foreign import Foreign
from treadle_config.leaves import hook_leaf
from treadle_config.plans import Leaf
from treadle_config.schema import Schema
from treadle_config.secret_values import hiding
from treadle_config.shortcut import UNREAD, Reader, Shortcut
from treadle_config.tree import Source, nodes_of

if TYPE_CHECKING:
    from cattrs import Converter

T = TypeVar("T")


class Codecs:
    """Reads and writes values by their declared type.

    Built in are int, float, bool, str, None, Any, Literal, Enum, Path, date, time, datetime and
    timedelta, Decimal, Fraction, UUID, list, tuple, set, frozenset, dict, their abstract kinds,
    unions of these, attrs classes and dataclasses, generic ones as well, and every class with
    a classmethod `parse(str)` and its own `__str__`; `torch.dtype` and `torch.device` where
    the schema names them.
    Other types are left to a cattrs converter: NamedTuple, TypedDict, deque, and whatever has
    a hook there. They are read as wholes, without paths of their own in flags and layers.

    ```python
    codecs = Codecs().register(Color, encode=Color.to_hex, decode=Color.from_hex)
    config = load(Config, "train.yaml", codecs=codecs)
    ```

    A class is planned once for each `Codecs`, so one that is kept makes later loads faster.

    Args:
        converter: A cattrs converter whose hooks are used for types that are not built in. It
            is copied. Without one, a plain one is made when the first such type is met.

    Raises:
        TypeError: It is no converter.
    """

    def __init__(self, converter: "Converter | None" = None) -> None:
        if converter is not None and not hasattr(type(converter), "structure"):
            raise TypeError(f"Codecs({converter!r}): give a cattrs converter, or nothing")
        self._converter = converter
        self._hooks: dict[type, Leaf] = {}
        self._schema = Schema(self._hooks, Foreign(converter, self))
        self._shortcut = Shortcut(self._schema)
        self._readers: dict[Any, Reader] = {}

    @property
    def schema(self) -> Schema:
        """The plans made so far; for this package's own use."""
        return self._schema

    @property
    def shortcut(self) -> Shortcut:
        """The quick way to read what is planned; for this package's own use."""
        return self._shortcut

    def register(
        self, type: type[T], encode: Callable[[T], Any], decode: Callable[[Any], T]
    ) -> "Codecs":
        """Teach one type; from then on also where it was used before.

        Args:
            type: The class, itself and not its subclasses.
            encode: Gives what a file can hold: text, a number, a list or a dict of such.
            decode: Undoes it. It is given text for every scalar that was written as text, and
                may raise anything; the message becomes part of the problem.

        Returns:
            The codecs themselves, for chaining.

        Raises:
            TypeError: The type is no class, or one of the functions is none.
        """
        self._hooks[type] = hook_leaf(type, encode, decode)
        # Plans made before may hold another way to read the type.
        self._schema = Schema(self._hooks, Foreign(self._converter, self))
        self._shortcut = Shortcut(self._schema)
        self._readers = {}
        return self

    def decode(self, value: Any, type: type[T]) -> T:
        """Read one value, without layers.

        Args:
            value: What a file, JSON or python would say.
            type: Any type that a field may be declared with.

        Raises:
            ConfigError: It does not fit; every problem at once.
            SchemaError: Nothing reads such a type.
        """
        try:
            read = self._readers.get(type)
        except TypeError:  # it cannot be hashed
            raise SchemaError(f"nothing reads the type {type!r}; give a type") from None
        if read is None:
            read = self._readers[type] = self._shortcut.reader(self._schema.of_type(type))
        made: T = UNREAD
        with contextlib.suppress(Exception):  # whatever it is, the whole pass says it better
            made = read(value)
        # Not in an `except`: what was raised there may quote a secret, and would be told as well.
        if made is UNREAD:
            return self._decoded(value, type)
        if self._schema.has_secrets:
            made = hiding(self._schema, self._schema.of_type(type), made)
        return made

    def _decoded(self, value: Any, type: type[T]) -> T:
        plan = self._schema.of_type(type)
        build = Build(self._schema, plan, [nodes_of(value, Source("code"))], [], trace=False)
        if build.problems:
            raise ConfigError(build.problems)
        made: T = build.made
        return made

    def encode(self, value: Any, type: Any = None) -> Any:
        """Write one value as what JSON can hold, save that floats may be infinite or NaN.

        Secrets are left out.

        Args:
            value: The value.
            type: Its declared type, where it is not simply the value's class.

        Raises:
            SchemaError: Nothing writes such a type.
        """
        plan = self._schema.of_type(value.__class__ if type is None else type)
        if not plan.accepts(value):
            raise SchemaError(f"{value!r} is no {plan.expected}, the type to write it as")
        return encoded(self._schema, plan, value)
