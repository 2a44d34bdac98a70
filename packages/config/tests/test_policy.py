"""One policy decides which layer wins, the same everywhere, and it can be printed."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from attrs import frozen

from treadle_config import layer, link, linked, load, resolve


@frozen
class Adam:
    lr: float = 1.0


@frozen
class Data:
    batch_size: int = 32


@frozen
class Config:
    name: str = "run"
    data: Data = Data()
    optim: Adam = linked(Adam, lr=link(lambda size: size / 32, "data.batch_size"))


SAID = {"default": 1, "file": 2, "env": 3, "code": 4, "cli": 5}


@pytest.mark.parametrize(
    ("precedence", "order"),
    [
        ("code_over_file", ["default", "file", "env", "code", "cli"]),
        ("file_over_code", ["default", "code", "file", "env", "cli"]),
    ],
)
@pytest.mark.parametrize("strongest", range(5))
def test_each_layer_wins_over_all_that_are_weaker(
    precedence, order, strongest, written, monkeypatch
):
    """Whichever of them there are; the order and the winner are printed."""
    there = order[: strongest + 1]
    layers = [{"optim.lr": 4}] if "code" in there else []
    layers += [written("f.json", '{"optim": {"lr": 2}}')] if "file" in there else []
    if "env" in there:
        monkeypatch.setenv("APP_OPTIM__LR", "3")
    argv = ["--optim.lr", "5"] if "cli" in there else []

    resolution = resolve(Config, *layers, argv=argv, env="APP_", precedence=precedence)
    title, _, *rows = resolution.explain().splitlines()

    winner = there[-1]
    assert (
        SAID[winner],
        f"precedence {precedence}: {' < '.join(order)}",
        "link" if winner == "default" else winner,
    ) == (resolution.config.optim.lr, title, rows[-1].split()[2])


@pytest.mark.parametrize("precedence", ["code_over_file", "file_over_code"])
def test_a_later_config_flag_wins_wherever_flags_stand(precedence, written):
    """Files are layers of one rank, and argv another."""
    written("a.json", '{"name": "a", "data": {"batch_size": 1}}')
    written("b.json", '{"name": "b", "optim": {"lr": 2}}')
    orders = [
        "--config a.json --config b.json --optim.lr 3",
        "--optim.lr 3 --config a.json --config b.json",
        "--config a.json --optim.lr 3 --config b.json",
    ]

    actual = [load(Config, argv=one.split(), precedence=precedence) for one in orders]

    assert [Config("b", Data(1), Adam(3.0))] * 3 == actual


def test_hyperparameters_given_in_code_are_not_lost_on_a_cluster(written):
    """The file that the cluster brings is weaker, and says so; or it is stronger, by argument."""
    name = written("cluster.json", '{"optim": {"lr": 0.1}, "data": {"batch_size": 8}}')
    searched = {"optim": {"lr": 0.5}}

    by_code = resolve(Config, name, searched)
    by_file = resolve(Config, name, searched, precedence="file_over_code")
    line = by_code.source("optim.lr").line

    assert (
        (0.5, 8),
        f"0.5  code test_policy.py:{line} (over file cluster.json:1; instead of its link)",
        (0.1, 8),
        f"0.1  file cluster.json:1 (over code test_policy.py:{line + 1}; instead of its link)",
    ) == (
        (by_code.config.optim.lr, by_code.config.data.batch_size),
        by_code.explain().splitlines()[-1].partition("  ")[2].strip(),
        (by_file.config.optim.lr, by_file.config.data.batch_size),
        by_file.explain().splitlines()[-1].partition("  ")[2].strip(),
    )


def test_a_cluster_may_insist(written, said):
    """A layer of its own that must win is no silent loser."""
    name = written("train.json", '{"data": {"batch_size": 8}}')
    cluster = layer("cluster", {"data.batch_size": 64}, at="file", must_win=True)

    actual = (
        load(Config, name, cluster).data.batch_size,
        said(load, Config, name, cluster, {"data.batch_size": 16})[0].partition(": ")[2],
    )

    assert (64, "expected 64 of cluster, which must win, got 16; remove one of the two") == actual


def test_everything_can_be_said_in_a_mapping():
    """No file is needed, not even for fields that follow each other across classes."""
    config = load(
        Config,
        {"name": link(lambda size: f"size {size}", "data.batch_size")},
        {"data": {"batch_size": 64}},
    )

    assert Config("size 64", Data(64), Adam(2.0)) == config


ENTRY = """
import json, sys
from attrs import frozen
from treadle_config import link, resolve

@frozen
class Config:
    seed: int = 0
    size: int = 32
    warmup: int = link(lambda size: 3_200 // size, "size")
    root: str = "data"

resolution = resolve(
    Config, {"seed": 3}, argv=sys.argv[2:], env="APP_", precedence="file_over_code"
)
resolution.dump("resolved", sys.argv[1])
print(resolution.explain())
"""


@pytest.fixture
def rerun(tmp_path):
    """Run one program in a directory of its own, away from any terminal."""

    def run(place, *arguments, **variables):
        where = tmp_path / place
        where.mkdir()
        (where / "train.py").write_text(ENTRY)
        clean = {name: one for name, one in os.environ.items() if not name.startswith("APP_")}
        done = subprocess.run(
            [sys.executable, "train.py", "out.json", *arguments],
            cwd=where,
            env=clean | variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=True,
        )
        return json.loads((where / "out.json").read_text()), done.stdout

    return run


def test_a_dump_re_run_elsewhere_makes_an_equal_config(rerun, tmp_path):
    """In another directory, with another environment, from the dump that the first run wrote."""
    (tmp_path / "base.json").write_text('{"root": "shared"}')
    (tmp_path / "train.json").write_text('{"include": "base.json", "size": 64}')

    first, _ = rerun("here", "--config", str(tmp_path / "train.json"), "--seed", "5", APP_SIZE="16")
    second, said = rerun("there", "--config", "../here/out.json", OTHER="1", COLUMNS="3")

    assert (
        {
            "seed": 5,
            "size": 16,
            "warmup": 200,
            "root": "shared",
            "treadle-config": {"precedence": "file_over_code", "linked": ["warmup"]},
        },
        True,
        True,
    ) == (first, first == second, "seed    5       file ../here/out.json:2 (over code" in said)


def test_an_environment_variable_that_changes_a_re_run_is_named(rerun):
    """With the line of the dump that it changes; what is linked follows it."""
    rerun("here", "--size", "64")
    _, said = rerun("there", "--config", "../here/out.json", APP_SIZE="16")

    assert [
        "size    16    env APP_SIZE (over file ../here/out.json:3)",
        "warmup  200   link from size (env APP_SIZE)",
    ] == said.splitlines()[3:5]


def test_a_dump_given_as_a_layer_that_must_win_is_what_runs(said):
    """Or whatever contradicts it is a problem that names both."""
    resolution = resolve(Config, {"name": "a"}, argv=["--name", "b"])
    again = layer("the run", resolution.dump("resolved"), at="code", must_win=True)

    actual = (
        load(Config, {"name": "a"}, again),
        said(load, Config, again, argv=["--name", "c", "--optim.lr", "3"]),
    )

    assert (
        resolution.config,
        [
            f"{said_of} of the run, which must win, got {got}; remove one of the two"
            for said_of, got in (
                ("name (cli --name): expected 'b'", "c"),
                ("optim.lr (cli --optim.lr): expected 1.0", "3"),
            )
        ],
    ) == actual


def test_relative_paths_of_files_are_those_of_the_file(tmp_path, monkeypatch):
    """What a file includes is found from where the file is, wherever the program runs."""
    inner = tmp_path / "conf"
    inner.mkdir()
    Path(inner / "base.json").write_text('{"name": "base"}')
    Path(inner / "train.json").write_text('{"include": "base.json"}')
    monkeypatch.chdir(tmp_path)

    assert "base" == load(Config, "conf/train.json").name
