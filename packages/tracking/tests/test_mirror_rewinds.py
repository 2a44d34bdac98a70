"""Where a run's attempts went back, as MLflow keeps it."""

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from treadle_tracking.entries import Rewound
from treadle_tracking.mirrors.rewinds import Attempts

REWOUND = st.builds(
    Rewound,
    wall_time=st.just(60.0),
    began=st.integers(0, 50).map(float),
    step=st.integers(-(2**63), 2**63 - 1),
    after=st.none() | st.floats(0, 1e12),
)


def test_each_time_is_one_element():
    """Start of the attempt, time of what was kept, and step; null where the step decides."""
    attempts = Attempts({})
    attempts.after(Rewound(wall_time=21.0, began=20.0, step=7, after=12.5))

    actual = attempts.after(Rewound(wall_time=11.0, began=10.0014, step=5))

    assert {"treadle.attempts": "[[10001, null, 5], [20000, 12500, 7]]"} == actual


def test_an_attempt_may_go_back_twice():
    """Each time has a rule of its own, and all of them hold."""
    attempts = Attempts({})
    attempts.after(Rewound(wall_time=21.0, began=20.0, step=3))
    attempts.after(Rewound(wall_time=22.0, began=20.0, step=5))

    actual = attempts.after(Rewound(wall_time=23.0, began=20.0, step=4, after=15.0))

    assert {"treadle.attempts": "[[20000, null, 3], [20000, null, 5], [20000, 15000, 4]]"} == actual


def test_one_that_is_there_changes_nothing():
    """A log that is sent again says what MLflow has already."""
    tags = Attempts({}).after(Rewound(wall_time=20.0, began=20.0, step=7, after=12.5))

    assert tags == Attempts(tags).after(Rewound(wall_time=20.0, began=20.0, step=7, after=12.5))


def test_what_an_attempt_abandoned_is_told_by_time_or_step():
    """A point is left out where it is from before a return and later than what was kept, or of its step or beyond."""
    attempts = Attempts({"treadle.attempts": "[[10000, null, 5], [20000, 12500, 7]]"})

    kept = [
        (step, time)
        for step, time in [(4, 9999), (5, 9999), (5, 10_000), (0, 12_500), (0, 12_501), (9, 20_000)]
        if attempts.keeps(step, time)
    ]

    assert [(4, 9999), (5, 10_000), (0, 12_500), (9, 20_000)] == kept
    assert [True, False] == [bool(attempts), bool(Attempts({}))]


def test_very_many_are_in_several_tags():
    """MLflow cuts a tag at 8,000 characters without a word, so that none has more."""
    tags, last = {}, 2**63 - 1
    for number in range(250):
        entry = Rewound(wall_time=9e12 + number, began=9e12 + number, step=-last, after=9e12)
        tags |= Attempts(tags).after(entry)

    lengths = [len(json.loads(text)) for text in tags.values()]
    assert {
        "treadle.attempts": 100,
        "treadle.attempts.1": 100,
        "treadle.attempts.2": 50,
    } == dict(zip(tags, lengths, strict=True))
    assert max(map(len, tags.values())) <= 8_000


def test_tags_of_somebody_elses_are_begun_anew():
    """What is no list of ours is written over."""
    for text in ("", "{}", "[1]", '["a"]', "[[]]", "null"):
        actual = Attempts({"treadle.attempts": text}).after(
            Rewound(wall_time=1.0, began=1.0, step=1)
        )

        assert {"treadle.attempts": "[[1000, null, 1]]"} == actual


@settings(deadline=None, max_examples=50)
@given(st.lists(REWOUND, max_size=8), st.data())
def test_the_order_of_sending_does_not_matter(rewound, data):
    """Replays and overlaps end in the same tags."""
    shuffled = data.draw(st.permutations(rewound + rewound))

    def sent(entries):
        tags = {}
        for entry in entries:
            tags |= Attempts(tags).after(entry)
        return tags

    assert sent(rewound) == sent(shuffled)
