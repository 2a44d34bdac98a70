"""Files: YAML and JSON with lines, and everything that can be wrong with a file."""

import os
import subprocess
import sys

import pytest
from attrs import field, frozen
from hypothesis import given
from hypothesis import strategies as st

from treadle_config import load, resolve
from treadle_config.json_reader import read_json
from treadle_config.tree import Source, Unreadable, plain_value
from treadle_config.yaml_reader import read_yaml


@frozen
class Holder:
    a: int = 0
    b: dict[str, int] = field(factory=dict)
    deep: object = None


@pytest.fixture(scope="module")
def yaml():
    """PyYAML, for tests that need the extra."""
    return pytest.importorskip("yaml", reason="needs the extra treadle-config[yaml]")


def test_a_value_knows_its_line_in_json_and_yaml(yaml, written):
    """Provenance names the file as it was given, and the line."""
    json_file = written("a.json", '{\n "a": 1,\n "b": {\n  "x": 2}}')
    yaml_file = written("a.yaml", "a: 1\nb:\n\n  x: 2\n")

    actual = [
        str(resolve(Holder, name).source(path))
        for name in (json_file, yaml_file)
        for path in ("a", "b.x")
    ]

    assert [
        "file a.json:2",
        "file a.json:4",
        "file a.yaml:1",
        "file a.yaml:4",
    ] == actual


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        (
            "a.yaml",
            "b:\n  x: 1\n  x: 2\n",
            (
                "b.x (file a.yaml:3): expected one value, got a second; "
                "it is given on line 2 and again on line 3"
            ),
        ),
        (
            "a.json",
            '{"b": {"x": 1,\n"x": 2}}',
            (
                "b.x (file a.json:2): expected one value, got a second; "
                "the key 'x' is given on line 1 and again on line 2"
            ),
        ),
        (
            "a.json",
            '{"deep": [0, {"x": {}, "y": {"z": 1, "z": 2}}],\n"a": 1, "a": 1}',
            (
                "deep[1].y.z (file a.json:1): expected one value, got a second; "
                "the key 'z' is given on line 1 and again on line 1"
            ),
        ),
        (
            "a.yaml",
            "deep: [0, {y: {z: 1, z: 2}}]",
            (
                "deep[1].y.z (file a.yaml:1): expected one value, got a second; "
                "it is given on line 1 and again on line 1"
            ),
        ),
        (
            "a.yaml",
            "a: [1\n",
            (
                "file a.yaml:2: expected YAML, got something else; while parsing a flow sequence: "
                "did not find expected ',' or ']'"
            ),
        ),
        (
            "a.yaml",
            "a: 1\n---\na: 2\n",
            (
                "file a.yaml:2: expected YAML, got something else; "
                "expected a single document in the stream: but found another document"
            ),
        ),
        (
            "a.yaml",
            "a: !!python/object/apply:os.system [ls]\n",
            (
                "file a.yaml:1: expected YAML, got something else; the tag "
                "tag:yaml.org,2002:python/object/apply:os.system is not read; "
                "the declared type decides"
            ),
        ),
        (
            "a.yaml",
            "a: !!int 3\n",
            (
                "file a.yaml:1: expected YAML, got something else; the tag tag:yaml.org,2002:int "
                "is not read; the declared type decides"
            ),
        ),
        (
            "a.yaml",
            "deep: &x [*x]\n",
            (
                "file a.yaml:1: expected YAML, got something else; "
                "an alias stands within what it names"
            ),
        ),
        (
            "a.yaml",
            "[a]: 1\n",
            (
                "file a.yaml:1: expected YAML, got something else; "
                "a key is a list or a mapping; write a scalar"
            ),
        ),
        (
            "a.yaml",
            "[]\n",
            "file a.yaml:1: expected a mapping of field names to values, got a list",
        ),
        (
            "a.json",
            '{"a" 1}',
            "file a.json:1: expected JSON, got something else; expecting ':' delimiter",
        ),
        (
            "a.json",
            "[1]",
            "file a.json:1: expected a mapping of field names to values, got a list",
        ),
        (
            "a.yaml",
            "a: &x 1\ndeep: &x 2\n",
            (
                "file a.yaml:2: expected YAML, got something else; "
                "found duplicate anchor; first occurrence: second occurrence"
            ),
        ),
        (
            "a.yaml",
            "<<: 3",
            (
                "file a.yaml:1: expected YAML, got something else; "
                "<< takes a mapping or a list of mappings"
            ),
        ),
        (
            "a.yaml",
            "deep: &x\n  <<: *x\n",
            (
                "file a.yaml:1: expected YAML, got something else; "
                "an alias stands within what it names"
            ),
        ),
        (
            "a.yaml",
            "a: 1\n\x07: 2",
            (
                "file a.yaml:2: expected YAML, got something else; "
                "control characters are not allowed"
            ),
        ),
        (
            "a.yaml",
            "!x a: 1",
            (
                "file a.yaml:1: expected YAML, got something else; "
                "the tag !x is not read; the declared type decides"
            ),
        ),
        ("a.yaml", "3", "file a.yaml:1: expected a mapping of field names to values, got a scalar"),
        ("a.yaml", "1: 2", "1 (file a.yaml:1): expected a field of Holder, got '1'"),
        ("a.yaml", "a: 1e9999999", "a (file a.yaml:1): expected int, got 1e9999999; too large"),
        ("a.yaml", "a: \u0663", "a (file a.yaml:1): expected int, got \u0663"),
        ("a.json", '{"a": NaN}', "a (file a.json:1): expected int, got nan"),
        (
            "a.json",
            '{"a": 1}\n{"a": 2}',
            "file a.json:2: expected JSON, got something else; extra data",
        ),
        (
            "a.json",
            "# a comment",
            "file a.json:1: expected JSON, got something else; expecting value",
        ),
        (
            "a.txt",
            "a = 1",
            "file a.txt: expected a .json, .toml, .yaml or .yml file, got the suffix '.txt'",
        ),
        ("a", "a = 1", "file a: expected a .json, .toml, .yaml or .yml file, got no suffix"),
    ],
    ids=lambda one: f"{one!r:.30}",
)
@pytest.mark.usefixtures("yaml")
def test_what_is_wrong_with_a_file_is_one_message(name, text, expected, written, said):
    """The message names the file and the line."""
    given_file = written(name, text)

    assert [expected] == said(load, Holder, given_file)


BINARY = "it is binary, or in another encoding: save it as UTF-8"
NUL = "it is binary, or UTF-16 or UTF-32 without a mark: save it as UTF-8"


@pytest.mark.parametrize("name", ["a.json", "a.toml", "a.yaml"])
@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"\x89PNG\r\n\x1a\n\0", f"1: expected UTF-8 text, got the byte 0x89; {BINARY}"),
        (b"a\n\n# \xe9t\xe9", f"3: expected UTF-8 text, got the byte 0xe9; {BINARY}"),
        ("a\n".encode("utf-16-le"), f"1: expected text, got a NUL character; {NUL}"),
        (b"\x7fELF\n\0", f"2: expected text, got a NUL character; {NUL}"),
    ],
)
@pytest.mark.usefixtures("yaml")
def test_what_is_no_text_is_told_by_its_first_byte(name, data, expected, written, said):
    """The message is the same for every format, and names the line."""
    given_file = written(name, data)

    assert [f"file {name}:{expected}"] == said(load, Holder, given_file)


def test_utf_16_is_read_where_the_format_has_it(yaml, written, said):
    """YAML takes UTF-16 with a mark; JSON and TOML are UTF-8 by their specifications."""
    data = '{"a": 3}'.encode("utf-16")
    refused = [said(load, Holder, written(name, data)) for name in ("a.json", "a.toml")]
    cut = said(load, Holder, written("b.yaml", data[:-1]))

    assert (
        Holder(a=3),
        [
            [f"file {name}:1: expected UTF-8 text, got UTF-16; save it as UTF-8"]
            for name in ("a.json", "a.toml")
        ],
        ["file b.yaml: expected UTF-16 text, got bytes that are not; save it as UTF-8"],
    ) == (load(Holder, written("a.yaml", data)), refused, cut)


@pytest.mark.parametrize(
    ("name", "text"), [("a.json", '{"a": 3}'), ("a.toml", "a = 3"), ("a.yaml", "a: 3")]
)
def test_a_mark_of_utf_8_is_skipped(name, text, yaml, written):
    """Editors of Windows write it at the beginning."""
    given_file = written(name, "\ufeff" + text)

    assert Holder(a=3) == load(Holder, given_file)


def test_a_missing_file_and_a_directory_are_problems(written, said, tmp_path):
    """A near name is suggested."""
    written("train.json", "{}")
    (tmp_path / "folder.json").mkdir()

    actual = [said(load, Holder, name) for name in ("trian.json", "folder.json")]

    assert [
        [
            (
                "file trian.json: expected a readable file, got no such file or directory; "
                "did you mean train.json?"
            )
        ],
        ["file folder.json: expected a readable file, got a directory"],
    ] == actual


@pytest.mark.parametrize(
    ("name", "text"),
    [
        *[
            (name, text)
            for name in ("a.json", "a.toml", "a.yaml")
            for text in ("", "\n\n", "\ufeff")
        ],
        ("a.json", "null"),
        ("a.yaml", "null"),
        ("a.yaml", "# a comment"),
        ("a.yaml", "---\n"),
        ("a.toml", "# a comment"),
    ],
)
def test_an_empty_file_says_nothing(name, text, yaml, written):
    """All fields keep their defaults."""
    given_file = written(name, text)

    assert Holder() == load(Holder, given_file)


@pytest.mark.parametrize("text", ["[" * 100_000, "- " * 100_000, "{a: " * 100_000])
def test_deep_yaml_is_refused_before_it_can_hurt(text, yaml, written, said):
    """libyaml's own recursion would end the process."""
    name = written("deep.yaml", text)

    assert [
        "file deep.yaml:1: expected YAML, got something else; nested more than 100 levels deep"
    ] == said(load, Holder, name)


def test_deep_json_is_refused(written, said):
    """Python's own recursion would end in a traceback."""
    name = written("deep.json", '{"deep": ' + "[" * 100_000)

    assert [
        "file deep.json:1: expected JSON, got something else; nested more than 100 levels deep"
    ] == said(load, Holder, name)


DEEP = {
    "a.json": lambda levels: '{"deep": ' + "[" * levels + "1" + "]" * levels + "}",
    "a.yaml": lambda levels: "deep: " + "[" * levels + "1" + "]" * levels,
    "a.toml": lambda levels: "deep = " + "[" * levels + "1" + "]" * levels,
    "keys.toml": lambda levels: "deep" + ".x" * levels + " = 1",
    "table.toml": lambda levels: "[deep" + ".x" * levels + "]",
}


@pytest.mark.parametrize("name", DEEP)
def test_a_hundred_levels_are_read(name, yaml, written, said):
    """One more is refused, in each format."""
    made = load(Holder, written(name, DEEP[name](99))).deep
    levels = 0
    while isinstance(made, list | dict) and made:
        levels += 1
        made = made[0] if isinstance(made, list) else made["x"]
    (actual,) = said(load, Holder, written(name, DEEP[name](100)))

    assert (99, "nested more than 100 levels deep") == (levels, actual.rpartition("; ")[2])


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.json", '{"deep": [\n' + "1,\n" * 200_000),
        ("a.yaml", "deep:\n" + "- 1\n" * 200_000),
        ("a.toml", "deep = [\n" + "1,\n" * 200_000),
        ("tables.toml", "[[deep]]\n" * 200_001),
    ],
)
def test_too_many_values_are_refused_while_they_are_read(name, text, yaml, written, said):
    """Reading stops at the limit, so that the rest costs nothing."""
    (actual,) = said(load, Holder, written(name, text))

    assert "more than 200000 values" == actual.rpartition("; ")[2]


def test_an_alias_bomb_is_refused(yaml, written, said):
    """Aliases count as often as they are used."""
    lines = ["a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 9)]
    name = written("bomb.yaml", "\n".join(lines))

    (actual,) = said(load, Holder, name)

    assert "more than 200000 values, aliases included" == actual.rpartition("; ")[2]


def test_a_tower_of_aliases_is_refused(yaml, written, said):
    """Levels count by what an alias names, though no text is nested."""
    tower = [f"- &a{level} [*a{level - 1}]" for level in range(1, 101)]
    name = written("tower.yaml", "\n".join(["deep:", "- &a0 [1]", *tower]))

    (actual,) = said(load, Holder, name)

    assert "nested more than 100 levels deep" == actual.rpartition("; ")[2]


def test_a_large_file_is_refused(written, said):
    """More than ten million bytes is no config."""
    name = written("large.json", b" " * 10_000_001)

    assert [
        "file large.json: expected at most 10000000 bytes, got a larger file; is it a config?"
    ] == said(load, Holder, name)


def test_merge_keys_are_followed(yaml, written):
    """Own keys win over `<<`, and the first of several mappings wins."""
    name = written(
        "merge.yaml",
        "b:\n  <<: [&one {x: 1, y: 1}, {x: 2, z: 2}]\n  y: 9\n",
    )

    assert {"x": 1, "y": 9, "z": 2} == load(Holder, name).b


def test_the_pure_composer_reads_the_same(yaml, monkeypatch):
    """Without libyaml, PyYAML's own composer is used, with the same limits."""
    from treadle_config import yaml_composer

    text = "a: 3\nb: {x: 1}\ndeep: ['no', no, &x [1], *x]\n"
    with_libyaml = read_yaml(text, "a", lambda line: Source("file", "a", line))
    monkeypatch.setattr(yaml_composer, "fastest", yaml_composer.PureComposer)

    pure = read_yaml(text, "a", lambda line: Source("file", "a", line))
    hints = []
    for wrong in ("[" * 1000, "a: \x07"):
        with pytest.raises(Unreadable) as caught:
            read_yaml(wrong, "a", lambda line: Source("file", "a", line))
        hints.append((caught.value.line, caught.value.hint))

    assert (
        plain_value(with_libyaml),
        [(1, "nested more than 100 levels deep"), (1, "special characters are not allowed")],
    ) == (plain_value(pure), hints)


def test_without_pyyaml_everything_but_yaml_works(written):
    """A .yaml file is one sentence that names the extra; the rest needs nothing."""
    written("a.json", '{"a": 1}')
    written("b.toml", "a = 4")
    written("a.yaml", "a: 1")
    written("include.json", '{"include": "a.yaml"}')
    program = """
import sys
sys.modules["yaml"] = None
from attrs import frozen
from treadle_config import MissingExtra, dump, load
@frozen
class C:
    a: int = 0
print(load(C, "a.json", {"a": 2}, argv=["--a", "3"]).a, load(C, "b.toml").a)
for call in (
    lambda: load(C, "a.yaml"),
    lambda: load(C, "include.json"),
    lambda: dump(C(), "b.yaml"),
):
    try:
        call()
    except MissingExtra as error:
        print(error)
"""

    actual = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert (
        "3 4\n"
        "a.yaml is YAML, and PyYAML, which reads it, is not installed; "
        "pip install 'treadle-config[yaml]'\n"
        "a.yaml is YAML, and PyYAML, which reads it, is not installed; "
        "pip install 'treadle-config[yaml]'\n"
        "writing YAML needs PyYAML, which is not installed; pip install 'treadle-config[yaml]'\n"
    ) == actual.stdout


@given(st.text(st.sampled_from(list('{}[]",:ab01-.eE\\\n tru')), max_size=60))
def test_json_reads_what_the_standard_library_reads(text):
    """Our reader takes a document exactly if `json` does, save duplicate keys."""
    import json

    def no_duplicates(pairs):
        if len(dict(pairs)) != len(pairs):
            raise ValueError("duplicate")
        return dict(pairs)

    try:
        expected = json.loads(text, object_pairs_hook=no_duplicates, parse_int=str, parse_float=str)
    except ValueError:
        expected = Unreadable
    try:
        actual = plain_value(read_json(text, lambda _line: Source("file")))
    except Unreadable:
        actual = Unreadable

    assert expected == actual


@pytest.mark.parametrize("name", ["ünï cödé.yaml", "loop.yaml"])
def test_a_missing_file_is_not_taken_for_just_any_other(name, written, said, tmp_path):
    """Neither one that shares little but a suffix, nor a link that leads to itself."""
    written("anch.yaml", "")
    (tmp_path / "loop.yaml").symlink_to("loop.yaml")

    (actual,) = said(load, Holder, name)

    assert "" == actual.partition(";")[2]


def test_what_is_no_file_is_refused_before_it_is_opened(written, said, tmp_path):
    """A pipe would be waited for without end."""
    written("a.json", "{}")
    os.mkfifo(tmp_path / "pipe.json")
    (tmp_path / "null.yaml").symlink_to("/dev/null")

    names = ("pipe.json", "null.yaml", "/dev/null")
    actual = [said(load, Holder, name) for name in names]

    assert [
        [
            (
                f"file {name}: expected a regular file, got a pipe, a socket or a device; "
                "save it to a file first"
            )
        ]
        for name in names
    ] == actual


def test_a_file_that_may_not_be_read_is_a_problem(written, tmp_path):
    """Whoever lacks the permission is told so, without a traceback."""
    tmp_path.chmod(0o755)
    (tmp_path / written("a.json", "{}")).chmod(0)
    (tmp_path / written("b.json", '{"include": "a.json"}')).chmod(0o644)
    written("c.json", "{}")
    program = """
import os
from attrs import frozen
from treadle_config import ConfigError, load
@frozen
class C:
    a: int = 0
for name in ("c.json", "missing.json"):
    try:  # what is imported when it is needed is imported now, by who may read it
        load(C, name)
    except ConfigError:
        pass
if os.getuid() == 0:  # who may read everything
    os.setresuid(65534, 65534, 65534)
for name in ("a.json", "b.json"):
    try:
        load(C, name)
    except ConfigError as error:
        print(error)
"""

    actual = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert (
        "file a.json: expected a readable file, got permission denied\n"
        "include (file b.json:1): expected a readable file, got permission denied at a.json\n"
    ) == actual.stdout
