"""What can go wrong where the four libraries meet."""

from typing import Any


class TreadleError(Exception):
    """The base of this package's errors."""

    def __reduce__(self) -> tuple[Any, ...]:
        # In another process it says the same: an exception's own way is to make one of its message.
        return type(self).__new__, (type(self), *self.args), self.__dict__


class MissingExtra(TreadleError):
    """An optional part is asked for and not installed."""

    def __init__(self, wanted: str, extra: str) -> None:
        super().__init__(
            f"{wanted} needs the extra {extra!r}: pip install 'treadle[{extra}]'",
        )


class WrongArgument(TreadleError, TypeError):
    """An argument is of another kind than the one that was expected."""


class ReservedName(TreadleError, ValueError):
    """A metric or a validation loader has a name under which its results cannot be logged."""


class WrongCheckpoint(TreadleError):
    """What is to be continued is something else than a training."""


class EmptyValidation(TreadleError, ValueError):
    """A validation loader yields nothing, so that there is no result."""


class TrainingLeft(TreadleError, RuntimeError):
    """A training is to go on that was left before its end."""


class NotReported(TreadleError, ValueError):
    """A search looks at something that its trials do not report."""


class NotComparable(TreadleError, ValueError):
    """A trial reports something that is neither more nor less than what others report."""


class NotInTrial(TreadleError, RuntimeError):
    """What belongs into a trial of a search is called outside of one."""
