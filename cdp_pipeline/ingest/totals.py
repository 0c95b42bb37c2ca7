"""Rows of sums among the records of a table: told by a word, and proved by adding up.

Reports end in a line such as ``TOTAL;;1.234,50``, and may have subtotals before it. A row counts as
one only if its numbers are the exact sums of the records above it: a brand called Total stays a
record. Tables without such a word near their end are not looked at any further.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb

from cdp_pipeline.ingest.casting import text_name
from cdp_pipeline.ingest.loading import contract_columns
from cdp_pipeline.ingest.refusal import is_of_machine
from cdp_pipeline.project.contracts import SourceContract
from cdp_pipeline.project.expressions import vet_predicate
from cdp_pipeline.storage.warehouse import quote_column, quote_literal

RULE = "totals_row"
MEANING = "the row holds the sums of the records above it"

_TOTALS = (
    r"[\s*#=_-]*(((grand|sub|store|shop|day|daily|page|net|overall)[ _-]?)?totals?|totale|totalt|"
    r"totaux|sous[ -]total|sums?|(end|zwischen|gesamt|tages)?summe|gesamt[a-z]*|insgesamt|suma|"
    r"somme|somma|soma|summa|(sub|eind)?totaal|subtotale|razem|ogółem|łącznie|yhteensä|i alt|"
    r"samlet|celkem|součet|spolu|összesen|végösszeg|итого|всего|сумма|разом|всього|общо|"
    r"((genel|ara)[ _-])?toplam|ukupno|skupaj|σύνολο|合計|小計|総計|总计|合计|小计|總計|"
    r"합계|총계|소계|المجموع|الإجمالي|סה[״\"]כ|tổng( cộng)?|jumlah|\*+)"
)
"""What such a row says in one field, in any case; for Python and for RE2."""

_BARE = re.compile(_TOTALS + r"[\s:.*#=_-]*", re.IGNORECASE)
_QUALIFIED = _TOTALS + r"([\s:.,*#=(0-9_-]|$)"
_WORD = re.compile(_QUALIFIED, re.IGNORECASE)
_TAIL_BYTES = 1 << 14
_LAST_LINES = 12
_MOST_SUSPECTS = 10_000
_SEVERAL = 3
_MOST_SAID = 5
_NUMERIC = frozenset({"integer", "decimal", "number"})
_ABSENT = "chr(30)"


@dataclass(frozen=True)
class Totals:
    """What was found.

    Attributes:
        predicate: SQL over the clean texts that is TRUE for rows of sums; empty if there are none.
        messages: Warnings for people.
    """

    predicate: str = ""
    messages: tuple[str, ...] = ()


def find_totals(
    con: duckdb.DuckDBPyConnection, path: Path, contract: SourceContract, *, select: str
) -> Totals:
    """Return how to tell the rows of sums of a table.

    Rows that the contract excludes by a rule of its own are left to that rule.

    Args:
        con: Private connection of this delivery; what its reader rejects is forgotten again.
        path: File that is read.
        contract: Its contract.
        select: Its rows in file order, typed; the clean text of column x is ``_text_x``; the
            parameter is the file.

    Raises:
        ConfigError: A rule by which the contract excludes rows is no predicate.
    """
    columns, key = contract.read_columns, contract.load.key  # 1 and 2 come before 3: no sum
    numbers = [n for n, c in columns.items() if c.type in _NUMERIC and n not in key]
    if not numbers or not _ends_in_word(path, contract.delivery.delimiter):
        return Totals()
    query = _suspects_query(contract, numbers, select)
    try:
        rows = con.execute(query, [str(path)]).fetchall()
    except duckdb.Error as error:
        if is_of_machine(error):
            raise
        return Totals()  # whoever reads the rows next says what is wrong with them
    finally:
        for table in ("reject_errors", "reject_scans"):
            con.execute(f"drop table if exists {table}")
    if len(rows) > _MOST_SUSPECTS:
        return Totals()
    return _Adding(contract, numbers).judge(rows)


def says_totals(text: str) -> bool:
    """Return whether a field begins with a word for sums.

    >>> says_totals("Grand total:"), says_totals("Totally new")
    (True, False)
    """
    return bool(_WORD.match(text.strip(" '\"\u00a0")))


def _ends_in_word(path: Path, delimiter: str) -> bool:
    """Return whether a field in the last lines of a text begins with a word for sums."""
    with path.open("rb") as stream:
        stream.seek(max(0, path.stat().st_size - _TAIL_BYTES))
        tail = stream.read().decode("utf-8", "replace")
    lines = [line for line in tail.splitlines() if line.strip()][-_LAST_LINES:]
    parts = (part for line in lines for part in line.split(delimiter))
    return any(map(says_totals, parts))


def _suspects_query(contract: SourceContract, numbers: Sequence[str], select: str) -> str:
    """Return a query with one row for each suspect and the records after it, in file order.

    The first row is of the records before the first suspect. Columns: the suspect's texts, its
    numbers; of the records the sums of the numbers, how many fill each column, and their count.
    """
    texts = [text_name(name) for name in contract.read_columns]
    word = quote_literal(f"(?i)^({_QUALIFIED})")
    suspect = " or ".join(f"regexp_matches({text}, {word})" for text in texts)
    known, place = contract_columns(contract), f"{contract.name}: exclude"
    rules = (vet_predicate(r.where, columns=known, where=place) for r in contract.exclude)
    kept = "".join(f" and not coalesce(try({rule}), false)" for rule in rules)
    chosen = ", ".join(
        [f"any_value({text}) filter (_is_suspect)" for text in texts]
        + [f"any_value({quote_column(n)}) filter (_is_suspect)" for n in numbers]
        + [f"sum({quote_column(n)}) filter (not _is_suspect)" for n in numbers]
        + [f"count({text}) filter (not _is_suspect)" for text in texts]
    )
    return (
        f"select {chosen}, count(*) filter (not _is_suspect) from (select *, "  # noqa: S608 - vetted
        "count(*) filter (_is_suspect) over (rows unbounded preceding) as _stretch from ("
        f"select *, coalesce({suspect}, false){kept} as _is_suspect from ("
        f"select *, cast(null as bigint) as _line from ({select})))) "
        f"group by _stretch order by _stretch limit {_MOST_SUSPECTS + 1}"
    )


class _Adding:
    """Sums of the records so far, and the rows that were proved by them."""

    def __init__(self, contract: SourceContract, numbers: Sequence[str]) -> None:
        self._names, self._numbers = list(contract.read_columns), list(numbers)
        self._is_amount = [contract.columns[name].type != "integer" for name in numbers]
        self._sums = [Decimal(0)] * len(numbers)
        self._filled = [0] * len(self._names)
        self._records = 0
        # By column, each sum at which a suspect stood, with the records up to there.
        self._before: list[dict[Decimal, int]] = [{Decimal(0): 0} for _ in numbers]
        self._proved: list[tuple[str | None, ...]] = []
        self._said: list[str] = []

    def judge(self, rows: Sequence[tuple[Any, ...]]) -> Totals:
        """Hold each suspect against the sums above it."""
        width, count = len(self._names), len(self._numbers)
        for row in rows:
            own, rest = row[width : width + count], row[width + count :]
            if any(row[:width]):  # else these are the records before the first suspect
                self._meet(row[:width], own)
            self._add(rest[:count], filled=rest[count:-1], records=rest[-1])
        return Totals(self._predicate(), tuple(self._said[:_MOST_SAID]))

    def _meet(self, texts: tuple[str | None, ...], own: Sequence[Any]) -> None:
        numeric = {n for n, value in zip(self._numbers, own, strict=True) if value is not None}
        words = [t for n, t in zip(self._names, texts, strict=True) if t and n not in numeric]
        is_bare = len(words) == 1 and bool(_BARE.fullmatch(words[0]))
        spans = self._spans(own)
        if len(words) == 1:
            is_proved = max(spans, default=0) >= (1 if is_bare or self._has_gap(texts) else 2)
        else:  # other words make a record likelier: all its numbers must be sums of several
            is_proved = len(spans) == sum(map(bool, own)) and min(spans, default=0) >= _SEVERAL
        if is_proved:
            self._proved.append(texts)
            self._hold_amounts(own)
        else:
            if is_bare and any(own):
                self._said.append(f"{words[0]!r} is not the sum of the records above it: loaded")
            self._add(own, filled=[bool(text) for text in texts], records=1)
        for known, total in zip(self._before, self._sums, strict=True):
            known.setdefault(total, self._records)

    def _has_gap(self, texts: Sequence[str | None]) -> bool:
        """Return whether a row has no text in a column that all records fill."""
        columns = zip(self._names, texts, self._filled, strict=True)
        return any(
            not text and filled == self._records and name not in self._numbers
            for name, text, filled in columns
        )

    def _hold_amounts(self, own: Sequence[Any]) -> None:
        """Warn of amounts that do not add up, though other numbers of the row do."""
        amounts = [n for n, value in enumerate(own) if value and self._is_amount[n]]
        wrong = [n for n in amounts if self._sums[n] - own[n] not in self._before[n]]
        if amounts and wrong == amounts:  # one that does shows that others may be averages
            self._said += [
                f"a row of sums states {own[n]} as {self._numbers[n]}, "
                f"but the records above add up to {self._sums[n]}"
                for n in wrong
            ]

    def _spans(self, own: Sequence[Any]) -> list[int]:
        """Return how many records each number is the sum of, for numbers that are sums."""
        starts = [
            known.get(total - Decimal(value)) if value else None
            for value, total, known in zip(own, self._sums, self._before, strict=True)
        ]
        return [self._records - start for start in starts if start is not None]

    def _add(self, values: Sequence[Any], *, filled: Sequence[int], records: int) -> None:
        self._sums = [
            total + Decimal(value or 0) for total, value in zip(self._sums, values, strict=True)
        ]
        self._filled = [total + more for total, more in zip(self._filled, filled, strict=True)]
        self._records += records

    def _predicate(self) -> str:
        if not self._proved:
            return ""
        rows = ", ".join(f"({', '.join(map(_literal, texts))})" for texts in self._proved)
        columns = ", ".join(f"coalesce({text_name(name)}, {_ABSENT})" for name in self._names)
        return f"({columns}) in ({rows})"


def _literal(text: str | None) -> str:
    return _ABSENT if text is None else quote_literal(text)
