"""Rows of marts as readers may see them: small counts of people withheld, and what rests on them.

Every row that a report shows passes here, and only here are counts hidden. It is decided for all
marts together, over all reports that read them: what one card hides, no other card or sentence
tells. Which columns count people, reports say (``format: people``, ``people:``); what adds up, the
mart's header (``sums:``) and, from mart to mart, the figures (``ties``).
"""

from __future__ import annotations

import functools
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import duckdb

from cdp_pipeline.privacy.small_counts import Line, Withheld, is_small, withhold
from cdp_pipeline.project.loader import Project
from cdp_pipeline.project.reports import ReportSpec
from cdp_pipeline.project.tables import Sum, TableHeader, TableSpec
from cdp_pipeline.reporting.formats import is_missing
from cdp_pipeline.reporting.marts import RowDict, read_rows
from cdp_pipeline.reporting.remembered import CellName, Remembered, name_cell
from cdp_pipeline.reporting.ties import Cell, Counted, find_ties
from cdp_pipeline.storage.warehouse import has_table

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

    def __init__(
        self,
        con: duckdb.DuckDBPyConnection,
        project: Project,
        *,
        smallest: int,
        before: Remembered | None = None,
    ) -> None:
        """Keep what rows are read and judged by.

        Args:
            con: Connection to the warehouse under construction.
            project: All declarations.
            smallest: Smallest count that may be shown.
            before: What was withheld the night before.
        """
        self._con = con
        self._project = project
        self._smallest = smallest
        self._before = before or Remembered()
        self._columns = functools.cache(lambda mart: people_columns(project.reports.values(), mart))
        self._seen = functools.cache(self._read_marts)
        self._hidden = functools.cache(
            lambda: find_hidden_together(self._seen(), smallest=smallest, before=self._before)
        )

    def rows(
        self, mart: str, *, where: str | None = None, sort: Sequence[str] = (), limit: int
    ) -> list[RowDict]:
        """Return rows as ``marts.read_rows`` does, as readers may see them."""
        spec = self._project.table(mart)
        rows = read_rows(self._con, spec, where=where, sort=sort, limit=limit)
        if not rows or not self._columns(mart).counts:
            return rows
        return [self._shown(row, spec) for row in rows]

    def remember(self) -> Remembered:
        """Return what the next night must know of what is withheld."""
        return remember_hidden(
            self._seen(), self._hidden(), smallest=self._smallest, before=self._before
        )

    def _read_marts(self) -> dict[str, Seen]:
        found: dict[str, Seen] = {}
        for mart in sorted({m for r in self._project.reports.values() for m in r.marts}):
            spec = self._project.table(mart)
            if self._columns(mart).counts and has_table(self._con, mart):
                rows = read_rows(self._con, spec, limit=ALL_ROWS)
                found[mart] = Seen(rows, spec.header, self._columns(mart))
        return found

    def _shown(self, row: RowDict, spec: TableSpec) -> RowDict:
        hidden = self._hidden().get(spec.full_name, {}).get(_key(row, spec.header), {})
        columns = self._columns(spec.full_name)
        shown: RowDict = {**row, **hidden}
        for column in columns.counts:
            if column not in hidden and is_small(row[column], self._smallest):
                shown[column] = Withheld.FEW
        for column, counts in columns.resting.items():
            if column not in hidden and any(isinstance(shown[c], Withheld) for c in counts):
                shown[column] = Withheld.RESTING
        return shown


@dataclass(frozen=True)
class Seen:
    """A mart as reports show it.

    Attributes:
        rows: All its rows.
        header: Says what adds up, and which columns identify a row.
        columns: Which columns count people.
    """

    rows: Sequence[RowDict]
    header: TableHeader
    columns: PeopleColumns

    def counted(
        self, rows: Sequence[RowDict] | None = None, counts: Iterable[str] | None = None
    ) -> Counted:
        """Return what is to be looked at: rows and columns, by default all."""
        return Counted(
            self.rows if rows is None else rows,
            tuple(self.header.key),
            frozenset(self.columns.counts if counts is None else counts),
            _sums(self.header, self.columns),
        )


def find_hidden_together(
    marts: Mapping[str, Seen], *, smallest: int, before: Remembered | None = None
) -> dict[str, Hidden]:
    """Return by mart which counts are withheld from readers who see all of them side by side.

    Args:
        marts: Every mart that reports show, by name.
        smallest: Smallest count that may be shown.
        before: What readers could not see the night before.
    """
    found: dict[str, Hidden] = {
        name: {_key(row, seen.header): {} for row in seen.rows} for name, seen in marts.items()
    }
    counted = {name: seen.counted() for name, seen in marts.items()}
    kept = before.still(_counts(marts), smallest=smallest) if before else frozenset()
    for (name, number, column), mark in _withheld(counted, smallest, kept):
        seen = marts[name]
        found[name][_key(seen.rows[number], seen.header)][column] = mark
    for name, seen in marts.items():
        _hide_changes(seen, found[name], smallest)
    return found


def remember_hidden(
    marts: Mapping[str, Seen],
    hidden: Mapping[str, Hidden],
    *,
    smallest: int,
    before: Remembered,
) -> Remembered:
    """Return what the night after must know of counts that are withheld.

    Args:
        marts: Every mart that reports show, by name.
        hidden: What is withheld of them, by ``find_hidden_together``.
        smallest: Smallest count that may be shown.
        before: What readers could not see the night before.
    """
    tonight = _counts(marts)
    kept = before.still(tonight, smallest=smallest)
    alone = find_hidden_together(marts, smallest=smallest) if kept else hidden
    return before.after(tonight, {*_names(marts, alone), *(_names(marts, hidden) - kept)})


def _names(marts: Mapping[str, Seen], hidden: Mapping[str, Hidden]) -> set[CellName]:
    return {
        name_cell(mart, key, column)
        for mart, rows in hidden.items()
        for key, marks in rows.items()
        for column in marks
        if column in marts[mart].columns.counts
    }


def _counts(marts: Mapping[str, Seen]) -> dict[CellName, float]:
    return {
        name_cell(mart, _key(row, seen.header), column): float(row[column])
        for mart, seen in marts.items()
        for row in seen.rows
        for column in seen.columns.counts
        if not is_missing(row[column])
    }


def _hide_changes(seen: Seen, found: Hidden, smallest: int) -> None:
    """Withhold changes that would tell a count which is withheld, tonight or the night before."""
    for change, count in seen.columns.changes.items():
        # a count of today and its change tell the count of the night before, and the other way
        before = [{**row, count: _before(row[count], row[change])} for row in seen.rows]
        for (_, number, column), _ in _withheld({"": seen.counted(before, {count})}, smallest):
            if column == count:
                found[_key(seen.rows[number], seen.header)][change] = Withheld.HIDDEN
        for row in seen.rows:
            if count in found[_key(row, seen.header)]:
                found[_key(row, seen.header)][change] = Withheld.HIDDEN


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
    marts: Mapping[str, Counted], smallest: int, kept: frozenset[CellName] = frozenset()
) -> Iterator[tuple[Cell, Withheld]]:
    """Yield every count that is withheld, with its mark."""
    cells: list[Cell] = []
    for name, mart in marts.items():
        named = {n for each in mart.sums for n in (*each.of, *each.less, each.total) if n}
        cells += [
            (name, number, column)
            for number, row in enumerate(mart.rows)
            for column in sorted({*mart.counts, *named})
            if not is_missing(row[column])
        ]
    ties = list(find_ties(marts)) if len(marts) > 1 else []
    places = _places(cells, ties)
    values: dict[int, float] = {}
    for (name, number, column), place in places.items():
        values[place] = float(marts[name].rows[number][column])
    whole = {cell: place for cell, place in places.items() if values[place].is_integer()}
    lines = [
        line
        for name, mart in marts.items()
        for each in mart.sums
        for line in _lines(each, mart.rows, {c[1:]: p for c, p in whole.items() if c[0] == name})
    ]
    for total, parts in ties:
        if whole.keys() >= {total, *parts}:
            line = Counter(whole[part] for part in parts)
            line[whole[total]] -= 1
            # of one count in two marts nothing is left
            lines += [{p: sign for p, sign in line.items() if sign}] if any(line.values()) else []
    # a whole that is small is withheld wherever it stands, so nobody can take parts from it
    known = [
        line
        for line in lines
        if min(line.values()) < 0 or sum(values[place] for place in line) >= smallest
    ]
    counts = [values[place] for place in range(len(values))]
    held = _held(marts, places, kept)
    marks = withhold(counts, known, smallest=smallest, kept=held)
    # nor may what is kept be shown because its whole, known the night before, is small now
    for place in sorted(held & {place for line in lines for place in line}):
        marks.setdefault(place, Withheld.HIDDEN)
    for cell, place in places.items():
        if place in marks:
            yield cell, marks[place]


def _held(
    marts: Mapping[str, Counted], places: Mapping[Cell, int], kept: frozenset[CellName]
) -> set[int]:
    """Return the numbers of counts that stay withheld."""
    return {
        place
        for (name, number, column), place in places.items()
        if kept
        and name_cell(name, [marts[name].rows[number][k] for k in marts[name].key], column) in kept
    }


def _places(
    cells: Sequence[Cell], ties: Iterable[tuple[Cell, tuple[Cell, ...]]]
) -> dict[Cell, int]:
    """Number the counts; those that are one and the same count in two marts share a number."""
    groups = {cell: [cell] for cell in cells}
    for total, parts in ties:
        one, other = groups[total], groups[parts[0]]
        # Two counts of one mart stay two: its sums hold both of them.
        if len(parts) == 1 and not {cell[0] for cell in one} & {cell[0] for cell in other}:
            one += other
            groups |= dict.fromkeys(other, one)
    numbers: dict[Cell, int] = {}
    for cell in cells:
        numbers.setdefault(groups[cell][0], len(numbers))
    return {cell: numbers[groups[cell][0]] for cell in cells}


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
