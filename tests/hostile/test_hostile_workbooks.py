"""Workbooks that no Excel wrote: nothing in them is lost, moved or taken for something else."""

from __future__ import annotations

import io
import re
import zipfile

import pytest

from tests.hostile.conftest import Feed, store
from tests.hostile.orders import HEADER, SOUND
from tests.unit.ingest.workbooks import workbook

__all__ = ("store",)

WORKBOOK = workbook([HEADER, *SOUND])
SHEET = "xl/worksheets/sheet1.xml"


def edited(pattern: bytes, instead: bytes, *, part: str = SHEET) -> bytes:
    """Return the workbook with the first match of a pattern in one of its parts replaced."""
    edits = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(WORKBOOK)) as held,
        zipfile.ZipFile(edits, "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        for name in held.namelist():
            data = held.read(name)
            if name == part:
                data, count = re.subn(pattern, instead, data, count=1)
                assert count == 1, pattern
            archive.writestr(name, data)
    return edits.getvalue()


MENDED = {
    "row_beyond_any_sheet": (edited(b'r="5"', b'r="99999999999999999999"'), "follows row 4"),
    "row_of_thousands_of_digits": (edited(b'r="5"', b'r="' + b"9" * 5000 + b'"'), "row 4"),
    "row_twice": (edited(b'<row r="5"', b'<row r="4"'), "row 4 follows row 4"),
    "rows_backwards": (edited(b'<row r="5"', b'<row r="2"'), "row 2 follows row 4"),
    "cell_twice": (edited(b'r="C5"', b'r="B5"'), "row 5, column 2 stands twice"),
    "cell_nowhere": (edited(b'r="C5"', b'r="!5"'), "a cell stands at '!5'"),
    "text_that_is_not_there": (
        edited(b'(r="C5" t="s"><v>)[0-9]+', rb"\g<1>99999"),
        "row 5, column 3 has a text that the workbook lacks",
    ),
    "text_before_the_first": (
        edited(b'(r="C5" t="s"><v>)[0-9]+', rb"\g<1>-1"),
        "row 5, column 3 has a text that the workbook lacks",
    ),
}


@pytest.mark.parametrize(("data", "reason"), MENDED.values(), ids=MENDED)
def test_what_excel_would_mend_is_refused_with_its_place(
    data: bytes, reason: str, feed: Feed
) -> None:
    outcome = feed(data, name="orders.xlsx", format="excel")
    assert outcome.notes.status == "refused"
    assert reason in outcome.notes.reason
    assert "saved in Excel" in outcome.notes.reason
    assert outcome.rows == []


def test_styles_and_formats_beyond_any_number_show_what_is_there(feed: Feed) -> None:
    many = b"9" * 5000
    data = edited(b'numFmtId="164"', b'numFmtId="' + many + b'"', part="xl/styles.xml")
    outcome = feed(data, name="orders.xlsx", format="excel")
    assert [row[0] for row in outcome.rows] == [row[0] for row in SOUND], outcome.notes.reason
