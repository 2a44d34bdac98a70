"""What becomes of values when a stronger layer chooses another class."""

from typing import Any

import pytest
from attrs import field, frozen

from treadle_config import layer, link, load, resolve, setting


@frozen
class Inner:
    x: int = 1
    y: int = 2


@frozen
class Base:
    lr: float = 1.0
    inner: Inner = Inner()


@frozen
class A(Base):
    momentum: float = 0.9


@frozen
class B(Base):
    nesterov: bool = False


@frozen
class Own(Base):
    lr: float = 3.0


@frozen
class Config:
    optim: Base = A(lr=7.0, inner=Inner(x=5))


@frozen
class Bare:
    optim: Base | None = None


@frozen
class Needed:
    optim: Base


@frozen
class Followed:
    optim: Base | None = link(Base)


@frozen
class Key:
    token: str = field(default="", metadata=setting(secret=True))


@frozen
class OneKey(Key):
    more: str = field(default="", metadata=setting(secret=True))


@frozen
class OtherKey(Key):
    pass


@frozen
class Keys:
    key: Key = OneKey()


CLUSTER = {"optim": {"lr": 0.5, "inner": {"y": 4}, "momentum": 0.1}}


@pytest.mark.parametrize(
    ("tag", "expected"),
    [
        ("a", A(0.5, Inner(5, 4), 0.1)),
        ("b", B(0.5, Inner(1, 4))),
        ("own", Own(inner=Inner(1, 4))),
        ("base", Base(0.5, Inner(1, 4))),
    ],
)
def test_what_layers_said_of_inherited_fields_is_kept(tag, expected):
    """Of fields that one class declares for both; defaults go with the class that they are of."""
    actual = [
        load(Config, CLUSTER, argv=["--optim.type", tag]),
        load(Config, CLUSTER, {"optim.type": tag}),
        load(Config, {"optim.type": "a"}, CLUSTER, {"optim": {"type": tag}}),
    ]

    first = [Config(expected)] * 2
    # The default's own values are gone once somebody chooses its class.
    assert first == actual[:2]
    assert expected.lr == actual[2].optim.lr


def test_an_instance_says_its_inherited_fields_as_a_mapping_does():
    """They are kept where another class is chosen."""
    actual = load(Config, {"optim": A(lr=0.5)}, argv=["--optim.type", "b"])

    assert Config(B(lr=0.5)) == actual


def test_explain_shows_what_a_change_of_class_drops():
    """Beside the value that stands there now, or else beside the tag."""
    resolution = resolve(
        Config,
        layer("cluster", CLUSTER, at="code"),
        argv=["--optim.type", "own"],
    )

    assert (
        "precedence code_over_file: default < file < env < code < cluster < cli\n"
        "\n"
        "optim.type     own  cli --optim.type (drops optim.momentum = 0.1 of cluster)\n"
        "optim.inner.x  1    default\n"
        "optim.inner.y  4    cluster\n"
        "optim.lr       3.0  default (instead of 0.5 of cluster)\n"
    ) == resolution.explain()


def test_what_must_win_is_not_dropped_in_silence(said):
    """The message says what drops it; what is kept has won."""
    must = layer("cluster", CLUSTER, at="code", must_win=True)

    actual = said(load, Config, must, argv=["--optim.type", "b"])

    assert [
        (
            "optim.momentum (cli --optim.type): expected 0.1 of cluster, which must win, "
            "got b, which drops it; remove one of the two"
        )
    ] == actual


def test_a_secret_that_is_dropped_is_not_told():
    """Where it came from is."""
    low = {"key": {"more": "hunter2"}}

    actual = resolve(Keys, low, argv=["--key.type", "otherkey"]).explain()

    assert "drops key.more = *** of code" in actual
    assert "hunter2" not in actual


@pytest.mark.parametrize(
    ("schema", "layers", "argv"),
    [
        (Bare, [{"optim": {"lr": 3}}], []),
        (Needed, [{"optim": {"lr": 3}}], []),
        (Followed, [], []),
        (Bare, [], ['--optim:={"lr": 3}']),
    ],
)
def test_a_base_class_that_nobody_chose_is_explained(schema, layers, argv):
    """Its tag is a default, or comes from where the object does."""
    resolution = resolve(schema, *layers, argv=argv)

    explained: dict[str, Any] = {
        line.split()[0]: line.split()[1:3] for line in resolution.explain().splitlines()[2:]
    }

    source = "link" if schema is Followed else "default"
    assert ["base", source] == explained["optim.type"]
    assert source == str(resolution.source("optim.type"))


def test_an_instance_that_must_win_is_one_problem(said):
    """Its class, and not each of its fields; the same class by name is fine."""
    must = layer("cluster", {"optim": A(lr=0.5)}, at="code", must_win=True)

    actual = said(load, Config, must, argv=["--optim.type", "b"])

    assert [
        (
            "optim.type (cli --optim.type): expected 'a' of cluster, which must win, got b; "
            "remove one of the two"
        )
    ] == actual
    assert Config(A(lr=0.5)) == load(Config, must, argv=["--optim.type", "a"])


def test_null_that_must_win_is_not_replaced_by_an_object(said):
    """Nor an object by null."""
    none = layer("cluster", {"optim": None}, at="code", must_win=True)
    some = layer("cluster", {"optim": {"lr": 3}}, at="code", must_win=True)

    actual = [
        said(load, Bare, none, argv=["--optim.lr", "1"]),
        said(load, Bare, some, argv=["--no-optim"]),
    ]

    end = "which must win, got {}; remove one of the two"
    assert [
        [f"optim (cli --optim.lr): expected null of cluster, {end.format('a mapping')}"],
        [f"optim.lr (cli --no-optim): expected 3 of cluster, {end.format('null')}"],
    ] == actual


def test_a_part_of_a_computed_default_leaves_the_rest_of_it():
    """At any depth: what the class would have by itself does not take its place."""

    @frozen
    class Whole:
        size: int = 3
        optim: A = field()

        @optim.default
        def _optim(self) -> A:
            return A(inner=Inner(x=self.size))

    actual = load(Whole, {"optim": {"inner": {"y": 5}}})

    assert Whole(optim=A(inner=Inner(3, 5))) == actual
