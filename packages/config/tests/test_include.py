"""`include`: files below a file, each a layer of its own."""

import json
from pathlib import Path

import pytest
from attrs import Factory, field, frozen

from treadle_config import ConfigError, layer, load, resolve, setting


@frozen
class Inner:
    x: int = 0
    y: int = 0


@frozen
class Holder:
    a: int = 0
    b: int = 0
    c: int = 0
    inner: Inner = Inner()
    root: Path = Path()
    tags: list[str] = field(factory=list, metadata=setting(merge="append"))


@frozen
class Own:
    include: list[str] = Factory(list)
    a: int = 0


@pytest.fixture
def files(written):
    """Write JSON files, each from the given values; return the name of the last."""

    def write(**values):
        for name, one in values.items():
            path = f"{name.replace('__', '/')}.json"
            Path(path).parent.mkdir(exist_ok=True)
            written(path, json.dumps(one))
        return path

    return write


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("main.json", '{\n"include": "below.json",\n"b": 2}'),
        ("main.toml", 'include = "below.json"\n\nb = 2'),
        ("main.yaml", "b: 2\ninclude: below.json"),
        ("main.json", '{"b": 2, "include": ["below.json"]}'),
        ("main.toml", 'b = 2\ninclude = [\n"below.json",\n]'),
        ("main.yaml", "b: 2\ninclude:\n- below.json"),
    ],
)
def test_an_included_file_lies_below(name, text, files, written):
    """In every format: it says what the including file does not."""
    if name.endswith(".yaml"):
        pytest.importorskip("yaml", reason="needs the extra treadle-config[yaml]")
    files(below={"a": 1, "b": 1, "inner": {"x": 1}})

    assert Holder(a=1, b=2, inner=Inner(x=1)) == load(Holder, written(name, text))


def test_an_included_value_is_of_the_line_that_says_it(files, written):
    """The including file's own lines stay right as well."""
    files(sub__below={"a": 1})
    written("sub/more.toml", "\n\nb = 1")
    name = written(
        "main.json", '{"include":\n["sub/below.json",\n"sub/more.toml"],\n"inner": {\n"x": 1}}'
    )

    resolution = resolve(Holder, name)

    assert ["file sub/below.json:1", "file sub/more.toml:3", "file main.json:5"] == [
        str(resolution.source(path)) for path in ("a", "b", "inner.x")
    ]


def test_a_path_is_relative_to_the_file_that_names_it(files):
    """Wherever the program runs; paths that are values stay as they are."""
    files(common={"a": 1, "root": "data"}, sub__part={"include": "../common.json", "b": 1})
    name = files(main={"include": "sub/part.json"})

    absolute = files(elsewhere={"include": str(Path("sub/part.json").resolve())})

    expected = Holder(a=1, b=1, root=Path("data"))
    assert [expected, expected] == [load(Holder, one) for one in (name, absolute)]


def test_of_several_the_later_wins(files):
    """What a file includes is below it, however deep."""
    files(
        deepest={"a": 1, "b": 1, "c": 1},
        first={"include": "deepest.json", "b": 2, "c": 2},
        second={"c": 3},
    )
    name = files(main={"include": ["first.json", "second.json"]})

    assert Holder(a=1, b=2, c=3) == load(Holder, name)


def test_a_file_that_several_include_is_below_all_of_them(files):
    """It is one layer: it takes back nothing, and adds its items once."""
    files(
        common={"a": 1, "b": 1, "tags": ["common"]},
        left={"include": "common.json", "a": 2, "tags": ["left"]},
        right={"include": "./common.json", "b": 2, "tags": ["right"]},
    )
    name = files(main={"include": ["left.json", "right.json", "common.json"]})

    expected = Holder(a=2, b=2, tags=["common", "left", "right"])
    assert [expected, expected] == [
        load(Holder, name),
        load(Holder, "left.json", argv=["--config", "right.json"]),
    ]


def test_a_file_that_is_given_stands_where_it_is_given(files):
    """Even if another has included it before."""
    files(common={"a": 1}, main={"include": "common.json", "a": 2})

    actual = [
        load(Holder, *given).a
        for given in (("main.json", "common.json"), ("common.json", "main.json"))
    ]

    assert [1, 2] == actual


def test_other_layers_are_above_and_rules_of_merging_hold(files):
    """A file with what it includes stands where the file stands."""
    files(below={"a": 1, "b": 1, "c": 1, "tags": ["x"]})
    name = files(main={"include": "below.json", "tags": ["y"]})
    named = layer("cluster", {"b": 3}, at="file")

    actual = [
        load(Holder, name, {"a": 2}, named),
        load(Holder, name, {"a": 2}, named, precedence="file_over_code"),
    ]

    assert [
        Holder(a=2, b=3, c=1, tags=["x", "y"]),
        Holder(a=1, b=3, c=1, tags=["x", "y"]),
    ] == actual


def test_problems_are_ordered_by_layer(files):
    """Those of an included file come before those of the file that includes it."""
    files(below={"a": "x"}, other={"b": "x"})
    name = files(main={"c": "x", "include": ["below.json", "other.json", "gone.json"]})

    with pytest.raises(ConfigError) as caught:
        load(Holder, name, {"inner": 1})

    assert ["a", "b", "c", "include[2]", "inner"] == [one.path for one in caught.value.problems]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            '{\n"include": "bellow.json"}',
            (
                "include (file sub/main.json:2): expected a readable file, "
                "got no such file or directory at sub/bellow.json; did you mean below.json?"
            ),
        ),
        (
            '{"include": [\n"below.json",\n"folder"]}',
            (
                "include[1] (file sub/main.json:3): expected a readable file, "
                "got a directory at sub/folder"
            ),
        ),
        (
            '{"include": "below.txt"}',
            (
                "include (file sub/main.json:1): expected a .json, .toml, .yaml or .yml file, "
                "got the suffix '.txt' at sub/below.txt"
            ),
        ),
        (
            '{"include": "a\\u0000b.json"}',
            (
                "include (file sub/main.json:1): expected a readable file, "
                "got a path that no file can have at sub/a\\x00b.json"
            ),
        ),
        (
            '{"include": {"a": 1}}',
            (
                "include (file sub/main.json:1): expected the path of a file, or a list of paths, "
                "got a mapping"
            ),
        ),
        (
            '{"include": [\nnull]}',
            (
                "include[0] (file sub/main.json:2): expected the path of a file, "
                "or a list of paths, got null"
            ),
        ),
        (
            '{"include": "broken.json"}',
            "file sub/broken.json:2: is not valid JSON: expecting value at column 1",
        ),
        (
            '{"include": "main.json"}',
            (
                "include (file sub/main.json:1): expected a file that does not include "
                "sub/main.json, got sub/main.json; sub/main.json:1 includes sub/main.json"
            ),
        ),
    ],
    ids=lambda one: f"{one!r:.30}",
)
def test_what_cannot_be_included_is_a_problem_of_its_line(text, expected, files, written, said):
    """A path that is wrong is told where it stands, a file that is wrong in the file."""
    files(sub__below={})
    written("sub/broken.json", '{"a":\n')
    written("sub/below.txt", "")
    Path("sub/folder").mkdir()
    name = written("sub/main.json", text)

    assert [expected] == said(load, Holder, name)


def test_a_cycle_is_shown_from_line_to_line(files, written, said):
    """What leads into the cycle is no part of it."""
    files(outer={"include": "a.json"})
    written("a.json", '{"a": 1,\n"include": "b.json"}')
    written("b.json", '{"b": 1,\n"c": 1,\n"include": "./a.json"}')

    assert [
        (
            "include (file b.json:3): expected a file that does not include b.json, got ./a.json; "
            "a.json:2 includes b.json, b.json:3 includes ./a.json"
        )
    ] == said(load, Holder, "outer.json")


def test_a_chain_has_an_end(files, said):
    """A hundred files may include one another, as levels may lie within each other."""
    for index in range(102):
        files(**{f"f{index}": {"include": f"f{index + 1}.json"}})
    files(f102={"a": 1})

    actual = load(Holder, "f2.json").a, said(load, Holder, "f1.json")

    assert (
        1,
        [
            (
                "include (file f101.json:1): expected at most 100 files that include one another, "
                "got one more"
            )
        ],
    ) == actual


def test_two_that_name_a_missing_file_are_two_problems(files, said):
    """Each line has to be mended."""
    files(left={"include": "gone.json"}, right={"include": "gone.json"})
    name = files(main={"include": ["left.json", "right.json"]})

    actual = [one.partition(":")[0] for one in said(load, Holder, name)]

    assert ["include (file left.json", "include (file right.json"] == actual


def test_a_broken_file_that_two_include_is_one_problem(files, written, said):
    """It has to be mended once."""
    written("broken.json", "{")
    files(left={"include": "broken.json"}, right={"include": "broken.json"})
    name = files(main={"include": ["left.json", "right.json"]})

    assert 1 == len(said(load, Holder, name))


def test_a_field_of_that_name_keeps_its_key(files):
    """In such a schema the key is the field's, in every file, and nothing is included."""
    name = files(main={"include": ["*.py"], "a": 1})

    assert Own(include=["*.py"], a=1) == load(Own, name)


def test_only_the_top_of_a_file_includes(files, said):
    """Elsewhere, and in code, it is a key like any other."""
    files(below={})
    name = files(main={"inner": {"include": "below.json"}})

    actual = said(load, Holder, name), said(load, Holder, {"include": "below.json"})

    assert (
        [
            "inner.include (file main.json:1): expected a field of Inner, got 'include'; it belongs at the top of a file"
        ],
        "expected a field of Holder, got 'include'",
    ) == (actual[0], actual[1][0].partition(": ")[2])


def test_an_empty_list_includes_nothing(files):
    """And an empty file says nothing."""
    files(empty={})
    none = files(main={"include": [], "a": 1})

    actual = [load(Holder, none).a, load(Holder, files(other={"include": "empty.json", "a": 1})).a]

    assert [1, 1] == actual
