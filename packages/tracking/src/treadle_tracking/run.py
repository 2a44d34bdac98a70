"""A run: what a training loop holds to record itself."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Lock
from time import monotonic
from types import TracebackType
from typing import Any, Self

from treadle_tracking.atomic import write_file
from treadle_tracking.directory import PARAMS
from treadle_tracking.entries import (
    ENDS,
    Ended,
    Params,
    ParamValue,
    RunStatus,
    Tags,
)
from treadle_tracking.errors import (
    InvalidMapping,
    InvalidState,
    InvalidStatus,
    NoDirectory,
    RunDirectoryError,
    RunEnded,
    WrongRun,
    seen,
)
from treadle_tracking.exact_json import dumps
from treadle_tracking.log import LogClosed, Position
from treadle_tracking.mirrors.base import Follower
from treadle_tracking.mirrors.remainder import gone
from treadle_tracking.names import checked_tags
from treadle_tracking.notices import say
from treadle_tracking.params import given_params, joined
from treadle_tracking.recorder import Recorder
from treadle_tracking.recordings import Recordings
from treadle_tracking.scalars import as_step
from treadle_tracking.signals import Terminated, Termination, deferred_termination
from treadle_tracking.unclosed import Unclosed

__all__ = ["Run"]

_STATE = ("uid", "file", "offset", "checksum")
_DRAIN_SECONDS = 60.0
# A scheduler that sends SIGTERM kills soon after, often within 30 seconds.
_DRAIN_SECONDS_TERMINATED = 10.0


def _shown_state(state: Mapping[Any, Any]) -> str:
    """A mapping by what is wrong in it; the rest of it may be of any size."""
    if not any(part in state for part in _STATE):
        names = [repr(name) for name in state]
        return f"a mapping of {', '.join(names[:5])}{', …' if len(names) > 5 else ''}"
    parts = (f"{part!r}: {seen(state[part])}" for part in _STATE if part in state)
    return f"a mapping of {', '.join(parts)}"


def _status_of(error: BaseException | None) -> RunStatus:
    if isinstance(error, KeyboardInterrupt | Terminated):
        return "KILLED"
    if isinstance(error, SystemExit):
        return "FINISHED" if error.code in (None, 0) else "FAILED"
    # A generator that its reader leaves early, with a run inside, has not failed.
    return "FINISHED" if error is None or isinstance(error, GeneratorExit) else "FAILED"


def _elsewhere(  # noqa: PLR0917
    uid: str,
    experiment: str,
    name: str,
    directory: Path | None,
    root: Path | None,
    mirrors: Sequence[str],
    params: Mapping[str, ParamValue],
    resumed: bool,  # noqa: FBT001
    rank: int | None,
) -> "Run":
    """A run that was pickled, where it was unpickled."""
    return Run(
        uid=uid,
        experiment=experiment,
        name=name,
        directory=directory,
        root=root,
        mirrors=mirrors,
        params=params,
        resumed=resumed,
        rank=rank,
    )


class Run(Recordings):
    """A run that is being recorded; `start_run` makes one.

    Use it as a context manager: leaving the block ends the run as `FINISHED`, as `FAILED` after an exception or a
    `sys.exit` with anything but success, or as `KILLED` after Ctrl-C or SIGTERM.

    What is recorded is in the run's event file when a method returns, and survives the death of the process from then
    on; only metrics that are on a device follow within a second. A disk that is full or fails does not raise in the
    training loop, unless the run is strict: stderr says so once, entries wait in memory for room, and at the end it
    says how many were lost. Methods may be called from any thread. In a forked process, such as a data loader's
    worker, they do nothing; the same is true of a run that was pickled, wherever it is unpickled. `copy.copy` and
    `copy.deepcopy` return the run itself.

    A run that is closed neither by `with` nor by `close` is ended when the program is over: as `FAILED` after an
    uncaught exception, as `KILLED` after Ctrl-C or SIGTERM, else as `FINISHED`. If nothing refers to it before that,
    what it has recorded is written, and it is left without an end, for `start_run` to resume.
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
        recorder: Recorder | None = None,
        senders: Sequence[Follower] = (),
        termination: Termination | None = None,
        params: Mapping[str, ParamValue] | None = None,
        resumed: bool = False,
        rank: int | None = None,
        ends_itself: bool = True,
    ) -> None:
        super().__init__(name, directory, recorder, rank=rank)
        self.uid = uid
        self.experiment = experiment
        self.mirrors = tuple(mirrors)  # their URIs, without passwords
        self._root = root
        self._senders = tuple(senders)
        self._termination = termination
        self._ending = Lock()
        self._params = dict(params or {})
        self._resumed = resumed
        self._mirrored: tuple[str, ...] = ()
        self._unclosed = (
            Unclosed(self, recorder, self._senders, termination)
            if recorder is not None and ends_itself
            else None
        )

    @property
    def recording(self) -> bool:
        """Whether it records anything: not after `start_run(None)`, on a rank other than 0, or in a forked process."""
        return self._recording() is not None

    @property
    def root(self) -> Path:
        """Where the directories of all runs are: what to give TensorBoard. Raises `NoDirectory` as `directory` does."""
        if self._root is None:
            raise NoDirectory(self._rank)
        return self._root

    @property
    def status(self) -> RunStatus:
        """`RUNNING` until the run is closed."""
        return self._status

    @property
    def mirrored(self) -> tuple[str, ...]:
        """Those of `mirrors` that had everything in the run's directory when the run was closed; none before that.

        A mirror that is in `mirrors` but not here is behind: `close` has said so on stderr, and `sync` sends the rest,
        which does not change this value.
        """
        return self._mirrored

    def __repr__(self) -> str:
        return f"<Run {self.name!r} of {self.experiment!r}, {self._status}, in {self._directory}>"

    @property
    def resumed(self) -> bool:
        """Whether the run existed before and was resumed; never on a rank that records nothing."""
        return self._resumed

    def log(self, values: Mapping[str, Any], *, step: int) -> None:
        """Record metrics at a step.

        Args:
            values: Numbers by name: Python's or numpy's, or tensors with one element. They are kept as exact doubles
                (TensorBoard shows float32). A call with a tensor on a device waits for nothing: its values are copied
                on the device as they are now, and are fetched, and durable, at most a second later, or at `flush`.
            step: Any 64-bit integer; by convention the number of optimizer updates so far.

        Raises:
            InvalidValue: a value is not a single real number, and nothing is recorded; `InvalidTensor` for a tensor.
            InvalidStep: the step is not a 64-bit integer.
            InvalidName: a name is empty or not a text.
            InvalidMapping: the values are not a mapping.
            RunEnded: the run is closed; every method raises this then.
            RecordingFailed: it cannot be written, and the run is strict; every method raises this then.
        """
        recorder = self._recorder
        if recorder is None or os.getpid() != self._process:
            return
        if not isinstance(values, Mapping):
            raise InvalidMapping("metrics", values, "{'loss': 0.5}")
        try:
            recorder.log(values, as_step(step))
        except LogClosed:
            raise RunEnded(self.name, self._status) from None

    def tag(self, values: Mapping[str, str]) -> None:
        """Set tags; a later value replaces an earlier one."""
        if recorder := self._recording():
            values = checked_tags(values)
            self._append(recorder, Tags(wall_time=recorder.clock.now(), values=values))

    def params(self, values: Any) -> None:
        """Add parameters, as `start_run` takes them, to those that the run has; a later value replaces an earlier one.

        TensorBoard's HPARAMS page shows only those of `start_run`, since it keeps the first it is given; all other
        readers have both.

        Raises:
            UnsupportedParam: a parameter has no exact form in JSON.
            InvalidMapping: they are not a mapping.
        """
        if recorder := self._recording():
            self._check_running()
            given = given_params(values)
            added = given.values
            if notice := given.notice(self.name):
                say(notice)
            self._params = joined(self._params, added)
            try:
                write_file(self.directory / PARAMS, dumps(self._params, indent=2) + b"\n")
            except OSError as error:
                recorder.lose(error, PARAMS)
            self._append(recorder, Params(wall_time=recorder.clock.now(), values=added))
            for dotted, function in given.functions:
                self.function(dotted, function)

    def flush(self) -> None:
        """Fetch the metrics that are still on a device, and write them: everything recorded so far is then durable."""
        if (recorder := self._recording()) and self._status == "RUNNING":
            recorder.flush()

    def commit(self, step: int) -> None:
        """Declare everything recorded so far final: a checkpoint of this step is saved.

        A mirror with `mirror_when="committed"` sends it now.
        """
        if recorder := self._recording():
            try:
                recorder.commit(as_step(step))
            except LogClosed:
                raise RunEnded(self.name, self._status) from None

    def state_dict(self) -> dict[str, str | int]:
        """The run's position, for a checkpoint: its uid and how far its log is, in plain texts and integers.

        What is recorded later is cut out again when this is loaded.
        """
        recorder = self._recording()
        if recorder is None:
            return {}
        try:
            place = recorder.place()
        except LogClosed:
            raise RunEnded(self.name, self._status) from None
        return {
            "uid": self.uid,
            "file": place.file,
            "offset": place.offset,
            "checksum": place.checksum,
        }

    def load_state_dict(self, state: Mapping[str, str | int]) -> None:
        """Go back to where the run was when `state_dict` returned this: what came after is cut out of the log.

        What is cut is kept below `abandoned/`. TensorBoard and our readers show the run without it; MLflow cannot
        remove a point, so there only our readers leave it out. A run that records nothing loads anything, and any run
        loads an empty state, which is that of a run that recorded nothing.

        Raises:
            InvalidState: it is not the state of a run, but for instance a whole checkpoint.
            WrongRun: it is another run's.
            PlaceUnknown: the run has since gone back to before that place.
        """
        if not (recorder := self._recording()):
            return
        if not isinstance(state, Mapping):
            raise InvalidState(seen(state))
        if not state:
            return
        uid, file, offset, checksum = (state.get(part) for part in _STATE)
        if not (
            isinstance(uid, str)
            and isinstance(file, str)
            and isinstance(offset, int)
            and isinstance(checksum, int)
        ):
            raise InvalidState(_shown_state(state))
        if uid != self.uid:
            raise WrongRun(uid, self.uid, self.name)
        self._rewind(recorder, after=Position(file, offset, checksum))

    def rewind(self, step: int | None = None) -> None:
        """Go back to before a step, or to where the run began: what was recorded from there on is cut out of the log.

        What is cut is kept as in `load_state_dict`. Metrics, images and whatever else has a step are cut if that is
        `step` or later; without a step, everything is cut but the parameters and tags that the run was started with.
        """
        if recorder := self._recording():
            if step is None:
                self._rewind(recorder, after=recorder.begin())
            else:
                self._rewind(recorder, step=as_step(step))

    def _rewind(
        self, recorder: Recorder, *, after: Position | None = None, step: int | None = None
    ) -> None:
        self._check_running()
        try:
            params = recorder.rewind(after=after, step=step)
            if params not in (None, self._params):
                self._params = params
                write_file(self.directory / PARAMS, dumps(params, indent=2) + b"\n")
        except LogClosed:
            raise RunEnded(self.name, self._status) from None
        except OSError as error:
            raise RunDirectoryError(
                self.directory,
                f"the run cannot go back: {error.strerror or error}",
                "Its log is as it was; make room, or the directory writable, and try again",
            ) from error

    def close(self, status: RunStatus = "FINISHED", *, timeout: float = _DRAIN_SECONDS) -> None:
        """End the run. The end is first in the run's directory; then mirrors get what they still lack.

        A mirror that takes more than five seconds is announced on stderr. One Ctrl-C meanwhile ends the waiting; what
        is left is on disk, and a sentence on stderr says how to send it. Afterwards `mirrored` has the mirrors that got
        everything. A second call does nothing.

        Args:
            status: How it ended: `FINISHED`, `FAILED` or `KILLED`.
            timeout: Seconds to wait for mirrors at most, for all of them together.

        Raises:
            InvalidStatus: the status is none of the three, and the run goes on.
        """
        if status not in ENDS:
            raise InvalidStatus(status)
        recorder = None
        try:
            # A SIGTERM in between would leave a run that is closed, and a log without its end.
            with deferred_termination():
                if recorder := self._ending_with(status):
                    recorder.close(Ended(wall_time=recorder.clock.now(), status=status))
        finally:
            if recorder:
                try:
                    self._drain(timeout, is_gone=recorder.is_gone)
                finally:
                    if self._termination is not None:
                        self._termination.restore()
        if recorder and recorder.lost:
            one = recorder.lost == 1
            entries = "1 entry" if one else f"{recorder.lost} entries"
            # Of those of a directory that is gone, what came before that was noticed is not known.
            entries = f"at least {entries}" if recorder.is_gone else entries
            lost = "is lost" if one else "are lost"
            if recorder.lacks_end:
                among = "it is the end of the run" if one else "the end of the run is one of them"
                lost += f"; {among}, which reads as UNFINISHED, and not as {status}"
            say(f"{entries} of the run {self.name!r} could not be written and {lost}")

    def _ending_with(self, status: RunStatus) -> Recorder | None:
        """Take the status, where there is none yet; what writes it down, where this process does."""
        with self._ending:
            if self._status != "RUNNING":
                return None
            self._status = status
        if self._unclosed is not None:
            self._unclosed.detach()
        return self._recording()

    def _drain(self, timeout: float, *, is_gone: bool) -> None:
        terminated = None
        deadline = monotonic() + timeout
        try:
            # All of them at once: several that do not answer take no longer than one.
            for sender in self._senders:
                sender.hurry()
        except (KeyboardInterrupt, Terminated) as interruption:
            terminated = interruption if isinstance(interruption, Terminated) else None
            deadline = 0.0
        for uri, sender in zip(self.mirrors, self._senders, strict=True):
            try:
                left = sender.close(max(0.0, deadline - monotonic()))
            except (KeyboardInterrupt, Terminated) as interruption:
                if isinstance(interruption, Terminated):
                    terminated = interruption
                deadline = 0.0  # nobody waits any longer, for the other mirrors either
                left = sender.close(0.0)
            if left is None and is_gone:
                left = gone(self.directory, uri)
            if left is None:
                self._mirrored += (uri,)
            else:
                say(left)
        if terminated is not None:
            raise terminated

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, _memo: object) -> Self:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        # Like a fork of its process, a copy elsewhere knows the run, and records nothing.
        return _elsewhere, (
            *(self.uid, self.experiment, self.name, self._directory, self._root),
            *(self.mirrors, self._params, self._resumed, self._rank),
        )

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
