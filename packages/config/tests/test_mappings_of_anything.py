"""Mappings that stand where any value may merge as others do."""

from typing import Any

import pytest
from attrs import Factory, frozen

from treadle_config import Codecs, dump, layer, load, resolve


@frozen
class Config:
    extra: dict[str, Any] = Factory(dict)
    given: dict[str, Any] = Factory(lambda: {"opt": {"wd": 2}})
    bare: Any = Factory(lambda: {"a": {"b": 1}})
    plain: Any = None


def test_mappings_of_two_layers_merge(written):
    """At any depth, and explain names both."""
    written("a.json", '{"extra": {"opt": {"lr": 1, "wd": 2}}}')
    name = written("b.json", '{"include": "a.json",\n"extra": {"opt": {"lr": 3}}}')

    resolution = resolve(Config, name, argv=["--extra.other", "1"])

    assert {"opt": {"lr": 3, "wd": 2}, "other": 1} == resolution.config.extra
    assert (
        "extra.opt    {lr: 3, wd: 2}  file b.json:2 (over file a.json:1)\n" in resolution.explain()
    )


def test_a_flag_goes_into_a_mapping_that_is_there():
    """Or makes one; a default is there as well."""
    low = {"extra": {"a": {"c": 1}}, "plain": {"x": 1}}
    argv = ["--extra.a.b", "3", "--given.opt.lr=1", "--bare.a.c=2", "--plain.y.z=4"]

    actual = load(Config, low, argv=argv)

    expected = Config(
        {"a": {"c": 1, "b": 3}},
        {"opt": {"wd": 2, "lr": 1}},
        {"a": {"b": 1, "c": 2}},
        {"x": 1, "y": {"z": 4}},
    )
    assert expected == actual


def test_lists_and_scalars_replace():
    """And so do mappings over them, and instances over all."""
    actual = [
        load(Config, {"plain": {"x": [1, 2]}}, {"plain": {"x": [3]}}).plain,
        load(Config, {"plain": 1}, {"plain": {"x": 1}}).plain,
        load(Config, {"plain": {"x": 1}}, Config(plain={"y": 1})).plain,
        load(Config, {"plain": {"x": 1}}, argv=['--plain:={"y": 1}']).plain,
    ]

    assert [{"x": [3]}, {"x": 1}, {"y": 1}, {"y": 1}] == actual


def test_what_must_win_within_a_mapping_does(said):
    """Another part of it may be said by others."""
    must = layer("cluster", {"extra": {"opt": {"lr": 1}}}, at="file", must_win=True)

    actual = said(load, Config, must, {"extra": {"opt": {"lr": 2, "wd": 3}}})

    message = actual[0].partition("): ")[2]
    assert "expected 1 of cluster, which must win, got 2; remove one of the two" == message


@pytest.mark.parametrize(
    "config",
    [
        Config(extra={"a.b": 1}),
        Config(given={"opt": {"lr": 3}}),
        Config(given={"opt": 3}),
        Config(bare={"a": {"c": 2}}),
        Config(bare={}),
        Config(plain={"a": {}}),
    ],
    ids=repr,
)
def test_dumps_are_read_back_without_what_the_default_has(config):
    """Though its mappings would show through."""
    resolution, codecs = resolve(Config, config), Codecs()

    actual = [
        load(Config, dump(config)),
        load(Config, resolution.dump("source")),
        load(Config, resolution.dump("resolved")),
        load(Config, argv=resolution.to_argv()),
        codecs.decode(codecs.encode(Config()), Config),
    ]

    assert [*[config] * 4, Config()] == actual
