"""Generic classes, dumped and read back with the parameters of the place that they stand at."""

from __future__ import annotations

from pathlib import Path
from typing import Generic, TypeVar

from attrs import Factory, frozen
from hypothesis import given
from hypothesis import strategies as st

from treadle_config import Codecs, diff, dump, flatten, load

T = TypeVar("T")


@frozen
class Small:
    x: int = 1


@frozen
class Large:
    x: float = 1.0


@frozen
class Box(Generic[T]):
    item: T
    items: dict[str, list[T]] = Factory(dict)


@frozen
class Holder:
    paths: Box[Path | None] = Box(None)
    either: Box[Small | Large] = Box(Small())
    boxes: list[Box[Box[int]]] = Factory(list)


eithers = st.builds(Small, st.integers()) | st.builds(Large, st.floats(allow_nan=False))


def boxes(of):
    return st.builds(
        Box, of, st.dictionaries(st.sampled_from("ab"), st.lists(of, max_size=2), max_size=1)
    )


@given(
    st.builds(
        Holder,
        boxes(st.none() | st.just(Path("a"))),
        boxes(eithers),
        st.lists(boxes(boxes(st.integers())), max_size=2),
    )
)
def test_a_generic_class_is_read_back_as_it_was(config):
    """Its contents are written by what stands for its variables, tags included."""
    codecs = Codecs()

    actual = load(Holder, dump(config, codecs=codecs), codecs=codecs)

    assert (repr(config), {}) == (repr(actual), diff(config, actual, codecs=codecs))


def test_a_default_within_a_generic_class_is_merged_over():
    """What is given says a part of it, and a tag within is kept."""

    @frozen
    class Over:
        box: Box[Small | Large] = Box(Large(3))
        nested: Box[Box[Large]] = Box(Box(Large(4)))

    actual = load(Over, {"box": {"items": {"a": [{"type": "small"}]}}})

    assert (
        Over(Box(Large(3), {"a": [Small()]})),
        {
            "box.item.type": "large",
            "box.item.x": 3,
            "box.items.a[0].type": "small",
            "box.items.a[0].x": 1,
            "nested.item.item.x": 4,
            "nested.items": {},
            "nested.item.items": {},
        },
    ) == (actual, flatten(actual))
