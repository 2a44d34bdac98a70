"""Files: YAML and JSON with lines, and what is wrong with what is written there."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treadle_config import load, resolve
from treadle_config.json_reader import read_json
from treadle_config.tree import Source, Unreadable, plain_value
from treadle_config.yaml_reader import read_yaml


def test_a_value_knows_its_line_in_json_and_yaml(schemas, yaml, written):
    """Provenance names the file as it was given, and the line."""
    json_file = written("a.json", '{\n "a": 1,\n "b": {\n  "x": 2}}')
    yaml_file = written("a.yaml", "a: 1\nb:\n\n  x: 2\n")

    actual = [
        str(resolve(schemas.Holder, name).source(path))
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
                "file a.yaml:2: is not valid YAML: while parsing a flow sequence: "
                "did not find expected ',' or ']'"
            ),
        ),
        (
            "a.yaml",
            "a: 1\n---\na: 2\n",
            (
                "file a.yaml:2: is not valid YAML: "
                "expected a single document in the stream: but found another document"
            ),
        ),
        (
            "a.yaml",
            "a: !!python/object/apply:os.system [ls]\n",
            (
                "file a.yaml:1: is not valid YAML: the tag "
                "tag:yaml.org,2002:python/object/apply:os.system is not read; "
                "the declared type decides"
            ),
        ),
        (
            "a.yaml",
            "a: !!int 3\n",
            (
                "file a.yaml:1: is not valid YAML: the tag tag:yaml.org,2002:int "
                "is not read; the declared type decides"
            ),
        ),
        (
            "a.yaml",
            "deep: &x [*x]\n",
            ("file a.yaml:1: is not valid YAML: an alias is inside what it names"),
        ),
        (
            "a.yaml",
            "[a]: 1\n",
            ("file a.yaml:1: is not valid YAML: a key is a list or a mapping; write a scalar"),
        ),
        (
            "a.yaml",
            "[]\n",
            "file a.yaml:1: expected a mapping of field names to values, got a list",
        ),
        (
            "a.json",
            '{"a" 1}',
            "file a.json:1: is not valid JSON: expecting ':' delimiter at column 6",
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
                "file a.yaml:2: is not valid YAML: "
                "found duplicate anchor; first occurrence: second occurrence"
            ),
        ),
        (
            "a.yaml",
            "<<: 3",
            ("file a.yaml:1: is not valid YAML: << takes a mapping or a list of mappings"),
        ),
        (
            "a.yaml",
            "deep: &x\n  <<: *x\n",
            ("file a.yaml:1: is not valid YAML: an alias is inside what it names"),
        ),
        (
            "a.yaml",
            "a: 1\n\x07: 2",
            ("file a.yaml:2: is not valid YAML: control characters are not allowed"),
        ),
        (
            "a.yaml",
            "!x a: 1",
            ("file a.yaml:1: is not valid YAML: the tag !x is not read; the declared type decides"),
        ),
        ("a.yaml", "3", "file a.yaml:1: expected a mapping of field names to values, got a scalar"),
        ("a.yaml", "1: 2", "1 (file a.yaml:1): expected a field of Holder, got '1'"),
        ("a.yaml", "a: 1e9999999", "a (file a.yaml:1): expected int, got 1e9999999; too large"),
        ("a.yaml", "a: \u0663", "a (file a.yaml:1): expected int, got \u0663"),
        ("a.json", '{"a": NaN}', "a (file a.json:1): expected int, got nan"),
        (
            "a.json",
            '{"a": 1}\n{"a": 2}',
            "file a.json:2: is not valid JSON: extra data at column 1",
        ),
        (
            "a.json",
            "# a comment",
            "file a.json:1: is not valid JSON: expecting value at column 1",
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
def test_what_is_wrong_with_a_file_is_one_message(schemas, name, text, expected, written, said):
    """The message names the file and the line."""
    given_file = written(name, text)

    assert [expected] == said(load, schemas.Holder, given_file)


def test_merge_keys_are_followed(schemas, yaml, written):
    """Own keys win over `<<`, and the first of several mappings wins."""
    name = written(
        "merge.yaml",
        "b:\n  <<: [&one {x: 1, y: 1}, {x: 2, z: 2}]\n  y: 9\n",
    )

    assert {"x": 1, "y": 9, "z": 2} == load(schemas.Holder, name).b


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


def test_without_pyyaml_everything_but_yaml_works(written, python):
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

    actual = python("-c", program)

    printed = (
        "3 4\n"
        "a.yaml is YAML, and PyYAML, which reads it, is not installed; "
        "pip install 'treadle-config[yaml]'\n"
        "a.yaml is YAML, and PyYAML, which reads it, is not installed; "
        "pip install 'treadle-config[yaml]'\n"
        "writing YAML needs PyYAML, which is not installed; pip install 'treadle-config[yaml]'\n"
    )
    assert (0, printed, "") == actual


@given(st.text(st.sampled_from(list('{}[]",:ab01-.eE\\\n tru')), max_size=60))
def test_json_reads_what_the_standard_library_reads(text):
    """Our reader takes a document exactly if `json` does, save duplicate keys."""

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
