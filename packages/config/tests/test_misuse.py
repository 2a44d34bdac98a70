"""What a program gives to a function that does not take it."""

from collections import deque
from typing import Any

import pytest
from attrs import frozen

from treadle_config import (
    Codecs,
    SchemaError,
    TreadleConfigError,
    diff,
    dump,
    flatten,
    layer,
    link,
    linked,
    load,
    resolve,
    run_cli,
    setting,
)


@frozen
class Config:
    lr: float = 0.1


def main(config: Config) -> Config:
    return config


class Words:
    """Neither a mapping nor a list."""

    def __repr__(self) -> str:
        return "Words()"


ENV = "give the prefix of the variables to read, such as 'APP_'"
ARGV = "give a list of words, such as sys.argv[1:]"
CODECS = "give an instance, as in codecs=Codecs()"
PRECEDENCE = "is unknown; it is one of code_over_file, file_over_code"
SCHEMA = "is no schema: give an attrs class or a dataclass"
NO_CONFIG = "is no config; give an instance of an attrs class or a dataclass"
LAYER = "is no layer: give a path, a mapping, an instance of Config, or layer(name, values, at=...)"


@pytest.mark.parametrize("function", [load, resolve, run_cli])
@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"env": 3}, f"env=3: {ENV}"),
        ({"env": b"APP_"}, f"env=b'APP_': {ENV}"),
        ({"env": True}, f"env=True: {ENV}"),
        ({"codecs": Codecs}, f"codecs=<class 'treadle_config.codecs.Codecs'>: {CODECS}"),
        ({"codecs": 3}, f"codecs=3: {CODECS}"),
        ({"argv": "--lr 1"}, f"argv='--lr 1': {ARGV}"),
        ({"argv": b"--lr"}, f"argv=b'--lr': {ARGV}"),
        ({"argv": 3}, f"argv=3: {ARGV}"),
        ({"argv": ["--lr", 1]}, f"argv=['--lr', 1]: {ARGV}"),
        ({"argv": {"--lr": "1"}}, f"argv={{'--lr': '1'}}: {ARGV}"),
        ({"argv": {"--lr=1"}}, f"argv={{'--lr=1'}}: {ARGV}"),
        ({"precedence": 3}, f"precedence=3 {PRECEDENCE}"),
        ({"precedence": ["code"]}, f"precedence=['code'] {PRECEDENCE}"),
    ],
    ids=str,
)
def test_an_argument_of_the_wrong_kind_is_named(function, given, expected):
    """With what was given, and what to write."""
    with pytest.raises((TypeError, ValueError)) as caught:
        function(main if function is run_cli else Config, **{"argv": [], **given})

    assert expected == str(caught.value)


@pytest.mark.parametrize("function", [load, resolve])
@pytest.mark.parametrize(
    "given", [3, None, [1], ("a", 1), b"a.json", Config, Words(), Codecs, 3.5], ids=repr
)
def test_what_is_no_layer_is_shown(function, given):
    """With what could be one."""
    with pytest.raises(TypeError) as caught:
        function(Config, given)

    assert f"{given!r} {LAYER}" == str(caught.value)


@pytest.mark.parametrize("function", [load, resolve])
@pytest.mark.parametrize(
    "given", [3, None, "Config", Config(2.0), int, dict, list[int], Config | None], ids=repr
)
def test_what_is_no_schema_is_shown(function, given):
    """An instance, a name and a union are none."""
    with pytest.raises(SchemaError) as caught:
        function(given)

    way = "" if isinstance(given, type) else ", not an instance of one"
    assert f"{given!r} {SCHEMA}{way}" == str(caught.value)


@pytest.mark.parametrize("kind", [iter, tuple, deque])
@pytest.mark.parametrize("function", [load, run_cli])
def test_argv_may_be_any_row_of_words(function, kind):
    """Also one that can be read only once."""
    words = kind(["--lr", "3"])

    assert Config(3.0) == function(main if function is run_cli else Config, argv=words)


@pytest.mark.parametrize(
    "function",
    [dump, flatten, lambda one: diff(one, Config()), lambda one: diff(Config(), one)],
    ids=["dump", "flatten", "old", "new"],
)
@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (3, f"an object of type int {NO_CONFIG}"),
        (None, f"an object of type NoneType {NO_CONFIG}"),
        ({"lr": 1}, f"an object of type dict {NO_CONFIG}"),
        ([Config()], f"an object of type list {NO_CONFIG}"),
        (Config, "the class Config is no config; give an instance of it"),
        (resolve(Config), "an object of type Resolution is no config; give its .config"),
    ],
    ids=["int", "none", "dict", "list", "class", "resolution"],
)
def test_what_is_no_config_is_told(function, given, expected):
    """A class, a resolution and plain values are none."""
    with pytest.raises(TypeError) as caught:
        function(given)

    assert expected == str(caught.value)


@pytest.mark.parametrize(
    ("act", "expected"),
    [
        (lambda: dump(Config(), codecs=Codecs), f"codecs={Codecs!r}: {CODECS}"),
        (lambda: flatten(Config(), codecs=3), f"codecs=3: {CODECS}"),
        (lambda: diff(Config(), Config(), codecs=3), f"codecs=3: {CODECS}"),
        (lambda: dump(Config(), 3), "3 is no path to write to: give one such as 'run.json'"),
        (lambda: resolve(Config).dump("all"), 'dump(\'all\'): give "source" or "resolved"'),
        (
            lambda: resolve(Config).dump(["source"]),
            'dump([\'source\']): give "source" or "resolved"',
        ),
        (
            lambda: resolve(Config).source(3),
            "source(3): give a dotted path, such as 'optim.lr'",
        ),
        (lambda: layer(3, {}, at="file"), "layer(3, ...): give a name, then a mapping of values"),
        (lambda: layer("a", {}, at=3), 'layer(at=3): give at="file" or at="code"'),
        (
            lambda: layer("a", {}, at="file", must_win="yes"),
            "layer('a', must_win='yes'): give True or False",
        ),
        (lambda: setting(help=3), "setting(help=3): give text"),
        (lambda: setting(secret="no"), "setting(secret='no'): give True or False"),
        (lambda: setting(tag=3), "setting(tag=3): give text"),
        (lambda: setting(merge="add"), 'setting(merge=\'add\'): give "append" or "replace"'),
        (lambda: setting(tag="a")(3), "setting(tag='a') decorates a class, not 3"),
        (lambda: run_cli(3, argv=[]), "run_cli(3): give the function to call with the config"),
        (lambda: linked(3), "linked(3): give a class, then a link for each field that follows"),
        (lambda: linked(Config, lr=3), "linked(lr=...) takes a link(...), not 3"),
        (
            lambda: link(3, "lr"),
            "link takes a function, then the paths that it reads: link(fn, *paths)",
        ),
        (
            lambda: Codecs().register(3, str, str),
            "register(3, ...): give a class, then how to encode and decode it",
        ),
        (
            lambda: Codecs().register(list[int], str, str),
            "register(list[int], ...): give a class, then how to encode and decode it",
        ),
        (
            lambda: Codecs().register(Words, 3, str),
            "register(Words, encode=3): give a function",
        ),
        (
            lambda: Codecs().register(Words, str, None),
            "register(Words, decode=None): give a function",
        ),
        (lambda: Codecs(3), "Codecs(3): give a cattrs converter, or nothing"),
        (lambda: Codecs(int), "Codecs(<class 'int'>): give a cattrs converter, or nothing"),
        (lambda: Codecs().decode(3, [int]), "nothing reads the type [<class 'int'>]; give a type"),
    ],
    ids=range(26),
)
def test_other_arguments_of_the_wrong_kind_are_named(act: Any, expected):
    """In a sentence of this package, whatever the function."""
    with pytest.raises((TypeError, ValueError, SchemaError)) as caught:
        act()

    assert expected == str(caught.value)


NONSENSE: list[Any] = [
    3,
    -1.5,
    None,
    True,
    "",
    "nonsense",
    b"bytes",
    [],
    [1],
    (),
    {},
    {1: 2},
    {"lr": None},
    set(),
    object(),
    Words(),
    Words,
    Config,
    Config(2.0),
    Codecs(),
    int,
    list[int],
    len,
    main,
    ...,
    NotImplemented,
    iter([1]),
]
FUNCTIONS: dict[str, Any] = {
    "load": load,
    "load a layer": lambda one: load(Config, one),
    "load argv": lambda one: load(Config, argv=one),
    "load env": lambda one: load(Config, env=one),
    "load precedence": lambda one: load(Config, precedence=one),
    "load codecs": lambda one: load(Config, codecs=one),
    "load a value": lambda one: load(Config, {"lr": one}),
    "load a named layer": lambda one: load(Config, layer("mine", one, at="code")),
    "layer name": lambda one: layer(one, {}, at="code"),
    "layer at": lambda one: layer("mine", {}, at=one),
    "resolve": resolve,
    "replace": lambda one: resolve(Config).replace(one),
    "source": lambda one: resolve(Config).source(one),
    "dump kind": lambda one: resolve(Config).dump(one),
    "dump": dump,
    "flatten": flatten,
    "diff": lambda one: diff(one, one),
    "run_cli": lambda one: run_cli(one, argv=[]),
    "run_cli argv": lambda one: run_cli(main, argv=one),
    "setting help": lambda one: setting(help=one),
    "setting merge": lambda one: setting(merge=one),
    "setting secret": lambda one: setting(secret=one),
    "setting tag": lambda one: setting(tag=one),
    "link": lambda one: link(one, "lr"),
    "link path": lambda one: link(len, one),
    "linked": linked,
    "linked field": lambda one: linked(Config, lr=one),
    "Codecs": Codecs,
    "register": lambda one: Codecs().register(one, str, str),
    "encode": lambda one: Codecs().encode(one),
    "encode as": lambda one: Codecs().encode(3, one),
    "decode": lambda one: Codecs().decode(one, Config),
    "decode as": lambda one: Codecs().decode(3, one),
}
OURS = (TreadleConfigError, TypeError, ValueError)
INTERNAL = (
    "has no attribute",
    "unhashable",
    "not iterable",
    "subscriptable",
    "has no len",
    "NoneType' object",
    "first arg must",
    "string or bytes",
    "not a callable",
)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_nonsense_is_answered_in_words_of_ours(name, capsys, monkeypatch, tmp_path):
    """No function shows what went wrong within it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["train.py"])
    said = {}
    for given in NONSENSE:
        try:
            FUNCTIONS[name](given)
        except OURS as error:
            said[repr(given)] = str(error)
        except SystemExit:
            said[repr(given)] = capsys.readouterr().err

    assert {} == {
        given: text for given, text in said.items() if any(one in text for one in INTERNAL)
    }
