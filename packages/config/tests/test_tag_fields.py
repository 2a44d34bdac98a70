"""Classes with a field of the name that chooses a class."""

from typing import Any

import pytest
from attrs import frozen

from treadle_config import SchemaError, dump, flatten, link, linked, load, resolve


@frozen
class Lone:
    type: str = "plain"
    size: int = 1


@frozen
class LoneSub(Lone):
    more: int = 1


@frozen
class Plain:
    size: int = 1


@frozen
class Sub(Plain):
    type: str = "mine"


@frozen
class HoldsLone:
    one: Lone = Lone()


@frozen
class HoldsPlain:
    one: Plain = Plain()


@frozen
class HoldsSub:
    one: Plain = Sub()


@frozen
class HoldsLoneSub:
    one: Lone = LoneSub()


@frozen
class Links:
    count: int = 2
    one: Lone = linked(Lone, size=link(lambda count: count, "count"))
    name: str = ""


def test_the_field_is_one_as_any_other_where_the_class_stands_alone():
    """In mappings, arguments and dumps, `type` is its value."""
    given = load(HoldsLone, {"one": {"type": "grid"}}, argv=["--one.size", "3"])

    assert (
        HoldsLone(Lone("grid", 3)),
        {"one": {"type": "grid", "size": 3}},
        {"one.type": "grid", "one.size": 3},
        given,
        ["--one.type=grid", "--one.size=3"],
    ) == (
        given,
        dump(given),
        flatten(given),
        load(HoldsLone, dump(given)),
        resolve(HoldsLone, given).to_argv(),
    )


def test_links_into_such_a_class_leave_the_field_alone():
    """`linked` chooses no class where there is only one."""
    actual = [
        load(Links, {"count": 5}).one,
        load(Links, {"one": {"type": "grid"}}).one,
        load(Links, {"count": link(len, "one.type")}, {"one.size": 7}).one,
    ]

    named = load(Links, {"one": {}, "name": link(repr, "one")}).name

    assert ([Lone("plain", 5), Lone("grid", 2), Lone("plain", 7)], repr(Lone("plain", 2))) == (
        actual,
        named,
    )


@pytest.mark.parametrize(
    ("act", "where"),
    [
        (lambda: load(HoldsPlain, {"one": {"type": "sub"}}), "one: "),
        (lambda: load(HoldsPlain, argv=["--one.type", "sub"]), "one: "),
        (lambda: load(HoldsSub), "one: "),
        (lambda: load(HoldsPlain, {"one": Sub(3)}), ""),
        (lambda: dump(HoldsPlain(Sub(3))), ""),
        (lambda: flatten(HoldsPlain(Sub(3))), ""),
    ],
    ids=["mapping", "argv", "default", "instance", "dump", "flatten"],
)
def test_a_subclass_that_is_chosen_cannot_have_such_a_field(act: Any, where):
    """Its tag and its field would stand at one place."""
    with pytest.raises(SchemaError) as caught:
        act()

    assert (
        f"{where}Sub has a field named type, the key that chooses a class; rename the field"
    ) == str(caught.value)


def test_a_subclass_of_such_a_class_cannot_be_its_default():
    """A dump could not say which class it was."""
    with pytest.raises(SchemaError) as caught:
        load(HoldsLoneSub)

    assert (
        "one: the default is a LoneSub, but Lone has a field named type, the key that would "
        "choose a subclass; rename the field"
    ) == str(caught.value)


def test_a_subclass_of_such_a_class_is_none_of_its_values(said):
    """Nothing that is written could say which class it is."""
    (actual,) = said(load, HoldsLone, {"one": LoneSub("grid")})

    assert actual.endswith(": expected Lone, got LoneSub(type='grid', size=1, more=1)")


def test_such_a_subclass_harms_nobody_who_does_not_choose_it():
    """Other values of the field are read as ever."""
    assert HoldsPlain(Plain(2)) == load(HoldsPlain, {"one": {"type": "plain", "size": 2}})
