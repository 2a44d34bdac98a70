"""Where a run's attempts went back, in tags: points that MLflow keeps of them, and that a reader leaves out."""

import json
from collections.abc import Mapping
from itertools import count
from typing import TypeAlias

from treadle_tracking.clock import milliseconds
from treadle_tracking.entries import Rewound

__all__ = ["ATTEMPTS_TAG", "Attempts"]

ATTEMPTS_TAG = "treadle.attempts"
_IN_A_TAG = 100  # of at most 78 characters each; MLflow cuts a tag at 8,000 without a word

_Rule: TypeAlias = tuple[int, int | None, int]


class Attempts:
    """One `[began, after, step]` for every time that a run went back, in the order of time.

    `began` and `after` are milliseconds since the epoch, `after` may be null. A point from before `began`, when the
    attempt began that went back, was cut if it is later than `after`, or, without one, if its step is `step` or beyond.

    Args:
        tags: The tags that the run has.
    """

    def __init__(self, tags: Mapping[str, str]) -> None:
        self._rules: set[_Rule] = set()
        for number in count():
            try:
                rewound = json.loads(tags[_tag(number)])
                self._rules |= {
                    (int(began), None if after is None else int(after), int(step))
                    for began, after, step in rewound
                }
            except (KeyError, ValueError, TypeError):
                break

    def __bool__(self) -> bool:
        return bool(self._rules)

    def keeps(self, step: int, time: int) -> bool:
        """Whether a point of this step and time, in milliseconds since the epoch, is of no abandoned attempt."""
        return not any(
            time < began and (step >= first if after is None else time > after)
            for began, after, first in self._rules
        )

    def after(self, entry: Rewound) -> dict[str, str]:
        """The tags that say it, with one more; one that is there already changes nothing."""
        after = None if entry.after is None else milliseconds(entry.after)
        self._rules.add((milliseconds(entry.began), after, entry.step))
        rules = sorted(self._rules, key=_order)
        return {
            _tag(number): json.dumps(rules[number * _IN_A_TAG : (number + 1) * _IN_A_TAG])
            for number in range(1 + (len(rules) - 1) // _IN_A_TAG)
        }


def _order(rule: _Rule) -> tuple[int, int, int]:
    began, after, step = rule
    return began, -1 if after is None else after, step


def _tag(number: int) -> str:
    return ATTEMPTS_TAG if number == 0 else f"{ATTEMPTS_TAG}.{number}"
