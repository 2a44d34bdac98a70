"""Problems as text: in order, not too many, and without what a terminal acts on."""

import pytest
from attrs import Factory, frozen

from treadle_config import ConfigError, Source, load, resolve


@frozen
class Config:
    items: list[int] = Factory(list)
    table: dict[str, int] = Factory(dict)


def test_items_are_told_in_their_order(said):
    """The tenth behind the ninth."""
    actual = said(load, Config, {"items": ["x"] * 12})

    assert [f"items[{index}]" for index in range(12)] == [one.partition(" ")[0] for one in actual]


def test_the_first_hundred_problems_are_printed():
    """All are there for who asks."""
    with pytest.raises(ConfigError) as caught:
        load(Config, {"items": ["x"] * 2_000})

    lines = str(caught.value).splitlines()
    assert (2_000, 102, "2000 problems in the configuration:", "  and 1900 more") == (
        len(caught.value.problems),
        len(lines),
        lines[0],
        lines[-1],
    )


@pytest.mark.parametrize(
    ("layers", "argv"),
    [
        ([{"a\x1b[31m": 1}], []),
        ([{"table": {"a\x1b[31m": "x"}}], []),
        ([], ["--a\nb\x1b[31m=3"]),
        ([], ["a\nb\x1b[31m"]),
        (["a\x1b[31m.json"], []),
    ],
)
def test_no_name_reaches_a_terminal_as_an_escape(layers, argv):
    """Neither of a key, nor of a flag, nor of a file."""
    with pytest.raises(ConfigError) as caught:
        load(Config, *layers, argv=argv)

    assert (True, True) == (str(caught.value).isprintable(), "\\x1b[31m" in str(caught.value))


def test_no_name_is_explained_as_an_escape(written):
    """Keys of a dict and names of files are any text."""
    name = written("a\x1b[31m.json", '{"table": {"b\\u001b[31m": 1}}')

    actual = resolve(Config, name).explain()

    assert (False, True, "file a\\x1b[31m.json") == (
        "\x1b" in actual,
        "table.b\\x1b[31m  1   file a\\x1b[31m.json:1" in actual,
        str(Source("file", "a\x1b[31m.json")),
    )
