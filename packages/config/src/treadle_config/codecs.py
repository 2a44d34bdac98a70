"""`Codecs`: how values of each type are read and written, in an object that the user holds."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from treadle_config.build import Build
from treadle_config.class_defaults import BAD, ClassDefaults
from treadle_config.encode import encoded
from treadle_config.errors import ConfigError, Problem, SchemaError
from treadle_config.leaves import hook_leaf
from treadle_config.merge import Merge
from treadle_config.paths import known_paths
from treadle_config.plans import Leaf
from treadle_config.schema import Schema
from treadle_config.tree import Source, nodes_of

T = TypeVar("T")


class Codecs:
    """Reads and writes values by their declared type.

    Built in are int, float, bool, str, None, Any, Literal, Enum, Path, date and datetime,
    Fraction, list, tuple, set, frozenset, dict, unions of these, attrs classes and
    dataclasses, and every class with a classmethod `parse(str)` and its own `__str__`.

    ```python
    codecs = Codecs().register(Color, encode=Color.to_hex, decode=Color.from_hex)
    config = load(Config, "train.yaml", codecs=codecs)
    ```

    A class is planned once for each `Codecs`, so one that is kept makes later loads faster.
    """

    def __init__(self) -> None:
        self._hooks: dict[type, Leaf] = {}
        self._schema = Schema(self._hooks)

    @property
    def schema(self) -> Schema:
        """The plans made so far; for this package's own use."""
        return self._schema

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
        """
        self._hooks[type] = hook_leaf(type, encode, decode)
        # Plans made before may hold another way to read the type.
        self._schema = Schema(self._hooks)
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
        source = Source("code")
        problems: list[Problem] = []
        plan = self._schema.of_type(type)
        node = nodes_of(dict(value) if isinstance(value, Mapping) else value, source)
        merged = Merge(self._schema, problems, over_defaults=True).merge(plan, None, node, "")
        made: Any = BAD
        if merged is not None:
            build = Build(
                self._schema,
                problems,
                lambda: known_paths(self._schema, plan),
                ClassDefaults(self._schema, problems),
            )
            made = build.value(plan, merged, "")
        if problems:
            raise ConfigError(problems)
        result: T = made
        return result

    def encode(self, value: Any, type: Any = None) -> Any:
        """Write one value as what JSON can hold, save that floats may be infinite or NaN.

        Args:
            value: The value.
            type: Its declared type, where it is not simply the value's class.

        Raises:
            SchemaError: Nothing writes such a type.
        """
        declared = value.__class__ if type is None else type
        plan = self._schema.of_type(declared)
        if not plan.accepts(value):
            raise SchemaError(f"{value!r} is no {plan.expected}, the type to write it as")
        return encoded(self._schema, plan, value)
