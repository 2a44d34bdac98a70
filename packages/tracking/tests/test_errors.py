"""What messages show of what they were given."""

from pathlib import Path

import pytest

from treadle_tracking.errors import (
    AmbiguousRun,
    InvalidChoice,
    InvalidName,
    InvalidStatus,
    InvalidStep,
    UnknownRun,
    seen,
    shortened,
)
from treadle_tracking.starting import start_run


class Rude:
    """What cannot be shown."""

    def __repr__(self):
        raise RuntimeError("no")


def test_what_cannot_be_shown_is_still_named():
    """A message about an argument is not lost to the argument's own error."""
    assert "an object whose repr fails (Rude)" == seen(Rude())


@pytest.mark.parametrize(
    "error", [InvalidStep, InvalidStatus, lambda given: InvalidName("x", given)]
)
def test_no_message_fails(error):
    """Wherever a value is shown, any value can be."""
    assert "an object whose repr fails" in str(error(Rude()))


def test_of_many_runs_ten_are_listed():
    """Each in so many characters at most."""
    expected = ", ".join([*(f"'{digit}{'x' * 78}…'" for digit in range(10)), "…"])

    actual = str(UnknownRun("y", Path("/r"), [f"{number}{'x' * 100}" for number in range(30)]))

    assert f"no run 'y' in /r. There is {expected}." == actual


def test_of_many_runs_of_one_name_ten_are_listed():
    """The others are found when these are gone."""
    actual = str(AmbiguousRun("a", [Path(f"/r/{number}") for number in range(30)]))

    assert "/r/8, /r/9, …. Ask for one" in actual


def test_what_others_say_is_cut_between_two_words():
    """A message that is a page is the first of it."""
    assert ("one two …", "one two") == (shortened("one two three", 10), shortened("one two", 7))


def test_strict_is_no_text(tmp_path):
    """`strict='no'` would be strict."""
    with pytest.raises(InvalidChoice) as caught:
        start_run(f"tensorboard:{tmp_path}", strict="no")

    assert "strict is 'no' (str); expected True or False" == str(caught.value)
