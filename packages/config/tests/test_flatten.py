"""`flatten` and `diff`."""

from pathlib import Path
from typing import Any

from attrs import NOTHING, evolve, field, frozen

from treadle_config import diff, flatten


@frozen
class Block:
    width: int = 1


@frozen
class Net:
    blocks: list[Block] = field(factory=list)


def test_a_config_is_laid_out_by_path_with_its_types(schemas):
    """Lists of scalars are one value, dicts go down, a subtype is its tag."""
    config = schemas.Config(data=schemas.Data(splits={"train": 0.9}), optim=schemas.SGD())

    assert {
        "name": "run",
        "seed": 7,
        "mode": "fast",
        "precision": schemas.Precision.BF16,
        "clip": None,
        "layers": [1, 2],
        "until": schemas.Span(10, "epochs"),
        "device": None,
        "data.batch_size": 32,
        "data.workers": 2,
        "data.shuffle": True,
        "data.root": Path("data"),
        "data.splits.train": 0.9,
        "optim.type": "sgd",
        "optim.lr": 0.1,
        "optim.momentum": 0.9,
        "warmup": 100,
    } == flatten(config)


def test_objects_in_a_list_go_by_index():
    """So that a tracker sees each of their values."""
    assert {"blocks[0].width": 1, "blocks[1].width": 5} == flatten(Net([Block(), Block(5)]))


def test_diff_says_what_differs_and_where_there_is_nothing(schemas):
    """A changed subtype is its tag and its fields; a NaN does not differ from a NaN."""
    nan = float("nan")
    old = schemas.Config(clip=nan)
    new = evolve(old, clip=float("nan"), seed=None, optim=schemas.SGD(lr=0.001))

    actual = (diff(old, new), diff(old, old), diff(Net([Block()]), Net([])))

    assert (
        {
            "optim.betas": ((0.9, 0.999), NOTHING),
            "optim.momentum": (NOTHING, 0.9),
            "optim.type": ("adam", "sgd"),
            "seed": (7, None),
        },
        {},
        {"blocks": (NOTHING, []), "blocks[0].width": (1, NOTHING)},
    ) == actual


def test_diff_tells_a_bool_from_a_number(schemas):
    """1 and 1.0 are one value, True is another."""
    one = schemas.Config(clip=1)

    actual = [diff(one, schemas.Config(clip=other)) for other in (1.0, True)]

    assert [{}, {"clip": (1, True)}] == actual


def test_diff_takes_a_nan_within_a_container_for_itself():
    """In lists, tuples, dicts and sets, however deep; other values still differ."""

    def holding(number, more=1):
        return {"a": [(number, more)], "b": {number}}

    @frozen
    class Holder:
        anything: Any = None

    one, other = (Holder(holding(float("nan"))) for _ in "ab")

    actual = [
        diff(one, other),
        [*diff(one, Holder(holding(float("nan"), 2)))],
        [*diff(one, Holder(holding(float("nan"), True)))],
        [*diff(Holder([1]), Holder((1,)))],
    ]

    assert [{}, ["anything"], ["anything"], ["anything"]] == actual


def test_diff_goes_through_lists_of_objects_and_entries_of_dicts():
    """By index and by key, sorted; what is on one side only is `NOTHING` on the other."""

    @frozen
    class Outer:
        net: Net = Net()
        named: dict[int, Block] = field(factory=dict)

    old = Outer(Net([Block(1), Block(2)]), {1: Block(3)})
    new = Outer(Net([Block(1), Block(4), Block(5)]), {2: Block(3)})

    actual = diff(old, new)

    assert [
        ("named.1.width", (3, NOTHING)),
        ("named.2.width", (NOTHING, 3)),
        ("net.blocks[1].width", (2, 4)),
        ("net.blocks[2].width", (NOTHING, 5)),
    ] == list(actual.items())
