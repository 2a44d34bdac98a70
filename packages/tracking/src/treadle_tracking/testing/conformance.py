"""The tests that a mirror has to pass."""

import re
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, ClassVar, cast
from uuid import uuid4

import pytest
from attrs import evolve, field, frozen
from hypothesis import given
from hypothesis import strategies as st

from treadle_tracking.entries import (
    Artifact,
    Ended,
    Entry,
    Params,
    Rewound,
    Scalars,
    Started,
    Tags,
)
from treadle_tracking.masking import masked
from treadle_tracking.mirrors.base import Mirror
from treadle_tracking.testing.sample import (
    ANYTHING,
    CHARACTERS,
    NAMES,
    STEPS,
    VALUES,
    sample_directory,
    sample_log,
    sample_start,
)
from treadle_tracking.testing.stored import StoredRun, check_same, check_stored

__all__ = ["MirrorConformance"]


@frozen(kw_only=True)
class _Unheard:
    """An entry of a kind that comes with some later version."""

    wall_time: float
    step: int = 3
    values: Mapping[str, float] = field(factory=lambda: {"loss": 9.0})


class MirrorConformance:
    """The tests that a mirror has to pass, to be derived from. The class's name begins with `Test`, as pytest has it.

    Each test begins with nothing stored: make a place of its own in a fixture that is used automatically, from
    `tmp_path`, or let `stored` leave out what was there before. No two tests have runs of the same uid.
    """

    resolution: ClassVar[float] = 0.001
    """Seconds by which a time may differ from what was sent."""

    def make(self) -> Mirror:
        """A mirror, made anew, as another process would: every call of one test leads to the same place."""
        raise AssertionError("a class derived from MirrorConformance has a method `make`")

    def stored(self) -> Iterable[StoredRun]:
        """Everything that is in the place, read by other means than the mirror's own memory."""
        raise AssertionError("a class derived from MirrorConformance has a method `stored`")

    def broken(self) -> Mirror:
        """A mirror at a place that cannot be written to, though its address is a good one."""
        raise AssertionError("a class derived from MirrorConformance has a method `broken`")

    def number(self, value: float) -> float:
        """What the place makes of a double. Replace this where it cannot keep some, such as infinities."""
        return value

    @pytest.fixture
    def run(self) -> Started:
        """The beginning of a run, whose directory is `directory`."""
        return sample_start()

    @pytest.fixture
    def directory(self, tmp_path: Path) -> Path:
        """A run directory with the files that `log` speaks of."""
        return sample_directory(tmp_path)

    @pytest.fixture
    def log(self, run: Started) -> list[Entry]:
        """A whole run: entries of every kind, as they are in its log."""
        return sample_log(run)

    def sent(self, directory: Path, *batches: Sequence[Entry]) -> str:
        """Send batches as a fresh process would; the run's identity."""
        mirror = self.make()
        started = cast("Started", batches[0][0])
        mirror.open(started, directory)
        for batch in batches:
            mirror.send(batch)
        identity = mirror.identity
        mirror.close()
        assert isinstance(identity, str), "`open` says in `identity` what the run is called"
        return identity

    def the_run(self, uid: str) -> StoredRun:
        """The one run of this uid that there is."""
        found = [run for run in self.stored() if run.uid == uid]
        check_same(f"there is one run of the uid {uid!r}", 1, len(found))
        return found[0]

    def _has(self, run: StoredRun, entries: Sequence[Entry], directory: Path) -> None:
        check_stored(run, entries, directory, number=self.number, resolution=self.resolution)

    def test_it_is_a_mirror(self) -> None:
        """It has what a sender calls, and has not been opened."""
        mirror = self.make()

        assert isinstance(mirror, Mirror), "it has the attributes and methods of `Mirror`"
        check_same("before it is opened there is no identity", None, mirror.identity)

    def test_its_uri_can_be_kept(self) -> None:
        """Its `uri` is a whole target, the same every time, without a secret."""
        first, second = self.make().uri, self.make().uri

        assert re.match(r"[A-Za-z][\w+.\-]*:.", first), (
            f"{first!r} is a scheme, a colon and an address"
        )
        check_same("`uri` is the same for the same place", first, second)
        check_same("`uri` shows no secret", masked(first), first)

    def test_making_it_makes_no_run(self) -> None:
        """Nothing is in the place before a run is opened."""
        self.make()

        check_same("there is no run", [], list(self.stored()))

    def test_opening_makes_the_run(self, run: Started, directory: Path) -> None:
        """The run is there, under its own names, and is running."""
        identity = self.sent(directory, [run])
        stored = self.the_run(run.uid)

        check_same("its identity is what the mirror says", identity, stored.identity)
        for expected, actual in ((run.name, stored.name), (run.experiment, stored.experiment)):
            if actual is not None:
                check_same("it has the names that were given", expected, actual)
        if stored.status is not None:
            check_same("it is running", "RUNNING", stored.status)

    def test_a_whole_run_arrives(self, log: list[Entry], directory: Path, run: Started) -> None:
        """Entries of every kind are taken, and what the place keeps is what was sent."""
        self.sent(directory, log)

        self._has(self.the_run(run.uid), log, directory)

    def test_one_entry_at_a_time_is_the_same(
        self, log: list[Entry], directory: Path, run: Started
    ) -> None:
        """Where a batch ends makes no difference, and a batch may be empty."""
        self.sent(directory, log[:1], [], *([entry] for entry in log[1:]))

        self._has(self.the_run(run.uid), log, directory)

    def test_three_times_is_once(self, log: list[Entry], directory: Path, run: Started) -> None:
        """A whole run sent again, by the same mirror and by others, changes nothing."""
        self.sent(directory, log)
        before = self.the_run(run.uid)
        self.sent(directory, log, log)
        self.sent(directory, log)

        check_same("everything is as it was", before, self.the_run(run.uid))

    def test_overlaps_are_sent_once(self, log: list[Entry], directory: Path, run: Started) -> None:
        """Batches of which each repeats a part of the one before are the run, once."""
        windows = [log[begin : begin + 6] for begin in range(0, len(log), 3)]
        self.sent(directory, *windows)

        self._has(self.the_run(run.uid), log, directory)

    def test_a_kill_before_the_note_loses_and_doubles_nothing(
        self, log: list[Entry], directory: Path, run: Started
    ) -> None:
        """A process that dies after each batch, before anything of it is noted, leaves the next to send it again."""
        killed = []
        for end in range(1, len(log) + 1, 4):
            mirror = self.make()
            mirror.open(run, directory)
            mirror.send(log[max(0, end - 4) : end])
            killed.append(mirror)
        self.sent(directory, log)

        self._has(self.the_run(run.uid), log, directory)
        for mirror in killed:
            mirror.close()  # the system lets go of what a killed process held

    def test_two_at_once_are_one_run(self, log: list[Entry], directory: Path, run: Started) -> None:
        """Two mirrors that send the same run in turns make one of it."""
        mirrors = [self.make(), self.make()]
        for mirror in mirrors:
            mirror.open(run, directory)
        for begin in range(0, len(log), 5):
            for mirror in mirrors:
                mirror.send(log[begin : begin + 5])
        identities = {mirror.identity for mirror in mirrors}
        for mirror in mirrors:
            mirror.close()

        check_same("both found the same run", 1, len(identities))
        self._has(self.the_run(run.uid), log, directory)

    def test_two_that_open_at_once_find_one_run(self, run: Started, directory: Path) -> None:
        """Where several processes look for a run that is not there yet, one of them makes it."""
        mirrors = [self.make() for _ in range(3)]
        with ThreadPoolExecutor(len(mirrors)) as threads:
            opened = [threads.submit(mirror.open, run, directory) for mirror in mirrors]
            for one in opened:
                one.result()
        identities = {mirror.identity for mirror in mirrors}
        for mirror in mirrors:
            mirror.send([run])
            mirror.close()

        check_same("all found the same run", 1, len(identities))
        assert self.the_run(run.uid).identity in identities, "it is the one of this uid"

    def test_opening_again_finds_the_run(
        self, log: list[Entry], directory: Path, run: Started
    ) -> None:
        """A run is known by its uid: opened anew it is the same, and a later part joins the earlier one."""
        first = self.sent(directory, log[:5])
        second = self.sent(directory, [run, *log[5:]])

        check_same("it is the same run", first, second)
        self._has(self.the_run(run.uid), log, directory)

    def test_another_uid_is_another_run(
        self, log: list[Entry], directory: Path, run: Started
    ) -> None:
        """Two runs of one name are two."""
        other = evolve(run, uid=f"{run.uid}-2")
        self.sent(directory, log)
        before = self.the_run(run.uid)
        self.sent(
            directory, [other, Scalars(wall_time=run.wall_time, step=1, values={"loss": 7.0})]
        )

        check_same("the first is as it was", before, self.the_run(run.uid))
        assert self.the_run(other.uid).identity != before.identity, "the second is a run of its own"

    def test_a_run_goes_on(self, log: list[Entry], directory: Path, run: Started) -> None:
        """A later attempt is the same run: it runs again, then ends in its own way."""
        self.sent(directory, log)
        later = run.wall_time + 60
        again = evolve(run, wall_time=later, attempt=1)
        rewound = Rewound(wall_time=later + 0.002, began=later, step=6, after=log[-2].wall_time)
        more = Scalars(wall_time=later + 0.004, step=6, values={"loss": 0.125})
        self.sent(directory, [run], [again, rewound, more])
        running = self.the_run(run.uid)
        ended = Ended(wall_time=later + 0.006, status="FINISHED")
        self.sent(directory, [run], [ended])

        whole = [*log, again, rewound, more]
        self._has(running, [entry for entry in whole if not isinstance(entry, Ended)], directory)
        self._has(self.the_run(run.uid), [*whole, ended], directory)

    def test_what_is_unknown_is_passed_over(
        self, log: list[Entry], directory: Path, run: Started
    ) -> None:
        """An entry of a kind that is not known yet keeps nothing after it from arriving."""
        unheard = cast("Entry", _Unheard(wall_time=run.wall_time))
        self.sent(directory, [*log[:4], unheard, *log[4:]])

        self._has(self.the_run(run.uid), log, directory)

    def test_a_file_that_is_gone_is_passed_over(
        self, log: list[Entry], directory: Path, run: Started
    ) -> None:
        """Whoever has removed an artifact meant it: what comes after it arrives."""
        gone = Artifact(wall_time=run.wall_time + 0.001, path="gone.bin", size=1, sha256="3" * 64)
        self.sent(directory, [log[0], gone, *log[1:]])

        self._has(self.the_run(run.uid), log, directory)

    def test_what_does_not_arrive_raises(
        self, log: list[Entry], directory: Path, run: Started
    ) -> None:
        """A mirror whose place cannot be written to says so, and can be closed."""
        mirror = self.broken()
        try:
            mirror.open(run, directory)
            mirror.send(log)
        except Exception:  # noqa: BLE001  # whatever it raises
            raised = True
        else:
            raised = False
        mirror.close()

        assert raised, "neither `open` nor `send` has raised, and nothing can have arrived"

    def test_closing_changes_nothing(self, log: list[Entry], directory: Path, run: Started) -> None:
        """A run is as it was after `close`, which may come before `open` and twice; then it can be opened again."""
        mirror = self.make()
        mirror.close()
        mirror.open(run, directory)
        mirror.send(log[:6])
        before = self.the_run(run.uid)
        mirror.close()
        mirror.close()

        check_same("everything is as it was", before, self.the_run(run.uid))
        mirror.open(run, directory)
        mirror.send(log[6:])
        mirror.close()
        self._has(self.the_run(run.uid), log, directory)

    @given(
        points=st.lists(
            st.tuples(STEPS, st.dictionaries(NAMES, st.floats(), min_size=1, max_size=3)),
            max_size=4,
        )
    )
    @ANYTHING
    def test_metrics_of_any_name_and_value_arrive(
        self, directory: Path, run: Started, points: list[tuple[int, dict[str, float]]]
    ) -> None:
        """Names of any characters stay different names; values are exact doubles, steps 64-bit integers."""
        started = evolve(run, uid=uuid4().hex)
        entries: list[Entry] = [
            Scalars(wall_time=run.wall_time + 0.0015 * tick, step=step, values=values)
            for tick, (step, values) in enumerate(points)
        ]
        self.sent(directory, [started, *entries], entries)

        self._has(self.the_run(started.uid), entries, directory)

    @given(tags=st.dictionaries(NAMES, st.text(CHARACTERS, max_size=50), max_size=3))
    @ANYTHING
    def test_tags_of_any_name_and_text_arrive(
        self, directory: Path, run: Started, tags: dict[str, str]
    ) -> None:
        """Tags are texts by name, both of any characters."""
        started = evolve(run, uid=uuid4().hex)
        entries: list[Entry] = [Tags(wall_time=run.wall_time, values=tags)]
        self.sent(directory, [started, *entries], entries)

        self._has(self.the_run(started.uid), entries, directory)

    @given(params=st.dictionaries(NAMES, VALUES, max_size=3))
    @ANYTHING
    def test_parameters_of_any_name_and_value_arrive(
        self, directory: Path, run: Started, params: dict[str, Any]
    ) -> None:
        """Parameters keep their types and nesting."""
        started = evolve(run, uid=uuid4().hex)
        entries: list[Entry] = [Params(wall_time=run.wall_time, values=params)]
        self.sent(directory, [started, *entries], entries)

        self._has(self.the_run(started.uid), entries, directory)

    @given(uid=NAMES, name=NAMES, experiment=NAMES)
    @ANYTHING
    def test_a_run_of_any_name_is_found_again(
        self, directory: Path, run: Started, uid: str, name: str, experiment: str
    ) -> None:
        """A uid may be any text, and so may the names of a run and its experiment."""
        # Of examples that share a place, each has its own.
        uid = f"{uid}{uuid4().hex}{uid}"
        started = evolve(run, uid=uid, name=name, experiment=experiment)
        first = self.sent(directory, [started])
        second = self.sent(directory, [started])

        check_same("it is the same run", first, second)
        check_same("it is the one of this uid", first, self.the_run(uid).identity)
