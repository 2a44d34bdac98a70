"""What a run records besides numbers: pictures, texts, histograms, tables, files and functions."""

import os
from collections.abc import Iterable
from pathlib import Path
from threading import Lock
from typing import Any

from treadle_tracking.artifacts import (
    Kept,
    PassedOver,
    Unwritten,
    checked_source,
    keep,
    keep_bytes,
)
from treadle_tracking.directory import ARTIFACTS, artifact_path
from treadle_tracking.entries import Entry, Function, Histogram, Image, RunStatus, Table, Text
from treadle_tracking.errors import NoDirectory, RunEnded
from treadle_tracking.exact_json import dumps
from treadle_tracking.functions import described, fenced
from treadle_tracking.histograms import buckets
from treadle_tracking.log import LogClosed
from treadle_tracking.names import checked_name, checked_text
from treadle_tracking.notices import say
from treadle_tracking.params import plain
from treadle_tracking.pictures import Picture, drawn_figure, picture
from treadle_tracking.recorder import Recorder
from treadle_tracking.scalars import as_step
from treadle_tracking.tables import written_table

__all__ = ["Recordings"]


class Recordings:
    """The part of a run that records what is not a number; `Run` is the whole.

    Args:
        name: The run's.
        directory: Its own, or None where it records nothing.
        recorder: What writes its log, or None likewise.
        rank: That of this process, if it is why nothing is recorded.
    """

    def __init__(
        self,
        name: str,
        directory: Path | None,
        recorder: Recorder | None,
        *,
        rank: int | None = None,
    ) -> None:
        self.name = name
        self._rank = rank
        self._directory = directory
        self._recorder = recorder
        self._process = os.getpid()
        self._status: RunStatus = "RUNNING"
        self._keeping = Lock()
        self._said: set[str] = set()

    @property
    def directory(self) -> Path:
        """The run's own directory, absolute. Raises `NoDirectory` after `start_run(None)`, and on a rank other than 0."""
        if self._directory is None:
            raise NoDirectory(self._rank)
        return self._directory

    def _recording(self) -> Recorder | None:
        """What writes, if anything does."""
        return self._recorder if self._recorder and os.getpid() == self._process else None

    def _check_running(self) -> None:
        if self._status != "RUNNING":
            raise RunEnded(self.name, self._status)

    def _append(self, recorder: Recorder, entry: Entry) -> None:
        try:
            recorder.append(entry)
        except LogClosed:
            raise RunEnded(self.name, self._status) from None

    def _say_once(self, sentence: str) -> None:
        if sentence not in self._said:
            self._said.add(sentence)
            say(sentence)

    def image(self, name: str, image: Any, *, step: int) -> None:
        """Record an image at a step.

        Args:
            name: What it shows. TensorBoard keeps what a name was first used for: do not give an image the name of a
                metric.
            image: PNG bytes; a PIL image; an array or tensor of shape (H, W), (H, W, C) or (C, H, W) with C of
                1, 3 or 4, channels last where both fit. Integers are 0 to 255, floats and bools 0 to 1.
            step: As in `log`.

        Raises:
            UnsupportedImage: it is none of these.
            MissingExtra: an array is given and Pillow is not installed.
        """
        if recorder := self._recording():
            self._append_picture(recorder, name, picture(name, image), step)

    def figure(self, name: str, figure: Any, *, step: int) -> None:
        """Record a figure of matplotlib or plotly at a step. A figure of matplotlib is not closed.

        One of matplotlib becomes an image. One of plotly becomes the artifact `figures/<name>/<step>.html`, an
        interactive page, which loads plotly's script from its public address; if kaleido is installed, it becomes an
        image as well.

        Raises:
            UnsupportedImage: it is neither.
        """
        if recorder := self._recording():
            name = checked_name("the name of an image", name)
            step = as_step(step)
            drawn = drawn_figure(name, figure)
            if drawn.picture is not None:
                self._append_picture(recorder, name, drawn.picture, step)
            if drawn.page is not None:
                self._keep_bytes(recorder, drawn.page, f"figures/{name}/{step}.html")
            if drawn.notice is not None:
                self._say_once(drawn.notice)

    def _append_picture(self, recorder: Recorder, name: str, shown: Picture, step: int) -> None:
        image = Image(
            wall_time=recorder.clock.now(),
            step=as_step(step),
            name=checked_name("the name of an image", name),
            png=shown.png,
            width=shown.width,
            height=shown.height,
        )
        self._append(recorder, image)

    def text(self, name: str, text: str, *, step: int) -> None:
        """Record a text at a step; Markdown is shown as such."""
        if recorder := self._recording():
            name = checked_name("the name of a text", name)
            text = checked_text(f"the text {name!r}", text)
            now = recorder.clock.now()
            self._append(recorder, Text(wall_time=now, step=as_step(step), name=name, text=text))

    def histogram(self, name: str, values: Any, *, step: int, bins: int = 30) -> None:
        """Record the distribution of `values` at a step.

        Args:
            name: What it is of; do not give it the name of a metric.
            values: An array, a tensor on any device, or numbers in lists, of any shape. NaN and infinities are left out.
            step: As in `log`.
            bins: How many buckets of equal width, from the smallest value to the largest.

        Raises:
            UnsupportedHistogram: the values are complex, texts or other objects.
            MissingExtra: an array or a tensor is given and numpy is not installed.
        """
        if recorder := self._recording():
            name = checked_name("the name of a histogram", name)
            counted = buckets(name, values, bins=bins)
            now = recorder.clock.now()
            self._append(
                recorder, Histogram(wall_time=now, step=as_step(step), name=name, buckets=counted)
            )

    def table(self, name: str, table: Any, *, step: int | None = None) -> None:
        """Keep a table as the artifact `tables/<name>.json`, and show its first 100 rows as a text.

        Args:
            name: What it is; a later table of the same name and step replaces it. At a step other than 0 it is
                `tables/<name>/<step>.json`.
            table: A pandas DataFrame, a list of records, or a mapping of columns.
            step: As in `log`, if it belongs to one. Without a step, it is never cut as one of a later step, and
                TensorBoard shows it at 0.

        Raises:
            UnsupportedTable: it is none of these, or its columns differ in length.
            UnsupportedParam: a cell has no exact form in JSON.
            ArtifactInTheWay: as in `artifact`.
        """
        if recorder := self._recording():
            name = checked_name("the name of a table", name)
            step = None if step is None else as_step(step)
            written = written_table(name, table)
            path = f"tables/{name}/{step}.json" if step else f"tables/{name}.json"
            self._keep_bytes(recorder, written.data, path)
            entry = Table(
                wall_time=recorder.clock.now(),
                step=step,
                name=name,
                path=str(artifact_path(path)),
                preview=written.preview,
            )
            self._append(recorder, entry)

    def json(self, name: str, value: Any) -> None:
        """Keep a value as the artifact `<name>.json`: anything that a parameter can be, of any size.

        NaN and the infinities, which JSON does not know, are `{"$float": "nan"}` and the like.

        Raises:
            UnsupportedParam: it has no exact form in JSON.
            ArtifactInTheWay: as in `artifact`.
        """
        if recorder := self._recording():
            name = checked_name("the name of a JSON value", name)
            data = dumps(plain(value, name, "the JSON value"), indent=2) + b"\n"
            self._keep_bytes(recorder, data, f"{name}.json")

    def artifact(self, path: str | os.PathLike[str], name: str | None = None) -> None:
        """Copy a file, or a folder with all files in it, into the run's `artifacts/`; the same name replaces.

        Each file is there as a whole or not at all. What is already there with the same content is not written again.
        In a folder, a link to a file is copied as the file; links to folders, empty folders, pipes, sockets and devices
        are skipped, and stderr says so. A file that changes while it is copied is read again, three times at most.

        Args:
            path: The file or folder.
            name: What it is called there, with `/` between folders; its own name by default. What is not safe in a path
                is percent-encoded, and leading, trailing and repeated slashes are left out, so no name leads out of the
                run.

        Raises:
            OSError: it cannot be read; of a folder, everything else that can be read is kept first.
            UnsupportedArtifact: it is a pipe, a socket or a device, or is not a path.
            ArtifactInTheWay: the name is another artifact's folder, or the other way round.
        """
        if recorder := self._recording():
            source = checked_source(path)
            # Of `.` and `..` too the name is that of the folder.
            own = source.name if source.name not in ("", "..") else source.resolve().name
            name = checked_name("the name of an artifact", own if name is None else name)
            self._take(
                recorder,
                keep(
                    source,
                    name,
                    self.directory / ARTIFACTS,
                    recorder.artifacts,
                    recorder.clock.now,
                ),
            )

    def function(self, name: str, function: Any) -> None:
        """Record a function: where it is from, its source as the artifact `functions/<name>.py`, and the source's SHA-256.

        Nothing is executed or pickled, and the same code gives the same record in every process. A class, a method, a
        lambda, a `functools.partial` and any other callable are functions, too.

        Raises:
            UnsupportedFunction: it cannot be called.
            ArtifactInTheWay: as in `artifact`.
        """
        if recorder := self._recording():
            name = checked_name("the name of a function", name)
            qualified_name, source, digest = described(name, function)
            path = None if source is None else f"functions/{name}.py"
            if path is not None and source is not None:
                self._keep_bytes(recorder, source.encode("utf-8", "surrogatepass"), path)
            entry = Function(
                wall_time=recorder.clock.now(),
                name=name,
                qualified_name=qualified_name,
                sha256=digest,
                path=None if path is None else str(artifact_path(path)),
                source="" if source is None else fenced(source),
            )
            self._append(recorder, entry)

    def _keep_bytes(self, recorder: Recorder, data: bytes, name: str) -> None:
        own = self.directory / ARTIFACTS
        self._take(recorder, keep_bytes(data, name, own, recorder.artifacts, recorder.clock.now))

    def _take(self, recorder: Recorder, kept: Iterable[Kept]) -> None:
        """Record what was kept, one file at a time."""
        self._check_running()
        # One at a time: of two threads that keep one name, the last entry is that of the last file.
        with self._keeping:
            for one in kept:
                match one:
                    case Unwritten():
                        recorder.lose(one.error, f"artifacts/{one.path}")
                    case PassedOver():
                        self._say_once(f"artifacts of the run {self.name!r}: {one}")
                    case _:
                        self._append(recorder, one)
