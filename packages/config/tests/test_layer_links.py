"""Links that stand for values in mappings given in code; their paths start at the root."""

import sys
from pathlib import Path

import pytest
from attrs import Factory, field, frozen
from hypothesis import given
from hypothesis import strategies as st

from treadle_config import Codecs, ConfigError, layer, link, load, resolve, setting


@pytest.mark.parametrize("source", ["file", "code", "env", "cli"])
def test_a_link_in_a_mapping_follows_a_field_declared_later_from_every_layer(
    schemas, source, written, monkeypatch
):
    """It is computed after all layers, whichever says what it reads."""
    follows = {"optim": {"lr": link(lambda size: 1e-3 * size / 32, "data.batch_size")}}
    layers = {
        "file": [written("a.json", '{"data": {"batch_size": 64}}')],
        "code": [{"data": {"batch_size": 64}}],
    }.get(source, [])
    if source == "env":
        monkeypatch.setenv("APP_DATA__BATCH_SIZE", "64")
    argv = ["--data.batch-size", "64"] if source == "cli" else []

    actual = load(schemas.Config, follows, *layers, argv=argv, env="APP_")

    assert schemas.Config(optim=schemas.Adam(lr=2e-3), data=schemas.Data(batch_size=64)) == actual


def told(resolution, path):
    """What `explain` says of one path: its value, its source and the rest."""
    (line,) = (one for one in resolution.explain().splitlines() if one.startswith(f"{path} "))
    return line.split(maxsplit=2)[1:]


def test_its_source_says_what_it_reads_and_from_where(schemas):
    """The line that gave the link, each path that it reads, and that path's own source."""
    line = sys._getframe().f_lineno + 1
    resolution = resolve(
        schemas.Config,
        {"optim.lr": link(lambda size, steps: size / steps, "data.batch_size", "warmup")},
        argv=["--data.batch-size", "64"],
    )
    source = f"link {Path(__file__).name}:{line}"

    assert (
        source,
        ["1.28", f"{source} from data.batch_size (cli --data.batch-size), warmup (link)"],
    ) == (str(resolution.source("optim.lr")), told(resolution, "optim.lr"))


def test_a_stronger_value_wins_over_it_and_says_so(schemas):
    """A link loses as a value in its place would."""
    follows = layer("trial 7", {"optim.lr": link(lambda size: size, "data.batch_size")}, at="file")
    resolution = resolve(schemas.Config, follows, argv=["--optim.lr", "3"])

    assert (3.0, ["3.0", "cli --optim.lr (over trial 7; instead of its link)"]) == (
        resolution.config.optim.lr,
        told(resolution, "optim.lr"),
    )


def test_a_link_wins_over_a_weaker_value_and_a_weaker_link(schemas):
    """A link wins as a value in its place would, over a link of the schema as well."""
    weak = {"warmup": 1, "optim.lr": link(lambda size: size, "data.batch_size")}
    strong = {
        "warmup": link(lambda workers: workers, "data.workers"),
        "optim.lr": link(lambda workers: 10 * workers, "data.workers"),
    }

    resolution = resolve(schemas.Config, weak, strong)

    assert (schemas.Config(optim=schemas.Adam(lr=20.0), warmup=2), True) == (
        resolution.config,
        "from data.workers (default) (over code test_layer_links.py" in resolution.explain(),
    )


def test_links_of_layers_and_of_the_schema_chain(schemas):
    """A link may read another link, whichever kind the two are."""
    actual = load(
        schemas.Config,
        {
            "optim": {"lr": link(lambda warmup: warmup / 10, "warmup")},
            "data.workers": link(int, "optim.lr"),
            "data.batch_size": link(lambda seed: 2 * seed, "seed"),
        },
        argv=["--seed", "8"],
    )

    assert (
        schemas.Adam(lr=20.0),
        schemas.Data(batch_size=16, workers=20),
        200,
    ) == (actual.optim, actual.data, actual.warmup)


def test_a_link_may_read_and_give_a_whole_object(schemas):
    """An object that a link gives lies in its layer, so a stronger layer may say a part of it."""
    follows = {"optim": link(lambda data: schemas.SGD(lr=data.batch_size), "data")}

    resolution = resolve(schemas.Config, follows, argv=["--optim.momentum", "0.5"])

    assert (
        schemas.SGD(lr=32, momentum=0.5),
        "cli --optim.momentum",
        schemas.SGD(lr=8, momentum=0.5),
    ) == (
        resolution.config.optim,
        str(resolution.source("optim.momentum")),
        resolution.replace({"data.batch_size": 8}).config.optim,
    )


def test_a_link_stands_below_a_dotted_key_however_long(schemas):
    """A mapping in code may be as flat as a searcher's."""

    @frozen
    class Outer:
        config: schemas.Config = Factory(schemas.Config)

    follows = {"config.data.workers": link(lambda lr: int(lr * 5_000), "config.optim.lr")}

    assert Outer(schemas.Config(data=schemas.Data(workers=5))) == load(Outer, follows)


def test_a_link_may_give_a_mapping_which_merges(schemas):
    """As a mapping that stood in its place would."""
    follows = {"optim": link(lambda size: {"type": "sgd", "lr": size}, "data.batch_size")}
    weak = {"optim": {"type": "sgd", "momentum": 0.1}}

    actual = load(schemas.Config, weak, follows)

    assert schemas.SGD(lr=32.0, momentum=0.1) == actual.optim


def test_links_stand_in_lists_dicts_and_tuples(schemas):
    """Each item and entry may be one; those beside it are read as ever."""
    actual = load(
        schemas.Config,
        {
            "layers": [1, link(lambda size: size, "data.batch_size")],
            "data": {"splits": {"train": link(lambda workers: workers / 4, "data.workers")}},
            "optim.betas": (link(lambda lr: lr, "optim.lr"), "0.5"),
        },
    )

    assert ([1, 32], {"train": 0.5}, (1e-3, 0.5)) == (
        actual.layers,
        actual.data.splits,
        actual.optim.betas,
    )


def test_what_must_win_is_not_contradicted_by_a_link_that_says_the_same(schemas):
    """It is compared with what the link gives."""
    cluster = layer("cluster", {"seed": 2}, at="file", must_win=True)

    actual = load(schemas.Config, cluster, {"seed": link(lambda workers: workers, "data.workers")})

    assert 2 == actual.seed


def test_replace_follows_links_and_may_give_some(schemas):
    """What a link gave is computed again, unless something gave it a value."""
    first = resolve(
        schemas.Config, {"data.workers": link(lambda size: size // 8, "data.batch_size")}
    )
    second = first.replace({"seed": link(lambda workers: workers, "data.workers")})

    actual = [
        first.replace({"data.batch_size": 64}).config.data.workers,
        second.replace({"data.batch_size": 64}).config.seed,
        second.replace({"data.workers": 1, "data.batch_size": 64}).config.seed,
    ]

    assert [8, 8, 1] == actual


def test_a_list_that_a_link_gives_is_added_where_lists_are():
    """It lies where the link stood."""

    @frozen
    class Adds:
        flags: list[str] = field(factory=lambda: ["d"], metadata=setting(merge="append"))
        name: str = "n"

    actual = load(Adds, {"flags": link(lambda name: [name], "name")}, argv=["--flags", "x"])

    assert Adds(["d", "n", "x"]) == actual


_FIELDS = ("a", "b", "c", "d")


@frozen
class Four:
    a: int = 1
    b: int = 2
    c: int = link(lambda a: a + 10, "a")
    d: int = link(lambda b, c: b + c, "b", "c")


@given(
    st.lists(
        st.dictionaries(
            st.sampled_from(_FIELDS),
            st.one_of(st.integers(0, 9), st.sampled_from(_FIELDS)),
            max_size=4,
        ),
        min_size=1,
        max_size=3,
    )
)
def test_a_link_is_as_its_value_in_its_place(layers):
    """Whatever reads whatever: each field is what the strongest layer says, computed."""
    said = {name: value for values in layers for name, value in values.items()}
    schema = {"c": lambda of: of("a") + 10, "d": lambda of: of("b") + of("c")}

    def expected(name, within=()):
        if name in within:
            raise RecursionError(name)

        def of(other):
            return expected(other, (*within, name))

        value = said.get(name)
        if value is None:
            return schema[name](of) if name in schema else getattr(Four(), name)
        return value if isinstance(value, int) else of(value) + 100

    def written(value):
        return value if isinstance(value, int) else link(lambda other: other + 100, value)

    given_layers = [{name: written(value) for name, value in values.items()} for values in layers]
    try:
        wanted = Four(*map(expected, _FIELDS))
    except RecursionError:
        wanted = None
    actual: Four | str
    try:
        actual = load(Four, *given_layers, codecs=_CODECS)
    except ConfigError as error:
        actual = "circle" if all("the circle" in one.got for one in error.problems) else str(error)

    assert (wanted or "circle") == actual


_CODECS = Codecs()
