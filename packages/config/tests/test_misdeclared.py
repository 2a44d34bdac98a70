"""Declarations that say something else than was meant."""

import functools
import pickle

import pytest
from attrs import field, frozen

from treadle_config import (
    SchemaError,
    diff,
    flatten,
    layer,
    link,
    load,
    resolve,
    run_cli,
    setting,
)


@frozen
class Config:
    y: int = 1


class Plain:
    pass


@frozen
class SettingAlone:
    x: int = setting(help="h")


@frozen
class FieldOfLink:
    y: int = 1
    x: int = field(default=link(lambda y: y, "y"))


@frozen
class LinkOfNothing:
    y: int = 1
    x: int = link(lambda y: y)


@frozen
class LinkOfTooMuch:
    y: int = 1
    x: int = link(lambda: 3, "y")


@pytest.mark.parametrize(
    ("cls", "expected"),
    [
        (
            SettingAlone,
            (
                "x: setting(...) is metadata of a field; write "
                "field(default=..., metadata=setting(...))"
            ),
        ),
        (
            FieldOfLink,
            (
                "x: the default is a field; a link already is one, as in "
                "`x: ... = link(fn, path, metadata=...)`"
            ),
        ),
        (
            LinkOfNothing,
            (
                "x: the function of the link takes 1 value, but the link has 0 paths; "
                "write link(fn, path, ...), a path for each"
            ),
        ),
        (
            LinkOfTooMuch,
            (
                "x: the function of the link takes 0 values, but the link has 1 path; "
                "write link(fn, path, ...), a path for each"
            ),
        ),
        (
            Plain,
            f"{Plain!r} is no schema: put @frozen of attrs, or @dataclass, above the class",
        ),
    ],
)
def test_a_declaration_is_answered_with_what_was_meant(cls, expected):
    """When it is first seen."""
    with pytest.raises(SchemaError) as caught:
        load(cls)

    assert expected == str(caught.value)


@pytest.mark.parametrize(
    "fn",
    [lambda *all_of_them: len(all_of_them), lambda y, more=3: y + more, abs, str, Config],
    ids=["any number", "a default", "builtin", "class", "schema"],
)
def test_a_function_that_takes_what_a_link_reads_is_right(fn):
    """Whatever else it could take, and whatever nothing is known of."""

    @frozen
    class Linking:
        y: int = 1
        x: object = link(fn, "y")

    assert Linking() == load(Linking)


def test_settings_of_a_field_do_not_decorate_a_class():
    """Only a tag does."""
    with pytest.raises(TypeError) as caught:
        setting(secret=True)(Config)

    assert (
        "help, merge and secret are for fields, as in field(metadata=setting(...)); "
        "to name Config, write @setting(tag=...)"
    ) == str(caught.value)


@pytest.mark.parametrize(
    "function", [flatten, functools.partial(diff, Config()), lambda one: diff(one, Config())]
)
def test_an_undecorated_class_makes_no_config(function):
    """What lacks is told."""
    with pytest.raises(TypeError) as caught:
        function(Plain())

    assert (
        "an object of type Plain is no config; give an instance of an attrs class or a "
        "dataclass: put @frozen of attrs above the class"
    ) == str(caught.value)


def test_a_class_is_no_function_of_its_own():
    """The config alone is what `load` gives."""
    with pytest.raises(TypeError) as caught:
        run_cli(Config)

    assert (
        "run_cli(Config): give a function that takes one; for the config alone, "
        "load(Config, argv=sys.argv[1:])"
    ) == str(caught.value)


def wants_more(config: Config, extra: int) -> tuple[Config, int]:
    return config, extra


def test_a_function_that_wants_more_than_a_config_is_told_before_anything_is_read():
    """Not by a traceback at the end."""
    with pytest.raises(SchemaError) as caught:
        run_cli(wants_more, argv=["--wrong"])

    assert (
        "wants_more needs 'extra' as well, but is called with the config alone; give it a default"
    ) == str(caught.value)


class Trainer:
    def __init__(self, config: Config) -> None:
        self.config = config

    def __call__(self, config: Config) -> int:
        return config.y + self.config.y


@pytest.mark.parametrize(
    ("main", "expected"),
    [
        (functools.partial(wants_more, extra=3), (Config(5), 3)),
        (Trainer(Config(2)), 7),
        (Trainer(Config(2)).__call__, 7),
    ],
)
def test_whatever_is_called_with_a_config_may_be_main(main, expected):
    """A part of a function, and an object that is called."""
    assert expected == run_cli(main, argv=["--y", "5"])


def test_a_class_that_takes_a_config_may_be_main():
    """It is made with it."""
    assert Config(5) == run_cli(Trainer, argv=["--y", "5"]).config


@pytest.mark.parametrize("name", ["", " ", "file", "code", "default", "link"])
def test_a_layer_has_a_name_of_its_own(name):
    """By which it is told from others."""
    with pytest.raises(ValueError) as caught:
        layer(name, {}, at="file")

    assert f"layer({name!r}, ...): give it a name of its own, such as 'cluster'" == str(
        caught.value
    )


def test_two_layers_of_one_name_are_refused():
    """Nobody could say which of them a value is from."""
    layers = layer("a", {}, at="file"), layer("a", {}, at="code")

    with pytest.raises(ValueError) as caught:
        load(Config, *layers)

    assert "two layers are named 'a'; give one of them another name" == str(caught.value)


def test_a_resolution_is_no_layer():
    """Its config is; it is not shown."""
    with pytest.raises(TypeError) as caught:
        load(Config, resolve(Config))

    assert "a Resolution is no layer: give its .config" == str(caught.value)


def test_a_resolution_is_not_pickled():
    """What can be sent to another process is told."""
    with pytest.raises(TypeError) as caught:
        pickle.dumps(resolve(Config))

    assert (
        "a Resolution cannot be pickled, as its schema may hold functions: send its .config, or "
        'what .dump("source") gives, and resolve that there'
    ) == str(caught.value)


def test_two_variables_for_one_field_are_a_problem(monkeypatch, said):
    """Names differ in case, and mean the same."""
    monkeypatch.setenv("E_Y", "1")
    monkeypatch.setenv("E_y", "2")

    assert [
        (
            "y (env E_y): expected one value, got a second; both E_Y and E_y set it; "
            "remove one of the two"
        )
    ] == said(load, Config, env="E_")


def test_an_empty_secret_is_told(monkeypatch):
    """It hides nothing, and was not meant."""

    @frozen
    class Secret:
        token: str = field(metadata=setting(secret=True))

    monkeypatch.setenv("E_TOKEN", "")

    actual = resolve(Secret, env="E_").explain().splitlines()[-1]

    assert "token  (empty)  env E_TOKEN" == actual


def test_a_form_that_is_unknown_is_told_beside_other_mistakes(written, stopped):
    """All at once."""

    def main(config: Config) -> None:
        """Do nothing."""

    written("a.json", "{")

    actual = stopped(main, argv=["--print-config=all", "--config", "a.json"], prog="p")

    assert (
        2,
        "",
        (
            "p: 2 problems in the configuration:\n"
            "  file a.json:1: is not valid JSON: expecting property name enclosed in double quotes "
            "at column 2\n"
            "  cli --print-config: expected one of resolved, source, provenance, schema, argv, "
            "got all\n"
            "p --help lists every setting\n"
        ),
    ) == actual
