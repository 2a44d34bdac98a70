"""The right form of a value that was written as a shorthand for it, for messages."""

import re
from collections.abc import Iterable
from typing import Any

from treadle_config.flags import flag_of
from treadle_config.paths import choosing
from treadle_config.plans import Choice, Dictionary, Items, Plan
from treadle_config.scalars import FALSE_WORDS, Mismatch
from treadle_config.schema import Schema
from treadle_config.tree import Node, Plain, Source, Verbatim, shown

_NEEDS_NO_QUOTES = re.compile(r"[\w./:+-]+")
_LONGEST = 60
"""Characters of a value that is worth writing out."""


def right_form(schema: Schema, plan: Plan, node: Node, path: str) -> str:
    """How to write what was probably meant, by a value that does not fit; may be empty.

    Args:
        schema: Where classes are planned.
        plan: What the value should be.
        node: What was written.
        path: Where it stands.
    """
    content, mapping = node.content, plan.mapping
    if isinstance(content, Verbatim) and "," in content and path.endswith("]"):
        return _separated(plan, content)
    if isinstance(content, list | dict):
        if plan.sequence is not None or mapping is not None:
            return ""
        return _one_text(plan, content)
    if isinstance(mapping, Choice) and mapping.tag_key is not None and isinstance(content, str):
        known = schema.alternatives(mapping)
        return f"write {{{mapping.tag_key}: {content}}} to choose it" if content in known else ""
    return "" if plan.sequence is None or plan.leaves else _listed(plan.sequence, node)


def object_form(plan: Plan, content: Any) -> str:
    """How to give what python takes for a number or a list, and no file has."""
    if content is None or isinstance(content, str | int | float | list | dict):
        return ""
    if plan.leaves and hasattr(content, "item") and getattr(content, "ndim", None) == 0:
        return "give a Python value, with .item()"
    if plan.sequence is not None and getattr(content, "ndim", None):
        return "give a list, with .tolist()"
    items = isinstance(content, Iterable) and not isinstance(content, bytes | bytearray)
    if plan.sequence is not None and items and not hasattr(content, "ndim"):
        return f"give a list, as in list({shown(content, 30)})"
    floats = any(leaf.expected == "float" for leaf in plan.leaves)
    if floats and hasattr(content, "__float__") and not hasattr(content, "shape"):
        return "give a float, as in float(...)"
    return ""


def is_none_word(content: Any) -> bool:
    """Whether a text was probably meant as null."""
    return isinstance(content, str) and content.lower() in ("none", "null")


def text_form(schema: Schema, plan: Plan, path: str, text: str, source: Source) -> str:
    """How to write what a lone text was meant as, where an object or a dict is wanted."""
    mapping = plan.mapping
    if isinstance(mapping, Choice):
        chosen = mapping.tag_key and schema.class_of(mapping, text)
        if chosen:
            return f"choose it with {choosing(path, text, source)}"
        if plan.optional and text.lower() in ("none", "null", *FALSE_WORDS):
            flag = f", or --no-{flag_of(path)[2:]}" if source.kind == "cli" else ""
            return f"write null{flag}"
    key, equals, value = text.partition("=")
    if isinstance(mapping, Dictionary) and equals and source.kind == "cli":
        return f"write {flag_of(path)}.{key}={value}"
    return ""


def hydra_form(key: str, choice: Choice, path: str, node: Node) -> str:
    """How to write here what Hydra would take a key for; empty where it is no key of Hydra's."""
    if node.source.kind != "file":
        return ""
    if key == "defaults" and not path and isinstance(node.content, list):
        return "name the files that lie below this one with include:"
    if key == "_target_":
        return f"choose a class with {choice.tag_key}:" if choice.tag_key else "leave it out"
    return ""


def _separated(plan: Plan, content: str) -> str:
    """Several items in one text, with commas between them."""
    try:
        for one in content.split(","):
            plan.decode(Verbatim(one.strip()))
    except Mismatch:
        return ""
    return f"write a list: [{content}]" if len(content) <= _LONGEST else "write a list"


def _listed(items: Items, node: Node) -> str:
    content = node.content
    if items.fixed or isinstance(content, bytes):
        return "write a list"
    try:
        items.plan_at(0).decode(content)
    except Mismatch:
        return "write a list"
    import json

    plain = isinstance(content, Plain) and _NEEDS_NO_QUOTES.fullmatch(content)
    quoted = isinstance(content, str) and not plain
    said = json.dumps(content, ensure_ascii=False) if quoted else shown(content)
    return f"write a list: [{said}]" if len(said) <= _LONGEST else "write a list"


def _one_text(plan: Plan, content: list[Node] | dict[str, Node]) -> str:
    """A scalar in brackets that are not wanted."""
    if isinstance(content, dict) or len(content) != 1:
        return ""
    inner = content[0]
    try:
        plan.decode(inner.content)
    except Mismatch as mismatch:
        return mismatch.hint
    return f"write it without the brackets: {shown(inner.content)}"
