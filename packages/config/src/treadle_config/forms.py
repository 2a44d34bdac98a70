"""The right form of a value that was written as a shorthand for it, for messages."""

import re

from treadle_config.plans import Choice, Items, Plan
from treadle_config.scalars import Mismatch
from treadle_config.schema import Schema
from treadle_config.tree import Node, Plain, shown

_NEEDS_NO_QUOTES = re.compile(r"[\w./:+-]+")
_LONGEST = 60
"""Characters of a value that is worth writing out."""


def right_form(schema: Schema, plan: Plan, node: Node) -> str:
    """How to write what was probably meant, by a value that does not fit; may be empty.

    Args:
        schema: Where classes are planned.
        plan: What the value should be.
        node: What was written.
    """
    content, mapping = node.content, plan.mapping
    if isinstance(content, list | dict):
        if plan.sequence is not None or mapping is not None:
            return ""
        return _one_text(plan, content)
    if isinstance(mapping, Choice) and mapping.tag_key is not None and isinstance(content, str):
        known = schema.alternatives(mapping)
        return f"write {{{mapping.tag_key}: {content}}} to choose it" if content in known else ""
    return "" if plan.sequence is None or plan.leaves else _listed(plan.sequence, node)


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
