"""A field name that several subtypes have, with a type of its own in each."""

import pytest
from attrs import Factory, frozen

from treadle_config import Codecs, load, resolve


@frozen
class Mean:
    f: int = 0
    x: str = ""


@frozen
class Rich:
    f: bool = True
    x: list[int] = Factory(list)


@frozen
class Config:
    model: Mean | Rich = Mean()


@frozen
class Many:
    models: list[Mean | Rich] = Factory(lambda: [Mean(), Rich()])


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        ("--model.type rich --no-model.f", Rich(f=False)),
        ("--no-model.f --model.type rich", Rich(f=False)),
        ("--model.f --model.type rich", Rich()),
        ("--model.x+=3 --model.x+=4 --model.type rich", Rich(x=[3, 4])),
        ("--model.x 3 --model.type rich", Rich(x=[3])),
        ("--model.f 3 --model.x 3", Mean(3, "3")),
        ("--model.x a --model.x b", Mean(x="b")),
    ],
)
def test_a_flag_is_that_of_the_class_that_is_chosen(argv, expected):
    """By argv, wherever it says so, or by a default."""
    actual = load(Config, argv=argv.split())

    assert Config(expected) == actual


def test_a_flag_is_that_of_the_class_that_a_layer_chose(written):
    """By any layer, a file that argv names included; items of a list have their own."""
    name = written("a.json", '{"model": {"type": "rich"}}')

    actual = [
        load(Config, {"model.type": "rich"}, argv=["--model.f", "--model.x+=3"]),
        load(Config, argv=["--no-model.f", "--config", name]),
        load(Config, name, argv=["--no-model.f"]),
        load(Many, argv=["--no-models[1].f", "--models[-1].x+=3", "--models[0].x", "3"]),
    ]

    assert [
        Config(Rich(x=[3])),
        Config(Rich(f=False)),
        Config(Rich(f=False)),
        Many([Mean(x="3"), Rich(f=False, x=[3])]),
    ] == actual


def test_what_is_wrong_is_told_of_the_class_that_is_chosen(said):
    """Its types, not those of all that could stand there."""
    actual = [
        said(load, Config, argv=["--model.x+=3"]),
        said(load, Config, argv=["--model.f"]),
        said(load, Config, argv=["--no-model.f"]),
        said(load, Config, argv=["--model.type", "rich", "--model.f", "3"]),
    ]

    assert [
        [
            (
                "model.x+ (cli --model.x+): expected the flag of a setting, got '--model.x+'; "
                "model.x is not a list but str"
            )
        ],
        ["model.f (cli --model.f): expected int, got nothing"],
        [
            (
                "model.f (cli --no-model.f): expected int, got '--no-model.f'; "
                "model.f is neither a bool nor nullable"
            )
        ],
        [
            (
                "cli argv[4]: expected a flag such as --name VALUE, got '3'; "
                "--model.f takes true or false"
            )
        ],
    ] == actual


def test_the_way_back_to_argv_is_read_by_the_same_class():
    """What is written is what the chosen class reads."""
    resolution = resolve(Config, {"model": {"type": "rich", "f": False, "x": [1]}})

    words = resolution.to_argv()

    assert resolution.config == load(Config, argv=words, codecs=Codecs())
