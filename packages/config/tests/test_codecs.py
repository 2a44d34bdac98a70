"""Codecs: types that the user teaches, and reading and writing without layers."""

from typing import Any, Generic, TypeVar

import pytest
from attrs import field, frozen, make_class

from treadle_config import Codecs, ConfigError, SchemaError, dump, load

T = TypeVar("T")


class Color:
    def __init__(self, red: int, green: int, blue: int) -> None:
        self.parts = (red, green, blue)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Color) and self.parts == other.parts

    def __hash__(self) -> int:
        return hash(self.parts)


def of_hex(text: str) -> Color:
    if not text.startswith("#"):
        raise ValueError("a color begins with #")
    return Color(*bytes.fromhex(text[1:]))


def to_hex(color: Color) -> str:
    return "#" + bytes(color.parts).hex()


@frozen
class Themed:
    color: Color = field(factory=lambda: Color(0, 0, 0))
    others: dict[str, Color | None] = field(factory=dict)


def test_a_registered_type_is_read_and_written():
    """From every layer, and within containers and unions."""
    codecs = Codecs().register(Color, to_hex, of_hex)

    actual = load(
        Themed, {"others": {"a": "#0a0b0c", "b": None}}, argv=["--color", "#ff0000"], codecs=codecs
    )

    assert (
        Themed(Color(255, 0, 0), {"a": Color(10, 11, 12), "b": None}),
        {"color": "#ff0000", "others": {"a": "#0a0b0c", "b": None}},
    ) == (actual, dump(actual, codecs=codecs))


def test_a_registered_type_may_be_generic():
    """Its codec reads it with whatever parameters."""

    @frozen
    class Held(Generic[T]):
        item: T

    codecs = Codecs().register(Held, lambda held: f"<{held.item}>", lambda text: Held(text[1:-1]))

    actual = codecs.decode(["<a>"], list[Held[str]])

    assert ([Held("a")], ["<a>"]) == (actual, codecs.encode(actual, list[Held[str]]))


def test_what_a_decoder_raises_is_the_hint():
    """The user's message becomes part of the problem."""
    codecs = Codecs().register(Color, to_hex, of_hex)

    with pytest.raises(ConfigError) as caught:
        load(Themed, argv=["--color", "red"], codecs=codecs)

    assert ("color (cli --color): expected Color, got red; a color begins with #") == str(
        caught.value
    )


def test_registering_after_first_use_takes_effect():
    """Plans made before are forgotten."""
    codecs = Codecs()
    with pytest.raises(SchemaError):
        load(Themed, codecs=codecs)

    codecs.register(Color, to_hex, of_hex)

    assert Themed() == load(Themed, codecs=codecs)


def test_a_codecs_knows_nothing_of_another():
    """There is no registry but the object."""
    Codecs().register(Color, to_hex, of_hex)

    with pytest.raises(SchemaError):
        load(Themed, codecs=Codecs())


def test_a_decoder_may_take_a_mapping():
    """What was written as a mapping comes as one, its plain texts read."""
    codecs = Codecs().register(
        Color,
        lambda color: dict(zip("rgb", color.parts, strict=True)),
        lambda d: Color(d["r"], d["g"], d["b"]),
    )
    cls = make_class("One", {"x": field(type=Color)})

    assert Color(1, 2, 3) == load(cls, {"x": {"r": 1, "g": 2, "b": 3}}, codecs=codecs).x


def test_values_are_read_and_written_without_layers(schemas):
    """`decode` and `encode` take any type that a field may have."""
    codecs = Codecs()

    actual = [
        codecs.decode({"batch_size": "8"}, schemas.Data),
        codecs.decode(["1", 2], list[int]),
        codecs.encode(schemas.Span(3, "epochs")),
        codecs.encode({1: schemas.Precision.BF16}, dict[int, schemas.Precision]),
        codecs.encode(schemas.SGD(), schemas.Adam | schemas.SGD),
        codecs.encode({"a": [1]}, Any),
    ]

    assert [
        schemas.Data(batch_size=8),
        [1, 2],
        "3 epochs",
        {"1": "BF16"},
        {"type": "sgd", "lr": 0.1, "momentum": 0.9},
        {"a": [1]},
    ] == actual


def test_encoding_as_another_type_is_refused():
    """A value is written as what it is."""
    with pytest.raises(SchemaError) as caught:
        Codecs().encode("a", int)

    assert "'a' is no int, the type to write it as" == str(caught.value)
