"""Commands that messages give the user to type, as a shell takes them."""

from pathlib import Path
from shlex import quote

from treadle_tracking.masking import to_be_filled_in

__all__ = ["doctor_command", "forget_command", "migrate_command", "sync_command"]


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


def forget_command(directory: Path, uri: str) -> str:
    """The command that takes a mirror away from the run, or the runs, in a directory."""
    return f"python -m treadle_tracking sync {quote(str(directory))} --forget {quote(uri)}"


def migrate_command(folder: Path) -> str:
    """MLflow's own command that brings the runs of an old file store into a database."""
    # Into one beside it: the command wants a database with nothing in it.
    database = f"sqlite:///{folder}.db"
    return f"mlflow migrate-filestore --source {quote(str(folder))} --target {quote(database)}"


def doctor_command(*directories: Path, fix: bool = False) -> str:
    """The command that looks at the runs in these directories, or mends them."""
    places = "".join(f" {quote(str(directory))}" for directory in directories)
    return f"python -m treadle_tracking doctor{places}{' --fix' if fix else ''}"
