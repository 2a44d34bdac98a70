"""Unions whose tag is said by another layer, or later in argv."""

import pytest
from attrs import Factory, field, frozen

from treadle_config import layer, load, resolve, setting


@frozen
class Part:
    a: int = 0
    b: int = 0


@frozen
class Base:
    pass


@frozen
class Mean(Base):
    pass


@frozen
class Rich(Base):
    sizes: list[int] = Factory(list)
    tags: list[str] = field(factory=lambda: ["d"], metadata=setting(merge="append"))
    swap: dict[str, int] = field(factory=dict, metadata=setting(merge="replace"))
    part: Part = Part()
    parts: list[Part] = Factory(list)


@frozen
class ByDefault:
    model: Mean | Rich = Mean()


@frozen
class Required:
    model: Mean | Rich


@frozen
class Optional:
    model: Mean | Rich | None = None


@frozen
class OfBase:
    model: Base = Base()


@frozen
class Many:
    by_name: dict[str, Mean | Rich] = Factory(dict)
    listed: list[Mean | Rich] = Factory(list)


SCHEMAS = [ByDefault, Required, Optional, OfBase]


def both(schema, *layers, argv=()):
    """What `load` makes, which has a short way, and what `resolve` does."""
    made = load(schema, *layers, argv=argv)
    assert made == resolve(schema, *layers, argv=argv).config
    return made


@pytest.mark.parametrize("schema", SCHEMAS)
@pytest.mark.parametrize(
    ("argv", "name", "expected"),
    [
        ("--model.sizes 8 --model.sizes 9", "sizes", [8, 9]),
        ("--model.sizes+=8 --model.sizes+=9", "sizes", [5, 6, 8, 9]),
        ("--model.sizes+=8 --model.sizes[0]=9", "sizes", [9, 6, 8]),
        ("--model.sizes[0]=9 --model.sizes[1]=10", "sizes", [9, 10]),
        ("--model.sizes=[8] --model.sizes+=9 --model.sizes+=10", "sizes", [8, 9, 10]),
        ("--model.sizes=[8] --model.sizes=[9]", "sizes", [9]),
        ('--model.part {"a":1} --model.part.b 2', "part", Part(1, 2)),
        ('--model.part.b 2 --model.part {"a":1}', "part", Part(1, 2)),
        ('--model.parts+={"a":1} --model.parts[-1].b=3', "parts", [Part(1, 3)]),
        ("--model.tags x --model.tags y", "tags", ["d", "x", "y"]),
        ('--model.tags x --model.tags ["y"]', "tags", ["d", "y"]),
        ('--model {"tags":["x"]} --model.tags ["y"]', "tags", ["d", "y"]),
        ("--model.swap.x 1 --model.swap.y 2", "swap", {"x": 1, "y": 2}),
    ],
)
def test_arguments_are_merged_by_the_class_that_a_layer_chose(schema, argv, name, expected):
    """A list, a dict or an object in argv is what it is where the tag stands in a file."""
    below = {"model": {"type": "rich", "sizes": [5, 6], "swap": {"w": 0}}}

    actual = both(schema, below, argv=argv.split()).model

    assert expected == getattr(actual, name)


@pytest.mark.parametrize("schema", SCHEMAS)
@pytest.mark.parametrize(
    "argv",
    [
        "--model.sizes 1 --model.sizes 2 --model.type rich",
        "--model.sizes 1 --model.type rich --model.sizes 2",
        "--model.type rich --model.sizes 1 --model.sizes 2",
        "--model.sizes 1 --model.type mean --model.sizes 2 --model.type rich",
        '--model.sizes 1 --model.sizes 2 --model {"type":"rich"}',
    ],
)
def test_the_position_of_a_tag_in_argv_means_nothing(schema, argv):
    """Of two tags the later one counts."""
    actual = both(schema, argv=argv.split()).model

    assert Rich([1, 2]) == actual


def test_entries_and_items_are_merged_by_the_class_that_is_chosen():
    """In a dict of unions and in a list of them, wherever the tag is."""
    below = {"by_name": {"k": {"type": "rich", "sizes": [5]}}, "listed": [{"type": "mean"}]}
    argv = "--by-name.k.sizes 2 --by-name.k.sizes 3 --listed[0].sizes 4 --listed[0].sizes 5"

    actual = both(Many, below, argv=[*argv.split(), "--listed[0].type=rich"])

    assert Many({"k": Rich([2, 3])}, [Rich([4, 5])]) == actual


@pytest.mark.parametrize("schema", SCHEMAS)
@pytest.mark.parametrize("at", range(3))
def test_what_layers_append_is_all_there_wherever_the_tag_is(schema, at):
    """Below both, between them or above them, the default included."""
    layers = [{"model": {"tags": ["a"]}}, {"model": {"tags": ["b"]}}]
    layers.insert(at, {"model": {"type": "rich"}})

    actual = both(schema, *layers).model

    assert Rich(tags=["d", "a", "b"]) == actual


@pytest.mark.parametrize("schema", SCHEMAS)
@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        ({"swap": {"a": 1}}, {"swap": {"b": 1}}, Rich(swap={"b": 1})),
        ({"part": Part(1, 1)}, {"part": {"b": 5}}, Rich(part=Part(1, 5))),
        ({"part": {"a": 9}}, {"part": Part(b=5)}, Rich(part=Part(0, 5))),
        ({"part.a": 9}, {"part": {"b": 5}}, Rich(part=Part(9, 5))),
    ],
)
def test_layers_are_merged_by_the_tag_of_a_stronger_one(schema, low, high, expected):
    """Rules of merging and instances hold before the tag is known."""
    layers = {"model": low}, {"model": high}

    actual = both(schema, *layers, argv=["--model.type", "rich"]).model

    assert expected == actual


@pytest.mark.parametrize("schema", SCHEMAS)
def test_what_must_win_does_where_the_tag_is_elsewhere(schema):
    """A stronger layer may say another part of the same object."""
    must = layer("cluster", {"model": {"part": {"a": 9}}}, at="file", must_win=True)

    actual = both(schema, must, {"model": {"part": {"b": 1}}}, argv=["--model.type", "rich"])

    assert Rich(part=Part(9, 1)) == actual.model


def test_variables_are_merged_by_the_class_that_another_one_chooses(monkeypatch):
    """Their alphabetical order means nothing."""
    monkeypatch.setenv("APP_MODEL__PART", '{"a": 1}')
    monkeypatch.setenv("APP_MODEL__PART__B", "2")
    monkeypatch.setenv("APP_MODEL__TYPE", "rich")

    actual = load(Required, env="APP_")

    assert Required(Rich(part=Part(1, 2))) == actual


def test_a_tag_that_the_same_argv_takes_back_drops_nothing():
    """Of one layer, only its last tag is a choice."""
    argv = ["--model", '{"type": "mean"}', "--model.type", "rich"]

    actual = both(Required, {"model": {"type": "rich", "sizes": [5]}}, argv=argv)

    assert Required(Rich([5])) == actual
