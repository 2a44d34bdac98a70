"""Runs as MLflow has them, translated back."""

from array import array
from collections.abc import Iterator, Mapping
from math import inf
from sys import float_info

from attrs import evolve, frozen

from treadle_tracking.entries import ENDS, EndStatus, ParamValue
from treadle_tracking.mirrors.mlflow import EXPERIMENT_TAG, GROUP_TAG, NAME_TAG, fitted_name
from treadle_tracking.mirrors.names import escape_key
from treadle_tracking.mirrors.parameters import EXACT_TAG, from_pieces
from treadle_tracking.mirrors.rewinds import Attempts
from treadle_tracking.mirrors.slider import SLIDER_TAG
from treadle_tracking.mirrors.translation import TABLES_TAG, unspelled
from treadle_tracking.mirrors.uid import UID_TAG
from treadle_tracking.reading.inference import inferred
from treadle_tracking.reading.mlflow_source import StoredRun
from treadle_tracking.reading.points import Points
from treadle_tracking.reading.record import ReadStatus

__all__ = ["PARENT_TAG", "Translated"]

PARENT_TAG = "mlflow.parentRunId"
_NAME = "mlflow.runName"
_OURS = "treadle."
# What MLflow sets by itself in a run that this package has sent; any other tag there is the user's.
_SET_BY_THE_MIRROR = {_NAME, SLIDER_TAG, TABLES_TAG}
# What would be wrong of a run anywhere else.
_ONLY_THERE = {*_SET_BY_THE_MIRROR, PARENT_TAG, "mlflow.artifactLocation"}
_ENDS: Mapping[str, EndStatus] = {end: end for end in ENDS}


@frozen
class Translated:
    """A run as MLflow has it, and what it says.

    Attributes:
        stored: As it was found.
        ours: Whether this package has sent it.
        attempts: Where it went back.
    """

    stored: StoredRun
    ours: bool
    attempts: Attempts

    @classmethod
    def of(cls, stored: StoredRun) -> "Translated":
        """A run that was found."""
        return cls(stored, UID_TAG in stored.tags, Attempts(stored.tags))

    def lasting(self) -> "Translated":
        """The same without what its record has: what files and histories of the run take."""
        tags = {
            key: text
            for key, text in self.stored.tags.items()
            if key == TABLES_TAG or (key.startswith(_OURS) and not key.startswith(EXACT_TAG))
        }
        return evolve(self, stored=evolve(self.stored, params={}, latest={}, tags=tags))

    @property
    def uid(self) -> str:
        """The run's own; of one that others have written, MLflow's."""
        return self.stored.tags.get(UID_TAG, self.stored.identity)

    @property
    def name(self) -> str:
        """Whole, also where MLflow has it cut."""
        tags = self.stored.tags
        name = tags.get(_NAME) or self.stored.name or self.stored.identity
        return self._whole(name, NAME_TAG)

    def experiment(self, name: str) -> str:
        """Likewise, of the name that MLflow has."""
        return self._whole(name, EXPERIMENT_TAG)

    def _whole(self, name: str, tag: str) -> str:
        whole = self.stored.tags.get(tag)
        # It may have been renamed since.
        return whole if whole is not None and fitted_name(whole) == name else name

    @property
    def group(self) -> str | None:
        """That of the run, if it has one."""
        return self.stored.tags.get(GROUP_TAG) if self.ours else None

    @property
    def status(self) -> ReadStatus:
        """How it ended; RUNNING while it has not, or is only scheduled."""
        return _ENDS.get(self.stored.status, "RUNNING")

    @property
    def ended(self) -> int | None:
        """When, in milliseconds since the epoch; a run that goes on again has its last end there still."""
        return self.stored.ended if self.stored.status in _ENDS else None

    @property
    def tags(self) -> dict[str, str]:
        """Those of the user's own, and what MLflow has noted of a run of others, such as who has written it."""
        tags = self.stored.tags
        if self.ours:
            return {
                unspelled(key, tags): text
                for key, text in tags.items()
                if not key.startswith(_OURS) and key not in _SET_BY_THE_MIRROR
            }
        return {key: text for key, text in tags.items() if key not in _ONLY_THERE}

    def exact_params(self) -> dict[str, ParamValue] | None:
        """Parameters with their types; None where they should be in the tags, and are not whole."""
        exact = from_pieces(self.stored.tags)
        if exact is None and not self.stored.params and EXACT_TAG not in self.stored.tags:
            return {}
        return exact

    def shown_params(self, *, infer_types: bool) -> dict[str, ParamValue]:
        """Parameters as the texts that MLflow has, by dotted names, or as what these texts are of."""
        tags = self.stored.tags
        return {
            unspelled(key, tags) if self.ours else key: inferred(text) if infer_types else text
            for key, text in self.stored.params.items()
        }

    def metric_name(self, key: str) -> str:
        """What a metric is called in the run."""
        return unspelled(key, self.stored.tags) if self.ours else key

    def key(self, name: str) -> str:
        """What it is called in MLflow."""
        return escape_key(name) if self.ours else name

    def latest(self) -> Iterator[tuple[str, float | None]]:
        """The last value of each metric by name; None where MLflow has that of an abandoned attempt."""
        for key, point in self.stored.latest.items():
            is_kept = not self.attempts or self.attempts.keeps(point.step, point.time)
            yield self.metric_name(key), number(point.value) if is_kept else None

    def kept(self, points: Points) -> Points:
        """Points as they were recorded, without those of abandoned attempts."""
        if self.attempts:
            keeps = self.attempts.keeps
            points = Points.of(point for point in points if keeps(point[0], point[1]))
        if float_info.max in points.values or -float_info.max in points.values:
            return evolve(points, values=array("d", map(number, points.values)))
        return points


def number(value: float) -> float:
    """A double as it was recorded: MLflow's databases keep an infinity as the largest double."""
    if abs(value) != float_info.max:
        return value
    return inf if value > 0 else -inf
