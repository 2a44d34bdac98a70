"""How deep, how many and how large: what is beyond is refused before it hurts."""

import pytest

from treadle_config import load


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("deep.yaml", "[" * 100_000),
        ("deep.yaml", "- " * 100_000),
        ("deep.yaml", "{a: " * 100_000),
        ("deep.json", '{"deep": ' + "[" * 100_000),
    ],
)
def test_what_is_deep_is_refused_before_it_can_hurt(schemas, name, text, yaml, written, said):
    """libyaml's own recursion would end the process, and Python's in a traceback."""
    wanted = "YAML" if name == "deep.yaml" else "JSON"

    assert [f"file {name}:1: is not valid {wanted}: nested more than 100 levels deep"] == said(
        load, schemas.Holder, written(name, text)
    )


DEEP = {
    "a.json": lambda levels: '{"deep": ' + "[" * levels + "1" + "]" * levels + "}",
    "a.yaml": lambda levels: "deep: " + "[" * levels + "1" + "]" * levels,
    "a.toml": lambda levels: "deep = " + "[" * levels + "1" + "]" * levels,
    "keys.toml": lambda levels: "deep" + ".x" * levels + " = 1",
    "table.toml": lambda levels: "[deep" + ".x" * levels + "]",
}


@pytest.mark.parametrize("name", DEEP)
def test_a_hundred_levels_are_read(schemas, name, yaml, written, said):
    """One more is refused, in each format."""
    made = load(schemas.Holder, written(name, DEEP[name](99))).deep
    levels = 0
    while isinstance(made, list | dict) and made:
        levels += 1
        made = made[0] if isinstance(made, list) else made["x"]
    (actual,) = said(load, schemas.Holder, written(name, DEEP[name](100)))

    assert (99, "nested more than 100 levels deep") == (levels, actual.rpartition(": ")[2])


@pytest.mark.parametrize(
    ("name", "text", "reader"),
    [
        ("a.json", '{"deep": [\n' + "1,\n" * 5_000, "json_reader"),
        ("a.yaml", "deep:\n" + "- 1\n" * 5_000 + "]", "yaml_composer"),
        ("a.toml", "deep = [\n" + "1,\n" * 5_000, "toml_lines"),
        ("tables.toml", "[[deep]]\n" * 5_001 + "]", "toml_lines"),
    ],
)
def test_too_many_values_are_refused_while_they_are_read(
    schemas, name, text, reader, yaml, written, said, monkeypatch
):
    """Reading stops at the limit, so that the rest costs nothing, not even what is wrong with it."""
    # The real limit is told of the bomb below; each format would take a second to come to it.
    monkeypatch.setattr(f"treadle_config.{reader}.MOST_NODES", 5_000)

    (actual,) = said(load, schemas.Holder, written(name, text))

    assert "more than 5000 values" == actual.rpartition(": ")[2]


def test_an_alias_bomb_is_refused(schemas, yaml, written, said):
    """Aliases count as often as they are used."""
    lines = ["a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 9)]
    name = written("bomb.yaml", "\n".join(lines))

    (actual,) = said(load, schemas.Holder, name)

    assert "more than 200000 values, aliases included" == actual.rpartition(": ")[2]


def test_a_tower_of_aliases_is_refused(schemas, yaml, written, said):
    """Levels count by what an alias names, though no text is nested."""
    tower = [f"- &a{level} [*a{level - 1}]" for level in range(1, 101)]
    name = written("tower.yaml", "\n".join(["deep:", "- &a0 [1]", *tower]))

    (actual,) = said(load, schemas.Holder, name)

    assert "nested more than 100 levels deep" == actual.rpartition(": ")[2]


def test_a_large_file_is_refused(schemas, written, said):
    """More than ten million bytes is no config."""
    name = written("large.json", b" " * 10_000_001)

    assert [
        "file large.json: expected at most 10000000 bytes, got a larger file; is it a config?"
    ] == said(load, schemas.Holder, name)
