"""How long, how often, how far: records, batches, steps and epochs, counted exactly."""

from treadle_units.counts import Counts
from treadle_units.errors import (
    DataExhausted,
    EmptyBatch,
    EmptyEpoch,
    Inexact,
    InvalidAmount,
    InvalidArgument,
    InvalidCount,
    InvalidState,
    InvalidTrigger,
    InvalidUnit,
    MalformedLimit,
    MissingUnit,
    TakenOver,
    Unconvertible,
    UncountableBatch,
    UnitMismatch,
    UnitsError,
    UnknownEpochLength,
    UnknownUnit,
    UnprovenEnd,
    WrongKind,
    WrongLength,
)
from treadle_units.geometry import Geometry
from treadle_units.limits import Batches, Epochs, Length, Limit, Records, Seconds, Steps, parse
from treadle_units.meter import Meter, Throughput
from treadle_units.outcome import Outcome
from treadle_units.progress import Progress
from treadle_units.records import count_records
from treadle_units.schedule import Schedule
from treadle_units.triggers import At, Every
from treadle_units.wording import report

__all__ = [
    "At",
    "Batches",
    "Counts",
    "DataExhausted",
    "EmptyBatch",
    "EmptyEpoch",
    "Epochs",
    "Every",
    "Geometry",
    "Inexact",
    "InvalidAmount",
    "InvalidArgument",
    "InvalidCount",
    "InvalidState",
    "InvalidTrigger",
    "InvalidUnit",
    "Length",
    "Limit",
    "MalformedLimit",
    "Meter",
    "MissingUnit",
    "Outcome",
    "Progress",
    "Records",
    "Schedule",
    "Seconds",
    "Steps",
    "TakenOver",
    "Throughput",
    "Unconvertible",
    "UncountableBatch",
    "UnitMismatch",
    "UnitsError",
    "UnknownEpochLength",
    "UnknownUnit",
    "UnprovenEnd",
    "WrongKind",
    "WrongLength",
    "count_records",
    "parse",
    "report",
]
