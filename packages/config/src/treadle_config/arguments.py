"""The command line as one layer: a tokenizer, and nothing that is remembered.

`--a.b v` and `--a.b=v` are the same, so are `-` and `_` within names; a name is never
abbreviated. The position of a flag says nothing, save among flags of one name.
"""

import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

from treadle_config.errors import Problem, SchemaError
from treadle_config.flags import flag_meant, flag_of, flag_place, may_be_negated, normal
from treadle_config.inline import may_be_scalar, read_inline
from treadle_config.layers import COMMAND_LINE_RANK
from treadle_config.paths import ChosenAt, Located, known_paths
from treadle_config.plans import Choice, Plan
from treadle_config.scalars import BOOL_WORDS
from treadle_config.schema import Schema
from treadle_config.suggestions import did_you_mean, may_suggest
from treadle_config.text_layer import TextLayer
from treadle_config.tree import MASK, Node, Source, Unreadable, Verbatim, shown, within

OWN_FLAGS = ("config", "help", "print_config")
"""Root names that the command line keeps for itself."""


class Arguments:
    """What argv said.

    Attributes:
        nodes: What it said of settings, in order.
        files: The values of `--config`, in order.
        options: Of the flags in `allowed` (such as `--help`), those given, with their values.
        problems: What is wrong with it.
        again: Reads it again, where what a flag is depends on the classes that are chosen.
    """

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.files: list[str] = []
        self.options: dict[str, str | None] = {}
        self.problems: list[Problem] = []
        self.again: Callable[[ChosenAt], Arguments] | None = None


def read_arguments(
    schema: Schema, root: Plan, argv: Iterable[str], allowed: Sequence[str] = ()
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
    # A mapping or a set has no order, or not that of its words.
    ordered = isinstance(argv, list) or (
        isinstance(argv, Iterable) and not isinstance(argv, str | bytes | Mapping | AbstractSet)
    )
    words = list(argv) if ordered else []
    if not ordered or not all(isinstance(word, str) for word in words):
        said = f"argv is of type {type(argv).__name__}" if schema.has_secrets else f"argv={argv!r}"
        raise TypeError(f"{said}: give a list of words, such as sys.argv[1:]")
    check_names(schema, root)
    reader = _Reader(schema, root, words, allowed)
    found = reader.read()
    if reader.is_ambiguous:
        found.again = lambda chosen: _Reader(schema, root, words, allowed, chosen).read()
    return found


def understood(
    arguments: Arguments, schema: Schema, root: Plan, nodes: Sequence[Node]
) -> Arguments:
    """Arguments, by the classes that all layers choose, where what a flag is depends on them.

    Args:
        arguments: As they were read, without knowing which classes are chosen.
        schema: Where classes are planned.
        root: The plan of the config.
        nodes: The other layers.
    """
    if arguments.again is None:
        return arguments
    # Imported here: few classes of one union have fields of one name and several types.
    from treadle_config.chosen_classes import ChosenClasses

    return arguments.again(ChosenClasses(schema, root, [*nodes, *arguments.nodes]).at)


def check_names(schema: Schema, root: Plan) -> None:
    """Check that no field has the name of a flag of the command line's own.

    Raises:
        SchemaError: One has.
    """
    known = schema.fields_of(root.mapping.classes[0]) if isinstance(root.mapping, Choice) else ()
    for name in OWN_FLAGS:
        if name in known:
            raise SchemaError(
                f"{name}: the command line keeps {flag_of(name)} for itself; rename the field"
            )


class _Reader:
    def __init__(
        self,
        schema: Schema,
        root: Plan,
        argv: Sequence[str],
        allowed: Sequence[str],
        chosen: ChosenAt | None = None,
    ) -> None:
        self.found = Arguments()
        self.is_ambiguous = False
        self._chosen = chosen
        self._schema = schema
        self._root = root
        self._argv = argv
        self._allowed = allowed
        self._next = 0
        # The last flag of a setting, while no other word has begun.
        self._latest: tuple[str, Located] | None = None
        # The lists that argv has begun; where a scalar is taken as well, with what may be one.
        self._lists: dict[str, Node | None] = {}
        self._layer = TextLayer(schema, self.found.problems)
        self.found.nodes = self._layer.nodes

    def read(self) -> Arguments:
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
                hint, quotes = self._meant(word, index)
                # It may be a part of a secret, where the quotes around that are missing.
                got = repr(word) if quotes or not self._schema.has_secrets else MASK
                self._problem("", source, got, "a flag such as --name VALUE", hint)
        return self.found

    def _meant(self, word: str, index: int) -> tuple[str, bool]:
        """What a word that is no flag was meant as, and whether it is known to be no secret."""
        if word == "--":
            return "a lone -- is not used here; leave it out", True
        before = normal(self._argv[index - 1][2:]) if index else ""
        if before in self._allowed and before != "help":
            return did_you_mean(f"{flag_of(before)}={word}"), True
        if word[:1] == "-" and word[1:2].isalpha():
            name = normal(word[1:])
            roots = [one for one in known_paths(self._schema, self._root) if "." not in one]
            like = [one for one in roots if one == name] or [
                one for one in roots if one.startswith(name)
            ]
            if len(like) != 1:
                return "", False
            if self._follows() and self._argv[self._next][:1] != "-":
                self._next += 1  # its value; it would be a second problem otherwise
            return did_you_mean(flag_of(like[0])), True
        if self._latest is not None:
            flag, found = self._latest
            if all(plan.is_flag for plan in found.plans):
                return f"{flag} takes true or false", False
            if any(plan.sequence is not None for plan in found.plans):
                return f"give {flag} again before each item", False
        return "", False

    def _flag(self, written: str, value: str | None, source: Source) -> None:
        name = normal(written)
        self._latest = None
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
        found = self._place(written)
        if found is not None:
            self._latest = source.name, found
            self._set(found, value, source, exact=exact)
            return
        if written[:3] in ("no-", "no_") and not exact:
            positive = self._place(written[3:])
            if positive is not None:
                self._negate(positive, value, source)
                return
        if value is None and self._follows():
            self._next += 1  # its value; it would be a second problem otherwise
        hint = ""
        if may_suggest(self.found.problems):
            hint = flag_meant(self._schema, self._root, written, self._allowed, self._chosen)
        if self._schema.has_secrets:
            written = self._told(written)
            source = source.replaced(name=f"--{written}")
        path = normal(written).replace("[_", "[-")
        self._problem(path, source, f"'--{written}'", "the flag of a setting", hint)

    def _place(self, written: str) -> Located | None:
        """What a flag sets, by the classes that are chosen, if they are known."""
        found = flag_place(self._schema, self._root, written, self._chosen)
        if found is not None and len(found.plans) == 1:
            return found
        if found is None:
            self.is_ambiguous |= "[" in written or written[-1:] == "+"
        else:
            self.is_ambiguous |= found.is_ambiguous
        return found

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
        if value is not None and not (exact or found.in_list or len(found.plans) > 1):
            plan = found.plans[0]
            if plan.is_scalar and self._layer.put(found, Node(Verbatim(value), source)):
                return  # as most flags are
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
        self._put(found, node.content, source, exactly=True)

    def _set_list(self, found: Located, text: Verbatim, source: Source) -> None:
        """A list flag given again adds to what argv said of it; a whole list starts afresh."""
        whole = self._whole_list(found, text, source)
        if text == "null" and any(plan.optional for plan in found.plans):
            self._lists.pop(found.path, None)
            self._put(found, text, source)
        elif whole is not None:
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

    def _negate(self, found: Located, value: str | None, source: Source) -> None:
        if value is not None:
            self._problem(found.path, source, repr(value), "no value after --no-...")
        elif not may_be_negated(found):
            hint = f"{found.path} is neither a bool nor nullable"
            self._problem(found.path, source, repr(source.name), found.expected, hint)
        else:
            is_flag = all(plan.is_flag for plan in found.plans)
            self._put(found, False if is_flag else None, source)

    def _put(self, found: Located, content: Any, source: Source, *, exactly: bool = False) -> None:
        if found.in_list and found.adds:
            # What counts from the end is another item from now on.
            last = f"{found.path}[-"
            self._lists = {
                path: one for path, one in self._lists.items() if path[: len(last)] != last
            }
        self._layer.say(found, content, source, exactly=exactly)

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
                self._next += self._place(word[2:]) is None
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
