"""What stands for a list, a dict or an object: JSON on the command line, an instance in code."""

from typing import Any

from treadle_config.errors import Problem
from treadle_config.forms import text_form
from treadle_config.inline import may_be_scalar, read_inline
from treadle_config.instances import value_tree
from treadle_config.plans import Choice, Plan
from treadle_config.schema import Schema
from treadle_config.tree import Node, Unreadable, Verbatim, nodes_of, shown, within


def expanded(
    schema: Schema, plan: Plan, node: Node, path: str, problems: list[Problem]
) -> Node | None:
    """A node that may stand for a container as what it stands for.

    What cannot be read is reported; then it is `None`.

    Args:
        schema: Where classes are planned.
        plan: What the value is, which is not only a scalar.
        node: What was written.
        path: Where it stands.
        problems: Where to put what is wrong.
    """
    content = node.content
    if isinstance(content, Verbatim):
        return _of_text(schema, plan, node, path, problems)
    if isinstance(plan.mapping, Choice) and plan.mapping.accepts(content):
        return value_tree(schema, plan, content, node.source)
    if plan.sequence is not None and isinstance(content, tuple | set | frozenset):
        return nodes_of(list(content), node.source)
    return node


def _of_text(
    schema: Schema, plan: Plan, node: Node, path: str, problems: list[Problem]
) -> Node | None:
    text: Any = node.content
    if text == "null" and plan.optional and not plan.is_text:
        return Node(None, node.source)
    opens = text.lstrip()[:1]
    if (opens == "[" and plan.sequence is not None) or (opens == "{" and plan.mapping is not None):
        try:
            return read_inline(text, node.source, yaml=not may_be_scalar(plan, text))
        except Unreadable as error:
            if not plan.leaves:
                where, got = within(path, error.path), error.got or shown(text)
                problems.append(Problem(where, node.source, got, error.expected, error.hint))
                return None
    if plan.leaves:
        return node
    if plan.sequence is not None:
        return Node([node], node.source)
    assert plan.mapping is not None
    expected = f"{plan.mapping.expected} as a JSON object"
    hint = text_form(schema, plan, path, text, node.source)
    problems.append(Problem(path, node.source, shown(text), expected, hint))
    return None
