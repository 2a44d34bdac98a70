"""`Resolution`: sources, explanations, dumps and replacing."""

import sys

import pytest
from attrs import field, frozen

from treadle_config import UnknownPath, layer, load, resolve, setting


def test_every_value_has_a_source(schemas, written, monkeypatch):
    """Leaves, elements of lists, entries of dicts and tags each have their own."""
    name = written("a.json", '{"seed": 3,\n "data": {"splits": {"train": 0.9}}, "layers": [1,\n2]}')
    monkeypatch.setenv("APP_CLIP", "1")
    val = {"data": {"splits": {"val": 0.1}}}
    line = sys._getframe().f_lineno + 1
    resolution = resolve(schemas.Config, name, val, argv=["--optim.type", "sgd"], env="APP_")
    paths = [
        "name",
        "seed",
        "layers",
        "layers[1]",
        "data.splits.train",
        "data.splits.val",
        "clip",
        "optim.type",
        "optim.lr",
        "warmup",
    ]

    actual = [str(resolution.source(path)) for path in paths]

    assert [
        "default",
        "file a.json:1",
        "file a.json:2",
        "file a.json:3",
        "file a.json:2",
        f"code test_resolution.py:{line}",
        "env APP_CLIP",
        "cli --optim.type",
        "default",
        "link",
    ] == actual


def test_a_path_that_names_no_value_is_an_error(schemas):
    """With the nearest path, or the remark that it is an object."""
    resolution = resolve(schemas.Config)
    actual = []
    for path in ("optim.lrr", "optim", "layers[7]", "name.x"):
        with pytest.raises(UnknownPath) as caught:
            resolution.source(path)
        actual.append(str(caught.value))

    assert [
        "'optim.lrr' is no value of Config; did you mean optim.lr?",
        "'optim' is an object; ask for one of its values",
        "'layers[7]' is no value of Config; did you mean layers?",
        "'name.x' is no value of Config; did you mean name?",
    ] == actual


def test_explain_says_the_order_and_each_winner(schemas):
    """One line a value, after the policy."""
    resolution = resolve(
        schemas.Followed, argv=["--data.batch-size", "64"], precedence="file_over_code"
    )

    assert (
        "precedence file_over_code: default < code < file < env < cli\n\n"
        "data.batch_size  64            cli --data.batch-size\n"
        "data.workers     2             default\n"
        "data.shuffle     true          default\n"
        "data.root        data          default\n"
        "data.splits      {}            default\n"
        "optim.type       adam          default\n"
        "optim.lr         0.002         link from data.batch_size (cli --data.batch-size)\n"
        "optim.betas      [0.9, 0.999]  default\n"
    ) == resolution.explain()


def test_replace_is_one_more_layer_above_all(schemas, said):
    """It wins over the command line, says its line, and is as strict."""
    resolution = resolve(schemas.Config, argv=["--seed", "1"])

    line = sys._getframe().f_lineno + 1
    replaced = resolution.replace({"seed": 2, "optim": {"type": "sgd"}})

    assert (2, f"code test_resolution.py:{line}", schemas.SGD(), 1, 1) == (
        replaced.config.seed,
        str(replaced.source("seed")),
        replaced.config.optim,
        resolution.config.seed,
        len(said(resolution.replace, {"seed": "x"})),
    )


def test_a_long_value_overflows_its_own_line_only():
    """The columns of the others stay where they would be without it."""

    @frozen
    class Two:
        long: str = "x" * 60
        short: int = 1234

    assert (f"long   {'x' * 60}  default\nshort  1234  default\n") == resolve(
        Two
    ).explain().partition("\n\n")[2]


def test_explain_names_every_layer_that_lost(schemas, written, monkeypatch):
    """The strongest of them first; what went with another subtype is told beside its default."""
    name = written("a.json", '{"seed": 1, "name": "a", "optim": {"lr": 2}}')
    monkeypatch.setenv("APP_SEED", "3")
    resolution = resolve(
        schemas.Config,
        name,
        layer("cluster", {"seed": 2, "name": "b"}, at="file"),
        argv=["--seed", "4", "--optim.type", "sgd"],
        env="APP_",
    )

    order, _, *rows = resolution.explain().splitlines()
    actual = {row.split()[0]: row.split(maxsplit=2)[2] for row in rows}

    assert (
        "precedence code_over_file: default < file < cluster < env < code < cli",
        "cluster (over file a.json:1)",
        "cli --seed (over env APP_SEED, cluster, file a.json:1)",
        "default (instead of 2 of file a.json:1)",
    ) == (order, actual["name"], actual["seed"], actual["optim.lr"])


def test_a_list_that_layers_add_to_is_over_none():
    """Every layer has its part in it."""

    @frozen
    class Inner:
        flags: list[str] = field(factory=list, metadata=setting(merge="append"))

    @frozen
    class Outer:
        inner: Inner = Inner()

    resolution = resolve(
        Outer, layer("x", {"inner.flags": ["a"]}, at="file"), argv=["--inner.flags", "b"]
    )

    assert "inner.flags  [a, b]  cli --inner.flags" == resolution.explain().splitlines()[-1]


def test_to_argv_makes_an_equal_config(schemas):
    """Over the defaults alone."""
    resolution = resolve(schemas.Config, {"optim": {"type": "sgd"}, "name": "--a b", "seed": None})

    assert resolution.config == load(schemas.Config, argv=resolution.to_argv())
