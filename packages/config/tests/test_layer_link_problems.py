"""What is wrong with a link in a layer, and what is told of it."""

import pytest
from attrs import Factory, field, frozen
from attrs.validators import gt

from treadle_config import layer, link, linked, load


@pytest.mark.parametrize(
    ("target", "hint"),
    [
        ("data.batch_sise", "; did you mean data.batch_size?"),
        ("batch_size", "; did you mean data.batch_size?"),
        (
            "optim.momentum",
            "; momentum is a field of SGD; choose it with optim.type = sgd",
        ),
        ("seed.real", "; did you mean seed?"),
        ("data.splits.train", "; dict[str, float] has no fields; link to the whole value"),
        ("layers[0]", "; did you mean layers?"),
        ("", ""),
    ],
)
def test_a_path_that_leads_nowhere_is_a_problem_of_the_layer(schemas, target, hint, said):
    """It is found before anything is computed."""

    def never(*_values):
        raise AssertionError("it was computed")

    wrong = layer("x", {"data.workers": link(never, target)}, at="code")
    actual = said(load, schemas.Config, wrong)

    assert [
        (
            "data.workers (x): expected a link to fields of the config, "
            f"got a link that reads {target!r}{hint}"
        )
    ] == actual


def test_a_path_is_checked_where_a_stronger_value_wins_as_well(schemas, said):
    """A mistake in code is one, whatever the command line says today."""
    follows = layer("x", {"warmup": link(lambda a: a, "data.batch_sise")}, at="code")

    actual = said(load, schemas.Config, follows, argv=["--warmup", "3"])

    assert [
        (
            "warmup (x): expected a link to fields of the config, "
            "got a link that reads 'data.batch_sise'; did you mean data.batch_size?"
        )
    ] == actual


def test_circles_are_shown(schemas, said):
    """Of links among themselves, with a link of the schema, and through an object."""

    def same(value):
        return value

    named = [
        {"seed": link(same, "seed")},
        {"seed": link(same, "data.workers"), "data.workers": link(same, "seed")},
        {"data": {"batch_size": link(same, "warmup")}},
        {"data": {"workers": link(same, "data")}},
        {"optim": link(same, "optim.lr")},
    ]

    actual = [
        message.partition(": ")[2]
        for values in named
        for message in said(load, schemas.Config, layer("x", values, at="code"))
    ]

    expected = "expected links that do not read each other, got the circle {}; "
    hint = "give one of them a value instead"
    assert [
        expected.format(circle) + hint
        for circle in (
            "seed -> seed",
            "seed -> data.workers -> seed",
            "data.batch_size -> warmup -> data.batch_size",
            "data.workers -> data -> data.workers",
            "optim -> optim.lr -> optim",
        )
    ] == actual


def test_what_a_link_gives_is_checked_and_its_exception_told_once(schemas, said):
    """The type, the validator and an exception are problems of the link, and of nothing else."""
    wrong = {
        "seed": link(lambda: "text"),
        "data.batch_size": link(lambda seed: -1, "data.workers"),
        "data.workers": link(lambda layers: layers[2], "layers"),
        "warmup": link(lambda workers: workers, "data.workers"),
    }

    actual = said(load, schemas.Config, layer("x", wrong, at="code"))

    assert [
        (
            "data.workers (link x): expected a value from its link, got IndexError; "
            "IndexError: list index out of range"
        ),
        "seed (link x): expected int | null, got 'text'",
    ] == actual


def test_a_value_that_a_validator_refuses_is_a_problem_of_the_link(schemas, said):
    """What a link gives goes to the constructor as it is."""
    wrong = layer("x", {"data.batch_size": link(lambda workers: -1, "data.workers")}, at="code")

    assert [
        (
            "data.batch_size (link x): expected a value that its validator takes, got -1; "
            "'batch_size' must be > 0: -1"
        )
    ] == said(load, schemas.Config, wrong)


def test_what_is_no_bare_link_is_refused(schemas, said):
    """Field arguments, `linked` and attrs fields say nothing in a mapping."""
    wrong = {
        "seed": link(lambda a: a, "warmup", validator=gt(1)),
        "optim": linked(schemas.Adam, lr=link(lambda a: a, "seed")),
        "data": field(),
    }

    actual = said(load, schemas.Config, layer("x", wrong, at="code"))

    assert [
        "data (x): expected a value or link(fn, path, ...), got an attrs field",
        (
            "optim (x): expected a value or link(fn, path, ...), got linked(...); "
            "give a mapping, with a link for each field that follows others"
        ),
        (
            "seed (x): expected a value or link(fn, path, ...), got a link with validator=; "
            "the arguments of a field are given in its class"
        ),
    ] == actual


def test_a_link_cannot_choose_a_class_nor_stand_within_a_whole(schemas, said):
    """What a value is must be known before anything is computed."""

    @frozen
    class Wide:
        anything: object = None
        optim: schemas.Adam | schemas.SGD = Factory(schemas.Adam)

    wrong = {
        "anything": {"a": [link(lambda: 1)]},
        "optim.type": link(lambda: "sgd"),
    }

    actual = said(load, Wide, layer("x", wrong, at="code"))

    assert [
        (
            "anything.a[0] (x): expected plain values within anything, got a link; "
            "link the whole of it"
        ),
        "optim.type (x): expected one of adam, sgd, got a link",
    ] == actual


def test_a_link_to_an_unknown_field_is_an_unknown_field(schemas, said):
    """There is one problem, that of the field."""
    actual = said(load, schemas.Config, layer("x", {"warmpu": link(lambda: 1)}, at="code"))

    assert ["warmpu (x): expected a field of Config, got 'warmpu'; did you mean warmup?"] == actual


def test_a_link_of_a_layer_that_must_win_does(schemas, said):
    """It is named where something stronger contradicts it."""
    follows = layer("x", {"seed": link(lambda size: size, "warmup")}, at="code", must_win=True)

    actual = said(load, schemas.Config, follows, argv=["--seed", "3"])

    assert [
        "seed (cli --seed): expected a link of x, which must win, got 3; remove one of the two"
    ] == (actual)


def test_what_a_link_gives_for_an_object_is_checked_below_a_part_of_it(schemas, said):
    """Though nothing of it would be left."""
    follows = layer("x", {"optim": link(lambda: 3)}, at="code")

    actual = said(load, schemas.Config, follows, argv=["--optim.lr", "1"])

    assert ["optim (link x): expected Adam | SGD, got 3"] == actual
