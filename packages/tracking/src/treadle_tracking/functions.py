"""Functions and classes as texts that are the same in every process: where they are from, and their source.

Nothing is executed or pickled, and no text has a memory address in it.
"""

import ast
import functools
import inspect
import sys
from collections.abc import Iterable, Mapping
from enum import Enum
from hashlib import sha256
from pathlib import Path
from textwrap import dedent
from types import CodeType, FunctionType, GenericAlias, MethodType
from typing import Any

from treadle_tracking.errors import UnsupportedFunction

__all__ = ["described", "fenced", "is_function", "reference", "source_of"]

_MAIN = {"__main__", "__mp_main__"}  # the script, in its own process and in one that it spawned
_TORCH_CONSTANTS = {"dtype", "device", "layout", "memory_format"}
_DEEPEST = 4


def is_function(value: object) -> bool:
    """Whether `value` is a function or class, by a name of its own: no object that merely can be called."""
    if isinstance(value, GenericAlias):
        return False  # `list[int]` answers for `list`
    if isinstance(value, type | functools.partial):
        return True
    return callable(value) and isinstance(getattr(value, "__qualname__", None), str)


def described(name: str, function: Any) -> tuple[str, str | None, str | None]:
    """What is recorded of a function: `module:qualified.name`, its source, and the SHA-256 of that source in UTF-8.

    A decorated function is the one inside, where the decorator says so (`functools.wraps`); a `functools.partial` has
    the source of its function; an object that can be called, such as a module of a network, has the name and source of
    its class. A lambda's source is the lambda itself. Source and digest are None where there is none: for what is
    built in, or typed at a prompt. The source is that of the file as it is now.

    Args:
        name: What it is recorded as, for messages.
        function: A function, method, class, or another object that can be called.

    Raises:
        UnsupportedFunction: it cannot be called.
    """
    if not callable(function):
        raise UnsupportedFunction(name, function)
    subject = function if is_function(function) else type(function)
    qualified_name = reference(subject)
    if qualified_name is None:  # a partial of something that has no text
        inner = described(name, subject.func)[0]
        qualified_name = f"partial({inner}, …)"
    source = source_of(subject)
    if source is None:
        return qualified_name, None, None
    return qualified_name, source, sha256(source.encode("utf-8", "surrogatepass")).hexdigest()


def fenced(source: str) -> str:
    """Source as a block of code in Markdown, which would take its comments for headings and `__init__` for bold."""
    fence = "```"
    while fence in source:
        fence += "`"
    return f"{fence}python\n{source.rstrip()}\n{fence}"


def reference(value: Any) -> str | None:
    """The text that stands for a function, class, `torch.dtype`, `torch.device`, numpy dtype or member of an enumeration.

    It is the same in every process that runs the same code:

    - a function or class is `module:qualified.name`. What the script itself defines is in the module of the script's
      name, as if it had been imported: `train:augment`, of `python train.py` and of `python -m train`;
    - a lambda, and whatever is defined inside a function, has `#` and eight hexadecimal digits more: of its source, and
      of the numbers and texts that it keeps, so that two of one place differ;
    - `functools.partial(f, 0.5, p=1)` is `partial(module:f, 0.5, p=1)`;
    - torch's constants are as torch writes them: `torch.float32`, `cuda:0`; a numpy dtype is `float32`;
    - a member of an enumeration is its name.

    Returns:
        The text, or None for everything else: another object has no stable form that is known.
    """
    kind = type(value)
    if kind.__module__ == "torch" and kind.__name__ in _TORCH_CONSTANTS:
        return str(value)
    if kind.__module__ == "torch._ops":
        return f"torch.ops.{value}"
    if any(one.__module__ == "numpy" and one.__name__ == "dtype" for one in kind.__mro__):
        return str(value)
    if isinstance(value, Enum):
        return str(value.name)
    if not is_function(value):
        return None
    return _function(value, 0)


def _function(value: Any, depth: int) -> str | None:
    if isinstance(value, functools.partial):
        return _partial(value, depth)
    value = _innermost(value)
    if isinstance(value, functools.partial) or not isinstance(
        getattr(value, "__qualname__", None), str
    ):
        return None
    text = _name(value)
    if "<" in value.__qualname__:  # <lambda>, <locals>
        text += "#" + _mark(value, depth)
    return text


def _partial(value: Any, depth: int) -> str | None:
    inner = reference(value.func) if depth < _DEEPEST else None
    given = [_kept(item, depth + 1) for item in value.args]
    named = {key: _kept(item, depth + 1) for key, item in value.keywords.items()}
    if inner is None or None in given or None in named.values():
        return None
    parts = [inner, *map(str, given), *(f"{key}={text}" for key, text in named.items())]
    return f"partial({', '.join(parts)})"


def _innermost(value: Any) -> Any:
    try:
        return inspect.unwrap(value)
    except ValueError:  # a circle
        return value


def _name(value: Any) -> str:
    qualified = value.__qualname__
    bound = getattr(value, "__self__", None)
    if isinstance(value, MethodType) and isinstance(bound, type):
        # A class method is called on the class that was named, not on the one that it was inherited from.
        return f"{_module(bound.__module__)}:{bound.__qualname__}.{value.__name__}"
    module = getattr(value, "__module__", None)
    if not isinstance(module, str):
        owner = bound if isinstance(bound, type) else type(bound)
        owner = getattr(value, "__objclass__", owner)
        module = owner.__module__
    name = getattr(value, "__name__", "")
    # Not by `getattr`, which imports in a module that loads its parts as they are asked for.
    if name != qualified and vars(sys.modules.get(module, ast)).get(name) is value:
        qualified = name  # `torch.relu` says that it is `_VariableFunctionsClass.relu`
    return f"{_module(module)}:{qualified}"


def _module(name: str) -> str:
    """The name of a module, of the script too: of its file, or as what it was run with `python -m`."""
    if name not in _MAIN:
        return name
    module = sys.modules.get(name)
    spec = getattr(module, "__spec__", None)
    if spec is not None and spec.name not in _MAIN:
        return str(spec.name)
    file = getattr(module, "__file__", None)
    if not isinstance(file, str) or file.startswith("<"):
        return "__main__"  # a prompt, a notebook, or standard input
    path = Path(file)
    return path.resolve().parent.name if path.stem == "__main__" else path.stem


def source_of(function: Any) -> str | None:
    """The source of a function or class, or the lambda's part of it, without its indentation; None where there is none."""
    while isinstance(function, functools.partial):
        function = function.func
    function = _innermost(function)
    if isinstance(function, functools.partial):
        return source_of(function)
    if not is_function(function):
        function = type(function)
    if _is_executed_text(function):
        return None
    try:
        if isinstance(function, FunctionType) and function.__name__ == "<lambda>":
            own = _lambda(function)
            if own is not None:
                return own
        return dedent(inspect.getsource(function))
    except (OSError, TypeError, SyntaxError, ValueError, IndexError):
        # Built in, typed at a prompt, or of a file that is not there or no longer what was imported.
        return None


def _is_executed_text(function: Any) -> bool:
    """Whether it was made by `exec`, whose texts all have the file name that `python -c` has from Python 3.13 on.

    There, `inspect` gives the lines of that program for the source of whatever `exec` has made.
    """
    code = getattr(getattr(function, "__func__", function), "__code__", None)
    return isinstance(code, CodeType) and code.co_filename == "<string>"


def _lambda(function: FunctionType) -> str | None:
    """The text of one lambda, of which there may be several in a line."""
    code = function.__code__
    text = "".join(inspect.findsource(function)[0])
    found = [
        node
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Lambda)
        and node.lineno == code.co_firstlineno
        and _covers(node.body, code)
    ]
    if not found:
        return None
    # The one inside has no code of the one around it, but the one around it covers both.
    innermost = min(found, key=_extent)
    return ast.get_source_segment(text, innermost)


def _extent(node: ast.expr) -> tuple[int, int]:
    assert node.end_lineno is not None
    assert node.end_col_offset is not None
    lines = node.end_lineno - node.lineno
    return lines, node.end_col_offset - (0 if lines else node.col_offset)


def _covers(node: ast.expr, code: CodeType) -> bool:
    """Whether every instruction of `code` comes from within `node`."""
    assert node.end_lineno is not None
    assert node.end_col_offset is not None
    start, end = (node.lineno, node.col_offset), (node.end_lineno, node.end_col_offset)
    for line, end_line, column, end_column in code.co_positions():
        if line is None or end_line is None or column is None or end_column is None:
            continue
        begins, ends = (line, column), (end_line, end_column)
        if begins != ends and not (start <= begins and ends <= end):
            return False
    return True


def _mark(function: Any, depth: int) -> str:
    """Eight hexadecimal digits of what makes a function that has no name of its own what it is."""
    source = source_of(function)
    parts = [_instructions(function) if source is None else source]
    kept = _holds(function) if depth < _DEEPEST else []
    parts += [_kept(item, depth + 1) or f"<{type(item).__qualname__}>" for item in kept]
    return sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:8]


def _holds(function: Any) -> list[Any]:
    """The values that a function was made with: its defaults, and what it took from around it."""
    function = getattr(function, "__func__", function)
    if not isinstance(function, FunctionType):
        return []
    held = [*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()]
    for cell in function.__closure__ or ():
        try:
            held.append(cell.cell_contents)
        except ValueError:  # not filled yet
            continue
    return held


def _instructions(function: Any) -> str:
    code = getattr(getattr(function, "__func__", function), "__code__", None)
    return _code(code) if isinstance(code, CodeType) else ""


def _code(code: CodeType) -> str:
    parts = [code.co_code.hex(), *code.co_names]
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            parts.append(_code(constant))
        elif isinstance(constant, frozenset):
            parts += sorted(map(repr, constant))  # its order is another in each process
        else:
            parts.append(repr(constant))
    return " ".join(parts)


def _kept(value: Any, depth: int) -> str | None:
    """A value that a function was made with, as a text that is stable; None for one that has none."""
    if value is None or isinstance(value, bool | int | float | complex | str | bytes):
        return repr(value) if type(value).__module__ == "builtins" else reference(value)
    if depth > _DEEPEST:
        return None
    if isinstance(value, list | tuple):
        return _joined("[]", (_kept(item, depth + 1) for item in value))
    if isinstance(value, Mapping):
        return _joined("{}", (_pair(*pair, depth + 1) for pair in value.items()))
    if isinstance(value, functools.partial) or is_function(value):
        return _function(value, depth + 1)
    return reference(value)


def _pair(key: Any, value: Any, depth: int) -> str | None:
    texts = _kept(key, depth), _kept(value, depth)
    return None if None in texts else f"{texts[0]}: {texts[1]}"


def _joined(brackets: str, texts: Iterable[str | None]) -> str | None:
    found = list(texts)
    if None in found:
        return None
    return brackets[0] + ", ".join(text for text in found if text is not None) + brackets[1]
