"""`run_cli`: printed configs, refusals, and the call of main."""

import errno
import io
import json
import os
import subprocess
import sys
from typing import Generic, TypeVar

import pytest
from attrs import frozen

from treadle_config import Resolution, SchemaError, run_cli


def test_main_is_called_with_the_config_and_its_result_returned(train, schemas):
    """The class is read from main's annotation."""
    actual = run_cli(train, {"batch_size": 8}, argv=["--optim.lr", "3e-3"])

    assert schemas.Train(schemas.Optim(lr=0.003), batch_size=8) == actual


@pytest.mark.parametrize(
    "argv",
    [
        "--batch-size 3 --config a.json --config b.json",
        "--config a.json --batch-size 3 --config=b.json",
        "--config=a.json --config b.json --batch-size=3",
    ],
)
def test_where_config_stands_says_nothing_save_among_files(train, schemas, argv, written):
    """What argv says goes before every file, and the later file before the earlier."""
    written("a.json", '{"batch_size": 1, "device": "a", "track": ["a"]}')
    written("b.json", '{"batch_size": 2, "device": "b"}')

    actual = run_cli(train, {"optim.lr": 2.0}, argv=argv.split())

    assert schemas.Train(schemas.Optim(lr=2.0), batch_size=3, track=("a",), device="b") == actual


def test_sys_argv_is_read_by_default(train, monkeypatch):
    """A program calls `run_cli(main)`."""
    monkeypatch.setattr("sys.argv", ["train.py", "--batch-size", "4"])

    assert 4 == run_cli(train).batch_size


def test_mistakes_go_to_stderr_with_exit_code_2_and_main_is_not_called(schemas, stopped):
    """All problems, no traceback, nothing on stdout."""

    def main(config: schemas.Train) -> None:
        raise AssertionError("called")

    actual = stopped(main, argv=["--batch-size", "-1", "--optim.lrr", "3"], prog="treadle demo")

    assert (
        2,
        "",
        (
            "treadle demo: 2 problems in the configuration:\n"
            "  batch_size (cli --batch-size): expected a value that its validator takes, got -1; "
            "'batch_size' must be > 0: -1\n"
            "  optim.lrr (cli --optim.lrr): expected the flag of a setting, got '--optim.lrr'; "
            "did you mean --optim.lr?\n"
            "treadle demo --help lists every setting\n"
        ),
    ) == actual


@pytest.mark.parametrize(
    ("flag", "expected"),
    [
        ("--print-config=source", {"batch_size": 8}),
        (
            "--print-config",
            {
                "optim": {"lr": 0.001, "weight_decay": 0.0},
                "batch_size": 8,
                "track": [],
                "device": None,
            },
        ),
    ],
)
def test_print_config_prints_json_that_is_a_config(
    train, schemas, flag, expected, stopped, written
):
    """As much as was asked for, with exit code 0; as a file, it makes the same config."""
    code, printed, _ = stopped(train, argv=["--batch-size", "8", flag])
    name = written("printed.json", printed)

    assert (0, expected, schemas.Train(batch_size=8)) == (
        code,
        {key: one for key, one in json.loads(printed).items() if key != "treadle-config"},
        run_cli(train, argv=["--config", name]),
    )


def test_print_config_says_where_values_came_from(train, stopped):
    """With the order of the layers, and exit code 0."""
    actual = stopped(train, argv=["--batch-size", "8", "--print-config=provenance"])

    assert (
        0,
        (
            "precedence code_over_file: default < file < env < code < cli\n\n"
            "optim.lr            0.001  default\n"
            "optim.weight_decay  0.0    default\n"
            "batch_size          8      cli --batch-size\n"
            "track               []     default\n"
            "device              null   default\n"
        ),
        "",
    ) == actual


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (
            ["--print-config=yaml"],
            "--print-config: expected one of resolved, source, provenance, schema, argv, got yaml",
        ),
        (
            ["--print-config", "argv"],
            (
                "argv[2]: expected a flag such as --name VALUE, got 'argv'; "
                "did you mean --print-config=argv?"
            ),
        ),
    ],
)
def test_what_is_wanted_of_print_config_is_one_word_with_it(argv, expected, train, stopped):
    """It may stand alone, so that a next word could be anything; another word is a mistake."""
    actual = stopped(train, argv=argv, prog="x")

    assert (2, "", f"x: cli {expected}\nx --help lists every setting\n") == actual


@pytest.mark.parametrize(
    ("printed", "expected"),
    [
        ("--print-config=source", b'"device": "\\u00e9\\u2603"'),
        ("--print-config=provenance", b"\\xe9\\u2603"),
    ],
)
def test_what_a_terminal_cannot_show_is_escaped(train, printed, expected, monkeypatch):
    """An encoding without the character is no reason for a traceback, and JSON stays JSON."""
    out = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr("sys.stdout", out)

    with pytest.raises(SystemExit):
        run_cli(train, argv=["--device", "é☃", printed])
    out.flush()

    assert expected in out.buffer.getvalue()


def test_what_main_raises_is_not_touched(schemas):
    """An error of the program is the program's."""

    def main(config: schemas.Train) -> None:
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
        "names no config class; annotate its parameter, as in `def main(config: Config)`"
    )


def test_a_program_says_its_mistakes_without_a_traceback(written, python):
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

    actual = python("train.py", "--config", "trian.json"), python("train.py", "--lr=2")

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
    ) == actual


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


T = TypeVar("T")


@frozen
class Box(Generic[T]):
    item: T


def test_main_may_take_a_generic_class_with_its_parameters(stopped):
    """They decide how the config is read; an instance of the class may lie below."""

    def main(config: Box[int]) -> Box[int]:
        return config

    actual = run_cli(main, Box(1), argv=["--item", "3"])
    _, _, said = stopped(main, argv=["--item", "a"], prog="box")

    assert (Box(3), "box: item (cli --item): expected int, got a\n") == (
        actual,
        said.partition("box --help")[0],
    )


@frozen
class Sized:
    size: int


def test_main_may_take_the_resolution():
    """Then it is told where every value came from, too."""

    def main(resolution: Resolution[Sized]) -> tuple[Sized, str]:
        return resolution.config, str(resolution.source("size"))

    assert (Sized(3), "cli --size") == run_cli(main, argv=["--size", "3"])
