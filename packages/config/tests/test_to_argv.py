"""The way back from a config to a command line."""

import enum
import math
from pathlib import Path
from typing import Literal

import pytest
from attrs import Factory, evolve, field, frozen
from attrs.validators import instance_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from treadle_config import Codecs, TreadleConfigError, diff, link, linked, load, run_cli, setting
from treadle_config.to_argv import to_argv


class Kind(enum.Enum):
    LARGE = 1
    null = 2


@frozen
class Base:
    lr: float = 1e-3
    eff: float = link(lambda lr: lr * 2, "lr")


@frozen
class Sub(Base):
    momentum: float = 0.9
    words: list[str] = field(factory=lambda: ["w"], metadata=setting(merge="append"))


@frozen
class Wide(Base):
    sizes: dict[str, int] = Factory(lambda: {"a": 1})


@frozen
class Block:
    width: int = 8
    splits: dict[str, float] = Factory(lambda: {"train": 0.9})


@frozen
class Rich:
    name: str = "run"
    either_text: int | str = 3
    note: str | None = "n"
    seed: int | None = 7
    on: bool = True
    maybe_on: bool | None = None
    no_wait: bool = False
    ratio: float = 0.5
    clip: int | float | None = None
    kind: Kind = Kind.LARGE
    maybe_kind: Kind | None = None
    mode: Literal["fast", 3, True, None] = "fast"  # noqa: PYI061  # not the same as `| None`
    root: Path = Path("data")
    layers: list[int] = Factory(lambda: [1, 2])
    words: tuple[str, ...] = ()
    pair: tuple[int, str] = (1, "a")
    marks: frozenset[str] = frozenset()
    one_or_more: str | list[str] = "x"
    grown: list[str] = field(factory=lambda: ["d"], metadata=setting(merge="append"))
    table: dict[str, float | None] = Factory(lambda: {"a": 1.0})
    numbered: dict[int, list[str]] = Factory(dict)
    blocks: list[Block] = Factory(lambda: [Block(1)])
    named: dict[str, Block] = Factory(lambda: {"b": Block(2)})
    optim: Base = linked(Sub, lr=link(lambda ratio: ratio * 2, "ratio"))
    second: Base = Sub(lr=3.0)
    third: Wide | Block | None = None
    fourth: Block | None = Factory(Block)
    scaled: float = field(default=1.0, converter=float)
    warmup: int = link(len, "layers")


texts = ["", "--x", "-1", "null", "true", "5", "1e-3", "[1]", "{}", "a b", "a=b", "\n", "'", '"']
texts += ["\udcff", "\0", "[", "None", "~", "no", " lead", "#x", "a: b"]
text = st.text(max_size=6) | st.sampled_from(texts)
floats = st.floats() | st.sampled_from([0.5, 1.0, math.inf, -math.inf, math.nan, 1e-300])
splits = st.dictionaries(text, floats, max_size=2)
blocks = st.builds(Block, width=st.integers(), splits=splits)
plain = st.builds(Base, lr=floats) | st.builds(Base, lr=floats, eff=floats)
subs = st.builds(Sub, lr=floats, momentum=floats, words=st.lists(text, max_size=2))
wides = st.builds(
    Wide, sizes=st.dictionaries(st.sampled_from(["a", "b", "null"]), st.integers(), max_size=2)
)
changes = st.fixed_dictionaries(
    {},
    optional={
        "name": text,
        "either_text": st.integers() | text,
        "note": st.none() | text,
        "seed": st.none() | st.integers(),
        "on": st.booleans(),
        "maybe_on": st.none() | st.booleans(),
        "no_wait": st.booleans(),
        "ratio": floats,
        "clip": st.none() | st.integers() | floats,
        "kind": st.sampled_from(Kind),
        "maybe_kind": st.none() | st.sampled_from(Kind),
        "mode": st.sampled_from(["fast", 3, True, None]),
        "root": st.sampled_from(["", "a b", "null", "[x", "--x"]).map(Path),
        "layers": st.lists(st.integers(), max_size=3),
        "words": st.lists(text, max_size=2).map(tuple),
        "pair": st.tuples(st.integers(), text),
        "marks": st.frozensets(text, max_size=3),
        "one_or_more": text | st.lists(text, max_size=2),
        "grown": st.lists(text, max_size=3),
        "table": st.dictionaries(st.sampled_from("abc"), st.none() | floats, max_size=2),
        "numbered": st.dictionaries(st.integers(), st.lists(text, max_size=2), max_size=2),
        "blocks": st.lists(blocks, max_size=2),
        "named": st.dictionaries(text, blocks, max_size=2),
        "optim": plain | subs | wides,
        "second": plain | subs | wides,
        "third": st.none() | wides | blocks,
        "fourth": st.none() | blocks,
        "scaled": floats,
        "warmup": st.integers(),
    },
)
codecs = Codecs()
root = codecs.schema.root(Rich)


@given(changes)
@settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow])
def test_the_command_line_of_a_config_makes_an_equal_one(values):
    """Whatever the values are, and however they look."""
    config = Rich(**values)

    words = to_argv(codecs.schema, root, config)
    actual = load(Rich, argv=words, codecs=codecs)

    # Not ==: NaN is not equal to itself.
    assert {} == diff(config, actual, codecs=codecs)


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (Rich(), []),
        (Rich(name="--x"), ["--name=--x"]),
        (Rich(name=""), ["--name="]),
        (Rich(name="null"), ["--name=null"]),
        (Rich(name="a\0"), ['--name:="a\\u0000"']),
        (Rich(either_text="3"), ['--either-text:="3"']),
        (Rich(note=None), ["--no-note"]),
        (Rich(note="null"), ["--note=null"]),
        (Rich(seed=None), ["--no-seed"]),
        (Rich(on=False), ["--on=false"]),
        (Rich(maybe_on=False), ["--maybe-on=false"]),
        (Rich(ratio=math.inf), ["--ratio=inf"]),
        (Rich(clip=1.0), ["--clip=1.0"]),
        (Rich(maybe_kind=Kind.null), ['--maybe-kind:="null"']),
        (Rich(mode=None), ["--mode:=null"]),
        (Rich(layers=[1, 5]), ["--layers=[1, 5]"]),
        (Rich(layers=[]), ["--layers=[]"]),
        (Rich(one_or_more=["x"]), ['--one-or-more=["x"]']),
        (Rich(one_or_more="[1]"), ['--one-or-more:="[1]"']),
        (Rich(grown=["d", "e"]), ['--grown:=["d", "e"]']),
        (Rich(table={"a": 1.0, "b": None}), ['--table={"b": null}']),
        (Rich(table={}), ["--table:={}"]),
        (Rich(ratio=2.0), ["--ratio=2.0"]),
        (Rich(ratio=2.0, optim=Sub(lr=1.0)), ["--ratio=2.0", "--optim.lr=1.0"]),
        (Rich(optim=Sub(lr=1.0, momentum=0.5)), ["--optim.momentum=0.5"]),
        (Rich(optim=Wide()), ["--optim.type=wide"]),
        (Rich(optim=Base(lr=4.0)), ["--optim.type=base", "--optim.lr=4.0"]),
        (Rich(optim=Base(lr=4.0, eff=1.0)), ["--optim.type=base", "--optim.lr=4.0", "--optim.eff=1.0"]),
        (Rich(second=Sub(lr=4.0)), ["--second.lr=4.0"]),
        (Rich(second=Sub()), ["--second.lr=0.001"]),
        (Rich(third=Block()), ["--third.type=block"]),
        (Rich(fourth=None), ["--no-fourth"]),
        (Rich(warmup=9), ["--warmup=9"]),
        (Rich(scaled=3.0), ["--scaled=3.0"]),
    ],
    ids=lambda one: " ".join(one) if isinstance(one, list) else "",
)  # fmt: skip
def test_only_what_is_not_as_its_default_is_said(config, expected):
    """One flag for each, and the plainest form that is read as the value."""
    assert expected == to_argv(codecs.schema, root, config)


def test_an_object_over_no_default_is_said_even_if_it_says_nothing():
    """An empty mapping makes it."""

    @frozen
    class Holder:
        block: Block | None = None
        plain: Block = field(kw_only=True)

    schema = Codecs().schema

    actual = to_argv(schema, schema.root(Holder), Holder(Block(), plain=Block(9)))

    assert ["--block={}", "--plain.width=9"] == actual


def test_a_number_of_another_kind_is_another_value_where_both_are_taken():
    """In a float field, 3 is 3.0 already."""

    @frozen
    class Numbers:
        either: int | float = 1
        real: float = 3
        base: Base = Base(lr=4)

    schema = Codecs().schema

    actual = to_argv(schema, schema.root(Numbers), Numbers(1.0, 3.0, Base(4.0)))

    assert ["--either=1.0"] == actual


def test_null_is_said_without_a_flag_that_is_another_field():
    """`--no-x` means the field `no_x`, where there is one."""

    @frozen
    class Both:
        x: str | None = "a"
        no_x: bool = False

    schema = Codecs().schema
    words = to_argv(schema, schema.root(Both), Both(x=None))

    assert (["--x:=null"], Both(x=None)) == (words, load(Both, argv=words))


def test_what_no_argument_says_is_an_error():
    """A constructor without validators takes anything."""
    with pytest.raises(TreadleConfigError) as caught:
        to_argv(codecs.schema, root, evolve(Rich(), seed="text"))

    assert (
        "no command line gives this config: seed (cli --seed): expected int | null, got 'text'"
    ) == str(caught.value)


def test_what_a_constructor_changes_each_time_is_an_error():
    """What is read again is compared."""

    @frozen
    class Growing:
        size: int = field(default=0, converter=lambda value: int(value) + 1)

    schema = Codecs().schema

    with pytest.raises(TreadleConfigError) as caught:
        to_argv(schema, schema.root(Growing), Growing(5))

    assert "no command line gives this config: size is 6" == str(caught.value)


def test_a_program_prints_the_command_line_of_its_config(capsys):
    """Quoted for a shell, with what files say in it."""

    @frozen
    class Train:
        name: str = field(default="run", validator=instance_of(str))
        size: int = 3

    def main(config: Train) -> None:
        raise AssertionError("called")

    with pytest.raises(SystemExit) as stopped:
        run_cli(main, {"size": 4}, argv=["--name", "it's a b", "--print-config=argv"])

    assert (0, "'--name=it'\"'\"'s a b' --size=4\n") == (
        stopped.value.code,
        capsys.readouterr().out,
    )
