"""What a run has that its copy has not."""

import sys
from collections.abc import Collection, Iterable
from math import inf, isnan

from attrs import define, field

from treadle_tracking.clock import milliseconds
from treadle_tracking.copying.files import safe_path
from treadle_tracking.entries import Entry, Histogram, Image, Table, Text
from treadle_tracking.leaves import leaves
from treadle_tracking.mirrors.parameters import shown
from treadle_tracking.reading.points import Points
from treadle_tracking.reading.record import Contents, RunRecord

__all__ = ["Difference", "difference"]

_Points = dict[str, Points]
_GOES_ON = {"RUNNING", "UNFINISHED"}  # which MLflow cannot tell apart


@define
class Difference:
    """What a copy lacks, and where it is another."""

    lacking: list[str] = field(factory=list)  # in words
    files: list[str] = field(factory=list)  # lacking too; as mirrors name what they did not take
    other_tags: list[str] = field(factory=list)  # of another value, though none of the two is newer
    other_params: list[str] = field(factory=list)
    # Points of metrics that the run has, too, which are not its own any more: an attempt was taken back.
    abandoned: int = 0
    reopened: bool = False  # whether it has an end that the run has not any more

    @property
    def lacks(self) -> bool:
        """Whether something of the run is not there."""
        return bool(self.lacking or self.files)

    @property
    def is_any(self) -> bool:
        """Whether anything is not as it is in the run."""
        return self.lacks or bool(self.other_tags or self.other_params)

    def __str__(self) -> str:
        things = [*self.lacking, *map(repr, self.files)]
        return ", ".join(things[:5] + ([f"{len(things) - 5} more"] if len(things) > 5 else []))

    @property
    def conflicts(self) -> list[str]:
        """A sentence for each thing that is left as it is at the target."""
        return [
            *(f"the tag {name!r} has another value there" for name in self.other_tags),
            *(f"the parameter {name!r} has another value there" for name in self.other_params),
        ]


def difference(run: RunRecord, there: RunRecord) -> Difference:
    """What `there`, which has the uid of `run`, lacks of it: nothing if it is the newer of the two.

    Raises:
        TrackingError: one of the places cannot be reached.
    """
    found = Difference()
    mine, theirs = _histories(run), _histories(there)
    age = _latest(there, theirs) - _latest(run, mine)  # milliseconds
    if age > 0:
        return found
    is_newer = age < 0
    for name, points in mine.items():
        missing, strange = _compared(points, theirs.get(name))
        if missing:
            found.lacking.append(f"{_counted(missing, 'point')} of the metric {name!r}")
        if is_newer:
            found.abandoned += strange
    _compare_texts(run, there, found, is_newer=is_newer)
    _compare_status(run, there, found)
    own, other = run.contents, there.contents
    _compare_contents(own, other, found)
    if not found.lacking and not found.files and run.status in _GOES_ON:
        # What has ended was sent before its end. Of anything else, only every single entry tells.
        _compare_recordings(run, there, own, found)
    return found


def _histories(run: RunRecord) -> _Points:
    return {name: points for _, name, points in run.reader.histories([run])}


def _latest(run: RunRecord, histories: _Points) -> int:
    """When the run was written last, as far as is known, in milliseconds since the epoch."""
    if run.status not in _GOES_ON and run.ended is not None:
        return milliseconds(run.ended)
    times = (max(points.times) for points in histories.values() if len(points))
    return max([milliseconds(run.started), *times])


def _compared(mine: Points, theirs: Points | None) -> tuple[int, int]:
    """How many points of the one the other has not, and the other way round."""
    if theirs is None:
        return len(mine), 0
    if (mine.steps, mine.times, mine.values) == (theirs.steps, theirs.times, theirs.values):
        return 0, 0
    one, other = set(map(_point, mine)), set(map(_point, theirs))
    return len(one - other), len(other - one)


def _point(point: tuple[int, int, float]) -> tuple[object, ...]:
    """A point as MLflow's stores can hold it: NaN is one value, and an infinity the greatest number that there is."""
    step, time, value = point
    if isnan(value):
        return step, time, "nan"
    if abs(value) == inf:
        value = sys.float_info.max if value > 0 else -sys.float_info.max
    return step, time, value


def _compare_texts(run: RunRecord, there: RunRecord, found: Difference, *, is_newer: bool) -> None:
    theirs = leaves(there.params)
    # In MLflow, written by others, whose copy may have been given types.
    texts_alone = run.directory is None and run.uid == run.identity
    for name, value in leaves(run.params).items():
        if name not in theirs:
            found.lacking.append(f"the parameter {name!r}")
        # A place where parameters are texts may not know of what type they were.
        elif repr(value) != repr(theirs[name]) and not (
            theirs[name] == shown(value) or (texts_alone and shown(theirs[name]) == value)
        ):
            if is_newer:
                found.lacking.append(f"the parameter {name!r}")
            else:
                found.other_params.append(name)
    for name, text in run.tags.items():
        if name not in there.tags or (is_newer and there.tags[name] != text):
            found.lacking.append(f"the tag {name!r}")
        elif there.tags[name] != text:
            found.other_tags.append(name)


def _compare_status(run: RunRecord, there: RunRecord, found: Difference) -> None:
    if run.status in _GOES_ON:
        found.reopened = there.status not in _GOES_ON
        if found.reopened:
            found.lacking.append("that it goes on")
    elif (run.status, run.ended) != (there.status, there.ended):
        found.lacking.append("its end")


def _compare_contents(mine: Contents, theirs: Contents, found: Difference) -> None:
    found.files += _missing(map(safe_path, mine.artifacts), theirs.artifacts)
    for kind in ("images", "texts", "histograms"):
        missing = _missing(getattr(mine, kind), getattr(theirs, kind))
        found.files += [f"{kind}/{name}" for name in missing]
    for kind in ("tables", "functions"):
        missing = _missing(getattr(mine, kind), getattr(theirs, kind))
        found.lacking += [f"the {kind.removesuffix('s')} {name!r}" for name in missing]


def _missing(mine: Iterable[str], theirs: Collection[str]) -> list[str]:
    known = set(theirs)
    return [name for name in mine if name not in known]


def _compare_recordings(
    run: RunRecord, there: RunRecord, contents: Contents, found: Difference
) -> None:
    if not (contents.images or contents.texts or contents.histograms or contents.tables):
        return
    known = set(map(_recording, there.reader.entries(there)))
    missing = set(map(_recording, run.reader.entries(run))) - known - {None}
    if missing:
        found.lacking.append(_counted(len(missing), "image, text or the like"))


def _recording(entry: Entry) -> tuple[object, ...] | None:
    if isinstance(entry, Image | Text | Histogram | Table):
        return type(entry).__name__, entry.name, entry.step
    return None


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
