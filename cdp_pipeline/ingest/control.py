"""Totals that a sender states about a file, held against what was read of it.

They stand in the lines before or after the records, or in a manifest beside the file. A file that
does not add up was cut short, written twice, or read wrongly. Nothing is corrected here.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from pathlib import Path

import duckdb

from cdp_pipeline.ingest.originals import Original
from cdp_pipeline.ingest.refusal import RefusedError
from cdp_pipeline.ingest.rejections import HARMLESS
from cdp_pipeline.project.contracts import SourceContract
from cdp_pipeline.project.layout import Control, Delivery, beside
from cdp_pipeline.storage.warehouse import fetch_value, quote_column

ROWS = "rows"
_LARGEST_MANIFEST = 1 << 20
_NEGATIVE = re.compile(r"([0-9.]+)\s?-|-\s([0-9.]+)|\(\s?([0-9.]+)\s?\)")


def check_control(
    con: duckdb.DuckDBPyConnection,
    contract: SourceContract,
    *,
    name: str,
    original: Original,
    margins: str,
    records: int,
) -> tuple[str, ...]:
    """Hold a file against its control totals and return warnings.

    Args:
        con: Connection with the views ``judged`` and ``broken`` and the table ``rejected``; rows
            set aside count, as they were delivered.
        contract: Its contract.
        name: Name of the delivered file.
        original: What was delivered, whose manifest may state the totals. As many records as went
            from it with erased people may be lacking; what they add to a sum cannot be known.
        margins: Text before and after its records.
        records: Records in it.

    Raises:
        RefusedError: The totals differ and the contract refuses such files, or there are none.
    """
    control = contract.delivery.control
    if control is None:
        return ()
    text = (
        _text_of(original.manifest, beside(name, control.manifest))
        if control.source == "manifest"
        else margins
    )
    counted = records, original.taken_out
    differences = list(_differences(con, contract, control, name=name, text=text, counted=counted))
    if differences and control.on_mismatch == "refuse":
        raise RefusedError(
            f"it does not add up: {'; '.join(differences)}",
            hint=_hint(con),
            records=records,
            is_final=control.source != "manifest",
        )
    return tuple(f"control totals: {text}" for text in differences)


def _hint(con: duckdb.DuckDBPyConnection) -> str:
    """Return what to do about a file that does not add up: rows that cannot be read may be why."""
    count, rules = con.execute(
        "select count(*), string_agg(distinct rule, ', ' order by rule) from (select rule from "
        "rejected union all select split_part(_rules, ',', 1) as rule from broken) "
        "where not list_contains(?, rule)",
        [sorted(HARMLESS)],
    ).fetchall()[0]
    if not count:
        return "Have it sent again; it may have been cut short."
    return f"{count} of its records would be set aside ({rules}): mend them, or have it sent again."


def _text_of(manifest: Path | None, name: str) -> str:
    if manifest is None or not manifest.is_file() or manifest.is_symlink():
        raise RefusedError(
            f"its manifest {name} is not there", hint="Ask the sender.", is_final=False
        )
    with manifest.open("rb") as stream:
        data = stream.read(_LARGEST_MANIFEST)
    wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    text = data.decode("utf-16" if wide else "utf-8-sig", "replace")
    return text.replace("\r\n", "\n").replace("\r", "\n")  # a pattern's `$` knows LF alone


def _differences(
    con: duckdb.DuckDBPyConnection,
    contract: SourceContract,
    control: Control,
    *,
    name: str,
    text: str,
    counted: tuple[int, int],
) -> Iterator[str]:
    records, taken_out = counted
    found = re.search(control.pattern.replace("{name}", re.escape(name)), text, re.MULTILINE)
    if found is None:
        yield f"the {control.source} states no totals that match the contract's pattern"
        return
    for total, stated in found.groupdict().items():
        if stated is None:
            continue
        number = stated_number(stated, contract.delivery)
        if number is None:
            yield f"{total} is stated as {stated!r}, which is no number"
            continue
        held = (
            Decimal(_counted(con, records, stated=number)) if total == ROWS else _summed(con, total)
        )
        lacking = number - held
        is_theirs = taken_out and (total != ROWS or 0 < lacking <= taken_out)
        if lacking and not is_theirs:
            yield f"{total} is stated as {stated.strip()}, the file holds {held}"


def _summed(con: duckdb.DuckDBPyConnection, column: str) -> Decimal:
    """Return the sum of a column over the records of a file; rows of sums are none."""
    total = f"(select coalesce(sum({quote_column(column)}), 0)"
    held = fetch_value(
        con,
        f"select {total} from judged) - {total} from broken "  # noqa: S608 - quoted
        "where list_contains(?, split_part(_rules, ',', 1)))",
        [sorted(HARMLESS)],
    )
    return Decimal(held)


def _counted(con: duckdb.DuckDBPyConnection, records: int, *, stated: Decimal) -> int:
    """Return the records of a file; without those that hold no data if it says so."""
    blank = fetch_value(
        con,
        "select (select count(*) from broken where list_contains(?, split_part(_rules, ',', 1))) "
        "+ (select count(*) from rejected where list_contains(?, rule))",
        [sorted(HARMLESS)] * 2,
    )
    return records - int(blank) if stated == records - int(blank) else records


def stated_number(text: str, written: Delivery) -> Decimal | None:
    """Return a total as a number, whose sign may stand as those of the records may; else None."""
    plain = text.strip()
    if written.thousands_mark:
        plain = plain.replace(written.thousands_mark, "")
    plain = plain.replace(written.decimal_mark, ".").replace("\u2212", "-")
    if behind := _NEGATIVE.fullmatch(plain):
        plain = f"-{next(filter(None, behind.groups()))}"
    try:
        number = Decimal(plain)
    except InvalidOperation:
        return None
    return number if number.is_finite() else None
