"""`run_cli`: help, printed configs, refusals, and the call of main."""

import errno
import io
import os
import subprocess
import sys

import pytest
from attrs import field, frozen
from attrs.validators import gt

from treadle_config import SchemaError, run_cli, setting


@frozen
class Optim:
    """How to learn."""

    lr: float = 1e-3
    """step size of the optimizer

    with more to say about it
    """
    weight_decay: float = 0.0


@frozen
class Train:
    optim: Optim = Optim()
    batch_size: int = field(
        default=32, validator=gt(0), metadata=setting(help="records in a batch")
    )
    track: tuple[str, ...] = ()
    device: str | None = None


def train(config: Train) -> Train:
    """Train a model.

    And say so.
    """
    return config


HELP = """\
usage: train.py [--SETTING VALUE ...] [--config FILE ...]

Train a model.

  --optim.lr float            = 0.003 (cli --optim.lr)  step size of the optimizer
  --optim.weight-decay float  = 0.5 (file a.json:1)
  --batch-size int            = 32 (default)  records in a batch
  --track list of str         = [a] (cli --track)
  --device str | null         = null (default)
  --config FILE               read settings from this file; may be given again
  --print-config              print the config and stop; =source, =provenance
  --help                      print this and stop
"""


def test_main_is_called_with_the_config_and_its_result_returned():
    """The class is read from main's annotation."""
    actual = run_cli(train, {"batch_size": 8}, argv=["--optim.lr", "3e-3"])

    assert Train(Optim(lr=0.003), batch_size=8) == actual


def test_sys_argv_is_read_by_default(monkeypatch):
    """A program calls `run_cli(main)`."""
    monkeypatch.setattr("sys.argv", ["train.py", "--batch-size", "4"])

    assert 4 == run_cli(train).batch_size


@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help_shows_every_setting_with_its_value_now(flag, written, capsys):
    """Flag, type, effective value, source and doc, then exit code 0."""
    name = written("a.json", '{"optim": {"weight_decay": 0.5}}')

    with pytest.raises(SystemExit) as stopped:
        run_cli(train, name, argv=["--optim.lr", "3e-3", "--track", "a", flag], prog="train.py")

    assert (0, (HELP, "")) == (stopped.value.code, capsys.readouterr())


def test_help_shows_a_default_with_a_text_form(capsys):
    """Also where its class is an attrs class or a dataclass, as a length may be."""

    @frozen
    class Span:
        count: int

        @classmethod
        def parse(cls, text: str) -> "Span":
            return cls(int(text.removesuffix(" epochs")))

        def __str__(self) -> str:
            return f"{self.count} epochs"

    @frozen
    class Timed:
        until: Span = Span(3)

    def main(config: Timed) -> None: ...

    with pytest.raises(SystemExit):
        run_cli(main, argv=["--help"], prog="x")

    assert "--until Span     = 3 epochs (default)" in capsys.readouterr().out


def test_help_works_with_mistakes_and_reports_them_at_the_end(capsys):
    """What is wrong does not stop the help."""
    with pytest.raises(SystemExit) as stopped:
        run_cli(train, argv=["--help", "--batch-size", "x", "--lr", "3"], prog="train.py")
    captured = capsys.readouterr()

    assert (
        0,
        True,
        (
            "\n2 problems in the configuration:\n"
            "  batch_size (cli --batch-size): expected int, got x\n"
            "  lr (cli --lr): expected the flag of a setting, got '--lr'; did you mean --optim.lr?\n"
        ),
    ) == (
        stopped.value.code,
        "--batch-size int            not right (cli --batch-size)  records in a batch"
        in captured.out,
        captured.err,
    )


def test_help_takes_no_value(capsys):
    """`--help=optim` is not what it looks like."""
    with pytest.raises(SystemExit) as stopped:
        run_cli(train, argv=["--help=optim"], prog="x")

    assert (0, "\ncli --help: expected no value after --help, got 'optim'\n") == (
        stopped.value.code,
        capsys.readouterr().err,
    )


def test_help_is_scoped_to_the_chosen_subtypes(schemas, capsys):
    """Fields of a subtype that is not chosen are not listed."""

    def main(config: schemas.Config) -> None: ...

    with pytest.raises(SystemExit):
        run_cli(main, argv=["--help", "--optim.type", "sgd"], prog="x")
    page = capsys.readouterr().out

    assert ["adam|sgd", True, False] == [
        page.partition("--optim.type ")[2].split()[0],
        "--optim.momentum" in page,
        "--optim.betas" in page,
    ]


def test_mistakes_go_to_stderr_with_exit_code_2_and_main_is_not_called(capsys):
    """All problems, no traceback, nothing on stdout."""

    def main(config: Train) -> None:
        raise AssertionError("called")

    with pytest.raises(SystemExit) as stopped:
        run_cli(main, argv=["--batch-size", "-1", "--optim.lrr", "3"], prog="treadle demo")

    assert (
        2,
        (
            "",
            (
                "treadle demo: 2 problems in the configuration:\n"
                "  batch_size (cli --batch-size): expected a value that its validator takes, got -1; "
                "'batch_size' must be > 0: -1\n"
                "  optim.lrr (cli --optim.lrr): expected the flag of a setting, got '--optim.lrr'; "
                "did you mean --optim.lr?\n"
                "treadle demo --help lists every setting\n"
            ),
        ),
    ) == (stopped.value.code, capsys.readouterr())


@pytest.mark.parametrize(
    ("flag", "expected"),
    [
        ("--print-config=source", '{\n  "batch_size": 8\n}\n'),
        (
            "--print-config",
            (
                '{\n  "optim": {\n    "lr": 0.001,\n    "weight_decay": 0.0\n  },\n'
                '  "batch_size": 8,\n  "track": [],\n  "device": null\n}\n'
            ),
        ),
        (
            "--print-config=provenance",
            (
                "precedence code_over_file: default < file < env < code < cli\n\n"
                "optim.lr            0.001  default\n"
                "optim.weight_decay  0.0    default\n"
                "batch_size          8      cli --batch-size\n"
                "track               []     default\n"
                "device              null   default\n"
            ),
        ),
    ],
)
def test_print_config_prints_and_stops(flag, expected, capsys):
    """As JSON, as much as was asked for, with exit code 0."""
    with pytest.raises(SystemExit) as stopped:
        run_cli(train, argv=["--batch-size", "8", flag])

    assert (0, expected) == (stopped.value.code, capsys.readouterr().out)


def test_print_config_says_what_it_can_print(capsys):
    """Another word is a mistake like others."""
    with pytest.raises(SystemExit) as stopped:
        run_cli(train, argv=["--print-config=yaml"], prog="x")

    assert (
        2,
        (
            "x: cli --print-config: expected one of resolved, source, provenance, got yaml\n"
            "x --help lists every setting\n"
        ),
    ) == (stopped.value.code, capsys.readouterr().err)


@pytest.mark.parametrize(
    ("printed", "expected"),
    [
        ("--print-config=source", b'{\n  "device": "\\u00e9\\u2603"\n}\n'),
        ("--print-config=provenance", b"\\xe9\\u2603"),
    ],
)
def test_what_a_terminal_cannot_show_is_escaped(printed, expected, monkeypatch):
    """An encoding without the character is no reason for a traceback, and JSON stays JSON."""
    out = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr("sys.stdout", out)

    with pytest.raises(SystemExit):
        run_cli(train, argv=["--device", "é☃", printed])
    out.flush()

    assert expected in out.buffer.getvalue()


def test_what_main_raises_is_not_touched():
    """An error of the program is the program's."""

    def main(config: Train) -> None:
        raise KeyError("mine")

    with pytest.raises(KeyError) as caught:
        run_cli(main, argv=[])

    assert ("mine",) == caught.value.args


def test_main_without_an_annotation_is_a_schema_error():
    """There is nothing to read the config's class from."""

    def main(config):
        return config

    with pytest.raises(SchemaError) as caught:
        run_cli(main, argv=[])

    assert str(caught.value).endswith(
        "says no config class; annotate its parameter, as in `def main(config: Config)`"
    )


def test_a_program_says_its_mistakes_without_a_traceback(written):
    """As a real process, with a file that is not there."""
    written("train.json", "{}")
    written(
        "train.py",
        "from __future__ import annotations\n"
        "from attrs import frozen\n"
        "from treadle_config import run_cli\n"
        "@frozen\n"
        "class Config:\n"
        "    lr: float = 1.0\n"
        "def main(config: Config) -> None:\n"
        "    print(config)\n"
        "run_cli(main)\n",
    )

    refused = subprocess.run(
        [sys.executable, "train.py", "--config", "trian.json"],
        capture_output=True,
        text=True,
        check=False,
    )
    good = subprocess.run(
        [sys.executable, "train.py", "--lr=2"], capture_output=True, text=True, check=False
    )

    assert (
        (
            2,
            "",
            (
                "train.py: file trian.json: expected a readable file, got no such file or directory; "
                "did you mean train.json?\ntrain.py --help lists every setting\n"
            ),
        ),
        (0, "Config(lr=2.0)\n", ""),
    ) == (
        (refused.returncode, refused.stdout, refused.stderr),
        (good.returncode, good.stdout, good.stderr),
    )


PROGRAM = """
from attrs import frozen
from treadle_config import run_cli
@frozen
class Config:
    text: str = "x" * {length}
def main(config: Config) -> None:
    raise AssertionError("called")
run_cli(main)
"""


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("--help > /dev/full", (1, "x.py: standard output cannot be written: {full}\n")),
        ("--print-config > /dev/full", (1, "x.py: standard output cannot be written: {full}\n")),
        ("--help >&-", (0, "")),
        ("--print-config=source >&-", (0, "")),
        ("--print-config=provenance >&-", (0, "")),
        ("--text 2> /dev/full", (2, "")),
        ("--text 2>&-", (2, "")),
        ("--help > /dev/full 2>&-", (1, "")),
    ],
)
@pytest.mark.parametrize("length", [1, 100_000])
def test_an_output_that_cannot_be_written_is_no_traceback(line, expected, length, written):
    """One line where it can be said, an exit code, and nothing where it is closed."""
    written("x.py", PROGRAM.format(length=length))

    actual = subprocess.run(
        ["/bin/sh", "-c", f"{sys.executable} x.py {line}"],
        capture_output=True,
        text=True,
        check=False,
    )

    code, said = expected
    assert (code, "", said.format(full=os.strerror(errno.ENOSPC))) == (
        actual.returncode,
        actual.stdout,
        actual.stderr,
    )


@pytest.mark.parametrize("length", [1, 100_000])
def test_a_pipe_that_nobody_reads_ends_the_program_quietly(length, written):
    """The exit code is what a shell says of such an end."""
    written("x.py", PROGRAM.format(length=length))
    reading, writing = os.pipe()
    os.close(reading)

    actual = subprocess.run(
        [sys.executable, "x.py", "--print-config"],
        stdout=writing,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(writing)

    assert (141, b"") == (actual.returncode, actual.stderr)
