"""Runs that are asked for, in the order that is asked for."""

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet

from attrs import evolve

from treadle_tracking.reading.record import RunRecord
from treadle_tracking.searching.errors import InvalidLimit
from treadle_tracking.searching.fields import Extremes, Subject, ranged, subject
from treadle_tracking.searching.filters import parse
from treadle_tracking.searching.ordering import arranged, parse_order

__all__ = ["search"]


def search(
    runs: Sequence[RunRecord],
    filter: str,
    order_by: str | Sequence[str] | None,
    limit: int | None,
    extremes: Callable[[Sequence[RunRecord], AbstractSet[str]], Mapping[str, Extremes]],
) -> list[RunRecord]:
    """Those of `runs` of which `filter` is true.

    Args:
        runs: Any runs.
        filter: In the language of `docs/search.md`; an empty one is true of every run.
        order_by: Fields, each with `desc` where the greatest comes first. Where they do not decide, or there are
            none, the first started comes first, and then the uid decides.
        limit: How many at most; None for all of them.
        extremes: A function that gives, of runs and the names of metrics, the least and the greatest value by
            identity and name. It is called once, of those runs that do not know them and for which they make a difference.

    Raises:
        SearchError: the filter, the order or the limit is none.
    """
    wanted, orderings = parse(filter), parse_order(order_by)
    if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or limit < 1):
        raise InvalidLimit(limit)
    fields = wanted.fields | {field for field, _ in orderings}
    at_once = wanted.at_once()
    found = [one for run in runs if at_once(one := subject(run, fields))]
    names = ranged(fields)
    if names:
        asked = [one.run for one in found if one.run.extremes is None]
        asked = [run for run in asked if not names.isdisjoint(run.metrics)]
        known = extremes(asked, names) if asked else {}
        in_the_end = wanted.in_the_end()
        completed = (evolve(one, extremes=_extremes(one, known)) for one in found)
        found = [one for one in completed if in_the_end(one)]
    return [one.run for one in arranged(found, orderings)[:limit]]


def _extremes(one: Subject, known: Mapping[str, Extremes]) -> Extremes:
    return one.extremes if one.run.extremes is not None else known.get(one.run.identity, {})
