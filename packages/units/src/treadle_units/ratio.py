"""Exact quotients of whole numbers."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from fractions import Fraction


def ratio(numerator: int, denominator: int) -> int | Fraction:
    """Divide exactly: an `int` where the quotient is whole, so that most runs need no fractions."""
    whole, rest = divmod(numerator, denominator)
    if not rest:
        return whole
    from fractions import Fraction

    return Fraction(numerator, denominator)
