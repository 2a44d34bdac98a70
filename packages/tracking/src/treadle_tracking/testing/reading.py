"""The tests that a reader has to pass."""

import re
from array import array
from collections.abc import Collection, Iterable, Sequence
from itertools import pairwise
from math import nan
from pathlib import Path
from typing import Any, ClassVar
from uuid import uuid4

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from treadle_tracking.entries import (
    Ended,
    Entry,
    Params,
    Rewound,
    Scalars,
    Started,
    Tags,
)
from treadle_tracking.errors import TrackingError
from treadle_tracking.masking import masked
from treadle_tracking.reading.condition import Condition
from treadle_tracking.reading.errors import UnknownArtifact
from treadle_tracking.reading.points import Points
from treadle_tracking.reading.reader import Reader
from treadle_tracking.reading.record import RunRecord
from treadle_tracking.testing.conditions import asked, searched_logs
from treadle_tracking.testing.expected import (
    Expected,
    check_entries,
    check_record,
    expected_of,
    plain_contents,
)
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
from treadle_tracking.testing.stored import check_same

__all__ = ["ReaderConformance"]


class ReaderConformance:
    """The tests that a reader has to pass, to be derived from. The class's name begins with `Test`, as pytest has it.

    Each test begins with a place of its own that has no run: make one in a fixture that is used automatically, from
    `tmp_path`.
    """

    keeps: ClassVar[Collection[type[Entry]] | None] = None
    """The kinds of entries that the place keeps, besides `Started`; None for all."""

    def make(self) -> Reader:
        """A reader, made anew: every call of one test leads to the same place."""
        raise AssertionError("a class derived from ReaderConformance has a method `make`")

    def write(self, log: Sequence[Entry], directory: Path) -> None:  # noqa: ARG002  # for what derives from this
        """Put a run there, as whatever writes the place does, such as its mirror.

        Args:
            log: The run's entries from the first on. They may be those of an earlier call, and more.
            directory: The run directory, with the files that they speak of in `artifacts/`.
        """
        raise AssertionError("a class derived from ReaderConformance has a method `write`")

    def everything(self) -> object:
        """Everything that is in the place, to be compared: it is the same before it was read and afterwards."""
        raise AssertionError("a class derived from ReaderConformance has a method `everything`")

    def missing(self) -> Reader:
        """A reader at an address where there is no such place. To make it may raise already."""
        raise AssertionError("a class derived from ReaderConformance has a method `missing`")

    def number(self, value: float) -> float:
        """What is read of a double that was written. Replace this where the place cannot keep some."""
        return value

    @pytest.fixture
    def run(self) -> Started:
        """The beginning of a run."""
        return sample_start()

    @pytest.fixture
    def directory(self, tmp_path: Path) -> Path:
        """A run directory with the files that `log` speaks of."""
        return sample_directory(tmp_path)

    @pytest.fixture
    def log(self, run: Started) -> list[Entry]:
        """A whole run: entries of every kind, as they are in its log."""
        return sample_log(run)

    def expected(self, log: Sequence[Entry]) -> Expected:
        """What a log comes to at this place."""
        keeps = None if self.keeps is None else {Started, *self.keeps}
        return expected_of(log, number=self.number, keeps=keeps)

    def the_run(self, reader: Reader, uid: str) -> RunRecord:
        """The one run of this uid that there is."""
        condition = Condition(kind="attribute", name="uid", operator="=", value=uid)
        found = [run for run in reader.runs([condition]) if run.uid == uid]
        check_same(f"there is one run of the uid {uid!r}", 1, len(found))
        return found[0]

    def _is_read(self, reader: Reader, log: Sequence[Entry]) -> None:
        """See that a run reads as its log says, in every way in which it can be read."""
        start, expected = log[0], self.expected(log)
        assert isinstance(start, Started)
        run = self.the_run(reader, start.uid)
        check_record(run, expected, reader)
        check_same(
            "the contents are what it has",
            plain_contents(expected.contents),
            plain_contents(reader.contents(run)),
        )
        check_same("the histories are exact", _plain(expected), _read(reader.histories([run])))
        check_entries(list(reader.entries(run)), expected)

    def test_it_is_a_reader(self) -> None:
        """It has what is called when runs are read."""
        assert isinstance(self.make(), Reader), "it has the attributes and methods of `Reader`"

    def test_its_target_can_be_shown(self) -> None:
        """Its `target` is a whole one, the same every time, without a secret."""
        first, second = self.make().target, self.make().target

        assert re.match(r"[A-Za-z][\w+.\-]*:.", first), (
            f"{first!r} is a scheme, a colon and an address"
        )
        check_same("`target` is the same for the same place", first, second)
        check_same("`target` shows no secret", masked(first), first)

    def test_a_place_without_runs_is_read(self) -> None:
        """There are none, and no histories of none."""
        reader = self.make()

        check_same("there is no run", [], [run.uid for run in reader.runs()])
        check_same("no runs have no histories", {}, _read(reader.histories([])))

    def test_a_place_that_is_not_there_is_told(self) -> None:
        """It is no place without runs: who has mistyped its address is told so, by an error of the package's kind."""
        with pytest.raises(TrackingError):
            list(self.missing().runs())

    def test_a_whole_run_is_read(self, log: list[Entry], directory: Path) -> None:
        """Everything that is written of a run is read, exact."""
        self.write(log, directory)

        self._is_read(self.make(), log)

    def test_a_run_that_has_only_begun_is_read(self, run: Started, directory: Path) -> None:
        """There is a run as soon as it has its first entry, and nothing is made up."""
        self.write([run], directory)

        self._is_read(self.make(), [run])

    def test_a_run_without_an_end_is_read(self, log: list[Entry], directory: Path) -> None:
        """Of a run that is being written, what is there by now is read; it has no end."""
        self.write(log[:6], directory)

        self._is_read(self.make(), log[:6])

    def test_every_run_is_found_once(self, log: list[Entry], directory: Path, run: Started) -> None:
        """Runs of one name are as many as their uids; names, experiments and groups are their own."""
        starts = [
            evolve(run, uid=f"{run.uid}-{number}", experiment=experiment, group=group)
            for number, (experiment, group) in enumerate([("a", None), ("a", "g"), ("b", "g")])
        ]
        for start in starts:
            self.write([start, *log[1:]], directory)
        reader = self.make()
        found = list(reader.runs())

        expected = sorted((start.uid, start.experiment, start.group) for start in starts)
        check_same(
            "there are those runs that were written",
            expected,
            sorted((one.uid, one.experiment, one.group) for one in found),
        )
        check_same("no two have one identity", 3, len({one.identity for one in found}))
        for start in starts:
            self._is_read(reader, [start, *log[1:]])

    def test_every_reader_reads_the_same(self, log: list[Entry], directory: Path) -> None:
        """What a run is called at its place stays, and so does everything else."""
        self.write(log, directory)
        [first], [second] = self.make().runs(), self.make().runs()

        assert first == second, f"they are the same:\n{first}\n{second}"

    def test_a_run_that_goes_on_is_one_run(
        self, log: list[Entry], directory: Path, run: Started
    ) -> None:
        """What an attempt has left that was abandoned is not read; the run has the end that came last."""
        later = run.wall_time + 60
        whole = [
            *log,
            evolve(run, wall_time=later, attempt=1),
            Rewound(wall_time=later + 0.002, began=later, step=4),
            Scalars(wall_time=later + 0.004, step=4, values={"loss": 0.125}),
            Scalars(wall_time=later + 0.006, step=5, values={"loss": 0.0625, "late": 1.0}),
            Ended(wall_time=later + 0.008, status="FINISHED"),
        ]
        # What else was recorded at those steps is cut out of a directory, and stays where it was sent to.
        whole = [one for one in whole if getattr(one, "step", 0) != 5 or isinstance(one, Scalars)]
        self.write(whole[:-1], directory)
        running = self.make()
        self._is_read(running, whole[:-1])
        self.write(whole, directory)

        self._is_read(self.make(), whole)

    def test_what_is_written_later_is_read_later(self, log: list[Entry], directory: Path) -> None:
        """A reader shows no state of the past: what is new is in the next answer."""
        reader = self.make()
        for end in (1, 5, len(log) - 1, len(log)):
            self.write(log[:end], directory)
            self._is_read(reader, log[:end])

    def test_a_history_is_in_order(self, directory: Path, run: Started) -> None:
        """Points are by step, then by time, then by value, in columns; the same point is there once."""
        points = [(5, 1.0), (-3, 1e-320), (5, 0.5), (2**63 - 1, 3.0), (5, 0.5), (-(2**63), nan)]
        points += [(7, nan), (7, 0.1), (0, 1e300)]
        ticks = [0, 1, 2, 2, 2, 5, 6, 6, 7]
        scalars: list[Entry] = [
            # Not of whole milliseconds: what has cut them off has other times than what has rounded.
            Scalars(
                wall_time=run.wall_time + tick / 1000 + 0.0016, step=step, values={"loss": value}
            )
            for tick, (step, value) in zip(ticks, points, strict=True)
        ]
        self.write([run, *scalars], directory)
        reader = self.make()
        [(_, _, history)] = reader.histories([self.the_run(reader, run.uid)])
        places = [(step, time) for step, time, _ in history]

        assert isinstance(history, Points), "a history is `Points`"
        columns = (history.steps, history.times, history.values)
        check_same("its columns are arrays", ["q", "q", "d"], [_typecode(one) for one in columns])
        assert all(one <= other for one, other in pairwise(places)), f"{places} are in order"
        self._is_read(reader, [run, *scalars])

    def test_histories_are_those_that_are_asked_for(
        self, log: list[Entry], directory: Path, run: Started
    ) -> None:
        """Of the runs and the metrics that are named, each that there is, once; nothing of any other."""
        logs: list[list[Entry]] = [
            [evolve(run, uid=f"{run.uid}-{number}"), *log[1:]] for number in range(3)
        ]
        alone = Scalars(wall_time=run.wall_time + 0.5, step=1, values={"alone": 1.0})
        logs[1].insert(-1, alone)
        for one in logs:
            self.write(one, directory)
        reader = self.make()
        runs = sorted(reader.runs(), key=lambda one: one.uid)

        for which, names in (
            (runs, None),
            (runs[:2], None),
            (runs, ["loss"]),
            (runs[1:], ("alone", "val/acc")),
            (runs, {"alone", "unknown"}),
            (runs[:1], ["alone"]),
            (runs, []),
        ):
            wanted = {
                (record.uid, name): history
                for record, entries in zip(runs, logs, strict=True)
                for name, history in _plain(self.expected(entries)).items()
                if record in which and (names is None or name in names)
            }
            found = list(reader.histories(which, names))
            check_same(
                f"of {len(which)} runs and the metrics {names}, these are there",
                sorted(wanted),
                sorted((record.uid, name) for record, name, _ in found),
            )
            for record, name, history in found:
                assert any(record is given for given in which), "the run is the one that was given"
                check_same("the history is exact", wanted[record.uid, name], list(history))

    def test_an_order_of_questions_is_free(
        self, log: list[Entry], directory: Path, run: Started
    ) -> None:
        """One answer need not be read to its end before something else is asked."""
        logs: list[list[Entry]] = [
            [evolve(run, uid=f"{run.uid}-{number}"), *log[1:]] for number in range(3)
        ]
        for one in logs:
            self.write(one, directory)
        reader = self.make()
        asked = 0
        for record in reader.runs():
            asked += 1
            of_record = next(one for one in logs if getattr(one[0], "uid", "") == record.uid)
            first, *_ = reader.entries(record)
            assert isinstance(first, Started), "the first entry is `Started`"
            for _, name, points in reader.histories([record]):
                expected = _plain(self.expected(of_record))[name]
                check_same("the history is the run's own", expected, list(points))
        check_same("every run is there", len(logs), asked)

    def test_conditions_leave_out_only_what_does_not_meet_them(self, directory: Path) -> None:
        """A condition is a help: every run that meets it is there, and is what it is without the condition."""
        logs = searched_logs()
        for log in logs:
            self.write(log, directory)
        reader = self.make()
        whole = {run.name: run for run in reader.runs()}
        check_same("all are there without a condition", list("abcd"), sorted(whole))
        keeps = self.expected(logs[0])
        questions = [
            one
            for one in asked(logs)
            if {"param": keeps.params, "tag": keeps.tags, "metric": keeps.points}.get(
                one.condition.kind, True
            )
        ]

        for first, second in pairwise([*questions, questions[0]]):
            for conditions, names in (
                ([first.condition], set(first.names)),
                ([first.condition, second.condition], set(first.names) & set(second.names)),
            ):
                found = [run.name for run in reader.runs(conditions)]
                check_same(f"each is there once: {conditions}", sorted(set(found)), sorted(found))
                left_out = sorted(names - set(found))
                check_same(f"all that meet the conditions are there: {conditions}", [], left_out)
        for log in logs:
            self._is_read(reader, log)

    def test_an_artifact_is_brought(
        self, log: list[Entry], directory: Path, tmp_path: Path
    ) -> None:
        """A download is the file that the run has kept, byte by byte."""
        self.write(log, directory)
        reader = self.make()
        [run] = reader.runs()
        paths = self.expected(log).contents.artifacts

        for number, path in enumerate(paths):
            file = tmp_path / f"brought-{number}"
            reader.download(run, path, file)
            kept = (directory / "artifacts" / path).read_bytes()
            check_same(f"the artifact {path!r} is what was kept", kept, file.read_bytes())

    @pytest.mark.parametrize(
        "path",
        ["unknown", "model", "model.bin/", "tables", "", ".", "../params.json", "/etc/hostname"],
    )
    def test_an_artifact_that_is_none_is_told(
        self, log: list[Entry], directory: Path, tmp_path: Path, path: str
    ) -> None:
        """What the run has not kept as an artifact is not brought, wherever it leads, and no file is left."""
        self.write(log, directory)
        reader = self.make()
        [run] = reader.runs()

        with pytest.raises(UnknownArtifact):
            reader.download(run, path, tmp_path / "brought")

        assert not (tmp_path / "brought").exists(), "no file is left"

    def test_reading_changes_nothing(self, log: list[Entry], directory: Path) -> None:
        """The place is the same before it was read and afterwards."""
        self.write(log[:-1], directory)
        before = self.everything()
        reader = self.make()
        self._is_read(reader, log[:-1])
        reader.close()

        assert before == self.everything(), "everything in the place is as it was"

    def test_a_reader_goes_on_after_it_was_closed(self, log: list[Entry], directory: Path) -> None:
        """To close lets go of connections, also twice or before the first; what is asked then makes them again."""
        self.write(log, directory)
        reader = self.make()
        reader.close()
        [run] = reader.runs()
        reader.close()
        reader.close()

        check_same(
            "a record can be asked still",
            _plain(self.expected(log)),
            _read(run.reader.histories([run])),
        )
        reader.close()
        self._is_read(reader, log)

    @given(
        points=st.lists(
            st.tuples(STEPS, st.dictionaries(NAMES, st.floats(), min_size=1, max_size=3)),
            max_size=4,
        )
    )
    @ANYTHING
    def test_metrics_of_any_name_and_value_are_read(
        self, directory: Path, run: Started, points: list[tuple[int, dict[str, float]]]
    ) -> None:
        """Names of any characters stay different names; values are exact doubles, steps 64-bit integers."""
        entries: list[Entry] = [
            Scalars(wall_time=run.wall_time + 0.0015 * tick, step=step, values=values)
            for tick, (step, values) in enumerate(points)
        ]
        log = [evolve(run, uid=uuid4().hex), *entries]
        self.write(log, directory)

        self._is_read(self.make(), log)

    @given(
        params=st.dictionaries(NAMES, VALUES, max_size=3),
        tags=st.dictionaries(NAMES, st.text(CHARACTERS, max_size=50), max_size=3),
    )
    @ANYTHING
    def test_parameters_and_tags_of_any_name_and_value_are_read(
        self, directory: Path, run: Started, params: dict[str, Any], tags: dict[str, str]
    ) -> None:
        """Parameters keep their types and nesting; tags are texts by name, both of any characters."""
        log: list[Entry] = [
            evolve(run, uid=uuid4().hex),
            Params(wall_time=run.wall_time + 0.001, values=params),
            Tags(wall_time=run.wall_time + 0.001, values=tags),
        ]
        self.write(log, directory)

        self._is_read(self.make(), log)

    @given(names=st.tuples(NAMES, NAMES, NAMES, st.none() | NAMES))
    @ANYTHING
    def test_a_run_of_any_name_is_read(
        self, directory: Path, run: Started, names: tuple[str, str, str, str | None]
    ) -> None:
        """A uid may be any text, and so may the names of a run, its experiment and its group."""
        uid, name, experiment, group = names
        # Of examples that share a place, each has its own.
        uid = f"{uid}{uuid4().hex}{uid}"
        log = [evolve(run, uid=uid, name=name, experiment=experiment, group=group)]
        self.write(log, directory)

        self._is_read(self.make(), log)


def _typecode(column: object) -> str:
    return column.typecode if isinstance(column, array) else type(column).__name__


def _plain(expected: Expected) -> dict[str, object]:
    return {name: list(points) for name, points in expected.points.items()}


def _read(histories: Iterable[tuple[RunRecord, str, Points]]) -> dict[str, object]:
    """Histories of one run by name, each of which is to be there once."""
    found: dict[str, object] = {}
    for _, name, points in histories:
        assert name not in found, f"the metric {name!r} is there twice"
        found[name] = list(points)
    return found
