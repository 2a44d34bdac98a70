import re
from fractions import Fraction
from itertools import count, repeat

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from treadle_units import (
    At,
    Batches,
    EmptyEpoch,
    Every,
    InvalidArgument,
    Length,
    Schedule,
    parse,
)
from treadle_units.explanation import explain
from treadle_units.geometry import UNITS, Geometry
from treadle_units.triggers import as_trigger


class Endless:
    """A loader without a length whose pass has no end."""

    def __init__(self, batch):
        self.batch = batch

    def __iter__(self):
        return repeat(self.batch)


def explained(until, geometry=None, **arguments):
    """The table, with the arguments of a schedule; a final line break reads better in a test."""
    own = {
        name: arguments.pop(name)
        for name in ("epoch_length", "batches_per_epoch") & arguments.keys()
    }
    triggers = {name: as_trigger(name, value) for name, value in arguments.items()}
    return explain(parse(until), triggers, geometry, **own) + "\n"


def difference(geometry, batch):
    """What a batch adds."""
    before, after = geometry.at_batch(batch - 1), geometry.at_batch(batch)
    return (
        after.records - before.records,
        1,
        after.steps - before.steps,
        after.epochs - before.epochs,
    )


def happening(schedule, geometry):
    """Run a schedule over data of such sizes, and return at which batches each name is due."""
    due = []
    if geometry.remainder != "flush":
        # Somebody else's loop, which says itself when it steps.
        for batch in count(1):
            names = schedule.advance(*difference(geometry, batch))
            due += [(name, batch) for name in names]
            if schedule.finished:
                break
    else:
        loader = Endless([0] * geometry.records_per_batch)
        if geometry.dataset_size is not None:
            of_pass = range(1, geometry.batches_per_epoch + 1)
            loader = [[0] * difference(geometry, batch)[0] for batch in of_pass]
        for _ in schedule.batches(loader, accumulate=geometry.accumulate):
            due += [(name, schedule.progress.batches) for name in schedule.due()]
    return {name: [batch for whose, batch in due if whose == name] for name, _ in due}


def shown(batches):
    """The cells of a row for these batches; there are less than 10 000."""
    if not batches:
        return ["never reached"]
    then = f"batch {batches[1]}" if len(batches) > 1 else "-"
    return [f"batch {batches[0]}", then, f"batch {batches[-1]}", f"{len(batches)}"]


def cells(line):
    """The cells of a printed row, but for its name and trigger."""
    found = re.split(r"  +", line.strip())[2:]
    return [re.sub(r" \(.*\)", "", cell) for cell in found]


@st.composite
def lengths(draw, units, most=90):
    unit = draw(st.sampled_from(units))
    if unit == "epochs":
        return Length(Fraction(draw(st.integers(1, 20)), draw(st.integers(1, 6))), unit)
    return Length(draw(st.integers(1, most)), unit)


@st.composite
def triggers(draw, units):
    length = draw(lengths(units, most=30))
    if draw(st.integers(0, 3)) == 0:
        values = draw(st.lists(st.integers(1, 8), min_size=1, max_size=3))
        return At([length * value for value in values])
    parts = draw(st.integers(1, 3)) if length.unit == "epochs" else 1
    offset = draw(st.sampled_from([0, 0, 0, *range(1, 20)]))
    return Every(length, offset=Fraction(offset, parts), at_end=draw(st.booleans()))


@st.composite
def plans(draw):
    """A geometry, a limit, triggers, and the arguments of a schedule that belong to them."""
    arguments = {}
    units = UNITS
    if draw(st.integers(0, 3)) == 0:
        arguments["epoch_length"] = draw(lengths(("records", "batches", "steps"), most=40))
    dataset_size = draw(st.one_of(st.none(), *[st.integers(1, 60)] * 5))
    if dataset_size is None and not arguments:
        units = ("records", "batches", "steps")
    batch_size, world_size = draw(st.integers(1, 12)), draw(st.integers(1, 3))
    full = dataset_size is None or dataset_size >= batch_size * world_size
    sizes = Geometry(
        batch_size,
        dataset_size=dataset_size,
        world_size=world_size,
        drop_last=full and draw(st.booleans()),
    )
    most = 5 if dataset_size is None else min(5, sizes.batches_per_epoch)
    remainder = draw(st.sampled_from(("flush", "flush", "carry", "drop")))
    geometry = Geometry(
        batch_size,
        dataset_size=dataset_size,
        accumulate=draw(st.integers(1, most if remainder == "drop" else 5)),
        world_size=world_size,
        drop_last=sizes.drop_last,
        remainder=remainder,
    )
    if remainder != "flush" and dataset_size is not None and not arguments:
        arguments["batches_per_epoch"] = geometry.batches_per_epoch
    until = draw(lengths(units))
    if draw(st.booleans()):
        until |= draw(lengths(units))
    names = {f"trigger{number}": draw(triggers(units)) for number in range(draw(st.integers(1, 4)))}
    return geometry, until, names, arguments


@settings(max_examples=400)
@given(plans())
def test_equals_a_schedule(plan):
    """A schedule run over data of these sizes is due first, next, last and as often as it says."""
    geometry, until, named, arguments = plan
    due = happening(Schedule(until, **arguments, **named), geometry)
    table = explain(until, named, geometry, **arguments).splitlines()

    assert [shown(due.get(name, [])) for name in named] == [cells(line) for line in table[2:]]


@settings(max_examples=100)
@given(
    st.integers(1, 40),
    st.integers(2, 40),
    st.integers(1, 39),
    st.integers(0, 30),
    st.integers(1, 200),
)
def test_batches_longer_than_the_grid(batch_size, full, every, offset, batches):
    """Where a batch jumps over several points, each such batch is counted once."""
    geometry = Geometry(batch_size, dataset_size=batch_size * full // 2 + 1)
    named = {"log": Every(Length(every, "records"), offset=offset)}
    due = happening(Schedule(Batches(batches), **named), geometry)
    table = explain(Batches(batches), named, geometry).splitlines()

    assert shown(due.get("log", [])) == cells(table[2])


def test_limit_of_several_kinds():
    """The table of a run that time may end before, with a trigger that it never comes to."""
    table = explained(
        "10 epochs | 2 h",
        Geometry(32, dataset_size=1437, accumulate=4),
        validate=Every("1 epoch", at_end=True),
        save=Every("500 steps", at_end=True),
        log="50 steps",
        hist="100k records",
    )

    assert (
        """\
until 10 epochs | 2 h, at most 14_370 records, 450 batches, 120 steps, 10 epochs
            every              first      then       last       times
  validate  1 epoch, at end    batch 45   batch 90   batch 450  10
  save      500 steps, at end  batch 450  -          batch 450  1
  log       50 steps           batch 188  batch 376  batch 376  2
  hist      100k records       never reached (14_370)
"""
        == table
    )


def test_data_without_end():
    """The table of a long run over one pass without an end."""
    table = explained(
        "600k steps",
        Geometry(96),
        log="10 steps",
        validate=Every("2k steps", at_end=True),
        checkpoint=Every("2k steps", at_end=True),
    )

    assert (
        """\
until 600k steps = 57_600_000 records, 600_000 batches
              every             first       then        last           times
  log         10 steps          batch 10    batch 20    batch 600_000  60_000
  validate    2k steps, at end  batch 2000  batch 4000  batch 600_000  300
  checkpoint  2k steps, at end  batch 2000  batch 4000  batch 600_000  300
"""
        == table
    )


def test_without_sizes():
    """The table of a run over passes of unknown length says what is known, and `?` otherwise."""
    table = explained("3 epochs", v="1 epoch", log="50 batches")

    assert (
        """\
until 3 epochs: the length of an epoch is not known
       every       first          then       last  times
  v    1 epoch     end of pass 1  each pass  ?     ?
  log  50 batches  batch 50       batch 100  ?     ?
"""
        == table
    )


def test_all_that_is_spelled():
    """Offsets, parts of epochs, several points, times and counters each have their spelling."""
    table = explained(
        "3/2 epochs | 1k batches",
        Geometry(4, dataset_size=12),
        half="1/2 epochs",
        log=Every("3 records", offset=1),
        show=At(["1 batch", "4 batches", "9 batches"]),
        many=At([f"{number}k records" for number in range(1, 7)]),
        save=Every("10 min", at_end=True),
        sample="2M tokens",
        frames="12345 count:frames",
    )

    assert (
        """\
until 3/2 epochs | 1k batches = 20 records, 5 batches, 5 steps
          every                                                   first    then     last     times
  half    1/2 epochs                                              batch 2  batch 3  batch 5  3
  log     3 records from 1                                        batch 1  batch 2  batch 5  5
  show    at 1 batch, 4 batches, 9 batches                        batch 1  batch 4  batch 4  2
  many    at 1k records, 2k records, 3k records, ..., 6k records  never reached (20)
  save    10 min, at end                                          ?        ?        batch 5  ?
  sample  2M tokens                                               ?        ?        ?        ?
  frames  12_345 count:frames                                     ?        ?        ?        ?
"""
        == table
    )


def test_epochs_that_are_lengths():
    """Where an epoch is a length, the table says which, and needs no length of a pass."""
    table = explained(
        "3 epochs",
        Geometry(4),
        epoch_length=Length(50, "records"),
        half="1/2 epochs",
        whole="1 epoch",
    )

    assert (
        """\
until 3 epochs = 152 records, 38 batches, 38 steps, where an epoch is 50 records
         every       first     then      last      times
  half   1/2 epochs  batch 7   batch 13  batch 38  6
  whole  1 epoch     batch 13  batch 25  batch 38  3
"""
        == table
    )


@pytest.mark.parametrize(
    ("until", "arguments", "first_line"),
    [
        ("4 batches", {}, "until 4 batches = 14 records, 4 steps, 1 epoch"),
        ("2 batches", {}, "until 2 batches = 8 records, 2 steps"),
        ("5/4 epochs", {}, "until 5/4 epochs = 14 records, 4 batches, 4 steps"),
        (
            "4 steps | 9 epochs",
            {},
            "until 4 steps | 9 epochs = 14 records, 4 batches, 4 steps, 1 epoch",
        ),
        (
            "6 batches",
            {"epoch_length": Length(7, "records")},
            "until 6 batches = 20 records, 6 steps, 2 epochs, where an epoch is 7 records",
        ),
    ],
)
def test_epochs_of_the_first_line(until, arguments, first_line):
    """The first line has the epochs that have ended, as the outcome of that run has."""
    geometry = Geometry(4, dataset_size=10)
    schedule = Schedule(until, never="99 epochs", **arguments)
    explained = schedule.explain(geometry).splitlines()
    assert sum(1 for _ in schedule.batches([[0] * 4, [0] * 4, [0] * 2]))
    ended = schedule.outcome.counts.epochs

    assert [first_line, f"  never  99 epochs  never reached ({ended})"] == explained[::2]


def test_no_geometry():
    """A loader in the place of its sizes is refused, with how sizes are written."""
    with pytest.raises(InvalidArgument) as raised:
        Schedule("1 epoch").explain([[0]])

    assert (
        "geometry is [[0]]; give the sizes of the data, such as Geometry(32, dataset_size=1437)"
    ) == str(raised.value)


def test_parts_of_steps():
    """Where an epoch is two steps, each quarter of it is due with the step that crosses it."""
    table = explained(
        "11 batches", Geometry(4, accumulate=3), epoch_length=Length(2, "steps"), part="1/4 epochs"
    )

    assert ["batch 3", "batch 6", "batch 11", "4"] == cells(table.splitlines()[2])


def test_time_alone():
    """A run that nothing but time ends has no last batch, and its grids begin as they do."""
    table = explained(
        "2 h",
        Geometry(4, accumulate=2),
        save=Every("500 batches", at_end=True),
        log="10 steps",
        once=At("100 records"),
    )

    assert (
        """\
until 2 h: its length in batches is not known
        every                first      then        last  times
  save  500 batches, at end  batch 500  batch 1000  ?     ?
  log   10 steps             batch 20   batch 40    ?     ?
  once  at 100 records       batch 25   -           ?     ?
"""
        == table
    )


def test_passes_of_unknown_length():
    """Where a pass may end anywhere, it may shorten batches and windows, so they are not told."""
    table = explained(
        "100 batches",
        Geometry(4, accumulate=2),
        validate=Every("2 epochs", at_end=True),
        half="1/2 epochs",
        once=At(["1 epoch", "3 epochs"]),
        first=At("2 epochs"),
        log="10 steps",
        hist="10 records",
        save="30 batches",
    )

    assert (
        """\
until 100 batches
            every                 first          then           last       times
  validate  2 epochs, at end      end of pass 2  end of pass 4  batch 100  ?
  half      1/2 epochs            ?              ?              ?          ?
  once      at 1 epoch, 3 epochs  end of pass 1  end of pass 3  ?          ?
  first     at 2 epochs           end of pass 2  -              ?          ?
  log       10 steps              ?              ?              ?          ?
  hist      10 records            ?              ?              ?          ?
  save      30 batches            batch 30       batch 60       batch 90   3
"""
        == table
    )


@pytest.mark.parametrize("geometry", [Geometry(4), Geometry(4, accumulate=2, remainder="carry")])
def test_windows_that_nothing_cuts(geometry):
    """Steps are told without the length of a pass where its end does not cut a window."""
    table = explained("100 batches", geometry, validate="1 epoch", log="10 steps")
    first = 10 * geometry.accumulate

    assert [f"batch {first}", f"batch {2 * first}", "batch 100", f"{100 // first}"] == cells(
        table.splitlines()[3]
    )


def test_batches_per_epoch_alone():
    """The batches of a pass place epochs; how many records they have is still not known."""
    table = explained("90 batches", batches_per_epoch=30, v="1/3 epochs", log="5 records")

    assert (
        """\
until 90 batches = 3 epochs
       every       first     then      last      times
  v    1/3 epochs  batch 10  batch 20  batch 90  9
  log  5 records   ?         ?         ?         ?
"""
        == table
    )


def test_batches_per_epoch_with_a_batch_size():
    """The batches of a pass cut windows, also where the size of the data is not known."""
    table = explained(
        "2 epochs", Geometry(8, accumulate=4), batches_per_epoch=10, log="1 step", hist="9 records"
    )

    assert (
        """\
until 2 epochs = 20 batches, 6 steps
        every      first    then     last      times
  log   1 step     batch 4  batch 8  batch 20  6
  hist  9 records  ?        ?        ?         ?
"""
        == table
    )


def test_end_closes_the_window():
    """The step that the end of a run makes is counted, unless the loop carries its windows."""
    flush = explained("6 batches", Geometry(1, accumulate=4), log="2 steps").splitlines()
    carry = explained(
        "6 batches", Geometry(1, accumulate=4, remainder="carry"), log="2 steps"
    ).splitlines()

    assert ["until 6 batches = 6 records, 2 steps", ["batch 6", "-", "batch 6", "1"]] == [
        flush[0],
        cells(flush[2]),
    ]
    assert ["until 6 batches = 6 records, 1 step", ["never reached"]] == [carry[0], cells(carry[2])]


def test_limit_alone():
    """Without triggers there is only the line of the limit."""
    assert [
        "until 10 batches\n",
        "until 10 records = 12 records, 3 batches, 3 steps\n",
        "until 3 epochs | 2 h: the length of an epoch is not known\n",
        "until 2M tokens: its length in batches is not known\n",
        "until 100 batches | 2 h, at most 100 batches\n",
    ] == [
        explained("10 batches"),
        explained("10 records", Geometry(4)),
        explained("3 epochs | 2 h"),
        explained("2M tokens", Geometry(4, dataset_size=10)),
        explained("100 batches | 2 h"),
    ]


def test_long_runs():
    """A run of any length is told at once, also where batches jump over points."""
    table = explained(
        "1G epochs",
        Geometry(1000, dataset_size=1_000_000_001),
        each="999 records",
        some="17 records",
    )

    assert (
        """\
until 1G epochs = 1_000_000_001_000_000_000 records, 1_000_001_000_000_000 batches, \
1_000_001_000_000_000 steps
        every        first    then     last                         times
  each  999 records  batch 1  batch 2  batch 1_000_000_999_999_999  1_000_000_001_001_001
  some  17 records   batch 1  batch 2  batch 1_000_000_999_999_999  1_000_000_058_823_529
"""
        == table
    )


def test_contradiction():
    """Two lengths of a pass are refused, since the table could follow only one of them."""
    with pytest.raises(InvalidArgument) as raised:
        explained("1 epoch", Geometry(4, dataset_size=10), batches_per_epoch=4)

    assert (
        "batches_per_epoch is 4, but a pass of the geometry has 3 batches; "
        "make them equal, or give only one"
    ) == str(raised.value)


def test_windows_that_never_close():
    """Passes too short for a window that is dropped at their end are refused."""
    with pytest.raises(EmptyEpoch) as raised:
        explained("1 epoch", Geometry(4, accumulate=4, remainder="drop"), batches_per_epoch=3)

    assert (
        "a pass has 0 steps: its 3 batches are less than a window, with accumulate=4 and "
        "remainder='drop'; give a smaller accumulate, or remainder='flush' or 'carry'"
    ) == str(raised.value)
