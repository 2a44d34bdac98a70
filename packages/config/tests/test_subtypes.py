"""Subtypes: chosen by a tag, and looked at only then."""

from __future__ import annotations

from abc import ABC, abstractmethod

import pytest
from attrs import field, frozen

from treadle_config import Codecs, ConfigError, SchemaError, load, setting


@frozen
class Base:
    x: int = 1


@frozen
class Late(Base):
    y: int = 2


@setting(tag="a-third")
@frozen
class Third(Base):
    z: int = 3


def test_subclasses_defined_later_can_be_chosen():
    """By their lower-cased names, or by the tag that `setting` gave them."""

    @frozen
    class Holder:
        base: Base = Base()

    actual = [
        load(Holder, {"base": {"x": 5}}),
        load(Holder, {"base": {"type": "late", "y": 5}}),
        load(Holder, argv=["--base.type", "a-third", "--base.z", "5"]),
    ]

    assert [Holder(Base(5)), Holder(Late(y=5)), Holder(Third(z=5))] == actual


def test_an_abstract_base_has_to_be_chosen_from():
    """A tag is needed where the declared class cannot be made."""

    @frozen
    class Shape(ABC):
        @abstractmethod
        def area(self) -> float: ...

    @frozen
    class Square(Shape):
        side: float = 1.0

        def area(self):
            return self.side**2

    @frozen
    class Holder:
        shape: Shape

    with pytest.raises(ConfigError) as caught:
        load(Holder, argv=["--shape.type", "circle"])

    assert (
        "shape.type (cli --shape.type): expected one of square, got circle",
        Holder(Square()),
    ) == (str(caught.value), load(Holder, {"shape.type": "square"}))


def test_a_subclass_that_is_broken_elsewhere_harms_nobody():
    """A subclass is looked at only when its tag is chosen."""

    @frozen
    class Parent:
        x: int = 1

    @frozen
    class Broken(Parent):
        y: Nowhere = 0  # noqa: F821

    @frozen
    class Holder:
        parent: Parent = Parent()

    with pytest.raises(SchemaError):
        load(Holder, {"parent.type": "broken"})

    assert Holder(Parent(3)) == load(Holder, argv=["--parent.x", "3"])


def test_defaults_of_one_subtype_never_reach_another():
    """Another tag means the other class with its own defaults, whatever the first one had."""

    @frozen
    class One:
        rate: float = 0.1
        only: int = 1

    @frozen
    class Other:
        rate: float = 0.2

    @frozen
    class Holder:
        of: One | Other = One(rate=5, only=6)

    actual = [
        load(Holder, {"of.type": "other"}),
        load(Holder, {"of.rate": 7}, argv=["--of.type", "other"]),
        load(Holder, {"of.type": "other"}, argv=["--of.type", "one"]),
        load(Holder, {"of.rate": 7}),
    ]

    assert [Other(), Other(), One(), One(7, 6)] == [one.of for one in actual]


def test_a_subclass_is_checked_as_a_whole_when_it_is_chosen():
    """What is wrong within it is found then, each time, and harms nobody before."""

    @frozen
    class Above:
        x: int = 1

    @frozen
    class Deeper:
        items: list[int] = []  # noqa: RUF008  # it is what is wrong

    @frozen
    class Wrong(Above):
        inner: Deeper = field(factory=Deeper)

    @frozen
    class Holder:
        above: Above = Above()

    codecs = Codecs()
    actual = []
    for _ in range(2):
        with pytest.raises(SchemaError) as caught:
            load(Holder, {"above.type": "wrong"}, codecs=codecs)
        actual.append(str(caught.value))

    expected = (
        "Wrong.inner.items: the default is a list, which can be changed, and every config would "
        "share it; use factory=list"
    )
    assert ([expected] * 2, Holder(Above(2))) == (
        actual,
        load(Holder, {"above.x": 2}, codecs=codecs),
    )
