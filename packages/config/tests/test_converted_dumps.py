"""What converters and `__attrs_post_init__` changed is dumped as layers said it."""

from attrs import Factory, field, frozen

from treadle_config import load, resolve


def doubled(value: int | str) -> int:
    return int(value) * 2


@frozen
class Part:
    size: int = field(default=1, converter=doubled)


@frozen
class Config:
    x: int = field(default=1, converter=lambda value: int(value) * 2)
    many: list[int] = field(factory=lambda: [1], converter=lambda items: [one * 2 for one in items])
    part: Part = Part()
    parts: list[Part] = Factory(list)
    named: dict[str, Part] = Factory(dict)
    text: str = field(default="", converter=lambda text: text.strip())
    later: int = 0

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "later", self.later + 1)


GIVEN = {
    "x": 2,
    "many": [3],
    "part": {"size": "4"},
    "parts": [{"size": 5}],
    "named": {"a": {"size": 6}},
    "text": " a ",
    "later": 7,
}


def test_a_source_dump_holds_what_layers_said():
    """Not what converters made of it."""
    actual = resolve(Config, GIVEN).dump("source")

    assert {**GIVEN, "treadle-config": {"precedence": "code_over_file"}} == actual


def test_a_source_dump_makes_an_equal_config():
    """The converters run once on what was said, as they did before."""
    resolution = resolve(Config, GIVEN)

    assert resolution.config == load(Config, resolution.dump("source"))


@frozen
class Flat:
    x: int = field(default=1, converter=lambda value: int(value) * 2)
    many: list[int] = field(factory=lambda: [1], converter=lambda items: [one * 2 for one in items])
    text: str = field(default="", converter=lambda text: text.strip())


def test_a_command_line_says_what_was_given_to_converters():
    """As it was said."""
    resolution = resolve(Flat, {"x": 2, "many": [3], "text": " a "})

    actual = resolution.to_argv()

    assert (["--x=2", "--many:=[3]", "--text= a "], resolution.config) == (
        actual,
        load(Flat, argv=actual),
    )


def test_a_text_that_only_a_converter_reads_is_dumped_as_it_was():
    """`3s` for an int, say."""

    @frozen
    class Timed:
        seconds: int = field(default=1, converter=lambda value: int(str(value).removesuffix("s")))

    resolution = resolve(Timed, {"seconds": "3s"})

    assert ("3s", 3) == (resolution.dump("source")["seconds"], resolution.config.seconds)
