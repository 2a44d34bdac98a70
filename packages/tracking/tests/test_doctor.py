"""What can have happened to a run, and how it is mended."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from hashlib import sha256

import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from treadle_tracking import open_runs, start_run
from treadle_tracking.doctor.copies import unfinished_copies
from treadle_tracking.doctor.damage import _filler, damages, set_aside
from treadle_tracking.doctor.pruning import Pruned, prune
from treadle_tracking.doctor.twins import twin_findings
from treadle_tracking.doctor.visit import old_file_store, visit
from treadle_tracking.encoding import decoded
from treadle_tracking.entries import Artifact, Committed, Ended, Image, Params, Scalars, Started
from treadle_tracking.log import LogWriter, attempt_path, last_entry, read_entries
from treadle_tracking.mirrors.state import Sent, load_every, save_sent
from treadle_tracking.ownership import Ownership, Writer
from treadle_tracking.places import found_below
from treadle_tracking.syncing import forget, sync
from treadle_tracking.wire import framed, records

STARTED = Started(wall_time=1000.25, uid="u1", experiment="digits", name="baseline")


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    """What fails is tried again at once."""
    monkeypatch.setattr("treadle_tracking.mirrors.sender.FIRST_PAUSE", 0.001)


@pytest.fixture
def directory(tmp_path):
    """A run of twenty points whose process was killed."""
    path = tmp_path / "runs" / "digits" / "baseline"
    (path / "artifacts").mkdir(parents=True)
    (path / "artifacts" / "a.txt").write_text("a")
    (path / "params.json").write_text('{"lr": 0.1}')
    log = LogWriter(attempt_path(path))
    log.append(STARTED)
    log.append(Params(wall_time=1000.25, values={"lr": 0.1}))
    digest = sha256(b"a").hexdigest()
    log.append(Artifact(wall_time=1000.5, path="a.txt", size=1, sha256=digest))
    for step in range(20):
        log.append(Scalars(wall_time=1001.0 + step, step=step, values={"loss": 1 / (step + 1)}))
    log.close()
    return path


@pytest.fixture
def ended(directory):
    """The same, with an end."""
    log = LogWriter(attempt_path(directory), again=True)
    log.close(Ended(wall_time=1100.0, status="FINISHED"))
    return directory


def found(directory, *, fix=False):
    """What a visit finds, as (kind, sentence)."""
    return [(one.finding.kind, one.finding.sentence) for one in visit(directory, fix=fix)]


def mended(directory):
    """What a visit mends, as (kind, what was done)."""
    return [(one.finding.kind, one.done or one.failed) for one in visit(directory, fix=True)]


def writer(**changes):
    """The note of a process that writes a run: one that is gone."""
    given = {"pid": 2**22 + 1, "began": "1", **changes}
    return evolve(Writer.this_process(), **given)


def leave(directory, writer, beat):
    path = directory / ".writer"
    path.write_text(
        json.dumps({name: getattr(writer, name) for name in ("pid", "host", "place", "began")})
    )
    os.utime(path, (beat, beat))


def test_nothing_is_wrong_with_a_run_that_was_closed(ended):
    """A whole run is told of with no word."""
    assert [] == found(ended)


def test_nothing_is_wrong_with_a_run_of_everything(tmp_path, fake_mlflow):
    """What a run records is what it is compared with: parameters, artifacts and all."""
    (tmp_path / "weights.bin").write_bytes(b"weights")
    params = {"lr": float("nan"), "optim": {"name": "adam", "betas": [0.9, 0.999]}, "clip": None}
    with start_run(
        [f"tensorboard:{tmp_path / 'runs'}", f"mlflow:{fake_mlflow.uri}"], params=params
    ) as run:
        run.log({"loss": float("inf")}, step=1)
        run.artifact(tmp_path / "weights.bin", "models/a b.bin")
        run.artifact(tmp_path / "weights.bin", "models/a b.bin")
        run.json("vocabulary", {"a": 1})
        run.params({"late": [1, 2.5, None]})
        run.tag({"dataset": "v2"})
        run.commit(1)
        run.rewind(0)
        run.log({"loss": 0.0}, step=1)

    assert [] == found(run.directory)


def test_a_killed_run_is_ended_at_its_last_entry(directory):
    """Without a beat, the last entry is the last that was heard of it."""
    expected = [("orphan", "ended as KILLED at 1970-01-01 00:17:00 UTC")]

    assert [
        (
            "orphan",
            "has no end, and no process writes it: it was last heard of at 1970-01-01 00:17:00 UTC",
        )
    ] == found(directory)
    assert "UNFINISHED" == open_runs(f"tensorboard:{directory}")[0].status
    assert expected == mended(directory)
    assert Ended(wall_time=1020.0, status="KILLED") == last_entry(directory)
    assert [] == found(directory)


def test_a_killed_run_is_ended_at_its_last_beat(directory):
    """A process that was silent, but lived, is known by its beats; its note goes."""
    leave(directory, writer(host="there"), 2000.5)

    assert [
        (
            "orphan",
            (
                f"has no end, and its process, {2**22 + 1} on there, is gone: "
                f"it was last heard of at 1970-01-01 00:33:20 UTC"
            ),
        )
    ] == found(directory)
    mended(directory)
    assert Ended(wall_time=2000.5, status="KILLED") == last_entry(directory)
    assert ["artifacts", "events.out.tfevents.000000.treadle", "params.json"] == sorted(
        path.name for path in directory.iterdir()
    )


def test_the_end_of_a_resumed_run_is_in_its_last_file(directory):
    """An end that an earlier attempt had counts no more."""
    log = LogWriter(attempt_path(directory), again=True)
    log.close(Ended(wall_time=1100.0, status="FAILED"))
    log = LogWriter(attempt_path(directory, 3))
    log.append(evolve(STARTED, wall_time=1200.0, attempt=3))
    log.close()

    mended(directory)

    [*_, (entry, position)] = read_entries(directory)
    assert Ended(wall_time=1200.0, status="KILLED") == entry
    assert attempt_path(directory, 3).name == position.file


def test_a_run_that_is_written_is_left_alone(directory):
    """It is said who writes it, that is no problem, and nothing is changed, whatever else is wrong."""
    with attempt_path(directory).open("ab") as file:
        file.write(b"torn")
    ownership = Ownership(directory)
    me = Writer.this_process()

    outcomes = [one for fix in (False, True) for one in visit(directory, fix=fix)]

    ownership.release()
    assert 2 * [
        ("in use", f"is being written by process {me.pid} on {me.host}, and is left alone", False)
    ] == [(one.finding.kind, one.finding.sentence, one.is_left) for one in outcomes]
    assert attempt_path(directory).read_bytes().endswith(b"torn")


def test_a_run_of_another_machine_is_in_use_while_it_beats(directory):
    """Its process cannot be looked for from here; after minutes of silence it is gone."""
    elsewhere = writer(place="another", host="there")
    leave(directory, elsewhere, time.time())
    assert "in use" == found(directory)[0][0]

    leave(directory, elsewhere, time.time() - 301)

    assert "orphan" == found(directory)[0][0]


def test_a_torn_tail_is_cut_off(directory):
    """What a power cut, or a kill in the middle of a write, has left is none of the log; the end comes behind the rest."""
    path = attempt_path(directory)
    size = path.stat().st_size
    torn = framed(b"0123456789")[:-1]
    with path.open("ab") as file:
        file.write(torn)
    before = list(read_entries(directory))

    assert ("torn", f"25 bytes at the end of {path.name} are an entry that was never whole") == (
        found(directory)[0]
    )
    assert ("torn", "25 bytes were cut off") == mended(directory)[0]
    assert before == list(read_entries(directory))[:-1]
    assert path.stat().st_size > size
    assert [] == found(directory)


def offsets(path):
    """Where each record begins, and the end of the file."""
    with path.open("rb") as file:
        return [0, *(end for end, _ in records(file, 0))]


def damage(path, begin, end):
    """Put other bytes there."""
    with path.open("rb+") as file:
        file.seek(begin)
        old = file.read(end - begin)
        file.seek(begin)
        file.write(bytes(byte ^ 0xFF for byte in old))
    return bytes(byte ^ 0xFF for byte in old)


def test_a_damaged_record_costs_nothing_but_itself(ended):
    """It is set aside, every other entry can be read, and each is where it was."""
    path = attempt_path(ended)
    before = list(read_entries(ended))
    places = offsets(path)
    # The file's version is a record, too: the tenth has the sixth point.
    bad = damage(path, places[9] + 20, places[9] + 22)
    size = places[10] - places[9]
    torn = path.read_bytes()[places[9] : places[10]]

    assert [
        (
            "damaged",
            (
                f"{size} bytes from byte {places[9]:,} of {path.name} on are damaged: 8 entries before them can be read; "
                f"15 entries after them reach a mirror (and, where a length was hit, a reader) only once they are mended"
            ),
        )
    ] == found(ended)
    kept = ended / "abandoned" / f"000000-{places[9]}.damaged"
    assert [
        ("damaged", f"{size} bytes are now in {kept}, and everything else can be read")
    ] == mended(ended)
    assert before[:8] + before[9:] == list(read_entries(ended))
    assert torn == kept.read_bytes()
    assert bad in torn
    assert [] == found(ended)


def test_a_damaged_length_hides_nothing_behind_it(ended):
    """Where a record ends is found out from the next one."""
    path = attempt_path(ended)
    before = list(read_entries(ended))
    places = offsets(path)
    damage(path, places[9], places[9] + 4)
    damage(path, places[12] + 3, places[14] + 5)

    outcomes = mended(ended)

    assert ["damaged", "damaged"] == [kind for kind, _ in outcomes]
    assert before[:8] + before[9:11] + before[14:] == list(read_entries(ended))
    assert places[-1] == path.stat().st_size


def test_a_damaged_end_of_a_file_is_cut_off_and_kept(ended):
    """Zeros that a power cut has left are set aside; a mirror that had what was there before is sent what comes next."""
    path = attempt_path(ended)
    places = offsets(path)
    save_sent(ended, Sent(uri="mlflow:http://127.0.0.1:9", position=_position(path, places[-1])))
    with path.open("rb+") as file:
        file.seek(places[-3])
        file.write(bytes(places[-1] - places[-3]))

    outcomes = [one for one in visit(ended, fix=True) if one.finding.kind != "unsent"]

    [sent] = load_every(ended)
    assert ["damaged", "orphan"] == [one.finding.kind for one in outcomes]
    assert places[-3] == sent.position.offset
    assert Ended(wall_time=1019.0, status="KILLED") == last_entry(ended)


def _position(path, offset):
    from treadle_tracking.log import Position

    return Position(path.name, offset)


@given(size=st.integers(2, 70_000))
def test_what_takes_the_place_of_damaged_bytes_has_their_size(size):
    """An event of any size from two bytes on, in which there is nothing."""
    filler = _filler(size)

    assert size == len(filler)
    assert None is decoded(filler)


@given(data=st.data())
@settings(max_examples=40)
def test_any_damage_leaves_every_record_that_it_spares(data, tmp_path_factory):
    """Bytes changed anywhere: what is read afterwards is what was there, less the records that were hit."""
    directory = tmp_path_factory.mktemp("run")
    path = attempt_path(directory)
    log = LogWriter(path)
    log.append(STARTED)
    for step in range(6):
        png = data.draw(st.binary(max_size=40))
        log.append(Image(wall_time=1.0, step=step, name="a", png=png, width=1, height=1))
    log.close()
    places, before = offsets(path), list(read_entries(directory))
    hits = data.draw(st.lists(st.integers(places[1], places[-1] - 1), min_size=1, max_size=5))
    for hit in set(hits):
        damage(path, hit, hit + 1)

    for one in damages(path):
        set_aside(one)

    spared = [
        (entry, position)
        for entry, position in before
        if not any(
            begin <= hit < position.offset for hit in hits for begin in [_begin(places, position)]
        )
    ]
    assert spared == list(read_entries(directory))
    assert [] == damages(path)


def _begin(places, position):
    return places[places.index(position.offset) - 1]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (None, "params.json is missing"),
        ("{", "params.json is no JSON that a run writes"),
        ('{"lr": 1}', "params.json is not what the log says"),
    ],
)
def test_parameters_are_written_from_the_log(ended, text, sentence):
    """The log is the truth, and `params.json` a copy."""
    path = ended / "params.json"
    path.unlink()
    if text is not None:
        path.write_text(text)

    assert [("params", sentence)] == found(ended)
    assert [("params", "params.json was written from the log")] == mended(ended)
    assert {"lr": 0.1} == json.loads(path.read_text())


def test_artifacts_that_are_not_what_was_kept_are_told(ended):
    """Nobody but the user can mend them, so they stay a problem, and it is said how."""
    path = ended / "artifacts" / "a.txt"
    way = (
        f". Put it back in its place, {path}; or, if it is lost, resume the run, "
        f"start_run(…, directory={str(ended)!r}, resume='must'), and keep another file under this name"
    )
    said = []
    for content in ("b", "ab", None):
        path.unlink()
        if content is not None:
            path.write_text(content)
        said += [one.finding.sentence for one in visit(ended, fix=True) if one.is_left]

    assert [
        f"the artifact 'a.txt' is not what was kept: its sha256 differs{way}",
        f"the artifact 'a.txt' has 2 bytes, and had 1 when it was kept{way}",
        f"the artifact 'a.txt' is missing{way}",
    ] == said
    new = ended / "new.txt"
    new.write_text("c")
    with start_run(f"tensorboard:{ended.parents[1]}", directory=ended, resume="must") as run:
        run.artifact(new, "a.txt")

    assert [] == found(ended)


def test_an_artifact_of_an_attempt_that_was_abandoned_is_told(tmp_path):
    """It took the place of what the log says was kept: nobody can mend that, and it is no reason for alarm."""
    target = f"tensorboard:{tmp_path}"
    source = tmp_path / "a.txt"
    source.write_text("first")
    with start_run(target, name="a") as run:
        run.artifact(source)
        state = run.state_dict()
        run.log({"loss": 1.0}, step=1)
        source.write_text("second one")
        run.artifact(source)
        run.load_state_dict(state)

    outcomes = list(visit(run.directory, fix=False))

    assert [
        (
            "artifact",
            (
                "the artifact 'a.txt' is from an attempt abandoned since, and replaced what was kept "
                "before: that is gone, until the run keeps it again"
            ),
            False,
        )
    ] == [(one.finding.kind, one.finding.sentence, one.is_left) for one in outcomes]


def test_clocks_that_jumped_are_told(directory):
    """Times that go back between attempts, or are yet to come, are no problem that could be mended."""
    log = LogWriter(attempt_path(directory, 1))
    log.append(evolve(STARTED, wall_time=900.0, attempt=1))
    log.append(Scalars(wall_time=4e9, step=30, values={"loss": 1.0}))
    log.close(Ended(wall_time=4e9, status="FINISHED"))

    outcomes = list(visit(directory, fix=False))

    assert [
        (
            "clock",
            "a clock was set back: an entry of 1970-01-01 00:17:00 UTC is before one of 1970-01-01 00:15:00 UTC",
            False,
        ),
        (
            "clock",
            "a clock was ahead: an entry is of 2096-10-02 07:06:40 UTC, which is in the future",
            False,
        ),
    ] == [(one.finding.kind, one.finding.sentence, one.is_left) for one in outcomes]


def test_files_of_processes_that_are_gone_are_removed(ended):
    """A file that a living process writes is not touched, whoever it is."""
    gone, alive = 2**22 + 1, os.getpid()
    left = ended / "artifacts" / f".unfinished-{gone}-1-00"
    (ended / f".unfinished-{alive}-1-00").write_bytes(b"12")
    left.write_bytes(b"123")

    assert [
        (
            "leftover",
            f"1 file left half-written by a process that is gone, 3 bytes in all: {left.name}",
        )
    ] == found(ended)
    assert [("leftover", "1 file removed")] == mended(ended)
    assert [f".unfinished-{alive}-1-00"] == [path.name for path in ended.glob("**/.unfinished-*")]


def test_what_has_not_reached_a_mirror_is_sent(directory, fake_mlflow):
    """The end that was missing goes there, too."""
    uri = f"mlflow:{fake_mlflow.uri}"
    save_sent(directory, Sent(uri=uri))

    assert ("unsent", f"23 entries have not reached {uri}") == found(directory)[-1]
    assert ("unsent", f"{uri} has everything") == mended(directory)[-1]
    [run] = fake_mlflow.runs.values()
    assert ("KILLED", 20) == (run["info"]["status"], len(run["points"]))
    assert [] == found(directory)


def test_what_cannot_be_sent_stays_a_problem(ended):
    """A password that is not kept is asked for by the command to type; a server that is down is named."""
    save_sent(ended, Sent(uri="mlflow:http://***@host"))
    [locked] = visit(ended, fix=True)
    (next(ended.glob(".mirror-*.json"))).unlink()
    save_sent(ended, Sent(uri="mlflow:http://127.0.0.1:9"))

    [down] = visit(ended, fix=True)

    assert (
        f"24 entries have not reached mlflow:http://***@host, and its password is not kept: send them with "
        f"python -m treadle_tracking sync {ended} --to mlflow:http://USER:PASSWORD@host; a mirror that is there by mistake "
        f"is taken away with python -m treadle_tracking sync {ended} --forget 'mlflow:http://***@host'"
    ) == locked.finding.sentence
    assert (True, True) == (locked.is_left, down.is_left)
    assert down.failed.startswith(
        "24 entries of this run did not reach mlflow:http://127.0.0.1:9 in time (ServerUnreachable: "
    )


def test_a_note_that_cannot_be_read_is_told(ended):
    """Where a run is mirrored to is known from nowhere else."""
    path = ended / ".mirror-0123456789ab.json"
    path.write_text("{")

    assert [
        (
            "mirror",
            (
                f"{path} cannot be read, and it says where this run is mirrored to: delete that file and send the run again "
                f"with: python -m treadle_tracking sync {ended} --to mlflow:URI. What has arrived already stays as it is"
            ),
        )
    ] == found(ended)


def test_a_run_that_never_began_is_told(tmp_path):
    """A process that was killed while it started a run leaves a file without an entry; nothing of it is removed."""
    attempt_path(tmp_path).write_bytes(b"")

    outcomes = list(visit(tmp_path, fix=True))

    assert [
        (
            "empty",
            "has no entry: its process ended while the run began. Delete it if you like",
            False,
        )
    ] == [(one.finding.kind, one.finding.sentence, one.is_left) for one in outcomes]


def test_a_record_of_something_else_is_told(directory):
    """A whole record that is none of ours, though its checksum is right, is passed over, and said."""
    with attempt_path(directory).open("ab") as file:
        file.write(framed(b"\xff\xff\xff"))

    strange, *_ = visit(directory, fix=True)

    assert ("damaged", False) == (strange.finding.kind, strange.is_left)
    assert (
        f"1 record of {attempt_path(directory).name} is whole but unknown: another program, or a later version of this "
        "one, wrote that. Everything else is read"
    ) == strange.finding.sentence


def test_an_old_file_store_is_told(tmp_path):
    """MLflow no longer opens it, and says how it is brought into a database."""
    store = tmp_path / "mlruns"
    (store / "0").mkdir(parents=True)
    assert None is old_file_store(tmp_path)
    (store / "0" / "meta.yaml").touch()

    finding = old_file_store(tmp_path)

    assert ("mlruns", False) == (finding.kind, finding.is_problem)
    assert (
        f"is a file store of older versions of MLflow; its runs are brought into a database by: "
        f"mlflow migrate-filestore --source {store} --target sqlite:///{store}.db"
    ) == finding.sentence


def test_a_run_that_a_mirror_has_is_removed(ended, fake_mlflow):
    """Finished, acknowledged, and there when asked: nothing is lost with the directory."""
    uri = f"mlflow:{fake_mlflow.uri}"
    sync(ended, to=uri)
    size = sum(path.lstat().st_size for path in ended.rglob("*"))

    actual = prune(ended)

    assert evolve(actual, size=0) == Pruned(directory=ended, mirrors=(uri,))
    assert 0 < actual.size <= size + 1000
    assert not ended.exists()


def _unmirrored(directory, fake):
    return "it has no mirror"


def _killed(directory, fake):
    log = LogWriter(attempt_path(directory, 1))
    log.close(Ended(wall_time=2000.0, status="KILLED"))
    sync(directory, to=f"mlflow:{fake.uri}")
    return "it is not FINISHED"


def _behind(directory, fake):
    sync(directory, to=f"mlflow:{fake.uri}")
    save_sent(directory, Sent(uri="mlflow:http://127.0.0.1:9"))
    return "24 entries not at mlflow:http://127.0.0.1:9"


def _checkpointed(directory, fake):
    sync(directory, to=f"mlflow:{fake.uri}")
    (directory / "checkpoints").mkdir()
    (directory / "checkpoints" / "last.pt").touch()
    return "1 file that no mirror was ever sent, such as checkpoints/last.pt"


def _deleted(directory, fake):
    sync(directory, to=f"mlflow:{fake.uri}")
    [identity] = fake.runs
    fake.runs_delete({"run_id": identity})
    return (
        f"the run 'baseline', which was {identity} at mlflow:{fake.uri}, is not there any more; "
        f"sending it again makes another"
    )


def _refused(directory, fake):
    fake.artifact_root = "s3://bucket/"
    sync(directory, to=f"mlflow:{fake.uri}")
    return f"mlflow:{fake.uri} did not take 2 parts of it, such as 'params.json'"


def _down(directory, fake):
    sync(directory, to=f"mlflow:{fake.uri}")
    fake.says(500, "broken")
    return f"mlflow:{fake.uri} has failed (500: broken); it is tried again, and the server's own log says more"


@pytest.mark.parametrize(
    "happens", [_unmirrored, _killed, _behind, _checkpointed, _deleted, _refused, _down]
)
def test_a_run_that_no_mirror_has_as_a_whole_is_kept(ended, fake_mlflow, happens):
    """Of whatever would be lost with the directory, the reason says what it is."""
    why = happens(ended, fake_mlflow)

    actual = prune(ended)

    assert Pruned(directory=ended, kept_because=why) == actual
    assert ended.exists()
    assert not (ended / ".writer").exists()


KILLED = """
import os, signal, sys
from treadle_tracking import start_run
run = start_run(["tensorboard:runs", sys.argv[1]], experiment="digits", name="killed", params={"lr": 0.1})
for step in range(500):
    run.log({"loss": 1 / (step + 1)}, step=step)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.slow
def test_a_kill_is_told_and_mended_everywhere(tmp_path, fake_mlflow):
    """A killed run reads UNFINISHED; mended, it is KILLED in the directory and in MLflow, and a failure in TensorBoard."""
    loader = pytest.importorskip(
        "tensorboard.backend.event_processing.event_file_loader",
        reason="needs the extra treadle-tracking[tensorboard]",
    )
    from tensorboard.plugins.hparams import plugin_data_pb2

    done = subprocess.run(
        [sys.executable, "-c", KILLED, f"mlflow:{fake_mlflow.uri}"],
        cwd=tmp_path,
        capture_output=True,
        check=False,
    )
    target = f"tensorboard:{tmp_path / 'runs'}"
    [before] = open_runs(target)

    kinds = [one.finding.kind for one in visit(before.directory, fix=False)]
    list(visit(before.directory, fix=True))

    [after] = open_runs(target)
    [run] = fake_mlflow.runs.values()
    ends = []
    for event in loader.EventFileLoader(str(attempt_path(before.directory))).Load():
        for value in event.summary.value:
            if value.tag == "_hparams_/session_end_info":
                data = plugin_data_pb2.HParamsPluginData.FromString(
                    value.metadata.plugin_data.content
                )
                ends.append(data.session_end_info.status)
    assert -signal.SIGKILL == done.returncode
    assert ("UNFINISHED", "KILLED") == (before.status, after.status)
    assert "orphan" == kinds[0]
    assert ("KILLED", 500) == (run["info"]["status"], len(run["points"]))
    assert [2] == ends  # STATUS_FAILURE of `tensorboard/plugins/hparams/api.proto`
    assert [] == found(before.directory)
    assert (after.ended or 0) <= time.time()


def test_a_held_back_entry_counts_as_not_sent(directory, fake_mlflow):
    """Of a killed run that sends only what is committed, the rest is sent with the end."""
    from treadle_tracking.backends import mirror
    from treadle_tracking.mirrors.sender import Sender

    log = LogWriter(attempt_path(directory), again=True)
    log.append(Committed(wall_time=1030.0, step=20))
    log.append(Scalars(wall_time=1031.0, step=20, values={"loss": 0.0}))
    log.close()
    uri = f"mlflow:{fake_mlflow.uri}"
    sender = Sender(directory, mirror(uri), "committed")
    sender.start()
    sender.close(60)

    assert ("unsent", f"1 entry has not reached {uri}") == found(directory)[-1]
    mended(directory)
    [run] = fake_mlflow.runs.values()
    assert ("KILLED", 21) == (run["info"]["status"], len(run["points"]))


def test_beside_damage_what_is_missing_is_told(tmp_path):
    """Damaged records hide nothing that is wrong whatever they say; an artifact behind them is looked for, too."""
    directory = tmp_path / "runs" / "digits" / "a"
    directory.mkdir(parents=True)
    log = LogWriter(attempt_path(directory))
    log.append(Started(wall_time=1000.0, uid="u", experiment="digits", name="a"))
    begin = attempt_path(directory).stat().st_size
    log.append(Scalars(wall_time=1001.0, step=1, values={"loss": 1.0}))
    log.append(Artifact(wall_time=1002.0, path="a.txt", size=1, sha256=""))
    log.close(Ended(wall_time=1003.0, status="FINISHED"))
    with attempt_path(directory).open("rb+") as file:
        file.seek(begin + 14)
        file.write(b"\xff\xff\xff")

    assert ["params.json is missing", "the artifact 'a.txt' is missing"] == [
        sentence.partition(". ")[0] for kind, sentence in found(directory) if kind != "damaged"
    ]


def test_everything_is_mended_once(directory, fake_mlflow):
    """A second look with `--fix` finds nothing, does nothing, and leaves every file as it is."""
    path = attempt_path(directory)
    places = offsets(path)
    damage(path, places[9] + 20, places[9] + 22)
    with path.open("ab") as file:
        file.write(framed(b"0123456789")[:-1])
    (directory / "params.json").unlink()
    (directory / f".unfinished-{2**22 + 1}-1-00").write_bytes(b"12")
    save_sent(directory, Sent(uri=f"mlflow:{fake_mlflow.uri}"))

    first = mended(directory)
    before = {path: path.read_bytes() for path in directory.rglob("*") if path.is_file()}
    asked = len(fake_mlflow.requests)
    second = mended(directory)

    assert ["damaged", "torn", "params", "leftover", "orphan", "unsent"] == [
        kind for kind, _ in first
    ]
    assert [] == second
    assert before == {path: path.read_bytes() for path in directory.rglob("*") if path.is_file()}
    assert asked == len(fake_mlflow.requests)


def test_what_was_mended_is_told_though_something_cannot_be_read(directory, monkeypatch):
    """A file that cannot be read ends the visit, and hides nothing that was found or done before."""
    with attempt_path(directory).open("ab") as file:
        file.write(framed(b"0123456789")[:-1])

    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("treadle_tracking.doctor.examination._digest", refuse)
    told, done = found(directory), mended(directory)

    assert ["torn", "unreadable"] == [kind for kind, _ in told]
    assert [("torn", "25 bytes were cut off"), ("unreadable", None)] == done
    file = directory / "artifacts" / "a.txt"
    assert f"cannot be read ({file}: Permission denied)" == told[-1][1]


def test_what_others_have_written_is_passed_over(ended):
    """An event file of somebody else's beside a run or in a folder of its own is neither looked at nor changed."""
    root = ended.parent.parent
    theirs = root / "theirs" / "events.out.tfevents.1700000000.host.1.0"
    theirs.parent.mkdir()
    for path in (theirs, ended / theirs.name):
        path.write_bytes(b"of another kind")

    assert [ended] == found_below(root).runs
    assert ([], []) == (found(ended, fix=True), found(ended))
    assert [b"of another kind"] * 2 == [theirs.read_bytes(), (ended / theirs.name).read_bytes()]


def test_links_lead_nowhere_else(ended, tmp_path):
    """A link to the run is no second run; what links inside of it lead to is not searched, and a linked artifact is one."""
    (tmp_path / "runs" / "latest").symlink_to(ended)
    (ended / "artifacts" / "loop").symlink_to(tmp_path)
    outside = tmp_path / f".unfinished-{2**22 + 1}-1-00"
    outside.write_bytes(b"12")
    kept = ended / "artifacts" / "a.txt"
    kept.rename(tmp_path / "a.txt")
    kept.symlink_to(tmp_path / "a.txt")

    assert [ended] == found_below(tmp_path / "runs").runs
    assert [] == found(ended, fix=True)
    assert outside.exists()


def test_an_index_is_no_finding_and_keeps_no_run(ended, fake_mlflow):
    """A reader's cache and the note of a copy are nothing that would be lost with the directory."""
    (ended / ".treadle-index.sqlite3").write_bytes(b"a cache")
    (ended / ".treadle-index.sqlite3-wal").write_bytes(b"a cache")
    (ended / ".copied.json").write_text("{}")
    sync(ended, to=f"mlflow:{fake_mlflow.uri}")

    assert [] == found(ended)
    assert None is prune(ended).kept_because


def test_a_beat_that_is_yet_to_come_is_told(directory):
    """The process of another machine would be alive until then, if nobody said what can be done."""
    leave(directory, writer(place="another", host="there"), 4_000_000_000)

    assert [
        (
            "in use",
            (
                f"is being written by process {2**22 + 1} on there, and is left alone. It was last heard of at "
                f"2096-10-02 07:06:40 UTC, which is in the future: a clock was ahead. If that process is gone, delete "
                f"{directory / '.writer'}"
            ),
        )
    ] == found(directory, fix=True)


def twin_of(directory, name="copy"):
    """A copy of a run directory, as `cp -r` makes one."""
    return shutil.copytree(directory, directory.with_name(name))


def test_copies_of_a_run_are_told(ended):
    """Directories of one uid are listed as several runs: that is said of each, and is no problem."""
    copies = [twin_of(ended, "b"), twin_of(ended, "c")]
    other = twin_of(ended, "d")
    attempt_path(other).unlink()
    log = LogWriter(attempt_path(other))
    log.close(evolve(STARTED, uid="u2"))
    unreadable = twin_of(ended, "e")
    attempt_path(unreadable).write_bytes(framed(b"\xff\xff\xff"))

    findings = twin_findings([ended, *copies, other, unreadable])

    of = (
        "as a copy has: readers list each of them, and none is found by its uid alone. Move the one that is not the run "
        "out of the directory where runs are, or delete it"
    )
    assert {
        ended: (f"has the uid 'u1' of {copies[0]} and 1 more, {of}", False),
        copies[0]: (f"has the uid 'u1' of {ended} and 1 more, {of}", False),
        copies[1]: (f"has the uid 'u1' of {ended} and 1 more, {of}", False),
    } == {path: (finding.sentence, finding.is_problem) for path, finding in findings.items()}


def test_of_two_copies_with_one_mirror_nothing_is_sent(directory, fake_mlflow):
    """What either records would join the other's, so the user has to say which is to be there; then the other is sent."""
    uri = f"mlflow:{fake_mlflow.uri}"
    sync(directory, to=uri)
    copy = twin_of(directory)
    log = LogWriter(attempt_path(copy), again=True)
    log.append(Scalars(wall_time=1050.0, step=99, values={"loss": 0.0}))
    log.close()
    findings = twin_findings([directory, copy])
    asked = len(fake_mlflow.requests)

    outcomes = list(visit(copy, fix=True, twin=findings[copy]))
    sent = len(fake_mlflow.requests) - asked
    forget(copy, uri)
    afterwards = twin_findings([directory, copy])
    alone = list(visit(directory, fix=True, twin=afterwards[directory]))

    assert [
        ("same uid", None, True),
        ("orphan", "ended as KILLED at 1970-01-01 00:17:30 UTC", False),
        ("unsent", None, True),
    ] == [(one.finding.kind, one.done, one.is_left) for one in outcomes]
    assert (
        f"has the uid 'u1' of {directory}, as a copy has, and both are sent to {uri}, where they are one run: what either "
        f"records joins the other's, so nothing is sent now. If this is not the one that is to be there: "
        f"python -m treadle_tracking sync {copy} --forget {uri}"
    ) == outcomes[0].finding.sentence
    assert (0, None) == (sent, outcomes[-1].finding.remedy)
    assert [False, False] == [one.is_problem for one in afterwards.values()]
    assert ("unsent", f"{uri} has everything") == (alone[-1].finding.kind, alone[-1].done)
    [run] = fake_mlflow.runs.values()
    assert 20 == len(run["points"])


def test_a_copy_that_is_not_whole_is_told(tmp_path):
    """Runs that were being copied here when that ended are no runs; the next copy removes them."""
    assert None is unfinished_copies(tmp_path)
    made = tmp_path / ".treadle-copying" / "abc"
    made.mkdir(parents=True)
    (made / "log.unfinished").write_bytes(b"123")

    finding = unfinished_copies(tmp_path)

    assert ("leftover", False, tmp_path) == (finding.kind, finding.is_problem, finding.directory)
    assert (
        "1 run in .treadle-copying that a copy has not finished, 3 bytes in all: the next copy to this directory removes "
        "what is there. If none is running, it can be deleted"
    ) == finding.sentence
