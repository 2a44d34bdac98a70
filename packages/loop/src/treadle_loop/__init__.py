"""The training loop you would have written: exact accumulation, exact means, no sync per step."""

from treadle_loop.engine import Engine, Scheduler
from treadle_loop.epoch import EpochResult, Totals
from treadle_loop.errors import (
    InvalidPosition,
    InvalidSetting,
    LoopError,
    LossNotATensor,
    LossWithoutGraph,
    NoOptimizer,
    NotAPair,
    NotAWindow,
    NothingTrained,
    RebuiltLoss,
    RecordsDisagree,
    RecordsUnknown,
    TensorsDisagree,
    UnreducedLoss,
    UnreducedMetric,
    WrongLength,
)
from treadle_loop.loss import Loss, Mean, Outcome, Weight
from treadle_loop.supervised import Step, supervised
from treadle_loop.tensor_loader import TensorLoader
from treadle_loop.update import Update

__all__ = [
    "Engine",
    "EpochResult",
    "InvalidPosition",
    "InvalidSetting",
    "LoopError",
    "Loss",
    "LossNotATensor",
    "LossWithoutGraph",
    "Mean",
    "NoOptimizer",
    "NotAPair",
    "NotAWindow",
    "NothingTrained",
    "Outcome",
    "RebuiltLoss",
    "RecordsDisagree",
    "RecordsUnknown",
    "Scheduler",
    "Step",
    "TensorLoader",
    "TensorsDisagree",
    "Totals",
    "UnreducedLoss",
    "UnreducedMetric",
    "Update",
    "Weight",
    "WrongLength",
    "supervised",
]
