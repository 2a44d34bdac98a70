"""`load` takes a short way where it can; `resolve`, which keeps sources, never does."""

import re
from enum import Enum
from pathlib import Path
from typing import Any

from attrs import Factory, define, field, frozen
from hypothesis import given, settings
from hypothesis import strategies as st

from treadle_config import Codecs, ConfigError, layer, link, linked, load, resolve, setting


class Mode(Enum):
    FAST = "f"
    SLOW = 2


@frozen
class Inner:
    width: int = 3
    name: str | None = None
    sizes: list[int] = Factory(list)


@frozen
class Other(Inner):
    extra: float = 0.5
    inner: Inner = Inner(width=9)
    grow: list[int] = field(factory=lambda: [1], metadata=setting(merge="append"))
    swap: dict[str, int] = field(factory=dict, metadata=setting(merge="replace"))


@define
class Mutable:
    lr: float = 0.1
    mode: Mode = Mode.FAST
    tags: dict[str, int] = Factory(dict)


@frozen
class Adam:
    lr: float = 1.0
    eps: int | float = 1


@frozen
class Sgd:
    lr: float = 2.0
    eps: str = "x"
    eff: float = link(lambda lr: lr * 2, "lr")


@frozen
class Config:
    size: int = 4
    anything: Any = None
    path: Path = Path("a")
    flag: bool = False
    inner: Inner = Inner()
    other: Inner = Other(extra=1.5)
    maybe: Inner | None = None
    opt: Adam | Sgd = Adam()
    changed: Adam | Sgd = Adam(lr=7.0)
    follows: Adam | Sgd = linked(Adam, lr=link(lambda size: size / 2, "size"))
    made: Adam | Sgd = Factory(Sgd)
    needed: Adam | Sgd | None = None
    mutable: Mutable = Factory(Mutable)
    many: list[Inner] = Factory(list)
    unions: list[Adam | Sgd] = Factory(list)
    named: dict[str, Inner] = Factory(dict)
    chosen: dict[str, Adam | Sgd] = Factory(dict)
    free: dict[str, Any] = Factory(lambda: {"a": {"x": 1}})
    numbers: dict[int, float] = Factory(lambda: {1: 2.0})
    grow: list[int] = field(factory=lambda: [1], metadata=setting(merge="append"))
    swap: dict[str, int] = field(factory=dict, metadata=setting(merge="replace"))
    fixed: tuple[int, str] = (1, "a")
    mixed: list[int] | int = 3
    linked_size: int = link(lambda size: size + 1, "size")
    upper: str = field(default="u", converter=lambda text: str(text).upper())
    double: int = field()

    @double.default
    def _double(self) -> int:
        return self.size * 2


TEXTS = ["a", "3", "1.5", "null", "FAST", "f", "true", "", "sgd", "2"]
SCALARS = st.one_of(
    st.none(), st.integers(-5, 5), st.floats(-2, 2), st.booleans(), st.sampled_from(TEXTS)
)
SIZES = st.lists(st.integers(0, 3), max_size=2)
COUNTS = st.dictionaries(st.sampled_from("ab"), st.integers(0, 3), max_size=2)


def said(**entries):
    """Mappings with some of the entries."""
    return st.fixed_dictionaries({}, optional=entries)


INNER = st.one_of(
    said(
        width=st.one_of(st.integers(0, 9), SCALARS),
        name=SCALARS,
        sizes=SIZES,
        type=st.sampled_from(["inner", "other", "other", "bad"]),
        extra=st.floats(0, 1),
        inner=said(width=st.integers(0, 3), name=SCALARS),
        grow=SIZES,
        swap=COUNTS,
    ),
    st.sampled_from([Inner(5), Other(width=6, grow=[7])]),
)
OPT = said(
    lr=st.floats(0, 1),
    eps=SCALARS,
    type=st.sampled_from(["adam", "sgd", "sgd", "no"]),
    eff=st.integers(1, 3),
)
FIELDS: dict[str, Any] = {
    "size": st.one_of(st.integers(0, 9), SCALARS),
    "anything": st.one_of(SCALARS, st.dictionaries(st.sampled_from("ab"), SCALARS, max_size=2)),
    "path": st.sampled_from(["b", Path("c")]),
    "flag": st.booleans(),
    **dict.fromkeys(["inner", "other"], INNER),
    "maybe": st.one_of(st.none(), INNER),
    **dict.fromkeys(["opt", "changed", "follows", "made"], OPT),
    "needed": st.one_of(st.none(), OPT),
    "mutable": said(
        lr=st.floats(0, 1), mode=st.sampled_from(["FAST", "SLOW", "f", 2]), tags=COUNTS
    ),
    "many": st.lists(INNER, max_size=2),
    "unions": st.lists(OPT, max_size=2),
    "named": st.dictionaries(st.sampled_from("ab"), INNER, max_size=2),
    "chosen": st.dictionaries(st.sampled_from("ab"), OPT, max_size=2),
    "free": st.dictionaries(st.sampled_from("ab"), st.one_of(SCALARS, COUNTS), max_size=2),
    "numbers": st.dictionaries(st.sampled_from([1, "1", 2, "x"]), st.floats(0, 1), max_size=2),
    "grow": SIZES,
    "swap": COUNTS,
    "fixed": st.integers().map(lambda one: [one, "z"]),
    "mixed": st.one_of(st.integers(), SIZES),
    "linked_size": st.integers(0, 3),
    "upper": st.sampled_from(["x", "y"]),
    "double": st.integers(),
    "inner.width": st.integers(0, 3),
    "wrong": SCALARS,
}
LAYER = st.lists(st.sampled_from(list(FIELDS)), max_size=4, unique=True).flatmap(
    lambda keys: st.fixed_dictionaries({key: FIELDS[key] for key in keys})
)
OWN = st.builds(
    lambda values, must: [layer("own", values, at="code", must_win=must)], LAYER, st.booleans()
)
LAYERS = st.builds(
    lambda plain, own: [*plain, *own],
    st.lists(LAYER, max_size=3),
    st.one_of(st.just([]), OWN),
)
FLAGS = [
    "--size=5", "--size=x", "--flag", "--path=q", "--inner.width=7", "--inner.sizes=[1,2]",
    "--inner.type=other", "--inner.inner.width=4", "--other.type=inner", "--other.grow=5",
    "--other.grow+=6", "--other.swap.a=1", "--maybe.name=null", "--no-maybe",
    '--maybe={"type":"other"}', "--maybe.grow=8", "--opt.type=sgd", "--opt.lr=3",
    "--opt.eps=null", "--made.type=adam", "--needed.eff=2", "--needed.type=sgd",
    "--mutable.mode=SLOW", '--many=[{"width":2}]', "--many[0].sizes=4",
    "--many[0].type=other", "--many[-1].grow=2", '--unions+={"lr":1}',
    "--unions[-1].type=sgd", "--named.a.width=3", "--named.a.sizes=1", "--named.a.sizes=2",
    "--chosen.a.lr=2", "--chosen.a.type=adam", "--free.a.y=2", '--free={"a":{"z":1}}',
    "--numbers.1=0.5", "--grow+=4", "--grow=5", "--grow=6", "--swap.a=1", "--swap.b=2",
    "--mixed=1", "--mixed=2", "--anything.a.b=3", "--anything=[1]",
]  # fmt: skip
ARGV = st.lists(st.sampled_from(FLAGS), max_size=4)
CODECS = Codecs()


def outcome(make):
    """What was made, or what is wrong with it, wherever that was written."""
    try:
        return repr(make())
    except ConfigError as error:
        return re.sub(r"code [^\s:]+:\d+", "code", str(error))


@settings(max_examples=150, deadline=None)
@given(LAYERS, ARGV)
def test_both_ways_make_the_same(layers, argv):
    """The same config, or the same problems."""
    expected = outcome(lambda: resolve(Config, *layers, argv=argv).config)

    actual = outcome(lambda: load(Config, *layers, argv=argv, codecs=CODECS))

    assert expected == actual


@settings(max_examples=100, deadline=None)
@given(LAYERS, ARGV)
def test_the_position_of_tags_in_argv_means_nothing(layers, argv):
    """With all of them first, the same is made or refused; items of lists have an order."""
    tags = [word for word in argv if ".type=" in word and "[" not in word]
    first = [*tags, *(word for word in argv if word not in tags)]

    expected = outcome(lambda: load(Config, *layers, argv=first, codecs=CODECS))
    actual = outcome(lambda: load(Config, *layers, argv=argv, codecs=CODECS))

    assert sorted(expected.splitlines()) == sorted(actual.splitlines())


@settings(max_examples=100, deadline=None)
@given(LAYER)
def test_one_value_is_decoded_as_a_layer_is(values):
    """Save for dotted keys, which are for layers."""
    values.pop("inner.width", None)

    expected = outcome(lambda: resolve(Config, values).config)
    actual = outcome(lambda: CODECS.decode(values, Config))

    assert expected == actual
