"""Checkpoints: whole or not there, plain data, and read back without running any of it."""

import os
import re
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import torch

from treadle_loop.atomic_files import (
    make_folder,
    remove_abandoned,
    replace_by_link,
    replacing,
    sync_folder,
)
from treadle_loop.errors import (
    CheckpointNotWritten,
    CheckpointUnreadable,
    InvalidSetting,
    NoCheckpoint,
    StepGoesBack,
)
from treadle_loop.plain_state import check_plain

_NAME = re.compile(r"step-(\d{8,})\.pt")


def save_checkpoint(
    directory: str | os.PathLike[str],
    state: Mapping[str, Any],
    *,
    step: int,
    keep: int | None = None,
    best: bool = False,
) -> Path:
    """Write `state` to `directory/step-<step>.pt`, all of it or nothing.

    The file is written beside its place under another name, synced to the disk, and renamed. If the
    process is killed or the disk is full, at any moment, the checkpoints that were there remain,
    and at most a temporary file, which the next save or load in this folder removes.

    With several ranks, one of them saves.

    Args:
        directory: where the checkpoints of one run live; it is made if it does not exist.
        state: a dict of what `torch.load(weights_only=True)` reads back: dicts, lists, tuples,
            str, bytes, int, float, bool, None and tensors (and `torch.Size`, `torch.dtype`,
            `torch.device`). A view is saved with all of the tensor that it is a view of.
        step: how many steps were made, 0 or more; at least eight digits in the file's name.
        keep: how many checkpoints to keep, this one included. Older ones are removed once this one
            is safe. None keeps all.
        best: whether this checkpoint becomes `directory/best.pt`, too. Where the file system has
            hard links, this is not a second copy on the disk. `keep` does not touch it.

    Returns:
        The path of the checkpoint.

    Raises:
        CheckpointNotPlain: `state` holds something else. Nothing was written.
        CheckpointNotWritten: the system refused. It is an `OSError`, with the system's as its
            cause, and the earlier checkpoints are untouched.
        StepGoesBack: the folder has a checkpoint of a later step. Nothing was written.
        InvalidSetting: `step` is not an `int` of at least 0, or `keep` not one of at least 1.
    """
    _check_count("step", step, least=0)
    if keep is not None:
        _check_count("keep", keep, least=1)
    check_plain(state)
    folder = Path(directory)
    path = folder / f"step-{step:08d}.pt"
    with _writing(path):
        make_folder(folder)
        remove_abandoned(folder)
        _check_newest(folder, step)
        with replacing(path) as file:
            _serialize(state, file)
        sync_folder(folder)
    if best:
        with _writing(folder / "best.pt"):
            replace_by_link(folder / "best.pt", path)
            sync_folder(folder)
    if keep is not None:
        for older in list_checkpoints(folder)[:-keep]:
            older.unlink(missing_ok=True)
    return path


def load_checkpoint(
    path: str | os.PathLike[str], *, map_location: str | torch.device = "cpu"
) -> dict[str, Any]:
    """Read a checkpoint, without running any code that it may hold.

    What is read is checked against the checksums in the file. A damaged file is never skipped in
    favour of an older one: that is for you to decide.

    Args:
        path: a checkpoint, or a folder of them, for the one of the highest step.
        map_location: the device to put its tensors on.

    Returns:
        What was given to `save_checkpoint`.

    Raises:
        NoCheckpoint: there is nothing at `path`, or no checkpoint in the folder. It is a
            `FileNotFoundError`.
        CheckpointUnreadable: the file is damaged, is something else, or holds more than plain data.
            The message names the newest older one beside it.
        OSError: the system refused to read it.
    """
    torch.empty(0, device=map_location)  # a device that is not there is no fault of the file
    file = Path(path)
    if file.is_dir():
        remove_abandoned(file)
        file = _newest(file)
    try:
        with zipfile.ZipFile(file) as archive:
            # torch does not look at the checksums: a flipped bit would be another weight.
            damaged = archive.testzip()
        if damaged is None:
            state = torch.load(file, map_location=map_location, weights_only=True)
    except FileNotFoundError as error:
        raise NoCheckpoint(
            f"{file} does not exist, and a checkpoint or a folder of them was expected; see that "
            "the path is right, or start without one",
        ) from error
    except (OSError, MemoryError, torch.cuda.OutOfMemoryError):
        raise
    except zipfile.BadZipFile as error:
        raise _unreadable(file, "is cut short, or no checkpoint") from error
    except Exception as error:  # whatever the bytes make of the reader
        raise _unreadable(file, "holds something other than plain data, or is damaged") from error
    if damaged is not None:
        raise _unreadable(file, f"is damaged: the checksum of {damaged} in it is wrong")
    if not isinstance(state, dict):
        raise _unreadable(file, f"holds a {type(state).__name__} instead of a dict")
    return state


def list_checkpoints(directory: str | os.PathLike[str]) -> list[Path]:
    """The checkpoints in a folder, by step, the newest last; none if there is no folder.

    `best.pt` is not among them.
    """
    folder = Path(directory)
    if not folder.is_dir():
        return []
    steps = {
        path: int(match[1])
        for path in folder.iterdir()
        if (match := _NAME.fullmatch(path.name)) is not None and path.is_file()
    }
    return sorted(steps, key=steps.__getitem__)


def _serialize(state: Mapping[str, Any], file: BinaryIO) -> None:
    try:
        torch.save(state, file)
    except RuntimeError as error:
        # Once a write has failed, torch complains of its own archive, which it could not close.
        if isinstance(error.__context__, OSError):
            raise error.__context__ from None
        raise


def _check_count(name: str, count: Any, *, least: int) -> None:
    if type(count) is not int or count < least:
        raise InvalidSetting(
            f"{name} is {count!r}, and an int of at least {least} was expected",
        )


def _check_newest(folder: Path, step: int) -> None:
    """See that the new checkpoint will be the one that a load takes."""
    for newest in list_checkpoints(folder)[-1:]:
        if _step_of(newest) > step:
            raise StepGoesBack(
                f"step {step} was to be saved beside {newest}, which is later and would be "
                "loaded in its place; save to another folder, or remove the later ones",
            )


def _newest(folder: Path) -> Path:
    for newest in list_checkpoints(folder)[-1:]:
        return newest
    raise NoCheckpoint(
        f"{folder} holds no checkpoint, and at least one step-*.pt was expected; see that the "
        "path is right, or start without one",
    )


def _unreadable(path: Path, what: str) -> CheckpointUnreadable:
    older = [
        other
        for other in list_checkpoints(path.parent)
        if _NAME.fullmatch(path.name) is None or _step_of(other) < _step_of(path)
    ]
    advice = (
        f"to resume from another, load {older[-1]}" if older else "there is no older one beside it"
    )
    return CheckpointUnreadable(
        f"{path} {what}, and a save_checkpoint file was expected; {advice}",
    )


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        refused = CheckpointNotWritten(
            f"{path} could not be written safely: {error.strerror or error}; earlier checkpoints "
            "are untouched, so make room or choose another folder, and save again",
        )
        refused.errno = error.errno
        refused.path = path
        raise refused from error


def _step_of(path: Path) -> int:
    return int(path.stem.removeprefix("step-"))
