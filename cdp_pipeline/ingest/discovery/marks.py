"""Marks between the digits of a file's numbers: before decimals, and between thousands."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from cdp_pipeline.ingest.discovery.numbers import Numbers
from cdp_pipeline.ingest.discovery.sample import Field


@dataclass(frozen=True)
class Marks:
    """How the file writes numbers, as far as its columns tell.

    Attributes:
        decimal: Mark before decimals of most columns; empty if none tells.
        thousands: Mark between thousands of most columns; empty if none tells.
        doubtful: Mark that may be either, and no column tells which; empty if there is none.
        shown: A number with it.
        is_mixed: Whether columns have different marks, so that none tells of another.
    """

    decimal: str = ""
    thousands: str = ""
    doubtful: str = ""
    shown: str = ""
    is_mixed: bool = False

    @property
    def is_doubtful(self) -> bool:
        """Whether a mark stands before decimals or between thousands, and nothing tells which."""
        return bool(self.doubtful)

    def question(self, doubtful: str, shown: str) -> tuple[str, str, object]:
        """Return the key, the question and a provisional answer for a column of doubtful numbers.

        Args:
            doubtful: The mark in it.
            shown: One of its numbers.
        """
        other = "," if doubtful == "." else "."
        asked = f"{other!r} if {shown} is more than a thousand, {doubtful!r} if it is less? Columns"
        return "decimal_mark", f"{asked} of this file have different marks", self.decimal


def find_marks(columns: Sequence[tuple[Numbers, Field]]) -> Marks:
    """Return how a file writes numbers.

    Args:
        columns: Its columns of numbers: how they look, and what stands in them.
    """
    decimal: Counter[str] = Counter()
    thousands: Counter[str] = Counter()
    doubtful: set[str] = set()
    for look, _ in columns:
        decimal.update([look.decimal_mark] if look.decimal_mark else [])
        thousands.update([look.thousands_mark] if look.thousands_mark else [])
        doubtful.update([look.doubtful] if look.doubtful else [])
    mark = decimal.most_common(1)[0][0] if decimal else ""
    group = thousands.most_common(1)[0][0] if thousands else ""
    if not mark and group in {".", ","}:
        mark = "," if group == "." else "."
    is_mixed = len(decimal) > 1
    if mark and doubtful - {mark} and not is_mixed:
        group = group or next(iter(doubtful - {mark}))
    if not doubtful or mark or group:
        return Marks(mark, group, is_mixed=is_mixed)
    doubt = min(doubtful)
    like_it = re.compile(rf"\d{{1,3}}\{doubt}\d{{3}}")
    looks_so = (v for _, f in columns for v in f.counts if like_it.fullmatch(v))
    return Marks(doubtful=doubt, shown=next(looks_so, ""))
