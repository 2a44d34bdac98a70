"""Files that include others: each is a layer of its own, above those that it includes."""

import os
from collections.abc import Callable, Iterator

from treadle_config.errors import Problem
from treadle_config.files import NoSuchFile, read_document
from treadle_config.tree import DEEPEST, Node, Source, Unreadable, is_null, shown

INCLUDE = "include"
"""The key at the top of a file that names the files to lie below it."""

_Chain = tuple[tuple[str, Source], ...]
"""The files that led to one, from the first: the identity of each, and its line that led on."""


class Files:
    """Reads the files of one load.

    A file that several include is one layer, below all of them.
    """

    def __init__(self, ranks: Iterator[int], problems: list[Problem], *, includes: bool) -> None:
        """Begin to read.

        Args:
            ranks: Gives each layer its place in the precedence.
            problems: Where to put what is wrong.
            includes: Whether `include` is ours; in a schema that has such a field, it is not.
        """
        self._ranks = ranks
        self._problems = problems
        self._includes = includes
        self._read: list[str] = []
        self._known: set[str] = set()

    def read(self, path: str | os.PathLike[str]) -> list[Node]:
        """Read a file and what it includes.

        Args:
            path: The file; it is named in messages as it is given here.

        Returns:
            The layers, the weakest first; none for a file with a problem.

        Raises:
            MissingExtra: A YAML file is among them and PyYAML is not installed.
        """
        name = os.fspath(path)
        try:
            return self._layers(name, name, ())
        except NoSuchFile as error:
            source = Source("file", name, order=(next(self._ranks), 0))
            self._problems.append(Problem("", source, error.got, error.expected, error.hint))
            return []

    def _layers(self, name: str, written: str, chain: _Chain) -> list[Node]:
        source_at = _sources(name, next(self._ranks))
        try:
            node = read_document(name, source_at, written) or Node({}, source_at(0))
        except NoSuchFile:
            raise
        except Unreadable as error:
            self._read.append(name)
            source = source_at(error.line)
            problem = Problem(error.path, source, error.got, error.expected, error.hint)
            self._problems.append(problem)
            return []
        self._read.append(name)
        named = node.content.pop(INCLUDE, None) if self._includes else None
        if named is None:
            return [node]
        identity = _identity(name)
        below: list[Node] = []
        wrong: list[tuple[Problem, int]] = []
        for path, entry in _entries(named):
            found = self._included(path, entry, (*chain, (identity, entry.source)))
            if isinstance(found, Problem):
                wrong.append((found, entry.source.line))
            else:
                below += found
        # Only now is it known how many layers lie below, and these lines are to be sorted above.
        source_at = _sources(name, next(self._ranks))
        self._problems += [one.replaced(source=source_at(line)) for one, line in wrong]
        _move(node, source_at)
        return [*below, node]

    def _included(self, path: str, entry: Node, chain: _Chain) -> list[Node] | Problem:
        source, written = entry.source, entry.content
        if not isinstance(written, str) or is_null(written):
            wanted = "the path of a file, or a list of paths"
            return Problem(path, source, shown(written), wanted)
        name = os.path.join(os.path.dirname(source.name), written)  # noqa: PTH118, PTH120  # verbatim
        identity = _identity(name)
        if any(identity == one for one, _ in chain):
            wanted = f"a file that does not include {source.name}"
            return Problem(path, source, name, wanted, _cycle(chain, identity, name))
        if len(chain) > DEEPEST:
            wanted = f"at most {DEEPEST} files that include one another"
            return Problem(path, source, "one more", wanted)
        if self._is_below(identity):
            return []
        try:
            return self._layers(name, str(written), chain)
        except NoSuchFile as error:
            return Problem(path, source, f"{error.got} at {name}", error.expected, error.hint)

    def _is_below(self, identity: str) -> bool:
        # Asked of the file system only now: most files include nothing.
        self._known.update(map(_identity, self._read))
        self._read.clear()
        return identity in self._known


def _entries(named: Node) -> Iterator[tuple[str, Node]]:
    if isinstance(named.content, list):
        for index, entry in enumerate(named.content):
            yield f"{INCLUDE}[{index}]", entry
    else:
        yield INCLUDE, named


def _cycle(chain: _Chain, identity: str, name: str) -> str:
    """Who includes whom, from the file that is included again."""
    first = next(index for index, (one, _) in enumerate(chain) if one == identity)
    sources = [source for _, source in chain[first:]]
    names = [*(source.name for source in sources[1:]), name]
    return ", ".join(
        f"{source.name}:{source.line} includes {below}"
        for source, below in zip(sources, names, strict=True)
    )


def _identity(name: str) -> str:
    """One name for a file, whatever way leads there."""
    try:
        return os.path.realpath(name)
    except ValueError:  # a NUL within; reading it says so
        return name


class _Lines(dict[int, Source]):
    """The source of each line; many values share one, and a frozen object is slow to make."""

    def __init__(self, name: str, rank: int) -> None:
        super().__init__()
        self._name = name
        self._rank = rank

    def __missing__(self, line: int) -> Source:
        made = self[line] = Source("file", self._name, line, order=(self._rank, line))
        return made


def _sources(name: str, rank: int) -> Callable[[int], Source]:
    return _Lines(name, rank).__getitem__


def _move(node: Node, source_at: Callable[[int], Source]) -> None:
    node.source = source_at(node.source.line)
    content = node.content
    for child in content.values() if isinstance(content, dict) else content:
        if isinstance(child.content, dict | list):
            _move(child, source_at)
        else:
            child.source = source_at(child.source.line)
