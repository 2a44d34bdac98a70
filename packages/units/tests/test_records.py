from collections import UserDict, deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treadle_units import (
    EmptyBatch,
    InvalidArgument,
    InvalidCount,
    Schedule,
    UncountableBatch,
    count_records,
)
from treadle_units.records import record_counter


class Loader:
    """What a loader tells of itself."""

    def __init__(self, batch_size, length):
        self.batch_size = batch_size
        self.length = length

    def __len__(self):
        if self.length is None:
            raise TypeError
        return self.length


def test_array(array):
    """An array has as many records as its leading size."""
    assert 4 == count_records(array(4, 3))


def test_collated_list(array):
    """The list of arrays that a DataLoader yields is a container, not a list of records."""
    assert 4 == count_records([array(4, 3), array(4)])


def test_nested(array):
    """Leaves are found in tuples, lists and mappings, beside lists of texts."""
    batch = {"x": (array(4, 3), [array(4), array(4, 2)]), "name": ["a", "b", "c", "d"], "epoch": 3}

    assert 4 == count_records(batch)


def test_other_containers(array):
    """Mappings that are no dicts are looked into, and subclasses of lists have the length of lists."""
    names = type("Names", (list,), {})(["a", "b", "c", "d"])

    assert 4 == count_records(UserDict(x=array(4, 3), y=array(), names=names))


def test_scalars_beside_arrays(array):
    """Arrays without a leading size say nothing, beside those that have one."""
    assert [4, 4, 4] == [
        count_records(batch)
        for batch in ([1, array(4), array()], (array(), array(4)), {"x": array(4), "loss": array()})
    ]


@pytest.mark.parametrize(
    "batch", [[1, 2, 3], ["a", "b", "c"], [{"x": 1}, {"x": 2}, {"x": 3}], [1, "a", None]]
)
def test_plain_list(batch):
    """A list of anything else has its own length."""
    assert 3 == count_records(batch)


def test_list_of_samples(array):
    """A list of tuples with arrays is a list of samples."""
    assert 2 == count_records([(array(3, 8, 8), 0), (array(3, 8, 8), 1)])


def test_disagreement(array):
    """Leaves of two sizes are an error that lists both."""
    with pytest.raises(UncountableBatch) as raised:
        count_records({"table": array(9), "x": array(5, 2)})

    assert (
        "the parts of a batch have different numbers of records: 9 at ['table'], 5 at ['x']; "
        "give records=, a function of the batch that returns how many records it has"
    ) == str(raised.value)


@pytest.mark.parametrize("batch", [3, "text", object(), {"epoch": 3}, (1, 2), {}, deque([1])])
def test_silent_batch(batch):
    """A batch that says nothing is an error that asks for a function."""
    with pytest.raises(UncountableBatch) as raised:
        count_records(batch)

    assert (
        f"a batch of type {type(batch).__name__} does not say how many records it has; "
        "give records=, a function of the batch that returns how many records it has"
    ) == str(raised.value)


@pytest.mark.parametrize("shape", [(None, 3), "round", 5])
def test_shape_of_another_kind(shape, array):
    """What has a shape that is none of an array says nothing, alone and beside arrays."""
    odd = type("Odd", (), {"shape": shape})()

    with pytest.raises(UncountableBatch):
        count_records(odd)

    assert [4, 4, 4] == [
        count_records(batch) for batch in ([odd, array(4)], (array(4), odd), {"a": [array(4), odd]})
    ]


@pytest.mark.parametrize(
    ("batch_of", "kind"),
    [
        (lambda array: [[array(4), array(4)], [array(4), array(4)]], "list"),
        (lambda array: [{"x": array(4, 3)}, {"y": array(4)}], "dict"),
        (lambda array: [("a", "b", "c", "d"), ("e", "f", "g", "h")], "tuple"),
        (lambda array: [("a", "b", "c", "d"), {"y": array(4)}], "tuple"),
    ],
    ids=["lists", "mappings", "texts", "mixed"],
)
def test_two_readings(batch_of, kind, array):
    """A list that may be one of records or one of columns, of other numbers, is an error."""
    with pytest.raises(UncountableBatch) as raised:
        count_records(batch_of(array))

    assert (
        f"a list of 2 {kind}s may be 2 records, or columns of 4; "
        "give records=, a function of the batch that returns how many records it has"
    ) == str(raised.value)


def test_one_reading(array):
    """A list whose columns would have no common length is a list of records, and so is a fitting one."""
    boxes = [{"image": array(3, 8, 8), "boxes": array(count, 4)} for count in (5, 1)]

    assert [2, 2, 2] == [
        count_records(batch)
        for batch in (boxes, [{"x": array(2)}, {"y": array(2)}], [[1, 2, 3], [4, 5, 6]])
    ]


@pytest.mark.parametrize("batch", [[], ()])
def test_empty_batch_is_refused(batch, array):
    """A batch without records is refused, by whatever it is counted."""
    batch = batch or array(0, 3)

    with pytest.raises(EmptyBatch) as raised:
        count_records(batch)

    assert (
        "a batch has 0 records, so nothing would be counted; drop empty batches in the loader"
    ) == str(raised.value)


def test_counted_by_a_function():
    """`records=` counts what the batch itself does not say."""
    schedule = Schedule("10 records")
    bodies = sum(
        1 for _ in schedule.batches(iter([{"n": 6}] * 5), records=lambda batch: batch["n"])
    )

    assert (2, 12) == (bodies, schedule.progress.records)


def test_parts_that_disagree_are_counted_by_a_function(array):
    """Batches with a table beside their records are counted exactly where a function says how."""
    loader = [{"table": array(9), "x": array(5, 2)}] * 2
    schedule = Schedule("1 epoch")
    bodies = list(schedule.batches(loader, records=lambda batch: batch["x"].shape[0]))

    assert (2, 10, 2) == (len(bodies), schedule.progress.records, schedule.progress.batches)


@pytest.mark.parametrize("function", [5, None])
def test_no_function(function):
    """What is no function of the batch is refused at the call."""
    with pytest.raises(InvalidArgument) as raised:
        Schedule("10 records").batches([[1]], tokens=function)

    assert f"tokens is {function}; give a function of the batch" == str(raised.value)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("steps", "steps= cannot be a counter, since steps are counted anyway"),
        ("token", "token= is a counter that no limit can name: 'token' is no unit; use 'tokens'"),
    ],
)
def test_no_counter(name, message):
    """A counter that is counted already, or that no limit can name, is refused at the call."""
    with pytest.raises(InvalidCount) as raised:
        Schedule("10 records").batches([[1]], **{name: len})

    assert message == str(raised.value)


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (4.0, "records= returned 4.0 of type float; return an int"),
        (True, "records= returned True of type bool; return an int"),
        (None, "records= returned None of type NoneType; return an int"),
        (-1, "records= returned -1; return 0 or more"),
    ],
)
def test_function_returns_no_count(result, message):
    """A function that returns no count is an error, and nothing is counted."""
    schedule = Schedule("10 records")

    with pytest.raises(InvalidCount) as raised:
        next(schedule.batches([[1]], records=lambda _: result))

    assert (message, 0) == (str(raised.value), schedule.progress.batches)


@pytest.mark.parametrize(
    ("batch_size", "batches", "counts"),
    [
        (4, lambda array: [[array(3, 8, 8)] * 4, [array(3, 8, 8)] * 2], [4, 2]),
        (2, lambda array: [[array(3, 8, 9), array(1, 7, 8)], [array(3, 9, 9)]], [2, 1]),
        (2, lambda array: [[array(5, 4), array(0, 4)], [array(2, 4), array(2, 4)]], [2, 2]),
        (2, lambda array: [[array(3, 8, 8), "a cat"], [array(3, 8, 8), "a dog"]], [2, 2]),
        (2, lambda array: [[array(), array()], [array()]], [2, 1]),
        (3, lambda array: [[array(3, 8, 8)] * 3, [array(3, 8, 8)] * 2], [3, 2]),
        (2, lambda array: [[{"x": array(3, 8, 8)}] * 2, [{"x": array(3, 8, 8)}]], [2, 1]),
        (
            1,
            lambda array: [[{"x": array(3, 8, 8), "boxes": array(boxes, 4)}] for boxes in (2, 3)],
            [1, 1],
        ),
    ],
    ids=[
        "images",
        "sizes",
        "boxes",
        "texts",
        "scalars",
        "as many channels as records",
        "mappings",
        "as many boxes as channels",
    ],
)
def test_list_of_records(batch_size, batches, counts, array):
    """A list that is as long as a batch, and as what is in it is not, is one of records."""
    count = record_counter(Loader(batch_size, 9))

    assert counts == [count(batch) for batch in batches(array)]


@pytest.mark.parametrize(
    ("batch_size", "batches", "counts"),
    [
        (4, lambda array: [[array(4, 3), array(4)], [array(1, 3), array(1)]], [4, 1]),
        (2, lambda array: [[array(2, 3), array(2)], [array(1, 3), array(1)]], [2, 1]),
        (2, lambda array: [[array(7, 3), array(7), array(7)]], [7]),
        (2, lambda array: [(array(7, 3), array(7))], [7]),
        (2, lambda array: [{"x": array(7, 3), "y": array(7)}, array(5)], [7, 5]),
        (2, lambda array: [["a", "b"], ["c"]], [2, 1]),
        (2, lambda array: [["a", "b"], (array(3), array(3))], [2, 3]),
    ],
    ids=["usual", "as many columns as records", "other", "tuple", "no list", "plain", "mixed"],
)
def test_columns(batch_size, batches, counts, array):
    """All else is counted by what the batch itself says, whatever the batch size."""
    count = record_counter(Loader(batch_size, 9))

    assert counts == [count(batch) for batch in batches(array)]


@pytest.mark.parametrize(
    ("batch_size", "length", "continued"),
    [(None, 9, 0), ("4", 9, 0), (4, None, 0), (4, 1, 0), (4, 9, 8), (4, 9, 20)],
)
def test_no_telling_batch(batch_size, length, continued, array):
    """Without a batch size, or a batch known not to be the last of its pass, the arrays decide."""
    count = record_counter(Loader(batch_size, length), continued=continued)

    assert 3 == count([array(3, 8, 8)] * 4)


def test_loader_that_tells_nothing(array):
    """A loader without a batch size changes nothing."""
    assert count_records is record_counter([[array(3, 8, 8)] * 4] * 9)


def test_continued_pass(array):
    """A batch in the middle of a pass tells as much as its first one."""
    count = record_counter(Loader(4, 9), continued=7)

    assert 4 == count([array(3, 8, 8)] * 4)


def test_two_readings_with_a_batch_size(array):
    """Where the batch size fits neither the list nor its columns, the batch stays an error."""
    count = record_counter(Loader(3, 9))

    with pytest.raises(UncountableBatch):
        count([{"x": array(4)}, {"y": array(4)}])


@pytest.mark.parametrize(
    "batch", [lambda array: [], lambda array: [array(0, 4)]], ids=["no items", "no records"]
)
def test_first_batch_without_records(batch, array):
    """A batch without records is refused whether or not it is as long as a batch."""
    count = record_counter(Loader(1, 9))

    with pytest.raises(EmptyBatch):
        count(batch(array))


def test_later_batch_without_records(array):
    """A list of no records is refused where lists are read as records."""
    count = record_counter(Loader(4, 9))
    count([array(3, 8, 8)] * 4)

    with pytest.raises(EmptyBatch):
        count([])


@given(st.integers(1, 5), st.integers(1, 5), st.integers(1, 5), st.integers(0, 4))
def test_both_readings_are_exact(batch_size, size, full, rest):
    """Over a pass, columns and lists of like records count to the size of the dataset alike."""
    array = type("Array", (), {"__init__": lambda self, *shape: setattr(self, "shape", shape)})
    sizes = [batch_size] * (full + 1) + [min(rest, batch_size)] * (rest > 0)
    of_records, of_columns = (record_counter(Loader(batch_size, len(sizes))) for _ in "ab")

    assert (sizes, sizes) == (
        [of_records([array(size, 8)] * records) for records in sizes],
        [of_columns([array(records, 8)] * size) for records in sizes],
    )
