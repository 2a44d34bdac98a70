"""The command line, as somebody types it: exit codes, one sentence for what is wrong, never a traceback."""

import json
import os
import pty
import shutil
import signal
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from treadle_tracking.commands import main
from treadle_tracking.entries import Ended, Params, Scalars, Started
from treadle_tracking.log import LogWriter, attempt_path
from treadle_tracking.mirrors.state import Sent, load_every, save_sent
from treadle_tracking.ownership import Ownership

PROGRAM = [sys.executable, "-m", "treadle_tracking"]


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    """What fails is tried again at once."""
    monkeypatch.setattr("treadle_tracking.mirrors.sender.FIRST_PAUSE", 0.001)


def write_run(path, status="FINISHED", steps=3):
    """A run in this directory; without a status, one that was killed."""
    path.mkdir(parents=True)
    (path / "params.json").write_text("{}")
    log = LogWriter(attempt_path(path))
    log.append(Started(wall_time=1000.0, uid=path.name, experiment="digits", name=path.name))
    log.append(Params(wall_time=1000.0))
    for step in range(steps):
        log.append(Scalars(wall_time=1001.0, step=step, values={"loss": 1.0}))
    log.close(Ended(wall_time=1002.0, status=status) if status else None)
    return path


@pytest.fixture
def root(tmp_path, monkeypatch):
    """Two finished runs, of two experiments, below the current directory."""
    monkeypatch.chdir(tmp_path)
    write_run(tmp_path / "runs" / "digits" / "a")
    write_run(tmp_path / "runs" / "letters" / "b")
    return tmp_path / "runs"


def test_a_run_an_experiment_or_all_are_sent(root, fake_mlflow, capsys):
    """A directory stands for every run below it; a run that is named twice is sent once."""
    target = f"mlflow:{fake_mlflow.uri}"

    one = main(["sync", "runs/digits/a", "--to", target])
    every = main(["sync", "runs", "runs/letters", "--to", target, "--timeout", "60"])

    assert (0, 0) == (one, every)
    assert {"a", "b"} == {run["info"]["run_name"] for run in fake_mlflow.runs.values()}
    assert ("1 run has arrived as a whole\n2 runs have arrived as a whole\n", "") == (
        capsys.readouterr()
    )


def test_runs_without_a_mirror_are_passed_over(root, fake_mlflow, capsys):
    """Where others have one, they are counted; where nobody has, the call is wrong."""
    nobody = main(["sync", "runs"])
    save_sent(root / "digits" / "a", Sent(uri=f"mlflow:{fake_mlflow.uri}"))

    somebody = main(["sync", "runs"])

    assert (2, 0) == (nobody, somebody)
    assert (
        "1 run has arrived as a whole, 1 without a mirror was passed over\n",
        (
            "treadle: none of these 2 runs has a mirror. Say where they are to be sent: "
            "--to mlflow:sqlite:///mlflow.db\n"
        ),
    ) == capsys.readouterr()


def test_a_run_is_made_anew(root, fake_mlflow):
    """`--rebuild` leaves one run that is not deleted."""
    command = ["sync", "runs/digits/a", "--to", f"mlflow:{fake_mlflow.uri}"]
    main(command)

    assert 0 == main([*command, "--rebuild"])
    assert ["deleted", "active"] == [
        run["info"]["lifecycle_stage"] for run in fake_mlflow.runs.values()
    ]


def test_what_does_not_arrive_is_said_and_other_runs_are_sent(root, fake_mlflow, capsys):
    """A password that is missing, and a server that is down, each in a sentence with the command to type."""
    a, b = root / "digits" / "a", root / "letters" / "b"
    save_sent(a, Sent(uri="mlflow:http://***@host"))
    save_sent(b, Sent(uri="mlflow:http://127.0.0.1:9"))
    c = write_run(root / "letters" / "c")
    save_sent(c, Sent(uri=f"mlflow:{fake_mlflow.uri}"))

    code = main(["sync", "runs"])

    said = capsys.readouterr()
    assert 1 == code
    assert "1 run has arrived as a whole, 2 not\n" == said.out
    lines = said.err.splitlines()
    assert (
        f"treadle: the run in {a} is mirrored to mlflow:http://***@host, and its password is not kept. Give the whole "
        f"address: python -m treadle_tracking sync {a} --to mlflow:http://USER:PASSWORD@host"
    ) == lines[0]
    assert lines[-1].startswith(
        "treadle: 6 entries of this run did not reach mlflow:http://127.0.0.1:9 in time (ServerUnreachable: "
    )
    assert lines[-1].endswith(f"; send the rest with: python -m treadle_tracking sync {b}")


ADVICE = "Name the directory of a run, or one that runs are below, such as the one they were started with"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            [],
            "the following arguments are required: COMMAND. python -m treadle_tracking --help says what can be given",
        ),
        (
            ["snyc"],
            (
                "there is no command 'snyc'. Did you mean 'sync'? "
                "python -m treadle_tracking --help says what each does"
            ),
        ),
        (
            ["sync"],
            "the following arguments are required: DIR. python -m treadle_tracking sync --help says what can be given",
        ),
        (["sync", "nowhere"], f"{{}}/nowhere: there is no such directory. {ADVICE}"),
        (["doctor", "file"], f"{{}}/file: it is a file. {ADVICE}"),
        (["doctor", "empty"], f"{{}}/empty: there is no run in it. {ADVICE}"),
        (["doctor"], f"{{}}/.treadle/runs: there is no such directory. {ADVICE}"),
        (
            ["sync", "runs/digits/a"],
            (
                "the run in {}/runs/digits/a has no mirror. Say where it is to be sent: "
                "python -m treadle_tracking sync {}/runs/digits/a --to mlflow:sqlite:///mlflow.db"
            ),
        ),
        (
            ["sync", "runs", "--to", "tensorboard:runs"],
            "'tensorboard:runs' is where runs are kept. Name a mirror, as in 'mlflow:URI'",
        ),
        (
            ["sync", "runs", "--to", "mlflow:./mlruns"],
            (
                "target 'mlflow:./mlruns' is a file store, in which points that are sent again appear twice and which "
                "MLflow itself no longer opens. Name a database, as in 'mlflow:sqlite:///mlflow.db'; old runs are brought "
                "into it by: mlflow migrate-filestore --source ./mlruns --target sqlite:///mlflow.db"
            ),
        ),
        *(
            (
                ["sync", "runs", "--timeout", given],
                (
                    f"argument --timeout: {given!r} is not a number of seconds. "
                    f"python -m treadle_tracking sync --help says what can be given"
                ),
            )
            for given in ("soon", "nan", "inf")
        ),
        *(
            (
                ["list", "runs", "--limit", given],
                (
                    f"argument --limit: {given!r} is not an integer of 0 or more. "
                    f"python -m treadle_tracking list --help says what can be given"
                ),
            )
            for given in ("few", "-1", "1.5")
        ),
    ],
)
def test_a_wrong_call_is_one_sentence(root, tmp_path, capsys, arguments, sentence):
    """The exit code is 2, and nothing is done."""
    (tmp_path / "file").touch()
    (tmp_path / "empty").mkdir()

    code = main(arguments)

    assert (2, "", f"treadle: {sentence.replace('{}', str(tmp_path))}\n") == (
        code,
        *capsys.readouterr(),
    )


def test_healthy_runs_need_one_line(root, capsys):
    """Nothing is wrong, and nothing is changed."""
    before = sorted(path.stat().st_mtime_ns for path in root.rglob("*"))

    code = main(["doctor", "runs", "--fix"])

    assert (0, "looked at 2 runs: nothing is wrong\n", "") == (code, *capsys.readouterr())
    assert before == sorted(path.stat().st_mtime_ns for path in root.rglob("*"))


def test_what_is_wrong_is_told_then_mended(root, capsys):
    """Without `--fix` it is said what that would do, and how to call it."""
    run = write_run(root / "digits" / "c d", status=None)
    found = f"""{run}
  orphan: has no end, and no process writes it: it was last heard of at 1970-01-01 00:16:41 UTC
"""

    first = main(["doctor", str(root)])
    told = capsys.readouterr().out
    second = main(["doctor", str(root), "--fix"])
    mended = capsys.readouterr().out

    assert (1, 0, 0) == (first, second, main(["doctor", str(root)]))
    assert told == (
        f"{found}    with --fix: it is ended as KILLED at that time\n"
        f"looked at 3 runs: something is wrong with 1\n"
        f"mend it with: python -m treadle_tracking doctor {root} --fix\n"
    )
    assert mended == (
        f"{found}    mended: ended as KILLED at 1970-01-01 00:16:41 UTC\n"
        f"looked at 3 runs: nothing is wrong\n"
    )


def test_a_run_in_use_is_no_problem(root, capsys):
    """It is named, and the exit code is 0."""
    run = write_run(root / "digits" / "c", status=None)
    ownership = Ownership(run)

    code = main(["doctor", str(run), "--fix", "--prune"])

    ownership.release()
    assert 0 == code
    assert capsys.readouterr().out.endswith("looked at 1 run: nothing is wrong\n")
    assert run.exists()


def test_findings_are_told_as_json(root, capsys):
    """The same in a form that a program reads."""
    run = write_run(root / "digits" / "c", status=None)

    code = main(["doctor", "runs/digits", "--fix", "--prune", "--json"])

    assert 0 == code
    assert {
        "runs": [str(root / "digits" / "a"), str(run)],
        "findings": [
            {
                "directory": str(run),
                "kind": "orphan",
                "is_problem": True,
                "sentence": "has no end, and no process writes it: it was last heard of at 1970-01-01 00:16:41 UTC",
                "remedy": "it is ended as KILLED at that time",
                "done": "ended as KILLED at 1970-01-01 00:16:41 UTC",
                "failed": None,
            }
        ],
        "pruned": [
            {
                "directory": str(root / "digits" / "a"),
                "mirrors": [],
                "size": 0,
                "kept_because": "it has no mirror",
            },
            {
                "directory": str(run),
                "mirrors": [],
                "size": 0,
                "kept_because": "it is not FINISHED",
            },
        ],
    } == json.loads(capsys.readouterr().out)


def test_runs_that_a_mirror_has_are_removed(root, fake_mlflow, capsys):
    """What went is listed, and what stayed, with the reason; by default below `.treadle/runs`."""
    target = f"mlflow:{fake_mlflow.uri}"
    shutil.move(root, root.parent / ".treadle" / "runs")
    root = root.parent / ".treadle" / "runs"
    main(["sync", str(root / "digits"), "--to", target])
    capsys.readouterr()

    code = main(["doctor", "--prune"])

    lines = capsys.readouterr().out.splitlines()
    assert 0 == code
    assert lines[0].startswith(f"removed {root / 'digits' / 'a'} (")
    assert lines[0].endswith(f" bytes): it is at {target}")
    assert [
        f"kept {root / 'letters' / 'b'}: it has no mirror",
        "looked at 2 runs: nothing is wrong",
    ] == lines[1:]
    assert [root / "letters" / "b"] == [path.parent for path in root.rglob("params.json")]


def test_an_old_file_store_beside_is_told(root, capsys):
    """It is no run of ours, and no problem."""
    (root.parent / "mlruns" / "0").mkdir(parents=True)
    (root.parent / "mlruns" / "0" / "meta.yaml").touch()

    code = main(["doctor", "runs"])

    assert 0 == code
    assert capsys.readouterr().out.startswith(
        f"{root.parent / 'mlruns'}\n  mlruns: is a file store of older versions of MLflow"
    )


def test_help_says_what_there_is(capsys):
    """The exit codes, too."""
    for command in ("sync", "doctor"):
        with pytest.raises(SystemExit) as left:
            main([command, "--help"])

        text = " ".join(capsys.readouterr().out.split())
        assert 0 == left.value.code
        assert text.startswith(f"usage: python -m treadle_tracking {command} ")
        assert "Exit code: 0 if" in text


def test_the_command_is_light(root):
    """Neither torch nor MLflow nor anything for its databases is loaded to look at runs."""
    code = (
        "import sys; from treadle_tracking.commands import main; main(['doctor', 'runs']); "
        "print(sorted({'torch', 'mlflow', 'sqlalchemy', 'numpy', 'pandas', 'tensorboard'} & set(sys.modules)))"
    )

    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root.parent
    )

    assert "looked at 2 runs: nothing is wrong\n[]\n" == done.stdout


def test_a_reader_that_has_read_enough_is_no_error(root):
    """`doctor | head -1` ends without a word."""
    for number in range(600):
        write_run(root / "many" / str(number), status=None, steps=0)
    process = subprocess.Popen(
        [*PROGRAM, "doctor", "runs"],
        cwd=root.parent,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )

    process.stdout.readline()
    process.stdout.close()

    assert "" == process.stderr.read()
    process.stderr.close()
    assert 1 == process.wait()


def test_progress_is_shown_on_a_terminal_alone(root, fake_mlflow):
    """Where a run is that takes long, in one line that is gone at the end."""
    fake_mlflow.lock.acquire()
    theirs, ours = pty.openpty()
    process = subprocess.Popen(
        [*PROGRAM, "sync", "runs/digits", "--to", f"mlflow:{fake_mlflow.uri}"],
        cwd=root.parent,
        stdout=subprocess.DEVNULL,
        stderr=ours,
    )
    os.close(ours)

    shown = b""
    while b"run 1 of 1" not in shown:
        shown += os.read(theirs, 1000)
    fake_mlflow.lock.release()
    code = process.wait()

    os.close(theirs)
    assert 0 == code
    assert f"\rrun 1 of 1,   0 %: {root}".encode()[:78] in shown


def test_ctrl_c_ends_it_with_a_sentence(root, fake_mlflow):
    """The exit code is that of a shell, and the same command goes on."""
    fake_mlflow.lock.acquire()
    process = subprocess.Popen(
        [*PROGRAM, "sync", "runs/digits", "--to", f"mlflow:{fake_mlflow.uri}"],
        cwd=root.parent,
        stderr=subprocess.PIPE,
        text=True,
    )
    while not load_every(root / "digits" / "a"):
        assert process.poll() is None

    process.send_signal(signal.SIGINT)
    said = process.stderr.read()
    process.stderr.close()
    fake_mlflow.lock.release()

    assert 130 == process.wait()
    assert "treadle: interrupted; nothing is lost, and the same command resumes\n" == said


def as_nobody(*arguments, cwd):
    """The program, as a user who owns nothing."""
    if shutil.which("setpriv") is None or os.geteuid() != 0:
        pytest.skip("needs setpriv and root, to be somebody else")
    source = Path(main.__code__.co_filename).parents[2]
    nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    options = {
        "cwd": cwd,
        "env": {**os.environ, "PYTHONPATH": str(source)},
        "capture_output": True,
        "text": True,
    }
    tried = [*nobody, sys.executable, "-c", "import treadle_tracking"]
    if subprocess.run(tried, check=False, **options).returncode:
        pytest.skip("needs a Python that every user may run")
    return subprocess.run([*nobody, *PROGRAM, *arguments], check=False, **options)


@pytest.fixture
def public():
    """A directory that everybody may look into, unlike pytest's."""
    from tempfile import TemporaryDirectory

    with TemporaryDirectory(dir="/tmp") as name:
        Path(name).chmod(0o755)
        yield Path(name)


def test_a_run_of_somebody_else_is_looked_at_and_not_mended(public):
    """What cannot be written is a sentence, and stays a problem."""
    run = write_run(public / "runs" / "digits" / "a", status=None)

    done = as_nobody("doctor", "runs", "--fix", cwd=public)
    sent = as_nobody("sync", "runs", "--to", "mlflow:http://127.0.0.1:9", cwd=public)

    assert (1, "") == (done.returncode, done.stderr)
    assert "    not mended: " in done.stdout
    assert "Permission denied" in done.stdout
    assert (1, "0 runs have arrived as a whole, 1 not\n") == (sent.returncode, sent.stdout)
    assert sent.stderr.startswith(f"treadle: the run in {run} cannot be sent: ")
    assert 1 == len(sent.stderr.splitlines())


def test_what_may_not_be_read_is_said(public):
    """A closed folder, and a closed file, are problems; what is beside them is looked at."""
    closed = write_run(public / "runs" / "digits" / "a")
    secret = write_run(public / "runs" / "letters" / "b")
    write_run(public / "runs" / "letters" / "c")
    closed.parent.chmod(0o700)
    attempt_path(secret).chmod(0o600)

    done = as_nobody("doctor", "runs", cwd=public)

    assert (1, "") == (done.returncode, done.stderr)
    assert done.stdout == (
        f"{closed.parent}\n"
        f"  unreadable: cannot be read (Permission denied)\n"
        f"{secret}\n"
        f"  unreadable: cannot be read ({attempt_path(secret)}: Permission denied)\n"
        f"looked at 2 runs: something is wrong with 2\n"
    )


@pytest.mark.slow
def test_what_cannot_be_read_is_named_and_the_rest_is_listed(public):
    """One line each on stderr, which is no part of the answer."""
    write_run(public / "runs" / "digits" / "a")
    closed = write_run(public / "runs" / "secret" / "b").parent
    closed.chmod(0o700)

    done = as_nobody("list", "runs", "--columns", "name,experiment", cwd=public)

    assert (
        0,
        "NAME  EXPERIMENT\na     digits\n",
        f"treadle: warning: not all could be read: {closed}: Permission denied\n",
    ) == (done.returncode, done.stdout, done.stderr)


def test_a_mirror_is_forgotten(root, capsys):
    """It is taken away from the runs that have it, by its address; then it is no mirror of any."""
    for run in (root / "digits" / "a", root / "letters" / "b"):
        save_sent(run, Sent(uri="mlflow:http://127.0.0.1:9"))
    save_sent(root / "digits" / "a", Sent(uri="mlflow:http://other"))

    first = main(["sync", "runs", "--forget", "mlflow:http://127.0.0.1:9/"])
    again = main(["sync", "runs", "--forget", "mlflow:http://127.0.0.1:9"])

    assert (0, 2) == (first, again)
    assert (
        "mlflow:http://127.0.0.1:9/ is no longer a mirror of 2 runs\n",
        "treadle: 'mlflow:http://127.0.0.1:9' is a mirror of none of 2 runs\n",
    ) == capsys.readouterr()
    assert ["mlflow:http://other"] == [
        sent.uri for run in ("digits/a", "letters/b") for sent in load_every(root / run)
    ]


def test_a_mirror_with_a_password_is_forgotten_by_its_address(root):
    """As it was given, or as it is shown."""
    save_sent(root / "digits" / "a", Sent(uri="mlflow:http://***@host"))

    assert 0 == main(["sync", "runs", "--forget", "mlflow:http://me:secret@host"])
    assert [] == load_every(root / "digits" / "a")


def test_a_living_run_forgets_nothing(root, capsys):
    """Its process would note the mirror again."""
    run = root / "digits" / "a"
    save_sent(run, Sent(uri="mlflow:http://host"))
    ownership = Ownership(run)

    code = main(["sync", "runs", "--forget", "mlflow:http://host"])

    ownership.release()
    assert 1 == code
    assert "and its mirrors are forgotten only when it has ended" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["sync", ""], "'' names nothing; expected a run, or a directory that runs are below"),
        (["doctor", ""], "'' names nothing; expected a run, or a directory that runs are below"),
        (
            ["doctor", "tensorboard:"],
            "'' names nothing; expected a run, or a directory that runs are below",
        ),
        (["sync", "https://x"], "'https://x' is no directory: a mirror is named by --to"),
        (
            ["sync", "mlflow:http://x"],
            "'mlflow:http://x' is no directory: a mirror is named by --to",
        ),
        (
            ["sync", "runs", "--forget", "a", "--to", "b"],
            "--forget stands alone: with --to or --rebuild runs are sent",
        ),
    ],
)
def test_what_names_no_directory_is_told(root, capsys, arguments, why):
    """Nothing is taken for the current directory, and no address for a path."""
    assert 2 == main(arguments)
    assert ("", f"treadle: {why}\n") == capsys.readouterr()


def test_a_directory_may_be_named_as_a_target(root, capsys):
    """What was given to `start_run` is understood."""
    assert 0 == main(["doctor", "tensorboard:runs"])
    assert "looked at 2 runs: nothing is wrong\n" == capsys.readouterr().out


def test_a_log_without_an_entry_is_no_run(root, fake_mlflow, capsys):
    """It is not said to have arrived, and keeps no run from that."""
    empty = root / "digits" / "empty"
    empty.mkdir()
    (empty / "events.out.tfevents.000000.treadle").write_bytes(b"abc")

    every = main(["sync", "runs", "--to", f"mlflow:{fake_mlflow.uri}"])
    alone = main(["sync", str(empty)])

    assert (0, 2) == (every, alone)
    assert (
        "2 runs have arrived as a whole, 1 directory with a log without an entry\n",
        f"treadle: {empty}: there is no run in it, only a log without an entry. Delete it if you like\n",
    ) == capsys.readouterr()


def test_the_version_is_told(capsys):
    """As other programs tell it."""
    with pytest.raises(SystemExit) as caught:
        main(["--version"])

    assert 0 == caught.value.code
    assert f"treadle-tracking {version('treadle-tracking')}\n" == capsys.readouterr().out
