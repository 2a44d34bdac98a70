"""Links: fields whose default follows other fields."""

import pickle
from dataclasses import dataclass

import pytest
from attrs import define, evolve, field, frozen
from attrs.validators import lt

from treadle_config import LinkError, SchemaError, link, linked, load, resolve


def test_a_link_follows_without_load(schemas):
    """A class with links is an ordinary attrs class."""
    actual = schemas.Config(data=schemas.Data(batch_size=64))

    assert (50, 100) == (actual.warmup, schemas.Config().warmup)


@pytest.mark.parametrize("source", ["file", "code", "env", "cli"])
def test_a_link_follows_its_input_from_every_layer(source, schemas, written, monkeypatch):
    """Links are computed after all layers."""
    values = {"data": {"batch_size": 64}}
    layers = {
        "file": [written("a.json", '{"data": {"batch_size": 64}}')],
        "code": [values],
    }.get(source, [])
    if source == "env":
        monkeypatch.setenv("APP_DATA__BATCH_SIZE", "64")
    argv = ["--data.batch-size", "64"] if source == "cli" else []

    followed = load(schemas.Followed, *layers, argv=argv, env="APP_")
    config = load(schemas.Config, *layers, argv=argv, env="APP_")

    assert (0.002, 50) == (followed.optim.lr, config.warmup)


def test_a_given_value_wins_over_a_link_and_says_so(schemas):
    """An explicit value pins the field, and is reported as such."""
    resolution = resolve(schemas.Config, argv=["--warmup", "3", "--data.batch-size", "64"])

    assert (3, "cli --warmup", True) == (
        resolution.config.warmup,
        str(resolution.source("warmup")),
        resolution.explain().endswith("  cli --warmup (instead of its link)\n"),
    )


def test_linked_holds_beside_other_fields_and_not_for_another_subtype(schemas):
    """A link into a class holds while that class is chosen, however much else is given."""
    actual = [
        load(schemas.Followed, {"optim": {"betas": [0, 0]}, "data": {"batch_size": 64}}).optim,
        load(schemas.Followed, {"optim": {"type": "sgd"}, "data": {"batch_size": 64}}).optim,
        load(schemas.Followed, {"optim": {"lr": 9}, "data": {"batch_size": 64}}).optim,
        schemas.Followed(data=schemas.Data(batch_size=64)).optim,
    ]

    expected = [
        schemas.Adam(lr=0.002, betas=(0.0, 0.0)),
        schemas.SGD(),
        schemas.Adam(lr=9),
        schemas.Adam(lr=0.002),
    ]
    assert expected == actual


def test_links_chain():
    """A link may read another link."""

    @frozen
    class Chained:
        a: int = 1
        b: int = link(lambda a: a + 1, "a")
        c: int = link(lambda a, b: a + b, "a", "b")

    actual = [load(Chained, {"a": 5}), load(Chained, {"b": 0}), Chained()]

    assert [Chained(5, 6, 11), Chained(1, 0, 1), Chained(1, 2, 3)] == actual


def test_links_work_in_elements_of_lists_and_entries_of_dicts():
    """A link's paths start at its own object."""

    @frozen
    class Block:
        width: int = 4
        hidden: int = link(lambda width: 4 * width, "width")

    @frozen
    class Net:
        blocks: list[Block] = field(factory=list)
        named: dict[str, Block] = field(factory=dict)

    actual = load(Net, {"blocks": [{"width": 2}], "named": {"a": {"hidden": 1}}})

    assert Net([Block(2, 8)], {"a": Block(4, 1)}) == actual


def test_a_link_goes_through_the_converter_and_not_through_decoding():
    """load and the bare class agree on what a link gives."""

    @frozen
    class Converted:
        size: int = 64
        text: str = link(lambda size: size, "size", converter=str)

    actual = (Converted(), load(Converted))

    assert (Converted(64, "64"), Converted(64, "64")) == actual


def test_replace_recomputes_what_evolve_leaves_stale(schemas):
    """`Resolution.replace` keeps links live, save those that were given a value."""
    resolution = resolve(schemas.Config, {"data.batch_size": 64})
    pinned = resolve(schemas.Config, {"warmup": 7})

    actual = (
        evolve(resolution.config, data=schemas.Data(batch_size=128)).warmup,
        resolution.replace({"data.batch_size": 128}).config.warmup,
        pinned.replace({"data.batch_size": 128}).config.warmup,
    )

    assert (50, 25, 7) == actual


def test_an_instance_with_links_pickles(schemas):
    """A link leaves nothing in the instance."""
    config = load(schemas.Config, {"data.batch_size": 64})

    assert config == pickle.loads(pickle.dumps(config))


def test_what_a_link_gives_is_checked(said):
    """A validator, the type, and an exception of the function are problems of the link."""

    @frozen
    class Checked:
        a: int = 1
        small: int = link(lambda a: 10 * a, "a", validator=lt(5))

    @frozen
    class Typed:
        a: int = 1
        text: str = link(lambda a: a, "a")

    @frozen
    class Raising:
        a: int = 0
        ratio: float = link(lambda a: 1 / a, "a")

    @frozen
    class Inner:
        x: float = 0.0

    @frozen
    class Outer:
        a: int = 0
        inner: Inner = linked(Inner, x=link(lambda a: 1 / a, "a"))

    actual = [message for cls in (Checked, Typed, Raising, Outer) for message in said(load, cls)]

    assert [
        "small (link): expected a value that its validator takes, got 10; 'small' must be < 5: 10",
        "text (link): expected str, got 1",
        (
            "ratio (link): expected a value from its link, got ZeroDivisionError; "
            "ZeroDivisionError: division by zero"
        ),
        (
            "inner.x (link): expected a value from its link, got ZeroDivisionError; "
            "ZeroDivisionError: division by zero"
        ),
    ] == actual


def test_a_bad_input_is_the_only_problem(schemas, said):
    """A link whose input is bad is not computed, and is no second problem."""
    argv = ["--data.batch-size", "many"]

    actual = [said(load, cls, argv=argv) for cls in (schemas.Followed, schemas.Config)]

    assert [["data.batch_size (cli --data.batch-size): expected int, got many"]] * 2 == actual


def test_a_bad_input_with_a_private_name_is_the_only_problem(said):
    """A link reads an attribute, which need not be called as its key is."""

    @frozen
    class Inner:
        x: int = 1

    @frozen
    class Private:
        _size: int = 2
        inner: Inner = linked(Inner, x=link(lambda size: size, "_size"))

    assert ["size (cli --size): expected int, got a"] == said(load, Private, argv=["--size", "a"])


def test_a_link_that_cannot_work_is_found_when_the_schema_is_seen():
    """Unknown, later, circular and misplaced paths are errors before any value is read."""

    @frozen
    class Unknown:
        batch_size: int = 1
        warmup: int = link(lambda a: a, "batch_sise")

    @frozen
    class Inner:
        size: int = 1

    @frozen
    class UnknownWithin:
        inner: Inner = Inner()
        warmup: int = link(lambda a: a, "inner.sise")

    @frozen
    class Later:
        warmup: int = link(lambda a: a, "size")
        size: int = 1

    @frozen
    class Circle:
        a: int = link(lambda b: b, "b")
        b: int = link(lambda a: a, "a")

    @frozen
    class NotAField:
        inner: Inner = linked(Inner, sise=link(lambda a: a, "x"))

    @frozen
    class NotAChoice:
        size: int = 3
        inner: int = linked(Inner, size=link(lambda a: a, "size"))

    @frozen
    class Below:
        text: str = "a"
        upper: str = link(lambda a: a, "text.upper")

    actual = []
    for cls in (Unknown, UnknownWithin, Later, Circle, NotAField, NotAChoice, Below):
        with pytest.raises(SchemaError) as caught:
            load(cls)
        actual.append(str(caught.value))

    assert [
        (
            "warmup: the link reads 'batch_sise', but Unknown has no field 'batch_sise'; "
            "did you mean 'batch_size'?"
        ),
        "warmup: the link reads 'inner.sise', but Inner has no field 'sise'; did you mean 'size'?",
        (
            "warmup: the link reads 'size', which is declared later; declare the link after it"
            " (a subclass that redeclares such a field must redeclare the link)"
        ),
        "a: the links form a circle: a -> b -> a; give one of them a value instead",
        "inner: Inner has no field 'sise' to link; it has size",
        "inner: linked(Inner, ...) does not fit int",
        "upper: the link reads 'text.upper', but str has no fields; link to the whole value",
    ] == actual


def test_a_subclass_that_declares_an_input_again_is_told_to_declare_the_link_again():
    """attrs moves a field that is declared again to the end, behind the link."""

    @frozen
    class Base:
        size: int = 1
        warmup: int = link(lambda size: size, "size")

    @frozen
    class Sub(Base):
        size: int = 2

    with pytest.raises(LinkError) as bare:
        Sub()
    with pytest.raises(SchemaError) as loaded:
        load(Sub)

    assert (
        (
            "a link of Sub reads 'size', but Sub has no value for 'size' at that point; "
            "a link reads fields declared before it, so declare it after them"
            " (a subclass that redeclares such a field must redeclare the link)"
        ),
        (
            "warmup: the link reads 'size', which is declared later; declare the link after it"
            " (a subclass that redeclares such a field must redeclare the link)"
        ),
    ) == (str(bare.value), str(loaded.value))


def test_a_link_in_a_dataclass_is_a_schema_error():
    """A dataclass would hold attrs' field itself as the default."""

    @dataclass
    class Plain:
        size: int = 1
        warmup: int = link(lambda size: size, "size")

    with pytest.raises(SchemaError) as caught:
        load(Plain)

    assert (
        "warmup: Plain is a dataclass, where an attrs field or a link has no effect; "
        "make it an attrs class"
    ) == str(caught.value)


def test_linked_takes_bare_links_only(schemas):
    """A plain value or a field argument within `linked` is refused at once."""
    actual = []
    for declare in (
        lambda: linked(schemas.Adam, lr=0.1),
        lambda: linked(schemas.Adam, lr=link(lambda a: a, "a", validator=lt(1))),
        lambda: link(lambda a: a, "a", default=3),
        lambda: link("a", lambda a: a),
    ):
        with pytest.raises(TypeError) as caught:
            declare()
        actual.append(str(caught.value).replace(repr(schemas.Adam), "Adam"))

    assert [
        "linked(lr=...) takes a link(...), not 0.1",
        (
            "linked(lr=link(...)) takes no field arguments such as validator=; "
            "give them to the field in Adam"
        ),
        "a link is the field's default; remove default=",
        "link takes a function, then the paths that it reads: link(fn, *paths)",
    ] == actual


def test_links_work_in_mutable_classes_with_private_names():
    """A private field is read by its attribute and written by its alias."""

    @define
    class Private:
        _size: int = 2
        twice: int = link(lambda size: 2 * size, "_size")

    actual = load(Private, {"size": 4})

    assert 8 == actual.twice
