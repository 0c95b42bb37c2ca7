"""What a look at a delivery gives, whatever its format: columns of texts, and how it is written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from string import whitespace

from cdp_pipeline.ingest.casting import UNSEEN

_BLANKS = f"{whitespace}{UNSEEN}"


@dataclass(frozen=True)
class Field:
    """One column of the sampled rows.

    Attributes:
        name: Header, or path into a record, as ``from:`` spells it; empty if it has none.
        values: Texts, one a row; empty where there is none.
        is_partial: Whether some deliveries or records lack it.
        question: What is to be asked about where it stands; empty if nothing is.
    """

    name: str
    values: Sequence[str]
    is_partial: bool = False
    question: str = ""

    @cached_property
    def filled(self) -> list[str]:
        """Values that are not blank, trimmed."""
        return [text for value in self.values if (text := value.strip(_BLANKS).strip())]

    @cached_property
    def counts(self) -> Counter[str]:
        """How often each value that is not blank occurs."""
        return Counter(self.filled)

    @property
    def share(self) -> float:
        """Share of rows with a value."""
        return len(self.filled) / len(self.values) if self.values else 0.0


@dataclass(frozen=True)
class Sample:
    """A look at a delivery.

    Attributes:
        delivery: Keys of ``delivery:`` that differ from their defaults.
        fields: Its columns.
        looked_at: How much of it was looked at, for people.
        is_whole: Whether all of its records were.
        has_header: Whether columns are found by name.
        ignore: Entries for ``ignore:``.
        notes: What people should know, by key of ``delivery:`` or under an empty key.
        margins: Lines after the last record.
        header: The first record, if it names columns.
        totals: Header of a column that only rows of sums among the records leave empty; such rows
            are not in ``fields``.
        parts: Which part of its record each row is, where an array makes rows; else none.
        is_mixed: Whether records are of several types, so that a column means several things.
    """

    delivery: dict[str, object]
    fields: tuple[Field, ...]
    looked_at: str
    is_whole: bool
    has_header: bool = True
    ignore: tuple[str, ...] = ()
    notes: dict[str, str] = field(default_factory=dict)
    margins: tuple[str, ...] = ()
    header: tuple[str, ...] = ()
    totals: str = ""
    parts: tuple[int, ...] = ()
    is_mixed: bool = False

    @property
    def rows(self) -> int:
        """Rows that were looked at."""
        return max((len(f.values) for f in self.fields), default=0)
