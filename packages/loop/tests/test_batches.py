"""Batches of any shape: moved as a whole, and counted."""

import collections
import dataclasses
import types
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_sequence

from treadle_loop import Engine, Loss, RecordsDisagree, RecordsUnknown
from treadle_loop.devices import place
from treadle_loop.records import count_records

META = torch.device("meta")
CPU = torch.device("cpu")


class Pair(NamedTuple):
    inputs: Any
    targets: Any


@dataclasses.dataclass
class Plain:
    inputs: Any
    name: str = "x"


@dataclasses.dataclass(frozen=True, slots=True)
class Frozen:
    inputs: Any
    name: str = "x"


class Row(list):
    pass


def x():
    return torch.ones(2, 3)


def containers():
    return [
        x(),
        (x(), x()),
        [x(), "text", 3, None],
        {"a": x(), "b": [x(), {"c": x()}]},
        Pair(x(), (x(), 1.5)),
        Plain(x()),
        Frozen([x()]),
        Row([x()]),
        collections.OrderedDict(a=x()),
        collections.defaultdict(list, a=x()),
        collections.UserDict(a=x()),
        types.MappingProxyType({"a": x()}),
    ]


def leaves(value):
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, collections.abc.Mapping):
        return [leaf for item in value.values() for leaf in leaves(item)]
    if isinstance(value, (list, tuple)):
        return [leaf for item in value for leaf in leaves(item)]
    return leaves(value.inputs) if hasattr(value, "inputs") else []


@pytest.mark.parametrize("batch", containers(), ids=lambda batch: type(batch).__name__)
def test_a_batch_moves_whole(batch):
    """Every tensor is on the device, the container is of its type, and the original untouched."""
    moved = place(batch, META)

    assert type(batch) is type(moved)
    assert {META} == {leaf.device for leaf in leaves(moved)}
    assert {CPU} == {leaf.device for leaf in leaves(batch)}
    assert len(leaves(batch)) == len(leaves(moved))


@pytest.mark.parametrize("batch", containers(), ids=lambda batch: type(batch).__name__)
@pytest.mark.parametrize("device", [CPU, None])
def test_a_batch_that_is_there_already_is_itself(batch, device):
    """Nothing is copied and nothing rebuilt where there is nothing to move."""
    assert place(batch, device) is batch


@pytest.mark.parametrize("options", [{}, {"frozen": True}, {"slots": False}], ids=str)
def test_attrs_classes_move(options):
    """Slotted or not, frozen or not, without an import of attrs here."""
    attrs = pytest.importorskip("attrs", reason="attrs is no dependency of treadle-loop")
    kind = attrs.make_class("Batch", ["inputs", "name"], **{"slots": True, **options})
    batch = kind([x(), x()], "x")

    moved = place(batch, META)

    assert (kind, "x", 2) == (type(moved), moved.name, count_records(batch))
    assert [META, META] == [leaf.device for leaf in moved.inputs]
    assert [CPU, CPU] == [leaf.device for leaf in batch.inputs]


def test_what_moves_itself_is_asked_to():
    """A packed sequence, which has a `to` of its own, is moved by it."""
    packed = pack_sequence([torch.ones(3), torch.ones(2)])

    moved = place({"text": packed}, META)

    assert META == moved["text"].data.device


def test_the_engine_moves_batches_to_its_model():
    """A batch is where the parameters are when the step gets it, or where device= says."""
    seen = []

    def step(model, batch):
        seen.append(batch["inputs"].device)
        return Loss(0.0)

    Engine(nn.Linear(1, 1, device="meta"), step).test_epoch([{"inputs": x()}])
    Engine(nn.Linear(1, 1), step, device="meta").test_epoch([{"inputs": x()}])
    Engine(nn.ReLU(), step).test_epoch([{"inputs": x()}])

    assert [META, META, CPU] == seen


def test_a_mapping_that_forbids_update_moves():
    """The outputs of a transformer are dictionaries that take items, and no update()."""

    class Outputs(collections.OrderedDict):
        def update(self, *args, **kwargs):
            raise NotImplementedError

    batch = Outputs()
    batch["logits"] = x()

    assert META == place(batch, META)["logits"].device


class Wrapper(collections.abc.MutableMapping):
    """Keeps its items in a mapping of its own, as its maker wants it."""

    def __init__(self, within, source):
        self.within = within
        self.source = source

    def __getitem__(self, key):
        return self.within[key]

    def __setitem__(self, key, value):
        self.within[key] = value

    def __delitem__(self, key):
        del self.within[key]

    def __iter__(self):
        return iter(self.within)

    def __len__(self):
        return len(self.within)


class Slotted(Wrapper):
    __slots__ = ("__items", "source")

    @property
    def within(self):
        return self.__items

    @within.setter
    def within(self, items):
        self.__items = items


@pytest.mark.parametrize("kind", [Wrapper, Slotted])
@pytest.mark.parametrize("inside", [dict, collections.OrderedDict, lambda items: Slotted(items, 0)])
def test_a_mapping_around_another_is_left_as_it_is(kind, inside):
    """The batch keeps its tensors, and the one on the device has its own, and what else was there."""
    tensor, source = x(), object()
    batch = kind(inside({"inputs": tensor, "name": "a"}), source)

    moved = place(batch, META)

    assert batch["inputs"] is tensor
    assert ("meta", "a") == (moved["inputs"].device.type, moved["name"])
    assert (kind, True) == (type(moved), moved.source is source)


@pytest.mark.parametrize(
    ("batch", "expected"),
    [
        (torch.ones(5, 2), 5),
        ([torch.ones(4, 2), torch.ones(4)], 4),
        ((torch.ones(4, 2), np.ones(4), torch.tensor(0.5)), 4),
        ({"a": torch.ones(3), "b": {"c": np.zeros((3, 1))}, "name": "x"}, 3),
        (Pair(torch.ones(2), [torch.ones(2)]), 2),
        (Frozen(torch.ones(6)), 6),
        (["a", "b", "c"], 3),
        ({"text": ["a", "b"], "ids": torch.ones(2, 7)}, 2),
        ([{"a": 1}, {"a": 2}], 2),
        ([[1, 2, 3], [4, 5, 6]], 2),
        ({"ids": [[1, 2], [3], [4, 5, 6]]}, 3),
        ([(torch.ones(3, 8), 0), (torch.ones(3, 8), 1)], 2),
        ([{"x": torch.ones(3), "boxes": torch.ones(5)}, {"x": torch.ones(3)}], 2),
        ([{"x": torch.ones(2)}, {"y": torch.ones(2)}], 2),
        ([Plain(torch.ones(3)), Plain(torch.ones(3))], 2),
        ([], 0),
        (torch.ones(0, 3), 0),
    ],
    ids=str,
)
def test_records_are_counted_in_the_batch(batch, expected):
    """The common leading size of the arrays, or the length of a list of anything else."""
    assert expected == count_records(batch)


@pytest.mark.parametrize(
    ("batch", "kind", "expected"),
    [
        (
            [torch.ones(4), torch.ones(5), torch.ones(9)],
            RecordsDisagree,
            (
                "the arrays of a batch have different leading sizes, 4, 5 and 9, so the number of its "
                "records is not clear; return Loss(value, records=...) from the step"
            ),
        ),
        (
            {"temperature": torch.tensor(0.5), "name": "x"},
            RecordsUnknown,
            (
                "a batch of type dict has no array with a leading size and is no list, so it does not "
                "say how many records it holds; return Loss(value, records=...) from the step"
            ),
        ),
        (
            [{"x": torch.ones(4, 3)}, {"y": torch.ones(4)}],
            RecordsUnknown,
            (
                "a list of 2 dicts may be 2 records, or columns of 4; return Loss(value, records=...) "
                "from the step"
            ),
        ),
        (
            [("a", "b", "c"), ("d", "e", "f")],
            RecordsUnknown,
            (
                "a list of 2 tuples may be 2 records, or columns of 3; return Loss(value, "
                "records=...) from the step"
            ),
        ),
        (
            ("a", "b"),
            RecordsUnknown,
            (
                "a batch of type tuple has no array with a leading size and is no list, so it does "
                "not say how many records it holds; return Loss(value, records=...) from the step"
            ),
        ),
    ],
    ids=["disagree", "unknown", "mappings", "texts", "tuple"],
)
def test_a_batch_that_does_not_say_is_an_error(batch, kind, expected):
    """Nothing is guessed; with records= the same batch is fine."""
    engine = Engine(nn.Linear(1, 1), lambda model, batch: Loss(0.0))
    told = Engine(nn.Linear(1, 1), lambda model, batch: Loss(0.0, records=7))

    with pytest.raises(kind) as caught:
        engine.test_epoch([batch])

    assert expected == str(caught.value)
    assert 7 == told.test_epoch([batch]).records
