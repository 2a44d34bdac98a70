"""`Resolution`: sources, explanations, dumps and replacing."""

import sys

import pytest
from attrs import field, frozen

from treadle_config import UnknownPath, load, resolve


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
        "optim.lr         0.002         link from data.batch_size\n"
        "optim.betas      [0.9, 0.999]  default\n"
    ) == resolution.explain()


def test_the_source_dump_holds_what_layers_said(schemas):
    """Loaded again it makes an equal config, with its links alive."""
    given = {
        "seed": None,
        "layers": [],
        "data": {"batch_size": 64, "splits": {"train": 1.0}},
        "optim": {"type": "sgd", "lr": 2.0},
    }
    resolution = resolve(schemas.Config, given, argv=["--until", "3 epochs"])

    actual = resolution.dump("source")

    assert ({**given, "until": "3 epochs"}, resolution.config, 3200 // 8) == (
        {key: actual[key] for key in actual},
        load(schemas.Config, actual),
        resolve(schemas.Config, actual).replace({"data.batch_size": 8}).config.warmup,
    )


def test_the_source_dump_goes_into_dicts_of_objects():
    """An entry that is an object holds what was said of it, and its defaults stay out."""

    @frozen
    class Block:
        width: int = 1
        bias: bool = True

    @frozen
    class Net:
        named: dict[str, Block] = field(factory=dict)
        extra: dict[str, Block] = field(factory=dict)

    given = {"named": {"a": {"width": 3}}}
    resolution = resolve(Net, given)

    actual = resolution.dump("source")

    assert (given, Net({"a": Block(3)})) == (actual, load(Net, actual))


def test_the_resolved_dump_holds_every_value(schemas):
    """Loaded again it makes an equal config, with every value pinned."""
    resolution = resolve(schemas.Config, {"data": {"batch_size": 64}})

    actual = resolution.dump("resolved")

    assert (resolution.config, 50) == (load(schemas.Config, actual), actual["warmup"])


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
