"""Numbers of a workbook's cells as Excel shows them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

_GROUPED = re.compile(r"-?\d{1,3}\.\d{3}")
"""What one whole number of thousands would look like, were the point no decimal mark."""


@dataclass(frozen=True)
class Marks:
    """How numbers are written in the texts of a sheet; its number cells are written likewise.

    Attributes:
        decimal: Mark before decimals.
        grouping: Marks that group digits in any column: with the decimal mark among them, a cell
            of 1.234 is written as 1.2340, which nobody takes for more than a thousand.
    """

    decimal: str = "."
    grouping: frozenset[str] = frozenset()

    def write(self, shown: str) -> str:
        """Return a number that is not whole, as a text of the sheet would say it.

        >>> Marks(",").write("-1.5"), Marks(",", frozenset(",")).write("1.234")
        ('-1,5', '1,2340')
        """
        if self.decimal in self.grouping and _GROUPED.fullmatch(shown):
            shown = f"{shown}0"
        return shown.replace(".", self.decimal)


def filled_up(value: int, mask: str) -> str:
    """Return a number with the leading zeros and hyphens of its format.

    >>> filled_up(1234, "00000"), filled_up(123456, "00000"), filled_up(12345678, "00000-0000")
    ('01234', '123456', '01234-5678')
    """
    groups = mask.split("-")
    digits = str(value).zfill(sum(map(len, groups)))
    shown: list[str] = []
    for group in reversed(groups[1:]):
        shown.insert(0, digits[-len(group) :])
        digits = digits[: -len(group)]
    return "-".join([digits, *shown])


def moment(serial: float, epoch: datetime) -> str:
    """Return a day number as ISO 8601: a time below one, a date if it is whole."""
    seconds = round(serial * 86_400)
    found = epoch + timedelta(seconds=seconds)
    if serial < 1:
        return found.strftime("%H:%M:%S")
    return found.strftime("%Y-%m-%d" if seconds % 86_400 == 0 else "%Y-%m-%d %H:%M:%S")


def without_exponent(text: str) -> str:
    """Return a number as digits and a point.

    >>> without_exponent("1.5e-07")
    '0.00000015'
    """
    if "e-" not in text:
        return text
    mantissa, _, exponent = text.partition("e-")
    return format(float(text), f".{int(exponent) + len(mantissa.replace('.', '').strip('-')) - 1}f")
