"""What is timed of `treadle_units`: `advance` in a loop of one's own, and `batches`."""

from collections.abc import Callable, Iterator
from typing import Any

from harness import Row, again, timed

from treadle_units import Schedule

PASSES, BATCHES, RECORDS = 4, 1_000, 32
TRIGGERS: dict[str, Any] = {"validate": "1 epoch", "log": "100 steps", "save": "100k records"}
"""Three units, each due now and then: after 1_000, 100 and 3_125 batches of 32."""
FAR: dict[str, Any] = {"validate": "1G batches", "log": "1G steps", "save": "1G records"}
"""Never due in these runs."""

Run = Callable[[], int]
"""Goes over its batches once, and returns how often a name was due."""
Within = Callable[[Schedule], int]
"""Counts all batches of a pass but the last, and returns how often a name was due."""


def row(
    name: str,
    prepare: Callable[[], Run],
    *,
    batches: int = PASSES * BATCHES,
    gate: float | None = None,
    share: float | None = None,
) -> Row:
    """A row of seconds a batch, of which there are so many in a run, and of how often one is due."""
    due = prepare()()
    return Row(name, timed(prepare, count=batches), gate, share, str(due or ""))


def floor() -> Run:
    """Two increments and a comparison: the least that a loop with a limit does."""

    def run() -> int:
        records = batches = ends = 0
        limit = 10**9
        for _ in range(PASSES):
            for _ in range(BATCHES):
                records += 32
                batches += 1
                if records >= limit:
                    ends += 1
        return ends

    return run


def passes(within: Within, **triggers: Any) -> Callable[[], Run]:
    """A run of whole passes; the last batch of each tells its end, as a real loop does."""

    def prepare() -> Run:
        schedule = Schedule("1000 epochs", **(triggers or TRIGGERS))
        schedule.advance(RECORDS, 1, 1)  # the first call looks at everything, once a run

        def run() -> int:
            due = 0
            for _ in range(PASSES):
                due += within(schedule)
                due += len(schedule.advance(RECORDS, 1, 1, 1))
                schedule.end_epoch()
            return due

        return run

    return prepare


def positional(schedule: Schedule) -> int:
    """As hot code calls it."""
    due = 0
    for _ in range(BATCHES - 1):
        for _name in schedule.advance(32, 1, 1):
            due += 1
    return due


def finished(schedule: Schedule) -> int:
    """The same, with the look whether the run is over."""
    due = 0
    for _ in range(BATCHES - 1):
        for _name in schedule.advance(32, 1, 1):
            due += 1
        if schedule.finished:
            break
    return due


def by_keyword(schedule: Schedule) -> int:
    """The same, spelled out."""
    due = 0
    for _ in range(BATCHES - 1):
        for _name in schedule.advance(records=32, batches=1, steps=1):
            due += 1
    return due


def from_dict(schedule: Schedule) -> int:
    """The same with counts that another library made."""
    due, counts = 0, {"records": 32, "batches": 1, "steps": 1}
    for _ in range(BATCHES - 1):
        for _name in schedule.advance(**counts):
            due += 1
    return due


def with_tokens(schedule: Schedule) -> int:
    """With a further counter."""
    due = 0
    for _ in range(BATCHES - 1):
        for _name in schedule.advance(32, 1, 1, tokens=4096):
            due += 1
    return due


def advance_rows() -> list[Row]:
    """The rows of `advance`, the floor first and then the one that others are compared with.

    The gates are for a batch at which nothing is due, the cost that a loop pays for each; in a run
    some batches are due, and their share of the second row is the difference to the third.
    """
    least = row("two increments and a comparison", floor)
    return [
        least,
        row("for name in advance(32, 1, 1), in a run", passes(positional)),
        row("the same, nothing due", passes(positional, **FAR), gate=5),
        again(least),
        row("  and `if finished: break`", passes(finished, **FAR)),
        row("  by keyword: advance(records=32, ...)", passes(by_keyword, **FAR)),
        row("  advance(**counts)", passes(from_dict, **FAR)),
        row("  another trigger each hour", passes(positional, **FAR, report="1 h"), gate=8),
        row("  tokens=4096", passes(with_tokens, **FAR, sample="1G tokens")),
        row("a name due at each call", passes(positional, log="1 step")),
    ]


class Arrays:
    """An array as far as its records are counted."""

    __slots__ = ("shape",)

    def __init__(self) -> None:
        self.shape = (RECORDS, 10)


class Unsized:
    """A loader that does not say how many batches it has."""

    def __init__(self, batches: list[Any]) -> None:
        self.batches = batches

    def __iter__(self) -> Iterator[Any]:
        return iter(self.batches)


def floor_over(loader: list[list[int]]) -> Callable[[], Run]:
    """The floor over a loader, with the records counted from the batch."""

    def run() -> int:
        records = batches = ends = 0
        limit = 10**9
        for _ in range(PASSES):
            for batch in loader:
                records += len(batch)
                batches += 1
                if records >= limit:
                    ends += 1
        return ends

    return lambda: run


def over(
    loader: Any, triggers: dict[str, Any], *, look: bool = False, **settings: Any
) -> Callable[[], Run]:
    """A run of `batches` over a loader, with the look at what is due or without."""

    def prepare() -> Run:
        schedule = Schedule(f"{PASSES * BATCHES} batches", **triggers)
        batches = schedule.batches(loader, **settings)
        next(batches)  # the first one looks at everything, once a run

        def pass_over() -> int:
            for _ in batches:
                pass
            return 0

        def look_at_each() -> int:
            due = 0
            for _ in batches:
                for _name in schedule.due():
                    due += 1
            return due

        return look_at_each if look else pass_over

    return prepare


def batches_rows() -> list[Row]:
    """The rows of `batches`, the floor over the list of batches first."""
    lists = [list(range(RECORDS))] * BATCHES
    least = row("two increments, len(batch) and a comparison", floor_over(lists))
    return [
        least,
        row("for batch in batches(records=len), in a run", over(lists, TRIGGERS, records=len)),
        row("the same, nothing due", over(lists, FAR, records=len), gate=6),
        again(least),
        row("  and `for name in due()`", over(lists, FAR, look=True, records=len)),
        row("  accumulate=4", over(lists, FAR, accumulate=4, records=len)),
        row("  a loader without a length", over(Unsized(lists), FAR, records=len)),
        row("a batch is a list of ints", over(lists, FAR)),
        row("a batch is an array", over([Arrays()] * BATCHES, FAR)),
        row("a batch is [x, y], two arrays", over([[Arrays(), Arrays()]] * BATCHES, FAR)),
    ]
