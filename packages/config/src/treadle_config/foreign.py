"""Types that are not planned here, read and written as wholes by one cattrs converter.

cattrs is imported when the first such type is met: most schemas have none.
"""

import collections
import contextlib
import enum
import functools
import typing
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from treadle_config.errors import ConfigError, Problem, SchemaError
from treadle_config.fields import is_class
from treadle_config.leaves import reason
from treadle_config.plans import Leaf
from treadle_config.scalars import Mismatch, decode_anything
from treadle_config.suggestions import did_you_mean, nearest
from treadle_config.tree import DEFAULT, Unreadable, Verbatim, join, shown, value_of, within

if TYPE_CHECKING:
    from cattrs import Converter

    from treadle_config.codecs import Codecs

_OTHER = typing.NewType("_OTHER", int)


class Foreign:
    """A cattrs converter, made when it is needed, and the leaves of what it reads.

    What is planned here is read and written by its plan within other types, too.
    """

    def __init__(self, given: "Converter | None", codecs: "Codecs") -> None:
        self._given = given
        self._codecs = codecs

    def has_own_hook(self, new_type: Any) -> bool:
        """Whether the user's converter has a hook for just this `NewType`."""
        if self._given is None:
            return False
        with contextlib.suppress(Exception):  # there is none
            # The usual hook of a NewType is made anew for each, by the same code.
            hooks = [self._given.get_structure_hook(one) for one in (new_type, _OTHER)]
            own, usual = (getattr(hook, "__code__", None) for hook in hooks)
            return own is not usual
        return False

    def leaf(self, declared: Any, path: str) -> Leaf | None:
        """The leaf of a type; `None` if cattrs does not read it either.

        Raises:
            SchemaError: It holds something that nobody reads.
        """
        cls = typing.get_origin(declared) or declared
        # Bytes have no one text form, and a base of enums has no members.
        has_none = declared is bytes or (isinstance(cls, type) and issubclass(cls, enum.Enum))
        if is_class(cls) or (has_none and self._given is None):
            return None
        if cls is not declared and hasattr(cls, "_fields"):
            return None  # cattrs makes a bare tuple of a generic NamedTuple
        try:
            self._converter.get_structure_hook(declared)
        except Exception:  # noqa: BLE001  # no hook, or one that cannot be made
            return None
        shape = None
        if self._given is None:  # a hook of the user's may read whatever it likes
            shape = _shape(cls)
            for one in _inside(declared, cls):
                self._codecs.schema.of_type(one, path)
        name = getattr(cls, "__name__", str(cls))
        python = dict if typing.is_typeddict(cls) else cls
        # What may be anything cattrs takes as it is, text of a file that nobody has read included.
        arguments, inside = typing.get_args(declared), _inside(declared, cls)
        says_nothing = len(inside) == len(arguments) and arguments[-1:] in ((), (Any,))
        read = decode_anything if shape is not None and says_nothing else _as_written

        def accepts(value: Any) -> bool:
            return not isinstance(python, type) or isinstance(value, python)

        def decode(content: Any) -> Any:
            written = isinstance(content, dict | list | str)
            if isinstance(python, type) and not written and isinstance(content, python):
                return content
            value = read(_whole(content))
            if shape is not None and not isinstance(value, shape):
                raise Mismatch("write a list" if shape is list else "write a mapping")
            try:
                return self._converter.structure(value, declared)
            except Exception as error:
                raise Mismatch(within=list(_problems(error, value, "", name))) from error

        def encode(value: Any) -> Any:
            return _plain(self._converter.unstructure(value, unstructure_as=declared), name)

        return Leaf(name, decode, accepts, encode, is_whole=True)

    @functools.cached_property
    def _converter(self) -> "Converter":
        from pathlib import Path

        import cattrs

        given, codecs = self._given, self._codecs
        converter = cattrs.Converter(forbid_extra_keys=True) if given is None else given.copy()
        # Hooks by class go before hooks by predicate, and cattrs has its own for these.
        for cls in (bool, int, float, str, enum.Enum, Path):
            converter.register_structure_hook(cls, codecs.decode)
            converter.register_unstructure_hook(cls, codecs.encode)

        def knows(declared: Any) -> bool:
            return codecs.schema.knows(declared)

        def reader(_declared: Any) -> Callable[[Any, Any], Any]:
            return codecs.decode

        def writer(declared: Any) -> Callable[[Any], Any]:
            return lambda value: codecs.encode(value, declared)

        converter.register_structure_hook_factory(knows, reader)
        converter.register_unstructure_hook_factory(knows, writer)
        return converter


def _shape(cls: Any) -> type | None:
    """What has to be written for a type of the standard library; cattrs takes text apart."""
    if typing.is_typeddict(cls) or (isinstance(cls, type) and issubclass(cls, Mapping)):
        return dict
    if isinstance(cls, type) and issubclass(cls, tuple | collections.deque):
        return list
    return None


def _inside(declared: Any, cls: Any) -> list[Any]:
    """The types within a type, which cattrs looks at only when there is a value."""
    structured = typing.is_typeddict(cls) or hasattr(cls, "_fields")
    named = typing.get_type_hints(cls).values() if structured else ()
    return [*typing.get_args(declared), *named]


def _whole(content: Any) -> Any:
    """A node's content; on the command line a list or a mapping is written as JSON."""
    if isinstance(content, Verbatim) and content.lstrip()[:1] in ("[", "{"):
        try:
            from treadle_config.json_reader import read_json

            content = read_json(content, lambda _line: DEFAULT).content
        except Unreadable as error:
            raise Mismatch(error.hint) from None
    return content


def _as_written(content: Any) -> Any:
    """A value with all that is in it."""
    return value_of(content, lambda scalar: scalar)


def _problems(error: Exception, value: Any, path: str, expected: str) -> Iterator[Problem]:
    """Every problem that cattrs found in a value, by paths that begin there."""
    from cattrs.errors import BaseValidationError, ForbiddenExtraKeysError

    if isinstance(error, ConfigError):
        for one in error.problems:
            yield one.replaced(path=within(path, one.path))
    elif isinstance(error, BaseValidationError):
        for inner in error.exceptions:
            notes = getattr(inner, "__notes__", ())
            note = next((one for one in notes if hasattr(one, "type")), None)
            if note is None:
                yield from _problems(inner, value, path, expected)
                continue
            key = getattr(note, "name", getattr(note, "index", None))
            below = f"{path}[{key}]" if isinstance(value, list) else join(path, key)
            part = value
            with contextlib.suppress(LookupError, TypeError):  # a key that is missing
                part = value[key]
            wanted = getattr(note.type, "__name__", str(note.type))
            yield from _problems(inner, part, below, wanted)
    elif isinstance(error, ForbiddenExtraKeysError):
        known = typing.get_type_hints(error.cl)
        for key in sorted(map(str, error.extra_fields)):
            hint = did_you_mean(nearest(key, known))
            yield Problem(join(path, key), None, repr(key), f"a key of {error.cl.__name__}", hint)
    elif isinstance(error, KeyError):
        yield Problem(path, None, "nothing", expected, "it is required")
    else:
        yield Problem(path, None, shown(value), expected, reason(error))


def _plain(value: Any, name: str) -> Any:
    """What a converter made, as dicts, lists and scalars."""
    if isinstance(value, Mapping):
        return {str(key): _plain(child, name) for key, child in value.items()}
    if isinstance(value, list | tuple | set | frozenset | collections.deque):
        return [_plain(child, name) for child in value]
    if value is None or isinstance(value, str | bool | int | float):
        return value
    raise SchemaError(
        f"{name} is written as {shown(value)}, which no file can hold; "
        "give the converter an unstructure hook for it"
    )
