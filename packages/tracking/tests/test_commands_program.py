"""The program as a whole: how it is called, what it costs, and how it ends."""

import os
import re
import runpy
import shlex
import signal
import subprocess
import sys
import types
import warnings
from pathlib import Path

import pytest

from treadle_tracking.commands import main
from treadle_tracking.reading.directories import DirectoryReader

PROGRAM = [sys.executable, "-m", "treadle_tracking"]
COMMANDS = [
    *["list", "search", "show", "compare", "plot", "artifacts", "export", "copy", "sync", "doctor"]
]


def helped(capsys, *arguments, **options):
    with pytest.raises(SystemExit) as left:
        main([*arguments, "--help"], **options)

    assert 0 == left.value.code
    return capsys.readouterr().out


def test_help_names_every_command(capsys):
    """Each with a few words."""
    text = helped(capsys)

    assert COMMANDS == re.findall(r"^    ([a-z]+)", text, re.MULTILINE)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_examples_that_work(five_runs, tmp_path, monkeypatch, capsys, command):
    """Each is a call of this very command, quoted for a shell, that can be understood."""
    done = []
    module = {"list": "listing", "search": "listing"}.get(command, command)
    monkeypatch.setattr(
        f"treadle_tracking.commands.{module}._{command}", lambda given: done.append(given) or 0
    )
    lines = helped(capsys, command, program="runs of mine").splitlines()
    examples = lines[lines.index("examples:") + 1 :]

    for example in examples:
        assert example.startswith(f"  runs of mine {command} ")
        assert 0 == main(shlex.split(example.partition(" | ")[0])[3:])
    assert len(examples) == len(done) >= 2


def test_the_program_is_called_what_its_caller_calls_it(five_runs, capsys):
    """In its help and in what it says is wrong."""
    text = helped(capsys, "list", program="treadle runs")
    code = main(["show"], program="treadle runs")

    assert text.startswith("usage: treadle runs list ")
    assert (
        2,
        "treadle: the following arguments are required: TARGET. treadle runs show --help says what can be given\n",
    ) == (code, capsys.readouterr().err)


@pytest.mark.parametrize(
    "arguments",
    [
        ["show", "--json", "runs", "3f2a"],
        ["show", "runs", "--json", "3f2a"],
        ["export", "runs", "--out", "-", "name = 'wider'"],
        ["compare", "runs", "wider", "--json", "narrow"],
        ["artifacts", "runs", "3f2a", "--out", "here", "notes.md"],
    ],
)
def test_options_stand_where_one_likes(five_runs, arguments):
    """Before, between and behind the others."""
    assert 0 == main(arguments)


LIGHT = """
import contextlib, io, sys
from treadle_tracking.commands import main

with contextlib.redirect_stdout(io.StringIO()):
    codes = [main(arguments.split(";")) for arguments in sys.argv[1:]]
print(codes, sorted({"torch", "mlflow", "sqlalchemy", "numpy", "pandas", "tensorboard"} & set(sys.modules)))
"""


def test_every_command_is_light(five_runs):
    """Nothing heavy is loaded to look at runs in their directories, to draw, to export and to copy them."""
    calls = [
        *["list;runs", "search;runs;metrics.loss < 1", "show;runs;3f2a", "compare;runs;3f2a;91bc"],
        *["plot;runs;--out;x.html", "artifacts;runs;3f2a", "export;runs;--out;x.csv;--history"],
        *["copy;runs;tensorboard:copies", "doctor;copies"],
    ]

    done = subprocess.run(
        [sys.executable, "-c", LIGHT, *calls], capture_output=True, text=True, check=True
    )

    # One of the five has no end.
    assert ("[0, 0, 0, 0, 0, 0, 0, 0, 1] []\n", "") == (done.stdout, done.stderr)


def test_ctrl_c_ends_it(five_runs, monkeypatch, capsys):
    """The exit code is that of a shell; where the same command goes on, it is said."""

    def interrupted(self, conditions=()):
        raise KeyboardInterrupt

    monkeypatch.setattr(DirectoryReader, "runs", interrupted)

    codes = main(["list", "runs"]), main(["copy", "runs", "tensorboard:copies"])

    assert (130, 130) == codes
    assert (
        "treadle: interrupted\ntreadle: interrupted; nothing is lost, and the same command resumes\n"
    ) == capsys.readouterr().err


WAITING = """
import sys, time
from treadle_tracking.commands import main
from treadle_tracking.reading.directories import DirectoryReader

def waiting(self, conditions=()):
    print("waiting", flush=True)
    time.sleep(60)

DirectoryReader.runs = waiting
sys.exit(main(["list", "runs"]))
"""


def test_a_real_ctrl_c_ends_it_without_a_traceback(five_runs):
    """Also the process."""
    process = subprocess.Popen(
        [sys.executable, "-c", WAITING], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    _, said = process.communicate()

    assert (130, "treadle: interrupted\n") == (process.returncode, said)


def test_a_reader_that_has_read_enough_is_no_error(five_runs):
    """`export | head -1` ends without a word, and so does `--help | head -1`."""
    from treadle_tracking import start_run

    with start_run("tensorboard:runs") as run:
        for step in range(5000):
            run.log({"loss": 1.0}, step=step)
    for arguments in (["export", "runs", "--history", "--out", "-"], ["list", "--help"]):
        process = subprocess.Popen(
            [*PROGRAM, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        process.stdout.readline()
        process.stdout.close()
        said = process.stderr.read()
        process.stderr.close()

        process.wait()
        assert "" == said


def test_a_connection_that_breaks_is_told(five_runs, monkeypatch, capsys):
    """It is no reader that has read enough."""

    def broken(self, conditions=()):
        raise BrokenPipeError(32, "Broken pipe")

    monkeypatch.setattr(DirectoryReader, "runs", broken)

    assert 1 == main(["list", "runs"])
    assert "treadle: Broken pipe\n" == capsys.readouterr().err


def test_a_full_disk_is_one_sentence(five_runs):
    """And no page of code, nor a second complaint at the end."""
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*PROGRAM, "list", "runs"], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )

    assert (1, "treadle: No space left on device\n") == (done.returncode, done.stderr)


def test_a_terminal_without_a_character_gets_its_escape(tmp_path):
    """A name is no reason to fail."""
    from treadle_tracking import start_run

    start_run(f"tensorboard:{tmp_path}/runs", name="日本").close()
    done = subprocess.run(
        [*PROGRAM, "list", "runs", "--columns", "name"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        text=True,
        check=True,
    )

    assert ("NAME\n\\u65e5\\u672c\n", "") == (done.stdout, done.stderr)


def test_what_nobody_has_thought_of_is_one_sentence(five_runs, monkeypatch, capsys):
    """With what and where it was, for a report."""

    def broken(self, conditions=()):
        raise ZeroDivisionError("x\x1b")

    monkeypatch.setattr(DirectoryReader, "runs", broken)

    assert 1 == main(["list", "runs"])
    assert capsys.readouterr().err.startswith(
        "treadle: something unforeseen went wrong: ZeroDivisionError: x\\x1b "
        "(test_commands_program.py, line "
    )


def test_warnings_of_libraries_are_not_for_the_user(five_runs, monkeypatch, capsys):
    """Even where the environment makes errors of them."""
    runs = DirectoryReader.runs

    def warning(self, conditions=()):
        warnings.warn("old", DeprecationWarning, stacklevel=1)
        return runs(self, conditions)

    monkeypatch.setattr(DirectoryReader, "runs", warning)

    assert 0 == main(["list", "runs"])
    assert "" == capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "module", "said"),
    [
        (
            ["export", "runs", "--out", "x.parquet"],
            "pandas",
            "a DataFrame needs pandas, which is not installed: pip install 'treadle-tracking[frames]'",
        ),
    ],
)
def test_what_is_not_installed_is_named(five_runs, monkeypatch, capsys, arguments, module, said):
    """With what to install; nothing is written."""
    monkeypatch.setitem(sys.modules, module, None)

    assert 1 == main(arguments)
    assert f"treadle: {said}\n" == capsys.readouterr().err
    assert not (five_runs.parent / "x.parquet").exists()


def test_a_server_that_is_not_there_is_one_sentence(capsys):
    """Something has gone wrong, and the call was not."""
    assert 1 == main(["list", "mlflow:http://me:secret@127.0.0.1:9"])

    out, err = capsys.readouterr()
    assert "" == out
    assert err.startswith("treadle: mlflow:http://***@127.0.0.1:9 cannot be reached: ")
    assert 1 == err.count("\n")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["list", "runs", "--colums", "name"], "--colums name. Did you mean --columns? "),
        (["list", "runs", "--colums=name"], "--colums=name. Did you mean --columns? "),
        (["search", "runs", "a = 1", "--limits", "3"], "--limits 3. Did you mean --limit? "),
        (["list", "runs", "--quux"], "--quux. "),
        (["show", "runs", "a", "jason"], "jason. "),
    ],
)
def test_an_option_that_is_not_known_may_be_another(five_runs, capsys, arguments, said):
    """The nearest one is named."""
    code = main(arguments)

    assert (
        2,
        f"treadle: unrecognized arguments: {said}python -m treadle_tracking {arguments[0]} --help says what can be given\n",
    ) == (code, capsys.readouterr().err)


def test_an_interrupt_while_the_program_is_loaded_is_no_traceback(monkeypatch, capsys):
    """It ends as one does later."""

    class Loading(types.ModuleType):
        def __getattr__(self, name):
            if name == "main":
                raise KeyboardInterrupt
            raise AttributeError(name)

    monkeypatch.setitem(
        sys.modules, "treadle_tracking.commands", Loading("treadle_tracking.commands")
    )
    with pytest.raises(SystemExit) as left:
        runpy.run_module("treadle_tracking", run_name="__main__")

    assert (130, "treadle: interrupted\n") == (left.value.code, capsys.readouterr().err)
