"""Layers: which one wins, and how they merge."""

from typing import Any

import pytest
from attrs import Factory, define, evolve, field, frozen

from treadle_config import layer, link, load, resolve, setting


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([], "run"),
        (["file"], "file"),
        (["file", "env"], "env"),
        (["file", "env", "code"], "code"),
        (["file", "env", "code", "cli"], "cli"),
    ],
)
def test_code_over_file_is_the_default_order(given, expected, schemas, written, monkeypatch):
    """default < file < env < code < cli."""
    layers = [written("a.json", '{"name": "file"}')] if "file" in given else []
    layers += [{"name": "code"}] if "code" in given else []
    if "env" in given:
        monkeypatch.setenv("APP_NAME", "env")
    argv = ["--name", "cli"] if "cli" in given else []

    actual = load(schemas.Config, *layers, argv=argv, env="APP_")

    assert expected == actual.name


@pytest.mark.parametrize(
    ("given", "expected"),
    [(["code"], "code"), (["code", "file"], "file"), (["code", "file", "env"], "env")],
)
def test_file_over_code_turns_the_two_round(given, expected, schemas, written, monkeypatch):
    """default < code < file < env < cli."""
    layers = [{"name": "code"}] if "code" in given else []
    layers += [written("a.json", '{"name": "file"}')] if "file" in given else []
    if "env" in given:
        monkeypatch.setenv("APP_NAME", "env")

    actual = load(schemas.Config, *layers, env="APP_", precedence="file_over_code")

    assert expected == actual.name


def test_the_later_one_of_a_kind_wins(schemas, written):
    """Among files, and among mappings, the last one given wins."""
    first = written("a.json", '{"name": "first", "seed": 1}')
    second = written("b.json", '{"name": "second"}')

    actual = load(schemas.Config, first, {"mode": "fast"}, second, {"mode": "slow"})

    assert ("second", 1, "slow") == (actual.name, actual.seed, actual.mode)


@pytest.mark.parametrize("argv", ["--name cli --config a.json", "--config a.json --name cli"])
def test_the_position_of_config_changes_nothing(argv, schemas, written):
    """A file named on the command line is a file layer, wherever it is named."""
    written("a.json", '{"name": "file", "seed": 3}')

    actual = load(schemas.Config, argv=argv.split())

    assert ("cli", 3) == (actual.name, actual.seed)


def test_a_named_layer_stands_just_above_its_rank(schemas, written):
    """`layer(at="file")` is above the files and below code."""
    cluster = layer("cluster", {"name": "cluster", "seed": 1}, at="file")
    name = written("a.json", '{"name": "file", "seed": 2, "mode": "slow"}')

    resolution = resolve(schemas.Config, cluster, name, {"name": "code"})

    assert ("code", 1, "slow", "cluster") == (
        resolution.config.name,
        resolution.config.seed,
        resolution.config.mode,
        str(resolution.source("seed")),
    )


def test_a_layer_that_must_win_and_does_not_is_a_problem(schemas, said):
    """The problem names both sources."""
    searched = layer("trial 7", {"optim": {"lr": 0.5}}, at="code", must_win=True)

    actual = said(load, schemas.Config, searched, argv=["--optim.lr", "3"])

    assert [
        (
            "optim.lr (cli --optim.lr): expected 0.5 of trial 7, which must win, got 3; "
            "remove one of the two"
        )
    ] == actual


def test_a_subtype_that_must_win_and_does_not_is_a_problem(schemas, said):
    """A tag is a value like others."""
    searched = layer("trial 7", {"optim": {"type": "sgd"}}, at="code", must_win=True)

    actual = said(load, schemas.Config, searched, argv=["--optim.type", "adam"])

    assert [
        (
            "optim.type (cli --optim.type): expected 'sgd' of trial 7, which must win, got adam; "
            "remove one of the two"
        )
    ] == actual


def test_a_layer_that_must_win_and_is_not_contradicted_is_fine(schemas):
    """What others say of other fields, or say as well, is no conflict."""
    searched = layer("trial 7", {"optim": {"lr": 0.5}}, at="code", must_win=True)

    actual = load(
        schemas.Config, searched, argv=["--optim.betas", "[0.1, 0.2]", "--optim.lr", "0.5"]
    )

    assert schemas.Adam(lr=0.5, betas=(0.1, 0.2)) == actual.optim


def test_mappings_merge_and_lists_replace(schemas):
    """A dict keeps the keys of the weaker layer; a list keeps nothing."""
    actual = load(
        schemas.Config,
        {"data": {"splits": {"train": 0.9, "val": 0.1}}, "layers": [5, 6, 7]},
        {"layers": [8]},
        argv=["--data.splits.test", ".05"],
    )

    assert ({"train": 0.9, "val": 0.1, "test": 0.05}, [8]) == (actual.data.splits, actual.layers)


def test_a_default_dict_is_the_weakest_layer():
    """A key of the default stays until a layer says otherwise."""

    @frozen
    class Splits:
        parts: dict[str, float] = Factory(lambda: {"train": 0.8, "val": 0.2})

    actual = load(Splits, {"parts": {"val": 0.1}})

    assert {"train": 0.8, "val": 0.1} == actual.parts


def test_a_setting_turns_the_merge_rule_round():
    """`merge="append"` adds to a list, `merge="replace"` drops a mapping's other keys."""

    @frozen
    class Turned:
        tags: list[str] = field(factory=lambda: ["a"], metadata=setting(merge="append"))
        parts: dict[str, int] = field(factory=lambda: {"x": 1}, metadata=setting(merge="replace"))

    actual = load(Turned, {"tags": ["b"], "parts": {"y": 2}}, argv=["--tags", "c"])

    assert Turned(["a", "b", "c"], {"y": 2}) == actual


def test_a_dotted_key_in_code_is_a_path(schemas):
    """A mapping in code may be as flat as a searcher's."""
    actual = load(schemas.Config, {"optim.lr": 3, "data.batch_size": 8, "data": {"workers": 0}})

    assert (3.0, 8, 0) == (actual.optim.lr, actual.data.batch_size, actual.data.workers)


def test_a_default_instance_keeps_what_it_was_given():
    """Overriding one field of a default instance leaves its others, and its subtype."""

    @frozen
    class A:
        x: int = 1
        y: int = 2

    @frozen
    class B:
        x: int = 3

    @frozen
    class Holder:
        one: A | B = A(x=10)

    actual = [
        load(Holder, argv=["--one.y", "5"]),
        load(Holder, argv=["--one.type", "b"]),
        load(Holder, argv=["--one.type", "a"]),
        load(Holder),
    ]

    assert [Holder(A(10, 5)), Holder(B(3)), Holder(A(10, 2)), Holder()] == actual


def test_changing_the_subtype_drops_the_fields_of_the_other(schemas, written):
    """What a file said of Adam does not leak into SGD."""
    name = written("a.json", '{"optim": {"lr": 3}}')

    actual = load(schemas.Config, name, argv=["--optim.type", "sgd"])

    assert schemas.SGD() == actual.optim


@pytest.mark.parametrize(
    "argv",
    ["--optim.type sgd --optim.momentum .4", "--optim.momentum .4 --optim.type sgd"],
)
def test_the_tag_and_the_fields_may_come_in_either_order(argv, schemas):
    """Within one layer the tag holds for all of it."""
    actual = load(schemas.Config, argv=argv.split())

    assert schemas.SGD(momentum=0.4) == actual.optim


def test_fields_before_a_tag_in_argv_are_of_that_tag():
    """Where the declared class could be made itself, too."""

    @frozen
    class Base:
        x: int = 1

    @frozen
    class Sub(Base):
        y: int = 2

    @frozen
    class Holder:
        one: Base = Base()

    actual = load(Holder, argv=["--one.x", "5", "--one.type", "sub", "--one.y", "6"])

    assert Holder(Sub(5, 6)) == actual


def test_a_default_instance_pins_only_what_it_was_given():
    """What a link computes within it goes on following."""

    @frozen
    class Inner:
        size: int = 1
        fixed: int = 1
        twice: int = link(lambda size: 2 * size, "size")

    @frozen
    class Outer:
        inner: Inner = Inner(size=3)
        other: Inner = Inner(size=3, twice=7)

    actual = load(Outer, {"inner.size": 4, "other.size": 4})

    assert Outer(Inner(4, 1, 8), Inner(4, 1, 7)) == actual


def test_an_instance_in_code_replaces_and_a_mapping_merges(schemas):
    """An instance says every field of itself."""
    actual = [
        load(schemas.Config, {"optim": {"lr": 5}}, {"optim": schemas.Adam()}).optim,
        load(schemas.Config, {"optim": schemas.SGD(lr=2)}, {"optim": {"momentum": 0}}).optim,
    ]

    assert [schemas.Adam(), schemas.SGD(lr=2, momentum=0)] == actual


def test_containers_in_code_may_be_of_any_class():
    """A subclass of list, and a list where no type is declared, are read as lists."""

    class Rows(list):
        pass

    @frozen
    class Inner:
        anything: Any = None
        rows: list[int] = Factory(list)

    @frozen
    class Outer:
        inner: Inner = Inner()

    given = Inner([1, {"a": [2]}], [3])

    assert Outer(given) == load(Outer, {"inner": given}, {"inner.rows": Rows([3])})


def test_a_key_that_is_no_text_is_an_unknown_field(schemas, said):
    """Not even None slips through."""
    actual = said(load, schemas.Data, {None: 1})

    assert "expected a field of Data, got 'None'" in actual[0]


def test_no_two_configs_share_a_list_within_a_default():
    """A frozen default that holds a list is built afresh for each config."""

    @frozen
    class Inner:
        items: list[int] = Factory(list)

    @frozen
    class Outer:
        inner: Inner = Inner()

    load(Outer).inner.items.append(1)

    assert [] == load(Outer).inner.items


def test_a_decorated_default_keeps_its_other_fields():
    """A default computed from earlier fields lies below what is given, too."""

    @frozen
    class Inner:
        x: int = 1
        y: int = 2

    @frozen
    class Outer:
        base: int = 5
        inner: Inner = field()

        @inner.default
        def _inner(self):
            return Inner(x=self.base)

    actual = [load(Outer, {"base": 7, "inner": {"y": 9}}), load(Outer, {"base": 8})]

    assert [Outer(7, Inner(7, 9)), Outer(8, Inner(8, 2))] == actual


def test_a_default_of_none_can_be_filled_and_an_object_emptied():
    """An optional object is made by naming a field of it, and unmade by null."""

    @frozen
    class Inner:
        x: int = 1

    @frozen
    class Outer:
        one: Inner | None = None
        two: Inner | None = Inner(5)

    actual = load(Outer, argv=["--one.x", "3", "--two", "null"])

    assert Outer(Inner(3), None) == actual


def test_lists_of_objects_and_mutable_classes_are_built():
    """Elements of a list are objects of their own, each with its defaults."""

    @define
    class Layer:
        width: int
        bias: bool = True

    @define
    class Net:
        layers: list[Layer] = Factory(list)

    actual = load(Net, {"layers": [{"width": 3}, {"width": 4, "bias": "off"}]})

    assert Net([Layer(3), Layer(4, bias=False)]) == actual


@frozen
class Within:
    a: int = 0
    b: int = 1


@frozen
class Whole:
    inner: Within = Within()
    size: int = 1
    half: int = link(lambda size: size // 2, "size")
    runs: list[str] = field(factory=lambda: ["d"], metadata=setting(merge="append"))
    table: dict[str, int] = field(factory=lambda: {"d": 1})


@pytest.mark.parametrize(
    "given",
    [
        Whole(),
        Whole(size=4, half=7, runs=[], table={}),
        Whole(Within(3), runs=["x"], table={"y": 2}),
    ],
)
def test_an_instance_of_the_schema_is_a_code_layer_that_says_everything(given):
    """Nothing below it shines through, and what is above it wins."""
    stronger = {"inner": {"a": 9}, "runs": ["more"]}

    actual = [load(Whole, {"size": 8, "runs": ["low"]}, given), load(Whole, given, stronger)]

    assert [given, evolve(given, inner=evolve(given.inner, a=9), runs=[*given.runs, "more"])] == (
        actual
    )


def test_a_nested_instance_says_its_lists_and_dicts_whole():
    """Their defaults do not come back, though lists append and dicts merge."""

    @frozen
    class Outer:
        whole: Whole = Whole()

    given = Whole(runs=["x"], table={})

    assert Outer(given) == load(Outer, {"whole": given})


def test_an_instance_as_a_layer_is_the_source_of_its_values(schemas):
    """It is attributed to the line that gave it, among the code layers."""
    resolution = resolve(schemas.Config, {"seed": 1}, schemas.Config(), argv=["--name", "x"])

    assert (7, "code", "cli") == (
        resolution.config.seed,
        resolution.source("seed").kind,
        resolution.source("name").kind,
    )


def test_an_instance_of_another_class_is_no_layer(schemas):
    """A mistake of the program's, with what it may give instead."""
    with pytest.raises(TypeError) as caught:
        load(schemas.Config, schemas.SGD())

    assert (
        f"{schemas.SGD()!r} is no layer: give a path, a mapping, an instance of Config, "
        "or layer(name, values, at=...)"
    ) == str(caught.value)
