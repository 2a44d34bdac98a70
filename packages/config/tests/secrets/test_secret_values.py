"""A secret in a config: text that prints as stars and is text in all else."""

import copy
import dataclasses
import json
import pickle
from decimal import Decimal

import pytest
from attrs import Factory, field, frozen, mutable

from treadle_config import (
    Codecs,
    SchemaError,
    layer,
    link,
    linked,
    load,
    setting,
)

TEXT = "hunter2-correct horse"


def test_a_loaded_config_prints_stars(site):
    """In place of every secret text, from wherever it came, and of none that is not secret."""
    config = load(site.Config, {"api": {"token": TEXT, "keys": ["a"]}, "services": {"x": {}}})

    assert (
        "Config(api=Api(token='***', url='localhost', keys=['***']), accounts=[], "
        "services={'x': Account(name='a', token='***')}, size=3, double=6)"
    ) == repr(config)


def test_a_secret_text_is_the_text(site):
    """Equal, hashed, pickled, copied, written and passed on as it is."""
    token = load(site.Config, site.given).api.token

    actual = (
        token == TEXT,
        hash(token) == hash(TEXT),
        f"{token}|%s" % token,
        pickle.loads(pickle.dumps(token)) == TEXT,
        copy.deepcopy(token) == TEXT,
        json.loads(json.dumps(token)),
        {TEXT: 1}[token],
        isinstance(token, str),
        repr(token),
    )

    assert (True, True, f"{TEXT}|{TEXT}", True, True, TEXT, 1, True, "'***'") == actual


def test_hiding_breaks_no_equality(site):
    """A config is equal to one that was made by hand, and has its hash."""
    by_hand = site.Account("a", TEXT)
    loaded = load(site.Account, {"token": TEXT})

    assert (by_hand, hash(by_hand)) == (loaded, hash(loaded))


def test_defaults_and_links_hide_themselves():
    """As given values do: of factories, of links, and within instances that a class declares."""

    @frozen
    class Inner:
        token: str = field(factory=lambda: TEXT, metadata=setting(secret=True))
        copied: str = link(str.upper, "token", metadata=setting(secret=True))

    @frozen
    class Outer:
        one: Inner = Inner("plain")
        two: Inner = Factory(Inner)
        three: Inner = linked(Inner, token=link(lambda one: one.token, "one"))
        made: Inner = link(lambda one: Inner(f"{one.token}!"), "one")
        many: tuple[Inner, ...] = (Inner("x"),)

    inner = "Inner(token='***', copied='***')"

    assert (
        f"Outer(one={inner}, two={inner}, three={inner}, made={inner}, many=({inner},))",
        "PLAIN!",
    ) == (repr(load(Outer)), load(Outer).made.copied)


def test_what_codecs_decode_hides_itself(site):
    """Also without layers, and where the short way would do."""
    decoded = [
        Codecs().decode({"token": TEXT}, site.Account),
        Codecs().decode([{}], list[site.Account])[0],
    ]

    assert ["Account(name='a', token='***')"] * 2 == list(map(repr, decoded))


def test_dataclasses_have_secrets():
    """Declared in the metadata of a field, frozen or not."""

    @dataclasses.dataclass(frozen=True, slots=True)
    class Inner:
        token: str | None = dataclasses.field(default=None, metadata=setting(secret=True))

    @dataclasses.dataclass
    class Outer:
        inner: Inner = dataclasses.field(default_factory=Inner)
        pin: int = dataclasses.field(default=1, repr=False, metadata=setting(secret=True))

    name = Outer.__qualname__, Inner.__qualname__

    assert f"{name[0]}(inner={name[1]}(token='***'))" == repr(
        load(Outer, {"inner": {"token": TEXT}})
    )


def test_text_among_other_scalars_is_not_mistaken():
    """A secret `5` of `int | str` that was text is text again when the instance is a layer."""

    @frozen
    class Either:
        key: int | str = field(default=0, repr=False, metadata=setting(secret=True))

    config = load(Either, {"key": "5"})

    assert config == load(Either, config) == load(Either, {"key": config.key})


@frozen
class Inner:
    token: str = ""


@pytest.mark.parametrize(
    ("declared", "written"),
    [
        (int, "int"),
        (int | str, "int | str"),
        (dict[str, str], "dict[str, str]"),
        (Inner, "Inner"),
        (list[int], "list[int]"),
        (Decimal | None, "Decimal | null"),
    ],
)
def test_a_secret_that_cannot_hide_is_a_schema_error(declared, written):
    """Unless the class does not print it, or prints it in its own way."""

    @mutable
    class Printing:
        key: declared = field(metadata=setting(secret=True))

    @mutable
    class Silent:
        key: declared = field(metadata=setting(secret=True), repr=False)

    @mutable
    class Own:
        key: declared = field(metadata=setting(secret=True), repr=lambda _value: "-")

    with pytest.raises(SchemaError) as caught:
        load(Printing)

    assert (
        (
            f"key: a secret of type {written} would be shown where the config is printed, since only "
            "text hides itself there; declare the field with repr=False"
        ),
        True,
        True,
    ) == (str(caught.value), *(Codecs().schema.root(one) is not None for one in (Silent, Own)))


def test_a_wrong_default_is_not_told():
    """Neither in full nor in what to write instead."""

    @frozen
    class Wrong:
        pin: int = field(default=TEXT, repr=False, metadata=setting(secret=True))

    @frozen
    class Shared:
        keys: list[str] = field(default=[TEXT], metadata=setting(secret=True))

    said = []
    for cls in (Wrong, Shared):
        with pytest.raises(SchemaError) as caught:
            load(cls)
        said.append(str(caught.value))

    assert [
        "pin: the default is ***, which is no int; write it as one",
        (
            "keys: the default is a list, which can be changed, and every config would share it; "
            "use factory=lambda: ***"
        ),
    ] == said


def test_a_named_layer_prints_no_values(site):
    """Which of them are secret, only a schema knows."""
    assert "Layer(name='x', at='code', must_win=False)" == repr(layer("x", site.secrets, at="code"))
