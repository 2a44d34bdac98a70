"""Where a run lives: `<root>/<experiment>/<run>/`, made so that no two runs share one and no name leaves it."""

import os
from hashlib import sha256
from itertools import count
from pathlib import Path, PurePosixPath

from treadle_tracking.errors import InvalidName, RunDirectoryError

__all__ = [
    "ARTIFACTS",
    "PARAMS",
    "artifact_path",
    "make_run_directory",
    "safe_name",
]

ARTIFACTS = "artifacts"
PARAMS = "params.json"

_UNSAFE = frozenset('%/\\:*?"<>|')
_LONGEST = (
    200  # bytes of one name; file systems take 255, and `-2` and a temporary prefix need some
)


def safe_name(name: str) -> str:
    """`name` as one part of a path: what is not safe there percent-encoded, different for different names."""
    dots_only = not name.strip(".")
    safe = "".join(
        "".join(f"%{byte:02X}" for byte in letter.encode())
        if letter in _UNSAFE or not letter.isprintable() or dots_only
        else letter
        for letter in name
    )
    encoded = safe.encode()
    if len(encoded) <= _LONGEST:
        return safe
    # `%~` cannot come from encoding: a percent sign is always followed by two digits.
    mark = f"%~{sha256(name.encode()).hexdigest()[:16]}"
    return encoded[: _LONGEST - len(mark)].decode(errors="ignore") + mark


def artifact_path(name: str) -> PurePosixPath:
    """Where an artifact of this name is kept below `artifacts/`: parts between `/`, each a safe name."""
    parts = [safe_name(part) for part in name.split("/") if part]
    if not parts:
        raise InvalidName("the artifact's name", name)
    return PurePosixPath(*parts)


def make_run_directory(root: Path, experiment: str, name: str) -> Path:
    """Make `<root>/<experiment>/<name>/`; `<name>-2`, `-3`, … where it is taken.

    Raises:
        RunDirectoryError: it cannot be made.
    """
    parent = root / safe_name(experiment)
    try:
        parent.mkdir(parents=True, exist_ok=True)
        for number in count(1):
            directory = parent / (safe_name(name) + (f"-{number}" if number > 1 else ""))
            try:
                # The one call that makes a directory or says that another process has.
                os.mkdir(directory)  # noqa: PTH102
            except FileExistsError:
                continue
            return directory
    except OSError as error:
        raise RunDirectoryError(
            root,
            f"no run directory can be made here: {error.strerror} ({error.filename})",
            "Name a directory that can be written to",
        ) from error
    raise AssertionError
