"""SQL of dates and moments in a declared format: written with ``%`` parts, or counted.

What DuckDB's parser would guess is no value here. Zones and the calendar's bounds are
``casting``'s.
"""

from __future__ import annotations

import re

from cdp_pipeline.storage.warehouse import quote_literal

EPOCHS = {"epoch": (1_000_000, 11), "epoch_ms": (1000, 14), "epoch_us": (1, 17)}
"""Microseconds of a count since 1970, and its most digits: more would leave the calendar."""

EXCEL = "excel"
"""Format of dates as spreadsheets count them."""

COUNTED = frozenset({*EPOCHS, EXCEL})
"""Formats of moments that are counted, rather than written."""

_SERIAL = r"[0-9]{1,6}(\.[0-9]{1,12})?"
_FIRST_SERIAL_DAY = "1899-12-30"
_FIGURES = {"Y": 4, "y": 2, "m": 2, "d": 2, "j": 3, "H": 2, "I": 2, "M": 2, "S": 2}
_PARTS = re.compile(r"((?:%[YymdjHIMS]){2,})|%-?[^%]|%%|[^%]+", re.DOTALL)


def formatted(clean: str, form: str) -> str:
    """Return SQL of the moment that a text means, NULL if it is not of the format.

    Args:
        clean: SQL of the text.
        form: strptime format, or one of ``COUNTED``.
    """
    if form in COUNTED:
        return _counted(clean, form)
    parsed = f"try_strptime({clean}, {quote_literal(form)})"
    if places := _fixed_places(form):
        is_full = f"regexp_full_match({clean}, {quote_literal(places)})"
        return f"case when {is_full} then {parsed} end"
    return parsed


def _fixed_places(form: str) -> str:
    r"""Return the RE2 of a format with parts that only their places tell apart; "" if it has none.

    Where spreadsheets took leading zeros away, DuckDB would read 10126 as the 10th of December.

    >>> _fixed_places("%d%m%y %-I%p"), _fixed_places("%d.%m.%y")
    ('[0-9]{6}\\ .+.+', '')
    """
    found = list(_PARTS.finditer(form))
    if not any(part[1] for part in found):
        return ""
    return "".join(_place(part[0], part[1]) for part in found)


def _place(part: str, unseparated: str | None) -> str:
    if unseparated:
        return f"[0-9]{{{sum(_FIGURES[letter] for letter in unseparated[1::2])}}}"
    if part.startswith("%"):
        return "%" if part == "%%" else ".+"
    return re.escape(part)


def _counted(clean: str, unit: str) -> str:
    """Return SQL of a moment that is counted: since 1970 (UTC), or in days of a spreadsheet."""
    if unit == EXCEL:
        value = f"try_cast({clean} as decimal(18, 11))"
        seconds = f"cast(round(cast({value} as decimal(38, 11)) * 86400) as bigint)"
        moment = f"timestamp '{_FIRST_SERIAL_DAY}' + to_seconds({seconds})"
        return f"case when regexp_full_match({clean}, '{_SERIAL}') then {moment} end"
    length, most = EPOCHS[unit]
    whole, parts = f"-?[0-9]{{1,{most}}}", f"-?[0-9]{{1,{most}}}[.][0-9]{{1,9}}"
    micros = f"cast(round(try_cast({clean} as decimal(26, 9)) * {length}) as bigint)"
    return (
        f"case when regexp_full_match({clean}, '{whole}') "
        f"then make_timestamp(try_cast({clean} as bigint) * {length}) "
        f"when regexp_full_match({clean}, '{parts}') then make_timestamp({micros}) end"
    )
