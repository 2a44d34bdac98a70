"""Values of no declared type, from the command line and from variables."""

from typing import Any

import pytest
from attrs import frozen

from treadle_config import load


@frozen
class Config:
    a: Any = "default"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("3", 3),
        ("true", True),
        ("1.0", 1.0),
        ("null", None),
        ("[1, 2]", [1, 2]),
        ('{"x": [1, null], "y": "3"}', {"x": [1, None], "y": "3"}),
        ("[draft] notes", "[draft] notes"),
        ("{x: 1}", "{x: 1}"),
        ("", ""),
        ("~", "~"),
    ],
)
def test_what_is_json_is_read_as_json(text, expected, monkeypatch):
    """All else is text."""
    monkeypatch.setenv("APP_A", text)

    actual = load(Config, argv=["--a", text]).a, load(Config, env="APP_").a

    assert (expected, expected) == actual


def test_any_text_can_be_said():
    """In quotes, as exactly this value."""
    assert "[1]" == load(Config, argv=['--a:="[1]"']).a
