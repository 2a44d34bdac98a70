"""What a mirror may be able to do beside taking entries; who asks for it, and finds it missing, says so."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

from treadle_tracking.entries import Started

__all__ = ["Replaces", "SaysWhatItLacks"]


@runtime_checkable
class Replaces(Protocol):
    """A mirror that can begin a run anew."""

    def replace(self, started: Started, directory: Path) -> None:
        """Remove the run with this uid, if there is one, and make another; otherwise as `Mirror.open`."""


@runtime_checkable
class SaysWhatItLacks(Protocol):
    """A mirror that can be asked whether it really has a run."""

    def lacking(self, started: Started, identity: str) -> Sequence[str]:
        """What the mirror did not take of the run that is called `identity` there, and passed over: names.

        Nothing is changed, and nothing made. Raises if the run is not there, or the mirror does not say.
        """
