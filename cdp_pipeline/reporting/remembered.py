"""What reports withheld the night before, so that those of two nights side by side tell no more.

A count that was hidden beside a small one, shown again a night later while it hardly changed, gives
the small one back: yesterday's total less all others. So what is withheld in a sum stays withheld
until it differs by the smallest count that may be shown from all that it was when it had to be.
What a version remembers lies in its own folder, not beside the reports; the next night reads it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cdp_pipeline.storage.files import read_json, write_json

FILE = "withheld.json"

CellName = tuple[str, str, str]
"""A count from night to night: mart, key of its row as text, column."""


@dataclass(frozen=True)
class Remembered:
    """Counts that were withheld in a sum, for as long as their rows exist.

    Attributes:
        counts: The least and the greatest that each was when it had to be withheld.
    """

    counts: Mapping[CellName, tuple[float, float]] = field(default_factory=dict)

    def __or__(self, other: Remembered) -> Remembered:
        """Return what both remember, of counts with names of their own."""
        return Remembered({**self.counts, **other.counts})

    def still(self, tonight: Mapping[CellName, float], *, smallest: int) -> frozenset[CellName]:
        """Return those that stay withheld, of tonight's counts.

        Args:
            tonight: Tonight's counts.
            smallest: Smallest count that may be shown.
        """
        return frozenset(
            name
            for name, (least, most) in self.counts.items()
            if name in tonight and least - smallest < tonight[name] < most + smallest
        )

    def after(self, tonight: Mapping[CellName, float], withheld: Iterable[CellName]) -> Remembered:
        """Return what the next night must know.

        Args:
            tonight: Tonight's counts.
            withheld: Those that had to be withheld tonight, for another reason than that they
                were the night before.
        """
        now = set(withheld)
        found = {}
        for name in sorted(tonight.keys() & (now | self.counts.keys())):
            then = self.counts.get(name, (tonight[name], tonight[name]))
            told = (*then, tonight[name]) if name in now else then
            found[name] = (min(told), max(told))
        return Remembered(found)


def name_cell(mart: str, key: Iterable[object], column: str) -> CellName:
    """Return the name of a count that it has every night.

    >>> name_cell("marts.m", ("Leeds", 3), "customer_count")
    ('marts.m', 'Leeds|3', 'customer_count')
    >>> name_cell("marts.m", ("a|b", "c"), "n") == name_cell("marts.m", ("a", "b|c"), "n")
    False
    """
    parts = (str(part).replace("\\", "\\\\").replace("|", "\\|") for part in key)
    return mart, "|".join(parts), column


def read_remembered(version: Path | None, *, business_date: str) -> Remembered:
    """Return what the version before remembers; of one of this very night, what it began with.

    So a night that is run again hides the same.

    Args:
        version: Folder of the version that the night builds upon; None without one.
        business_date: The night, as YYYY-MM-DD.
    """
    document: dict[str, Any] = read_json(version / FILE) if version else {}
    part = "before" if document.get("business_date") == business_date else "after"
    return Remembered({(m, k, c): (least, most) for m, k, c, least, most in document.get(part, ())})


def write_remembered(
    tree: Path, before: Remembered, after: Remembered, *, business_date: str
) -> None:
    """Write into a version's folder what its night began with and what it leaves."""
    document = {
        "business_date": business_date,
        "before": [[*name, *then] for name, then in sorted(before.counts.items())],
        "after": [[*name, *then] for name, then in sorted(after.counts.items())],
    }
    write_json(tree / FILE, document)
    (tree / FILE).chmod(0o600)
