"""Which lengths a demo's configuration may have."""

from collections.abc import Callable
from typing import Any

from attrs import Attribute

from treadle_units import Limit

STEADY = ("records", "batches", "steps", "epochs")
"""What every training counts, and a loader can tell beforehand."""


def counted(*units: str) -> Callable[[object, "Attribute[Any]", Limit | None], None]:
    """Refuse lengths in anything else than these: such a length would never be reached."""

    def check(_: object, attribute: "Attribute[Any]", limit: Limit | None) -> None:
        for goal in limit.alternatives if limit else ():
            if goal.unit not in units:
                raise ValueError(
                    f"{attribute.name} is in {goal.unit}, and the demo counts {', '.join(units)}"
                )

    return check


def one_length(_: object, attribute: "Attribute[Any]", limit: Limit | None) -> None:
    """Refuse alternatives where something is due again and again."""
    if limit is not None and len(limit.alternatives) > 1:
        raise ValueError(f"{attribute.name} is {str(limit)!r}; give one length, or one time")
