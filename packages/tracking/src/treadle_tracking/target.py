"""Where a run goes, said in one string or a list of them: one directory that is the truth, and its mirrors."""

import os
import re
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from attrs import frozen

from treadle_tracking.errors import InvalidTarget, seen

__all__ = ["DEFAULT_DIRECTORY", "Targets", "masked", "parse_targets"]

DEFAULT_DIRECTORY = ".treadle/runs"

_SCHEMES = ("tensorboard", "mlflow")
_PREFIXES = tuple(f"{scheme}:" for scheme in _SCHEMES)
_NEXT = re.compile(r"[,;\s]+(?=(?:tensorboard|mlflow):)")  # between two targets in one text
_VARIABLE = re.compile(r"\$(?:[A-Za-z_]|\{)")
_SQLITE = re.compile(r"(sqlite(?:\+\w+)?:)(/{0,3})(.*)", re.DOTALL)
# As those read it who connect: up to the last `@` before a slash; SQLAlchemy takes a slash for a part of a password.
_SECRET = re.compile(r"(?<=[^/]//)(?:[^/\s]+|(?<!http://)(?<!https://)[^/:@\s]*:[^@\s]*)(?=@)")


@frozen
class Targets:
    """Where a run's directory is made, and the MLflow URIs that it is mirrored to. All absolute."""

    root: Path
    mirrors: tuple[str, ...] = ()
    chosen: bool = True  # whether the root was named; a default is one that the user should be told


def masked(uri: str) -> str:
    """`uri` without the user and password that it may hold."""
    return _SECRET.sub("***", uri)


def _absolute(path: str) -> Path:
    if _VARIABLE.search(path):
        raise InvalidTarget(
            f"{path!r} has a variable in it that nothing has expanded. "
            f"Give os.path.expandvars({path!r}), or write it where a shell expands it"
        )
    try:
        if "\0" not in path:
            return Path(path).expanduser().absolute()
    except RuntimeError:  # a user's home that is not known
        pass
    raise InvalidTarget(
        f"{path!r} is no path of this system. Name another, as in 'tensorboard:runs'"
    )


def _absolute_uri(uri: str) -> str:
    """An sqlite URI with an absolute path, so that it means the same from every directory; others as they are."""
    matched = _SQLITE.match(uri)
    if matched is None:
        return uri
    scheme, slashes, path = matched.groups()
    if not path or path.startswith(("?", ":memory:")):
        raise InvalidTarget(
            f"target 'mlflow:{uri}' names no file, and a database in memory dies with the process. "
            f"Name one: 'mlflow:sqlite:///mlflow.db'"
        )
    if slashes != "///":
        raise InvalidTarget(
            f"target 'mlflow:{uri}' has no three slashes before its file; a fourth begins an absolute path. "
            f"Did you mean 'mlflow:{scheme}///{path}'?"
        )
    return f"{scheme}///{_absolute(path)}"


def _default_mlflow_uri() -> str:
    given = os.environ.get("MLFLOW_TRACKING_URI")
    if not given:
        return _absolute_uri("sqlite:///mlflow.db")
    from treadle_tracking.mirrors.address import parse_address

    try:
        uri = _absolute_uri(given)
        parse_address(uri)
    except InvalidTarget as error:
        # The user wrote no such target, and would look for it in his program.
        error.args = (f"'mlflow:' is what the variable MLFLOW_TRACKING_URI says, and {error}",)
        raise
    return uri


def _check_single(target: str) -> None:
    """Raises `InvalidTarget` where one text holds several targets, or blanks that would become part of a name."""
    several = _NEXT.split(target.strip(" \t\r\n,;"))
    if len(several) > 1:
        raise InvalidTarget(
            f"target {masked(target)!r} is {len(several)} targets in one text. "
            f"Give a list of them: {[masked(one) for one in several]}"
        )
    tidy = ":".join(part.strip() for part in target.split(":", 1))
    if tidy not in {target, "tensorboard:"} and tidy.startswith(_PREFIXES):
        raise InvalidTarget(
            f"target {masked(target)!r} has blanks around its parts. Did you mean {masked(tidy)!r}?"
        )


def _unknown(target: str) -> InvalidTarget:
    scheme, colon, rest = target.partition(":")
    close = get_close_matches(scheme.lower(), _SCHEMES, n=1)
    if rest.startswith("//") and not close:
        suggestion = f"mlflow:{target.strip()}"
    elif colon and close:
        suggestion = f"{close[0]}:{rest.strip()}"
    else:
        suggestion = f"tensorboard:{target.strip() or 'runs'}"
    return InvalidTarget(
        f"target {masked(target)!r} names no place that is known; "
        f"expected 'tensorboard:DIR' or 'mlflow:URI'. Did you mean {masked(suggestion)!r}?"
    )


def parse_targets(
    target: str | Sequence[str],
    *,
    directory: str | os.PathLike[str] | None = None,
) -> Targets:
    """Read a target, or several: one directory at most, any number of mirrors.

    Args:
        target: `tensorboard:DIR` is the root of the run directories. `mlflow:URI` is a mirror; `mlflow:` alone is
            `MLFLOW_TRACKING_URI` if that is set, else `mlflow.db` in the current directory.
        directory: The root where no `tensorboard:DIR` names one; `.treadle/runs` by default.

    Raises:
        InvalidTarget: a target is none of these, or several in one text; a path has a `$VARIABLE` in it; there is no
            target, or there are two roots.
    """
    targets: list[Any] = list(target) if isinstance(target, list | tuple) else [target]
    for one in targets:
        if not isinstance(one, str):
            raise InvalidTarget(
                f"target is {seen(one)}; expected a text, 'tensorboard:DIR' or 'mlflow:URI', or a list of such texts. "
                f"A run that records nothing is start_run(None)"
            )
    if directory is not None and (not directory or not isinstance(directory, str | os.PathLike)):
        raise InvalidTarget(f"directory is {seen(directory)}; expected the path of a directory")
    if not targets:
        raise InvalidTarget(
            "the list of targets is empty; expected 'tensorboard:DIR' or 'mlflow:URI'. "
            "A run that records nothing is start_run(None)"
        )
    roots: list[str] = [] if directory is None else [os.fspath(directory)]
    mirrors: list[str] = []
    for one in targets:
        _check_single(one)
        scheme, colon, rest = one.partition(":")
        if not colon or scheme not in _SCHEMES:
            raise _unknown(one)
        if scheme == "mlflow":
            mirrors.append(_absolute_uri(rest) if rest else _default_mlflow_uri())
        elif rest.strip():
            roots.append(rest)
        else:
            raise InvalidTarget(
                "target 'tensorboard:' names no directory. Name one: 'tensorboard:runs'"
            )
    if len(roots) > 1:
        raise InvalidTarget(
            f"a run has one directory, and {len(roots)} are named: {', '.join(map(repr, roots))}. "
            f"Name one of them; `directory` is for runs without a 'tensorboard:DIR'"
        )
    root = _absolute(roots[0] if roots else DEFAULT_DIRECTORY)
    return Targets(root=root, mirrors=tuple(dict.fromkeys(mirrors)), chosen=bool(roots))
