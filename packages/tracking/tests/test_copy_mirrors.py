"""Runs copied to where a mirror brings them, and back: the place is a stand-in, installed as another package's."""

import os
import pickle
import sys
from pathlib import Path

import pytest
from attrs import evolve

from treadle_tracking import open_runs, start_run
from treadle_tracking.copying import Copied, CopyIncomplete, copy_runs
from treadle_tracking.errors import TrackingError
from treadle_tracking.mirrors.errors import ServerUnreachable

BACKEND = '''
"""Runs as pickled entries, a folder each; what is sent again changes nothing."""

import pickle
import shutil
from pathlib import Path

from attrs import evolve

from treadle_tracking.clock import milliseconds
from treadle_tracking.entries import Artifact, Rewound, Scalars, Started
from treadle_tracking.mirrors.errors import ServerUnreachable
from treadle_tracking.reading.points import Points
from treadle_tracking.reading.record import RunRecord
from treadle_tracking.reading.summary import Summary

SENT = []  # numbers of entries, batch by batch
FAILING = {}  # by the name of a run: which batches of it fail, or all
FILES = []  # how many were there to be taken


def normalized(address):
    return str(Path(address).absolute())


def mirror(address):
    return Shelf(Path(address))


def reader(address):
    if Path(address, "down").exists():
        raise ServerUnreachable(f"shelf:{address}", "it is down")
    return ShelfReader(Path(address))


class Shelf:
    def __init__(self, path):
        self.uri = f"shelf:{path}"
        self.path = path
        self.identity = None
        self.batch = 0

    def open(self, started, directory):
        if (self.path / "down").exists():
            raise ServerUnreachable(self.uri, "it is down")
        self.directory = directory
        self.folder = self.path / f"run-{started.uid}"
        (self.folder / "files").mkdir(parents=True, exist_ok=True)
        self.identity = self.folder.name
        self.name = started.name

    def replace(self, started, directory):
        shutil.rmtree(self.path / f"run-{started.uid}")
        self.open(started, directory)

    def lacking(self, started, identity):
        return [path.name for path in (self.path / identity).glob("*.toobig")]

    def send(self, entries):
        self.batch += 1
        failing = FAILING.get(self.name, ())
        if failing == "always" or self.batch in failing:
            if failing != "always":
                failing.remove(self.batch)
            raise RuntimeError("the shelf fell down")
        SENT.append(len(entries))
        for entry in entries:
            if isinstance(entry, Artifact):
                self.keep(self.directory / "artifacts" / entry.path, entry)
        FILES.append(sum(path.is_file() for path in self.directory.rglob("artifacts/**/*")))
        known = read(self.folder)
        seen = set(map(repr, known))
        known += [entry for entry in entries if repr(entry) not in seen]
        (self.folder / "log").write_bytes(pickle.dumps(known))

    def keep(self, file, entry):
        if entry.path.endswith(".toobig"):
            (self.folder / entry.path).touch()
        elif file.is_file():
            kept = self.folder / "files" / entry.path
            kept.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, kept)

    def close(self):
        pass


def read(folder):
    log = folder / "log"
    return pickle.loads(log.read_bytes()) if log.exists() else []


class ShelfReader:
    def __init__(self, path):
        self.target = f"shelf:{path}"
        self.path = path
        self.is_closed = False

    def runs(self, conditions=()):
        for folder in sorted(self.path.glob("run-*")):
            summary = Summary()
            entries = self.kept(folder)
            for entry in entries:
                summary.add(entry)
            if summary.started is not None:
                yield self.record(folder, summary)

    def kept(self, folder):
        """Entries, without what was taken back."""
        kept = []
        for entry in read(folder):
            if isinstance(entry, Rewound):
                kept = [one for one in kept if not self.is_cut(one, entry)]
            else:
                kept.append(entry)
        return kept

    def is_cut(self, entry, rewound):
        if not isinstance(entry, Scalars) or entry.wall_time >= rewound.began:
            return False
        return entry.step >= rewound.step if rewound.after is None else entry.wall_time > rewound.after

    def record(self, folder, summary):
        started, ended = summary.started, summary.ended
        contents = summary.contents
        artifacts = [path for path in contents.artifacts if (folder / "files" / path).exists()]
        return RunRecord(
            target=self.target,
            identity=folder.name,
            uid=started.uid,
            experiment=started.experiment,
            name=started.name,
            group=started.group,
            status="RUNNING" if ended is None else ended.status,
            started=milliseconds(started.wall_time) / 1000,
            ended=None if ended is None else milliseconds(ended.wall_time) / 1000,
            params=summary.params,
            tags=summary.tags,
            metrics={name: latest.value for name, latest in summary.metrics.items()},
            known_contents=evolve(contents, artifacts=tuple(artifacts)),
            reader=self,
        )

    def histories(self, runs, names=None):
        for run in runs:
            points = {}
            for entry in self.kept(self.path / run.identity):
                if isinstance(entry, Scalars):
                    for name, value in entry.values.items():
                        point = entry.step, milliseconds(entry.wall_time), value
                        points.setdefault(name, []).append(point)
            for name, found in points.items():
                if names is None or name in names:
                    yield run, name, Points.of(found)

    def contents(self, run):
        return run.known_contents

    def entries(self, run):
        entries = self.kept(self.path / run.identity)
        ends = [entry for entry in entries if type(entry).__name__ == "Ended"]
        yield from (entry for entry in entries if type(entry).__name__ != "Ended")
        yield from ends[-1:]

    def download(self, run, path, file):
        shutil.copyfile(self.path / run.identity / "files" / path, file)

    def close(self):
        self.is_closed = True
'''
_READ = ("uid", "experiment", "name", "group", "started", "ended", "tags", "metrics")


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    """The module of a place that another package brings."""
    folder = tmp_path / "site"
    metadata = folder / "shelf-1.0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: shelf\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(
        "[treadle_tracking.backends]\nshelf = shelf_backend\nwall = wall_backend\n"
    )
    (folder / "shelf_backend.py").write_text(BACKEND)
    (folder / "wall_backend.py").write_text(
        BACKEND.replace("shelf:", "wall:").replace("def reader", "def unread")
    )
    monkeypatch.syspath_prepend(folder)
    for module in ("shelf_backend", "wall_backend"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("treadle_tracking.copying.mirrored.FIRST_PAUSE", 0.0)
    import shelf_backend

    return shelf_backend


def recorded(target="tensorboard:runs", **given):
    Path("weights.bin").write_bytes(b"weights")
    run = start_run(
        target,
        **({"experiment": "e", "name": "a", "params": {"lr": 0.1}, "tags": {"x": "1"}} | given),
    )
    for step in range(310):
        run.log({"loss": 1 / (step + 1)}, step=step)
    run.text("note", "hello", step=1)
    run.artifact("weights.bin", "model/weights.bin")
    return run


def read(run):
    shown = {name: getattr(run, name) for name in _READ} | {"params": repr(run.params)}
    points = {name: list(points) for _, name, points in run.reader.histories([run])}
    return shown | {"points": points, "artifacts": run.artifacts, "texts": run.texts}


def names(folder):
    return sorted(path.name for path in Path(folder).iterdir())


def listing(folder):
    return [(path, path.lstat().st_mtime_ns) for path in sorted(folder.rglob("*"))]


def test_a_run_goes_there_and_back(shelf):
    """What a mirror was sent of a run is the run, and so is the directory that is made of that; nothing is doubled."""
    recorded().close()

    there = copy_runs("tensorboard:runs", "shelf:s")
    back = copy_runs("shelf:s", "tensorboard:back")
    again = [
        one.outcome
        for source, target in [
            ("tensorboard:runs", "shelf:s"),
            ("shelf:s", "tensorboard:back"),
            ("tensorboard:back", "shelf:s"),
            ("shelf:s", "tensorboard:runs"),
            ("tensorboard:runs", "tensorboard:back"),
        ]
        for one in copy_runs(source, target)
    ]

    [run] = open_runs("tensorboard:runs")
    assert [
        Copied(uid=run.uid, name="a", experiment="e", outcome="copied", identity=f"run-{run.uid}")
    ] == there
    assert ["copied"] == [one.outcome for one in back]
    assert ["there"] * 5 == again
    assert read(run) == read(open_runs("shelf:s")[0]) == read(open_runs("tensorboard:back")[0])
    assert b"weights" == Path("back/e/a/artifacts/model/weights.bin").read_bytes()


def test_the_source_is_not_touched(shelf):
    """Nothing is noted in a directory that is copied, and nothing changed: not a time."""
    with recorded() as run:
        pass
    before = listing(run.directory)

    copy_runs("tensorboard:runs", "shelf:s")

    assert before == listing(run.directory)


def test_entries_go_in_batches_with_one_file_each(shelf, tmp_path, monkeypatch):
    """However long a run is, a batch is a few hundred entries, no two files are fetched at once, and none is left."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    Path("temporary").mkdir()
    with recorded() as run:
        for number in range(3):
            run.json(f"{number}", {})
        run.log({"loss": 0.0}, step=1000)
    copy_runs("tensorboard:runs", "shelf:s")
    shelf.SENT.clear()
    shelf.FILES.clear()

    copy_runs("shelf:s", "shelf:t")

    assert [300, 1] == [max(shelf.SENT), max(shelf.FILES)]
    assert 1 == shelf.SENT[-1]
    assert [] == names("temporary")
    assert 4 == len(open_runs("shelf:t")[0].artifacts)


def test_a_batch_that_fails_is_sent_again(shelf):
    """What fails in the middle is tried again from the beginning, and is there once."""
    with recorded() as run:
        pass
    shelf.FAILING["a"] = [2, 3]

    [copied] = copy_runs("tensorboard:runs", "shelf:s")

    [there] = open_runs("shelf:s")
    assert ("copied", ()) == (copied.outcome, copied.problems)
    assert read(open_runs("tensorboard:runs")[run.uid]) == read(there)


def test_a_run_that_is_not_taken_is_named_and_finished_later(shelf):
    """The others are copied; what of it has arrived is completed by the next copy."""
    for name in "abc":
        recorded(name=name, uid=f"u{name}").close()
    send, failing = shelf.Shelf.send, []

    def half(self, entries):
        if self.name == "b" and self.batch >= 2:
            failing.append(self.batch)
            raise RuntimeError("the shelf fell down")
        send(self, entries)

    shelf.Shelf.send = half
    with pytest.raises(CopyIncomplete) as caught:
        copy_runs("tensorboard:runs", "shelf:s")
    shelf.Shelf.send = send
    [halved] = [run for run in open_runs("shelf:s") if run.name == "b"]
    again = copy_runs("tensorboard:runs", "shelf:s")

    assert {"ub": "RuntimeError: the shelf fell down"} == caught.value.failures
    assert [("a", "copied"), ("c", "copied")] == [
        (one.name, one.outcome) for one in caught.value.copied
    ]
    assert ("RUNNING", 3) == (halved.status, len(failing))
    assert ["there", "completed", "there"] == [one.outcome for one in again]
    assert list(map(read, open_runs("tensorboard:runs"))) == list(map(read, open_runs("shelf:s")))


def test_a_place_that_is_down_fails_at_once(shelf):
    """Nothing is tried run by run where no run can be taken."""
    for name in "abc":
        recorded(name=name).close()
    Path("s").mkdir()
    Path("s/down").touch()
    with pytest.raises(ServerUnreachable) as caught:
        copy_runs("tensorboard:runs", "shelf:s")

    assert type(caught.value) is ServerUnreachable
    assert ["down"] == names("s")


def test_a_place_that_goes_down_is_not_asked_for_each_run(shelf):
    """The first run that finds it down is the last that is tried, and how many were not is said."""
    for name in "abcd":
        recorded(name=name, uid=f"u{name}").close()
    Path("s").mkdir()

    def progress(done, of):
        if done == 2:
            Path("s/down").touch()

    with pytest.raises(CopyIncomplete) as caught:
        copy_runs("tensorboard:runs", "shelf:s", progress=progress)

    assert ["uc"] == list(caught.value.failures)
    assert 2 == len(caught.value.copied)
    assert str(caught.value).startswith(f"2 runs did not reach shelf:{Path.cwd()}/s, and 2 did; ")
    assert str(caught.value).endswith("\n  1 run more, which was not tried")


def test_what_a_place_does_not_take_is_named_every_time(shelf):
    """It is no reason to send everything again."""
    with recorded() as run:
        Path("x.toobig").touch()
        run.artifact("x.toobig")

    copies = [copy_runs("tensorboard:runs", "shelf:s")[0] for _ in range(2)]

    assert [
        ("copied", (f"'x.toobig' was not taken by shelf:{Path.cwd()}/s",)),
        ("there", ("'x.toobig' was not taken",)),
    ] == [(one.outcome, one.problems) for one in copies]


def test_a_link_out_of_the_run_is_not_followed(shelf):
    """A file that somebody has put a link in the place of stays where it is, and is named."""
    with recorded() as run:
        pass
    file = run.directory / "artifacts/model/weights.bin"
    Path("secret").write_bytes(b"secret")
    file.unlink()
    file.symlink_to(Path("secret").absolute())

    [copied] = copy_runs("tensorboard:runs", "shelf:s")

    [there] = open_runs("shelf:s")
    assert () == there.artifacts
    assert (
        "the artifact 'model/weights.bin' of the run 'a' cannot be read: a link leads from it out of the run",
    ) == copied.problems


def test_an_attempt_that_was_taken_back_is_taken_back_there(shelf):
    """A directory says so itself; where it is read elsewhere, the run is made anew."""
    recorded(uid="u").close()
    copy_runs("tensorboard:runs", "shelf:s")
    copy_runs("shelf:s", "shelf:t")
    with start_run("tensorboard:runs", experiment="e", uid="u", resume="must") as run:
        run.rewind(100)
        run.log({"loss": 9.0}, step=100)

    first = copy_runs("tensorboard:runs", "shelf:s")
    second = copy_runs("shelf:s", "shelf:t")

    [run] = open_runs("tensorboard:runs")
    assert ["completed", "completed"] == [one.outcome for one in (*first, *second)]
    assert list(run.points("loss")) == list(open_runs("shelf:s")[0].points("loss"))
    assert list(run.points("loss")) == list(open_runs("shelf:t")[0].points("loss"))
    assert 101 == len(run.points("loss"))


def test_a_tag_that_is_another_there_is_left_and_said(shelf):
    """Nobody knows which of two values of one age is right; a newer one goes over an older one."""
    with recorded(uid="u") as run:
        run.tag({"y": "1"})
    copy_runs("tensorboard:runs", "shelf:s")
    log = Path("s/run-u/log")
    entries = pickle.loads(log.read_bytes())
    retagged = [
        evolve(entry, values={"x": "2"}) if getattr(entry, "values", {}) == {"x": "1"} else entry
        for entry in entries
    ]
    log.write_bytes(pickle.dumps(retagged))
    [first] = copy_runs("tensorboard:runs", "shelf:s")
    Path("s/run-u/files/model/weights.bin").unlink()
    [second] = copy_runs("tensorboard:runs", "shelf:s")
    [meanwhile] = open_runs("shelf:s")
    with start_run("tensorboard:runs", experiment="e", uid="u", resume="must") as run:
        run.log({"loss": 0.0}, step=1000)
    [third] = copy_runs("tensorboard:runs", "shelf:s")

    problem = "the tag 'x' has another value there"
    assert ("there", (problem,)) == (first.outcome, first.problems)
    assert ("completed", (problem,)) == (second.outcome, second.problems)
    assert ({"x": "2", "y": "1"}, ("model/weights.bin",)) == (meanwhile.tags, meanwhile.artifacts)
    assert ("completed", ()) == (third.outcome, third.problems)
    assert {"x": "1", "y": "1"} == open_runs("shelf:s")[0].tags


def test_a_run_without_an_end_goes_on_there(shelf):
    """A mirror has no word for a run that nobody ended: it is said."""
    run = recorded()
    end = sum(path.stat().st_size for path in run.directory.glob("events*"))
    run.close()
    [file] = run.directory.glob("events*")
    os.truncate(file, end)

    copies = [copy_runs("tensorboard:runs", "shelf:s")[0] for _ in range(2)]

    where = f"shelf:{Path.cwd()}/s"
    assert [
        ("copied", (f"its end is not recorded, so it is RUNNING at {where}",)),
        ("there", ()),
    ] == [(one.outcome, one.problems) for one in copies]


def test_a_place_that_cannot_be_read_is_sent_everything(shelf):
    """Nobody knows what is there, so that it is sent again, which changes nothing."""
    recorded(uid="u").close()

    copies = [copy_runs("tensorboard:runs", "wall:w")[0].outcome for _ in range(2)]

    with Path("w/run-u/log").open("rb") as file:
        entries = pickle.load(file)
    assert ["copied", "copied"] == copies
    assert 310 == sum(type(entry).__name__ == "Scalars" for entry in entries)
    with pytest.raises(TrackingError):
        copy_runs("wall:w", "tensorboard:back")


def test_many_runs(shelf):
    """Fifty runs are copied, and a second time all of them are there."""
    for number in range(50):
        with start_run("tensorboard:runs", experiment=f"e{number % 3}", name="x") as run:
            run.log({"loss": number}, step=1)

    copies = [[one.outcome for one in copy_runs("tensorboard:runs", "shelf:s")] for _ in range(2)]

    assert [["copied"] * 50, ["there"] * 50] == copies
    assert sorted(run.metrics["loss"] for run in open_runs("shelf:s")) == list(range(50))
