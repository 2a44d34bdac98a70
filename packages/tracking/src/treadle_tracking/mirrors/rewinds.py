"""Where a run's attempts went back, in tags: points that MLflow keeps of them, and that a reader leaves out."""

import json
from collections.abc import Mapping
from itertools import count

from treadle_tracking.clock import milliseconds
from treadle_tracking.entries import Rewound

__all__ = ["ATTEMPTS_TAG", "Attempts"]

ATTEMPTS_TAG = "treadle.attempts"
_IN_A_TAG = 100  # of at most 78 characters each; MLflow cuts a tag at 8,000 without a word


class Attempts:
    """One `[start, after, step]` for every time that a run went back, in the order of their starts.

    `start` and `after` are milliseconds since the epoch, `after` may be null. A point from before `start` was cut if
    it is later than `after`, or, without one, if its step is `step` or beyond.

    Args:
        tags: The tags that the run has.
    """

    def __init__(self, tags: Mapping[str, str]) -> None:
        self._rewound: dict[int, list[int | None]] = {}
        for number in count():
            try:
                rewound = json.loads(tags[_tag(number)])
                self._rewound |= {
                    int(start): [start, after, step] for start, after, step in rewound
                }
            except (KeyError, ValueError, TypeError):
                break

    def after(self, entry: Rewound) -> dict[str, str]:
        """The tags that say it, with one more; one that is there already changes nothing."""
        start = milliseconds(entry.wall_time)
        after = None if entry.after is None else milliseconds(entry.after)
        self._rewound[start] = [start, after, entry.step]
        rewound = [self._rewound[start] for start in sorted(self._rewound)]
        return {
            _tag(number): json.dumps(rewound[number * _IN_A_TAG : (number + 1) * _IN_A_TAG])
            for number in range(1 + (len(rewound) - 1) // _IN_A_TAG)
        }


def _tag(number: int) -> str:
    return ATTEMPTS_TAG if number == 0 else f"{ATTEMPTS_TAG}.{number}"
