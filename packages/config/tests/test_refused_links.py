"""Links of layers that are refused or fail, where another layer must win."""

from typing import Any

import pytest
from attrs import field, frozen

from treadle_config import layer, link, linked, load


@frozen
class Data:
    size: int = 0


@frozen
class Config:
    lr: int = 1
    data: Data = Data()


def broken(_size: int) -> int:
    raise RuntimeError("not today")


REFUSED: dict[str, tuple[Any, str]] = {
    "arguments": (
        link(len, "data.size", validator=None),
        (
            "expected a value or link(fn, path, ...), got a link with validator=; "
            "the arguments of a field are given in its class"
        ),
    ),
    "field": (field(default=2), "expected a value or link(fn, path, ...), got an attrs field"),
    "linked": (
        linked(Data, size=link(len, "lr")),
        (
            "expected a value or link(fn, path, ...), got linked(...); "
            "give a mapping, with a link for each field that follows others"
        ),
    ),
}
FAILED: dict[str, tuple[Any, str]] = {
    "path": (
        link(len, "nowhere"),
        "expected a link to fields of the config, got a link that reads 'nowhere'",
    ),
    "function": (
        link(broken, "data.size"),
        "expected a value from its link, got RuntimeError; RuntimeError: not today",
    ),
}


@pytest.mark.parametrize("name", REFUSED | FAILED)
def test_over_a_layer_that_must_win_such_a_link_is_one_problem(name, said):
    """What it would have given is not known, so that nothing is known to be lost."""
    given, expected = (REFUSED | FAILED)[name]
    must = layer("cluster", {"lr": 2}, at="file", must_win=True)

    assert [expected] == [
        one.partition("): ")[2] for one in said(load, Config, must, {"lr": given})
    ]


@pytest.mark.parametrize("name", REFUSED)
def test_a_refused_link_that_must_win_is_one_problem(name, said):
    """What a stronger layer says in its place is not another one."""
    given, expected = REFUSED[name]
    must = layer("cluster", {"lr": given}, at="file", must_win=True)

    assert [f"lr (cluster): {expected}"] == said(load, Config, must, {"lr": 2})


def test_a_link_to_an_object_is_one_problem_where_a_part_must_win(said):
    """A link that cannot be followed says nothing of the part."""
    must = layer("cluster", {"data.size": 3}, at="file", must_win=True)
    mine = layer("mine", {"data": link(len, "nowhere")}, at="code")

    assert [
        "data (mine): expected a link to fields of the config, got a link that reads 'nowhere'"
    ] == said(load, Config, must, mine)


def test_a_link_that_gives_another_value_is_still_a_problem(said):
    """It overrides what must win, as a plain value would."""
    must = layer("cluster", {"lr": 2}, at="file", must_win=True)
    mine = layer("mine", {"lr": link(lambda size: size, "data.size")}, at="code")

    assert [
        "lr (link mine): expected 2 of cluster, which must win, got 0; remove one of the two"
    ] == (said(load, Config, must, mine))
