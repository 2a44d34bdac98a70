"""Which run goes on."""

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from threading import Barrier, BrokenBarrierError, Thread

import pytest

from treadle_tracking import open_runs, start_run, starting
from treadle_tracking.errors import (
    CorruptRecord,
    InvalidChoice,
    InvalidTarget,
    NoSuchRun,
    ParamsChanged,
    RunDirectoryError,
    RunExists,
    RunInUse,
    SeveralRuns,
)
from treadle_tracking.log import attempt_path, attempt_paths
from treadle_tracking.mirrors.state import Sent, save_sent
from treadle_tracking.ownership import is_alive
from treadle_tracking.places import runs_below

RUNS = "tensorboard:runs"
ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}


@pytest.fixture(autouse=True)
def root(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path / "runs"


def ended(status="FAILED", **arguments):
    """A run that ended so."""
    run = start_run(RUNS, **arguments)
    run.close(status)
    return run


def test_never_is_a_new_run(root):
    """Without `resume` a run of the same name is another one, in a directory of its own."""
    first, second = ended(name="a"), ended(name="a")

    assert first.uid != second.uid
    assert [root / "default" / "a", root / "default" / "a-2"] == [first.directory, second.directory]
    assert (False, False) == (first.resumed, second.resumed)


@pytest.mark.parametrize("status", ["FAILED", "KILLED"])
def test_auto_goes_on_with_what_is_not_finished(status):
    """A run of this experiment and name that failed or was stopped is the one, and is running again."""
    first = ended(status, experiment="e", name="a")
    second = start_run(RUNS, experiment="e", name="a", resume="auto")
    meanwhile = open_runs(RUNS)["a"].status
    second.close()

    assert (first.uid, first.directory, True) == (second.uid, second.directory, second.resumed)
    assert ("RUNNING", ["FINISHED"]) == (meanwhile, [run.status for run in open_runs(RUNS)])


def test_auto_does_not_go_on_with_what_is_finished():
    """A finished run of this name, one of another name, and one of another experiment are left as they are."""
    others = [
        ended("FINISHED", name="a"),
        ended(name="b"),
        ended(name="a", experiment="e"),
        ended(),
    ]
    run = ended(name="a", resume="auto")

    assert run.uid not in {other.uid for other in others}
    assert not run.resumed


def test_a_uid_is_a_run_however_it_ended():
    """By its uid a finished run goes on, too, whatever name and experiment are given."""
    first = ended("FINISHED", experiment="e", name="a", uid="u")
    second = ended(experiment="other", name="b", uid="u", resume="must")

    assert (first.directory, "e", "a", True) == (
        second.directory,
        second.experiment,
        second.name,
        second.resumed,
    )


def test_auto_with_a_new_uid_starts_that_run():
    """Where there is none of this uid, there is one then, whatever else its name would fit."""
    ended(name="a")
    run = ended(name="a", uid="u", resume="auto")

    assert ("u", False) == (run.uid, run.resumed)


def test_a_run_without_a_name_is_known_by_its_parameters():
    """Of those without a name the one with exactly the same parameters goes on, in whatever order they are given."""
    first = ended(params={"lr": 0.1, "model": {"depth": 1, "clip": float("nan")}})
    ended(params={"lr": 0.1, "model": {"depth": 1.0, "clip": float("nan")}})
    ended(params={"lr": 0.1, "model": {"depth": True, "clip": float("nan")}})
    ended(params={"lr": 0.1})
    ended(name="named", params={"lr": 0.1, "model": {"depth": 1, "clip": float("nan")}})
    same = {"model": {"clip": float("nan"), "depth": 1}, "lr": 0.1}
    second = ended(params=same, resume="auto")

    assert first.directory == second.directory


def test_a_run_without_a_name_passes_over_one_that_is_being_written():
    """Two trials with the same parameters may run at once."""
    with start_run(RUNS, params={"lr": 0.1}) as first:
        second = ended(params={"lr": 0.1}, resume="auto")

    assert first.directory != second.directory


def test_a_run_is_known_by_its_directory(root):
    """`directory` may be that of the very run, with any target that does not contradict it."""
    first = ended("FINISHED", experiment="e", name="a")
    directory = os.path.relpath(first.directory)
    again = [
        ended(directory=first.directory, resume="must"),
        ended(directory=directory, resume="auto", uid=first.uid),
    ]
    with start_run(
        "tensorboard:runs", directory=first.directory, resume="auto", name="other"
    ) as run:
        again.append(run)

    assert [(first.uid, first.directory, root)] * 3 == [
        (run.uid, run.directory, run.root) for run in again
    ]


def test_a_directory_that_contradicts_the_target_is_an_error():
    """A run is not taken from one root to another."""
    run = ended(name="a")
    with pytest.raises(InvalidTarget) as caught:
        start_run("tensorboard:elsewhere", directory=run.directory, resume="must")

    assert (
        f"the run in {run.directory} is not below {Path('elsewhere').absolute()}, which the target names: "
        f"leave out one of them"
    ) == str(caught.value)


def test_a_directory_that_contradicts_the_uid_is_an_error():
    """The run of a directory is not another's."""
    run = ended(name="a", uid="u")
    with pytest.raises(NoSuchRun) as caught:
        start_run(RUNS, directory=run.directory, uid="v", resume="must")

    assert (
        f"no run with the uid 'v' can be continued in {run.directory}. There is 'u'. "
        f"resume='auto' starts a new one where there is none"
    ) == str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "wanted", "there"),
    [
        ({"name": "b"}, "'b' of the experiment 'default'", "'a'"),
        ({"uid": "v"}, "with the uid 'v'", "'u'"),
        ({"params": {"lr": 2}}, "of the experiment 'default'", "'a'"),
    ],
)
def test_must_needs_a_run(root, arguments, wanted, there):
    """Where there is none to go on with, none is started, and what there is is named."""
    ended(name="a", uid="u", params={"lr": 1})
    with pytest.raises(NoSuchRun) as caught:
        start_run(RUNS, resume="must", **arguments)

    assert (
        f"no run {wanted} can be continued in {root}. There is {there}. "
        f"resume='auto' starts a new one where there is none"
    ) == str(caught.value)
    assert 1 == len(open_runs(RUNS))


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        ({"name": "a"}, "'a' of the experiment 'default'"),
        ({"params": {"lr": 1}}, "of the experiment 'default'"),
    ],
)
def test_must_says_how_a_finished_run_goes_on(root, arguments, wanted):
    """A finished run is named by its uid, and goes on by that alone."""
    ended("FINISHED", uid="u", **arguments)
    with pytest.raises(NoSuchRun) as caught:
        start_run(RUNS, resume="must", **arguments)
    start_run(RUNS, uid="u", resume="must").close()

    assert (
        f"no run {wanted} can be continued in {root} without its uid: 'u' is FINISHED. Such a run is resumed by its "
        f"uid, start_run(…, uid='u', resume='must'), and resume='auto' without it starts a new one"
    ) == str(caught.value)


def test_must_without_any_run_is_an_error(root):
    """A root that is not there is not made."""
    with pytest.raises(NoSuchRun) as caught:
        start_run(RUNS, resume="must", name="a")

    assert (
        f"no run 'a' of the experiment 'default' can be continued in {root}. There is none. "
        f"resume='auto' starts a new one where there is none"
    ) == str(caught.value)
    assert not root.exists()


def test_a_uid_is_given_once():
    """A new run cannot have the uid of one that is there, in whatever experiment."""
    run = ended("FINISHED", uid="u", experiment="e", name="a")
    with pytest.raises(RunExists) as caught:
        start_run(RUNS, uid="u")

    assert (
        f"a run with the uid 'u' is in {run.directory} already, and a uid is one run's alone: continue that run with "
        f"resume='auto', or leave `uid` out for a new one"
    ) == str(caught.value)
    assert 1 == len(open_runs(RUNS))


def test_several_that_could_go_on_are_named():
    """Which of them is the user's to say."""
    first, second = ended(name="a"), ended(name="a")
    with pytest.raises(SeveralRuns) as caught:
        start_run(RUNS, name="a", resume="auto")

    assert (
        f"several runs 'a' of the experiment 'default' could be continued: {first.directory}, {second.directory}. Say "
        f"which by its uid, or by its directory: start_run(…, directory={str(second.directory)!r}, resume='must')"
    ) == str(caught.value)


def test_a_run_that_this_process_writes_does_not_go_on_elsewhere():
    """One process writes it once, and the run that is open is not harmed."""
    with start_run(RUNS, name="a") as run:
        run.log({"loss": 1.0}, step=1)
        with pytest.raises(RunInUse):
            start_run(RUNS, name="a", resume="auto")
        run.log({"loss": 2.0}, step=2)

    (read,) = open_runs(RUNS)
    assert ("FINISHED", ((1, 1.0), (2, 2.0))) == (read.status, read.history("loss"))
    assert 1 == len(attempt_paths(run.directory))


WRITER = """
from treadle_tracking import start_run
run = start_run('tensorboard:runs', name='a')
run.log({'loss': 1.0}, step=1)
print('.', flush=True)
input()
"""


def test_a_run_of_a_living_process_is_in_use_and_that_of_a_killed_one_goes_on():
    """Another process that writes it is named; after a kill -9 the run goes on, waited for or not."""
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER],
        env=ENVIRONMENT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with process:
        process.stdout.readline()
        with pytest.raises(RunInUse) as caught:
            start_run(RUNS, name="a", resume="auto")
        meanwhile = open_runs(RUNS)["a"].status
        process.send_signal(signal.SIGKILL)
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        killed = open_runs(RUNS)["a"].status
        with start_run(RUNS, name="a", resume="auto") as run:
            run.log({"loss": 2.0}, step=2)
    (read,) = open_runs(RUNS)

    assert f"is being written by process {process.pid} on " in str(caught.value)
    assert ("RUNNING", "UNFINISHED") == (meanwhile, killed)
    assert ("FINISHED", ((1, 1.0), (2, 2.0))) == (read.status, read.history("loss"))


def test_links_are_no_runs(root):
    """A link to a run, such as `latest`, makes no second one of it, and one to an experiment neither."""
    first = ended(name="a", uid="u")
    (root / "default" / "latest").symlink_to(first.directory)
    (root / "linked").symlink_to(root / "default")

    assert [first.directory] * 2 == [
        ended(name="a", resume="must").directory,
        ended(uid="u", resume="must").directory,
    ]


def test_other_things_below_the_root_are_no_runs(root):
    """Files, folders without a log, logs that have not begun or cannot be read are passed over."""
    (root / "default" / "empty").mkdir(parents=True)
    (root / "default" / "file").touch()
    (root / "file").touch()
    for name, content in (("unbegun", b""), ("damaged", b"\xff" * 40)):
        directory = root / "default" / name
        directory.mkdir()
        attempt_path(directory).write_bytes(content)

    assert [False] * 2 == [
        ended(name=name, resume="auto").resumed for name in ("unbegun", "damaged")
    ]
    assert not ended(uid="u", resume="auto").resumed


def test_a_run_is_owned_before_it_is_looked_at(monkeypatch):
    """What another process may still write cannot come between what a run that goes on knows and what there is."""
    run = ended(name="a")
    real, alive = starting.recalled, []

    def recalled(directory):
        alive.append(is_alive(directory))
        return real(directory)

    monkeypatch.setattr(starting, "recalled", recalled)
    ended(name="a", resume="must")

    assert [True] == alive
    assert not is_alive(run.directory)


def test_damage_of_the_run_that_is_to_go_on_is_an_error():
    """What is damaged is named, and nothing is changed."""
    run = start_run(RUNS, name="a")
    run.log({"loss": 1.0}, step=1)
    run.close("FAILED")
    path = attempt_path(run.directory)
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    before = {path.name: path.read_bytes() for path in run.directory.iterdir() if path.is_file()}
    with pytest.raises(CorruptRecord):
        start_run(RUNS, directory=run.directory, resume="must")

    assert before == {
        path.name: path.read_bytes() for path in run.directory.iterdir() if path.is_file()
    }


def test_damage_of_another_run_is_none_of_this_one():
    """A run starts and goes on beside a damaged one."""
    run = ended(name="a")
    path = attempt_path(run.directory)
    path.write_bytes(path.read_bytes()[:-1] + b"\xff")
    other = ended(name="b")

    assert other.directory == ended(name="b", resume="auto").directory


def test_another_word_is_an_error(root):
    """`resume` is one of three."""
    with pytest.raises(InvalidChoice) as caught:
        start_run(RUNS, resume=True)

    assert "resume is True (bool); expected 'never' or 'auto' or 'must'" == str(caught.value)
    assert not root.exists()


def test_parameters_that_have_changed_are_said_and_recorded(capsys):
    """A run that goes on with other parameters has the new ones, and the old ones that were not given."""
    ended(name="a", params={"lr": 0.1, "model": {"depth": 1}, "seed": 1})
    capsys.readouterr()
    run = ended(name="a", resume="auto", params={"lr": 0.2, "model": {"depth": 1}, "new": None})
    (read,) = open_runs(RUNS)

    assert (
        f"treadle: parameters of the run in {run.directory} have changed: lr was 0.1 and is 0.2\n"
        f"treadle: the run in {run.directory} goes on\n"
    ) == capsys.readouterr().err
    assert {"lr": 0.2, "model": {"depth": 1}, "seed": 1, "new": None} == read.params


def test_changed_parameters_can_be_refused(root):
    """Nothing is written: the run is as it was, and can be gone on with."""
    with start_run(RUNS, uid="u", params={"lr": 0.1, "seed": 1}) as run:
        run.log({"loss": 1.0}, step=1)
    before = {path: path.read_bytes() for path in run.directory.rglob("*") if path.is_file()}
    with pytest.raises(ParamsChanged) as caught:
        start_run(RUNS, uid="u", resume="must", params={"lr": 0.2, "new": 3}, if_changed="refuse")
    after = {path: path.read_bytes() for path in run.directory.rglob("*") if path.is_file()}
    start_run(RUNS, uid="u", resume="must", params={"new": 3}, if_changed="refuse").close()

    assert (
        f"the run in {run.directory} had other parameters: lr was 0.1 and is 0.2. Start another run, or resume this one "
        "with the new ones: if_changed='record'"
    ) == str(caught.value)
    assert before == after
    assert {"lr": 0.1, "seed": 1, "new": 3} == open_runs(RUNS)["u"].params


def test_tags_of_the_start_replace_earlier_ones():
    """What a run that goes on is given as tags is recorded."""
    ended(name="a", tags={"a": "1", "b": "1"})
    ended(name="a", tags={"a": "2"}, resume="auto")

    assert {"a": "2", "b": "1"} == open_runs(RUNS)["a"].tags


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"uid": "u"}, RunExists),
        ({"uid": "u", "resume": "auto"}, RunInUse),
        ({"name": "n", "resume": "auto"}, RunInUse),
    ],
)
def test_two_that_look_at_once_make_one_run(monkeypatch, arguments, error):
    """Nobody makes a run between another one's look for it and its first entry; the loser is told so."""
    both_have_looked, real, outcomes = Barrier(2), starting.find, []

    def find(*given, **named):
        found = real(*given, **named)
        with suppress(BrokenBarrierError):
            both_have_looked.wait(0.2)  # in vain, where one has to wait for the other
        return found

    def start():
        try:
            outcomes.append(start_run(RUNS, **arguments))
        except (RunExists, RunInUse) as refused:
            outcomes.append(refused)

    monkeypatch.setattr(starting, "find", find)
    threads = [Thread(target=start) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    runs = [one for one in outcomes if not isinstance(one, Exception)]
    for run in runs:
        run.close()

    assert [error] == [type(one) for one in outcomes if isinstance(one, Exception)]
    assert 1 == len(runs) == len(open_runs(RUNS))


AT_ONCE = """
import sys
from treadle_tracking import start_run
from treadle_tracking.errors import RunExists, RunInUse

print("ready", flush=True)
sys.stdin.readline()
runs = []  # open until all have tried
for number in range(10):
    named = {"uid": f"u{number}"} if sys.argv[1] == "uid" else {"name": f"n{number}"}
    try:
        runs.append(start_run("tensorboard:runs", resume=sys.argv[2], **named))
    except (RunExists, RunInUse) as refused:
        print(type(refused).__name__)
    else:
        print("started")
print("done", flush=True)
sys.stdin.readline()
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("by", "resume", "refused"),
    [("uid", "never", "RunExists"), ("uid", "auto", "RunInUse"), ("name", "auto", "RunInUse")],
)
def test_processes_that_start_at_once_make_one_run(by, resume, refused):
    """Of several processes with the same uid or name one starts the run, ten times, and the others are refused."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", AT_ONCE, by, resume],
            env=ENVIRONMENT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        for _ in range(4)
    ]
    for process in processes:
        process.stdout.readline()
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    outcomes = [[process.stdout.readline().strip() for _ in range(11)] for process in processes]
    for process in processes:
        process.communicate("end\n")

    assert [sorted([refused] * 3 + ["started"])] * 10 == [
        sorted(one) for one in list(zip(*outcomes, strict=True))[:10]
    ]
    assert 10 == len(open_runs(RUNS))


def test_looking_makes_no_directory(root):
    """With `must` there is nothing to make: a root that is not there stays so."""
    with pytest.raises(NoSuchRun):
        start_run(RUNS, uid="u", resume="must")

    assert not root.exists()


def test_a_root_that_cannot_be_made_is_told(root):
    """A file in its way is named, as for any other run."""
    root.touch()
    with pytest.raises(RunDirectoryError) as caught:
        start_run(RUNS, name="a", resume="auto")

    assert (
        f"{root}: no run directory can be made here: File exists ({root}). Name a directory that can be written to"
    ) == str(caught.value)


@pytest.mark.parametrize(
    ("uri", "target"),
    [
        ("mlflow:http://a", "mlflow:http://a"),
        ("mlflow:http://***@a", "mlflow:http://USER:PASSWORD@a"),
    ],
)
def test_a_mirror_that_is_left_out_is_told(capsys, monkeypatch, uri, target):
    """A run that goes on without a mirror that it had says which one is behind, and what to give; with it, nothing."""

    class Mirror:
        def __init__(self):
            self.uri = uri
            self.identity = None

        def open(self, started, directory):
            self.identity = "r"

        def send(self, entries):
            pass

        def close(self):
            pass

    run = ended(name="a")
    save_sent(run.directory, Sent(uri=uri))
    capsys.readouterr()
    ended(name="a", resume="must")
    without = capsys.readouterr().err
    monkeypatch.setattr(starting, "_mirror", lambda _: Mirror())
    start_run([RUNS, "mlflow:http://u:p@a"], name="a", resume="must").close()
    goes_on = f"treadle: the run in {run.directory} goes on\n"
    command = f"python -m treadle_tracking sync {run.directory} --to {target}"

    assert (
        f"{goes_on}treadle: {uri} had this run, and is behind from now on: add the target {target!r}, or send what it "
        f"lacks later with: {command}\n"
    ) == without
    assert goes_on == capsys.readouterr().err


def test_an_experiment_may_be_a_link(root, tmp_path):
    """A folder of runs on another disk is as good as one below the root, for whoever goes on and whoever reads."""
    elsewhere = tmp_path / "scratch" / "digits"
    elsewhere.mkdir(parents=True)
    root.mkdir(exist_ok=True)
    (root / "digits").symlink_to(elsewhere)
    (root / "again").symlink_to(root / "digits")
    first = ended(name="a", uid="u", experiment="digits")
    (elsewhere / "latest").symlink_to(first.directory)

    again = [
        ended(name="a", experiment="digits", resume="must"),
        ended(uid="u", resume="must"),
        ended(directory=root / "digits" / "latest", resume="must"),
    ]

    assert [first.directory.resolve()] * 3 == [run.directory.resolve() for run in again]
    assert ["a"] == [run.name for run in open_runs(RUNS)]
    assert [first.directory.resolve()] == [run.resolve() for run in runs_below(root).runs]


def test_a_run_is_known_by_a_link_to_it(root):
    """`latest`, say, is as good a name for it as its own directory."""
    first = ended(name="a")
    (root / "latest").symlink_to(first.directory)

    assert first.directory.resolve() == ended(directory=root / "latest", resume="must").directory


def test_a_run_is_no_root(root):
    """Where a run is, no other is kept below it."""
    run = ended(name="a")
    with pytest.raises(InvalidTarget) as caught:
        start_run(f"tensorboard:{run.directory}")

    assert (
        f"{run.directory} is itself a run, and no run can be kept below it. Name the directory that the runs were "
        f"started with, or go on with this one: start_run(…, directory={str(run.directory)!r}, resume='must')"
    ) == str(caught.value)


def test_a_run_may_be_named_like_a_log(root):
    """What the others of its experiment are read by is a file, and not a directory of that name."""
    names = ["a", "events.out.tfevents.000000.treadle"]
    for name in names:
        ended(name=name)

    assert names == sorted(run.name for run in open_runs(RUNS))
    assert ended(name="a", resume="must").resumed
    assert [root / "default" / name for name in names] == runs_below(root).runs
