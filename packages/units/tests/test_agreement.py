import json
from fractions import Fraction
from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from treadle_units import At, EmptyEpoch, Every, Schedule, parse

PASSES = 4
WHOLE = st.integers(1, 12)
AMOUNTS = {
    unit: st.builds(f"{{}} {unit}".format, WHOLE)
    for unit in ("records", "batches", "steps", "tokens", "s")
}
AMOUNTS["epochs"] = st.builds("{}/{} epochs".format, st.integers(1, 7), st.integers(1, 5))
UNITS = ("records", "batches", "steps", "epochs", "tokens", "s")
COUNTED = ("records", "batches", "steps")
ALMOST = Fraction(10**6 - 1, 10**6)
"""All of a pass but its end."""


class Unsized:
    """A loader without a length, with another list of batches in each pass."""

    def __init__(self, passes):
        self.passes = passes
        self.begun = 0

    def __iter__(self):
        self.begun += 1
        return iter(self.passes[min(self.begun, len(self.passes)) - 1])


class Sized(Unsized):
    """The same with the length of the coming pass."""

    def __len__(self):
        return len(self.passes[min(self.begun, len(self.passes) - 1)])


class Clock:
    """A clock that is moved by hand."""

    now = 0.0

    def __call__(self):
        return self.now


class Batch(list):
    """Records, the tokens in them, and the seconds until the next batch."""

    def __init__(self, records, tokens, seconds):
        super().__init__(range(records))
        self.tokens = tokens
        self.seconds = seconds


class Row(NamedTuple):
    """What a schedule says at a batch."""

    due: tuple
    step_now: bool
    finished: bool
    counts: tuple


@st.composite
def triggers(draw, units):
    """A trigger of one of these units."""
    unit = draw(st.sampled_from(units))
    if draw(st.integers(0, 3)) == 0:
        return At(draw(st.lists(AMOUNTS[unit], min_size=1, max_size=4)))
    offsets = st.fractions(0, 3, max_denominator=4) if unit == "epochs" else st.integers(0, 9)
    return Every(draw(AMOUNTS[unit]), offset=draw(offsets), at_end=draw(st.booleans()))


@st.composite
def arguments(draw, units):
    """Arguments of a schedule."""
    limits = st.sampled_from(units).flatmap(AMOUNTS.get)
    return {
        "until": " | ".join(draw(st.lists(limits, min_size=1, max_size=2))),
        "epoch_length": draw(st.sampled_from([None, None, "3 records", "2 batches", "2 steps"])),
        **{name: draw(triggers(units)) for name in "abc"},
    }


def batches(*, others):
    """A batch, with tokens and time or without."""
    if not others:
        return st.builds(Batch, st.integers(1, 5), st.just(0), st.just(0))
    return st.builds(
        Batch, st.integers(1, 5), st.integers(0, 3), st.sampled_from([0, 0.25, 0.5, 1.5])
    )


def crossed(trigger, before, after):
    """Whether a point of a trigger lies beyond one count and not beyond another, by trying them."""
    if isinstance(trigger, At):
        return any(before < length.value <= after for length in trigger.lengths)
    point = trigger.offset
    while point <= before:
        point += trigger.length.value
    return point <= after


def by_definition(arguments, passes, excused=()):
    """The rows of a run, from what limits and triggers mean alone, and whether a pass is empty.

    Args:
        arguments: Of the schedule.
        passes: Lists of (batch, part of the pass that lies behind after it, window).
        excused: The numbers of the passes of which nobody knows all that they have added.
    """
    until = parse(arguments["until"]).alternatives
    length = parse(arguments["epoch_length"]) if arguments["epoch_length"] else None
    here = dict.fromkeys((*COUNTED, "tokens", "seconds", "epochs"), 0)
    waiting, waited, rows = 0, 0, []
    for number, batches in enumerate(passes):
        for batch, part, window in batches:
            before = dict(here)
            here["seconds"] += Fraction(waited)
            waited = batch.seconds
            here["records"] += len(batch)
            here["batches"] += 1
            here["tokens"] += batch.tokens
            waiting += 1
            steps = waiting >= window or part == 1
            here["steps"] += steps
            here["epochs"] = here[length.unit] / Fraction(length.value) if length else number + part
            ends = any(here[goal.unit] >= goal.value for goal in until)
            if ends and not steps:
                steps = True
                here["steps"] += 1
                if length:
                    here["epochs"] = here[length.unit] / Fraction(length.value)
            waiting = 0 if steps else waiting
            due = tuple(
                name
                for name in "abc"
                if crossed(
                    arguments[name], before[arguments[name].unit], here[arguments[name].unit]
                )
                or (ends and arguments[name].at_end)
            )
            counts = (*(here[unit] for unit in COUNTED), here["epochs"] // 1, here["tokens"])
            rows.append(Row(due, steps, ends, counts))
            if ends:
                return rows, False
        added = sum(batch.tokens for batch, _, _ in batches)
        if {goal.unit for goal in until} == {"tokens"} and not added and number not in excused:
            return rows, True
    return rows, False


def row_of(schedule):
    progress = schedule.progress
    counts = [progress.total(unit) for unit in (*COUNTED, "epochs", "tokens")]
    return Row(schedule.due(), schedule.step_now, schedule.finished, tuple(counts))


def walked(schedule, clock, loader, most, **arguments):
    """The rows of a loop, and what it raised."""
    rows = []
    if schedule.finished or not most:
        return rows, ""
    try:
        for batch in schedule.batches(loader, **arguments):
            rows.append(row_of(schedule))
            clock.now += batch.seconds
            if len(rows) == most:
                break
    except EmptyEpoch as error:
        return rows, str(error)
    return rows, ""


def told(schedule, clock, passes, expected):
    """The rows of `advance` with the same counts, and what `end_epoch` raised."""
    rows = []
    flat = [(batch, part) for batches in passes for batch, part, _ in batches]
    for (batch, part), row in zip(flat, expected, strict=False):
        tokens = {"tokens": batch.tokens} if batch.tokens else {}
        schedule.advance(len(batch), 1, int(row.step_now), int(part == 1), **tokens)
        # A loop that is told what happened knows by itself whether it steps.
        rows.append(row_of(schedule)._replace(step_now=row.step_now))
        clock.now += batch.seconds
        if len(rows) == len(flat):
            break
        try:
            if part == 1 and not schedule.finished:
                schedule.end_epoch()
        except EmptyEpoch as error:
            return rows, str(error)
    return rows, ""


def parted(batches, window):
    """A pass as `by_definition` takes it."""
    return [(batch, Fraction(at, len(batches)), window) for at, batch in enumerate(batches, 1)]


@settings(max_examples=250, deadline=None)
@given(data=st.data(), others=st.booleans(), window=st.integers(1, 4))
def test_ways_of_counting_agree(data, others, window):
    """A list, a loader without a length and a loop of one's own are due and end alike."""
    given_arguments = data.draw(arguments(UNITS if others else UNITS[:4]))
    length = data.draw(st.integers(1, 7))
    a_pass = st.lists(batches(others=others), min_size=length, max_size=length)
    passes = data.draw(st.lists(a_pass, min_size=PASSES, max_size=PASSES))
    expected, empty = by_definition(given_arguments, [parted(part, window) for part in passes])
    most = PASSES * length
    counters = {"tokens": lambda batch: batch.tokens} if others else {}
    found = []
    for way in (Sized, Unsized, told):
        clock = Clock()
        known = {} if way is Sized else {"batches_per_epoch": length}
        schedule = Schedule(clock=clock, **given_arguments, **known)
        if way is told:
            found.append(told(schedule, clock, [parted(part, 1) for part in passes], expected))
        else:
            ahead = None if way is Sized else True
            loop = {"accumulate": window, "lookahead": ahead, **counters}
            found.append(walked(schedule, clock, way(passes), most, **loop))
        found[-1] += (schedule.outcome,)

    assert (expected, empty and len(expected) < most) == (found[0][0], bool(found[0][1]))
    assert found[0] == found[1]
    assert found[0] == found[2]


@settings(max_examples=250, deadline=None)
@given(
    data=st.data(),
    records=st.integers(1, 24),
    sizes=st.tuples(st.integers(1, 6), st.integers(1, 6)),
    windows=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    told_length=st.booleans(),
)
def test_continued_loop_agrees(data, records, sizes, windows, told_length):
    """Continued from any batch with other batches, a loop is due and ends as if never stopped."""
    given_arguments = data.draw(arguments(UNITS))
    amounts = data.draw(st.lists(batches(others=True), min_size=1, max_size=9))

    def cut_up(count, size):
        """Batches of so many records in all."""
        drawn = (amounts[at % len(amounts)] for at in range(count))
        return [
            Batch(min(size, count - at), batch.tokens, batch.seconds)
            for at, batch in zip(range(0, count, size), drawn, strict=False)
        ]

    before, after = (cut_up(records, size) for size in sizes)
    most = data.draw(st.integers(0, 3 * len(before) - 1))
    whole, within = divmod(most, len(before))
    rest = cut_up(records - sum(map(len, before[:within])), sizes[1]) if within else after
    each = len(after) if told_length else len(before)
    # What lies behind is kept as a part of the pass; what is left of it goes on from there.
    base = Fraction(within, len(before))
    mixed = parted(before, windows[0])[:within] + [
        (batch, min(base + Fraction(at, each), ALMOST) if at < len(rest) else 1, windows[1])
        for at, batch in enumerate(rest, 1)
    ]
    passes = [parted(before, windows[0])] * whole + [
        mixed if within else parted(after, windows[1]),
        *[parted(after, windows[1])] * 2,
    ]
    # The end of a pass is looked at after its last body; saved in that body, it has not been yet.
    excused = (whole,) if within else (whole - 1, whole)
    expected, empty = by_definition(given_arguments, passes, excused if most else ())
    counters = {"tokens": lambda batch: batch.tokens}
    clock = Clock()
    schedule = Schedule(clock=clock, **given_arguments)
    found, error = walked(schedule, clock, Sized([before]), most, accumulate=windows[0], **counters)
    if len(found) == most and not error:
        state = json.loads(json.dumps(schedule.state_dict()))
        clock = Clock()
        clock.now = 5000.0
        known = {"batches_per_epoch": len(after)} if told_length else {}
        schedule = Schedule(clock=clock, **given_arguments, **known)
        schedule.load_state_dict(state)
        rows, error = walked(
            schedule,
            clock,
            Sized([rest, after]),
            sum(map(len, passes)) - most,
            accumulate=windows[1],
            **counters,
        )
        found += rows

    assert (expected, empty) == (found, bool(error))
