"""What can go wrong in a loop: one class a condition.

Every message says what was seen, what was expected, and what to do.
"""


class LoopError(Exception):
    """The base of everything that `treadle_loop` raises itself."""


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


class TensorsDisagree(LoopError, ValueError):
    """The tensors of a `TensorLoader` have different leading sizes."""


class InvalidPosition(LoopError, ValueError):
    """A position lies outside the loader's data."""
