"""Links that stand for values in mappings given in code; their paths start at the root."""

import sys

import pytest
from attrs import Factory, field, frozen
from attrs.validators import gt
from hypothesis import given
from hypothesis import strategies as st

from treadle_config import Codecs, ConfigError, layer, link, linked, load, resolve, setting


@frozen
class Adam:
    lr: float = 1e-3
    betas: tuple[float, float] = (0.9, 0.999)


@frozen
class SGD:
    lr: float = 0.1
    momentum: float = 0.9


@frozen
class Data:
    batch_size: int = field(default=32, validator=gt(0))
    workers: int = 2
    splits: dict[str, float] = Factory(dict)


@frozen
class Config:
    optim: Adam | SGD = Adam()
    data: Data = Data()
    warmup: int = link(lambda size: 3_200 // size, "data.batch_size")
    layers: list[int] = Factory(list)
    seed: int | None = None


@pytest.mark.parametrize("source", ["file", "code", "env", "cli"])
def test_a_link_in_a_mapping_follows_a_field_declared_later_from_every_layer(
    source, written, monkeypatch
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

    actual = load(Config, follows, *layers, argv=argv, env="APP_")

    assert Config(optim=Adam(lr=2e-3), data=Data(batch_size=64)) == actual


def test_its_source_says_what_it_reads_and_from_where():
    """The line that gave the link, each path that it reads, and that path's own source."""
    line = sys._getframe().f_lineno + 1
    resolution = resolve(
        Config,
        {"optim.lr": link(lambda size, steps: size / steps, "data.batch_size", "warmup")},
        argv=["--data.batch-size", "64"],
    )

    assert (
        f"link test_layer_links.py:{line}",
        (
            f"optim.lr         1.28          link test_layer_links.py:{line} "
            "from data.batch_size (cli --data.batch-size), warmup (link)"
        ),
    ) == (str(resolution.source("optim.lr")), resolution.explain().splitlines()[3])


def test_a_stronger_value_wins_over_it_and_says_so():
    """A link loses as a value in its place would."""
    follows = layer("trial 7", {"optim.lr": link(lambda size: size, "data.batch_size")}, at="file")
    resolution = resolve(Config, follows, argv=["--optim.lr", "3"])

    assert (
        3.0,
        "optim.lr         3.0           cli --optim.lr (over trial 7; instead of its link)",
    ) == (
        resolution.config.optim.lr,
        resolution.explain().splitlines()[3],
    )


def test_a_link_wins_over_a_weaker_value_and_a_weaker_link():
    """A link wins as a value in its place would, over a link of the schema as well."""
    weak = {"warmup": 1, "optim.lr": link(lambda size: size, "data.batch_size")}
    strong = {
        "warmup": link(lambda workers: workers, "data.workers"),
        "optim.lr": link(lambda workers: 10 * workers, "data.workers"),
    }

    resolution = resolve(Config, weak, strong)

    assert (Config(optim=Adam(lr=20.0), warmup=2), True) == (
        resolution.config,
        "from data.workers (default) (over code test_layer_links.py" in resolution.explain(),
    )


def test_links_of_layers_and_of_the_schema_chain():
    """A link may read another link, whichever kind the two are."""
    actual = load(
        Config,
        {
            "optim": {"lr": link(lambda warmup: warmup / 10, "warmup")},
            "data.workers": link(int, "optim.lr"),
            "data.batch_size": link(lambda seed: 2 * seed, "seed"),
        },
        argv=["--seed", "8"],
    )

    assert Config(Adam(lr=20.0), Data(batch_size=16, workers=20), warmup=200, seed=8) == actual


def test_a_link_may_read_and_give_a_whole_object():
    """An object that a link gives lies in its layer, so a stronger layer may say a part of it."""
    follows = {"optim": link(lambda data: SGD(lr=data.batch_size), "data")}

    resolution = resolve(Config, follows, argv=["--optim.momentum", "0.5"])

    assert (SGD(lr=32, momentum=0.5), "cli --optim.momentum", SGD(lr=8, momentum=0.5)) == (
        resolution.config.optim,
        str(resolution.source("optim.momentum")),
        resolution.replace({"data.batch_size": 8}).config.optim,
    )


def test_a_link_stands_below_a_dotted_key_however_long():
    """A mapping in code may be as flat as a searcher's."""

    @frozen
    class Outer:
        config: Config = Config()

    follows = {"config.data.workers": link(lambda lr: int(lr * 5_000), "config.optim.lr")}

    assert Outer(Config(data=Data(workers=5))) == load(Outer, follows)


def test_a_link_may_give_a_mapping_which_merges():
    """As a mapping that stood in its place would."""
    follows = {"optim": link(lambda size: {"type": "sgd", "lr": size}, "data.batch_size")}
    weak = {"optim": {"type": "sgd", "momentum": 0.1}}

    actual = load(Config, weak, follows)

    assert SGD(lr=32.0, momentum=0.1) == actual.optim


def test_links_stand_in_lists_dicts_and_tuples():
    """Each item and entry may be one; those beside it are read as ever."""
    actual = load(
        Config,
        {
            "layers": [1, link(lambda size: size, "data.batch_size")],
            "data": {"splits": {"train": link(lambda workers: workers / 4, "data.workers")}},
            "optim.betas": (link(lambda lr: lr, "optim.lr"), "0.5"),
        },
    )

    assert Config(Adam(betas=(1e-3, 0.5)), Data(splits={"train": 0.5}), layers=[1, 32]) == actual


def test_a_link_of_one_field_may_read_another_of_the_same_object():
    """Only what it reads is read early, and not the object that holds both."""
    actual = load(Config, {"data": {"workers": link(lambda size: size // 8, "data.batch_size")}})

    assert Config(data=Data(workers=4)) == actual


def test_only_what_a_link_reads_is_read_early(said):
    """A bad value elsewhere is one problem, and one that is read is no second one."""
    follows = {"data.workers": link(lambda size: 64 // size, "data.batch_size")}

    actual = [
        said(load, Config, follows, argv=["--seed", "x"]),
        said(load, Config, follows, argv=["--data.batch-size", "x"]),
        said(load, Config, follows, argv=["--data.batch-size", "0"]),
    ]

    assert [
        ["seed (cli --seed): expected int | null, got x"],
        ["data.batch_size (cli --data.batch-size): expected int, got x"],
        [
            (
                "data.batch_size (cli --data.batch-size): expected a value that its validator takes, "
                "got 0; 'batch_size' must be > 0: 0"
            )
        ],
    ] == actual


def test_a_missing_input_is_the_only_problem(said):
    """So is an input of a link that reads that link."""

    @frozen
    class Needs:
        size: int
        half: int = 1
        quarter: int = 1

    follows = {"half": link(lambda a: a // 2, "size"), "quarter": link(lambda a: a // 2, "half")}

    assert [
        (
            "size: expected int, got nothing; it has no default; "
            "give it in a file, in code, or as --size"
        )
    ] == said(load, Needs, follows)


@pytest.mark.parametrize(
    ("target", "hint"),
    [
        ("data.batch_sise", "; did you mean data.batch_size?"),
        ("batch_size", "; did you mean data.batch_size?"),
        (
            "optim.momentum",
            "; momentum is a field of SGD; choose it with optim.type = sgd",
        ),
        ("seed.real", "; did you mean seed?"),
        ("data.splits.train", "; dict[str, float] has no fields; link to the whole value"),
        ("layers[0]", "; did you mean layers?"),
        ("", ""),
    ],
)
def test_a_path_that_leads_nowhere_is_a_problem_of_the_layer(target, hint, said):
    """It is found before anything is computed."""

    def never(*_values):
        raise AssertionError("it was computed")

    wrong = layer("x", {"data.workers": link(never, target)}, at="code")
    actual = said(load, Config, wrong)

    assert [
        (
            "data.workers (x): expected a link to fields that there are, "
            f"got a link that reads {target!r}{hint}"
        )
    ] == actual


def test_a_path_is_checked_where_a_stronger_value_wins_as_well(said):
    """A mistake in code is one, whatever the command line says today."""
    follows = layer("x", {"warmup": link(lambda a: a, "data.batch_sise")}, at="code")

    actual = said(load, Config, follows, argv=["--warmup", "3"])

    assert [
        (
            "warmup (x): expected a link to fields that there are, "
            "got a link that reads 'data.batch_sise'; did you mean data.batch_size?"
        )
    ] == actual


def test_a_path_may_lead_to_the_class_that_another_layer_chooses():
    """Paths are checked after the merge."""
    follows = {"optim.lr": link(lambda momentum: momentum / 9, "optim.momentum")}

    actual = load(Config, follows, argv=["--optim.type", "sgd"])

    assert SGD(lr=0.1, momentum=0.9) == actual.optim


def test_circles_are_shown(said):
    """Of links among themselves, with a link of the schema, and through an object."""

    def same(value):
        return value

    named = [
        {"seed": link(same, "seed")},
        {"seed": link(same, "data.workers"), "data.workers": link(same, "seed")},
        {"data": {"batch_size": link(same, "warmup")}},
        {"data": {"workers": link(same, "data")}},
        {"optim": link(same, "optim.lr")},
    ]

    actual = [
        message.partition(": ")[2]
        for values in named
        for message in said(load, Config, layer("x", values, at="code"))
    ]

    expected = "expected links that do not read each other, got the circle {}; "
    hint = "give one of them a value instead"
    assert [
        expected.format(circle) + hint
        for circle in (
            "seed -> seed",
            "seed -> data.workers -> seed",
            "data.batch_size -> warmup -> data.batch_size",
            "data.workers -> data -> data.workers",
            "optim -> optim.lr -> optim",
        )
    ] == actual


def test_what_a_link_gives_is_checked_and_its_exception_told_once(said):
    """The type, the validator and an exception are problems of the link, and of nothing else."""
    wrong = {
        "seed": link(lambda: "text"),
        "data.batch_size": link(lambda seed: -1, "data.workers"),
        "data.workers": link(lambda layers: layers[0], "layers"),
        "warmup": link(lambda workers: workers, "data.workers"),
    }

    actual = said(load, Config, layer("x", wrong, at="code"))

    assert [
        (
            "data.workers (link x): expected a value from its link, got IndexError; "
            "IndexError: list index out of range"
        ),
        "seed (link x): expected int | null, got 'text'",
    ] == actual


def test_a_value_that_a_validator_refuses_is_a_problem_of_the_link(said):
    """What a link gives goes to the constructor as it is."""
    wrong = layer("x", {"data.batch_size": link(lambda workers: -1, "data.workers")}, at="code")

    assert [
        (
            "data.batch_size (link x): expected a value that its validator takes, got -1; "
            "'batch_size' must be > 0: -1"
        )
    ] == said(load, Config, wrong)


def test_what_is_no_bare_link_is_refused(said):
    """Field arguments, `linked` and attrs fields say nothing in a mapping."""
    wrong = {
        "seed": link(lambda a: a, "warmup", validator=gt(1)),
        "optim": linked(Adam, lr=link(lambda a: a, "seed")),
        "data": field(),
    }

    actual = said(load, Config, layer("x", wrong, at="code"))

    assert [
        "data (x): expected a value or link(fn, path, ...), got an attrs field",
        (
            "optim (x): expected a value or link(fn, path, ...), got linked(...); "
            "give a mapping, with a link for each field that follows others"
        ),
        (
            "seed (x): expected a value or link(fn, path, ...), got a link with validator=; "
            "the arguments of a field are given in its class"
        ),
    ] == actual


def test_a_link_cannot_choose_a_class_nor_stand_within_a_whole(said):
    """What a value is must be known before anything is computed."""

    @frozen
    class Wide:
        anything: object = None
        optim: Adam | SGD = Adam()

    wrong = {
        "anything": {"a": [link(lambda: 1)]},
        "optim.type": link(lambda: "sgd"),
    }

    actual = said(load, Wide, layer("x", wrong, at="code"))

    assert [
        (
            "anything.a[0] (x): expected plain values within anything, got a link; "
            "link the whole of it"
        ),
        "optim.type (x): expected one of adam, sgd, got a link",
    ] == actual


def test_a_link_to_an_unknown_field_is_an_unknown_field(said):
    """There is one problem, that of the field."""
    actual = said(load, Config, layer("x", {"warmpu": link(lambda: 1)}, at="code"))

    assert ["warmpu (x): expected a field of Config, got 'warmpu'; did you mean warmup?"] == actual


def test_a_link_of_a_layer_that_must_win_does(said):
    """It is named where something stronger contradicts it."""
    follows = layer("x", {"seed": link(lambda size: size, "warmup")}, at="code", must_win=True)

    actual = said(load, Config, follows, argv=["--seed", "3"])

    assert [
        "seed (cli --seed): expected a link of x, which must win, got 3; remove one of the two"
    ] == (actual)


def test_what_must_win_is_not_contradicted_by_a_link_that_says_the_same():
    """It is compared with what the link gives."""
    cluster = layer("cluster", {"seed": 2}, at="file", must_win=True)

    actual = load(Config, cluster, {"seed": link(lambda workers: workers, "data.workers")})

    assert 2 == actual.seed


def test_what_a_link_gives_for_an_object_is_checked_below_a_part_of_it(said):
    """Though nothing of it would be left."""
    follows = layer("x", {"optim": link(lambda: 3)}, at="code")

    actual = said(load, Config, follows, argv=["--optim.lr", "1"])

    assert ["optim (link x): expected Adam | SGD, got 3"] == actual


def test_replace_follows_links_and_may_give_some():
    """What a link gave is computed again, unless something gave it a value."""
    first = resolve(Config, {"data.workers": link(lambda size: size // 8, "data.batch_size")})
    second = first.replace({"seed": link(lambda workers: workers, "data.workers")})

    actual = [
        first.replace({"data.batch_size": 64}).config.data.workers,
        second.replace({"data.batch_size": 64}).config.seed,
        second.replace({"data.workers": 1, "data.batch_size": 64}).config.seed,
    ]

    assert [8, 8, 1] == actual


def test_a_link_reads_what_converters_and_defaults_make():
    """A default, a decorated default, a converted value, and a private field by its alias."""

    @frozen
    class Inner:
        width: int = field(default="4", converter=int)
        _depth: int = 3
        area: int = field()

        @area.default
        def _area(self):
            return self.width * self._depth

    @frozen
    class Outer:
        inner: Inner = Inner()
        seen: list[int] = Factory(list)

    follows = {
        "seen": link(lambda *all_of_it: list(all_of_it), "inner.width", "inner.depth", "inner.area")
    }

    actual = [load(Outer, follows).seen, load(Outer, follows, {"inner.width": "5"}).seen]

    assert [[4, 3, 12], [5, 3, 15]] == actual


def test_a_link_goes_through_the_converter_of_its_field():
    """And not through decoding."""

    @frozen
    class Converted:
        size: int = 64
        text: str = field(default="", converter=str)

    assert Converted(64, "64") == load(Converted, {"text": link(lambda size: size, "size")})


def test_a_link_reads_through_linked_and_decorated_defaults():
    """A field of an object that follows others itself, as a leaf and within the whole."""

    @frozen
    class Follows:
        size: int = 32
        optim: Adam | SGD = linked(Adam, lr=link(float, "size"))
        data: Data = field()
        copies: list[float] = Factory(list)
        whole: float = 0.0

        @data.default
        def _data(self):
            return Data(batch_size=self.size)

    follows = {
        "size": link(lambda: 8),
        "data.workers": 5,
        "copies": link(lambda lr, size: [lr, size], "optim.lr", "data.batch_size"),
        "whole": link(lambda optim, data: optim.lr + data.batch_size, "optim", "data"),
    }

    actual = load(Follows, follows)

    assert Follows(8, Adam(lr=8.0), Data(8, 5), [8.0, 8], 16.0) == actual


def test_a_link_does_not_read_a_link_of_another_subtype():
    """`linked` holds for the class that it names."""

    @frozen
    class Follows:
        size: int = 32
        optim: Adam | SGD = linked(Adam, lr=link(float, "size"))
        seen: list[float] = Factory(list)

    follows = {"seen": link(lambda lr, optim: [lr, optim.lr], "optim.lr", "optim")}

    actual = [load(Follows, follows, argv=argv).seen for argv in ([], ["--optim.type", "sgd"])]

    assert [[32.0, 32.0], [0.1, 0.1]] == actual


def test_a_validator_that_looks_at_other_fields_stands_in_no_links_way():
    """It is asked when they are there."""

    @frozen
    class Ordered:
        low: int = 1
        high: int = field(default=2)
        span: int = 0

        @high.validator
        def _above(self, _attribute, value):
            if value < self.low:
                raise ValueError("high is below low")

    assert Ordered(span=2) == load(Ordered, {"span": link(lambda high: high, "high")})


def test_a_list_that_a_link_gives_is_added_where_lists_are():
    """It lies where the link stood."""

    @frozen
    class Adds:
        flags: list[str] = field(factory=lambda: ["d"], metadata=setting(merge="append"))
        name: str = "n"

    actual = load(Adds, {"flags": link(lambda name: [name], "name")}, argv=["--flags", "x"])

    assert Adds(["d", "n", "x"]) == actual


def test_a_link_never_shares_what_it_reads():
    """A list that goes from one field to another is another list."""

    @frozen
    class Two:
        a: list[int] = Factory(lambda: [1])
        b: list[int] = Factory(list)

    actual = load(Two, {"b": link(lambda a: a, "a")})
    actual.b.append(2)

    assert Two([1], [1, 2]) == actual


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
