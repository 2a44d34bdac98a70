"""Habits from elsewhere, each answered with what it is here."""

import pytest
from attrs import Factory, frozen

from treadle_config import load


@frozen
class Cosine:
    turns: int = 1


@frozen
class Step:
    every: int = 1


@frozen
class Part:
    x: int = 0
    longer: int = 0


@frozen
class Config:
    tags: list[str] = Factory(list)
    sizes: list[int] = Factory(list)
    betas: tuple[float, float] = (0.9, 0.99)
    table: dict[str, int] = Factory(dict)
    schedule: Cosine | Step | None = Cosine()
    part: Part | None = None
    seed: int | None = 1
    verbose: bool = False
    n: int = 1
    named: dict[str, Part] = Factory(dict)
    blocks: list[Part] = Factory(list)


STRAY = "cli argv[{}]: expected a flag such as --name VALUE, got '{}'; {}"


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (
            ["--tags", "a", "b", "c"],
            [
                STRAY.format(3, "b", "give --tags again before each item"),
                STRAY.format(4, "c", "give --tags again before each item"),
            ],
        ),
        (["--verbose", "null"], [STRAY.format(2, "null", "--verbose takes true or false")]),
        (["-v"], [STRAY.format(1, "-v", "did you mean --verbose?")]),
        (["-n", "3"], [STRAY.format(1, "-n", "did you mean --n?")]),
        (["-1"], ["cli argv[1]: expected a flag such as --name VALUE, got '-1'"]),
        (
            ["--table", "a=3"],
            [
                (
                    "table (cli --table): expected dict[str, int] as a JSON object, got a=3; "
                    "write --table.a=3"
                )
            ],
        ),
        (
            ["--sizes", "1,2"],
            ["sizes[0] (cli --sizes): expected int, got 1,2; write a list: [1,2]"],
        ),
        (["--n", "1,2"], ["n (cli --n): expected int, got 1,2"]),
        (
            ["--schedule", "none"],
            [
                (
                    "schedule (cli --schedule): expected Cosine | Step as a JSON object, got none; "
                    "write null, or --no-schedule"
                )
            ],
        ),
        (
            ["--part", "false"],
            [
                (
                    "part (cli --part): expected Part as a JSON object, got false; "
                    "write null, or --no-part"
                )
            ],
        ),
        (
            ["--schedule.type", "none"],
            [
                (
                    "schedule.type (cli --schedule.type): expected one of cosine, step, got none; "
                    "set the whole to null: --no-schedule"
                )
            ],
        ),
        (
            ["--seed", "none"],
            ["seed (cli --seed): expected int | null, got none; write null for None"],
        ),
        (
            ["--named.a.longr", "3"],
            [
                (
                    "named.a.longr (cli --named.a.longr): expected the flag of a setting, "
                    "got '--named.a.longr'; did you mean --named.a.longer?"
                )
            ],
        ),
    ],
    ids=lambda one: " ".join(one) if isinstance(one, list) else "",
)
def test_a_habit_of_the_command_line_is_answered(argv, expected, said):
    """With the form that it has here."""
    assert expected == said(load, Config, argv=argv)


def test_several_items_in_a_variable_are_answered_with_a_list(monkeypatch, said):
    """As on the command line."""
    monkeypatch.setenv("Q_SIZES", "1, 2")

    assert ["sizes[0] (env Q_SIZES): expected int, got 1, 2; write a list: [1, 2]"] == said(
        load, Config, env="Q_"
    )


def test_an_index_in_code_is_answered_with_the_whole_list(said):
    """Alone, and with what lies below it."""
    hint = "an index is for the command line; give the whole list"

    actual = [said(load, Config, {key: 1}) for key in ("blocks[0]", "blocks[0].x")]

    assert [[hint], [hint]] == [[one.partition("; ")[2] for one in found] for found in actual]


def test_include_below_a_table_is_answered_with_its_place(written, said):
    """TOML has no way back to the top."""
    name = written("a.toml", '[part]\ninclude = "b.toml"\n')

    assert [
        (
            "part.include (file a.toml:2): expected a field of Part, got 'include'; "
            "it belongs at the top of a file, before the first [table]"
        )
    ] == said(load, Config, name)


def test_what_is_left_empty_is_to_be_left_out(yaml, written, said):
    """Null is another thing."""
    name = written("a.yaml", "table:\nsizes:\nn:\nseed:\nverbose:\n")

    actual = said(load, Config, name)

    assert [("leave the key out to keep the default")] * 4 == [
        one.partition("; ")[2] for one in actual
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            'tags: ["a\nn: 2\n\n',
            (
                "file a.yaml:1: is not valid YAML: while scanning a quoted scalar: "
                "found unexpected end of stream"
            ),
        ),
        (
            "part:\n\tx: 1\n",
            "file a.yaml:2: is not valid YAML: there is a tab; indent with spaces",
        ),
    ],
)
def test_a_mistake_in_yaml_is_told_where_it_is(yaml, text, expected, written, said):
    """A quote where it opens, and a tab by its name."""
    assert [expected] == said(load, Config, written("a.yaml", text))


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("a.json", '{"n": true}', "true"),
        ("a.toml", "n = 2024-02-29T12:30:00", "2024-02-29T12:30:00"),
        ("a.toml", "n = 2024-02-29", "2024-02-29"),
    ],
)
def test_what_is_no_text_in_a_file_is_told_as_it_stands_there(name, text, expected, written, said):
    """Not as python has it."""
    actual = said(load, Config, written(name, text))

    assert [f"n (file {name}:1): expected int, got {expected}"] == actual


def test_what_is_given_in_code_is_told_as_python_has_it(said):
    """It is python that gave it."""
    actual = said(load, Config, {"n": True})

    assert [" expected int, got True"] == [
        one.partition(":")[2].partition(":")[2] for one in actual
    ]
