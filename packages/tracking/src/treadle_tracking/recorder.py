"""What writes a run's log: numbers at once, those of a device a second later, and attempts that go back."""

import atexit
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from threading import RLock
from typing import Any

from attrs import evolve

from treadle_tracking.attempts import (
    abandoned_path,
    beginning,
    cut,
    entries_in,
    next_attempt,
)
from treadle_tracking.best import Best
from treadle_tracking.clock import LogClock
from treadle_tracking.entries import (
    Committed,
    Ended,
    Entry,
    Histogram,
    Image,
    Params,
    ParamValue,
    Rewound,
    Scalars,
    Started,
    Table,
    Text,
)
from treadle_tracking.errors import RecordingFailed
from treadle_tracking.log import LogClosed, LogWriter, Position, attempt_path
from treadle_tracking.mirrors.base import Follower
from treadle_tracking.names import checked_name
from treadle_tracking.notices import say
from treadle_tracking.ownership import BEAT_SECONDS, Ownership
from treadle_tracking.params import joined
from treadle_tracking.pending import Pending, is_on_device
from treadle_tracking.pulse import Pulse
from treadle_tracking.recalled import Recalled, has_session, recalled
from treadle_tracking.scalars import as_double

__all__ = ["Recorder"]

_INT32 = 2**31  # in the messages of TensorBoard's HPARAMS page a step is an int32
_LETTING_GO = 5.0  # seconds
_KNOWN_NAMES = 4096  # a new name every step must not fill the memory


class Recorder:
    """Writes the log of one run, from any thread of one process.

    Args:
        directory: The run directory, which this process owns.
        started: The entry with which every attempt begins; its `attempt` is filled in.
        before: What the log holds already: nothing of a new run.
        ownership: Released at the end.
        strict: Whether what cannot be written is an error.
        given: The parameters with which this process starts the run, which it has wherever it goes back to.
        repeats: Whether the first metrics that are recorded replace what the log holds of their step and later.

    Raises:
        OSError: the log cannot be opened.
    """

    def __init__(
        self,
        directory: Path,
        started: Started,
        before: Recalled,
        *,
        ownership: Ownership,
        given: Mapping[str, ParamValue] | None = None,
        strict: bool = False,
        repeats: bool = True,
    ) -> None:
        self.directory = directory
        self.artifacts = before.artifacts
        self.lost = 0  # artifacts; the log counts its entries
        self.clock = LogClock(before.latest)
        self._started = started
        self._ownership = ownership
        self._strict = strict
        self._senders: Sequence[Follower] = ()
        self._wakes_at_once = True
        self._pending = Pending()
        self._names: set[str] = set()
        self._told: set[str] = set()  # troubles, each by a word for it
        self._has_steps = False  # of this attempt
        self._goes_on = before.started is not None
        self._repeats = self._goes_on and repeats
        self._going_back = RLock()
        self._recall(before)
        self._given = dict(given or {})
        self._attempt = self._first_attempt = next_attempt(directory)
        self._began = self.clock.now()
        self._process = os.getpid()
        self._log = self._opened(has_session=before.has_session)
        try:
            self._pulse = Pulse(
                started.name, beat=self._beat, flush=self._flushed, beat_seconds=BEAT_SECONDS
            )
        except BaseException:
            self._log.close()
            attempt_path(directory, self._attempt).unlink(missing_ok=True)
            raise
        atexit.register(self._flush_at_exit)

    def _recall(self, before: Recalled) -> None:
        self._best = Best(self._started.best)
        for name, extremes in before.extremes.items():
            for value in extremes:
                self._best.take(Scalars(wall_time=0.0, step=0, values={name: value}))

    def _opened(self, *, has_session: bool) -> LogWriter:
        """The log of this attempt, with its first entry in the file."""
        path = attempt_path(self.directory, self._attempt)
        log = LogWriter(path, session_shown=has_session, strict=self._strict)
        try:
            log.append(evolve(self._started, wall_time=self._began, attempt=self._attempt))
            if log.trouble is not None:
                raise log.trouble  # noqa: TRY301
        except BaseException:
            log.close()
            path.unlink(missing_ok=True)
            raise
        return log

    def mirror(self, senders: Sequence[Follower], *, at_once: bool) -> None:
        """Start `senders`, and wake them after each entry, or only when something is final.

        After that, and last of all that may fail as a run begins, since it cannot be taken back: an end goes out of the
        log that is none any more, and what a process that was killed left half written.
        """
        for sender in senders:
            sender.start()
        self._senders = senders
        self._wakes_at_once = at_once
        if self._goes_on:
            self._cut()

    def _cut(self, *, after: Position | None = None, step: int | None = None) -> bool:
        """Whether there was anything to cut."""
        places = cut(self.directory, self._attempt, after=after, step=step)
        for sender in self._senders:
            sender.rewind(places)
        return bool(places)

    def append(self, entry: Entry) -> None:
        """Write an entry.

        Raises:
            LogClosed: the run is closed.
            RecordingFailed: it cannot be written; only if strict.
        """
        if isinstance(entry, Scalars):
            self._before_step(entry.step)
        elif isinstance(entry, Image | Text | Histogram | Table):
            self._has_steps |= entry.step is not None
        self._write(entry)

    def _write(self, entry: Entry) -> None:
        while True:
            log = self._log
            try:
                log.append(entry)
            except LogClosed:
                if log is self._log:
                    raise
                continue  # another thread has gone back: its attempt is over, and there is a new one
            except OSError as error:
                raise RecordingFailed(self.directory, error) from error
            break
        if log.trouble is not None:
            self._warn(log.trouble)
            self._pulse.nudge()
        if self._wakes_at_once:
            for sender in self._senders:
                sender.wake()

    def _say_once(self, trouble: str, sentence: str) -> None:
        if trouble not in self._told:
            self._told.add(trouble)
            say(sentence)

    def _warn(self, error: OSError) -> None:
        self._say_once(
            "writing",
            f"{self.directory} cannot be written to ({error.strerror or error}); training goes on, entries are "
            f"kept in memory as far as that goes and written when there is room",
        )

    def lose(self, error: OSError, file: str) -> None:
        """Count a file that could not be kept, by its path in the run. Raises `RecordingFailed` instead if strict."""
        if self._strict:
            raise RecordingFailed(self.directory, error) from error
        self.lost += 1
        self._say_once(
            "artifact",
            f"{file} could not be kept in {self.directory} ({error.strerror or error}), and is lost, as is any later "
            f"file that there is no room for; training goes on",
        )

    def log(self, values: Mapping[str, Any], step: int) -> None:
        """Write one call's metrics, or keep them until they are fetched from their device. Raises as `Run.log`."""
        doubles: dict[str, float] = {}
        names = self._names
        on_device = False
        for name, value in values.items():
            if name not in names:
                self._learn(name)
            if type(value) is float:
                doubles[name] = value
            elif is_on_device(value):
                on_device = True
                break
            else:
                doubles[name] = as_double(name, value)
        if on_device:
            for name in values:
                self._learn(name)
            self._before_step(step)
            self._pending.add(self.clock.now(), step, values)
            self._pulse.nudge()
        elif doubles:
            self._before_step(step)
            self._write_scalars(Scalars(wall_time=self.clock.now(), step=step, values=doubles))

    def _learn(self, name: object) -> None:
        checked = checked_name("the name of a metric", name)
        if len(self._names) >= _KNOWN_NAMES:
            self._names.clear()
        self._names.add(checked)

    def _before_step(self, step: int) -> None:
        if not -_INT32 <= step < _INT32 and "step" not in self._told:
            self._say_once(
                "step",
                f"the step {step} does not fit into 32 bits: all is kept, but TensorBoard's HPARAMS page fails for every "
                f"run below the same directory. Count from a smaller number, such as the optimizer updates so far",
            )
        if self._repeats:
            # A run that goes on without a word about where: what it repeats, it replaces.
            with self._going_back:
                try:
                    if self._repeats:
                        self._replace(after=None, step=step, unasked=True)
                except OSError as error:
                    self._repeats = False
                    if self._strict:
                        raise RecordingFailed(self.directory, error) from error
                    say(
                        f"{self.directory} cannot be written to ({error.strerror or error}); what this run repeats of "
                        f"steps that it has already is there twice, until it goes back to before step {step}: "
                        f"run.rewind({step})"
                    )
        self._has_steps = True

    def _write_scalars(self, scalars: Scalars) -> None:
        best = self._best.improved(scalars.values)
        if best:
            scalars = evolve(scalars, values={**scalars.values, **best})
        self._write(scalars)

    def _flushed(self) -> bool:
        """Write what is pending; whether something still waits for room."""
        try:
            self.flush()
        except RecordingFailed:
            return True  # it is raised at the next call that flushes
        except Exception as error:  # noqa: BLE001  # the thread that calls this also says that the process lives
            self._say_once(
                "device",
                f"metrics on a device could not be fetched, and it is tried again "
                f"({type(error).__name__}: {error})",
            )
            return True
        self._log.retry()
        return self._log.waiting > 0

    def flush(self) -> None:
        """Fetch what is on devices, and write it."""
        pending = self._pending
        self._look()
        pending.deliver(self._write_scalars)
        if pending.trouble is not None:
            reason = str(pending.trouble).partition("\n")[0]
            self._say_once(
                "device", f"metrics could not be fetched from their device, and are lost: {reason}"
            )

    def _beat(self) -> None:
        self._ownership.beat()
        with suppress(RecordingFailed):  # raised at the next call
            self._look()

    @property
    def is_gone(self) -> bool:
        """Whether the directory was deleted or moved, as of the last look at it."""
        return self._log.gone is not None

    @property
    def lacks_end(self) -> bool:
        """Whether the end of the run, which `close` was given, could not be written."""
        return self._log.lacks_end

    def _look(self) -> None:
        """Notice where the directory was deleted or moved. Raises `RecordingFailed` then if strict."""
        error = self._log.look()
        if error is None:
            return
        if self._strict:
            raise RecordingFailed(self.directory, error) from error
        self._say_once(
            "absence",
            f"{self.directory} is gone: {error.strerror}; training goes on, and what is recorded from now on is lost "
            f"unless the directory is put back",
        )

    def _tell_of_waiting(self) -> None:
        if waiting := self._log.waiting:
            entries = "1 entry waits" if waiting == 1 else f"{waiting} entries wait"
            self._say_once(
                "waiting",
                f"{entries} for room in {self.directory}: a checkpoint that is taken now does not cover "
                f"{'it' if waiting == 1 else 'them'}. Make room, and take another",
            )

    def _flush_at_exit(self) -> None:
        if os.getpid() == self._process:  # a forked process has it all from the other one
            self.flush()

    def place(self) -> Position:
        """The place behind everything so far; what comes is in a later millisecond."""
        self.flush()
        place = self._log.position()
        self._tell_of_waiting()
        self.clock.divide()
        return place

    def commit(self, step: int) -> None:
        """Write that everything so far is final."""
        self.flush()
        self._has_steps = True
        self._write(Committed(wall_time=self.clock.now(), step=step))
        self._log.sync()
        self._tell_of_waiting()
        for sender in self._senders:
            sender.wake()

    def begin(self) -> Position:
        """The place behind what the run recorded as it was first started."""
        return beginning(self.directory)

    def rewind(
        self, *, after: Position | None = None, step: int | None = None
    ) -> dict[str, ParamValue] | None:
        """Go back to a place, or to before a step. What was recorded beyond is cut out of the log.

        Returns:
            The parameters that the run has now; None where it is at that place.

        Raises:
            PlaceUnknown: the log has no such place any more.
            OSError: the directory cannot be written to.
        """
        with self._going_back:
            here = after is not None and after.file == self._log.position().file
            if here and after == self.place():
                self._repeats = False
                return None
            if self._has_steps or here:
                self.flush()
                earlier = self._attempt, self._began
                self.clock.divide()
                self._attempt, self._began = next_attempt(self.directory), self.clock.now()
                try:
                    log = self._opened(has_session=has_session(self.directory))
                except BaseException:
                    self._attempt, self._began = earlier
                    raise
                # In this order: a thread that logs meanwhile finds one that is open.
                ended, self._log = self._log, log
                ended.close()
                self.lost += ended.lost
                self._has_steps = False
            return self._replace(after=after, step=step)

    def _replace(
        self, *, after: Position | None, step: int | None, unasked: bool = False
    ) -> dict[str, ParamValue]:
        """Cut what earlier attempts recorded beyond, and say so to whoever follows the log."""
        aside = abandoned_path(self.directory, self._attempt)
        before = entries_in(aside) if unasked else 0
        if self._cut(after=after, step=step) and unasked and (gone := entries_in(aside) - before):
            entries = "1 entry" if gone == 1 else f"{gone} entries"
            say(
                f"the run goes on at step {step}: {entries} of that step and later {'is' if gone == 1 else 'are'} "
                f"replaced, and kept in {aside}"
            )
        log = recalled(self.directory)
        self._recall(log)
        self.artifacts.clear()
        self.artifacts.update(log.artifacts)
        self.clock.divide()
        self._write(
            Rewound(
                wall_time=self.clock.now(),
                began=self._began,
                step=log.next_step if step is None else step,
                after=log.latest_before(attempt_path(self.directory, self._attempt).name)
                if after
                else None,
            )
        )
        self._repeats = False
        first = attempt_path(self.directory, self._first_attempt).name
        if after is not None and after.file < first:
            # An attempt that is gone now may have been the first to say them.
            missing = {
                name: value
                for name, value in self._given.items()
                if repr(value) != repr(log.params.get(name, ...))
            }
            if missing:
                log.params = joined(log.params, missing)
                self._write(Params(wall_time=self.clock.now(), values=missing))
        return log.params

    def abandon(self) -> None:
        """Let go of everything without an end: this attempt was not even begun, and its file goes."""
        atexit.unregister(self._flush_at_exit)
        self._pulse.close()
        self._log.close()
        with suppress(OSError):
            attempt_path(self.directory, self._attempt).unlink(missing_ok=True)

    def let_go(self) -> None:
        """Write what is pending, and let go of the directory without an end: the run can be gone on with."""
        atexit.unregister(self._flush_at_exit)
        try:
            # Whoever is here may hold something that the thread waits for: then it is left to itself.
            if self._pulse.close(_LETTING_GO):
                with suppress(RecordingFailed):
                    self.flush()
        finally:
            self._log.close()
            self._ownership.release()

    def close(self, ended: Ended) -> None:
        """Write the end, and let go of the directory.

        Raises:
            RecordingFailed: the end cannot be written; only if strict.
        """
        atexit.unregister(self._flush_at_exit)
        try:
            try:
                self._pulse.close()
                self.flush()
            finally:
                self._log.close(ended)  # also where a Ctrl-C stops the wait for a device
        except OSError as error:
            raise RecordingFailed(self.directory, error) from error
        finally:
            self._log.close()
            self._ownership.release()
            self.lost += self._log.lost + self._pending.lost
