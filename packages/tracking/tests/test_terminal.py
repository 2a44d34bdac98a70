"""Texts as a terminal shows them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treadle_tracking.terminal import cut, padded, visible, width


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("val/loss", "val/loss"),
        ("\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m"),
        ("two\nlines\r", "two\\nlines\\r"),
        ("\u202eturned", "\\u202eturned"),
        ("\udc80", "\\udc80"),
        ("no\xa0break", "no\xa0break"),
        ("日本語 😀", "日本語 😀"),
        ("\x9b2J", "\\x9b2J"),
    ],
)
def test_nothing_in_a_text_acts(text, shown):
    """What is no character to look at is its escape, and everything else itself."""
    assert shown == visible(text)


@pytest.mark.parametrize(
    ("text", "columns"), [("", 0), ("abc", 3), ("日本", 4), ("😀", 2), ("e\u0301", 1), ("é", 1)]
)
def test_a_text_is_as_wide_as_it_is_shown(text, columns):
    """Characters of East Asia and pictures take two columns, accents none."""
    assert columns == width(text)


@pytest.mark.parametrize(
    ("text", "most", "shown"),
    [
        ("abc", 3, "abc"),
        ("abcd", 3, "ab…"),
        ("日本語", 5, "日本…"),
        ("日本語", 4, "日…"),
        ("ab", 1, "…"),
        ("ab", 0, ""),
    ],
)
def test_a_long_text_is_cut(text, most, shown):
    """It says so, and no character is cut in two."""
    assert shown == cut(text, most)


@given(st.text(), st.integers(min_value=0, max_value=40))
def test_what_is_cut_fits(text, most):
    """Whatever it is, it is no wider than asked for, and padded it is exactly so wide."""
    fitted = cut(visible(text), most)

    assert width(fitted) <= most
    assert most == width(padded(fitted, most)) == width(padded(fitted, most, right=True))


@given(st.text())
def test_what_is_visible_stays_so(text):
    """It is on one line, has no control character, and is shown as itself."""
    shown = visible(text)

    assert shown == visible(shown)
    assert len(shown.splitlines()) < 2
    assert not any(ord(one) < 32 or 0x7F <= ord(one) < 0xA0 for one in shown)
