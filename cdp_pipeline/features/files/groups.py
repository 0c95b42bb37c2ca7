"""RFM scores and groups of a file's customers: ``cdp rfm`` and its Python interface.

The scores are the night's SQL; thresholds as a file, what a result consists of and how it reads as
plain data belong here, the page to ``groups_report``.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cdp_pipeline.core.errors import ConfigError
from cdp_pipeline.features.files.transactions import Transactions
from cdp_pipeline.storage.warehouse import fetch_dicts

STATUS_WORDS = {
    "few_buyers": "fewer than 500 buyers: scores mean little",
    "short_history": "less than 180 days of history: scores mean little",
    "no_recent_sales": "nobody bought in the last 30 days: scores mean little",
    "few_repeaters": "nobody has three visits: frequency scores mean little",
    "nobody_bought": "nobody kept a purchase within the window: there is nothing to score by",
}

_CUSTOMERS = """
select
    $part::varchar as part,
    customer_id,
    last_visit_on,
    recency_days,
    frequency_count,
    monetary_amount,
    r_score,
    f_score,
    m_score,
    rfm_cell,
    rfm_segment,
from features.rfm
order by customer_id
"""
_SEGMENTS = """
select
    rfm_segment as segment,
    count(*) as customers,
    sum(monetary_amount) as amount,
    avg(recency_days) as recency_days,
    avg(frequency_count) as frequency_count,
    avg(r_score + f_score) as score,
from features.rfm
group by all
order by score desc, segment
"""
_SCORES = """
select dimension, score, smallest::double as smallest, largest::double as largest, customer_count
from features.rfm_thresholds
order by dimension, score
"""
_STATUS = """
select
    min(rfm_status) as status,
    count(*) as customers,
    count(last_visit_on) as buyers,
from features.rfm
"""
_GRID = """
select r_score, f_score, count(*) as customers, avg(monetary_amount)::double as amount
from features.rfm
group by all
order by r_score, f_score
"""


class Thresholds(BaseModel):
    """Where scores end and begin; a file of them freezes the groups.

    Attributes:
        fixed_on: Day whose customers they come from.
        window_days: Days of purchases that count.
        bins: Scores per dimension.
        recency_steps: Days since the last visit, ascending.
        frequency_steps: Visit days, ascending.
        monetary_steps: Net amounts, ascending.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    fixed_on: date
    window_days: int = Field(ge=1)
    bins: int = Field(ge=2, le=10)
    recency_steps: list[int]
    frequency_steps: list[int]
    monetary_steps: list[Decimal]


@dataclass(frozen=True)
class GroupOptions:
    """What is asked of a file.

    Attributes:
        window_days: Days of purchases that count.
        bins: Scores per dimension.
        thresholds: Frozen ones; None: those of the file's own customers.
        since: Earlier day to show movements from.
    """

    window_days: int = 365
    bins: int = 5
    thresholds: Thresholds | None = None
    since: date | None = None


@dataclass(frozen=True)
class Part:
    """Groups of one part, or of everything together.

    Attributes:
        name: Value of the column to score by; None: everything.
        thresholds: Where scores end and begin; None where nobody bought.
        segments: One entry a group, best first.
        scores: What each score covers.
        grid: Customers by recency and frequency score.
        status: ``ok`` or why scores mean little.
        without_purchase: Customers who kept nothing of what they bought; all their scores are 1.
    """

    name: str | None
    thresholds: Thresholds | None
    segments: list[dict[str, Any]]
    scores: list[dict[str, Any]]
    grid: list[dict[str, Any]]
    status: str
    without_purchase: int


@dataclass(frozen=True)
class Move:
    """Customers who went from one group to another.

    Attributes:
        before: Group on the earlier day; None: not a customer yet, or not within the window.
        now: Group now; None: out of the window.
        customers: How many.
    """

    before: str | None
    now: str | None
    customers: int


@dataclass(frozen=True)
class GroupResult:
    """What was found.

    Attributes:
        customers: One row a part and customer.
        read: What the file held.
        window_days: Days of purchases that count.
        bins: Scores per dimension.
        parts: Everything together, or one entry a part.
        since: Earlier day that ``moves`` begin from; None without.
        moves: Movements between groups from that day to the last, by today's thresholds.
        notes: What people should know.
    """

    customers: pa.Table
    read: Transactions
    window_days: int
    bins: int
    parts: tuple[Part, ...]
    since: date | None
    moves: tuple[Move, ...]
    notes: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return {
            "file": self.read.file,
            "as_of": self.read.as_of.isoformat(),
            "window_days": self.window_days,
            "bins": self.bins,
            "counts": {
                "rows": self.read.rows,
                "used_rows": self.read.used_rows,
                "rows_without_customer": self.read.without_customer,
                "unreadable_rows": self.read.unreadable,
                "customers": self.customers.num_rows,
            },
            "parts": [
                {
                    "part": part.name,
                    "status": part.status,
                    "thresholds": part.thresholds.model_dump(mode="json")
                    if part.thresholds
                    else None,
                    "segments": part.segments,
                    "scores": part.scores,
                }
                for part in self.parts
            ],
            "moves_since": self.since.isoformat() if self.since else None,
            "moves": [asdict(move) for move in self.moves],
            "notes": list(self.notes),
        }


def read_thresholds(path: Path) -> Thresholds:
    """Return thresholds that an earlier run wrote.

    Raises:
        ConfigError: The file is missing or holds something else.
    """
    try:
        return Thresholds.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            "thresholds cannot be read", where=str(path), hint="Check the path."
        ) from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "the file"
        raise ConfigError(
            f"these are no thresholds: {place}: {first['msg']}",
            where=str(path),
            hint="Give a file that --save-thresholds wrote.",
        ) from error


def write_thresholds(thresholds: Thresholds) -> str:
    """Return thresholds as the text of a file."""
    return json.dumps(thresholds.model_dump(mode="json"), indent=2) + "\n"


def keep_thresholds(
    con: duckdb.DuckDBPyConnection, thresholds: Thresholds | None, as_of: date
) -> None:
    """Put thresholds where the night's SQL looks for those of an earlier night, or clear them."""
    con.execute("drop table if exists base.features.rfm_cutoffs")
    if thresholds is None:
        return
    con.execute(
        "create table base.features.rfm_cutoffs as select $fixed_on::date as fixed_on, "
        "$window_days::integer as window_days, $bins::integer as bins, "
        "$recency_steps::integer[] as recency_steps, "
        "$frequency_steps::integer[] as frequency_steps, "
        "$monetary_steps::decimal(18, 2)[] as monetary_steps",
        thresholds.model_dump() | {"fixed_on": as_of},
    )


def collect_part(con: duckdb.DuckDBPyConnection, name: str | None) -> tuple[Part, pa.Table]:
    """Return the groups that ``features.rfm`` holds, and its customers."""
    steps = fetch_dicts(con, "select * from features.rfm_cutoffs")
    told = fetch_dicts(con, _STATUS)[0]
    con.execute("create or replace temp table collected as " + _CUSTOMERS, {"part": name})
    customers = con.sql("select * from collected").to_arrow_table()
    part = Part(
        name=name,
        thresholds=Thresholds(**steps[0]) if steps else None,
        segments=[_plain(row) for row in fetch_dicts(con, _SEGMENTS)],
        scores=fetch_dicts(con, _SCORES),
        grid=fetch_dicts(con, _GRID),
        status=told["status"] if told["buyers"] else "nobody_bought",
        without_purchase=told["customers"] - told["buyers"],
    )
    return part, customers


def count_moves(before: pa.Table, now: pa.Table) -> tuple[Move, ...]:
    """Return who went from which group to which, by groups."""
    tables = (before, now)
    groups = [
        dict(
            zip(
                table.column("customer_id").to_pylist(),
                table.column("rfm_segment").to_pylist(),
                strict=True,
            )
        )
        for table in tables
    ]
    counted: dict[tuple[str | None, str | None], int] = {}
    for customer in groups[0].keys() | groups[1].keys():
        pair = (groups[0].get(customer), groups[1].get(customer))
        counted[pair] = counted.get(pair, 0) + 1
    ordered = sorted(counted.items(), key=lambda item: (item[0][0] or "", item[0][1] or ""))
    return tuple(Move(*pair, customers) for pair, customers in ordered)


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    return {
        name: float(value) if isinstance(value, Decimal) else value for name, value in row.items()
    }
