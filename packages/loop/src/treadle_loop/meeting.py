"""Where ranks meet: each first says what it is doing, in a message of one size everywhere."""

from collections.abc import Sequence
from typing import Any, Literal, get_args

from treadle_loop.errors import RankFailed, RanksOutOfStep
from treadle_loop.runtime import Runtime

Place = Literal[
    "an update",
    "the first update",
    "the counts of an update",
    "test_epoch",
    "over_ranks",
    "state_dict",
    "predict",
]
"""What a rank may be doing while it waits for the others."""

SLOTS = 15
"""How many numbers a message has room for, besides the place; it has 128 bytes."""

_PLACES: tuple[Place, ...] = get_args(Place)


def agree(
    runtime: Runtime, place: Place, values: Sequence[float], failure: Exception | None = None
) -> list[list[float]]:
    """What each rank gave, in the order of the ranks; one collective, of one size at every place.

    So ranks that are at different places find out, where a message of another size would abort
    the process, or be waited for in vain.

    Args:
        runtime: how the ranks talk.
        place: what this rank is doing.
        values: as many as on every rank at this place, and no more than `SLOTS`.
        failure: what went wrong on this rank, which is raised as soon as the others are not waiting
            any more.

    Raises:
        RanksOutOfStep: another rank is at another place, and so learned nothing of a failure here,
            which is the error's cause.
    """
    padding = [0.0] * (SLOTS - len(values))
    everyone = runtime.agree([_PLACES.index(place), *values, *padding])
    _check_places([_PLACES[int(one)] for one, *_ in everyone], failure)
    if failure is not None:
        raise failure
    return [each[1 : 1 + len(values)] for each in everyone]


def gather(runtime: Runtime, place: Place, value: Any) -> list[Any]:
    """The same for any object that can be pickled, which is of another size on each rank.

    Raises:
        RanksOutOfStep: another rank is at another place.
    """
    agree(runtime, place, ())
    return runtime.gather(value)


def raise_if_failed(failed: Sequence[float], what: str) -> None:
    """Tell this rank of the first one that failed.

    Raises:
        RankFailed: one did.
    """
    for rank, one in enumerate(failed):
        if one:
            raise RankFailed(f"rank {rank} {what}")


def _check_places(places: Sequence[Place], failure: Exception | None) -> None:
    if len(set(places)) == 1:
        return
    # Of many ranks, one at each place is named.
    named = (
        f"rank {places.index(one)} {'at' if index else 'is at'} {one}"
        for index, one in enumerate(dict.fromkeys(places))
    )
    raise RanksOutOfStep(
        f"{' and '.join(named)}: "
        + (
            "whether a step gives counts has to be the same on every rank"
            if "the counts of an update" in places
            else "every rank has to call it, so call it outside of `if rank == 0`, and save what "
            "it returns on one rank"
        ),
    ) from failure
