"""A run: what a training loop holds to record itself."""

import os
import time
from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path, PurePosixPath
from threading import Lock
from types import TracebackType
from typing import Any, BinaryIO, Self

from treadle_tracking.atomic import copy_file
from treadle_tracking.directory import ARTIFACTS, artifact_path
from treadle_tracking.entries import Artifact, Ended, Entry, Image, RunStatus, Scalars, Tags, Text
from treadle_tracking.errors import (
    ArtifactInTheWay,
    InvalidMapping,
    InvalidStatus,
    NoDirectory,
    RunEnded,
)
from treadle_tracking.exact_json import dumps
from treadle_tracking.log import LogClosed, LogWriter
from treadle_tracking.mirrors.sender import Sender
from treadle_tracking.names import checked_name, checked_tags, checked_text
from treadle_tracking.notices import say
from treadle_tracking.params import plain
from treadle_tracking.pictures import Picture, figure_picture, picture
from treadle_tracking.scalars import as_double, as_step
from treadle_tracking.signals import Terminated, Termination

__all__ = ["Run"]

_DRAIN_SECONDS = 60.0
# A scheduler that sends SIGTERM kills soon after, often within 30 seconds.
_DRAIN_SECONDS_TERMINATED = 10.0


def _status_of(error: BaseException | None) -> RunStatus:
    if isinstance(error, KeyboardInterrupt | Terminated):
        return "KILLED"
    if isinstance(error, SystemExit):
        return "FINISHED" if error.code in (None, 0) else "FAILED"
    # A generator that its reader leaves early, with a run inside, has not failed.
    return "FINISHED" if error is None or isinstance(error, GeneratorExit) else "FAILED"


class Run:
    """A run that is being recorded; `start_run` makes one.

    Use it as a context manager: leaving the block ends the run, `FINISHED`, or `FAILED` by an exception or by
    `sys.exit` of anything but success, or `KILLED` by Ctrl-C or SIGTERM.

    What is recorded is in the run's event file when a method returns, and survives the death of the process from then
    on. A disk that is full or fails does not raise into the training loop: it is said once on stderr, and at the end
    how many entries were lost. Methods may be called from any thread. In a forked process, such as a worker of a data
    loader, they do nothing.
    """

    def __init__(
        self,
        *,
        uid: str,
        experiment: str,
        name: str,
        directory: Path | None = None,
        root: Path | None = None,
        mirrors: Sequence[str] = (),
        log: LogWriter | None = None,
        senders: Sequence[Sender] = (),
        termination: Termination | None = None,
    ) -> None:
        self.uid = uid
        self.experiment = experiment
        self.name = name
        self.mirrors = tuple(mirrors)  # their URIs, without passwords
        self._directory = directory
        self._root = root
        self._log = log
        self._senders = tuple(senders)
        self._termination = termination
        self._process = os.getpid()
        self._status: RunStatus = "RUNNING"
        self._ending = Lock()
        self._lost = 0  # entries and artifacts
        self._mirrored: tuple[str, ...] = ()

    @property
    def recording(self) -> bool:
        """Whether what is recorded goes anywhere: not after `start_run(None)`, nor in a forked process."""
        return self._log is not None and os.getpid() == self._process

    @property
    def directory(self) -> Path:
        """The run's own directory, absolute. Raises `NoDirectory` after `start_run(None)`."""
        if self._directory is None:
            raise NoDirectory
        return self._directory

    @property
    def root(self) -> Path:
        """Where the directories of all runs are, which TensorBoard is given. Raises `NoDirectory` likewise."""
        if self._root is None:
            raise NoDirectory
        return self._root

    @property
    def status(self) -> RunStatus:
        """`RUNNING` until the run is closed."""
        return self._status

    @property
    def mirrored(self) -> tuple[str, ...]:
        """Those of `mirrors` that had everything in the run's directory when the run was closed; none before that.

        Whoever is in `mirrors` and not here is behind: `close` has said so on stderr, and `sync` sends the rest, which
        this value does not follow.
        """
        return self._mirrored

    def __repr__(self) -> str:
        return f"<Run {self.name!r} of {self.experiment!r}, {self._status}, in {self._directory}>"

    def _append(self, entry: Entry) -> None:
        assert self._log is not None
        try:
            self._log.append(entry)
        except LogClosed:
            raise RunEnded(self.name, self._status) from None
        except OSError as error:
            self._lose(error)
            return
        for sender in self._senders:
            sender.wake()

    def _lose(self, error: OSError) -> None:
        self._lost += 1
        if self._lost == 1:
            say(
                f"{self._directory} cannot be written to ({error.strerror or error}); "
                f"training goes on, and what cannot be written is lost"
            )

    def log(self, values: Mapping[str, Any], *, step: int) -> None:
        """Record metrics at a step.

        Args:
            values: A number by name: Python's or numpy's, or a tensor with one element. Kept as an exact double
                (TensorBoard shows float32). A tensor on a device is fetched at once, which waits for the device:
                log every so many steps, or what the loop has fetched anyway.
            step: Any 64-bit integer; by custom the number of optimizer updates so far.

        Raises:
            InvalidValue: a value is no single real number, and nothing is recorded.
            InvalidStep: the step is no 64-bit integer.
            InvalidName: a name is empty or no text.
            InvalidMapping: the values are no mapping.
            RunEnded: the run is closed, which every method raises then.
        """
        if not self.recording:
            return
        if not isinstance(values, Mapping):
            raise InvalidMapping("metrics", values, "{'loss': 0.5}")
        wall_time = time.time()
        doubles = {
            checked_name("the name of a metric", name): value
            if type(value) is float
            else as_double(name, value)
            for name, value in values.items()
        }
        if doubles:
            self._append(Scalars(wall_time=wall_time, step=as_step(step), values=doubles))

    def image(self, name: str, image: Any, *, step: int) -> None:
        """Record an image at a step.

        Args:
            name: What it shows. TensorBoard keeps what a name was first used for: give an image another name than
                a metric.
            image: PNG bytes; a PIL image; an array or tensor of shape (H, W), (H, W, C) or (C, H, W) with C of
                1, 3 or 4, channels last where both fit. Integers are 0 to 255, floats and bools 0 to 1.
            step: As in `log`.

        Raises:
            UnsupportedImage: it is none of these.
            MissingExtra: an array is given and Pillow is not installed.
        """
        if self.recording:
            self._append_picture(name, picture(name, image), step)

    def figure(self, name: str, figure: Any, *, step: int) -> None:
        """Record a matplotlib figure at a step, as an image. The figure is not closed."""
        if self.recording:
            self._append_picture(name, figure_picture(name, figure), step)

    def _append_picture(self, name: str, shown: Picture, step: int) -> None:
        self._append(
            Image(
                wall_time=time.time(),
                step=as_step(step),
                name=checked_name("the name of an image", name),
                png=shown.png,
                width=shown.width,
                height=shown.height,
            ),
        )

    def text(self, name: str, text: str, *, step: int) -> None:
        """Record a text at a step; Markdown is shown as such."""
        if not self.recording:
            return
        name = checked_name("the name of a text", name)
        text = checked_text(f"the text {name!r}", text)
        self._append(Text(wall_time=time.time(), step=as_step(step), name=name, text=text))

    def artifact(self, path: str | os.PathLike[str], name: str | None = None) -> None:
        """Copy a file into the run's `artifacts/`, where it is as a whole or not at all; a same name replaces.

        Args:
            path: The file.
            name: What it is called there, folders between `/`; the file's own name by default. What is not safe in
                a path is percent-encoded, and slashes that lead, trail or repeat are left out, so that no name
                leads out of the run.

        Raises:
            OSError: the file cannot be read.
            ArtifactInTheWay: the name is another artifact's folder, or the other way round.
        """
        if not self.recording:
            return
        source = Path(path)
        kept = self._kept(source.name if name is None else name)
        with source.open("rb") as file:
            self._keep(kept, file)

    def json(self, name: str, value: Any) -> None:
        """Keep a value as the artifact `<name>.json`: what a parameter can be, of any size.

        NaN and the infinities, which JSON does not know, are `{"$float": "nan"}` and the like.

        Raises:
            UnsupportedParam: it has no exact form in JSON.
            ArtifactInTheWay: as in `artifact`.
        """
        if not self.recording:
            return
        name = checked_name("the name of a JSON value", name)
        kept = self._kept(f"{name}.json")
        self._keep(kept, BytesIO(dumps(plain(value, name, "the JSON value"), indent=2) + b"\n"))

    def _kept(self, name: str) -> PurePosixPath:
        """Where an artifact of this name is kept, below `artifacts/`."""
        if self._status != "RUNNING":
            raise RunEnded(self.name, self._status)
        return artifact_path(checked_name("the name of an artifact", name))

    def _keep(self, kept: PurePosixPath, source: BinaryIO) -> None:
        target = self.directory / ARTIFACTS / kept
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            copied = copy_file(source, target)
        except (FileExistsError, IsADirectoryError, NotADirectoryError):
            raise ArtifactInTheWay(str(kept)) from None
        except OSError as error:
            self._lose(error)
            return
        self._append(
            Artifact(wall_time=time.time(), path=str(kept), size=copied.size, sha256=copied.sha256)
        )

    def tag(self, values: Mapping[str, str]) -> None:
        """Set tags; a later value replaces an earlier one."""
        if self.recording:
            self._append(Tags(wall_time=time.time(), values=checked_tags(values)))

    def close(self, status: RunStatus = "FINISHED", *, timeout: float = _DRAIN_SECONDS) -> None:
        """End the run. The end is in the run's directory first; then mirrors get what they still lack.

        A mirror that takes more than five seconds is announced on stderr.
        Ctrl-C meanwhile gives up waiting, once; what is left is on disk, and a sentence on stderr says how to
        send it. Afterwards `mirrored` has the mirrors that got everything. A second call does nothing.

        Args:
            status: How it ended: `FINISHED`, `FAILED` or `KILLED`.
            timeout: Seconds to wait for each mirror at most.

        Raises:
            InvalidStatus: the status is none of the three, and the run goes on.
        """
        if status not in ("FINISHED", "FAILED", "KILLED"):
            raise InvalidStatus(status)
        with self._ending:
            if self._status != "RUNNING":
                return
            self._status = status
        if self._log is None or os.getpid() != self._process:
            return
        try:
            try:
                self._log.close(Ended(wall_time=time.time(), status=status))
            except OSError as error:
                self._lose(error)
            self._drain(timeout)
        finally:
            if self._termination is not None:
                self._termination.restore()
        if self._lost:
            entries = "1 entry" if self._lost == 1 else f"{self._lost} entries"
            say(f"{entries} of the run {self.name!r} could not be written and are lost")

    def _drain(self, timeout: float) -> None:
        terminated = None
        for uri, sender in zip(self.mirrors, self._senders, strict=True):
            try:
                left = sender.close(timeout)
            except (KeyboardInterrupt, Terminated) as interruption:
                if isinstance(interruption, Terminated):
                    terminated = interruption
                timeout = 0  # nobody waits any longer, for the other mirrors either
                left = sender.close(timeout)
            if left is None:
                self._mirrored += (uri,)
            else:
                say(left)
        if terminated is not None:
            raise terminated

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        hurried = isinstance(error, Terminated)
        self.close(
            _status_of(error), timeout=_DRAIN_SECONDS_TERMINATED if hurried else _DRAIN_SECONDS
        )
