"""Where a run goes, in one string or a list of them: one directory, the source of truth, and its mirrors."""

import os
import re
from collections.abc import Sequence
from contextlib import suppress
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from attrs import frozen

from treadle_tracking.backends import installed_schemes, is_known, normalized
from treadle_tracking.errors import InvalidTarget, TrackingError, seen
from treadle_tracking.masking import masked

__all__ = [
    "DEFAULT_DIRECTORY",
    "Targets",
    "absolute_path",
    "absolute_targets",
    "is_target",
    "masked",
    "names_of_mirror",
    "parse_targets",
]

DEFAULT_DIRECTORY = ".treadle/runs"

_SCHEME = re.compile(r"[A-Za-z][\w+.\-]*\Z")
_NEXT = re.compile(r"[,;\s]+(?=([A-Za-z][\w+.\-]*):)")  # may be between two targets in one text
_TRACKING_URI = re.compile(r"(?:https?|(?:sqlite|postgresql|mysql|mssql)(?:\+\w+)?)://")
_ADDRESS = re.compile(r"[A-Za-z][\w+.\-]+://")
_VARIABLE = re.compile(r"\$(?:[A-Za-z_]|\{)")


@frozen
class Targets:
    """Where a run's directory is made, and what it is mirrored to. All absolute."""

    root: Path
    mirrors: tuple[str, ...] = ()  # the target of each, scheme and secrets and all
    chosen: bool = True  # whether the root was named; a default is one that the user should be told


def absolute_path(path: str) -> Path:
    """`path` from the current directory or the user's home.

    Raises:
        InvalidTarget: it has a `$VARIABLE` in it, or is not a path of this system.
    """
    shown = masked(path)
    if _VARIABLE.search(path):
        raise InvalidTarget(
            f"{shown!r} has a variable in it that nothing has expanded. "
            f"Give os.path.expandvars({shown!r}), or write it where a shell expands it"
        )
    try:
        if "\0" not in path:
            return Path(path).expanduser().absolute()
    except RuntimeError:  # a user's home that is not known
        pass
    raise InvalidTarget(
        f"{shown!r} is no path of this system. Name another, as in 'tensorboard:runs'"
    )


def is_target(text: str) -> bool:
    """Whether it begins with a scheme that is known."""
    scheme, colon, _ = text.partition(":")
    return bool(colon) and _SCHEME.match(scheme) is not None and is_known(scheme)


def _several(text: str) -> list[str]:
    """The targets that are in one text."""
    several, begin = [], 0
    for gap in _NEXT.finditer(text):
        if is_known(gap.group(1)):
            several.append(text[begin : gap.start()])
            begin = gap.end()
    return [*several, text[begin:]]


def _check_single(target: str) -> None:
    """Raises `InvalidTarget` where one text holds several targets, or blanks that would become part of a name."""
    several = _several(target.strip(" \t\r\n,;"))
    if len(several) > 1:
        raise InvalidTarget(
            f"target {masked(target)!r} is {len(several)} targets in one text. "
            f"Give a list of them: {[masked(one) for one in several]}"
        )
    tidy = ":".join(part.strip() for part in target.split(":", 1))
    if tidy not in {target, "tensorboard:"} and is_target(tidy):
        raise InvalidTarget(
            f"target {masked(target)!r} has blanks around its parts. Did you mean {masked(tidy)!r}?"
        )


def _unknown(target: str) -> InvalidTarget:
    """The error for what begins with no scheme that is known, with what may have been meant, if that can be told."""
    installed = installed_schemes()
    scheme, colon, rest = target.partition(":")
    close = get_close_matches(scheme.lower(), ["tensorboard", "mlflow", *installed], n=1)
    suggestion = None
    if _TRACKING_URI.match(target.strip()):
        suggestion = f"mlflow:{target.strip()}"
    elif colon and close:
        suggestion = f"{close[0]}:{rest.strip()}"
    elif not colon or _SCHEME.match(scheme) is None:  # a path
        suggestion = f"tensorboard:{target.strip() or 'runs'}"
    advice = f"No backend of '{scheme}:' is installed"
    if suggestion is not None:
        advice = f"Did you mean {masked(suggestion)!r}?"
    *others, last = "'tensorboard:DIR'", "'mlflow:URI'", *(f"'{word}:…'" for word in installed)
    return InvalidTarget(
        f"target {masked(target)!r} names no place that is known; expected {', '.join(others)} or {last}. "
        f"{advice}"
    )


def parse_targets(
    target: str | Sequence[str],
    *,
    directory: str | os.PathLike[str] | None = None,
) -> Targets:
    """Read a target, or several: one directory at most, any number of mirrors.

    Args:
        target: `tensorboard:DIR` is the root of the run directories. `mlflow:URI` is a mirror; `mlflow:` alone is
            `MLFLOW_TRACKING_URI` if that is set, else `mlflow.db` in the current directory. Other packages may add
            further ones (`backends`).
        directory: The root if no `tensorboard:DIR` names one; `.treadle/runs` by default.

    Raises:
        InvalidTarget: a target is none of these, or several in one text; a path has a `$VARIABLE` in it; there is no
            target, or there are two roots.
        BackendClash: several packages have a backend of one scheme.
        BackendNotLoaded: the backend of a scheme cannot be imported.
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
    mirrored: list[str] = []
    for one in targets:
        _check_single(one)
        if not is_target(one):
            raise _unknown(one)
        scheme, _, rest = one.partition(":")
        if scheme != "tensorboard":
            mirrored.append(one)
        elif rest.strip():
            roots.append(rest)
        else:
            raise InvalidTarget(
                "target 'tensorboard:' names no directory. Name one: 'tensorboard:runs'"
            )
    if len(roots) > 1:
        shown = ", ".join(repr(masked(root)) for root in roots)
        raise InvalidTarget(
            f"a run has one directory, and {len(roots)} are named: {shown}. "
            f"Name one of them; `directory` is for runs without a 'tensorboard:DIR'"
        )
    for named in roots:
        if _ADDRESS.match(named):
            raise InvalidTarget(
                f"{masked(named)!r} is an address; a run is kept in a directory of this machine, as in 'tensorboard:runs'"
            )
    root = absolute_path(roots[0] if roots else DEFAULT_DIRECTORY)
    mirrors = tuple(dict.fromkeys(normalized(one) for one in mirrored))
    return Targets(root=root, mirrors=mirrors, chosen=bool(roots))


def absolute_targets(
    target: str | Sequence[str], *, directory: str | os.PathLike[str] | None = None
) -> list[str]:
    """The same targets, for processes that are in other directories or have another environment.

    Args:
        target: As for `start_run`, to which each process passes what is returned.
        directory: Likewise; it is part of what is returned.

    Returns:
        `tensorboard:DIR`, which `open_runs` takes too, followed by the mirrors, with the passwords that they were given
        with. Everything in them is absolute, and `mlflow:` becomes the address that it stands for here.

    Raises:
        InvalidTarget: a target names no place, or there are two directories; as `start_run` says.
        BackendClash: several packages have a backend of one scheme.
        BackendNotLoaded: the backend of a scheme cannot be imported.
    """
    targets = parse_targets(target, directory=directory)
    return [f"tensorboard:{targets.root}", *targets.mirrors]


def names_of_mirror(uri: str) -> set[str]:
    """What a mirror may be called in the notes of a run: as messages show it, or by what it was given as."""
    names = {uri, masked(uri).rstrip("/")}
    with suppress(TrackingError):  # its backend may be gone
        names |= {masked(one).rstrip("/") for one in parse_targets(uri).mirrors}
    return names
