"""Files: YAML and JSON with lines, and everything that can be wrong with them."""

import os
import subprocess
import sys

import pytest
from attrs import field, frozen
from hypothesis import given
from hypothesis import strategies as st

from treadle_config import ConfigError, MissingExtra, load, resolve, yaml_reader
from treadle_config.json_reader import read_json
from treadle_config.tree import Source, Unreadable, plain_value


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
                "file a.json:2: expected JSON, got something else; "
                "the key 'x' is given on line 1 and again on line 2"
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
            "a.json",
            b'\xff\xfe{"a"',
            "file a.json:1: expected UTF-8 text, got bytes that are not",
        ),
        (
            "a.toml",
            "a = 1",
            "file a.toml: expected a .json, .yaml or .yml file, got the suffix '.toml'",
        ),
    ],
    ids=lambda one: f"{one!r:.30}",
)
@pytest.mark.usefixtures("yaml")
def test_what_is_wrong_with_a_file_is_one_message(name, text, expected, written, said):
    """The message names the file and the line."""
    given_file = written(name, text)

    assert [expected] == said(load, Holder, given_file)


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


@pytest.mark.parametrize("name", ["a.json", "a.yaml"])
@pytest.mark.parametrize("text", ["", "\n\n", "\ufeff", "null"])
def test_an_empty_file_says_nothing(name, text, yaml, written):
    """All fields keep their defaults."""
    given_file = written(name, text)

    assert Holder() == load(Holder, given_file)


@pytest.mark.parametrize("text", ["[" * 100_000, "- " * 100_000, "{a: " * 100_000])
def test_deep_yaml_is_refused_before_it_can_hurt(text, yaml, written, said):
    """libyaml's own recursion would end the process."""
    name = written("deep.yaml", text)

    assert [
        "file deep.yaml: expected YAML, got something else; nested more than 100 levels deep"
    ] == said(load, Holder, name)


def test_deep_json_is_refused(written, said):
    """Python's own recursion would end in a traceback."""
    name = written("deep.json", '{"deep": ' + "[" * 100_000)

    assert [
        "file deep.json:1: expected JSON, got something else; nested more than 100 levels deep"
    ] == said(load, Holder, name)


def test_an_alias_bomb_is_refused(yaml, written, said):
    """Aliases count as often as they are used."""
    lines = ["a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 9)]
    name = written("bomb.yaml", "\n".join(lines))

    (actual,) = said(load, Holder, name)

    assert "more than 200000 values, aliases included" == actual.rpartition("; ")[2]


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


def test_the_pure_composer_reads_the_same(yaml, written, monkeypatch):
    """Without libyaml, PyYAML's own composer is used, with the same limits."""
    text = b"a: 3\nb: {x: 1}\ndeep: ['no', no]\n"
    with_libyaml = yaml_reader.read_yaml(text, "a", lambda line: Source("file", "a", line))
    monkeypatch.setattr(yaml, "__with_libyaml__", False)

    pure = yaml_reader.read_yaml(text, "a", lambda line: Source("file", "a", line))
    with pytest.raises(Unreadable) as caught:
        yaml_reader.read_yaml(b"[" * 1000, "a", lambda line: Source("file", "a", line))

    assert (plain_value(with_libyaml), "nested more than 100 levels deep") == (
        plain_value(pure),
        caught.value.hint,
    )


def test_without_pyyaml_everything_but_yaml_works(written):
    """A .yaml file is one sentence that names the extra; the rest needs nothing."""
    written("a.json", '{"a": 1}')
    written("a.yaml", "a: 1")
    program = """
import sys
sys.modules["yaml"] = None
from attrs import frozen
from treadle_config import MissingExtra, dump, load
@frozen
class C:
    a: int = 0
print(load(C, "a.json", {"a": 2}, argv=["--a", "3"]).a)
for call in (lambda: load(C, "a.yaml"), lambda: dump(C(), "b.yaml")):
    try:
        call()
    except MissingExtra as error:
        print(error)
"""

    actual = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert (
        "3\n"
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


@given(st.text(st.sampled_from(list("ab:-[]{}#&*!|>'\"%@`?,\n \t01~<")), max_size=60))
def test_only_our_own_error_leaves_a_yaml_file(text):
    """Whatever the text, the outcome is a config or a ConfigError."""
    pytest.importorskip("yaml", reason="needs the extra treadle-config[yaml]")

    try:
        node = yaml_reader.read_yaml(text.encode(), "a", lambda line: Source("file", "a", line))
    except (Unreadable, MissingExtra):
        return

    try:
        actual = load(Holder, plain_value(node) if node and isinstance(node.content, dict) else {})
    except ConfigError:
        return

    assert Holder is type(actual)


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

    actual = [said(load, Holder, name) for name in ("pipe.json", "null.yaml")]

    assert [
        [f"file {name}: expected a regular file, got a pipe, a socket or a device"]
        for name in ("pipe.json", "null.yaml")
    ] == actual
