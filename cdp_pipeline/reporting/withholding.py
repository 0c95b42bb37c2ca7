"""Rows of marts as readers may see them: small counts of people withheld, and what rests on them.

Every row that a report shows passes here, and only here are counts hidden. It is decided for a mart
as a whole, over all reports that read it: what one card hides, no other card or sentence tells.
Which columns count people, reports say (``format: people``, ``people:``); what adds up, the mart's
header (``sums:``).
"""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import duckdb

from cdp_pipeline.privacy.small_counts import Line, Withheld, is_small, withhold
from cdp_pipeline.project.loader import Project
from cdp_pipeline.project.reports import ReportSpec
from cdp_pipeline.project.tables import Sum, TableHeader, TableSpec
from cdp_pipeline.reporting.formats import is_missing
from cdp_pipeline.reporting.marts import RowDict, read_rows

ALL_ROWS = 20_000
"""Rows of a mart that are looked at together; none that reports read is as large."""

Hidden = dict[tuple[Any, ...], dict[str, Withheld]]
"""What is withheld of each row, by the row's key and its column."""


@dataclass
class PeopleColumns:
    """What reports say of a mart's columns.

    Attributes:
        counts: Columns that count people.
        resting: Columns that say something about such people, with the counts they rest upon.
        changes: Columns that say by how much a count changed, with that count.
    """

    counts: set[str] = field(default_factory=set)
    resting: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    changes: dict[str, str] = field(default_factory=dict)


def people_columns(reports: Iterable[ReportSpec], mart: str) -> PeopleColumns:
    """Return what all reports together say of a mart's columns."""
    found = PeopleColumns()
    for report in reports:
        for block in (block for block in report.blocks if block.mart == mart):
            for column in block.columns:
                if column.format == "people":
                    found.counts.add(column.column)
                if column.people:
                    found.counts.add(column.people)
                    found.resting[column.column].add(column.people)
                if column.people and column.format == "people_change":
                    found.changes[column.column] = column.people
        for sentence in (sentence for sentence in report.sentences if sentence.mart == mart):
            found.counts |= {name for name, form in sentence.placeholders if form == "people"}
    return found


class MartReader:
    """Reads rows of marts for reports, with small counts of people withheld."""

    def __init__(self, con: duckdb.DuckDBPyConnection, project: Project, *, smallest: int) -> None:
        """Keep the warehouse under construction, all declarations, and the smallest count shown."""
        self._con = con
        self._project = project
        self._smallest = smallest
        self._columns = functools.cache(lambda mart: people_columns(project.reports.values(), mart))
        self._hidden = functools.cache(self._find_hidden)

    def rows(
        self, mart: str, *, where: str | None = None, sort: Sequence[str] = (), limit: int
    ) -> list[RowDict]:
        """Return rows as ``marts.read_rows`` does, as readers may see them."""
        spec = self._project.table(mart)
        rows = read_rows(self._con, spec, where=where, sort=sort, limit=limit)
        if not rows or not self._columns(mart).counts:
            return rows
        return [self._shown(row, spec) for row in rows]

    def _find_hidden(self, mart: str) -> Hidden:
        spec = self._project.table(mart)
        rows = read_rows(self._con, spec, limit=ALL_ROWS)
        return find_hidden(rows, spec.header, self._columns(mart), smallest=self._smallest)

    def _shown(self, row: RowDict, spec: TableSpec) -> RowDict:
        hidden = self._hidden(spec.full_name).get(_key(row, spec.header), {})
        columns = self._columns(spec.full_name)
        shown: RowDict = {**row, **hidden}
        for column in columns.counts:
            if column not in hidden and is_small(row[column], self._smallest):
                shown[column] = Withheld.FEW
        for column, counts in columns.resting.items():
            if column not in hidden and any(isinstance(shown[c], Withheld) for c in counts):
                shown[column] = Withheld.RESTING
        return shown


def find_hidden(
    rows: Sequence[RowDict], header: TableHeader, columns: PeopleColumns, *, smallest: int
) -> Hidden:
    """Return which counts of a whole mart are withheld, and which changes of counts with them.

    Args:
        rows: All rows of the mart.
        header: Says what adds up, and which columns identify a row.
        columns: Which columns count people.
        smallest: Smallest count that may be shown.
    """
    sums = _sums(header, columns)
    found: Hidden = {_key(row, header): {} for row in rows}
    for row, column, mark in _withheld(rows, sums, columns.counts, smallest):
        found[_key(row, header)][column] = mark
    for change, count in columns.changes.items():
        # a count of today and its change tell the count of the night before, and the other way
        before = [{**row, count: _before(row[count], row[change])} for row in rows]
        for row, column, _ in _withheld(before, sums, {count}, smallest):
            if column == count:
                found[_key(row, header)][change] = Withheld.HIDDEN
        for row in rows:
            if count in found[_key(row, header)]:
                found[_key(row, header)][change] = Withheld.HIDDEN
    return found


def _key(row: RowDict, header: TableHeader) -> tuple[Any, ...]:
    return tuple(row[column] for column in header.key)


def _before(count: Any, change: Any) -> Any:  # noqa: ANN401 - any value of a mart
    return None if is_missing(count) or is_missing(change) else count - change


def _sums(header: TableHeader, columns: PeopleColumns) -> tuple[Sum, ...]:
    """Return what is declared to add up; by default all rows, unless there is one a day."""
    if header.sums is not None:
        return header.sums
    if any(column.endswith(("_on", "_date")) for column in header.key):
        return ()
    return tuple(Sum(of=(column,)) for column in sorted(columns.counts))


def _withheld(
    rows: Sequence[RowDict], sums: Sequence[Sum], counts: Iterable[str], smallest: int
) -> Iterator[tuple[RowDict, str, Withheld]]:
    """Yield row, column and mark of every count that is withheld."""
    named = {name for each in sums for name in (*each.of, *each.less, each.total) if name}
    cells = [
        (number, column)
        for number, row in enumerate(rows)
        for column in sorted({*counts, *named})
        if not is_missing(row[column])
    ]
    values = [float(rows[number][column]) for number, column in cells]
    places = {cell: place for place, cell in enumerate(cells) if values[place].is_integer()}
    lines = [line for each in sums for line in _lines(each, rows, places)]
    # a whole that is small is withheld wherever it stands, so nobody can take parts from it
    known = [
        line
        for line in lines
        if min(line.values()) < 0 or sum(values[place] for place in line) >= smallest
    ]
    for place, mark in withhold(values, known, smallest=smallest).items():
        number, column = cells[place]
        yield rows[number], column, mark


def _lines(
    declared: Sum, rows: Sequence[RowDict], places: dict[tuple[int, str], int]
) -> Iterator[Line]:
    if declared.total:
        signs = dict.fromkeys(declared.of, 1) | dict.fromkeys(declared.less, -1)
        signs[declared.total] = -1
        # `less` stands on the side of the total: of - less - total = 0
        for number in range(len(rows)):
            cells = {(number, column): sign for column, sign in signs.items()}
            yield {places[cell]: sign for cell, sign in cells.items() if cell in places}
        return
    for column in declared.of:
        groups: dict[tuple[Any, ...], dict[int, int]] = defaultdict(dict)
        for number, row in enumerate(rows):
            if (number, column) in places:
                group = tuple(row[name] for name in declared.within)
                groups[group][places[number, column]] = 1
        yield from groups.values()
