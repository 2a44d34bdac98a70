import json
import os
import signal
import subprocess
import sys
import threading
import time
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace

import pytest

import treadle_tracking
from treadle_tracking import open_runs, start_run
from treadle_tracking.entries import Artifact, Ended, Image, Params, Scalars, Started, Tags, Text
from treadle_tracking.errors import (
    ArtifactInTheWay,
    InvalidMapping,
    InvalidName,
    InvalidStatus,
    InvalidStep,
    InvalidTarget,
    InvalidValue,
    NoDirectory,
    RunDirectoryError,
    RunEnded,
    UnsupportedParam,
)
from treadle_tracking.log import attempt_path, read_entries

ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path / "runs"


def entries(run):
    return [entry for entry, _ in read_entries(run.directory)]


def ran(script, **options):
    """What a script did that starts a run in `runs` of the current directory."""
    return subprocess.run(
        [sys.executable, "-c", "from treadle_tracking import start_run, open_runs\n" + script],
        capture_output=True,
        text=True,
        check=False,
        env=ENVIRONMENT,
        **options,
    )


def test_a_run_is_recorded_from_start_to_end(root, monkeypatch):
    """The log holds who the run is, what it was given, what it logged, and how it ended, each with its time."""
    clock = iter(range(1_700_000_000, 1_800_000_000))
    monkeypatch.setattr(time, "time", lambda: float(next(clock)))
    with start_run(
        "tensorboard:runs",
        experiment="digits",
        name="baseline",
        uid="the-uid",
        params={"optim": {"lr": 1e-3}},
        tags={"by": "me"},
        group="seeds",
    ) as run:
        run.log({"loss": 0.5, "hits": 3}, step=1)
        run.text("note", "*hello*", step=2)
        run.tag({"by": "you"})
    recorded = entries(run)

    assert [
        Started(
            wall_time=1.7e9 + 1, uid="the-uid", experiment="digits", name="baseline", group="seeds"
        ),
        Params(wall_time=1.7e9 + 2, values={"optim": {"lr": 1e-3}}),
        Tags(wall_time=1.7e9 + 2, values={"by": "me"}),
        Scalars(wall_time=1.7e9 + 3, step=1, values={"loss": 0.5, "hits": 3.0}),
        Text(wall_time=1.7e9 + 4, step=2, name="note", text="*hello*"),
        Tags(wall_time=1.7e9 + 5, values={"by": "you"}),
        Ended(wall_time=1.7e9 + 6, status="FINISHED"),
    ] == recorded


def test_the_run_says_who_it_is(root):
    """Directory, names, uid and status can be asked for, before and after the end."""
    run = start_run("tensorboard:runs", experiment="a/b", name="x", uid="u")
    before = (run.directory, run.experiment, run.name, run.uid, run.status, run.recording)
    run.close()

    assert (root / "a%2Fb" / "x", "a/b", "x", "u", "RUNNING", True) == before
    assert "FINISHED" == run.status
    assert f"<Run 'x' of 'a/b', FINISHED, in {root / 'a%2Fb' / 'x'}>" == repr(run)


def test_a_name_of_its_own_is_readable_and_unique(root):
    """Without a name the run has the time and four letters of its uid, as its directory has."""
    run = start_run("tensorboard:runs")
    run.close()

    assert run.name == run.directory.name
    assert time.strptime(run.name[:17], "%Y-%m-%d-%H%M%S")
    assert run.uid[:4] == run.name[18:]


def test_numbers_are_in_the_file_when_log_returns(root):
    """Another reader sees a logged value at once, without any flush."""
    run = start_run("tensorboard:runs")
    run.log({"loss": 0.1}, step=7)
    seen = open_runs("tensorboard:runs")[run.name].history("loss")
    run.close()

    assert ((7, 0.1),) == seen


def test_params_json_has_the_exact_parameters(root):
    """`params.json` holds nested, typed values, readable by people."""
    run = start_run(
        "tensorboard:runs", params={"a": {"b": (1, None)}, "ü": 1e-3, "c": float("inf")}
    )
    run.close()

    assert (
        '{\n  "a": {\n    "b": [\n      1,\n      null\n    ]\n  },\n  "ü": 0.001,\n  "c": {\n    "$float": "inf"\n'
        "  }\n}\n"
    ) == (run.directory / "params.json").read_text(encoding="utf-8")


def test_artifacts_are_copied_whole(root, tmp_path):
    """An artifact is in the run's own directory, with size and hash in the log, and no unfinished copy is left."""
    source = tmp_path / "model.pt"
    source.write_bytes(b"weights")
    with start_run("tensorboard:runs") as run:
        run.artifact(source)
        run.artifact(str(source), "best/../model.pt")
        source.write_bytes(b"other weights")
        run.artifact(source)
    recorded = [
        (entry.path, entry.size, entry.sha256)
        for entry in entries(run)
        if isinstance(entry, Artifact)
    ]
    files = sorted(path for path in (run.directory / "artifacts").rglob("*") if path.is_file())

    assert [
        ("model.pt", 7, sha256(b"weights").hexdigest()),
        ("best/%2E%2E/model.pt", 7, sha256(b"weights").hexdigest()),
        ("model.pt", 13, sha256(b"other weights").hexdigest()),
    ] == recorded
    assert [
        run.directory / "artifacts/best/%2E%2E/model.pt",
        run.directory / "artifacts/model.pt",
    ] == files


def test_an_artifact_that_is_not_there_is_an_error_and_no_entry(root, tmp_path):
    """A missing file raises, and neither a file nor an entry is left of it."""
    with start_run("tensorboard:runs") as run, pytest.raises(FileNotFoundError):
        run.artifact(tmp_path / "missing")

    assert [] == list((run.directory / "artifacts").iterdir())
    assert [Started, Params, Ended] == [type(entry) for entry in entries(run)]


def test_an_artifact_is_no_folder_of_another(root, tmp_path):
    """A name that is a file already cannot be a folder, nor the other way round, and what was kept stays."""
    with start_run("tensorboard:runs") as run:
        run.json("a", 1)
        run.json("b/c", 2)
        with pytest.raises(ArtifactInTheWay) as caught:
            run.json("a.json/d", 3)
        with pytest.raises(ArtifactInTheWay):
            run.artifact(run.directory / "params.json", "b")

    assert (
        "the artifact 'a.json/d.json' cannot be kept: another artifact is a folder of this name, or a file where this "
        "one needs a folder. Give it another name"
    ) == str(caught.value)
    assert ["a.json", "b/c.json"] == [e.path for e in entries(run) if isinstance(e, Artifact)]


def test_a_json_value_is_an_artifact(root):
    """What a parameter can be is kept as `<name>.json`."""
    with start_run("tensorboard:runs") as run:
        run.json("vocab/en", [{"a": 1}, float("nan")])

    assert [{"a": 1}, {"$float": "nan"}] == json.loads(
        (run.directory / "artifacts/vocab/en.json").read_text()
    )
    assert ["vocab/en.json"] == [e.path for e in entries(run) if isinstance(e, Artifact)]


def test_images_and_figures_are_png_entries(root):
    """An image and a matplotlib figure are in the log with their size."""
    pytest.importorskip("PIL", reason="needs the extra treadle-tracking[images]")
    np = pytest.importorskip("numpy", reason="numpy is no dependency of treadle-tracking")
    figure = pytest.importorskip(
        "matplotlib.figure", reason="needs the extra treadle-tracking[plots]"
    ).Figure(figsize=(2, 1), dpi=10)
    with start_run("tensorboard:runs") as run:
        run.image("digit", np.zeros((3, 4)), step=1)
        run.figure("curve", figure, step=2)

    assert [("digit", 1, 4, 3), ("curve", 2, 20, 10)] == [
        (entry.name, entry.step, entry.width, entry.height)
        for entry in entries(run)
        if isinstance(entry, Image)
    ]


@pytest.mark.parametrize(
    ("record", "error"),
    [
        (lambda run: run.log({"loss": 1.0, "acc": "high"}, step=1), InvalidValue),
        (lambda run: run.log({"loss": 1.0}, step=1.0), InvalidStep),
        (lambda run: run.log({"": 1.0}, step=1), InvalidName),
        (lambda run: run.log({3: 1.0}, step=1), InvalidName),
        (lambda run: run.text("a", 3, step=1), InvalidName),
        (lambda run: run.tag({"a": 1}), InvalidName),
        (lambda run: run.json("a", object()), UnsupportedParam),
        (lambda run: run.artifact("x", ""), InvalidName),
        (lambda run: run.log([("loss", 1.0)], step=1), InvalidMapping),
        (lambda run: run.tag("a"), InvalidMapping),
        (lambda run: run.close("DONE"), InvalidStatus),
        (lambda run: run.close("RUNNING"), InvalidStatus),
    ],
    ids=[
        "value",
        "step",
        "no name",
        "name",
        "text",
        "tag",
        "json",
        "artifact",
        "no mapping",
        "no tags",
        "status",
        "running",
    ],
)
def test_what_cannot_be_recorded_is_an_error_and_leaves_nothing(root, record, error):
    """A mistake raises at the call, the log has no part of it, and the run goes on."""
    with start_run("tensorboard:runs") as run:
        with pytest.raises(error):
            record(run)
        run.log({"loss": 1.0}, step=2)

    assert [Started, Params, Scalars, Ended] == [type(entry) for entry in entries(run)]
    assert [] == list((run.directory / "artifacts").iterdir())


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"target": "tensorbord:runs"}, InvalidTarget),
        ({"params": {"a": object()}}, UnsupportedParam),
        ({"tags": {"a": 1}}, InvalidName),
        ({"experiment": ""}, InvalidName),
        ({"name": ""}, InvalidName),
        ({"uid": ""}, InvalidName),
        ({"group": ""}, InvalidName),
        ({"params": []}, InvalidMapping),
        ({"tags": ["a"]}, InvalidMapping),
    ],
    ids=["target", "params", "tags", "experiment", "name", "uid", "group", "no params", "no tags"],
)
def test_a_mistake_at_the_start_writes_nothing(root, arguments, error):
    """Whatever is wrong with a run's arguments is found before its directory is made."""
    with pytest.raises(error):
        start_run(**{"target": "tensorboard:runs", **arguments})

    assert not root.exists()


def test_a_closed_run_records_nothing_more(root):
    """Recording after the end is an error that says so; closing again does nothing."""
    run = start_run("tensorboard:runs", name="x")
    run.close("FAILED")
    run.close()
    for record in (
        lambda: run.log({"loss": 1.0}, step=1),
        lambda: run.text("a", "b", step=1),
        lambda: run.artifact("x"),
        lambda: run.json("a", 1),
        lambda: run.tag({"a": "b"}),
    ):
        with pytest.raises(RunEnded) as caught:
            record()
        assert (
            "the run 'x' has ended (FAILED) and records nothing more: record before it is closed, or start another run"
        ) == str(caught.value)

    assert [Started, Params, Ended] == [type(entry) for entry in entries(run)]


def test_a_value_that_is_no_json_is_no_parameter(root):
    """The message of `run.json` speaks of the value that it was given."""
    with start_run(f"tensorboard:{root}") as run, pytest.raises(UnsupportedParam) as caught:
        run.json("o", {"a": [1j]})

    assert (
        "the JSON value 'o.a[0]' is 1j (complex). Expected None, bool, int, float, str, a path, a function or class, "
        "an attrs or dataclass object, or lists and mappings of these: give str(...) of it"
    ) == str(caught.value)


def test_what_is_logged_while_another_thread_ends_the_run_is_refused(root, monkeypatch, capsys):
    """The end is the last entry, whatever other threads are about, and who comes too late is told."""
    run = start_run("tensorboard:runs")
    log = run._recorder._log
    encoder = log._encoder

    def record(entry):
        if isinstance(entry, Scalars):
            run.close()  # as another thread may, between any two steps of this one
        return encoder.record(entry)

    log._encoder = SimpleNamespace(record=record)
    with pytest.raises(RunEnded):
        run.log({"loss": 1.0}, step=1)

    assert [Started, Params, Ended] == [type(entry) for entry in entries(run)]
    assert "" == capsys.readouterr().err


def test_none_is_a_run_that_does_nothing(root):
    """The same calls do nothing, look at nothing, and write nothing."""
    with start_run(None, params={"a": object()}) as run:
        run.log({"loss": "not even a number"}, step="x")
        run.image("a", None, step=1)
        run.figure("a", None, step=1)
        run.text("a", "b", step=1)
        run.artifact("missing")
        run.json("a", object())
        run.tag({"a": "b"})
        recording = run.recording
    with pytest.raises(NoDirectory) as caught:
        run.directory  # noqa: B018

    assert not recording
    assert "FINISHED" == run.status
    assert [] == list(Path().iterdir())
    assert (
        "this run records nothing, so it has no directory: it was started with start_run(None). "
        "Ask `run.recording` first, or give it a target such as 'tensorboard:runs'"
    ) == str(caught.value)


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ("pass", "FINISHED", 0),
        ("raise ValueError", "FAILED", 1),
        ("import sys; sys.exit(3)", "FAILED", 3),
        ("import sys; sys.exit('a message')", "FAILED", 1),
        ("import sys; sys.exit('')", "FAILED", 1),
        ("import sys; sys.exit(0)", "FINISHED", 0),
        ("import sys; sys.exit()", "FINISHED", 0),
        ("raise KeyboardInterrupt", "KILLED", -2),
        (
            "import os, signal; os.kill(os.getpid(), signal.SIGINT); import time; time.sleep(60)",
            "KILLED",
            -2,
        ),
        (
            "import os, signal; os.kill(os.getpid(), signal.SIGTERM); import time; time.sleep(60)",
            "KILLED",
            143,
        ),
    ],
)
def test_the_status_is_how_the_block_was_left(root, body, status, code):
    """A run ends as what it was, and the process ends as it would have: its exit code is untouched."""
    done = ran(f"with start_run('tensorboard:runs') as run:\n    {body}")
    (run,) = open_runs("tensorboard:runs")

    assert (status, code) == (run.status, done.returncode)


def test_sigterm_leaves_no_traceback(root):
    """A run that a scheduler stops says nothing on stderr."""
    done = ran(
        "import os, signal\n"
        "with start_run('tensorboard:runs'): os.kill(os.getpid(), signal.SIGTERM); import time; time.sleep(60)"
    )

    assert "" == done.stderr


def test_a_sigterm_while_a_run_is_closed_comes_after_its_end(root):
    """What has begun to end is written down as it ends, and the process still ends as one that was told to."""
    done = ran(
        "import os, signal\n"
        "run = start_run('tensorboard:runs')\n"
        "inner = run._recording\n"
        "def recording():\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "    return inner()\n"
        "run._recording = recording\n"
        "run.close('FAILED')\n"
    )
    (run,) = open_runs("tensorboard:runs")

    assert ("FAILED", 143, "") == (run.status, done.returncode, done.stderr)


def test_a_generator_that_is_left_early_has_not_failed(root):
    """Breaking out of a loop over a generator with a run inside ends the run as finished."""

    def training():
        with start_run("tensorboard:runs"):
            yield 1

    training_steps = training()
    next(training_steps)
    training_steps.close()

    assert ["FINISHED"] == [run.status for run in open_runs("tensorboard:runs")]


def test_a_fork_writes_nothing(root):
    """A forked process can use the run, to no effect: no entry, no end, no second run."""
    script = """
import os
with start_run('tensorboard:runs', name='x') as run:
    run.log({'loss': 1.0}, step=1)
    child = os.fork()
    if child == 0:
        run.log({'loss': 2.0}, step=2)
        run.text('a', 'b', step=2)
        print(run.recording, flush=True)
    else:
        os.waitpid(child, 0)
        run.log({'loss': 3.0}, step=3)
"""
    done = ran(script)
    (run,) = open_runs("tensorboard:runs")
    kinds = [type(entry) for entry in entries(run)]

    assert "False\n" == done.stdout
    assert [Started, Params, Scalars, Scalars, Ended] == kinds


def test_threads_record_into_the_one_run(root):
    """Four threads log at once, every value is there, and there is one run."""
    with start_run("tensorboard:runs") as run:

        def log(thread):
            for step in range(100):
                run.log({f"loss/{thread}": step}, step=step)

        threads = [threading.Thread(target=log, args=(n,)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    (read,) = open_runs("tensorboard:runs")

    assert {f"loss/{n}": tuple((step, float(step)) for step in range(100)) for n in range(4)} == {
        name: read.history(name) for name in read.metrics
    }


def test_a_full_disk_does_not_stop_training(root):
    """What cannot be written is said once, entries wait, and artifacts that were not kept are counted at the end."""
    script = """
import resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
with start_run('tensorboard:runs', experiment='e', name='x') as run:
    run.log({'loss': 1.0}, step=1)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, resource.RLIM_INFINITY))
    run.log({'loss': 2.0}, step=2)
    run.json('vocabulary', list(range(100)))
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    run.log({'loss': 4.0}, step=4)
"""
    done = ran(script)
    (run,) = open_runs("tensorboard:runs")

    assert 0 == done.returncode
    assert (
        f"treadle: {run.directory} cannot be written to (File too large); training goes on, entries are kept in memory as "
        f"far as that goes and written when there is room\n"
        f"treadle: artifacts/vocabulary.json could not be kept in {run.directory} (File too large), and is lost, as is any "
        f"later file that there is no room for; training goes on\n"
        f"treadle: 1 entry of the run 'x' could not be written and is lost\n"
    ) == done.stderr
    assert ("FINISHED", ((1, 1.0), (2, 2.0), (4, 4.0)), ()) == (
        run.status,
        run.history("loss"),
        run.artifacts,
    )
    assert [] == list((run.directory / "artifacts").iterdir())


def test_a_disk_that_is_full_at_the_start_leaves_no_half_of_a_run(root):
    """Where not even the start can be written, the error is clear and the directory is gone."""
    script = """
import resource, signal
from treadle_tracking import RunDirectoryError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20, 20))
try:
    start_run('tensorboard:runs', experiment='e', name='x')
except RunDirectoryError as error:
    print(error)
"""
    done = ran(script)

    assert (
        f"{root}/e/x: the run cannot be written here: File too large. "
        f"Name a directory that can be written to\n"
    ) == done.stdout
    assert [] == list((root / "e").iterdir())


@pytest.mark.parametrize(
    "error", [OSError(28, "full"), RuntimeError("no thread"), KeyboardInterrupt]
)
def test_a_start_that_fails_or_is_interrupted_leaves_nothing(root, monkeypatch, error):
    """Whatever goes wrong after the directory was made, it is gone, and no mirror is being fed."""
    closed = []

    class Sender:
        def __init__(self, directory, mirror, when):
            self.mirror = mirror

        def start(self):
            if self.mirror == "mlflow:http://b":
                raise error

        def close(self, timeout):
            closed.append((self.mirror, timeout))

    monkeypatch.setattr(treadle_tracking.starting, "_mirror", lambda uri: uri)
    monkeypatch.setattr(treadle_tracking.starting, "Sender", Sender)
    expected = RunDirectoryError if isinstance(error, OSError) else error
    with pytest.raises(expected if isinstance(expected, type) else type(expected)):
        start_run(["tensorboard:runs", "mlflow:http://a", "mlflow:http://b"])

    assert [] == list((root / "default").iterdir())
    assert [("mlflow:http://a", 0), ("mlflow:http://b", 0)] == closed
    assert signal.SIG_DFL == signal.getsignal(signal.SIGTERM)


def test_an_unchosen_directory_is_told(root, capsys, monkeypatch):
    """A run with mirrors alone says where its directory is."""
    monkeypatch.setattr(treadle_tracking.starting, "_mirror", lambda uri: uri)

    class Silent:
        def __init__(self, *_):
            pass

        start = wake = hurry = lambda self: None

        def close(self, timeout):
            return None

    monkeypatch.setattr(treadle_tracking.starting, "Sender", Silent)
    with start_run("mlflow:http://127.0.0.1:1", experiment="e", name="x") as run:
        pass

    assert f"treadle: the run is kept in {run.directory}\n" == capsys.readouterr().err
    assert root.parent / ".treadle/runs/e/x" == run.directory
    assert attempt_path(run.directory).exists()


def test_a_run_says_where_it_goes(tmp_path: Path) -> None:
    """A run knows the root that TensorBoard is given."""
    with start_run(f"tensorboard:{tmp_path}", experiment="e", name="n") as run:
        pass

    assert tmp_path == run.root
    assert () == run.mirrors


def test_a_uid_holds_no_null_character(root):
    """Databases compare a text up to its first null character, so that another run might be found by it."""
    with pytest.raises(InvalidName):
        start_run("tensorboard:runs", uid="a\0b")

    assert not root.exists()


def test_later_parameters_join_earlier_ones_by_dotted_name(root):
    """A nested parameter that is added leaves those beside it, for readers and in params.json."""
    with start_run("tensorboard:runs", name="x", params={"optim": {"lr": 1, "eps": 2}}) as run:
        run.params({"optim": {"lr": 3, "wd": 0}})

    expected = {"optim": {"lr": 3, "eps": 2, "wd": 0}}
    assert expected == open_runs("tensorboard:runs")["x"].params
    assert expected == json.loads((run.directory / "params.json").read_bytes())
