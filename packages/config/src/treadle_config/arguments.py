"""The command line as one layer: a tokenizer, and nothing that is remembered.

`--a.b v` and `--a.b=v` are the same, so are `-` and `_` within names; a name is never
abbreviated. The position of a flag says nothing, save among flags of one name.
"""

import contextlib
from collections.abc import Sequence
from typing import Any

from treadle_config.errors import Problem, SchemaError
from treadle_config.flags import flag_meant, flag_of, flag_place, may_be_negated, normal
from treadle_config.inline import may_be_scalar, read_inline
from treadle_config.layers import COMMAND_LINE_RANK
from treadle_config.merge import Merge
from treadle_config.paths import Located
from treadle_config.plans import Choice, Plan
from treadle_config.scalars import BOOL_WORDS
from treadle_config.schema import Schema
from treadle_config.suggestions import did_you_mean, may_suggest
from treadle_config.tree import MASK, Node, Source, Unreadable, Verbatim, shown, within

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
        said = f"argv is of type {type(argv).__name__}" if schema.has_secrets else f"argv={argv!r}"
        raise TypeError(f"{said}: give a list of words, such as sys.argv[1:]")
    check_names(schema, root)
    reader = _Reader(schema, root, argv, allowed)
    reader.read()
    return reader.found


def check_names(schema: Schema, root: Plan) -> None:
    """Check that no field has the name of a flag of the command line's own.

    Raises:
        SchemaError: One has.
    """
    for name in OWN_FLAGS:
        if isinstance(root.mapping, Choice) and name in schema.fields_of(root.mapping.classes[0]):
            raise SchemaError(
                f"{name}: the command line keeps {flag_of(name)} for itself; rename the field"
            )


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
        # The lists that argv has begun; where a scalar is taken as well, with what may be one.
        self._lists: dict[str, Node | None] = {}
        self._merge = Merge(schema, self.found.problems, over_defaults=False, root=root)

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
                before = normal(self._argv[index - 1][2:]) if index else ""
                got = repr(word)
                if before in self._allowed and before != "help":
                    hint = did_you_mean(f"{flag_of(before)}={word}")
                elif self._schema.has_secrets and not hint:
                    got = MASK  # a part of one, where the quotes around it are missing
                self._problem("", source, got, "a flag such as --name VALUE", hint)

    def _flag(self, written: str, value: str | None, source: Source) -> None:
        name = normal(written)
        if name in self._allowed:
            self._option(name, value, source)
            return
        if name == "config":
            path = self._value(value, None, source)
            if path:
                self.found.files.append(path)
            elif path is not None:
                self._problem("", source, "''", "a file")
            return
        exact = written.endswith(":")
        if exact:
            written, source = written[:-1], source.replaced(name=source.name[:-1])
        found = flag_place(self._schema, self._root, written)
        if found is not None:
            self._set(found, value, source, exact=exact)
            return
        if written[:3] in ("no-", "no_") and not exact:
            positive = flag_place(self._schema, self._root, written[3:])
            if positive is not None:
                self._negate(positive, value, source)
                return
        if value is None and self._follows():
            self._next += 1  # its value; it would be a second problem otherwise
        hint = ""
        if may_suggest(self.found.problems):
            hint = flag_meant(self._schema, self._root, written, self._allowed)
        if self._schema.has_secrets:
            written = self._told(written)
            source = source.replaced(name=f"--{written}")
        path = normal(written).replace("[_", "[-")
        self._problem(path, source, f"'--{written}'", "the flag of a setting", hint)

    def _option(self, name: str, value: str | None, source: Source) -> None:
        if name == "help":
            if value is None and self._follows() and self._argv[self._next] == "all":
                self._next += 1
                value = "all"
            elif value not in (None, "all"):
                self._problem("", source, repr(value), "nothing after --help, or all")
                value = None
        self.found.options[name] = value

    def _set(self, found: Located, value: str | None, source: Source, *, exact: bool) -> None:
        text: str | None
        if value is not None:
            text = value
        elif not exact and all(plan.is_flag for plan in found.plans):
            follows = self._follows() and self._argv[self._next].lower() in BOOL_WORDS
            text = self._argv[self._next] if follows else "true"
            self._next += follows
        else:
            text = self._value(None, found, source)
        if text is None:
            return
        if found.adds:
            self._begin_list(found)
        if exact:
            self._set_exactly(found, text, source)
        elif any(plan.sequence is not None for plan in found.plans) and not found.adds:
            self._set_list(found, Verbatim(text), source)
        else:
            self._put(found, Verbatim(text), source)

    def _set_exactly(self, found: Located, text: str, source: Source) -> None:
        try:
            node = read_inline(text, source)
        except Unreadable as error:
            where, got = within(found.path, error.path), error.got or shown(Verbatim(text))
            self._problem(where, source, got, error.expected, error.hint)
            return
        self._lists.pop(found.path, None)
        if isinstance(node.content, list):
            self._lists[found.path] = None
        _replacing(node)
        self._put(found, node.content, source, replaces=True)

    def _set_list(self, found: Located, text: Verbatim, source: Source) -> None:
        """A list flag given again adds to what argv said of it; a whole list starts afresh."""
        whole = self._whole_list(found, text, source)
        if text == "null" and any(plan.optional for plan in found.plans):
            self._lists.pop(found.path, None)
            self._put(found, text, source)
        elif whole is not None:
            # What follows holds it; `merge="append"` would take it a second time.
            self._forget(found.keys)
            self._lists[found.path] = None
            self._put(found, whole, source)
        elif found.path not in self._lists:
            # Where a scalar is taken as well, a flag given once is one.
            one = text[:1] == "[" or any(plan.leaves for plan in found.plans)
            self._lists[found.path] = Node(text, source) if one else None
            self._put(found, text if one else [Node(text, source)], source)
        else:
            more = found.one_more()
            self._begin_list(more)
            self._put(more, text, source)

    def _begin_list(self, more: Located) -> None:
        """Let what was one scalar so far be the first item, where now there is one more."""
        first = self._lists.get(more.path)
        if first is not None:
            self._lists[more.path] = None
            self._put(Located(more.keys[:-1], more.plans, in_list=True), [first], first.source)

    @staticmethod
    def _whole_list(found: Located, text: str, source: Source) -> Any:
        """The content of a text that is a list; what is wrong with it is told by the merge."""
        if text.lstrip()[:1] != "[":
            return None
        scalar = any(may_be_scalar(plan, text) for plan in found.plans)
        with contextlib.suppress(Unreadable):
            return read_inline(text, source, yaml=not scalar).content
        return None

    def _forget(self, keys: Sequence[str | int | None]) -> None:
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
        elif not may_be_negated(found):
            hint = f"{found.path} is neither a bool nor may it be null"
            self._problem(found.path, source, repr(source.name), found.expected, hint)
        else:
            is_flag = all(plan.is_flag for plan in found.plans)
            self._put(found, False if is_flag else None, source)

    def _put(self, found: Located, content: Any, source: Source, *, replaces: bool = False) -> None:
        if found.in_list and found.adds:
            # What counts from the end is another item from now on.
            last = f"{found.path}[-"
            self._lists = {
                path: one for path, one in self._lists.items() if path[: len(last)] != last
            }
        if self._insert(found, content, source):
            return
        layer = found.node(content, source, replaces=replaces)
        self.found.node = self._merge.merge(self._root, self.found.node, layer, "")

    def _insert(self, found: Located, content: Any, source: Source) -> bool:
        """Put a scalar in its place, if nothing has to be merged for it; most flags are so."""
        if found.in_list or len(found.plans) > 1 or not found.plans[0].is_scalar or found.is_tag:
            return False
        here = self.found.node = self.found.node or Node({}, source)
        for key in found.keys[:-1]:
            if key not in here.content:
                here.content[key] = Node({}, source)
            here = here.content[key]
            if not isinstance(here.content, dict):
                return False
        here.content[found.keys[-1]] = Node(content, source)
        return True

    def _value(self, value: str | None, found: Located | None, source: Source) -> str | None:
        """The value of a flag: its own, or the next word; of `--config` if nothing was found."""
        if value is not None:
            return value
        if self._follows():
            self._next += 1
            return self._argv[self._next - 1]
        hint = ""
        if self._next < len(self._argv):
            word = self._argv[self._next]
            if found is not None and self._hides(found.path):
                # It would be told as an unknown flag.
                self._next += flag_place(self._schema, self._root, word[2:]) is None
                word = MASK
            hint = f"write {source.name}={word} if that is the value"
        path, expected = (found.path, found.expected) if found is not None else ("", "a file")
        self._problem(path, source, "nothing", expected, hint)
        return None

    def _hides(self, path: str) -> bool:
        """Whether what stands at a path is secret, or may have secrets in it."""
        if not self._schema.has_secrets:
            return False
        from treadle_config.secret_places import place_of

        return place_of(self._schema, self._root, path).holds

    def _told(self, written: str) -> str:
        """An unknown flag, without what stands behind the name of a secret."""
        from treadle_config.secret_places import place_of

        name = normal(written)
        start = 3 if name[:3] == "no_" else 0
        place = place_of(self._schema, self._root, name[start:])
        end = start + place.known
        return f"{written[:end]}{MASK}" if place.secret and end < len(written) else written

    def _follows(self) -> bool:
        """Whether a value comes next; a negative number is one."""
        return self._next < len(self._argv) and not self._argv[self._next].startswith("--")

    def _problem(self, path: str, source: Source, got: str, expected: str, hint: str = "") -> None:
        self.found.problems.append(Problem(path, source, got, expected, hint))


def _replacing(node: Node) -> None:
    """Let a node, and all within it, be complete: nothing weaker shows through."""
    node.replaces = True
    content = node.content
    if isinstance(content, dict | list):
        for child in content.values() if isinstance(content, dict) else content:
            _replacing(child)
