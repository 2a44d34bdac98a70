"""The command line as one layer: a tokenizer, and nothing that is remembered.

`--a.b v` and `--a.b=v` are the same, so are `-` and `_` within names; a name is never
abbreviated. The position of a flag says nothing, save among flags of one name.
"""

from collections.abc import Sequence

from attrs import define, field

from treadle_config.errors import Problem, SchemaError
from treadle_config.json_reader import NotJson, read_json
from treadle_config.layers import COMMAND_LINE_RANK
from treadle_config.merge import Merge
from treadle_config.paths import Located, known_paths, locate
from treadle_config.plans import Choice, is_flag, is_optional, sequence_of
from treadle_config.scalars import BOOL_WORDS
from treadle_config.schema import Schema
from treadle_config.suggestions import did_you_mean, nearest_path
from treadle_config.tree import Node, Source, Verbatim

OWN_FLAGS = ("config", "help", "print_config")
"""Root names that the command line keeps for itself."""


@define(eq=False)
class Arguments:
    """What argv said.

    Attributes:
        node: The layer; `None` where no setting was given.
        files: The values of `--config`, in order.
        options: Of the flags in `allowed` (such as `--help`), those given, with their values.
        problems: What is wrong with it.
    """

    node: Node | None = None
    files: list[str] = field(factory=list)
    options: dict[str, str | None] = field(factory=dict)
    problems: list[Problem] = field(factory=list)


def read_arguments(
    schema: Schema, root: Choice, argv: Sequence[str], allowed: Sequence[str] = ()
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
    for name in OWN_FLAGS:
        if name in schema.of_class(root.classes[0]).fields:
            raise SchemaError(
                f"{name}: the command line keeps --{_dashed(name)} for itself; rename the field"
            )
    reader = _Reader(schema, root, list(argv), allowed)
    reader.read()
    return reader.found


def flag_of(path: str) -> str:
    """The flag that sets a path."""
    return f"--{_dashed(path)}"


class _Reader:
    def __init__(
        self, schema: Schema, root: Choice, argv: list[str], allowed: Sequence[str]
    ) -> None:
        self.found = Arguments()
        self._schema = schema
        self._root = root
        self._argv = argv
        self._allowed = allowed
        self._next = 0
        self._lists: dict[str, Node] = {}
        self._merge = Merge(schema, self.found.problems, over_defaults=False)

    def read(self) -> None:
        while self._next < len(self._argv):
            index = self._next
            word = self._argv[index]
            self._next += 1
            if word == "-h":
                word = "--help"
            if not word.startswith("--") or word == "--":
                self._problem(
                    "", f"argv[{index + 1}]", index, repr(word), "a flag such as --name VALUE"
                )
                continue
            written, equals, value = word[2:].partition("=")
            self._flag(written, value if equals else None, index)

    def _flag(self, written: str, value: str | None, index: int) -> None:
        name = _normal(written)
        if name in self._allowed:
            self.found.options[name] = value
            return
        if name == "config":
            path = self._value(value, "", "--config", index, "a file")
            if path is not None:
                self.found.files.append(path)
            return
        found = locate(self._schema, self._root, written.split("."), _normal)
        if found is not None:
            self._set(found, written, value, index)
            return
        if name.startswith("no_"):
            positive = locate(self._schema, self._root, written[3:].split("."), _normal)
            if positive is not None:
                self._negate(positive, written, value, index)
                return
        if value is None and self._follows():
            self._next += 1  # its value; it would be a second problem otherwise
        path = written.replace("-", "_")
        best = nearest_path(path, [*known_paths(self._schema, self._root), *self._options()])
        hint = did_you_mean(flag_of(best) if best else None)
        self._problem(
            path, f"--{written}", index, f"'--{written}'", "the flag of a setting", hint=hint
        )

    def _set(self, found: Located, written: str, value: str | None, index: int) -> None:
        name = f"--{written}"
        text: str | None
        if value is None and all(is_flag(plan) for plan in found.plans):
            follows = self._follows() and self._argv[self._next].lower() in BOOL_WORDS
            text = self._argv[self._next] if follows else "true"
            self._next += follows
        else:
            expected = " or ".join(dict.fromkeys(plan.expected for plan in found.plans))
            text = self._value(value, found.path, name, index, expected)
        if text is None:
            return
        node = Node(Verbatim(text), self._source(name, index))
        if any(sequence_of(plan) is not None for plan in found.plans):
            node = self._longer(found.path, node)
        self._put(found, node)

    def _longer(self, path: str, node: Node) -> Node:
        """A list flag given again adds to what argv said of it; a JSON list starts afresh."""
        text = node.content
        if text == "null" or text.lstrip().startswith("["):
            self._lists.pop(path, None)
            try:
                whole = read_json(text, lambda _line: node.source)
            except NotJson:
                return node  # reported where it is merged
            if isinstance(whole.content, list):
                self._lists[path] = whole
            return node
        known = self._lists.get(path)
        items = [] if known is None else known.content
        self._lists[path] = Node([*items, node], node.source)
        return self._lists[path]

    def _negate(self, found: Located, written: str, value: str | None, index: int) -> None:
        name = f"--{written}"
        if value is not None:
            self._problem(found.path, name, index, repr(value), "no value after --no-...")
            return
        source = self._source(name, index)
        if all(is_flag(plan) for plan in found.plans):
            self._put(found, Node(False, source))
        elif any(is_optional(plan) for plan in found.plans):
            self._put(found, Node(None, source))
        else:
            expected = " or ".join(dict.fromkeys(plan.expected for plan in found.plans))
            hint = f"{found.path} is neither a bool nor may it be null"
            self._problem(found.path, name, index, repr(name), expected, hint=hint)

    def _put(self, found: Located, node: Node) -> None:
        for key in reversed(found.keys):
            node = Node({key: node}, node.source)
        self.found.node = self._merge.merge(self._root, self.found.node, node, "")

    def _value(
        self, value: str | None, path: str, name: str, index: int, expected: str
    ) -> str | None:
        if value is not None:
            return value
        if self._follows():
            self._next += 1
            return self._argv[self._next - 1]
        hint = ""
        if self._next < len(self._argv):
            hint = f"write {name}={self._argv[self._next]} if that is the value"
        self._problem(path, name, index, "nothing", expected, hint=hint)
        return None

    def _follows(self) -> bool:
        """Whether a value comes next; a negative number is one."""
        return self._next < len(self._argv) and not self._argv[self._next].startswith("--")

    def _options(self) -> list[str]:
        return ["config", *self._allowed]

    def _source(self, name: str, index: int) -> Source:
        return Source("cli", name, order=(COMMAND_LINE_RANK, index))

    def _problem(
        self, path: str, name: str, index: int, got: str, expected: str, *, hint: str = ""
    ) -> None:
        source = self._source(name, index)
        self.found.problems.append(Problem(path, source, got, expected, hint))


def _normal(name: str) -> str:
    return name.replace("-", "_")


def _dashed(path: str) -> str:
    return path.replace("_", "-")
