"""What TensorBoard shows of a run that was started again: what the part before has recorded beyond is superseded.

Of a file that says that it marks restarts (a version of 2 or more), every start of a session supersedes whatever was
recorded at its step and beyond, but for the very first one, which may come a little late; of a file that does not, a
step smaller than the one before supersedes what its own names have beyond it. (`plugin_event_accumulator.py` of
TensorBoard 2.21: `_MaybePurgeOrphanedData`. It takes a first start in a second file for the very first one, too, and
so would leave what torch's `purge_step` is to remove.) Most programs mark nothing and go on in a new file: there, as
TensorBoard's own server does, a name supersedes what files before have of it from the first step on that it has in
the new one.
"""

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import Any, Self

from attrs import asdict, define, field

__all__ = ["Cutoffs", "Restarts", "Superseded"]

Superseded = tuple[str | None, int]
"""A name, or all of them where it is None, and the first step of what is superseded of it."""

_VERSION = re.compile(r"brain\.Event:(\d+)")
_MARKED = 2


@define
class Restarts:
    """What the events of a run's files supersede, told as they are read in their order."""

    version: int = 0
    latest: int = 0  # the step of the last values
    files: int = 0
    has_started: bool = False
    greatest: dict[str, int] = field(factory=dict)  # step, by name
    seen: dict[str, None] = field(factory=dict)  # names in this file

    def begin_file(self) -> None:
        """The next event is the first of a file."""
        self.files += 1
        self.seen = {}

    def told_version(self, text: str) -> None:
        """An event says which version the file is of."""
        found = _VERSION.match(text)
        self.version = int(found[1][:9]) if found else 0

    def started(self, step: int) -> Sequence[Superseded]:
        """A session starts at this step."""
        if self.version < _MARKED:
            return []
        is_first = not self.has_started and self.files <= 1
        self.has_started = True
        if is_first:
            return []
        found: list[Superseded] = [(None, step)] if self._reaches(self.greatest, step) else []
        for name in self.greatest if found else ():
            self.greatest[name] = min(self.greatest[name], step - 1)
        return found

    def points(self, step: int, points: Sequence[tuple[str, float]]) -> Sequence[Superseded]:
        """There are numbers, as names and values, at this step."""
        greatest, seen = self.greatest, self.seen
        if self.latest <= step:
            # What nearly every event comes to.
            for name, _ in points:
                if name not in seen or greatest[name] > step:
                    break
                greatest[name] = step
            else:
                self.latest = step
                return ()
        return self.values(step, [name for name, _ in points])

    def values(self, step: int, names: Iterable[str]) -> Sequence[Superseded]:
        """There are values of these names, at this step."""
        greatest, seen = self.greatest, self.seen
        is_back = self.version < _MARKED and step < self.latest
        self.latest = step
        found: list[Superseded] = []
        for name in names:
            if name in greatest:
                if greatest[name] < step:
                    greatest[name] = step
                elif is_back or name not in seen:
                    found.append((name, step))
                    greatest[name] = step
            else:
                greatest[name] = step
            seen[name] = None
        return found

    def _reaches(self, names: Iterable[str], step: int) -> bool:
        return any(self.greatest[name] >= step for name in names)

    def as_json(self) -> dict[str, Any]:
        """As JSON can hold it, to go on from later."""
        return asdict(self)

    @classmethod
    def of_json(cls, found: dict[str, Any]) -> Self:
        """What `as_json` was made of."""
        return cls(**found)


@define
class Cutoffs:
    """Everything that is superseded in a run's files, found beforehand; then asked for each value in the same order."""

    _found: dict[str | None, list[tuple[int, int]]] = field(factory=dict)  # (event, step) by name

    @property
    def is_empty(self) -> bool:
        """Whether nothing is."""
        return not self._found

    def add(self, event: int, superseded: Iterable[Superseded]) -> None:
        """Event `event`, counted from the first, supersedes this."""
        for name, step in superseded:
            self._found.setdefault(name, []).append((event, step))

    def close(self) -> None:
        """There is no more: of each event, note the smallest step that is superseded after it."""
        for found in self._found.values():
            least: int | None = None
            for place in range(len(found) - 1, -1, -1):
                event, step = found[place]
                least = step if least is None else min(least, step)
                found[place] = (event, least)

    def keeps(self, event: int, name: str, step: int) -> bool:
        """Whether nothing after event `event` supersedes a value of it."""
        return not any(self._is_cut(found, event, step) for found in self._of(name))

    def _of(self, name: str) -> list[list[tuple[int, int]]]:
        return [self._found[key] for key in (None, name) if key in self._found]

    @staticmethod
    def _is_cut(found: list[tuple[int, int]], event: int, step: int) -> bool:
        after = bisect_right(found, event, key=lambda one: one[0])
        return after < len(found) and step >= found[after][1]
