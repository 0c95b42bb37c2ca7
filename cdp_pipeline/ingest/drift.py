"""How a delivery differs from what its contract or its predecessors led to expect.

Renamed columns are suggested by name and by what stands in them, retyped ones by how their values
look; volumes and missing values are held against earlier deliveries. What follows from a
difference is the contract's decision (``drift:``); nothing is loaded or mended here.
"""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from statistics import median

import duckdb

from cdp_pipeline.ingest.deliveries import Delivery, StagedFile
from cdp_pipeline.ingest.shapes import compare_shapes
from cdp_pipeline.project.contracts import Column, SourceContract
from cdp_pipeline.project.drift import HistoryPolicy
from cdp_pipeline.project.layout import Delivery as Layout
from cdp_pipeline.storage.warehouse import quote_column, quote_literal

MINIMUM_HISTORY = 4
"""Earlier days or files from which something usual can be told."""

_LATEST = 8
_FEWEST_ROWS = 20
_SAMPLE_BYTES = 1 << 16
_SAMPLE_ROWS = 200
_FITTING_SHARE = 0.9
_SHOWN_VALUES = 5

_CODE = re.compile(r"(?!\D*(\d\D*){5})([a-z0-9_-]{1,16}|[A-Z0-9_-]{1,8})")
"""A word in small or in capital letters, with four digits at most: no name, address or number."""

_LOOKS: tuple[tuple[str, str], ...] = (
    (r"[+-]?\d{1,3}(\.\d{3})*,\d+", 'numbers with a decimal comma: set `decimal_mark: ","`'),
    (r"[+-]?\d{1,3}(,\d{3})+(\.\d+)?", 'numbers with a thousands mark: set `thousands_mark: ","`'),
    (r"[+-]?\d+\.\d+", "numbers with decimals: set `type: number`"),
    (r"-?[^\d\s.,+-]{1,3} ?\d[\d.,]*", "amounts with a currency sign: set `strip:`"),
    (r"\d{1,2}[./-]\d{1,2}[./-]\d{2,4}.*", "dates that do not begin with the year: set `format:`"),
    (r"\d{4}-\d\d-\d\d[T ]\d\d:.*", "dates with a time: set `type: timestamp`"),
    (r"\d{4}-\d\d-\d\d", "dates without a time: set `type: date`"),
    (r"\d{8}", 'dates without dashes: set `format: "%Y%m%d"`'),
    (
        r"\d{10}(\d{3}){0,2}",
        "a count since 1970: set `type: timestamp`, `format: epoch` (epoch_ms, epoch_us)",
    ),
    (r"(?i)(true|false|yes|no|y|n|j|ja|nein|oui|non)", "words for yes and no: set `true_values:`"),
)
_SEMANTICS = {
    "email": re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+"),
    "phone": re.compile(r"\+?[0-9 ()./-]{7,20}"),
}
_TYPES = {
    "integer": re.compile(r"[+-]?\d+"),
    "decimal": re.compile(r"[+-]?\d+([.,]\d{1,2})?"),
    "number": re.compile(r"[+-]?\d+([.,]\d+)?"),
    "date": re.compile(r"\d{4}-\d\d-\d\d"),
    "timestamp": re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d.*"),
}


@dataclass(frozen=True)
class Breach:
    """A difference from earlier deliveries and what the contract does about it.

    Attributes:
        policy: What the contract does.
        file_name: A file that differs.
        text: How.
        lenient: What to write below ``drift:`` where the difference is right.
    """

    policy: HistoryPolicy
    file_name: str
    text: str
    lenient: str


def sample_columns(
    path: Path, start: int, names: Sequence[str], written: Layout
) -> dict[str, list[str]]:
    """Return the values that the first records of a CSV text hold, by column name."""
    with path.open("rb") as stream:
        stream.seek(start)
        head = stream.read(_SAMPLE_BYTES)
    lines = head.decode("utf-8", "replace").split("\n")[:_SAMPLE_ROWS]
    found: dict[str, list[str]] = {name: [] for name in names}
    try:
        for row in _split(lines, written):
            for name, value in zip(names, row, strict=False):
                found[name].append(value.strip())
    except csv.Error:
        return found
    return found


def _split(lines: list[str], written: Layout) -> Iterator[list[str]]:
    if written.quote:
        return csv.reader(lines, delimiter=written.delimiter, quotechar=written.quote)
    return csv.reader(lines, delimiter=written.delimiter, quoting=csv.QUOTE_NONE)


def alike_by_content(column: Column, samples: Mapping[str, Sequence[str]]) -> str | None:
    """Return the column whose values are what a declared column's should be, if only one is."""
    fitting = [name for name, values in samples.items() if _fits(column, values)]
    return fitting[0] if len(fitting) == 1 else None


def _fits(column: Column, values: Sequence[str]) -> bool:
    present = [value for value in values if value]
    pattern = _SEMANTICS.get(column.pii or "") or _TYPES.get(column.type)
    if column.pattern:
        try:
            pattern = re.compile(column.pattern)
        except re.error:  # RE2 knows a few things that Python does not
            return False
    if not present or not (column.values or pattern):
        return False
    fitting = sum(
        value in column.values if column.values else bool(pattern and pattern.fullmatch(value))
        for value in present
    )
    return fitting >= _FITTING_SHARE * len(present)


def look_of_values(con: duckdb.DuckDBPyConnection, name: str, *, kind: str) -> str:
    """Return what the values of a column look like that did not have its type; empty if unclear.

    Args:
        con: Connection with the view ``broken``.
        name: The column.
        kind: The type that is declared.
    """
    rows = con.execute(
        "select json_extract_string(_raw, ?) from broken "  # noqa: S608 - fixed
        f"where contains(_rules, {quote_literal(f'{name}_type')}) limit {_SAMPLE_ROWS}",
        [f'$."{name}"'],
    ).fetchall()
    values = [str(row[0]).strip() for row in rows if row[0]]
    for pattern, look in _LOOKS:
        if look.endswith(f"`type: {kind}`"):
            continue
        fitting = sum(bool(re.fullmatch(pattern, value)) for value in values)
        if values and fitting >= _FITTING_SHARE * len(values):
            return f"{name} holds {look}"
    return ""


def unknown_values(con: duckdb.DuckDBPyConnection, contract: SourceContract) -> Iterator[str]:
    """Yield a warning for each column that holds values its contract does not know.

    The warning goes to logs and manifests, and people type names and addresses anywhere: only what
    looks like a code is shown, and nothing of columns that hold personal data.
    """
    if contract.drift.unknown_values == "pass":
        return
    for name, column in contract.columns.items():
        if not column.values:
            continue
        known = ", ".join(quote_literal(value) for value in column.values)
        text = f"cast({quote_column(name)} as varchar)"
        rows = con.execute(
            f"select {text}, count(*) from judged where {text} not in ({known}) "  # noqa: S608 - quoted
            "group by 1 order by 2 desc, 1"
        ).fetchall()
        if not rows:
            continue
        codes = [] if column.is_sensitive else [row for row in rows if _CODE.fullmatch(row[0])]
        parts = [f"{value!r} ({count})" for value, count in codes[:_SHOWN_VALUES]]
        if len(codes) < len(rows):
            others = len(rows) - len(codes)
            parts.append(f"{others} more that are no codes" if codes else f"{others} of them")
        shown = ", ".join(parts)
        yield f"{name} has unknown values: {shown}; add them to `values:` if they are right"


def null_shares(null_counts: Mapping[str, int], *, rows: int) -> dict[str, float]:
    """Return the share of missing values by column, over the rows that are fine.

    >>> null_shares({"sku": 10}, rows=40)
    {'sku': 0.25}
    """
    if rows < _FEWEST_ROWS:
        return {}
    return {name: round(count / rows, 4) for name, count in null_counts.items()}


def compare_with_history(
    contract: SourceContract, staged: Iterable[tuple[Delivery, StagedFile]]
) -> list[Breach]:
    """Return how tonight's deliveries differ from earlier ones of the source.

    Args:
        contract: The source's contract.
        staged: All its deliveries in loading order, with what staging noted.
    """
    loaded = [(d, n) for d, n in staged if n.status == "loaded"]
    found = list(_volumes(contract, loaded)) if contract.drift.volume != "pass" else []
    if contract.drift.nulls != "pass":
        found += _nulls(contract, loaded)
    if contract.drift.shapes != "pass":
        found += _shapes(contract, loaded)
    return found


def _volumes(
    contract: SourceContract, loaded: list[tuple[Delivery, StagedFile]]
) -> Iterator[Breach]:
    """Hold the records of each day against the median of the same weekday before it."""
    totals: dict[date, int] = defaultdict(int)
    for delivery, notes in loaded:
        totals[delivery.business_date] += notes.records
    fresh = {d.business_date: d.file_name for d, _ in loaded if d.status == "new"}
    factor = contract.drift.volume_factor
    for day, name in sorted(fresh.items()):
        before = [
            total
            for other, total in sorted(totals.items())
            if other < day and other.weekday() == day.weekday() and other not in fresh
        ][-_LATEST:]
        if len(before) < MINIMUM_HISTORY:
            continue
        usual = median(before)
        if totals[day] * factor < usual or totals[day] > factor * usual:
            yield Breach(
                contract.drift.volume,
                name,
                f"{totals[day]} records for {day}; on {len(before)} such weekdays before it was "
                f"{usual:g}",
                "`volume: warn`, or a larger `volume_factor`",
            )


def _nulls(contract: SourceContract, loaded: list[tuple[Delivery, StagedFile]]) -> Iterator[Breach]:
    """Hold the share of missing values of each new file against the median of earlier files."""
    earlier = [n.null_shares for d, n in loaded if d.status != "new" and n.null_shares][-_LATEST:]
    for delivery, notes in loaded:
        if delivery.status != "new":
            continue
        for name, share in notes.null_shares.items():
            before = [shares[name] for shares in earlier if name in shares]
            if len(before) < MINIMUM_HISTORY:
                continue
            usual = median(before)
            if share - usual > contract.drift.null_rise:
                yield Breach(
                    contract.drift.nulls,
                    delivery.file_name,
                    f"{name} is missing in {share:.0%} of the rows; usually in {usual:.0%}",
                    "`nulls: warn`, or a larger `null_rise`",
                )


def _shapes(
    contract: SourceContract, loaded: list[tuple[Delivery, StagedFile]]
) -> Iterator[Breach]:
    """Hold what the values of each new file look like against earlier files."""
    earlier = [n.shapes for d, n in loaded if d.status != "new" and n.shapes][-_LATEST:]
    for delivery, notes in loaded:
        if delivery.status == "new":
            said = compare_shapes(contract, notes.shapes, earlier, least=MINIMUM_HISTORY)
            for text in said:
                yield Breach(contract.drift.shapes, delivery.file_name, text, "`shapes: warn`")
