"""What validators, converters and whole classes refuse."""

import dataclasses

import pytest
from attrs import field, frozen
from attrs.validators import lt

from treadle_config import ConfigError, link, load


def test_what_a_class_refuses_as_a_whole_is_a_problem_of_the_class(said):
    """`__attrs_post_init__`, `__post_init__` and converters are reported at their path."""

    @frozen
    class Post:
        a: int = 1

        def __attrs_post_init__(self):
            raise ValueError("a is never right")

    @dataclasses.dataclass(frozen=True)
    class PlainPost:
        a: int = 1

        def __post_init__(self):
            raise ValueError("nor is this")

    def three(text: str) -> int:
        return {"three": 3}[text]

    @frozen
    class Outer:
        post: Post = field(factory=lambda: None)
        plain: PlainPost | None = None
        number: int = field(default="three", converter=three)

    actual = said(load, Outer, argv=["--post.a", "2", "--plain.a", "2", "--number", "four"])

    assert [
        (
            "post (cli --post.a): expected a valid Post, got values that it refuses; "
            "a is never right"
        ),
        (
            "plain (cli --plain.a): expected a valid PlainPost, got values that it "
            "refuses; nor is this"
        ),
        "number (cli --number): expected int, got four; KeyError: four",
    ] == actual


def test_a_validator_that_looks_at_a_bad_field_is_no_second_problem(said):
    """The problem is the field that is bad, not the validator that misses it."""

    @frozen
    class Pair:
        low: int = 10
        high: int = field(default=11)
        between: int = link(lambda low, high: low + (high - low) // 2, "low", "high")

        @high.validator
        def _above(self, _attribute, value):
            if value <= self.low:
                raise ValueError("high must be above low")

    actual = [
        said(load, Pair, argv=["--low", "x", "--high", "5"]),
        said(load, Pair, argv=["--low", "15"]),
    ]

    assert [
        ["low (cli --low): expected int, got x"],
        [
            (
                "high (default): expected a value that its validator takes, got 11; "
                "high must be above low"
            )
        ],
    ] == actual


def test_a_validators_problem_shows_what_was_given():
    """What a validator refuses is shown as it was written, not as what it was read as."""

    @frozen
    class Schema:
        size: int = field(default=1, validator=lt(10))

    with pytest.raises(ConfigError) as caught:
        load(Schema, {"size": "1_000"})

    assert ["1_000"] == [problem.got.strip("'") for problem in caught.value.problems]


def test_a_validator_is_asked_where_another_field_cannot_be_read(schemas, said):
    """Both mistakes are told, though the object was never made."""
    actual = said(load, schemas.Config, argv=["--data.batch-size", "-1", "--data.workers", "q"])

    assert [
        (
            "data.batch_size (cli --data.batch-size): expected a value that its validator takes, "
            "got -1; 'batch_size' must be > 0: -1"
        ),
        "data.workers (cli --data.workers): expected int, got q",
    ] == actual
