"""Whatever is given, the outcome is a config or a ConfigError."""

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


def outcome(call):
    try:
        return type(call()).__name__
    except ConfigError as error:
        return "problems" if error.problems else "nothing"


@given(st.lists(layers, max_size=3), arguments)
@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_only_a_config_error_leaves_layers_and_argv(schemas, many, argv):
    """No layer and no argument ends in a traceback."""
    codecs = Codecs()

    actual = {
        outcome(lambda cls=cls: load(cls, *many, argv=argv, codecs=codecs))
        for cls in (schemas.Config, schemas.Followed)
    }

    assert actual <= {"Config", "Followed", "problems"}
