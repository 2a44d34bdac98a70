"""The training loop you would have written: exact accumulation, exact means, no sync per step."""

from treadle_loop import runtimes
from treadle_loop.checkpoints import (
    list_checkpoints,
    load_checkpoint,
    save_checkpoint,
)
from treadle_loop.engine import (
    Engine,
    Scheduler,
)
from treadle_loop.epoch import (
    EpochResult,
    Totals,
)
from treadle_loop.epoch_sampler import (
    EpochSampler,
)
from treadle_loop.errors import (
    AveragesDisagree,
    AveragesInPlace,
    Busy,
    CannotSeek,
    CheckpointNotPlain,
    CheckpointNotWritten,
    CheckpointUnreadable,
    GraphFreed,
    InvalidPosition,
    InvalidSetting,
    LoopError,
    LossNotATensor,
    LossWithoutGraph,
    NoAverages,
    NoCheckpoint,
    NoOptimizer,
    NotAPair,
    NotARecord,
    NotAWindow,
    NotAWorker,
    NotFinite,
    NothingTrained,
    NumpyMissing,
    PassSuperseded,
    PrecisionUnavailable,
    RankFailed,
    RanksDisagree,
    RanksOutOfStep,
    RebuiltLoss,
    RecordsDisagree,
    RecordsRepeated,
    RecordsUnknown,
    StateMismatch,
    StepGoesBack,
    StopNotEntered,
    TensorsDisagree,
    UnequalRanks,
    UnreducedLoss,
    UnreducedMetric,
    WrongLength,
)
from treadle_loop.loss import (
    Loss,
    Mean,
    Outcome,
    Weight,
)
from treadle_loop.runtime import (
    Runtime,
)
from treadle_loop.seeded import (
    seeded,
)
from treadle_loop.signals import (
    Stop,
    ignore_stop_signals,
    stop_on_signals,
)
from treadle_loop.step_result import (
    StepResult,
    call_step,
    check_step,
)
from treadle_loop.supervised import (
    Step,
    supervised,
)
from treadle_loop.tensor_loader import (
    TensorLoader,
)
from treadle_loop.update import (
    Update,
)

__all__ = [
    "AveragesDisagree",
    "AveragesInPlace",
    "Busy",
    "CannotSeek",
    "CheckpointNotPlain",
    "CheckpointNotWritten",
    "CheckpointUnreadable",
    "Engine",
    "EpochResult",
    "EpochSampler",
    "GraphFreed",
    "InvalidPosition",
    "InvalidSetting",
    "LoopError",
    "Loss",
    "LossNotATensor",
    "LossWithoutGraph",
    "Mean",
    "NoAverages",
    "NoCheckpoint",
    "NoOptimizer",
    "NotAPair",
    "NotARecord",
    "NotAWindow",
    "NotAWorker",
    "NotFinite",
    "NothingTrained",
    "NumpyMissing",
    "Outcome",
    "PassSuperseded",
    "PrecisionUnavailable",
    "RankFailed",
    "RanksDisagree",
    "RanksOutOfStep",
    "RebuiltLoss",
    "RecordsDisagree",
    "RecordsRepeated",
    "RecordsUnknown",
    "Runtime",
    "Scheduler",
    "StateMismatch",
    "Step",
    "StepGoesBack",
    "StepResult",
    "Stop",
    "StopNotEntered",
    "TensorLoader",
    "TensorsDisagree",
    "Totals",
    "UnequalRanks",
    "UnreducedLoss",
    "UnreducedMetric",
    "Update",
    "Weight",
    "WrongLength",
    "call_step",
    "check_step",
    "ignore_stop_signals",
    "list_checkpoints",
    "load_checkpoint",
    "runtimes",
    "save_checkpoint",
    "seeded",
    "stop_on_signals",
    "supervised",
]
