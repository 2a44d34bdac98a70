from treadle_units import Every, Schedule, Seconds


def test_time(clock):
    """Time ends a run at the first advance that sees it, and recurs on its own grid."""
    schedule = Schedule(Seconds(5), log="2 s", clock=clock)
    due = []
    while not schedule.finished:
        clock.now += 1.5
        due.append(schedule.advance(4))

    assert [(), ("log",), ("log",), ("log",)] == due


def test_clock_that_jumps_back(clock):
    """A clock that stalls or jumps back neither ends a run early nor fires twice."""
    schedule = Schedule("5 s", log="2 s", clock=clock)
    due = []
    for now in (102, 101, 50, 103.9, 104, 105):
        clock.now = now
        due.append(schedule.advance(4))

    assert [("log",), (), (), (), ("log",), ()] == due


def test_readings_that_stall_or_jump_back(clock):
    """A run of two seconds ends at the first batch at which two have passed since its start."""
    schedule = Schedule(Seconds(2), clock=clock)
    ends = []
    for now in (100.0, 100.0, 101.5, 101.5, 3.0, 101.75, 102.0):
        clock.now = now
        schedule.advance(4)
        ends.append(schedule.finished)

    assert ([False] * 6 + [True], "2 s") == (ends, str(schedule.outcome.limit))


def test_time_runs_from_the_start(clock):
    """Time before the first batch is time of the run."""
    schedule = Schedule("2 s", clock=clock)
    clock.now += 2

    assert ((), True) == (schedule.advance(4), schedule.finished)


def test_time_of_a_continued_run(clock):
    """What had elapsed is kept, whatever the clock of the new process says, and goes on."""
    before = Schedule("5 s", clock=clock)
    clock.now += 3
    before.advance(4)
    state = before.state_dict()
    clock.now = -7000.0
    after = Schedule("5 s", clock=clock)
    clock.now += 50
    after.load_state_dict(state)
    ends = []
    for _ in range(2):
        clock.now += 1
        after.advance(4)
        ends.append(after.finished)

    assert ([False, True], 5.0) == (ends, after.progress.seconds)


def test_end_by_time_is_in_a_body(clock, loader_of, fires_of):
    """The end by time is found with a batch in hand, and what is due at the end is due there."""

    class Slow(list):
        def __iter__(self):
            for batch in super().__iter__():
                clock.now += 2
                yield batch

    schedule = Schedule("5 s", clock=clock, save=Every("1k steps", at_end=True))
    fires = fires_of(schedule, Slow(loader_of(40, 4)))

    assert ([("save", 3)], ()) == (fires, schedule.due())
