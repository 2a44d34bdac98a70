"""Runs copied from directories to directories."""

import json
import os
import shutil
import subprocess
import sys
from errno import ENOSPC
from pathlib import Path

import pytest
from attrs import asdict
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from treadle_tracking import open_runs, start_run
from treadle_tracking.copying import Copied, CopyIncomplete, SamePlace, TargetIsRun, copy_runs
from treadle_tracking.errors import InvalidName, InvalidTarget, RunDirectoryError
from treadle_tracking.log import attempt_path, read_entries
from treadle_tracking.places import found_below

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
    "1f15c4890000000d49444154789c6360606060000000050001a5f64540"
    "0000000049454e44ae426082"
)
_OF_A_RUN = ("uid", "experiment", "name", "group", "status", "started", "ended", "tags", "damage")


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def augment(image):
    return image


def recorded(target="tensorboard:runs", **given):
    """A run with something of every kind."""
    Path("weights.bin").write_bytes(b"weights")
    params = {"optim": {"lr": 1e-3, "betas": [0.9, 0.99]}, "n": 2**60 + 1, "clip": None}
    given = {"experiment": "digits", "name": "a", "group": "g"} | given
    run = start_run(target, params=params, tags={"x": "1"}, **given)
    for step in range(5):
        run.log({"loss": 1 / (step + 1), "odd": float("nan"), "inf": float("-inf")}, step=step)
    run.image("samples", PNG, step=2)
    run.text("note", "# größer", step=2)
    run.histogram("w", [0.0, 1.0, 1.0], step=3)
    run.table("errors", [{"a": 1}], step=3)
    run.artifact("weights.bin", "model/weights.bin")
    run.function("augment", augment)
    run.commit(3)
    run.tag({"x": "2"})
    return run


def everything(run):
    """All that a reader has of a run, to be compared."""
    return {
        **{name: getattr(run, name) for name in _OF_A_RUN},
        "params": repr(run.params),
        "histories": {
            name: [(step, time, repr(value)) for step, time, value in points]
            for _, name, points in run.reader.histories([run])
        },
        "contents": {
            name: sorted(found.items() if isinstance(found, dict) else found)
            for name, found in asdict(run.contents).items()
        },
    }


def contents(run):
    """The content of each of a run's artifacts."""
    folder = run.directory / "artifacts"
    return {path: (folder / path).read_bytes() for path in run.artifacts}


def names(folder):
    return sorted(path.name for path in Path(folder).iterdir())


def outcomes(copied):
    return [one.outcome for one in copied]


def test_a_run_is_the_same_elsewhere(root):
    """All that is read of a run, and its entries with their times, are in the copy."""
    recorded().close()

    [copied] = copy_runs("tensorboard:runs", "tensorboard:backup")

    [run], [copy] = open_runs("tensorboard:runs"), open_runs("tensorboard:backup")
    assert everything(run) == everything(copy)
    assert contents(run) == contents(copy)
    entries = [[entry for entry, _ in read_entries(one.directory)] for one in (run, copy)]
    assert list(map(repr, entries[0])) == list(map(repr, entries[1]))
    params = [(one.directory / "params.json").read_bytes() for one in (run, copy)]
    assert params[0] == params[1]
    assert (
        Copied(
            uid=run.uid,
            name="a",
            experiment="digits",
            outcome="copied",
            identity=str(root / "backup" / "digits" / "a"),
        )
        == copied
    )


def test_a_second_copy_adds_nothing(root):
    """A run that is there is left as it is, to the last byte and time."""
    recorded().close()
    copy_runs("tensorboard:runs", "tensorboard:backup")
    before = [(path, path.stat().st_mtime_ns) for path in (root / "backup" / "digits").rglob("*")]

    again = copy_runs("tensorboard:runs", "tensorboard:backup")

    after = [(path, path.stat().st_mtime_ns) for path in (root / "backup" / "digits").rglob("*")]
    assert (["there"], ()) == (outcomes(again), again[0].problems)
    assert before == after


def test_some_of_the_runs_are_copied(root):
    """A part of an answer is a source, too, and its order that of what comes back."""
    for name in "abc":
        start_run("tensorboard:runs", name=name).close()

    copied = copy_runs(open_runs("tensorboard:runs")[1:], "tensorboard:backup")

    assert ["b", "c"] == [one.name for one in copied]
    assert ["b", "c"] == [run.name for run in open_runs("tensorboard:backup")]


def test_runs_are_put_under_one_name(root):
    """`experiment` is that of the copies, and what is there already stays where it is."""
    for experiment in ("a", "b"):
        start_run("tensorboard:runs", experiment=experiment, name="x").close()

    copied = copy_runs("tensorboard:runs", "tensorboard:backup", experiment="all")
    again = copy_runs("tensorboard:runs", "tensorboard:backup", experiment="other")

    assert ["all"] * 4 == [one.experiment for one in [*copied, *again]]
    assert ["there", "there"] == outcomes(again)
    assert [("all", str(root / "backup/all/x")), ("all", str(root / "backup/all/x-2"))] == [
        (run.experiment, run.identity) for run in open_runs("tensorboard:backup")
    ]


def test_what_a_run_records_later_is_brought_later(root):
    """A run is copied as it is by now, and completed when it has gone on."""
    run = recorded()
    first = copy_runs("tensorboard:runs", "tensorboard:backup")
    [meanwhile] = open_runs("tensorboard:backup")
    same = copy_runs("tensorboard:runs", "tensorboard:backup")
    run.image("samples", PNG, step=7)
    image = copy_runs("tensorboard:runs", "tensorboard:backup")
    Path("weights.bin").write_bytes(b"better")
    run.artifact("weights.bin", "model/weights.bin")
    run.log({"loss": 0.0}, step=9)
    run.close()
    last = copy_runs("tensorboard:runs", "tensorboard:backup")

    [source], [copy] = open_runs("tensorboard:runs"), open_runs("tensorboard:backup")
    assert "UNFINISHED" == meanwhile.status
    assert [["copied"], ["there"], ["completed"], ["completed"]] == [
        outcomes(one) for one in (first, same, image, last)
    ]
    assert everything(source) == everything(copy)
    assert contents(source) == contents(copy)


def test_a_run_that_went_back_is_copied_as_it_went_on(root):
    """The points of an attempt that was taken back go from the copy, too."""
    with recorded(uid="u") as run:
        pass
    copy_runs("tensorboard:runs", "tensorboard:backup")
    with start_run("tensorboard:runs", experiment="digits", uid="u", resume="must") as run:
        run.rewind(3)
        run.log({"loss": 9.0}, step=3)

    copied = copy_runs("tensorboard:runs", "tensorboard:backup")

    [source], [copy] = open_runs("tensorboard:runs"), open_runs("tensorboard:backup")
    assert ["completed"] == outcomes(copied)
    assert everything(source) == everything(copy)
    assert ((0, 1.0), (1, 0.5), (2, 1 / 3), (3, 9.0)) == copy.history("loss")


def test_a_copy_that_went_on_keeps_what_it_has(root):
    """Where the target is the newer one, it is there, and nothing is taken away."""
    recorded(uid="u").close()
    copy_runs("tensorboard:runs", "tensorboard:backup")
    with start_run("tensorboard:backup", experiment="digits", uid="u", resume="must") as run:
        run.log({"loss": 9.0}, step=9)
    [before] = open_runs("tensorboard:backup")

    copied = copy_runs("tensorboard:runs", "tensorboard:backup")
    back = copy_runs("tensorboard:backup", "tensorboard:runs")

    [after] = open_runs("tensorboard:backup")
    assert ("there", ()) == (copied[0].outcome, copied[0].problems)
    assert everything(before) == everything(after)
    assert "there" == back[0].outcome
    assert (
        "it was not made by a copy, and is left as it is; it lacks 1 point of the metric 'loss', its end",
    ) == back[0].problems


def test_copies_that_both_went_on_are_left_apart(root):
    """A copy that somebody has continued is not replaced, though it lacks what the run has recorded since."""
    recorded(uid="u").close()
    copy_runs("tensorboard:runs", "tensorboard:backup")
    for target in ("tensorboard:backup", "tensorboard:runs"):
        with start_run(target, experiment="digits", uid="u", resume="must") as run:
            run.log({target: 9.0}, step=9)

    [copied] = copy_runs("tensorboard:runs", "tensorboard:backup")

    problem = (
        "it has been continued since it was copied, and is left as it is; it lacks 1 point of the metric "
        "'tensorboard:runs', its end"
    )
    assert ("there", (problem,)) == (copied.outcome, copied.problems)


def test_a_copy_can_be_continued(root):
    """A run that was copied goes on like any other, from where it was."""
    recorded(uid="u").close("KILLED")
    copy_runs("tensorboard:runs", "tensorboard:backup")
    with start_run("tensorboard:backup", experiment="digits", uid="u", resume="must") as run:
        run.log({"loss": 0.5}, step=5)

    [copy] = open_runs("tensorboard:backup")
    assert ("FINISHED", 6, 0.5) == (copy.status, len(copy.history("loss")), copy.metrics["loss"])


def test_an_artifact_that_is_gone_is_named(root):
    """What is lost on the way is a problem of that run, and everything else is there; a second copy is none the worse."""
    with recorded() as run:
        pass
    (run.directory / "artifacts/model/weights.bin").unlink()

    copies = [copy_runs("tensorboard:runs", "tensorboard:backup")[0] for _ in range(2)]

    [copy] = open_runs("tensorboard:backup")
    assert ["copied", "there"] == outcomes(copies)
    assert "model/weights.bin" not in copy.artifacts
    assert [1, 1] == [len(one.problems) for one in copies]
    assert (
        copies[0].problems[0].startswith("the artifact 'model/weights.bin' of the run 'a' cannot ")
    )
    assert ("'model/weights.bin' was not taken",) == copies[1].problems


def test_a_directory_without_room_is_named(root, monkeypatch):
    """Once a run, and nothing of the run is there; when there is room, the next copy brings all of it."""
    with recorded() as run:
        pass
    reader = type(open_runs("tensorboard:runs")[0].reader)

    def full(*given):
        raise OSError(ENOSPC, os.strerror(ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(reader, "download", full)
        with pytest.raises(CopyIncomplete) as caught:
            copy_runs("tensorboard:runs", "tensorboard:backup")
    left = len(open_runs("tensorboard:backup"))
    [copied] = copy_runs("tensorboard:runs", "tensorboard:backup")

    said = f"{root}/backup: no space left on device. Make room, and copy again"
    assert ({run.uid: said}, 0) == (caught.value.failures, left)
    assert ("copied", ()) == (copied.outcome, copied.problems)
    assert "model/weights.bin" in open_runs("tensorboard:backup")[0].artifacts


def test_a_damaged_run_is_copied_up_to_the_damage(root):
    """What can be read of a run is copied, and where it ends is said."""
    with recorded() as run:
        end = attempt_path(run.directory).stat().st_size
        run.log({"loss": 0.5}, step=9)
    data = bytearray(attempt_path(run.directory).read_bytes())
    data[end + 20] ^= 1
    attempt_path(run.directory).write_bytes(data)

    [copied] = copy_runs("tensorboard:runs", "tensorboard:backup")

    [source], [copy] = open_runs("tensorboard:runs"), open_runs("tensorboard:backup")
    assert (source.damage,) == copied.problems
    assert {**everything(source), "damage": None} == everything(copy)


def test_other_files_stay_behind(root):
    """Checkpoints, notes of mirrors and what was cut out of the log are no part of a copy."""
    with recorded() as run:
        (run.directory / "checkpoints").mkdir()
        (run.directory / "checkpoints" / "1.pt").write_bytes(b"")

    [copied] = copy_runs("tensorboard:runs", "tensorboard:backup")

    assert [".copied.json", "artifacts", attempt_path(Path()).name, "params.json"] == names(
        copied.identity
    )


def test_one_run_that_fails_does_not_stop_the_others(root, monkeypatch):
    """All others are copied, and then the error names those that were not, and has the rest."""
    for name in "abc":
        recorded(uid=f"u{name}", name=name).close()
    runs = open_runs("tensorboard:runs")
    download = type(runs[1].reader).download

    def failing(self, run, path, file):
        if run.name == "b":
            raise RuntimeError("no way")
        download(self, run, path, file)

    monkeypatch.setattr(type(runs[1].reader), "download", failing)
    with pytest.raises(CopyIncomplete) as caught:
        copy_runs(runs, "tensorboard:backup")

    assert (
        f"1 run did not reach tensorboard:{root}/backup, and 2 did; copy again to bring what is missing:\n"
        "  'b' (ub): RuntimeError: no way"
    ) == str(caught.value)
    assert ["a", "c"] == [one.name for one in caught.value.copied]
    assert {"ub": "RuntimeError: no way"} == caught.value.failures
    monkeypatch.undo()
    assert ["there", "copied", "there"] == outcomes(copy_runs(runs, f"tensorboard:{root}/backup"))
    assert 3 == len(found_below(root / "backup").runs)


def test_how_far_it_is_is_told(root):
    """At the beginning and after each run, out of all."""
    for name in "abc":
        start_run("tensorboard:runs", name=name).close()
    told = []

    copy_runs("tensorboard:runs", "tensorboard:backup", progress=lambda *far: told.append(far))

    assert [(0, 3), (1, 3), (2, 3), (3, 3)] == told


@pytest.mark.parametrize("target", ["runs", "runs/../runs", "link", "runs/below", "."])
def test_the_same_place_is_an_error(root, target):
    """However it is spelled, and where one is within the other: nothing is made there."""
    start_run("tensorboard:runs").close()
    Path("link").symlink_to("runs")
    before = sorted(root.rglob("*"))
    with pytest.raises(SamePlace) as caught:
        copy_runs("tensorboard:runs", f"tensorboard:{target}")

    assert (
        f"the source 'tensorboard:{root}/runs' and the target 'tensorboard:{Path(target).absolute()}' are one place, or "
        f"one is within the other. Name another place"
    ) == str(caught.value)
    assert before == sorted(root.rglob("*"))


def test_a_run_takes_no_runs(root):
    """A target that is itself a run is refused."""
    start_run("tensorboard:runs", name="a").close()
    start_run("tensorboard:other", name="a").close()
    with pytest.raises(TargetIsRun) as caught:
        copy_runs("tensorboard:runs", "tensorboard:other/default/a")

    assert (
        f"{root}/other/default/a is itself a run, and no run can be kept below it. Name the directory that runs are below"
    ) == str(caught.value)


def test_wrong_arguments_are_named(root):
    """A source, a target or a name that is none is said at once."""
    start_run("tensorboard:runs").close()
    with pytest.raises(InvalidTarget) as source:
        copy_runs(7, "tensorboard:backup")
    with pytest.raises(InvalidTarget) as target:
        copy_runs("tensorboard:runs", ["tensorboard:backup"])
    with pytest.raises(InvalidName):
        copy_runs("tensorboard:runs", "tensorboard:backup", experiment="")
    Path("file").touch()
    with pytest.raises(RunDirectoryError) as unmade:
        copy_runs("tensorboard:runs", "tensorboard:file")

    assert (
        "source is 7 (int); expected a text, 'tensorboard:DIR' or 'mlflow:URI', or runs that open_runs gave"
    ) == str(source.value)
    assert (
        "target is ['tensorboard:backup'] (list); runs are copied to one place: 'tensorboard:DIR' or 'mlflow:URI'"
    ) == str(target.value)
    assert f"{root}/file: no run can be copied here: " in str(unmade.value)
    assert ["file", "runs"] == names(root)


def test_several_runs_of_one_uid_are_said(root):
    """Of a directory that holds a run twice, one is copied, and which is said."""
    recorded(uid="u").close()
    shutil.copytree("runs/digits/a", "runs/digits/b")

    [copied] = copy_runs("tensorboard:runs", "tensorboard:backup")

    assert (
        f"2 runs of the source have its uid, and {root}/runs/digits/a was taken",
    ) == copied.problems


def test_an_artifact_of_a_hostile_name_stays_in_the_run(root, monkeypatch):
    """A path that would lead elsewhere is escaped, part by part."""
    with recorded() as run:
        run.json("vocab", {})
    runs = open_runs("tensorboard:runs")
    reader = type(runs[0].reader)
    entries, download = reader.entries, reader.download
    paths = {"../../x.json": "vocab.json", "/a/../b": "vocab.json"}

    def hostile(self, run):
        for entry in entries(self, run):
            yield entry
            if getattr(entry, "path", None) == "vocab.json":
                for path in paths:
                    yield type(entry)(wall_time=entry.wall_time, path=path, size=2, sha256="")

    monkeypatch.setattr(reader, "entries", hostile)
    monkeypatch.setattr(
        reader,
        "download",
        lambda self, run, path, file: download(self, run, paths.get(path, path), file),
    )

    [copied] = copy_runs(runs, "tensorboard:backup")

    found = {str(path.relative_to(root)) for path in (root / "backup").rglob("*.json")}
    assert () == copied.problems
    assert "backup/digits/a/artifacts/%2E%2E/%2E%2E/x.json" in found
    assert (root / "backup/digits/a/artifacts/a/%2E%2E/b").is_file()
    assert not (root / "x.json").exists()


def test_what_a_killed_copy_has_left_is_cleared(root):
    """Neither what was made apart nor what had its place without its log is taken for a run, and the next copy removes it."""
    recorded(uid="u").close()
    left = root / "backup" / ".treadle-copying" / "tmp1"
    placed = root / "backup" / "digits" / "a"
    for path in (left, placed):
        (path / "artifacts").mkdir(parents=True)
        (path / "log.unfinished").write_bytes(attempt_path(root / "runs/digits/a").read_bytes())
        (path / ".copied.json").write_text(json.dumps({"uid": "u"}))
    before = list(open_runs("tensorboard:backup"))

    [copied] = copy_runs("tensorboard:runs", "tensorboard:backup")

    assert [] == before
    assert str(placed) == copied.identity
    assert [] == names(root / "backup" / ".treadle-copying")
    assert not (placed / "log.unfinished").exists()


_KILLED = """
import os, sys
from treadle_tracking import atomic, log
from treadle_tracking.copying import copy_runs
left = int(sys.argv[1])
def counting(function):
    def counted(*arguments, **more):
        global left
        left -= 1
        if left < 0:
            os._exit(9)
        return function(*arguments, **more)
    return counted
for name in ("open", "write", "rename", "replace", "mkdir"):
    setattr(os, name, counting(getattr(os, name)))
copy_runs("tensorboard:runs", "tensorboard:backup")
"""


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_copy_may_be_killed_at_any_moment(root):
    """Whatever was done last, each run is whole or not there, and the next copy brings the rest, each once."""
    for name in "ab":
        recorded(uid=name, name=name).close()
    whole = [everything(run) for run in open_runs("tensorboard:runs")]
    seen = set()
    for calls in range(0, 2000, 3):
        killed = subprocess.run([sys.executable, "-c", _KILLED, str(calls)], check=False)
        if killed.returncode == 0:
            break
        runs = [] if not Path("backup").exists() else list(open_runs("tensorboard:backup"))
        assert all(everything(run) in whole for run in runs)
        seen.add(len(runs))
        if calls % 21 == 0:
            copy_runs("tensorboard:runs", "tensorboard:backup")
            assert whole == [everything(run) for run in open_runs("tensorboard:backup")]
            shutil.rmtree("backup")

    assert whole == [everything(run) for run in open_runs("tensorboard:backup")]
    assert {0, 1} <= seen


@pytest.mark.slow
def test_two_processes_copy_at_once(root):
    """Each run is there once, whoever was the quicker."""
    for name in "abcde":
        recorded(uid=name, name=name).close()
    code = "from treadle_tracking.copying import copy_runs; copy_runs('tensorboard:runs', 'tensorboard:backup')"
    both = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(2)]
    codes = [one.wait() for one in both]

    assert [0, 0] == codes
    assert [everything(run) for run in open_runs("tensorboard:runs")] == [
        everything(run) for run in open_runs("tensorboard:backup")
    ]


@settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    # What becomes of three runs between copies: which goes on, is taken back to a step, or ends.
    happenings=st.lists(
        st.tuples(
            st.integers(0, 2),
            st.sampled_from(["log", "text", "tag", "resume", "rewind", "close"]),
        ),
        max_size=12,
    ),
    copies=st.sets(st.integers(0, 11), max_size=4),
)
def test_whenever_it_is_copied_the_last_copy_is_the_same(tmp_path_factory, happenings, copies):
    """Runs that were copied as often as you like on their way are at last what they would be if copied once."""
    root = tmp_path_factory.mktemp("copies")
    source, target = f"tensorboard:{root}/runs", f"tensorboard:{root}/backup"
    runs = [start_run(source, uid=f"u{number}", name=f"{number}") for number in range(3)]
    try:
        for number, (which, what) in enumerate(happenings):
            run = runs[which]
            if what == "resume" and run.status != "RUNNING":
                runs[which] = start_run(source, uid=f"u{which}", resume="must")
            elif what == "close":
                run.close()
            elif run.status == "RUNNING":
                if what == "rewind":
                    run.rewind(max(0, number - 2))
                elif what == "log":
                    run.log({"loss": float(number)}, step=number)
                elif what == "text":
                    run.text("note", str(number), step=number)
                elif what == "tag":
                    run.tag({"last": str(number)})
            if number in copies:
                copy_runs(source, target)
    finally:
        for run in runs:
            run.close()
    copy_runs(source, target)
    [again] = {one.outcome for one in copy_runs(source, target)}

    assert "there" == again
    assert [everything(run) for run in open_runs(source)] == [
        everything(run) for run in open_runs(target)
    ]
