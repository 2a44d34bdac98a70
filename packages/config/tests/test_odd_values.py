"""Values that no file could give, keys, and paths without end."""

import re

import pytest
from attrs import field, frozen

from treadle_config import layer, load, resolve


def test_a_mapping_that_holds_itself_is_a_problem(schemas, said):
    """In a mapping, in a layer of one's own, and in `replace`."""
    endless: dict[str, object] = {}
    endless["data"] = [endless]

    actual = [
        *said(load, schemas.Config, endless),
        *said(load, schemas.Config, layer("cluster", endless, at="file")),
        *said(resolve(schemas.Config).replace, endless),
    ]

    wanted = "expected at most 100 levels, got more; does a mapping or a list hold itself?"
    assert [wanted, f"cluster: {wanted}", wanted] == [
        one.partition(": ")[2] if one.startswith("code") else one for one in actual
    ]


class Unspeakable:
    def __repr__(self) -> str:
        raise RuntimeError("not ready")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"seed": Unspeakable()}, "expected int | null, got <Unspeakable>"),
        ({"optim": {"type": Unspeakable()}}, "expected one of adam, sgd, got <Unspeakable>"),
        ({"optim": {"type": int}}, "expected one of adam, sgd, got int"),
        ({"optim": {"type": ["adam"]}}, "expected one of adam, sgd, got a list"),
        ({"data": {"batch_size": -(10**5000)}}, "expected a value that its validator takes, got"),
    ],
    ids=["value", "tag", "class", "list", "digits"],
)
def test_whatever_is_given_in_code_can_be_told(given, expected, schemas, said):
    """A value that cannot be shown is shown by its class."""
    (actual,) = said(load, schemas.Config, given)

    assert actual.partition(": ")[2].startswith(expected)


@frozen
class Tables:
    by_name: dict[str, int] = field(factory=dict)
    by_number: dict[int, int] = field(factory=dict)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"by_name": {1: 1}}, "by_name.1 (code): expected a key of type str, got 1"),
        ({"by_name": {None: 1}}, "by_name.None (code): expected a key of type str, got null"),
        (
            {"by_number": {1: 1, "1.0": 2}},
            "by_number.1 (code): expected one value, got a second; 1 and '1.0' are one key",
        ),
    ],
)
def test_a_key_is_as_strict_as_a_value(given, expected, said):
    """A number is no text, and two spellings of a key are one key, given twice."""
    (actual,) = said(load, Tables, given)

    assert expected == re.sub(r"code [a-z.]*:\d+", "code", actual)


def test_two_spellings_of_a_key_in_a_file_are_one_key_twice(said, written):
    """Nothing is dropped in silence."""
    name = written("a.json", '{"by_number": {"1000": 1,\n"1_000": 2}}')

    assert [
        (
            "by_number.1000 (file a.json:2): expected one value, got a second; "
            "'1000' and '1_000' are one key"
        )
    ] == said(load, Tables, name)


@frozen
class Endless:
    size: int = 1
    inner: "Endless | None" = None
    many: "list[Endless]" = field(factory=list)


@pytest.mark.parametrize(
    "path", [f"{'inner.' * 100}size", f"many[0]{'.many[0]' * 100}.size"], ids=["fields", "items"]
)
def test_a_path_has_an_end(path, said, monkeypatch):
    """In a class within itself, a hundred levels may be written."""
    monkeypatch.setenv("APP_INNER" + "__INNER" * 99 + "__SIZE", "1")
    deep = load(Endless, argv=[f"--{'inner.' * 99}size=2"])
    levels = 0
    while deep.inner is not None:
        deep, levels = deep.inner, levels + 1

    actual = said(load, Endless, argv=["--many+={}", f"--{path}=1"], env="APP_")

    assert (
        (99, 2),
        ["expected the name of a field", "expected the flag of a setting"],
    ) == ((levels, deep.size), [one.partition(": ")[2].partition(",")[0] for one in actual])


@pytest.mark.parametrize("values", [None, "seed", ["seed"]])
def test_a_layer_of_values_that_are_no_mapping_is_a_problem(values, schemas, said):
    """Its name is the source."""
    (actual,) = said(load, schemas.Config, layer("cluster", values, at="code"))

    assert actual.startswith("cluster: expected Config, got ")
