"""One path in two spellings, within one layer of code."""

from pathlib import Path
from typing import Any

import pytest
from attrs import Factory, field, frozen

from treadle_config import Codecs, layer, link, load, resolve


@frozen
class Shape:
    width: int = 1
    sizes: list[int] = Factory(list)


@frozen
class Disk:
    radius: int = 5


@frozen
class Data:
    size: int = 0
    shape: Shape | Disk = Shape()
    splits: dict[str, int] = Factory(dict)
    shapes: dict[str, Shape] = Factory(dict)


@frozen
class Config:
    data: Data = Data()


def problem(path: str, one: str, other: str) -> str:
    return (
        f"{path} (mine): expected one value, got a second; "
        f"both {one} and {other} set it; remove one of the two"
    )


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"data": {"size": 2}, "data.size": 1}, ("data.size", "data", "data.size")),
        ({"data.size": 1, "data": {"size": 2}}, ("data.size", "data.size", "data")),
        ({"data.size": 1, "data": {"size": 1}}, ("data.size", "data.size", "data")),
        ({"data": Data(3), "data.size": 1}, ("data", "data", "data.size")),
        (
            {"data": link(lambda: Data(3)), "data.size": 1},
            ("data.size", "data", "data.size"),
        ),
        (
            {"data.shape.width": 1, "data": {"shape": {"width": 2}}},
            ("data.shape.width", "data.shape.width", "data.shape"),
        ),
        (
            {"data.shape": {"width": 1}, "data": {"shape.width": 2}},
            ("data.shape.width", "data.shape", "data.shape.width"),
        ),
        (
            {"data.shape.sizes": [1], "data": {"shape": {"sizes": [1]}}},
            ("data.shape.sizes", "data.shape.sizes", "data.shape"),
        ),
        (
            {"data.splits.a": 1, "data": {"splits": {"a": 2}}},
            ("data.splits.a", "data.splits.a", "data.splits"),
        ),
    ],
    ids=range(9),
)
def test_a_path_that_is_said_twice_in_one_layer_is_a_problem(given: Any, expected, said):
    """Equal values too: which of the two is changed next would be a matter of luck."""
    assert [problem(*expected)] == said(load, Config, layer("mine", given, at="code"))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (
            {"data.size": 1, "data": {"shape": {"width": 2}}, "data.shape.sizes": [3]},
            Data(1, Shape(2, [3])),
        ),
        ({"data.shape.type": "disk", "data.shape": {"radius": 2}}, Data(0, Disk(2))),
        ({"data.shape": {"radius": 2}, "data": {"shape.type": "disk"}}, Data(0, Disk(2))),
        (
            {"data.splits.a": 1, "data": {"splits": {"b": 2}}},
            Data(splits={"a": 1, "b": 2}),
        ),
        (
            {"data": {"shapes": {"a": {"width": 2}}}, "data.shapes": {"b": {}}},
            Data(shapes={"a": Shape(2), "b": Shape()}),
        ),
    ],
    ids=range(5),
)
def test_two_spellings_of_different_parts_are_one_mapping(given, expected):
    """In whatever order they stand."""
    backwards = dict(reversed(given.items()))

    assert [Config(expected)] * 2 == [load(Config, given), load(Config, backwards)]


def test_a_replacement_and_one_value_for_codecs_are_layers_too(said):
    """What holds for the mappings of `load` holds for these."""
    given = {"data.size": 1, "data": {"size": 1}}
    found = said(resolve(Config).replace, given) + said(Codecs().decode, given, Config)

    assert ["both data.size and data set it; remove one of the two"] * 2 == [
        one.partition("second; ")[2] for one in found
    ]


def test_a_stronger_layer_may_spell_it_as_it_likes():
    """Only within one layer is nobody the stronger."""
    assert 1 == load(Config, {"data": {"size": 2}}, {"data.size": 1}).data.size


def test_of_flags_and_of_variables_the_later_and_the_longer_name_win(monkeypatch):
    """As on any command line; variables have no order, so that a part goes above its whole."""
    monkeypatch.setenv("TWICE_DATA__SIZE", "3")
    monkeypatch.setenv("TWICE_DATA", '{"size": 2, "splits": {"a": 1}}')

    assert (2, 1, Data(3, splits={"a": 1})) == (
        load(Config, argv=["--data.size=1", "--data", '{"size": 2}']).data.size,
        load(Config, argv=["--data", '{"size": 2}', "--data.size=1"]).data.size,
        load(Config, env="TWICE_").data,
    )


@frozen
class Needed:
    token: str
    retries: int = 1


@frozen
class Service:
    api: Needed
    names: list[Needed] = field(factory=list)


def test_an_object_of_which_a_part_is_refused_is_not_missing(said):
    """A key that is given twice within it is all that is wrong."""
    argv = ['--api={"token": "a", "token": "b"}']

    assert [
        "api.token (cli --api): expected one value, got a second; the key 'token' is given twice"
    ] == said(load, Service, argv=argv)


@pytest.mark.parametrize("text", ["{'token", '{"token": 1', "{token:1}", "{token: [}", "token"])
def test_a_malformed_object_is_one_problem(text, monkeypatch, said):
    """From a flag or a variable, also where the field has no default."""
    monkeypatch.setenv("ODD_API", text)
    found = [
        said(load, Service, argv=[f"--api={text}"]),
        said(load, Service, env="ODD_"),
    ]

    assert [["api (cli --api)"], ["api (env ODD_API)"]] == [
        [one.partition(":")[0] for one in each] for each in found
    ]


def test_dotted_keys_of_a_file_are_refused_one_by_one(tmp_path, monkeypatch, said):
    """They are for code; nothing is said of a second spelling."""
    monkeypatch.chdir(tmp_path)
    Path("a.json").write_text('{"data.size": 1, "data": {"size": 2}}')

    assert [
        (
            "data.size (file a.json:1): expected a field of Config, got 'data.size'; "
            "write it nested, `data:` and below it `size:`; dotted keys are for code"
        )
    ] == said(load, Config, "a.json")
