"""The docstrings of fields: the string that stands below a field in its class.

Python keeps none, so the module's source is read. `inspect.getsource` would parse it anew for
each class, which takes a second for a module of many.
"""

import ast
import sys
from pathlib import Path


class FieldDocs:
    """Docstrings of fields, with every module parsed once."""

    def __init__(self) -> None:
        self._modules: dict[str, dict[str, dict[str, str]]] = {}

    def of(self, cls: type, name: str) -> str:
        """The docstring of a field, its first line; empty where there is none.

        A class that says nothing takes its base's. Without source there is nothing to say.
        """
        for owner in cls.__mro__:
            classes = self._classes(owner.__module__)
            found = classes.get(owner.__qualname__, {}).get(name)
            if found:
                return found
        return ""

    def _classes(self, module: str) -> dict[str, dict[str, str]]:
        if module not in self._modules:
            found: dict[str, dict[str, str]] = {}
            path = getattr(sys.modules.get(module), "__file__", None)
            if path is not None and str(path).endswith(".py"):
                try:
                    _collect(ast.parse(Path(path).read_bytes()), "", found)
                except (OSError, SyntaxError, ValueError):
                    found = {}
            self._modules[module] = found
        return self._modules[module]


def _collect(node: ast.AST, prefix: str, found: dict[str, dict[str, str]]) -> None:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ClassDef):
            name = f"{prefix}{child.name}"
            found[name] = _docs(child)
            _collect(child, f"{name}.", found)
        elif isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            _collect(child, f"{prefix}{child.name}.<locals>.", found)
        else:
            _collect(child, prefix, found)


def _docs(cls: ast.ClassDef) -> dict[str, str]:
    docs = {}
    for one, following in zip(cls.body, cls.body[1:], strict=False):
        if (
            isinstance(one, ast.AnnAssign)
            and isinstance(one.target, ast.Name)
            and isinstance(following, ast.Expr)
            and isinstance(following.value, ast.Constant)
            and isinstance(following.value.value, str)
        ):
            docs[one.target.id] = following.value.value.strip().partition("\n")[0].strip()
    return docs
