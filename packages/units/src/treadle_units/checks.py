"""What a schedule refuses to be given, before anything is counted."""

from __future__ import annotations

from treadle_units.errors import (
    InvalidArgument,
    InvalidCount,
    InvalidUnit,
    UnknownEpochLength,
)
from treadle_units.limits import Length, Seconds
from treadle_units.progress import Progress
from treadle_units.records import empty_batch
from treadle_units.triggers import At, Every
from treadle_units.vocabulary import spell

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


def check_counts(
    records: int, batches: int, steps: int, epochs: int, counters: Mapping[str, int]
) -> None:
    """Refuse counts that are no plain integers, or batches without a record each.

    Raises:
        InvalidCount: A count is negative or no plain `int`, or there are records without a batch.
        EmptyBatch: There are batches, and no records.
    """
    if (
        type(records) is type(batches) is type(steps) is type(epochs) is int
        and 0 < batches <= records
        and steps >= 0
        and epochs >= 0
        and not counters
    ):
        return
    counts = {"records": records, "batches": batches, "steps": steps, "epochs": epochs}
    for name, count in {**counts, **counters}.items():
        if type(count) is not int or count < 0:
            raise InvalidCount(
                f"advance was given {name}={count!r} of type {type(count).__name__}; "
                "give a plain int, 0 or more"
            )
    if batches and not records:
        raise empty_batch()
    if records < batches:
        raise InvalidCount(
            f"advance was given {spell(records, 'records')} in {spell(batches, 'batches')}; "
            "a batch has at least one record"
        )
    if records and not batches:
        raise InvalidCount(
            f"advance was given {spell(records, 'records')} in 0 batches; "
            "count the batches that they came in"
        )


def check_counter(name: str) -> None:
    """Refuse a counter that no length can name, and that therefore nothing would ever look at.

    Raises:
        InvalidCount: The name is another spelling of a unit, is counted anyway, or is no name.
    """
    if name in ("batches", "steps", "epochs"):
        raise InvalidCount(f"{name}= cannot be a counter, since {name} are counted anyway")
    try:
        Length(1, name)
    except InvalidUnit as error:
        raise InvalidCount(f"{name}= is a counter that no limit can name: {error}") from None


def check_totals(progress: Progress) -> None:
    """Refuse totals into which the unchecked path of `advance` has added a float or a tensor.

    Raises:
        InvalidCount: A total is no plain `int`.
    """
    if type(progress.records) is type(progress.batches) is type(progress.steps) is int:
        return
    for name in ("records", "batches", "steps"):
        total = progress.total(name)
        if type(total) is not int:
            raise InvalidCount(
                f"{name} add up to {total!r} of type {type(total).__name__}; give advance plain ints"
            )


def check_fractions(
    wanted: Iterable[tuple[str, Length | Seconds | Every | At]], *, resolve: bool, epochs: int
) -> None:
    """Refuse fractions of epochs of unknown length, unless the first pass is to show it.

    Args:
        wanted: What has fractions of epochs, each with the name of its argument.
        resolve: Whether they may wait for the end of the first pass; then a log says that they do.
        epochs: The epochs ended so far.

    Raises:
        UnknownEpochLength: They cannot be placed, or are passed before they can be.
    """
    for name, length in wanted:
        if not resolve:
            raise UnknownEpochLength(
                f"{name}='{length}' needs the length of an epoch, which is not known; "
                "give batches_per_epoch=, use a loader with a length, or give "
                "resolve='first_epoch' to learn it from the first pass"
            )
        if isinstance(length, Length) and length.value < 1 and epochs == 0:
            raise UnknownEpochLength(
                f"{name}='{length}' would be passed before the first epoch has shown its length; "
                "give batches_per_epoch="
            )
        import logging

        logging.getLogger("treadle_units").info(
            "%s='%s' waits until the first pass has shown the length of an epoch", name, length
        )


def length_of_epoch(given: Length | str | None) -> Length | None:
    """Read the argument `epoch_length`.

    Raises:
        InvalidArgument: It is no length, or one in epochs.
    """
    length = Length.parse(given) if isinstance(given, str) else given
    if length is None or (isinstance(length, Length) and length.unit != "epochs"):
        return length
    raise InvalidArgument(
        f"epoch_length is {length}; give a length in records, batches, steps or a counter"
    )


def truth(name: str, value: bool) -> bool:  # noqa: FBT001  # what it is about
    """Read an argument that is true or false; a text such as `"false"` is neither.

    Raises:
        InvalidArgument: It is no `bool`.
    """
    if not isinstance(value, bool):
        raise InvalidArgument(f"{name} is {value!r}; give True or False")
    return value


def positive(name: str, value: int) -> int:
    """Read an argument that is at least 1.

    Raises:
        InvalidArgument: It is less, or no `int`.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise InvalidArgument(f"{name} is {value!r}; give an int, 1 or more")
    return int(value)
