"""Local times in UTC, without asking the calendar about every row.

Most times of a delivery lie in the days around it, and in most weeks no clock is changed: then one
offset holds for all of them. DuckDB itself is asked beforehand from when to when that is so; any
other time takes the careful way. How a text becomes a time is ``casting``'s business.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

import duckdb
import numpy as np

from cdp_pipeline.project.contracts import SourceContract
from cdp_pipeline.storage.warehouse import quote_column, quote_literal

_DAYS_BEFORE, _DAYS_AFTER = 10, 3
_MINUTES = 60
"""Minutes between the moments that are asked about: no clock is changed and back between them."""

_UTC = "UTC"


def to_utc(local: str, zone: str) -> str:
    """Return SQL of a local time in UTC, or NULL where clocks that went forward left it out.

    It needs the macro of its zone, which ``create_clock_macros`` makes.
    """
    return local if zone == _UTC else f"{_macro(zone)}({local})"


def create_clock_macros(
    con: duckdb.DuckDBPyConnection, contract: SourceContract, *, around: date
) -> None:
    """Create what ``to_utc`` needs for the zones of a contract.

    Args:
        con: Connection to make the macros on.
        contract: The contract.
        around: A day near which most of the times lie.
    """
    for zone in _zones(contract):
        con.execute(
            f"create or replace temp macro {_macro(zone)}(_local) as "
            f"({_in_stretch(con, zone, around)}{_carefully(zone)} end)"
        )


def _macro(zone: str) -> str:
    return quote_column(f"utc_from_{zone}")


def _zones(contract: SourceContract) -> Iterable[str]:
    of_columns = {
        column.time_zone or contract.delivery.time_zone
        for column in contract.columns.values()
        if column.type == "timestamp"
    }
    return sorted(of_columns - {_UTC})


def _carefully(zone: str) -> str:
    """Return the last branch of a CASE, for any time.

    DuckDB moves a time that clocks left out on by an hour; only from UTC and back is it seen. A
    midnight stays what it is written for, the day's first moment: some zones change their clocks
    then. Of an hour that comes twice the second one is taken.
    """
    there = quote_literal(zone)
    moment = f"timezone({there}, _local)"
    return (
        f"when timezone({there}, {moment}) = _local or _local = date_trunc('day', _local) "
        f"then timezone('UTC', {moment})"
    )


def _in_stretch(con: duckdb.DuckDBPyConnection, zone: str, around: date) -> str:
    """Return the first branch of a CASE, for times between two with the same offset all along."""
    there = quote_literal(zone)
    first, last = (f"date '{around}' {days:+d}" for days in (-_DAYS_BEFORE, _DAYS_AFTER))
    found = con.execute(
        "select epoch_us(local) as local, "  # noqa: S608 - quoted
        f"epoch_us(timezone('UTC', timezone({there}, local))) - epoch_us(local) as shift, "
        f"timezone({there}, timezone({there}, local)) = local as is_there "
        f"from (select unnest(range({first}, {last}, interval '{_MINUTES} minutes')) as local) "
        "order by local"
    ).fetchnumpy()
    local, shift = np.asarray(found["local"]), np.asarray(found["shift"])
    noon = (_DAYS_BEFORE * 24 + 12) * 60 // _MINUTES
    is_other = (shift != shift[noon]) | ~np.asarray(found["is_there"])
    if is_other[noon]:  # the whole day is left out, as where the date line was moved
        return "case "
    others = np.flatnonzero(is_other)
    begin = local[others[others < noon].max(initial=-1) + 1]
    end = local[others[others > noon].min(initial=len(local)) - 1]
    moved = f"make_timestamp(epoch_us(_local) + {shift[noon]})" if shift[noon] else "_local"
    return (
        f"case when _local between make_timestamp({begin}) and make_timestamp({end}) then {moved} "
    )
