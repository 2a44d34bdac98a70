"""Plans: what a declared type accepts, in five shapes.

A type is planned once; decoding, merging, encoding and the help page all walk the plan.
"""

from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

from attrs import Factory, define, field

from treadle_config.scalars import Mismatch


@define(eq=False)
class Leaf:
    """A value that is written as one scalar."""

    expected: str
    decode: Callable[[Any], Any]
    accepts: Callable[[Any], bool]
    encode: Callable[[Any], Any] = field(default=lambda value: value)
    is_text: bool = False
    is_bool: bool = False


@define(eq=False)
class Items:
    """A list, a set, or a tuple of any length."""

    item: "Plan"
    make: type[Any]
    expected: str

    def accepts(self, value: Any) -> bool:
        """Whether a python value is one of this type as it stands."""
        return isinstance(value, self.make) and all(self.item.accepts(one) for one in value)

    def plan_at(self, _index: int) -> "Plan":
        """The plan of one element."""
        return self.item


@define(eq=False)
class Tuple:
    """A tuple of a fixed length, each place with a type of its own."""

    items: tuple["Plan", ...]
    expected: str

    def accepts(self, value: Any) -> bool:
        """Whether a python value is one of this type as it stands."""
        return (
            isinstance(value, tuple)
            and len(value) == len(self.items)
            and all(plan.accepts(item) for plan, item in zip(self.items, value, strict=True))
        )

    def plan_at(self, index: int) -> "Plan":
        """The plan of one place; beyond the end, of the last one."""
        return self.items[min(index, len(self.items) - 1)]


@define(eq=False)
class Dictionary:
    """A dict, whose keys are scalars."""

    key: Leaf
    value: "Plan"
    expected: str

    def accepts(self, value: Any) -> bool:
        """Whether a python value is one of this type as it stands."""
        return isinstance(value, dict) and all(
            self.key.accepts(key) and self.value.accepts(child) for key, child in value.items()
        )


@define(eq=False)
class Choice:
    """One class, a union of classes, or a class with its subclasses.

    `tag_key` is the key that chooses among them, `None` where nothing is to choose.
    """

    classes: tuple[type, ...]
    tag_key: str | None
    expected: str = Factory(
        lambda self: " | ".join(cls.__name__ for cls in self.classes), takes_self=True
    )

    def accepts(self, value: Any) -> bool:
        """Whether a python value is one of this type as it stands."""
        return isinstance(value, self.classes)


@define(eq=False)
class Alternatives:
    """A union: scalars, at most one kind of list, at most one kind of mapping, maybe null."""

    leaves: tuple[Leaf, ...]
    sequence: Items | Tuple | None
    mapping: Dictionary | Choice | None
    optional: bool
    expected: str

    def accepts(self, value: Any) -> bool:
        """Whether a python value is one of this type as it stands."""
        return (value is None and self.optional) or any(plan.accepts(value) for plan in self)

    def __iter__(self) -> Iterator["Plan"]:
        yield from self.leaves
        if self.sequence is not None:
            yield self.sequence
        if self.mapping is not None:
            yield self.mapping

    @property
    def is_text(self) -> bool:
        """Whether any text is taken as it stands."""
        return any(leaf.is_text for leaf in self.leaves)

    def decode(self, content: Any) -> Any:
        """Decode a scalar by the first of the scalars that takes it.

        Quoted text is text where the union has `str`; what is already of a type stays so.

        Raises:
            Mismatch: None takes it.
        """
        for leaf in self.leaves:
            if type(content) is str and leaf.is_text:
                return content
            if not isinstance(content, str) and leaf.accepts(content):
                return leaf.decode(content)
        hints = []
        for leaf in self.leaves:
            try:
                return leaf.decode(content)
            except Mismatch as mismatch:
                hints.append(mismatch.hint)
        raise Mismatch(hints[0] if len(hints) == 1 else "")


Plan: TypeAlias = Leaf | Items | Tuple | Dictionary | Choice | Alternatives


def sequence_of(plan: Plan) -> Items | Tuple | None:
    """The part of a plan that takes a list."""
    if isinstance(plan, Leaf):  # most are, and all are asked
        return None
    if isinstance(plan, Alternatives):
        return plan.sequence
    return plan if isinstance(plan, Items | Tuple) else None


def mapping_of(plan: Plan) -> Dictionary | Choice | None:
    """The part of a plan that takes a mapping."""
    if isinstance(plan, Leaf):  # most are, and all are asked
        return None
    if isinstance(plan, Alternatives):
        return plan.mapping
    return plan if isinstance(plan, Dictionary | Choice) else None


def takes_scalars(plan: Plan) -> bool:
    """Whether a plan takes a scalar that is not null."""
    return isinstance(plan, Leaf) or (isinstance(plan, Alternatives) and bool(plan.leaves))


def is_optional(plan: Plan) -> bool:
    """Whether a plan takes null."""
    return isinstance(plan, Alternatives) and plan.optional


def is_flag(plan: Plan) -> bool:
    """Whether a plan is a bool on the command line, so that it needs no value there."""
    if isinstance(plan, Alternatives):
        return len(plan.leaves) == 1 and plan.leaves[0].is_bool and plan.sequence is None
    return isinstance(plan, Leaf) and plan.is_bool
