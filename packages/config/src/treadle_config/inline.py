"""A whole value in one text: JSON, or YAML's flow style, on the command line and in variables."""

from treadle_config.errors import MissingExtra
from treadle_config.plans import Plan
from treadle_config.scalars import Mismatch
from treadle_config.tree import Node, Source, Unreadable, Verbatim


def read_inline(text: str, source: Source, *, yaml: bool = True) -> Node:
    """Read a text as JSON, and otherwise, where it opens as one may, as YAML.

    Whatever is JSON is read as JSON, whether PyYAML is installed or not.

    Args:
        text: What was written.
        source: The source of everything in it.
        yaml: Whether YAML is wanted at all.

    Raises:
        Unreadable: It is neither. `expected` says what it could have been, `path` the place
            of a key that is given twice.
    """
    import json

    from treadle_config.json_reader import read_json

    try:
        return read_json(text, lambda _line: source)
    except Unreadable as error:
        if error.got:  # the syntax is right
            raise
        wrong = error
    if text.lstrip()[:1] not in ("{", "["):
        hint = f"write text in quotes, as in {json.dumps(text)}" if len(text) < 40 else wrong.hint
        raise Unreadable(hint, expected="JSON")
    if not yaml:
        raise Unreadable(wrong.hint, expected="JSON")
    # Imported here: most programs are given no YAML on the command line.
    from treadle_config.yaml_reader import read_yaml

    try:
        node = read_yaml(str(text), "it", lambda _line: source)
    except MissingExtra:
        way = "YAML is read here with pip install 'treadle-config[yaml]'"
        raise Unreadable(f"{wrong.hint}; {way}", expected="JSON") from None
    except UnicodeEncodeError:
        raise Unreadable("it holds bytes that are not UTF-8", expected="JSON or YAML") from None
    except Unreadable as refused:
        if refused.got:
            refused.hint = "the key is given twice"
            raise
        raise Unreadable(refused.hint, expected="JSON or YAML") from None
    assert node is not None, "what opens with a bracket is something"
    _check_colons(node)
    return node


def _check_colons(node: Node) -> None:
    """Refuse `{a:1}`, which for YAML is a key `a:1` without a value."""
    content = node.content
    if isinstance(content, list):
        for child in content:
            _check_colons(child)
    elif isinstance(content, dict):
        for key, child in content.items():
            if ":" in key and child.content == "":
                name, _, value = key.partition(":")
                hint = f"YAML needs a space after the colon: {name}: {value}"
                raise Unreadable(hint, expected="JSON or YAML")
            _check_colons(child)


def may_be_scalar(plan: Plan, text: str) -> bool:
    """Whether a text that opens as a list or mapping does is also a scalar that may stand there."""
    try:
        plan.decode(Verbatim(text))
    except Mismatch:
        return False
    return True
