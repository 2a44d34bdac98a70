"""Objects that are nested deeper than any config."""

import pytest
from attrs import Factory, frozen

from treadle_config import Codecs, ConfigError, diff, dump, flatten, layer, load, resolve


@frozen
class Node:
    below: "Node | None" = None
    size: int = 0


@frozen
class Tree:
    children: list["Tree"] = Factory(list)


@frozen
class Anything:
    value: object = None


def nested(levels: int) -> Node:
    made = Node()
    for size in range(levels):
        made = Node(made, size)
    return made


def listed(levels: int) -> Tree:
    made = Tree()
    for _ in range(levels):
        made = Tree([made])
    return made


WAYS = {
    "load": lambda config: load(type(config), config),
    "layer": lambda config: load(type(config), layer("mine", config, at="file")),
    "replace": lambda config: resolve(type(config)).replace(config),
    "dump": dump,
    "flatten": flatten,
    "diff": lambda config: diff(config, type(config)()),
    "encode": lambda config: Codecs().encode(config),
    "decode": lambda config: Codecs().decode(config, type(config)),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("config", [nested(100), nested(400), nested(2000)], ids=[100, 400, 2000])
def test_an_object_with_more_levels_than_a_file_may_have_is_a_problem(way, config):
    """One limit for all, and no recursion that python has to end."""
    with pytest.raises(ConfigError) as caught:
        WAYS[way](config)

    assert (
        "expected at most 100 levels, got more; does an object hold itself?"
        == (str(caught.value).partition(": ")[2])
    )


def test_an_object_with_as_many_levels_as_a_file_may_have_comes_back(tmp_path):
    """From instances, files and arguments."""
    config, lists = nested(99), listed(49)
    dump(config, tmp_path / "deep.json")
    resolution = resolve(Node, config)

    assert [config, config, config, lists, {}] == [
        resolution.config,
        load(Node, tmp_path / "deep.json"),
        load(Node, argv=resolution.to_argv()),
        load(Tree, dump(lists)),
        diff(config, resolution.config),
    ]


def test_levels_of_lists_count_as_well():
    """A list within an object is a level of its own."""
    with pytest.raises(ConfigError) as caught:
        load(Tree, listed(51))

    assert str(caught.value).endswith(
        "expected at most 100 levels, got more; does an object hold itself?"
    )


def test_a_list_that_holds_itself_is_a_problem_when_it_is_written():
    """Also where nothing is said of its type."""
    endless: list[object] = []
    endless.append(endless)

    with pytest.raises(ConfigError) as caught:
        dump(Anything(endless))

    assert "code: expected at most 100 levels, got more; does an object hold itself?" == str(
        caught.value
    )
