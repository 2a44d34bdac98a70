import json
import os
import shutil
import sqlite3
import time
from pathlib import Path
from zlib import crc32

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from treadle_tracking import open_runs, start_run
from treadle_tracking import places as places_module
from treadle_tracking.attempts import cut, next_attempt
from treadle_tracking.commands import main
from treadle_tracking.entries import Ended, Params, Rewound, Scalars, Started, Tags, Text
from treadle_tracking.log import LogWriter, attempt_path, attempt_paths
from treadle_tracking.protos import messages
from treadle_tracking.reading import listing, standing
from treadle_tracking.reading.index import FILE, Index
from treadle_tracking.reading.listing import Listing
from treadle_tracking.wire import framed


@pytest.fixture
def always(monkeypatch):
    """An index is written however little had to be read."""
    monkeypatch.setattr(listing, "_WORTH_KEEPING", -1)


@pytest.fixture
def later(monkeypatch):
    """It is ten seconds later than it is, so that no file was changed a moment ago."""
    clock = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: clock() + 10_000_000_000)


@pytest.fixture
def root(tmp_path):
    """Three runs."""
    for name in "abc":
        with start_run(f"tensorboard:{tmp_path}/runs", name=name, params={"lr": 0.1}) as run:
            run.log({"loss": 1.0, "nan": float("nan")}, step=1)
    return tmp_path / "runs"


def listed(root):
    """Everything that a listing says, but for how it was found out."""
    runs = open_runs(f"tensorboard:{root}")
    fields = (
        [
            field.name
            for field in attrs.fields(type(runs[0]))
            if field.name not in {"reader", "target"}
        ]
        if len(runs)
        else []
    )
    found = [[repr(getattr(run, name)) for name in fields] for run in runs]
    return found, sorted(map(str, runs._reader.unreadable))


def listed_without(root):
    """The same while there is no index; which is put back where it was."""
    index = root / FILE
    aside = root.parent / "aside"
    if index.exists():
        index.rename(aside)
    found = listed(root)
    index.unlink(missing_ok=True)
    if aside.exists():
        aside.rename(index)
    return found


def bytes_read(root):
    """How much had to be read for a listing, and verified."""
    total = []
    kept = standing._continue

    def counted(*arguments, **named):
        total.append(kept(*arguments, **named))
        return total[-1]

    standing._continue = counted
    try:
        listed(root)
    finally:
        standing._continue = kept
    return sum(total)


@pytest.mark.usefixtures("always", "later")
def test_what_is_indexed_is_not_read_again(root):
    """The second listing reads no byte of a log, and says the same."""
    first = listed(root)

    assert (root / FILE).exists()
    assert 0 == bytes_read(root)
    assert first == listed(root) == listed_without(root)


@pytest.mark.usefixtures("always", "later")
def test_of_a_log_that_has_grown_the_end_is_parsed(root, monkeypatch):
    """What is known of its beginning is verified by a checksum, and not made sense of again."""
    listed(root)
    path = attempt_path(root / "default" / "a")
    size = path.stat().st_size
    log = LogWriter(path, again=True)
    log.append(Scalars(wall_time=5.0, step=2, values={"loss": 0.5}))
    log.close()
    scans = []
    scan = standing.Scan
    monkeypatch.setattr(standing, "Scan", lambda *given: scans.append(given[1]) or scan(*given))
    grown = listed(root)

    assert [size] == scans
    assert grown == listed_without(root)


@pytest.mark.usefixtures("always")
def test_a_file_that_was_changed_a_moment_ago_is_looked_at(root):
    """It may have been changed again within the tick of a clock, so that its bytes are compared with their checksum."""
    listed(root)
    status = attempt_path(root / "default" / "a").stat()

    assert 3 * status.st_size <= bytes_read(root) + 300


def test_a_small_root_gets_no_index(root):
    """Where little had to be read, nothing is written."""
    listed(root)

    assert ["default"] == [path.name for path in root.iterdir()]


@pytest.mark.usefixtures("always")
def test_a_run_gets_no_index(root):
    """Asked for by itself, a run's directory stays as it was."""
    before = sorted((root / "default" / "a").iterdir())
    listed(root / "default" / "a")

    assert before == sorted((root / "default" / "a").iterdir())


@pytest.mark.usefixtures("always", "later")
def test_what_is_not_in_a_log_is_not_indexed(root):
    """Whether a process writes a run is looked for at every listing."""
    run = start_run(f"tensorboard:{root}", name="live")
    [alive] = [one for one in open_runs(f"tensorboard:{root}") if one.name == "live"]
    (run.directory / ".writer").rename(run.directory / ".was")
    [dead] = [one for one in open_runs(f"tensorboard:{root}") if one.name == "live"]
    (run.directory / ".was").rename(run.directory / ".writer")
    run.close()

    assert ("RUNNING", "UNFINISHED") == (alive.status, dead.status)


def garble(path):
    path.write_bytes(b"no database" * 1000)


def flip(path):
    data = bytearray(path.read_bytes())
    at = data.index(b'"lr":0.1')
    data[at + 5] = ord("7")
    path.write_bytes(data)


def cut_short(path):
    os.truncate(path, path.stat().st_size // 2)


def empty(path):
    path.write_bytes(b"")


def other_version(path):
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 999")
    connection.close()


def other_tables(path):
    with sqlite3.connect(path) as connection:
        connection.execute("ALTER TABLE logs RENAME TO others")
    connection.close()


def other_rows(path):
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE logs SET content = 7 WHERE path LIKE '%a'")
    connection.close()


def swapped_rows(path):
    with sqlite3.connect(path) as connection:
        rows = dict(connection.execute("SELECT path, content FROM logs").fetchall())
        for key, other in zip(rows, reversed(rows), strict=True):
            connection.execute("UPDATE logs SET content = ? WHERE path = ?", (rows[other], key))
    connection.close()


def killed(path):
    Path(f"{path}-journal").write_bytes(b"half a journal")


@pytest.mark.usefixtures("always", "later")
@pytest.mark.parametrize(
    "harm",
    [garble, flip, cut_short, empty, other_version, other_tables, other_rows, swapped_rows, killed],
)
def test_a_damaged_index_is_made_anew(root, harm):
    """Whatever is wrong with it, a listing says the same, and the next one has an index again."""
    before = listed(root)
    harm(root / FILE)

    assert before == listed(root)
    assert 0 == bytes_read(root)
    assert before == listed(root)


@pytest.mark.usefixtures("always", "later")
@pytest.mark.parametrize("what", ["directory", "pipe", "link"])
def test_what_is_no_file_is_left_alone(root, tmp_path, what):
    """In the place of an index, a directory, a pipe or a link stays what it is, and where it leads nothing is written."""
    index = root / FILE
    if what == "directory":
        index.mkdir()
    elif what == "pipe":
        os.mkfifo(index)
    else:
        index.symlink_to(tmp_path / "elsewhere")
    before = index.lstat().st_ino
    found, _ = listed(root)

    assert 3 == len(found)
    assert before == index.lstat().st_ino
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.usefixtures("always", "later")
def test_an_index_that_is_locked_is_done_without(root, monkeypatch):
    """Another process that writes it keeps nobody from listing."""
    monkeypatch.setattr("treadle_tracking.reading.index._PATIENCE", 0.0)
    before = listed(root)
    connection = sqlite3.connect(root / FILE, isolation_level=None)
    connection.execute("BEGIN EXCLUSIVE")
    meanwhile = listed(root)
    connection.execute("ROLLBACK")
    connection.close()

    assert before == meanwhile == listed(root)


@pytest.mark.usefixtures("always", "later")
def test_a_run_that_is_gone_leaves_the_index(root):
    """Its row goes when the index is written next."""
    listed(root)
    shutil.rmtree(root / "default" / "a")
    shutil.copytree(root / "default" / "b", root / "default" / "d")
    listed(root)

    assert ["default/b", "default/c", "default/d"] == sorted(Index(root).load())


@pytest.mark.usefixtures("always", "later")
def test_an_index_that_came_along_is_verified(root, tmp_path):
    """Of a copied directory all files are new ones, and their bytes those that are known."""
    before = listed(root)
    shutil.copytree(root, tmp_path / "copy")
    moved = [
        [one.replace(f"{tmp_path}/runs", f"{tmp_path}/copy") for one in run] for run in before[0]
    ]

    assert moved == listed(tmp_path / "copy")[0]
    assert set(Index(root).load()) == set(Index(tmp_path / "copy").load())


@pytest.mark.usefixtures("always", "later")
def test_two_listings_at_once_are_both_right(root):
    """One that was begun before another has written the index, and ends after it, harms nothing."""
    one = iter(Listing(root))
    next(one)
    before = listed(root)
    list(one)

    assert before == listed(root) == listed_without(root)


@pytest.mark.usefixtures("always", "later")
def test_the_rows_are_what_version_1_has(root):
    """Whoever changes what is kept of a log counts the version of the index up."""
    listed(root)
    row = json.loads(Index(root).load()["default/a"])

    assert {"is_own", "standing", "params"} == set(row)
    assert {"looked", "marks", "account"} == set(row["standing"])
    assert {
        *("started", "ended", "params", "tags", "metrics", "functions"),
        *("artifacts", "images", "texts", "histograms", "tables"),
    } == set(row["standing"]["account"])


@pytest.mark.usefixtures("always", "later")
def test_a_restart_of_others_is_one_after_a_listing_too(tmp_path):
    """What is superseded by a file that came later is gone from what was known."""
    root = Root(tmp_path / "runs")
    for first, name in ((5, 1), (9, 2), (6, 3), (2, 4)):
        root.foreign(0, first, name)
        [run] = open_runs(f"tensorboard:{root.root}")

        assert listed_without(root.root) == listed(root.root)
    assert (4.0, (2.0, 4.0)) == (run.metrics["loss"], run.extremes["loss"])


class Root:
    """A directory of runs, to which anything may happen."""

    def __init__(self, root):
        self.root = root
        self.clock = 1000.0

    def directory(self, number):
        return self.root / "experiment" / f"run{number}"

    def now(self):
        self.clock += 1.0
        return self.clock

    def append(self, path, *entries, again=True):
        log = LogWriter(path, again=again)
        for entry in entries:
            log.append(entry)
        log.close()

    def start(self, number, other):
        directory = self.directory(number)
        if not directory.exists():
            directory.mkdir(parents=True)
            self.append(
                attempt_path(directory),
                Started(
                    wall_time=self.now(), uid=f"u{self.clock}", experiment="e", name=f"r{number}"
                ),
                Params(wall_time=self.now(), values={"lr": other}),
                again=False,
            )

    def log(self, number, other):
        if paths := attempt_paths(self.directory(number)):
            self.append(
                paths[-1],
                *(
                    Scalars(wall_time=self.now(), step=step, values={"loss": float(step * other)})
                    for step in range(other, other + 3)
                ),
                Tags(wall_time=self.now(), values={"t": str(other)}),
                Text(wall_time=self.now(), step=other, name=f"t{other}", text="x"),
            )

    def end(self, number, other):
        if paths := attempt_paths(self.directory(number)):
            self.append(paths[-1], Ended(wall_time=self.now(), status="FINISHED"))

    def resume(self, number, other):
        directory = self.directory(number)
        if attempt_paths(directory):
            attempt = next_attempt(directory)
            try:
                cut(directory, attempt, step=other)
            except Exception:  # noqa: BLE001 (it was damaged before)
                return
            self.append(
                attempt_path(directory, attempt),
                Started(
                    wall_time=self.now(), uid="again", experiment="e", name="n", attempt=attempt
                ),
                Rewound(wall_time=self.now(), began=self.clock, step=other),
                Scalars(wall_time=self.now(), step=other, values={"loss": 0.5}),
                again=False,
            )

    def delete(self, number, other):
        shutil.rmtree(self.directory(number), ignore_errors=True)

    def move(self, number, other):
        if self.directory(number).exists() and not self.directory(other).exists():
            self.directory(number).rename(self.directory(other))

    def copy_over(self, number, other):
        for path in attempt_paths(self.directory(number)) if number != other else ():
            self.directory(other).mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, self.directory(other) / path.name)

    def truncate(self, number, other):
        for path in attempt_paths(self.directory(number))[-1:]:
            os.truncate(path, path.stat().st_size * other // 10)

    def flip(self, number, other):
        for path in attempt_paths(self.directory(number))[:1]:
            status = path.stat()
            data = bytearray(path.read_bytes())
            if data:
                data[len(data) * other // 12] ^= 1
                path.write_bytes(data)
                os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))

    def rewrite(self, number, other):
        """Other bytes of the same length, at the same time."""
        for path in attempt_paths(self.directory(number))[-1:]:
            status = path.stat()
            data = path.read_bytes()
            path.write_bytes(b"")
            path.write_bytes(data[: len(data) // 2] + bytes(len(data) - len(data) // 2))
            os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))

    def turn_back(self, number, other):
        for path in attempt_paths(self.directory(number)):
            os.utime(path, (other, other))

    def foreign(self, number, other, name=None):
        directory = self.root / "theirs" / f"run{number}"
        directory.mkdir(parents=True, exist_ok=True)
        events = [messages().event(wall_time=self.now(), file_version="brain.Event:2")]
        for step in range(other, other + 3):
            event = messages().event(wall_time=self.now(), step=step)
            event.summary.value.add(tag="loss", simple_value=step)
            events.append(event)
        data = b"".join(framed(event.SerializeToString()) for event in events)
        with (directory / f"events.out.tfevents.{name or other % 3}").open("ab") as file:
            file.write(data)


OPERATIONS = [
    *("start", "log", "log", "end", "resume", "delete", "move", "copy_over", "truncate"),
    *("flip", "rewrite", "turn_back", "foreign", "foreign"),
]


@pytest.mark.usefixtures("always")
@pytest.mark.parametrize("believes", [False, True], ids=["as it is", "without doubt"])
@settings(max_examples=40, deadline=None)
@given(
    steps=st.lists(
        st.tuples(st.sampled_from(OPERATIONS), st.integers(0, 2), st.integers(0, 9)),
        min_size=1,
        max_size=14,
    )
)
def test_a_listing_with_an_index_is_one_without(tmp_path_factory, believes, steps):
    """Whatever happens to the logs between two listings, deleting the index would change nothing but time.

    Once as it is, where all files were changed a moment ago; and once on a file system whose times never fail to tell.
    """
    root = Root(tmp_path_factory.mktemp("any") / "runs")
    root.root.mkdir()
    root.start(0, 1)
    kept = places_module._event_file

    def telling(entry):
        file = kept(entry)
        if file is None:
            return None
        return attrs.evolve(file, changed=crc32(Path(entry.path).read_bytes()), modified=0)

    with pytest.MonkeyPatch.context() as patch:
        if believes:
            patch.setattr(places_module, "_event_file", telling)
        for name, number, other in steps:
            getattr(root, name)(number, other)
            assert listed_without(root.root) == listed(root.root)


@pytest.mark.usefixtures("always", "later")
def test_nobody_is_bothered_by_an_index(root):
    """Runs are found, started and resumed beside it, and the doctor has nothing to say of it."""
    listed(root)
    with start_run(f"tensorboard:{root}", name="a2", uid="again") as run:
        run.log({"loss": 2.0}, step=1)
    with start_run(f"tensorboard:{root}", uid="again", resume="must") as run:
        run.log({"loss": 3.0}, step=2)

    assert (root / FILE).exists()
    assert 0 == main(["doctor", str(root)])
    assert listed_without(root) == listed(root)


@pytest.mark.usefixtures("always", "later")
def test_what_lightnings_file_says_is_indexed_and_never_stale(tmp_path, monkeypatch):
    """It is read when it was changed, and only then."""
    pytest.importorskip("yaml", reason="needs PyYAML, which whoever has Lightning has")
    root = Root(tmp_path / "runs")
    root.foreign(0, 1)
    path = root.root / "theirs" / "run0" / "hparams.yaml"
    path.write_text("lr: 0.1")
    listed(root.root)
    path.write_text("lr: 0.2")
    [changed] = open_runs(f"tensorboard:{root.root}")
    monkeypatch.setattr(listing, "hparams_in", lambda _: pytest.fail("it was read"))
    [same] = open_runs(f"tensorboard:{root.root}")

    assert {"lr": 0.2} == changed.params == same.params
