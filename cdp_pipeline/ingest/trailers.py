"""Lines that a contract leaves out as a trailer, but that look like records.

A file that broke off has none: its last records, the last of them perhaps half, stand where the
trailer should. Without control totals nothing else would tell. What is looked at are the forms of
fields, never their values.
"""

from __future__ import annotations

import re
from pathlib import Path

from cdp_pipeline.ingest.control import ROWS, stated_number
from cdp_pipeline.ingest.headers import split_fields
from cdp_pipeline.ingest.plaintext import PlainText
from cdp_pipeline.ingest.refusal import RefusedError
from cdp_pipeline.ingest.totals import says_totals
from cdp_pipeline.project.contracts import SourceContract
from cdp_pipeline.project.layout import Delivery

_TAIL_BYTES = 1 << 16
_DIGITS = re.compile(r"\d+")
_NUMBER = re.compile(r"[-+(]?9([., ']9)*[-)]?")
_MOMENT = re.compile(r"9[-./:]9[-./:]9\D*.*")
_LONGEST_CODE = 3
"""Letters of a word that names the kind of a line, such as ``TRL``."""
_MOST_EMPTY = 1 / 3
"""Of the fields that records fill: a row of sums leaves most of them empty."""


def refuse_lost_records(text: PlainText, contract: SourceContract) -> None:
    """Refuse a file that would lose records to the trailer which its contract declares.

    Args:
        text: The records, and what was taken off them.
        contract: Says how the file is written; control totals tell better, so with them nothing is
            looked at.

    Raises:
        RefusedError: A line of the trailer has the form of the last record.
    """
    written = contract.delivery
    if not written.trailer_lines or written.control or not text.margins:
        return
    left_out = text.margins.split("\n")[written.skip_lines :][-written.trailer_lines :]
    last = _last_line(text.path)
    if not last:
        return
    record = split_fields(last, written.delimiter, written.quote)
    for line in left_out:
        fields = split_fields(line, written.delimiter, written.quote)
        if _is_like(fields, record):
            raise RefusedError(
                "where the contract declares a trailer stands what looks like a record: the file "
                "broke off, or it has no trailer",
                hint="Have it sent again; if it has none, set `trailer_lines: 0`; if this is the "
                f"trailer, {_advice(line, fields, contract)}",
            )


def _advice(line: str, fields: list[str], contract: SourceContract) -> str:
    """Return what lets a line with such fields be the trailer, as words.

    A first whole number is taken for how many records there are, the others for sums of the
    declared amounts, in order. Of other fields nothing is shown: it may be a record after all.
    """
    written = contract.delivery
    sums = iter(n for n, c in contract.columns.items() if c.type in {"decimal", "number"})
    amount = rf"[-+\d{re.escape(written.decimal_mark + written.thousands_mark)}]+"
    around = f"[ {re.escape(written.quote)}]*" if {" ", written.quote} & set(line) else ""
    totals: list[str] = []
    parts = []
    for field in fields:
        name, digits = "", r"\d+"
        if field.strip().isdecimal():
            name = "" if totals else ROWS
        elif _is_sum(field.strip(), amount, written):
            name, digits = next((n for n in sums if n != ROWS), ""), amount
        parts.append(f"{around}(?P<{name}>{digits}){around}" if name else _other(field, written))
        totals += [name] if name else []
    if not totals:
        return "ask for one that states how many records there are"
    pattern = re.escape(written.delimiter).join(parts).replace("\\\t", r"\t").replace("'", "''")
    said = f"`control: {{from: trailer, pattern: '^{pattern}$'}}`"
    return f"write below `delivery:` what it states: {said}"


def _is_sum(text: str, amount: str, written: Delivery) -> bool:
    """Return whether a text is a number, and not a whole one."""
    is_whole = text.lstrip("+-").isdecimal()
    is_amount = re.fullmatch(amount, text) and stated_number(text, written) is not None
    return bool(is_amount) and not is_whole


def _other(field: str, written: Delivery) -> str:
    """Return what finds a field that states nothing, as it stands in its line."""
    separator, quote = re.escape(written.delimiter), re.escape(written.quote)
    if written.delimiter in field:
        return f"{quote}(?:[^{quote}]|{quote}{quote})*{quote}"
    return f"[^{separator}]*"


def _is_like(fields: list[str], record: list[str]) -> bool:
    """Return whether fields have the forms of a record's, of which the last may be cut off."""
    fewest = 3 if _form(record[0]) == "text" else 2
    if not fewest <= len(fields) <= len(record) or _form(fields[0], record[0]) != _form(record[0]):
        return False
    is_cut = len(fields) < len(record)
    pairs = list(zip(fields, record, strict=False))[1:]
    whole = [pair for pair in (pairs[:-1] if is_cut else pairs) if pair[1].strip()]
    empty = sum(not ours.strip() for ours, _ in whole)
    if empty > _MOST_EMPTY * len(whole):
        return False
    if not all(_kind(ours) in {_kind(theirs), ""} for ours, theirs in whole):
        return False
    return not is_cut or _begins_like(*pairs[-1])


def _begins_like(cut: str, whole: str) -> bool:
    if _kind(cut) == _kind(whole) == "text":
        return True
    begun, full = (_marks(field).lstrip("-+(") for field in (cut, whole))
    return not (begun and full) or full.startswith(begun)


def _form(field: str, model: str = "") -> str:
    """Return the form of what a line begins with; a word for sums or a code stands for itself."""
    marks = _marks(field).lower()
    if "9" in marks:
        return marks
    if says_totals(field) or len(marks) <= _LONGEST_CODE or len(_marks(model)) <= _LONGEST_CODE:
        return f"={marks}"
    return "text"


def _kind(field: str) -> str:
    marks = _marks(field)
    if not marks:
        return ""
    if _NUMBER.fullmatch(marks):
        return "number"
    return "moment" if _MOMENT.fullmatch(marks) else "text"


def _marks(field: str) -> str:
    return _DIGITS.sub("9", field.strip().strip("'\""))


def _last_line(path: Path) -> str:
    """Return the last line of a text that is not blank."""
    with path.open("rb") as stream:
        stream.seek(max(0, path.stat().st_size - _TAIL_BYTES))
        lines = stream.read().decode("utf-8", "replace").splitlines()
    return next((line for line in reversed(lines) if line.strip()), "")
