"""Secrets in objects that a program holds, and in dicts and lists with defaults."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from attrs import Factory, define, field, frozen

from treadle_config import Codecs, dump, link, load, resolve, setting


@frozen
class Api:
    token: str = field(default="plain", metadata=setting(secret=True))
    url: str = "here"


@define
class Account:
    names: list[str] = field(factory=list, metadata=setting(secret=True))


SHARED = Api("shared")
KEPT = Account(["kept"])


@frozen
class Config:
    plain: Api = SHARED
    made: Api = Factory(lambda: SHARED)
    followed: Api = link(lambda _plain: SHARED, "plain")
    several: tuple[Api, ...] = (SHARED,)
    some: frozenset[Api] = frozenset({SHARED})
    by_name: dict[str, Api] = Factory(lambda: {"a": SHARED})
    account: Account = Factory(lambda: KEPT)
    whole: Api | None = field(default=SHARED, repr=False, metadata=setting(secret=True))


def test_an_object_that_a_program_holds_is_never_changed():
    """It may be a default, what a factory or a link gives, or given in code."""
    mine = Api("mine")
    before = repr([SHARED, KEPT, mine, Config()])
    made = [
        load(Config),
        load(Config, {"plain": mine, "several": [mine], "account": KEPT}),
        load(Config, Config(mine)),
        resolve(Config).replace({"made": mine}).config,
        load(Config, {"made": link(lambda _plain: mine, "plain")}),
        Codecs().decode(mine, Api),
        Codecs().decode({"plain": mine}, Config),
    ]

    assert (before, False, [str] * 3) == (
        repr([SHARED, KEPT, mine, Config()]),
        any(word in repr(made) for word in ("shared", "kept", "mine")),
        [type(SHARED.token), type(mine.token), type(KEPT.names[0])],
    )


def test_a_config_that_hides_its_secrets_is_equal_to_one_that_does_not():
    """Also where the objects that hold them are copies."""
    assert Config() == load(Config) == copy.deepcopy(load(Config))


@frozen
class Keys:
    by_name: dict[str, str] = field(
        factory=lambda: {"a": "1"}, repr=False, metadata=setting(secret=True)
    )
    added: list[str] = field(factory=lambda: ["b"], metadata=setting(secret=True, merge="append"))


@frozen
class Service:
    keys: Keys = Keys()
    retries: int = 1


def given(config: Service, secret: list[str]) -> dict[str, Any]:
    parts = {"by_name": config.keys.by_name, "added": config.keys.added}
    return {"keys": {key: part for key, part in parts.items() if f"keys.{key}" in secret}}


@pytest.mark.parametrize(
    "config",
    [
        Service(Keys({"a": "2"})),
        Service(Keys({"b": "2"})),
        Service(Keys({})),
        Service(Keys(added=["c"])),
        Service(Keys(added=[])),
        Service(Keys({"b": "2"}, ["c"])),
        Service(),
    ],
    ids=range(7),
)
def test_a_dict_or_list_that_is_given_again_is_the_whole_of_it(config, tmp_path, monkeypatch):
    """Its default adds nothing, wherever it is given, and whichever dump it is given to."""
    monkeypatch.chdir(tmp_path)
    resolution = resolve(Service, config)
    back = []
    for dumped in (dump(config), resolution.dump("source"), resolution.dump("resolved")):
        secret = dumped.get("treadle-config", {}).get("secret", [])
        again = given(config, secret)
        Path("run.json").write_text(json.dumps(dumped))
        for path in secret:
            text = json.dumps(again["keys"][path.partition(".")[2]])
            monkeypatch.setenv(f"AGAIN_{path.replace('.', '__').upper()}", text)
        back += [
            load(Service, dumped, again),
            load(Service, again, dumped),
            load(Service, "run.json", again),
            load(Service, "run.json", env="AGAIN_"),
            load(Service, dumped, env="AGAIN_"),
        ]

    assert [config] * 15 == back


def test_layers_that_give_it_again_in_parts_are_merged():
    """Only the default stays out."""
    config = Service(Keys({"b": "2", "c": "3"}))
    dumped = dump(config)
    one, other = {"keys": {"by_name": {"b": "2"}}}, {"keys": {"by_name": {"c": "3"}}}

    assert [config] * 3 == [
        load(Service, dumped, one, other),
        load(Service, one, dumped, other),
        load(Service, one, other, dumped),
    ]
