"""Write the rows that are set aside, each with its line, its rules and the reason.

Which rows those are is decided in ``judging``, ``rejections`` and ``loading``; what a reason says
in ``reasons``.
"""

from __future__ import annotations

from pathlib import Path

import duckdb

from cdp_pipeline.ingest.cards import masked
from cdp_pipeline.ingest.deliveries import PRIVATE_FILE_MODE, Delivery
from cdp_pipeline.ingest.loading import CONFLICT_RULE, source_object
from cdp_pipeline.ingest.reasons import describe_fields, reason_of_conflict
from cdp_pipeline.ingest.rejections import MEANINGS
from cdp_pipeline.project.contracts import SourceContract
from cdp_pipeline.storage.files import fsync
from cdp_pipeline.storage.warehouse import quote_column, quote_literal

_COPY_OPTIONS = "(format parquet, compression zstd, compression_level 1)"


def write_quarantine(
    con: duckdb.DuckDBPyConnection,
    delivery: Delivery,
    *,
    reasons: str,
    width: int,
    target: Path,
) -> None:
    """Write the rows of one delivery that staging sets aside.

    Args:
        con: Connection with the views ``broken`` and ``broken_lines`` and the table ``rejected``.
        delivery: The delivery.
        reasons: SQL of the reason of a row of ``broken``.
        width: Fields of a record.
        target: Parquet file to write.
    """
    select = f"""
        select
            {quote_literal(delivery.file_id)} as file_id,
            {quote_literal(delivery.file_name)} as file_name,
            line,
            split_part(rules, ',', 1) as rule,
            rules,
            reason,
            raw,
            date '{delivery.business_date.isoformat()}' as business_date,
        from (
            select _at as line, _rules as rules, {reasons} as reason, _raw as raw
            from broken inner join broken_lines using (_row)
            union all
            select
                line,
                rule,
                {describe_fields(MEANINGS, width)},
                cast(json_object('_text', {masked("text")}) as varchar),
            from rejected
        )
        order by line, rules, raw
    """  # noqa: S608 - literals quoted
    _copy(con, select, target)


def write_conflicts(con: duckdb.DuckDBPyConnection, contract: SourceContract, target: Path) -> None:
    """Write the rows set aside for a conflicting key to the source's quarantine.

    Args:
        con: Connection on which ``loading`` made what is current.
        contract: The source's contract.
        target: Parquet file to write.
    """
    raw = ", ".join(
        f"{quote_literal(name)}, cast({quote_column(name)} as varchar)" for name in contract.columns
    )
    delivered, fates = (source_object(kind, contract.name) for kind in ("delivered", "fates"))
    select = f"""
        select
            _file as file_id,
            _file_name as file_name,
            _line as line,
            '{CONFLICT_RULE}' as rule,
            '{CONFLICT_RULE}' as rules,
            {reason_of_conflict(contract)} as reason,
            cast(json_object({raw}) as varchar) as raw,
            _business_date as business_date,
        from {delivered} inner join {fates} using (_seq, _line)
        where fate = '{CONFLICT_RULE}'
        order by _seq, _line
    """  # noqa: S608 - quoted
    _copy(con, select, target)


def _copy(con: duckdb.DuckDBPyConnection, select: str, target: Path) -> None:
    """Write a query to Parquet so that a crash leaves no half file under the final name."""
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
    temporary = target.with_name(f".{target.name}.tmp")
    con.execute(f"copy ({select}) to {quote_literal(str(temporary))} {_COPY_OPTIONS}")
    temporary.chmod(PRIVATE_FILE_MODE)
    fsync(temporary)
    temporary.replace(target)
    fsync(target.parent)  # what the notes count must not be lost after them
