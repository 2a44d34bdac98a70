"""Defaults that factories and decorated defaults make are of their declared types, too."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import pytest
from attrs import Factory, field, frozen

from treadle_config import Codecs, SchemaError, load, resolve


@frozen
class Wrong:
    items: list[int] = Factory(lambda: ["a"])
    size: int = 1


@pytest.mark.parametrize("function", [load, resolve])
def test_a_factory_that_gives_another_type_is_a_schema_error(function):
    """As a default that is a value is."""
    with pytest.raises(SchemaError) as caught:
        function(Wrong, {"size": 3})

    assert "items: the factory of Wrong.items gives a list, which is no list[int]" == str(
        caught.value
    )


def test_a_factory_is_asked_only_where_its_default_is_used():
    """Where a value is given, nobody makes it."""
    assert Wrong([1], 3) == load(Wrong, {"items": [1], "size": 3})


def test_a_factory_is_checked_again_until_it_was_right():
    """By one `Codecs`, of which the first values are given."""
    codecs = Codecs()
    codecs.decode({"items": [1]}, Wrong)

    with pytest.raises(SchemaError) as caught:
        codecs.decode({}, Wrong)

    assert "which is no list[int]" in str(caught.value)


@pytest.mark.parametrize("function", [load, resolve])
def test_a_decorated_default_of_another_type_is_a_problem(function, said):
    """It depends on what was given, as a link does."""

    @frozen
    class Computing:
        start: int = 1
        size: int = field()

        @size.default
        def _made(self) -> object:
            return self.start if self.start < 3 else "large"

    actual = function(Computing, {"start": 2}), said(function, Computing, {"start": 3})

    assert ["size (default): expected int, got 'large'"] == actual[1]


def test_what_python_takes_for_a_type_is_right():
    """A list is a sequence, and any mapping a mapping."""

    @frozen
    class Loose:
        names: Sequence[str] = Factory(list)
        sizes: Mapping[str, Sequence[int]] = Factory(lambda: MappingProxyType({"a": [1]}))

    actual = load(Loose)

    assert ([], {"a": [1]}) == (actual.names, dict(actual.sizes))
