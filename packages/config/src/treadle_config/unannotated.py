"""Attributes of a class that are no fields for want of an annotation."""

from collections.abc import Sequence
from inspect import get_annotations

from treadle_config.generics import bare
from treadle_config.plans import Choice, Plan


def unannotated(cls: type, name: str) -> str:
    """Say that a class has such an attribute, and how it becomes a field; else nothing.

    Neither attrs nor dataclasses say so of `lr = 0.1`: the class is made, without that field.
    """
    for one in bare(cls).__mro__[:-1]:
        if name not in vars(one):
            continue
        value = vars(one)[name]
        if name in get_annotations(one) or callable(value) or hasattr(value, "__get__"):
            return ""
        kind = type(value).__name__ if value is not None else "str | None"
        return f"it has no annotation in {one.__name__}, so it is not a field; write {name}: {kind}"
    return ""


def unannotated_in(plans: Sequence[Plan], name: str) -> str:
    """The same for whichever class of some plans has such an attribute."""
    choices = (plan.mapping for plan in plans if isinstance(plan.mapping, Choice))
    said = (unannotated(cls, name) for choice in choices for cls in choice.classes)
    return next(filter(None, said), "")
