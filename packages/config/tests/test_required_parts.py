"""What is missing of a required object: each of its parts, at once."""

from attrs import field, frozen

from treadle_config import load, setting


@frozen
class Deep:
    size: int


@frozen
class Need:
    a: int
    b: str
    deep: Deep
    c: int = 3


@frozen
class Top:
    need: Need


MISSING = "got nothing; it has no default; give it in a file, in code,"


def test_all_required_parts_are_told_at_once(said):
    """With a flag for each."""
    assert [
        f"need.a: expected int, {MISSING} or as --need.a",
        f"need.b: expected str, {MISSING} or as --need.b",
        f"need.deep.size: expected int, {MISSING} or as --need.deep.size",
    ] == said(load, Top)


def test_where_variables_are_read_the_one_is_named(said):
    """By the prefix that was given."""
    actual = said(load, Top, {"need": {"b": "x", "deep.size": 1}}, env="A_")

    assert [f"need.a: expected int, {MISSING} as A_NEED__A, or as --need.a"] == actual


def test_an_object_without_required_parts_is_asked_for_itself(said):
    """It is not made up."""

    @frozen
    class Part:
        a: int = 0

    @frozen
    class Whole:
        part: Part

    assert [f"part: expected Part, {MISSING} or as --part"] == said(load, Whole)


def test_what_may_be_written_otherwise_is_asked_for_itself(said):
    """As null, or as text."""

    @frozen
    class Whole:
        one: Need | None
        other: Need | str

    assert [
        f"one: expected Need | null, {MISSING} or as --one",
        f"other: expected Need | str, {MISSING} or as --other",
    ] == said(load, Whole)


def test_a_choice_that_nothing_makes_is_asked_for(said):
    """With the tags there are."""

    @frozen
    class Either:
        part: Deep | Need

    assert [
        (
            "part: expected Deep | Need, got nothing; it has no default; "
            "choose one with part.type: deep, need"
        )
    ] == said(load, Either)


def test_a_required_class_within_itself_has_an_end(said):
    """Nobody can make one."""
    actual = said(load, Endless)

    assert [f"inner.inner: expected Endless, {MISSING} or as --inner.inner"] == actual


@frozen
class Endless:
    inner: "Endless"


def test_a_secret_object_is_asked_for_as_a_whole(said):
    """Its parts are not told."""

    @frozen
    class Keeping:
        need: Need = field(repr=False, metadata=setting(secret=True))

    actual = said(load, Keeping)

    assert [
        (
            "need: expected Need, got nothing; it is secret: give it in code, "
            "or in a variable that load(..., env=...) reads"
        )
    ] == actual
