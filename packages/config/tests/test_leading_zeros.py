"""Numbers that begin with a zero, which some readers take for octal."""

from typing import Any

import pytest
from attrs import frozen

from treadle_config import load


@frozen
class Config:
    whole: int = 0
    real: float = 0.0
    text: str = ""
    either: int | str = 0
    free: Any = None


OCTAL = "some readers take a leading 0 to mean octal; leave the 0 out"


@pytest.mark.parametrize("name", ["whole", "real"])
@pytest.mark.parametrize("text", ["017", "-017", "00", "0_17", "08"])
def test_a_number_that_may_be_octal_is_refused(name, text, said):
    """YAML 1.1 has 15 for `017`, 1.2 has 17."""
    actual = said(load, Config, argv=[f"--{name}={text}"])

    assert [OCTAL] == [one.partition("; ")[2] for one in actual]


def test_elsewhere_it_is_text():
    """Where text is taken."""
    words = ["--text", "017", "--either", "017", "--free", "017"]

    assert Config(0, 0.0, "017", "017", "017") == load(Config, argv=words)


@pytest.mark.parametrize(
    ("text", "expected"), [("0", 0), ("-0", 0), ("0.5e1", 5), ("0e3", 0), ("1_000", 1000)]
)
def test_other_numbers_may_begin_with_a_zero(text, expected):
    """Nobody takes them for octal."""
    actual = load(Config, argv=[f"--whole={text}", f"--real={text}"])

    assert (expected, expected) == (actual.whole, actual.real)
