"""SQL that turns the text of a column into its declared type, or into NULL where it is not one.

Texts are matched against an expression before they are cast, so that nothing is rounded, guessed
or half read: ``1.005`` is no amount, ``1e3`` no number, ``30/02/2026`` no date. What a NULL means
for the row is decided in ``judging``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

from cdp_pipeline.ingest.date_formats import EPOCHS, EXCEL, formatted
from cdp_pipeline.ingest.local_time import to_utc
from cdp_pipeline.project.contracts import Column
from cdp_pipeline.project.layout import Delivery
from cdp_pipeline.storage.warehouse import quote_column, quote_literal

EARLIEST, LATEST = "1900-01-01", "2199-12-31"
"""Dates outside are slips of the pen, whatever the column."""

_INTEGER_DIGITS = 18
DECIMALS = {"integer": 0, "decimal": 2, "number": 6}
"""Most decimals of a number, by type."""

_DAY = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
_MOMENT = rf"{_DAY}[ T][0-9]{{2}}:[0-9]{{2}}(:[0-5][0-9](\.[0-9]{{1,9}})?)?"
_OFFSET = " ?(Z|UTC|GMT|[+-][0-9]{2}(:?[0-9]{2})?)"
_NARROW_BLANKS = "\u00a0\u202f\u2009\u2007"
DIRECTIONS = "\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
"""Marks of writing direction, which phones and numbers carry when they are copied out of a form."""
UNSEEN = f"\u00a0\u200b\u2060\ufeff{DIRECTIONS}"
"""No-break, zero-width and direction marks. Joiners are none: they belong to letters."""

_UNSEEN_AT_ENDS = f"^[ {UNSEEN}]*[{UNSEEN}][ {UNSEEN}]*|[ {UNSEEN}]*[{UNSEEN}][ {UNSEEN}]*$"
_APOSTROPHES = "'\u2019"
_MINUS = "\u2212"
SPREADSHEET_NUMBER = r"[0-9](\.[0-9]+)?E\+[0-9]+"
"""What a spreadsheet makes of a long identifier; its digits are lost."""

BINARY_TAIL = "(0{6,15}|9{6,15})[0-9]{1,3}"
"""Last decimals of numbers that were sums of binary fractions: 3.3000000000000003 is 3.30."""


@dataclass(frozen=True)
class DeliveredText:
    """The text of a column as it was delivered.

    Attributes:
        sql: The text.
        is_padded: Whether blanks may stand at its ends, or anything outside ASCII in it.
    """

    sql: str
    is_padded: bool = True

    @property
    def trimmed(self) -> str:
        """SQL of the text without blanks at its ends."""
        return f"trim({self.sql})" if self.is_padded else self.sql


@dataclass(frozen=True)
class Casting:
    """SQL of one column.

    Attributes:
        clean: Its text, NULL where it means no value; over the raw text.
        parsed: What DuckDB's own cast makes of it, which may be wrong; over the clean text. Empty
            if the value is made without.
        typed: Its value, NULL where the text does not have the type; over the two before.
        wrong: TRUE if there is a text that cannot be its value; over the clean text and the value.
    """

    clean: str
    parsed: str
    typed: str
    wrong: str


@dataclass(frozen=True)
class Names:
    """SQL that names what is made of a column."""

    clean: str
    parsed: str
    value: str

    @classmethod
    def of(cls, name: str) -> Self:
        """Return the names of a column."""
        return cls(text_name(name), quote_column(f"_parsed_{name}"), quote_column(name))

    @property
    def is_canonical(self) -> str:
        """SQL that is TRUE if the text is what the parsed value is written as.

        Such a text holds its value and nothing else: to find that out is cheaper than an
        expression, and most texts are of this kind.
        """
        return f"cast({self.parsed} as varchar) = {self.clean}"


def text_name(name: str) -> str:
    """Return SQL that names the clean text of a column."""
    return quote_column(f"_text_{name}")


def cast_column(
    column: Column,
    written: Delivery,
    *,
    text: DeliveredText,
    names: Names,
    is_key: bool = False,
) -> Casting:
    """Return the SQL that cleans and casts one column.

    Marks at its ends that nobody sees go, whatever its type: with them no key would match.

    Args:
        column: Its declaration.
        written: How the delivery is written.
        is_key: Whether it names records, so that blanks at its ends are no part of it.
        text: The delivered text.
        names: How what is made of it is referred to.
    """
    return Casting(
        clean=_clean(column, written, _without_unseen(text), is_key=is_key),
        parsed=_parsed(column, written, names.clean),
        typed=_typed(column, written, names),
        wrong=_wrong(column, names.clean, names.value),
    )


def _without_unseen(text: DeliveredText) -> DeliveredText:
    """Return a text without unseen marks at its ends; to look for them is cheaper than to trim."""
    if not text.is_padded:
        return text
    sql = text.sql
    marked = " or ".join(f"contains({sql}, '{mark}')" for mark in UNSEEN)
    marked = f"strlen({sql}) <> length({sql}) and ({marked})"
    cut = f"regexp_replace({sql}, '{_UNSEEN_AT_ENDS}', '', 'g')"
    return DeliveredText(f"case when {marked} then {cut} else {sql} end")


def _clean(column: Column, written: Delivery, delivered: DeliveredText, *, is_key: bool) -> str:
    is_number = column.type in {"integer", "decimal", "number"}
    if column.strip:  # what is stripped may leave blanks behind
        sql = delivered.sql
        if is_number:
            sql = f"translate({sql}, {quote_literal(column.strip)}, '')"
        delivered = DeliveredText(sql)
    text = delivered.sql
    if is_number:
        text = _plain_number(delivered, is_stripped=bool(column.strip))
        text = _with_signs(text, column)
    elif column.type != "text" or is_key:
        text = delivered.trimmed
    if column.strip and not is_number:
        text = f"trim({text}, {quote_literal(column.strip)})"
        delivered = DeliveredText(text)
    tokens = sorted({*written.null_values, *column.null_values})
    named = ", ".join(quote_literal(token) for token in tokens)
    if column.type != "text":
        if text == delivered.sql and _is_null_if_empty(tokens, written, delivered):
            return text
        return f"case when {text} in ({named}) then null else {text} end" if tokens else text
    # Texts stay as delivered; only those that are all blanks count as empty. Trimming is dear, so
    # it is kept for texts that begin with a blank, or where a token may stand between blanks.
    if tokens in ([], [""]):
        if _is_null_if_empty(tokens, written, delivered):
            return text
        is_blank = f"{text} = '' or (starts_with({text}, ' ') and {delivered.trimmed} = '')"
    else:
        is_blank = f"{delivered.trimmed} in ({named})"
    return f"case when {is_blank} then null else {text} end" if tokens else text


def _is_null_if_empty(tokens: list[str], written: Delivery, delivered: DeliveredText) -> bool:
    """Return whether no text needs to become NULL: DuckDB reads an empty field as one."""
    return tokens in ([], [""]) and written.format == "csv" and not delivered.is_padded


def _plain_number(delivered: DeliveredText, *, is_stripped: bool) -> str:
    """Return SQL of a number's text without blanks at its ends and with an ASCII sign."""
    if not delivered.is_padded:
        return delivered.sql
    text = f"trim(replace({delivered.sql}, '{_MINUS}', '-'), ' {_NARROW_BLANKS}')"
    if is_stripped:  # what stood between sign and number may leave a blank
        blanks = f"[ {_NARROW_BLANKS}]+"
        text = f"regexp_replace({text}, '^([-+(]){blanks}|{blanks}([-)])$', '\\1\\2')"
    return text


def _with_signs(text: str, column: Column) -> str:
    """Return SQL of a number's text with ``-`` or nothing where a declared word stands."""
    blanks = f"[ {_NARROW_BLANKS}]*"
    for sign in ("-", "+"):
        words = "|".join(word for word, meant in column.signs.items() if meant == sign)
        if words:
            either = f"(?i)^(?:(?:{words}){blanks}(.*)|(.*?){blanks}(?:{words}))$"
            text = f"regexp_replace({text}, '{either}', '{sign.strip('+')}\\1\\2')"
    return text


def _parsed(column: Column, written: Delivery, clean: str) -> str:
    """Return SQL of what DuckDB's cast or the declared format makes of a text."""
    if column.type in DECIMALS:
        kind = _parsed_number(column, written)
        return f"try_cast({clean} as {kind})" if kind else ""
    if column.type not in {"date", "timestamp"}:
        return ""
    if column.format == EXCEL and (column.decimal_mark or written.decimal_mark) == ",":
        clean = f"replace({clean}, ',', '.')"
    if column.format:
        return formatted(clean, column.format)
    return f"try_cast({clean} as {column.type})"


def _parsed_number(column: Column, written: Delivery) -> str:
    """Return the DuckDB type that most texts of a number are canonical for; empty if none is."""
    if column.type != "decimal":
        return "bigint"
    is_plain = (column.decimal_mark or written.decimal_mark) == "."
    return column.sql_type if is_plain and column.decimals in {None, DECIMALS["decimal"]} else ""


def _typed(column: Column, written: Delivery, names: Names) -> str:
    if column.type in DECIMALS:
        most = DECIMALS[column.type]
        decimals = most if column.decimals is None else min(column.decimals, most)
        return _number(names, column, written, decimals=decimals)
    if column.type == "boolean":
        return _boolean(names.clean, column)
    if column.type == "date":
        return _date(names, column)
    if column.type == "timestamp":
        zone = column.time_zone or written.time_zone
        found = _timestamp(names, column, zone)
        if written.format == "excel" and column.format is None:
            # Midnights of workbooks are whole numbers, as days are.
            is_day = f"regexp_full_match({names.clean}, {quote_literal(_DAY)})"
            return f"case when {is_day} then {to_utc(names.parsed, zone)} else {found} end"
        return found
    return names.clean


def _wrong(column: Column, clean: str, value: str) -> str:
    if column.type == "text":
        return f"contains({value}, 'E+') and regexp_full_match({value}, '{SPREADSHEET_NUMBER}')"
    wrong = f"{clean} is not null and {value} is null"
    if column.type in {"date", "timestamp"}:
        kind = column.type
        wrong += f" or {value} not between {kind} '{EARLIEST}' and {kind} '{LATEST}'"
    return wrong


def thousands_of(column: Column, written: Delivery) -> str:
    """Return the mark between a column's thousands; what stands before its decimals is none."""
    mark = written.thousands_mark if column.thousands_mark is None else column.thousands_mark
    return "" if mark == (column.decimal_mark or written.decimal_mark) else mark


def _number(names: Names, column: Column, written: Delivery, *, decimals: int) -> str:
    """Return SQL of a plain number, or of one with its sign behind or in brackets."""
    clean = names.clean
    decimal_mark = column.decimal_mark or written.decimal_mark
    thousands = thousands_of(column, written)
    mark = re.escape(decimal_mark)
    groups = {" ": f"[ {_NARROW_BLANKS}]", "'": f"[{_APOSTROPHES}]"}.get(
        thousands, re.escape(thousands)
    )
    whole = f"[0-9]{{1,{_INTEGER_DIGITS}}}"
    if thousands:  # by threes; in India by twos before the last three
        whole = (
            f"([0-9]{{1,3}}({groups}[0-9]{{3}})+|[0-9]{{1,2}}({groups}[0-9]{{2}})+{groups}[0-9]{{3}}"
            f"|{whole})"
        )
    digits = whole
    if decimals:
        digits = f"({whole}({mark}[0-9]{{0,{decimals}}}0*)?|{mark}[0-9]{{1,{decimals}}}0*)"
    elif column.type != "integer":
        digits = f"{whole}({mark}0*)?"
    plain = clean
    if thousands:
        removed = {" ": f" {_NARROW_BLANKS}", "'": _APOSTROPHES}.get(thousands, thousands)
        plain = f"translate({plain}, {quote_literal(removed)}, '')"
    if decimal_mark != ".":
        plain = f"replace({plain}, {quote_literal(decimal_mark)}, '.')"
    kind = column.sql_type
    signed = quote_literal(f"[+-]?{digits}")
    blank = f"[ {_NARROW_BLANKS}]"
    odd = quote_literal(rf"{digits}{blank}?-|-{blank}{digits}|\({blank}?{digits}{blank}?\)")
    bare = f"translate({plain}, '()- {_NARROW_BLANKS}', '')"
    binary = f"[+-]?{whole}{mark}[0-9]{{0,{decimals}}}{BINARY_TAIL}"
    tail = f"or regexp_full_match({clean}, {quote_literal(binary)}) " if decimals else ""
    canonical = ""
    if _parsed_number(column, written):
        is_short = f"strlen({clean}) <= {_INTEGER_DIGITS}"
        value = f"try_cast({names.parsed} as {kind})"
        canonical = f"when {names.is_canonical} and {is_short} then {value} "
    return (
        f"case {canonical}"
        f"when regexp_full_match({clean}, {signed}) {tail}then try_cast({plain} as {kind}) "
        f"when regexp_full_match({clean}, {odd}) then -try_cast({bare} as {kind}) end"
    )


def _boolean(clean: str, column: Column) -> str:
    true, false = (
        ", ".join(quote_literal(word.lower()) for word in words) or "null"
        for words in (column.true_values, column.false_values)
    )
    return (
        f"case when lower({clean}) in ({true}) then true "
        f"when lower({clean}) in ({false}) then false end"
    )


def _date(names: Names, column: Column) -> str:
    if column.format:
        return f"cast({names.parsed} as date)"
    in_calendar = f"{names.parsed} between date '{EARLIEST}' and date '{LATEST}'"
    return (
        f"case when {names.is_canonical} and {in_calendar} then {names.parsed} "
        f"when regexp_full_match({names.clean}, {quote_literal(_DAY)}) then {names.parsed} end"
    )


def _timestamp(names: Names, column: Column, zone: str) -> str:
    """Return SQL of a moment in UTC: an offset in the text wins over the declared zone."""
    clean, parsed = names.clean, names.parsed
    if column.format in EPOCHS:
        return parsed
    if column.format and ("%z" in column.format or "%Z" in column.format):
        return f"timezone('UTC', {parsed})"
    if column.format:
        return to_utc(parsed, zone)
    in_calendar = f"{parsed} between timestamp '{EARLIEST}' and timestamp '{LATEST}'"
    comma = f"replace({clean}, ',', '.')"  # ISO 8601 allows one, too
    return (
        f"case when {names.is_canonical} and {in_calendar} then {to_utc(parsed, zone)} "
        f"when contains({clean}, ',') "
        f"then {_iso_moment(comma, f'try_cast({comma} as timestamp)', zone)} "
        f"else {_iso_moment(clean, parsed, zone)} end"
    )


def _iso_moment(clean: str, parsed: str, zone: str) -> str:
    """Return SQL of a moment in UTC that is written as ISO 8601 has it."""
    # DuckDB reads +02:00 only without a blank before it and with a colon within.
    spelt = f"regexp_replace({clean}, ' ?([+-][0-9]{{2}}):?([0-9]{{2}})?$', '\\1:\\2')"
    spelt = f"regexp_replace({spelt}, ':$', ':00')"
    return (
        f"case when regexp_full_match({clean}, {quote_literal(_MOMENT)}) "
        f"then {to_utc(parsed, zone)} "
        f"when not regexp_full_match({clean}, {quote_literal(_MOMENT + _OFFSET)}) then null "
        f"when right({clean}, 1) in ('Z', 'C', 'T') "
        f"then try_cast(rtrim({clean}, ' ZUTCGM') as timestamp) "
        f"else timezone('UTC', try_cast({spelt} as timestamptz)) end"
    )
