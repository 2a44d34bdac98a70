"""Where each value of a TOML document stands, which python's `tomllib` does not tell.

This takes a document apart without judging it, and stops at what it does not know: what is
wrong there, `tomllib` says. It comes first, because `tomllib` has no limit to depth and takes
time by the square of it, and names but one of the places of a key that is given twice.
"""

import contextlib
import re

from treadle_config.tree import DEEPEST, MOST_NODES, Unreadable

Path = tuple[str | int, ...]
"""Keys of tables and indexes of arrays, from the root."""

_LONGEST_NUMBER = 1_000
"""Characters; python refuses to write an int of more than 4300 digits."""

_BLANK = re.compile(r"[ \t]*+")
_BLANK_LINES = re.compile(r"(?:[ \t\n]++|#[^\n]*+)*+")
_BASIC = r'"(?:[^"\\\n]++|\\.)*+"'
_LITERAL = r"'[^'\n]*+'"
_KEY = re.compile(rf"([A-Za-z0-9_-]++)|{_BASIC}|{_LITERAL}")
_TEXT = re.compile(
    r'"{3}(?:[^"\\]++|\\[\s\S]|"{1,2}+(?!"))*+"{3,5}+'
    r"|'{3}(?:[^']++|'{1,2}+(?!'))*+'{3,5}+"
    rf"|(?!\"{{3}}|'{{3}})(?:{_BASIC}|{_LITERAL})"
)
_BARE = re.compile(r"(?:[0-9]{4}-[0-9]{2}-[0-9]{2} (?=[0-9]))?[^\s,\]}#'\"\[{]++")


class TomlLines:
    """A document taken apart.

    Attributes:
        lines: The line, counted from 1, of each value and each table that has a path.
        bare: Numbers, dates and bools as they are written.

    Raises:
        Unreadable: It is too deep or too large, or gives a key or a table twice.
    """

    def __init__(self, text: str) -> None:
        self.lines: dict[Path, int] = {}
        self.bare: dict[Path, str] = {}
        self._text = text
        self._at = 0
        self._line = 1
        self._values = 0
        self._given: dict[Path, int] = {}
        self._lengths: dict[Path, int] = {}
        with contextlib.suppress(_UnknownHere):
            self._document()

    def _document(self) -> None:
        table: Path = ()
        while True:
            self._match(_BLANK_LINES)
            if self._at == len(self._text):
                return
            if self._skipped("[["):
                table = self._table(many=True)
            elif self._skipped("["):
                table = self._table(many=False)
            else:
                self._pair(table)

    def _table(self, *, many: bool) -> Path:
        *above, last = self._keys()
        path: Path = ()
        for key in above:
            path = self._noted((*path, key))
            if path in self._lengths:
                path = (*path, self._lengths[path] - 1)
        path = self._noted((*path, last))
        if many:
            index = self._lengths.get(path, 0)
            self._lengths[path] = index + 1
            path = self._noted((*path, index))
        self._counted()
        self._once(path)
        self._expect("]]" if many else "]")
        return path

    def _pair(self, table: Path) -> None:
        path = table
        for key in self._keys():
            path = self._noted((*path, key))
        self._once(path)
        self._expect("=")
        self._match(_BLANK)
        self._value(path)

    def _value(self, path: Path) -> None:
        self.lines[path] = self._line
        self._counted()
        if self._skipped("["):
            index = 0
            while not self._closed("]"):
                self._value(self._noted((*path, index)))
                index += 1
                self._match(_BLANK_LINES)
                self._skipped(",")
        elif self._skipped("{"):
            while not self._closed("}"):
                self._pair(path)
                self._match(_BLANK_LINES)
                self._skipped(",")
        elif self._text.startswith(('"', "'"), self._at):
            self._match(_TEXT)
        else:
            self.bare[path] = self._match(_BARE)
            if len(self.bare[path]) > _LONGEST_NUMBER:
                raise Unreadable(f"a number of more than {_LONGEST_NUMBER} digits", self._line)

    def _keys(self) -> list[str]:
        keys = []
        while True:
            self._match(_BLANK)
            found = _KEY.match(self._text, self._at)
            if found is None:
                raise _UnknownHere
            self._at = found.end()
            keys.append(found[1] or _unquoted(found[0]))
            self._check_depth(len(keys))
            self._match(_BLANK)
            if not self._skipped("."):
                return keys

    def _noted(self, path: Path) -> Path:
        self.lines.setdefault(path, self._line)
        self._check_depth(len(path))
        return path

    def _check_depth(self, levels: int) -> None:
        if levels > DEEPEST:
            raise Unreadable(f"nested more than {DEEPEST} levels deep", self._line)

    def _counted(self) -> None:
        self._values += 1
        if self._values > MOST_NODES:
            raise Unreadable(f"more than {MOST_NODES} values", self._line)

    def _once(self, path: Path) -> None:
        if path in self._given:
            hint = f"it is given on line {self._given[path]} and again on line {self._line}"
            where = ".".join(map(_shown, path)).replace(".[", "[")
            raise Unreadable(hint, self._line, where, got="a second", expected="one value")
        self._given[path] = self._line

    def _match(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self._text, self._at)
        if found is None:
            raise _UnknownHere
        self._at = found.end()
        self._line += found[0].count("\n")
        return found[0]

    def _skipped(self, mark: str) -> bool:
        skipped = self._text.startswith(mark, self._at)
        self._at += len(mark) if skipped else 0
        return skipped

    def _closed(self, bracket: str) -> bool:
        self._match(_BLANK_LINES)
        return self._skipped(bracket)

    def _expect(self, mark: str) -> None:
        if not self._skipped(mark):
            raise _UnknownHere


class _UnknownHere(Exception):
    """The document is no TOML from here on, or this does not know it."""


def _unquoted(key: str) -> str:
    if "\\" not in key or key[0] == "'":
        return key[1:-1]
    import tomllib

    try:
        (found,) = tomllib.loads(f"{key} = 0")
    except tomllib.TOMLDecodeError:
        raise _UnknownHere from None
    return found


def _shown(key: str | int) -> str:
    return f"[{key}]" if isinstance(key, int) else key
