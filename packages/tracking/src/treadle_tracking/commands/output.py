"""The file that a command writes: there as a whole, or as it was before."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from treadle_tracking.atomic import name_target, unfinished
from treadle_tracking.commands.calling import WrongCall

__all__ = ["checked_out", "replaced"]


def checked_out(text: str) -> Path:
    """The path of a file that can be written, before there is any work to lose.

    Raises:
        WrongCall: it names nothing, or a directory, or something in a directory that is not there.
    """
    path = Path(text)
    if not text or "\0" in text:
        raise WrongCall(f"--out is {text!r}, which names no file")
    if path.is_dir():
        raise WrongCall(f"--out is {text!r}, which is a directory; expected the name of a file")
    if not path.parent.is_dir():
        raise WrongCall(f"--out is {text!r}, and there is no directory {str(path.parent)!r}")
    return path


@contextmanager
def replaced(path: Path) -> Iterator[Path]:
    """A path to write to, which becomes `path` when all is written.

    Raises:
        OSError: it cannot be written; `filename` is that of `path`.
    """
    partial = unfinished(path)
    try:
        yield partial
        partial.replace(path)
    except OSError as error:
        name_target(error, partial, path)
        raise
    finally:
        partial.unlink(missing_ok=True)
