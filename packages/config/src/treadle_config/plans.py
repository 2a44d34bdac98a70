"""Plans: what a declared type accepts.

A type is planned once; decoding, merging, encoding and the help page all walk the plan.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from treadle_config.generics import bare
from treadle_config.scalars import Mismatch
from treadle_config.tree import Verbatim, is_null, is_quoted


class Leaf:
    """A kind of value that is written as one scalar, or as `is_whole` says, read as a whole.

    One that `is_open` takes whatever a file can hold.
    """

    __slots__ = (
        "accepts",
        "decode",
        "encode",
        "expected",
        "is_bool",
        "is_open",
        "is_text",
        "is_whole",
    )

    def __init__(
        self,
        expected: str,
        decode: Callable[[Any], Any],
        accepts: Callable[[Any], bool],
        encode: Callable[[Any], Any] = lambda value: value,
        *,
        is_text: bool = False,
        is_bool: bool = False,
        is_whole: bool = False,
        is_open: bool = False,
    ) -> None:
        self.expected = expected
        self.decode = decode
        self.accepts = accepts
        self.encode = encode
        self.is_text = is_text
        self.is_bool = is_bool
        self.is_whole = is_whole or is_open
        self.is_open = is_open


class Items:
    """A list or a set (one plan for all items), or a tuple with a plan for each place."""

    __slots__ = ("are_scalars", "expected", "fixed", "make", "plans")

    def __init__(self, make: type[Any], plans: Sequence["Plan"], *, fixed: bool = False) -> None:
        self.make = make
        self.plans = plans
        self.fixed = fixed
        inside = ", ".join(plan.expected for plan in plans)
        more = ", ..." if make is tuple and not fixed else ""
        self.expected = f"{make.__name__}[{inside}{more}]"
        self.are_scalars = all(plan.is_scalar for plan in plans)

    def accepts(self, value: Any) -> bool:
        """Whether a python value is one of this type as it stands."""
        return (
            isinstance(value, self.make)
            and (not self.fixed or len(value) == len(self.plans))
            and all(self.plan_at(index).accepts(one) for index, one in enumerate(value))
        )

    def plan_at(self, index: int) -> "Plan":
        """The plan of one item; beyond the end of a fixed tuple, of its last one."""
        return self.plans[min(index, len(self.plans) - 1)]


class Dictionary:
    """A dict, whose keys are scalars."""

    __slots__ = ("expected", "key", "value")

    def __init__(self, key: Leaf, value: "Plan") -> None:
        self.key = key
        self.value = value
        self.expected = f"dict[{key.expected}, {value.expected}]"

    def accepts(self, value: Any) -> bool:
        """Whether a python value is one of this type as it stands."""
        return isinstance(value, dict) and all(
            self.key.accepts(key) and self.value.accepts(child) for key, child in value.items()
        )

    def key_text(self, key: Any) -> Any:
        """One text for one key, so that `1` in code and `1:` in a file are the same.

        A key that is none stays as it is, and is reported when the dict is built.
        """
        try:
            return str(self.key.encode(self.key.decode(key)))
        except Mismatch:
            return str(key) if isinstance(key, str) else key


class Choice:
    """One class, a union of classes, or a class with its subclasses.

    `tag_key` is the key that chooses among them, `None` where nothing is to choose.
    `only` is the class that is meant where nothing chooses, `None` where that is not clear.
    """

    __slots__ = ("classes", "expected", "only", "tag_key")

    def __init__(self, classes: tuple[type, ...], tag_key: str | None) -> None:
        self.classes = classes
        concrete = len(classes) == 1 and not getattr(classes[0], "__abstractmethods__", None)
        self.only = classes[0] if concrete else None
        self.tag_key = tag_key
        self.expected = " | ".join(cls.__name__ for cls in classes)

    def accepts(self, value: Any) -> bool:
        """Whether a python value is one of this type as it stands."""
        if self.tag_key is None:  # nothing could choose a subclass
            return any(type(value) is bare(cls) for cls in self.classes)
        return isinstance(value, self.classes)


class Plan:
    """What a type accepts: scalars, at most one kind of list and of mapping, maybe null.

    `decode` reads what is written as one scalar and not null, `read` null as well; both raise
    `Mismatch` where it is none of these.
    """

    __slots__ = (
        "decode",
        "expected",
        "is_open",
        "is_scalar",
        "leaves",
        "mapping",
        "optional",
        "read",
        "sequence",
    )

    def __init__(
        self,
        expected: str,
        *,
        leaves: tuple[Leaf, ...] = (),
        sequence: Items | None = None,
        mapping: Dictionary | Choice | None = None,
        optional: bool = False,
    ) -> None:
        self.expected = expected
        self.leaves = leaves
        self.sequence = sequence
        self.mapping = mapping
        self.optional = optional
        self.is_scalar = sequence is None and mapping is None
        # Mappings that stand there merge as others do.
        self.is_open = mapping is None and any(leaf.is_open for leaf in leaves)
        self.decode = leaves[0].decode if len(leaves) == 1 else _first_of(leaves)
        self.read = _or_null(self) if optional else self.decode

    @property
    def parts(self) -> Iterator[Leaf | Items | Dictionary | Choice]:
        """Everything but null."""
        yield from self.leaves
        yield from filter(None, (self.sequence, self.mapping))

    @property
    def is_text(self) -> bool:
        """Whether any text is taken as it stands."""
        return any(leaf.is_text for leaf in self.leaves)

    @property
    def is_flag(self) -> bool:
        """Whether it is a bool on the command line, so that it needs no value there."""
        return len(self.leaves) == 1 and self.leaves[0].is_bool and self.sequence is None

    def accepts(self, value: Any) -> bool:
        """Whether a python value is one of this type as it stands."""
        return (value is None and self.optional) or any(part.accepts(value) for part in self.parts)


def _or_null(plan: Plan) -> Callable[[Any], Any]:
    """Decode a scalar that may be null; on the command line, text is text where text is taken."""
    decode, is_text = plan.decode, plan.is_text

    def read(content: Any) -> Any:
        if not isinstance(content, str):
            return None if content is None else decode(content)
        said = content == "null" and not is_text and isinstance(content, Verbatim)
        return None if said or is_null(content) else decode(content)

    return read


def _first_of(leaves: Sequence[Leaf]) -> Callable[[Any], Any]:
    """Decode by the first of some scalars that takes what is written.

    Quoted text is text where the union has `str`; what is already of a type stays so.
    """

    def decode(content: Any) -> Any:
        for leaf in leaves:
            quoted = leaf.is_text and is_quoted(content)
            if quoted or (not isinstance(content, str) and leaf.accepts(content)):
                return leaf.decode(content)
        for leaf in leaves:
            try:
                return leaf.decode(content)
            except Mismatch:
                continue
        raise Mismatch

    return decode
