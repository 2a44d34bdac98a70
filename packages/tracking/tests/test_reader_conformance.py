"""The suite for readers, run by the reader in the guide, by that of directories, by MLflow's, and by some that are wrong."""

import inspect
import json
import re
import shutil
from array import array
from base64 import b64decode, b64encode
from contextlib import closing
from hashlib import sha256
from math import copysign, inf, isnan, nan
from pathlib import Path
from sqlite3 import connect
from uuid import uuid4

import pytest
from attrs import asdict, evolve

from treadle_tracking import entries
from treadle_tracking.attempts import cut
from treadle_tracking.backends import mirror, reader
from treadle_tracking.clock import milliseconds
from treadle_tracking.entries import Rewound, Started
from treadle_tracking.errors import TrackingError
from treadle_tracking.log import LogWriter, attempt_path
from treadle_tracking.params import flatten, joined
from treadle_tracking.reading import Contents, Points, RunRecord, UnknownArtifact
from treadle_tracking.reading.directories import DirectoryReader
from treadle_tracking.testing import ReaderConformance

GUIDE = Path(__file__).parents[3] / "docs" / "backends.md"


class TestDirectories(ReaderConformance):
    """Run directories, each written entry by entry."""

    @pytest.fixture(autouse=True)
    def place(self, tmp_path):
        self.root = tmp_path / "root"
        self.root.mkdir()
        self.written = {}

    def make(self):
        return DirectoryReader(self.root)

    def missing(self):
        return DirectoryReader(self.root / "missing")

    def everything(self):
        return {str(path): path.read_bytes() for path in self.root.rglob("*") if not path.is_dir()}

    def write(self, log, directory):
        uid = log[0].uid
        place = self.root / sha256(uid.encode()).hexdigest()
        if not place.exists():
            shutil.copytree(directory, place)
        attempt, begun = self.written.get(uid, (0, 0))
        for entry in log[begun:]:
            if isinstance(entry, Started):
                attempt = entry.attempt
                if attempt:
                    cut(place, attempt)
            if isinstance(entry, Rewound):
                cut(place, attempt, step=entry.step)
            path = attempt_path(place, attempt)
            writer = LogWriter(path, again=path.exists())
            writer.append(entry)
            writer.close()
        self.written[uid] = (attempt, len(log))


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """A database that MLflow has made, which takes seconds, with an experiment and nothing in it."""
    for module in ("mlflow", "sqlalchemy", "alembic"):
        pytest.importorskip(module, reason="needs the extra treadle-tracking[mlflow]")
    folder = tmp_path_factory.mktemp("template")
    made = mirror(f"mlflow:sqlite:///{folder}/mlflow.db")
    made.open(Started(wall_time=1.0, uid="first", experiment="e", name="n"), folder)
    made.close()
    with closing(connect(folder / "mlflow.db")) as database, database:
        for table in ("tags", "params", "metrics", "latest_metrics", "runs"):
            database.execute(f"delete from {table}")
    return folder / "mlflow.db"


@pytest.mark.slow
class TestMLflowDatabase(ReaderConformance):
    """Our own reader of MLflow, on a database that our own mirror writes."""

    @pytest.fixture(autouse=True)
    def place(self, template, tmp_path):
        self.folder = tmp_path / "mlflow"
        self.folder.mkdir()
        shutil.copy(template, self.folder / "mlflow.db")

    def make(self):
        return reader(f"mlflow:sqlite:///{self.folder}/mlflow.db")

    def missing(self):
        return reader(f"mlflow:sqlite:///{self.folder}/missing.db")

    def everything(self):
        return {path: path.read_bytes() for path in self.folder.rglob("*") if path.is_file()}

    def number(self, value):
        """MLflow's databases have one zero, and the largest doubles for infinities."""
        return copysign(inf, value) if abs(value) == _LARGEST else value + 0.0

    def write(self, log, directory):
        made = mirror(f"mlflow:sqlite:///{self.folder}/mlflow.db")
        made.open(log[0], directory)
        made.send(log)
        made.close()


_LARGEST = 1.7976931348623157e308


def _of_guide():
    """The names that the guide defines before it tries them by hand."""
    names = {}
    if GUIDE.exists():
        blocks = re.findall(r"^```python\n(.*?)^```", GUIDE.read_text(), re.DOTALL | re.MULTILINE)
        for block in blocks[
            : next((at for at, one in enumerate(blocks, 1) if "class Test" in one), 0)
        ]:
            exec(block, names)
    return names


_GUIDE = _of_guide()

if "TestJsonLinesReader" in _GUIDE:

    class TestJsonLinesReader(_GUIDE["TestJsonLinesReader"]):
        """The reader of the guide."""


def _as_json(value):
    return {"bytes": b64encode(value).decode()}


def _from_json(fields):
    return b64decode(fields["bytes"]) if set(fields) == {"bytes"} else fields


class _Shelf:
    """Runs as JSON: a folder each, with its entries in one file, and beside it the files that it has kept."""

    def __init__(self, folder):
        self.folder = folder

    def write(self, log, directory):
        place = self.folder / sha256(log[0].uid.encode()).hexdigest()
        shutil.copytree(directory / "artifacts", place / "artifacts", dirs_exist_ok=True)
        lines = [[type(entry).__name__, asdict(entry)] for entry in log]
        (place / "entries.json").write_text(json.dumps(lines, default=_as_json))

    def places(self):
        return sorted(path.parent for path in self.folder.glob("*/entries.json"))

    def read(self, place):
        text = (place / "entries.json").read_text()
        found = [
            getattr(entries, kind)(**fields)
            for kind, fields in json.loads(text, object_hook=_from_json)
        ]
        return [
            evolve(entry, buckets=tuple(map(tuple, entry.buckets)))
            if isinstance(entry, entries.Histogram)
            else entry
            for entry in found
        ]


class _ShelfReader:
    """Reads a shelf, and does one thing wrong, or nothing."""

    def __init__(self, folder, wrong="nothing"):
        if not folder.is_dir() and wrong != "takes what is missing for empty":
            raise NoShelf(folder)
        self.target = f"shelf:{folder}"
        if wrong == "shows a secret":
            self.target = "shelf:https://me:pw@here"
        self._shelf = _Shelf(folder)
        self._wrong = wrong
        self._remembered = {}
        self._is_closed = False
        self._question = None

    def runs(self, conditions=()):
        names, question = set(), object()
        self._question = question
        for number, place in enumerate(self._shelf.places()):
            run = self._run(place, number)
            if run.name in names and self._wrong == "knows runs by their names":
                continue
            names.add(run.name)
            if all(self._may_meet(run, condition) for condition in conditions):
                yield run
            if self._wrong == "answers one question at a time" and self._question != question:
                return

    def _may_meet(self, run, condition):
        if condition.kind == "attribute" and condition.name == "uid" and condition.operator == "=":
            return run.uid == condition.value
        params = flatten(run.params)
        match self._wrong, condition.kind, condition.operator:
            case "leaves out what has no value", "param", _:
                return condition.name in params
            case "compares texts", "param", "=":
                return str(condition.value) == params.get(condition.name)
            case "compares the last value only", "metric", ">=":
                return run.metrics.get(condition.name, nan) >= condition.value
            case "takes any condition for all", "attribute", "!=":
                return run.name == "a"
        return True

    def _run(self, place, number):
        log = self._log(place)
        first = log[0]
        points = self._points(log)
        params, tags, ended = {}, {}, None
        for entry in log:
            match entry:
                case entries.Params():
                    params = joined(params, entry.values)
                case entries.Tags():
                    tags.update(entry.values)
                case entries.Ended():
                    ended = entry
                case entries.Started() if self._wrong != "keeps every end":
                    ended = None
        status = "FINISHED" if self._wrong == "ends what goes on" else "RUNNING"
        if self._wrong == "has texts for parameters":
            params = {name: str(value) for name, value in params.items()}
        return RunRecord(
            target=self.target,
            identity=str(number) + uuid4().hex
            if self._wrong == "calls a run anew each time"
            else place.name,
            uid=first.uid,
            experiment=first.experiment,
            name=first.name,
            group=None if self._wrong == "has no groups" else first.group,
            status=status if ended is None else ended.status,
            started=milliseconds(first.wall_time) / 1000,
            ended=None if ended is None else milliseconds(ended.wall_time) / 1000,
            params=params,
            tags=tags,
            metrics={name: history.last for name, history in points.items()},
            extremes=None
            if self._wrong != "takes NaN for the least"
            else {name: (min(all_.values), max(all_.values)) for name, all_ in points.items()},
            reader=self,
        )

    def _log(self, place):
        if self._is_closed and self._wrong == "is closed for good":
            raise ValueError("closed")
        if self._wrong == "notes what it has read":
            (place / "read.txt").touch()
        if self._wrong == "remembers" and place in self._remembered:
            return self._remembered[place]
        log = self._shelf.read(place)
        self._remembered[place] = log
        return log

    def _points(self, log):
        rows = {}
        for entry in log:
            if isinstance(entry, Rewound) and self._wrong != "keeps what was abandoned":
                for name, points in rows.items():
                    rows[name] = [point for point in points if point[0] < entry.step]
            if isinstance(entry, entries.Scalars):
                time = milliseconds(entry.wall_time)
                if self._wrong == "cuts milliseconds":
                    time = int(entry.wall_time * 1000)
                for name, value in entry.values.items():
                    kept = float(f"{value:.6g}") if self._wrong == "rounds" else value
                    key = name.lower() if self._wrong == "has one case" else name
                    rows.setdefault(key, []).append((entry.step, time, kept))
        made = self._made if self._wrong == "has points as they came" else Points.of
        return {name: made(points) for name, points in rows.items() if points}

    @staticmethod
    def _made(points):
        return Points(*map(array, "qqd", zip(*points, strict=True)))

    def histories(self, runs, names=None):
        self._question = object()
        for run in runs:
            if self._wrong == "gives all runs":
                run = next(iter(self.runs()))  # noqa: PLW2901
            points = self._points(self._log(self._shelf.folder / run.identity))
            if self._wrong == "makes up what is not there":
                points |= {name: Points.of(()) for name in names or () if name not in points}
            for name, history in points.items():
                if names is None or name in names or self._wrong == "gives all metrics":
                    yield run, name, history

    def contents(self, run):
        found = {kind: {} for kind in (*_KINDS.values(), entries.Function)}
        for entry in self._log(self._shelf.folder / run.identity):
            if type(entry) in found:
                name = entry.path if isinstance(entry, entries.Artifact) else entry.name
                found[type(entry)][name] = getattr(entry, "qualified_name", None)
        if self._wrong == "has no images":
            found[entries.Image] = {}
        return Contents(
            **{kind: tuple(found[type_]) for kind, type_ in _KINDS.items()},
            functions=found[entries.Function],
        )

    def entries(self, run):
        log = self._log(self._shelf.folder / run.identity)
        last = len(log) - 1
        kept = [entry for entry in log if not isinstance(entry, Rewound)]
        rows = {name: set(history) for name, history in self._points(log).items()}
        for at, entry in enumerate(log):
            if isinstance(entry, entries.Ended) and at < last and self._wrong != "keeps every end":
                kept.remove(entry)
            if isinstance(entry, entries.Scalars) and self._wrong != "copies what was abandoned":
                time = milliseconds(entry.wall_time)
                values = {
                    name: value
                    for name, value in entry.values.items()
                    if isnan(value) or (entry.step, time, value) in rows.get(name, ())
                }
                kept[kept.index(entry)] = evolve(entry, values=values)
        return iter(kept[::-1] if self._wrong == "begins at the end" else kept)

    def download(self, run, path, file):
        folder = self._shelf.folder / run.identity / "artifacts"
        if self._wrong == "leaves a file of what is not there":
            file.touch()
        if self._wrong == "brings any file" and (folder / path).is_file():
            shutil.copyfile(folder / path, file)
        elif path not in run.artifacts:
            raise UnknownArtifact(path, run.name, run.artifacts)
        else:
            data = (folder / path).read_bytes()
            file.write_bytes(data[:5] if self._wrong == "brings a part" else data)

    def close(self):
        self._is_closed = True


_KINDS = {
    "artifacts": entries.Artifact,
    "images": entries.Image,
    "texts": entries.Text,
    "histograms": entries.Histogram,
    "tables": entries.Table,
}


class NoShelf(TrackingError):
    """There is no such place."""


class _ShelfConformance(ReaderConformance):
    wrong = "nothing"

    @pytest.fixture(autouse=True)
    def place(self, tmp_path):
        self.folder = tmp_path / "shelf"
        self.folder.mkdir()

    def make(self):
        return _ShelfReader(self.folder, self.wrong)

    def missing(self):
        return _ShelfReader(self.folder / "missing", self.wrong)

    def everything(self):
        return {path: path.read_bytes() for path in self.folder.rglob("*") if path.is_file()}

    def write(self, log, directory):
        _Shelf(self.folder).write(log, directory)


class TestShelf(_ShelfConformance):
    """A third kind of place, which keeps everything as JSON."""


def _run_one(name, wrong, folder, **given):
    """Run one test of the suite on a shelf's reader that is wrong."""
    suite = _ShelfConformance()
    suite.wrong = wrong
    _plain(_ShelfConformance.place)(suite, folder)
    given |= {"tmp_path": folder, "run": _plain(ReaderConformance.run)(suite)}
    given["directory"] = _plain(ReaderConformance.directory)(suite, folder)
    given["log"] = _plain(ReaderConformance.log)(suite, given["run"])
    test = getattr(ReaderConformance, name)
    # One example is enough: to find a smaller one takes half a minute.
    test = test.hypothesis.inner_test if hasattr(test, "hypothesis") else test
    given["points"] = [(1, {"A": 1.0, "a": 2.0})]
    wanted = inspect.signature(test).parameters
    test(suite, **{key: value for key, value in given.items() if key in wanted})


def _plain(fixture):
    """The function that became a fixture."""
    return fixture._get_wrapped_function()


@pytest.mark.parametrize(
    ("wrong", "test", "claim"),
    [
        ("shows a secret", "its_target_can_be_shown", "`target` shows no secret"),
        ("takes what is missing for empty", "a_place_that_is_not_there_is_told", "DID NOT RAISE"),
        ("rounds", "a_whole_run_is_read", "its metrics are the last values|histories are exact"),
        ("has one case", "metrics_of_any_name_and_value_are_read", "metrics are the last"),
        ("has texts for parameters", "a_whole_run_is_read", "parameters are exact, typed"),
        ("has no images", "a_whole_run_is_read", "contents are what it has"),
        ("begins at the end", "a_whole_run_is_read", "the first entry is `Started`"),
        ("cuts milliseconds", "a_history_is_in_order", "the histories are exact"),
        ("ends what goes on", "a_run_without_an_end_is_read", "its status is 'FINISHED'"),
        ("knows runs by their names", "every_run_is_found_once", "those runs that were written"),
        ("has no groups", "every_run_is_found_once", "those runs that were written"),
        ("calls a run anew each time", "every_reader_reads_the_same", "they are the same"),
        ("keeps what was abandoned", "a_run_that_goes_on_is_one_run", "metrics are the last|exact"),
        ("copies what was abandoned", "a_run_that_goes_on_is_one_run", "the points are all there"),
        ("keeps every end", "a_run_that_goes_on_is_one_run", "it ended when it ended"),
        ("remembers", "what_is_written_later_is_read_later", "parameters are exact"),
        ("has points as they came", "a_history_is_in_order", "are in order"),
        ("takes NaN for the least", "a_history_is_in_order", "extremes are the least"),
        ("gives all metrics", "histories_are_those_that_are_asked_for", "these are there"),
        ("gives all runs", "histories_are_those_that_are_asked_for", "these are there"),
        ("makes up what is not there", "histories_are_those_that_are_asked_for", "these are there"),
        ("answers one question at a time", "an_order_of_questions_is_free", "every run is there"),
        (
            "leaves out what has no value",
            "conditions_leave_out_only_what_does_not_meet_them",
            "all that meet the conditions are there",
        ),
        (
            "compares texts",
            "conditions_leave_out_only_what_does_not_meet_them",
            "all that meet the conditions are there",
        ),
        (
            "compares the last value only",
            "conditions_leave_out_only_what_does_not_meet_them",
            "all that meet the conditions are there",
        ),
        (
            "takes any condition for all",
            "conditions_leave_out_only_what_does_not_meet_them",
            "all that meet the conditions are there",
        ),
        ("brings a part", "an_artifact_is_brought", "is what was kept"),
        ("brings any file", "an_artifact_that_is_none_is_told", "DID NOT RAISE"),
        ("leaves a file of what is not there", "an_artifact_that_is_none_is_told", "no file is"),
        ("notes what it has read", "reading_changes_nothing", "everything in the place is as it"),
        ("is closed for good", "a_reader_goes_on_after_it_was_closed", "closed"),
    ],
)
def test_a_reader_that_is_wrong_does_not_pass(tmp_path, wrong, test, claim):
    """Each thing that a reader can do wrong is found by a test that says which."""
    with pytest.raises((AssertionError, ValueError, pytest.fail.Exception), match=claim):
        _run_one(f"test_{test}", wrong, tmp_path, path="/etc/hostname")
