"""Terraform's numbers, which are exact where a float is not."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

Number = int | float | Fraction


def number(exact: Fraction) -> Number:
    """
    Return a number as plainly as it can be without a loss: int, float, else the fraction.

    Examples
    --------
    >>> number(Fraction("0.1") + Fraction("0.2")), number(Fraction(10, 5)), number(Fraction(10, 3))
    (0.3, 2, Fraction(10, 3))
    """
    if exact.denominator == 1:
        return exact.numerator
    try:
        near = float(exact)
    except OverflowError:
        return exact
    return near if Fraction(repr(near)) == exact else exact


def exactly(value: Number) -> Fraction:
    """Return the number that was written: a float stands for its shortest decimal."""
    return Fraction(repr(value)) if isinstance(value, float) else Fraction(value)


def is_number(value: object) -> bool:
    """Return whether a value is a number; true and false are none."""
    return isinstance(value, (int, float, Fraction)) and not isinstance(value, bool)


def written(value: Number) -> str | None:
    """
    Return a number as Terraform writes it; None if it has no end.

    Examples
    --------
    >>> written(1e21), written(0.5), written(Fraction(1, 3))
    ('1000000000000000000000', '0.5', None)
    """
    if isinstance(value, Fraction):
        return None
    return str(value) if isinstance(value, int) else format(Decimal(repr(value)), "f")
