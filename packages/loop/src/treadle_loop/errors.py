"""What can go wrong in a loop: one class a condition.

Every message says what was seen, what was expected, and what to do.
"""

from pathlib import Path
from typing import Any


class LoopError(Exception):
    """The base of everything that `treadle_loop` raises itself."""

    def __reduce__(self) -> tuple[Any, ...]:
        # In another process it says the same: an exception's own way is to make one of its message.
        return type(self).__new__, (type(self), *self.args), self.__dict__


class InvalidSetting(LoopError, ValueError):
    """An argument of an `Engine`, a `Loss` or a loader that cannot mean anything."""


class NoOptimizer(LoopError):
    """Training was asked of an engine that has no optimizer."""


class LossNotATensor(LoopError, TypeError):
    """The step returned something that is not a loss, or a number where training needs a tensor."""


class UnreducedLoss(LoopError, ValueError):
    """The loss holds more than one value."""


class UnreducedMetric(LoopError, ValueError):
    """A metric holds more than one value."""


class LossWithoutGraph(LoopError, RuntimeError):
    """The loss does not remember how it was computed, so nothing can be learned from it."""


class RebuiltLoss(LoopError, RuntimeError):
    """The loss is a new tensor that only asks for a gradient: training on it changes nothing."""


class GraphFreed(LoopError, RuntimeError):
    """The graph of the loss was freed by another backward pass than the engine's."""


class NothingTrained(LoopError, RuntimeError):
    """The backward pass reached no parameter of the optimizer."""


class NotAPair(LoopError, TypeError):
    """A batch given to `supervised` is not `(inputs, targets)`."""


class NotAWindow(LoopError, TypeError):
    """`Engine.update` was given something other than a list of batches."""


class RecordsUnknown(LoopError, ValueError):
    """Nothing in a batch says how many records it holds, or it says two things."""


class RecordsDisagree(LoopError, ValueError):
    """The arrays of a batch have different leading sizes."""


class WrongLength(LoopError, ValueError):
    """A loader yielded more or fewer batches than its `len` promised."""


class RecordsRepeated(LoopError, ValueError):
    """A loader gives some records to several ranks, or to one of them twice."""


class TensorsDisagree(LoopError, ValueError):
    """The tensors of a `TensorLoader` have different leading sizes."""


class InvalidPosition(LoopError, ValueError):
    """A position lies outside the loader's data."""


class NumpyMissing(LoopError, ImportError):
    """A random state holds that of numpy, which cannot be imported."""


class RanksDisagree(LoopError, RuntimeError):
    """A sampler was made before `torch.distributed` could tell it whose records it deals out."""


class NotARecord(LoopError, TypeError):
    """A seeded data set was asked for something other than one record."""


class PrecisionUnavailable(LoopError, RuntimeError):
    """A precision that torch does not offer on the model's device."""


class AveragesInPlace(LoopError, RuntimeError):
    """Averaged weights are in the model, where something needs the model's own."""


class StateMismatch(LoopError, ValueError):
    """A state is that of something else than what it is loaded into."""


class AveragesDisagree(StateMismatch):
    """Saved averages have other names or shapes than the model's parameters."""


class NotFinite(LoopError, ArithmeticError):
    """The loss or a gradient of an update was nan or infinite; the update was not made."""


class CheckpointNotPlain(LoopError, TypeError):
    """A state holds something that could not be read back without running code."""


class CheckpointNotWritten(LoopError, OSError):
    """The system refused to write a checkpoint; those from before are untouched.

    Attributes:
        path: the file that was to be written.
    """

    path: Path


class CheckpointUnreadable(LoopError, ValueError):
    """A file is damaged, or no checkpoint, or holds more than plain data."""


class NoCheckpoint(LoopError, FileNotFoundError):
    """There is no checkpoint where one was to be loaded from."""


class StepGoesBack(LoopError, ValueError):
    """A checkpoint was to be saved beside one of a later step."""


class StopNotEntered(LoopError, RuntimeError):
    """A stop was polled without the block within which it sees signals."""


class NotAWorker(LoopError, RuntimeError):
    """The main process was asked to do what only a worker of a `DataLoader` should."""


class Busy(LoopError, RuntimeError):
    """A state was asked for, or loaded, while an update was being computed."""


class CannotSeek(LoopError, TypeError):
    """A pass is to be gone on with, and the loader can only begin at its beginning."""


class NoAverages(LoopError):
    """Averaged weights were asked of an engine that keeps none."""


class RankFailed(LoopError, RuntimeError):
    """Another rank could not go on."""


class RanksOutOfStep(LoopError, RuntimeError):
    """Ranks that train together are not doing the same, so they would wait in vain."""


class UnequalRanks(LoopError, RuntimeError):
    """Ranks that train together have unequal numbers of batches, in a pass or in an update."""


class PassSuperseded(LoopError, RuntimeError):
    """A pass was to go on after another was begun, or a state loaded, in its body."""
