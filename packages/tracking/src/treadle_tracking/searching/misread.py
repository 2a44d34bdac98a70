"""A finding at one place, before it is known of which text."""

from treadle_tracking.searching.errors import FilterTooDeep, UnfitValue, UnknownField

__all__ = ["Misread"]


class Misread(Exception):
    """What is wrong at `offset`; whoever knows the text makes it the error that a user sees.

    Without an error's class the text is no sentence of the language.
    """

    def __init__(
        self,
        offset: int,
        problem: str,
        error: type[UnknownField | UnfitValue | FilterTooDeep] | None = None,
    ) -> None:
        super().__init__(problem)
        self.offset, self.problem, self.error = offset, problem, error
