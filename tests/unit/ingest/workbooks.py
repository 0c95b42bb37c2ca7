"""Workbooks as Excel writes them, made of their parts."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from xml.sax.saxutils import escape

_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_REL = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"

_STYLES = f"""<?xml version="1.0"?><styleSheet xmlns="{_MAIN}">
<numFmts count="3"><numFmt numFmtId="164" formatCode="dd/mm/yyyy\\ hh:mm"/>
<numFmt numFmtId="165" formatCode="[Red]&quot;days&quot;\\ 0.00"/>
<numFmt numFmtId="166" formatCode="{{code}}"/></numFmts>
<cellStyleXfs><xf numFmtId="14"/></cellStyleXfs>
<cellXfs><xf numFmtId="0"/><xf numFmtId="14"/><xf numFmtId="164"/><xf numFmtId="165"/>
<xf numFmtId="166"/></cellXfs>
</styleSheet>"""
DATE, MOMENT, PLAIN, CODED = 1, 2, 3, 4

Cell = str | float | tuple[float, int] | None


def workbook(
    rows: Sequence[Sequence[Cell]],
    *,
    sheet: str = "Sales",
    first: Sequence[str] = (),
    code: str = "General",
) -> bytes:
    """Return a workbook; a cell is a text, a number, a number with its style, or empty.

    ``code`` is the number format of the style ``CODED``.
    """
    texts: list[str] = []
    lines = []
    for number, row in enumerate(rows, 1):
        cells = "".join(
            _cell(value, f"{_letters(column)}{number}", texts) for column, value in enumerate(row)
        )
        lines.append(f'<row r="{number}">{cells}</row>')
    names = [*first, sheet]
    parts = {
        "xl/workbook.xml": f'<workbook xmlns="{_MAIN}" xmlns:r="{_REL}"><sheets>'
        + "".join(
            f'<sheet name="{escape(name)}" sheetId="{i}" r:id="rId{i}"/>'
            for i, name in enumerate(names, 1)
        )
        + "</sheets></workbook>",
        "xl/_rels/workbook.xml.rels": "<Relationships>"
        + "".join(
            f'<Relationship Id="rId{i}" Target="worksheets/sheet{i}.xml"/>'
            for i in range(1, len(names) + 1)
        )
        + "</Relationships>",
        "xl/styles.xml": _STYLES.format(code=escape(code, {'"': "&quot;"})),
        "xl/sharedStrings.xml": f'<sst xmlns="{_MAIN}">'
        + "".join(f'<si><t xml:space="preserve">{escape(text)}</t></si>' for text in texts)
        + "</sst>",
        f"xl/worksheets/sheet{len(names)}.xml": f'<worksheet xmlns="{_MAIN}"><sheetData>'
        + "".join(lines)
        + "</sheetData></worksheet>",
    }
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in parts.items():
            archive.writestr(zipfile.ZipInfo(name), text, zipfile.ZIP_DEFLATED)
    return data.getvalue()


def _cell(value: Cell, place: str, texts: list[str]) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        texts.append(value)
        return f'<c r="{place}" t="s"><v>{len(texts) - 1}</v></c>'
    number, style = value if isinstance(value, tuple) else (value, 0)
    return f'<c r="{place}" s="{style}"><v>{number!r}</v></c>'


def _letters(column: int) -> str:
    return chr(ord("A") + column)
