"""Commands that messages give the user to type, as a shell takes them."""

from pathlib import Path
from shlex import quote

from treadle_tracking.masking import to_be_filled_in

__all__ = ["doctor_command", "sync_command"]


def sync_command(directory: Path, *, to: str | None = None, rebuild: bool = False) -> str:
    """The command that sends the run, or the runs, in a directory to their mirrors.

    Args:
        directory: The directory.
        to: The one mirror that is meant, where it has to be named; what is masked in it, the user is to fill in.
        rebuild: Whether the runs there are to be replaced.
    """
    command = f"python -m treadle_tracking sync {quote(str(directory))}"
    if to is not None:
        command += f" --to {quote(to_be_filled_in(to))}"
    return command + (" --rebuild" if rebuild else "")


def doctor_command(*directories: Path, fix: bool = False) -> str:
    """The command that looks at the runs in these directories, or mends them."""
    places = "".join(f" {quote(str(directory))}" for directory in directories)
    return f"python -m treadle_tracking doctor{places}{' --fix' if fix else ''}"
