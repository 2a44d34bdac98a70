import pytest

from treadle_units import (
    EmptyBatch,
    InvalidArgument,
    InvalidCount,
    Schedule,
    UncountableBatch,
    count_records,
)


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


@pytest.mark.parametrize("batch", [[1, 2, 3], ["a", "b", "c"], [{"x": 1}, {"x": 2}, {"x": 3}]])
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


@pytest.mark.parametrize("batch", [3, "text", object(), {"epoch": 3}, (1, 2)])
def test_silent_batch(batch):
    """A batch that says nothing is an error that asks for a function."""
    with pytest.raises(UncountableBatch) as raised:
        count_records(batch)

    assert (
        f"a batch of type {type(batch).__name__} does not say how many records it has; "
        "give records=, a function of the batch that returns how many records it has"
    ) == str(raised.value)


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


def test_no_function():
    """A number in the place of a function of the batch is refused at the call."""
    with pytest.raises(InvalidArgument) as raised:
        Schedule("10 records").batches([[1]], tokens=5)

    assert "tokens is 5; give a function of the batch" == str(raised.value)


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (4.0, "records= returned 4.0 of type float; return an int"),
        (True, "records= returned True of type bool; return an int"),
        (-1, "records= returned -1; return 0 or more"),
    ],
)
def test_function_returns_no_count(result, message):
    """A function that returns no count is an error, and nothing is counted."""
    schedule = Schedule("10 records")

    with pytest.raises(InvalidCount) as raised:
        next(schedule.batches([[1]], records=lambda _: result))

    assert (message, 0) == (str(raised.value), schedule.progress.batches)
