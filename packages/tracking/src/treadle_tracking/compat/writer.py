# The signatures are torch's.
# ruff: noqa: ARG002, FBT001, FBT002, PLR0917
"""A `SummaryWriter` whose run is a run: on disk when a call returns, and mirrored."""

import os
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path, PurePosixPath
from threading import RLock
from types import TracebackType
from typing import Any, Self

from treadle_tracking.compat.beginning import begin
from treadle_tracking.compat.histograms import counted, joined
from treadle_tracking.compat.opened import Opened
from treadle_tracking.compat.pictures import drawn_picture, laid_out_picture
from treadle_tracking.compat.subruns import SubRun
from treadle_tracking.compat.unkept import Unkept
from treadle_tracking.directory import artifact_path
from treadle_tracking.entries import Entry, Histogram, Image, Scalars, Text
from treadle_tracking.errors import InvalidMapping, InvalidStep, InvalidTarget, seen
from treadle_tracking.histograms import Bucket
from treadle_tracking.log import LogClosed
from treadle_tracking.names import checked_name, checked_text
from treadle_tracking.params import plain_params
from treadle_tracking.pictures import Picture
from treadle_tracking.run import Run
from treadle_tracking.scalars import as_double, as_step

__all__ = ["SummaryWriter"]


def _default_directory(comment: str) -> str:
    now = datetime.now().astimezone()
    return os.path.join("runs", f"{now:%b%d_%H-%M-%S}_{socket.gethostname()}{comment}")  # noqa: PTH118


def _step(global_step: Any) -> int:
    """A step as torch takes it: none is 0, and a float is cut."""
    if global_step is None:
        return 0
    try:
        return as_step(int(global_step))
    except (TypeError, ValueError, OverflowError):
        raise InvalidStep(global_step) from None


class SummaryWriter(Unkept):
    """Takes the place of `torch.utils.tensorboard.SummaryWriter`; TensorBoard shows the same.

    What it writes is a run in exactly `log_dir`: scalars are in its event file when a call returns (those on a device at
    most a second later), with their exact doubles, and with `mirror` the run is in MLflow too. What is different:

    - `add_hparams` gives this run its parameters, instead of making another run below it.
    - A second writer on one directory, while the first is open, writes to `<log_dir>-2`.
    - Graphs, embeddings, videos, sounds, meshes, precision-recall curves, other tensors and layouts of charts are not
      kept: a sentence on stderr says so once, and the script goes on.

    Args:
        log_dir: The run's directory; `runs/<date>_<time>_<host><comment>` by default.
        comment: The end of the default directory's name.
        purge_step: Cuts what earlier writers recorded in this directory from this step on out of the run.
        max_queue: For torch's sake; nothing is queued.
        flush_secs: For torch's sake; nothing waits longer than a second.
        filename_suffix: For torch's sake; the event file has its own name.
        mirror: Where the run is mirrored to, such as `mlflow:sqlite:///mlflow.db`, or a list of such. The experiment is
            named as the directory in which `log_dir` is, and the run as `log_dir` itself.

    Raises:
        InvalidTarget: `mirror` is no mirror, or `log_dir` no path.
        RunDirectoryError: the directory cannot be written to.
        CorruptRecord: the log of the run that is in it is damaged.
        MissingExtra: a mirror's library is not installed.
    """

    def __init__(
        self,
        log_dir: str | os.PathLike[str] | None = None,
        comment: str = "",
        purge_step: int | None = None,
        max_queue: int = 10,
        flush_secs: float = 120,
        filename_suffix: str = "",
        *,
        mirror: str | Sequence[str] | None = None,
    ) -> None:
        super().__init__()
        if log_dir and (not isinstance(log_dir, str | os.PathLike) or "\0" in str(log_dir)):
            raise InvalidTarget(f"log_dir is {seen(log_dir)}; expected the path of a directory")
        self.log_dir = log_dir or _default_directory(comment)
        self.purge_step = None if purge_step is None else _step(purge_step)
        self.max_queue = max_queue
        self.flush_secs = flush_secs
        self.filename_suffix = filename_suffix
        self._mirror = mirror
        self._opening = RLock()
        self._open_run: Opened | None = None
        self._open()

    def _open(self) -> Opened:
        """The run; one that was closed goes on."""
        opened = self._open_run
        if opened is not None and opened.run.status == "RUNNING":
            return opened
        with self._opening:
            if self._open_run is not None and self._open_run.run.status != "RUNNING":
                self._open_run.close(None, None, None)  # by `writer.run`, and not what is below it
                self._open_run = None
            if self._open_run is None:
                begun = begin(Path(self.log_dir), self._mirror, self.purge_step)
                if begun.run.directory != Path(self.log_dir).absolute():
                    self.log_dir = str(begun.run.directory)
                self._open_run = Opened(begun, self)
            return self._open_run

    def _write(self, write: Callable[[Opened], None]) -> None:
        """Write to the run, if this process does; again where another thread has closed it meanwhile."""
        while (opened := self._open()).run.recording:
            with suppress(LogClosed):
                write(opened)
                return

    def _append(self, entry: Entry) -> None:
        self._write(lambda opened: opened.recorder.append(entry))

    def _time(self, walltime: float | None) -> float:
        return self._open().recorder.clock.now() if walltime is None else float(walltime)

    @property
    def run(self) -> Run:
        """The run that is written, for what a `SummaryWriter` has no method for."""
        return self._open().run

    def get_logdir(self) -> str | os.PathLike[str]:
        """The directory, as it was given."""
        return self.log_dir

    def add_scalar(
        self,
        tag: str,
        scalar_value: Any,
        global_step: int | None = None,
        walltime: float | None = None,
        new_style: bool = False,
        double_precision: bool = False,
    ) -> None:
        """Record a number at a step. The last two arguments are for torch's sake: doubles are always exact.

        Args:
            tag: The metric's name.
            scalar_value: A number, or a tensor or array with one element.
            global_step: The step; none is 0.
            walltime: Seconds since the epoch; now by default. With one, a tensor on a device is waited for.
            new_style: Nothing.
            double_precision: Nothing.

        Raises:
            InvalidValue: it is no single real number.
            InvalidStep: the step is no 64-bit integer.
            InvalidName: the tag is empty or no text.
        """
        step = _step(global_step)
        if walltime is None:
            self._write(lambda opened: opened.log(tag, scalar_value, step))
        else:
            name = checked_name("the name of a metric", tag)
            values = {name: as_double(name, scalar_value)}
            self._append_scalars(Scalars(wall_time=float(walltime), step=step, values=values))

    def _append_scalars(self, scalars: Scalars) -> None:
        self._append(scalars)
        self._open().metrics.update(scalars.values)

    def add_scalars(
        self,
        main_tag: str,
        tag_scalar_dict: Mapping[str, Any],
        global_step: int | None = None,
        walltime: float | None = None,
    ) -> None:
        """Record several numbers that TensorBoard draws in one chart: each in a run of its own below this one.

        With a mirror they are metrics of this run too, `<main_tag>/<tag>`: a mirror has no such charts. Tensors on a
        device are waited for. Arguments and errors are those of `add_scalar`.
        """
        if not self._open().run.recording:
            return
        step, wall_time = _step(global_step), self._time(walltime)
        name = checked_name("the name of a metric", main_tag)
        values = {
            checked_name("the name of a metric", tag): as_double(f"{main_tag}/{tag}", value)
            for tag, value in tag_scalar_dict.items()
        }
        for tag, value in values.items():
            below = artifact_path(f"{name.replace('/', '_')}_{tag}")
            self._log_below(below, Scalars(wall_time=wall_time, step=step, values={name: value}))
        if self._mirror is not None and values:
            mirrored = {f"{name}/{tag}": value for tag, value in values.items()}
            self._append_scalars(Scalars(wall_time=wall_time, step=step, values=mirrored))

    def _log_below(self, below: PurePosixPath, scalars: Scalars) -> None:
        with self._opening:
            opened = self._open()
            if below not in opened.subruns:
                path = opened.run.directory / below
                try:
                    opened.subruns[below] = SubRun(path, opened.run, self.purge_step)
                except OSError as error:
                    opened.recorder.lose(error, str(below))
                    return
            opened.subruns[below].log(scalars)

    def add_histogram(
        self,
        tag: str,
        values: Any,
        global_step: int | None = None,
        bins: Any = "tensorflow",
        walltime: float | None = None,
        max_bins: int | None = None,
    ) -> None:
        """Record how values are distributed.

        Args:
            tag: The histogram's name.
            values: An array, a tensor or a list of numbers, of any shape. NaN and infinities are left out.
            global_step: As in `add_scalar`.
            bins: `'tensorflow'`, or what `numpy.histogram` takes.
            walltime: As in `add_scalar`.
            max_bins: How many bins there may be before neighbours are joined.

        Raises:
            UnsupportedHistogram: they are no real numbers, or no such bins.
            MissingExtra: numpy is not installed.
        """
        self._add_buckets(tag, counted(tag, values, bins, max_bins), global_step, walltime)

    def add_histogram_raw(
        self,
        tag: str,
        min: float,
        max: float,
        num: int,
        sum: float,
        sum_squares: float,
        bucket_limits: Sequence[float],
        bucket_counts: Sequence[float],
        global_step: int | None = None,
        walltime: float | None = None,
    ) -> None:
        """Record a histogram that was counted elsewhere.

        Args:
            tag: The histogram's name.
            min: The smallest value, at which the first bucket that has any begins.
            max: The largest, at which the last one ends.
            num: For torch's sake: TensorBoard shows what the buckets have.
            sum: Likewise.
            sum_squares: Likewise.
            bucket_limits: The right edge of each bucket.
            bucket_counts: How many values lie in it.
            global_step: As in `add_scalar`.
            walltime: As in `add_scalar`.

        Raises:
            ValueError: there are not as many limits as counts.
        """
        if len(bucket_limits) != len(bucket_counts):
            raise ValueError(
                f"there are {len(bucket_limits)} bucket_limits and {len(bucket_counts)} bucket_counts; "
                f"expected as many of one as of the other"
            )
        self._add_buckets(
            tag, joined(min, max, bucket_limits, bucket_counts), global_step, walltime
        )

    def _add_buckets(
        self,
        tag: str,
        buckets: tuple[Bucket, ...],
        global_step: int | None,
        walltime: float | None,
    ) -> None:
        self._append(
            Histogram(
                wall_time=self._time(walltime),
                step=_step(global_step),
                name=checked_name("the name of a histogram", tag),
                buckets=buckets,
            )
        )

    def add_image(
        self,
        tag: str,
        img_tensor: Any,
        global_step: int | None = None,
        walltime: float | None = None,
        dataformats: str = "CHW",
    ) -> None:
        """Record an image.

        Args:
            tag: The image's name.
            img_tensor: An array or a tensor: uint8 from 0 to 255, anything else from 0 to 1. What is outside is
                clipped.
            global_step: As in `add_scalar`.
            walltime: As in `add_scalar`.
            dataformats: What its dimensions are: `CHW`, `HWC`, `HW`, `NCHW` and the like.

        Raises:
            UnsupportedImage: it has no such dimensions.
            MissingExtra: numpy or Pillow is not installed.
        """
        self._add_picture(
            tag, laid_out_picture(tag, img_tensor, dataformats), global_step, walltime
        )

    def add_images(
        self,
        tag: str,
        img_tensor: Any,
        global_step: int | None = None,
        walltime: float | None = None,
        dataformats: str = "NCHW",
    ) -> None:
        """Record a batch of images as one, eight in a row. Arguments and errors are those of `add_image`."""
        self.add_image(tag, img_tensor, global_step, walltime, dataformats)

    def add_figure(
        self,
        tag: str,
        figure: Any,
        global_step: int | None = None,
        close: bool = True,
        walltime: float | None = None,
    ) -> None:
        """Record a matplotlib figure, or a list of such as one image.

        Args:
            tag: The figure's name.
            figure: The figure, or figures of one size.
            global_step: As in `add_scalar`.
            close: Whether pyplot is to close it.
            walltime: As in `add_scalar`.

        Raises:
            UnsupportedImage: it is no such figure.
            MissingExtra: matplotlib or Pillow is not installed.
        """
        self._add_picture(tag, drawn_picture(tag, figure, close=close), global_step, walltime)

    def _add_picture(
        self, tag: str, shown: Picture, global_step: int | None, walltime: float | None
    ) -> None:
        self._append(
            Image(
                wall_time=self._time(walltime),
                step=_step(global_step),
                name=checked_name("the name of an image", tag),
                png=shown.png,
                width=shown.width,
                height=shown.height,
            )
        )

    def add_text(
        self,
        tag: str,
        text_string: str,
        global_step: int | None = None,
        walltime: float | None = None,
    ) -> None:
        """Record a text; Markdown is shown as such. Its name is `<tag>/text_summary`, as torch has always made it.

        Raises:
            InvalidName: the tag is empty, or one of both is no text.
        """
        name = f"{checked_name('the name of a text', tag)}/text_summary"
        text = checked_text(f"the text {tag!r}", text_string)
        self._append(
            Text(wall_time=self._time(walltime), step=_step(global_step), name=name, text=text)
        )

    def add_hparams(
        self,
        hparam_dict: Mapping[str, Any],
        metric_dict: Mapping[str, Any],
        hparam_domain_discrete: Mapping[str, Sequence[Any]] | None = None,
        run_name: str | None = None,
        global_step: int | None = None,
    ) -> None:
        """Give this run its parameters, for the HPARAMS page, and record metrics with them.

        The page shows every scalar of the run beside them, so nothing needs to be given twice: a metric that has a curve
        already is recorded as `hparam/<name>`, so that the curve stays as it is. Parameters may be nested.

        A second call with other parameters is another trial, and so is one with a `run_name`: it becomes a run of its
        own below this one, as it always is with torch's writer.

        Args:
            hparam_dict: Parameters by name.
            metric_dict: Metrics by name.
            hparam_domain_discrete: For torch's sake: TensorBoard finds the values of a parameter by itself.
            run_name: The directory below this one of a trial's run; the time by default.
            global_step: As in `add_scalar`.

        Raises:
            UnsupportedParam: a parameter has no exact form in JSON.
            InvalidMapping: parameters or metrics are no mapping.
            InvalidValue: a metric is no single real number.
        """
        if not isinstance(metric_dict, Mapping):
            raise InvalidMapping("metrics", metric_dict, "{'loss': 0.5}")
        opened = self._open()
        if not opened.run.recording:
            return
        params = plain_params(
            {name: _one(value) for name, value in hparam_dict.items()}
            if isinstance(hparam_dict, Mapping)
            else hparam_dict
        )
        is_other = opened.params is not None and opened.params != params
        if run_name not in (None, "", ".") or is_other:
            self._add_trial(opened, params, metric_dict, run_name, global_step)
            return
        if opened.params is None:
            opened.run.params(params)
            opened.params = params
        step, wall_time = _step(global_step), self._time(None)
        values = {
            f"hparam/{name}" if name in opened.metrics else name: as_double(name, value)
            for name, value in metric_dict.items()
        }
        if values:
            self._append(Scalars(wall_time=wall_time, step=step, values=values))

    def _add_trial(
        self,
        opened: Opened,
        params: Mapping[str, Any],
        metrics: Mapping[str, Any],
        run_name: str | None,
        global_step: int | None,
    ) -> None:
        name = artifact_path(run_name or str(time.time()))
        trial = SummaryWriter(opened.run.directory / name, mirror=self._mirror)
        trial.add_hparams(params, metrics, global_step=global_step)
        if opened.run.mirrors:
            # Closed with this one, which is the time to wait for a mirror.
            opened.with_it.append(trial.close)
        else:
            trial.close()

    def flush(self) -> None:
        """Write what is on a device still. Everything else is in the file already."""
        if self._open_run is not None:
            self._open_run.run.flush()

    def close(self) -> None:
        """End the run, `FINISHED`, and wait for its mirrors. A later call of another method goes on with it."""
        self.__exit__(None, None, None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End the run: `FAILED` by an exception, `KILLED` by Ctrl-C."""
        # A thread that still records waits, and then goes on with the run.
        with self._opening:
            opened, self._open_run = self._open_run, None
            self.purge_step = None
            if opened is not None:
                opened.close(kind, error, traceback)


def _one(value: Any) -> Any:
    """A tensor or array of one element as its number, whatever its shape."""
    size = getattr(value, "numel", None)
    count = size() if callable(size) else getattr(value, "size", None)
    return value.item() if count == 1 and callable(getattr(value, "item", None)) else value
