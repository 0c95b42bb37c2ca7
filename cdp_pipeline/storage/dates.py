"""How a column of texts writes dates: found from the values, never guessed in silence.

01/02/1985 is a day in January or in February; the column's other values tell. What they do not
tell is said in the reading, so that people see what was assumed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Literal, TypeAlias

import duckdb

from cdp_pipeline.storage.warehouse import quote_literal

Order: TypeAlias = Literal["day first", "month first"]

_PLAIN = (
    "%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%Y%m%d", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S",
    "%Y.%m.%d.", "%Y. %m. %d.", "%Y. %m. %d", "%Y年%m月%d日", "%Y년 %m월 %d일", "%Y년%m월%d일",
)  # fmt: skip
_TIED = tuple(
    (f"%d{s}%m{s}{y}{t}", f"%m{s}%d{s}{y}{t}")
    for t in ("", " %H:%M:%S", " %H:%M")
    for s in ("/", "-", ".", ". ", " ", "")
    for y in ("%Y", "%y")
)
_WORDED = (
    "%d %b %Y", "%d-%b-%Y", "%b %d, %Y", "%d %B %Y", "%B %d, %Y", "%d%b%Y", "%d-%b-%y", "%d %b %y",
    "%B %d %Y", "%b %d %Y", "%d. %B %Y", "%d. %b %Y", "%d/%b/%Y",
)  # fmt: skip
_MONTHS = {
    "Jan": "janv?ier|janv|januar[iy]?|gennaio|gen|enero|ene|janeiro|januari",
    "Feb": "f[eé]vrier|f[eé]vr|fev|febbraio|februar[iy]?|febrero|fevereiro",
    "Mar": "m[aä]rz|mars|marzo|mar[cç]o|maart|mrz",
    "Apr": "avril|avr|aprile|abril|abr",
    "May": "mai|maggio|mag|mayo|maio|mei|maj",
    "Jun": "juin|juni|giugno|giu|junio|junho",
    "Jul": "juillet|juil|juli|luglio|lug|julio|julho",
    "Aug": "ao[uû]t|agosto|ago|augustus|augusti",
    "Sep": "septembre|sept|settembre|set|septiembre|setembro",
    "Oct": "octobre|oktober|okt|ottobre|ott|octubre|outubro|out",
    "Nov": "novembre|noviembre|novembro",
    "Dec": "d[eé]cembre|dezember|dez|dicembre|dic|diciembre|dezembro|des",
}
_EARLIEST, _LATEST = 1500, 2100
_CENTURY = 100
_FEW = 0.02
"""Share of values from which a second way of writing is taken for more than slips."""

_FIRST = (
    "(from link_dates "
    "order by -ln((hash(value)::double + 1e0) / 18446744073709551617e0) / n, value limit 1000)"
)
"""Values drawn by chance, a value that stands there often sooner: of a way of writing that counts,
see ``_FEW``, some are among them. The commonest ones would all be written the common way."""


@dataclass(frozen=True)
class DateReading:
    """How a column is read.

    Attributes:
        formats: Formats of ``strptime``, the commonest first; empty: no dates.
        share: Share of the values that are dates.
        order: What decides between day and month; None where years or words come first.
        certain: Whether the values themselves decide it.
        newest_year: Year up to which two digits belong to the century of the newest dates.
        worded: Whether months are words.
    """

    formats: tuple[str, ...]
    share: float
    order: Order | None = None
    certain: bool = True
    newest_year: int = 2025
    worded: bool = False

    def sql(self, column: str) -> str:
        """Return SQL of type date for a text column; NULL where it is none."""
        if not self.formats:
            return "cast(null as date)"
        value = _english(column) if self.worded else f"trim({column})"
        formats = ", ".join(quote_literal(f) for f in self.formats)
        read = f"try_strptime({value}, [{formats}])"
        if any("%y" in f for f in self.formats):
            late = f"year({read}) > {self.newest_year}"
            read = f"case when {late} then {read} - to_years({_CENTURY}) else {read} end"
        return f"case when year({read}) between {_EARLIEST} and {_LATEST} then {read}::date end"

    @property
    def text(self) -> str:
        """One clause for people."""
        shown = ", ".join(self.formats[:2])
        if self.order is None:
            return f"written as {shown}"
        if self.certain:
            return f"{self.order} ({shown}), as the values show"
        return (
            f"{self.order} ({shown}) by assumption: no value tells day from month; "
            "set `dates:` in the --config file if it is the other way round"
        )


def read_dates(
    con: duckdb.DuckDBPyConnection, table: str, column: str, *, order: Order | None = None
) -> DateReading:
    """Return how a text column writes its dates.

    Args:
        con: Connection.
        table: Table or sample with the column.
        column: Quoted column.
        order: What people say about day and month; outranks the values.
    """
    con.execute(
        f"create or replace temp table link_dates as select trim({column}) as value, "  # noqa: S608 - quoted
        f"{_english(column)} as worded, count(*) as n from {table} "
        f"where trim({column}) <> '' group by all"
    )
    total = _count(con, "value is not null")
    if not total:
        return DateReading((), 0.0)
    matches = _matches(con)
    chosen = [(matches[known], known) for known in _PLAIN]
    decided: list[tuple[int, int, str]] = []
    for day_first, month_first in _TIED:
        found = matches[day_first], matches[month_first]
        if max(found):
            decided.append((*found, day_first))
            chosen += _tied(found, (day_first, month_first), total, order)
    words = [(matches[known], known) for known in _WORDED]
    worded = sum(n for n, _ in words) > sum(n for n, _ in chosen)
    kept = sorted((found for found in (words if worded else chosen) if found[0]), reverse=True)
    kept = [(n, f) for place, (n, f) in enumerate(kept) if place == 0 or n >= _FEW * total]
    formats = tuple(f for _, f in kept)
    reading = DateReading(formats, 0.0, newest_year=_newest(con, formats), worded=worded)
    share = _count(con, f"{reading.sql('value')} is not null") / total
    main = next((d for d in decided if formats and _pair_of(formats[0]) == d[2]), None)
    if main is None:
        return replace(reading, share=share)
    picked: Order = "day first" if formats[0] == main[2] else "month first"
    certain = order is not None or main[0] != main[1]
    return replace(reading, share=share, order=picked, certain=certain)


def _tied(
    found: tuple[int, int], names: tuple[str, str], total: int, order: Order | None
) -> list[tuple[int, str]]:
    """Return the one of two readings that fits more values.

    The other reads what is left, if that is more than slips.
    """
    first = 0 if order == "day first" or (order is None and found[0] >= found[1]) else 1
    rest = max(found[1 - first] - found[first], 0)
    kept = [(found[first], names[first])]
    if order is None and rest >= _FEW * total:
        kept.append((rest, names[1 - first]))
    return kept


def _pair_of(chosen: str) -> str | None:
    return next((pair[0] for pair in _TIED if chosen in pair), None)


def _matches(con: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """Return how many values each known format reads; 0 where it reads none of some drawn ones.

    Almost no format fits, and which do shows soon: asking all of every value is dear.
    """
    columns = dict.fromkeys((*_PLAIN, *chain.from_iterable(_TIED)), "value")
    columns |= dict.fromkeys(_WORDED, "worded")
    reads = {
        known: f"year(try_strptime({column}, {quote_literal(known)})) "
        f"between {_EARLIEST} and {_LATEST}"
        for known, column in columns.items()
    }
    first = _counts(con, list(reads.values()), source=_FIRST)
    likely = {known: reads[known] for known, n in zip(reads, first, strict=True) if n}
    counted = dict(zip(likely, _counts(con, list(likely.values())), strict=True))
    return dict.fromkeys(reads, 0) | counted


def _count(con: duckdb.DuckDBPyConnection, condition: str) -> int:
    return _counts(con, [condition])[0]


def _counts(
    con: duckdb.DuckDBPyConnection, conditions: Sequence[str], *, source: str = "link_dates"
) -> list[int]:
    if not conditions:
        return []
    sums = ", ".join(f"coalesce(sum(n) filter ({condition}), 0)" for condition in conditions)
    row = con.execute(f"select {sums} from {source}").fetchall()[0]  # noqa: S608 - own text
    return [int(value) for value in row]


def _newest(con: duckdb.DuckDBPyConnection, formats: tuple[str, ...]) -> int:
    """Return the newest year that four digits say, or 2025: later two-digit years are past."""
    full = [quote_literal(f) for f in formats if "%Y" in f]
    if not full:
        return 2025
    rows = con.execute(
        f"select max(year(d)) from (select try_strptime(value, [{', '.join(full)}]) as d "  # noqa: S608 - own formats
        f"from link_dates) where year(d) <= {_LATEST}"
    ).fetchall()
    return int(rows[0][0] or 2025)


def _english(column: str) -> str:
    """Return SQL that writes months of other languages in English."""
    text = f"trim({column})"
    for english, others in _MONTHS.items():
        text = f"regexp_replace({text}, '(?i)\\b({others})\\b\\.?', '{english}')"
    return text
