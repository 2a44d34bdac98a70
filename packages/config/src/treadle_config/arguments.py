"""The command line as one layer: a tokenizer, and nothing that is remembered.

`--a.b v` and `--a.b=v` are the same, so are `-` and `_` within names; a name is never
abbreviated. The position of a flag says nothing, save among flags of one name.
"""

import contextlib
from collections.abc import Sequence

from treadle_config.errors import Problem, SchemaError
from treadle_config.json_reader import read_json
from treadle_config.layers import COMMAND_LINE_RANK
from treadle_config.merge import Merge
from treadle_config.paths import Located, known_paths, locate
from treadle_config.plans import Choice, Plan
from treadle_config.scalars import BOOL_WORDS
from treadle_config.schema import Schema
from treadle_config.suggestions import did_you_mean, nearest_path
from treadle_config.tree import Node, Source, Unreadable, Verbatim

OWN_FLAGS = ("config", "help", "print_config")
"""Root names that the command line keeps for itself."""


class Arguments:
    """What argv said.

    Attributes:
        node: The layer; `None` where no setting was given.
        files: The values of `--config`, in order.
        options: Of the flags in `allowed` (such as `--help`), those given, with their values.
        problems: What is wrong with it.
    """

    def __init__(self) -> None:
        self.node: Node | None = None
        self.files: list[str] = []
        self.options: dict[str, str | None] = {}
        self.problems: list[Problem] = []


def read_arguments(
    schema: Schema, root: Plan, argv: Sequence[str], allowed: Sequence[str] = ()
) -> Arguments:
    """Read argv.

    Args:
        schema: Where classes are planned.
        root: The plan of the config.
        argv: The arguments, without the program's name.
        allowed: Flags beside settings and `--config`, such as `help`.

    Raises:
        SchemaError: A field of the config has the name of a flag of the command line's own.
    """
    if isinstance(argv, str) or not all(isinstance(word, str) for word in argv):
        raise TypeError(f"argv={argv!r}: give a list of words, such as sys.argv[1:]")
    for name in OWN_FLAGS:
        if isinstance(root.mapping, Choice) and name in schema.fields_of(root.mapping.classes[0]):
            raise SchemaError(
                f"{name}: the command line keeps {flag_of(name)} for itself; rename the field"
            )
    reader = _Reader(schema, root, argv, allowed)
    reader.read()
    return reader.found


def flag_of(path: str) -> str:
    """The flag that sets a path."""
    return f"--{path.replace('_', '-')}"


class _Reader:
    def __init__(
        self, schema: Schema, root: Plan, argv: Sequence[str], allowed: Sequence[str]
    ) -> None:
        self.found = Arguments()
        self._schema = schema
        self._root = root
        self._argv = argv
        self._allowed = allowed
        self._next = 0
        self._lists: dict[str, list[Node]] = {}
        self._merge = Merge(schema, self.found.problems, over_defaults=False)

    def read(self) -> None:
        while self._next < len(self._argv):
            index = self._next
            word = self._argv[index]
            self._next += 1
            flag, equals, value = ("--help" if word == "-h" else word).partition("=")
            is_flag = word == "-h" or (word.startswith("--") and word != "--")
            name = flag if is_flag else f"argv[{index + 1}]"
            source = Source("cli", name, order=(COMMAND_LINE_RANK, index))
            if is_flag:
                self._flag(flag[2:], value if equals else None, source)
            else:
                hint = "a lone -- is not used here; leave it out" if word == "--" else ""
                self._problem("", source, repr(word), "a flag such as --name VALUE", hint)

    def _flag(self, written: str, value: str | None, source: Source) -> None:
        name = _normal(written)
        if name in self._allowed:
            if name == "help" and value is not None:
                self._problem("", source, repr(value), "no value after --help")
            self.found.options[name] = value
            return
        if name == "config":
            path = self._value(value, "", source, "a file")
            if path:
                self.found.files.append(path)
            elif path is not None:
                self._problem("", source, "''", "a file")
            return
        found = locate(self._schema, self._root, written.split("."), _normal)
        if found is not None:
            self._set(found, value, source)
            return
        if name.startswith("no_"):
            positive = locate(self._schema, self._root, written[3:].split("."), _normal)
            if positive is not None:
                self._negate(positive, value, source)
                return
        if value is None and self._follows():
            self._next += 1  # its value; it would be a second problem otherwise
        path = written.replace("-", "_")
        known = [*known_paths(self._schema, self._root), "config", *self._allowed]
        best = nearest_path(path, known)
        hint = did_you_mean(flag_of(best) if best else None)
        self._problem(path, source, f"'--{written}'", "the flag of a setting", hint)

    def _set(self, found: Located, value: str | None, source: Source) -> None:
        text: str | None
        if value is None and all(plan.is_flag for plan in found.plans):
            follows = self._follows() and self._argv[self._next].lower() in BOOL_WORDS
            text = self._argv[self._next] if follows else "true"
            self._next += follows
        else:
            text = self._value(value, found.path, source, found.expected)
        if text is None:
            return
        node = Node(Verbatim(text), source)
        if any(plan.sequence is not None for plan in found.plans):
            node = self._longer(found, node)
        self._put(found, node)

    def _longer(self, found: Located, node: Node) -> Node:
        """A list flag given again adds to what argv said of it; a JSON list starts afresh."""
        text = node.content
        whole_list = text.lstrip().startswith("[")
        if whole_list or found.path in self._lists:
            # What follows holds it; `merge="append"` would take it a second time.
            self._forget(found.keys)
        if whole_list or text == "null":
            self._lists.pop(found.path, None)
            with contextlib.suppress(Unreadable):  # reported where it is merged
                whole = read_json(text, lambda _line: node.source).content
                if isinstance(whole, list):
                    self._lists[found.path] = whole
            return node
        items = [*self._lists.get(found.path, ()), node]
        self._lists[found.path] = items
        # Where a scalar is taken as well, a flag given once is one.
        one = len(items) == 1 and any(plan.leaves for plan in found.plans)
        return node if one else Node(items, node.source)

    def _forget(self, keys: Sequence[str]) -> None:
        """Drop what argv said at a path so far."""
        node, entries = self.found.node, None
        for key in keys:
            if node is None or not isinstance(node.content, dict):
                return
            entries, node = node.content, node.content.get(key)
        if entries is not None:
            entries.pop(keys[-1], None)

    def _negate(self, found: Located, value: str | None, source: Source) -> None:
        if value is not None:
            self._problem(found.path, source, repr(value), "no value after --no-...")
        elif all(plan.is_flag for plan in found.plans):
            self._put(found, Node(False, source))
        elif any(plan.optional for plan in found.plans):
            self._put(found, Node(None, source))
        else:
            hint = f"{found.path} is neither a bool nor may it be null"
            self._problem(found.path, source, repr(source.name), found.expected, hint)

    def _put(self, found: Located, node: Node) -> None:
        layer = found.node(node.content, node.source)
        self.found.node = self._merge.merge(self._root, self.found.node, layer, "")

    def _value(self, value: str | None, path: str, source: Source, expected: str) -> str | None:
        if value is not None:
            return value
        if self._follows():
            self._next += 1
            return self._argv[self._next - 1]
        hint = ""
        if self._next < len(self._argv):
            hint = f"write {source.name}={self._argv[self._next]} if that is the value"
        self._problem(path, source, "nothing", expected, hint)
        return None

    def _follows(self) -> bool:
        """Whether a value comes next; a negative number is one."""
        return self._next < len(self._argv) and not self._argv[self._next].startswith("--")

    def _problem(self, path: str, source: Source, got: str, expected: str, hint: str = "") -> None:
        self.found.problems.append(Problem(path, source, got, expected, hint))


def _normal(name: str) -> str:
    return name.replace("-", "_")
