"""Whatever is given, the outcome is a config or a ConfigError."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from treadle_config import Codecs, ConfigError, load

names = st.sampled_from(
    ["data", "optim", "type", "batch_size", "splits", "layers", "until", "seed", "lr", "x", "0"]
)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(names | st.sampled_from(["data.batch_size", "optim.type"]), inner)
        | st.dictionaries(st.integers() | st.none(), inner, max_size=1)
    ),
    max_leaves=8,
)
layers = st.dictionaries(names, values, max_size=3)
flags = st.lists(names, min_size=1, max_size=3).map(lambda path: "--" + ".".join(path))
arguments = st.lists(
    flags
    | flags.map(lambda flag: flag.replace("--", "--no-"))
    | st.sampled_from(["sgd", "adam", "3", "null", "[1, 2]", "{}", '{"lr": 1}', "[", '{"a"', "--"])
    | st.text(max_size=4),
    max_size=6,
)


CODECS = Codecs()
"""Kept for all examples, so that the classes are planned once."""


def outcome(call):
    try:
        return type(call()).__name__
    except ConfigError as error:
        return "problems" if error.problems else "nothing"


@given(st.lists(layers, max_size=3), arguments)
@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_only_a_config_error_leaves_layers_and_argv(schemas, many, argv):
    """No layer and no argument ends in a traceback."""
    actual = {
        outcome(lambda cls=cls: load(cls, *many, argv=argv, codecs=CODECS))
        for cls in (schemas.Config, schemas.Followed)
    }

    assert actual <= {"Config", "Followed", "problems"}


documents = {
    "a.json": b"""\
{"name": "run", "seed": null, "mode": "fast", "clip": 1e-3, "layers": [1, 2.0, "3"],
 "data": {"batch_size": 8, "shuffle": true, "root": "\\u00e9\\n", "splits": {"a": 0.5, "b": 1}},
 "optim": {"type": "sgd", "momentum": 0.4}, "include": ["b.toml"]}
""",
    "a.yaml": b"""\
name: run   # a comment
seed: ~
layers: &layers [1, 2.0, "3"]
data: {batch_size: 8, splits: {<<: &more {a: .5}, b: 1}}
optim:
  type: 'sgd'
  momentum: !!str 0.4
until: >-
  3
  epochs
include: b.toml
""",
    "a.toml": b"""\
name = "run" # a comment
layers = [1, 2.0,
  "3"]
data = {splits = {"a b" = +5_0e-1, c = inf}, batch_size = 0x8}
include = 'b.toml'
until = \"\"\"\\
  3 epochs\"\"\"
device = "\\u0041"
[ optim ]
type = '''sgd'''
momentum = 4e-1
""",
}
tokens = st.sampled_from(
    [
        *(
            b"[ ] { } ( ) : , . - + # = ' \" \\ * & ! | > % @ ` ? ~ << \n \r \t \0 \xff \xc3".split(
                b" "
            )
        ),
        *(
            b"[[ ]] {{ }} ''' \"\"\" \\u \\ud800 !!int !!binary &a *a --- ... %YAML null true".split()
        ),
        *(
            b"NaN Infinity 1e999 0x 1_ 1979-05-27 07:32 include a.yaml a.toml a.json \xef\xbb\xbf".split()
        ),
        b" ",
        b"  ",
        b"- ",
        b": ",
        b"\n  ",
        "\u0663".encode(),
        "\u2028".encode(),
    ]
)
edits = st.lists(
    st.tuples(
        st.floats(0, 1),
        st.integers(0, 12),
        tokens | st.binary(max_size=2) | st.just(b"COPY"),
    ),
    min_size=1,
    max_size=6,
)


def edited(data, changes):
    """Replace a few bytes at places, or repeat them."""
    for place, count, put in changes:
        at = int(place * len(data))
        piece = data[at : at + count]
        data = data[:at] + (piece * 3 if put == b"COPY" else put) + data[at + count :]
    return data


@pytest.mark.parametrize("name", documents)
@given(edits)
@settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_only_a_config_error_leaves_a_file(name, schemas, written, changes):
    """However a document is damaged, the outcome is a config or problems."""
    if name == "a.yaml":
        pytest.importorskip("yaml", reason="needs the extra treadle-config[yaml]")
    written("b.toml", "seed = 3")
    written(name, edited(documents[name], changes))

    actual = outcome(lambda: load(schemas.Config, name, codecs=CODECS))

    assert actual in {"Config", "problems"}
