"""What the umbrella uses of the four libraries is what they export: they are versioned apart."""

import ast
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

import treadle

LIBRARIES = ("treadle_units", "treadle_config", "treadle_loop", "treadle_tracking")
# The command line is an interface of its own, and loaded by nobody who does not call it.
MODULES = {*LIBRARIES, "treadle_tracking.commands"}
SOURCES = Path(treadle.__file__).parent


def imported(source: str) -> Iterator[tuple[str, str]]:
    """The modules of the libraries, and the names in them, that a source imports."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.module is not None:
            found = [(node.module, alias.name) for alias in node.names]
        elif isinstance(node, ast.Import):
            found = [(alias.name, "*") for alias in node.names]
        else:
            continue
        yield from (one for one in found if one[0].partition(".")[0] in LIBRARIES)


def is_public(module: str, name: str) -> bool:
    return module in MODULES and (name == "*" or name in import_module(module).__all__)


@pytest.mark.parametrize(
    "source", sorted(SOURCES.rglob("*.py")), ids=lambda path: str(path.relative_to(SOURCES))
)
def test_only_public_names_are_imported(source: Path) -> None:
    """A module of treadle imports a library itself, and what is in its `__all__`, and nothing from within."""
    inner = [one for one in imported(source.read_text()) if not is_public(*one)]

    assert [] == inner


@pytest.mark.parametrize(
    "source",
    [
        "from treadle_loop.loss import Loss",
        "import treadle_tracking.target",
        "from treadle_tracking import syncing",
        "def late():\n    from treadle_loop.means import wide_on",
    ],
)
def test_what_is_within_is_found(source: str) -> None:
    """A module within a library, and a name that it does not promise, are found wherever they are imported."""
    assert [False] == [is_public(*one) for one in imported(source)]
