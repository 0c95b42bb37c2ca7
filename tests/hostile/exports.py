"""Awkward exports as tills, shops and spreadsheets write them, each with its known right answer.

Every file holds the same sales unless its case says otherwise; what differs is how they are
written. The answers are what a sender would say when asked.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import json
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tests.unit.ingest.workbooks import DATE, MOMENT, workbook

NAMES = ("Zoë Müller", "José Núñez", "O'Brien, Pat", 'Ann "Nan" Lee', "Łukasz", "Renée")
HEADER = ("receipt_no", "sold_at", "store", "sku", "customer", "qty", "amount")


@dataclass(frozen=True)
class Export:
    """One file.

    Attributes:
        data: Its bytes.
        name: Its name.
        rows: Rows that must be loaded.
        total: Sum of the amounts of those rows.
        aside: Rows that must be set aside.
        answers: By key, what the sender answers to a question.
        skus: Article numbers that must come out as they were written.
        amount: Our name of the amount column.
        sku: Our name of the article column.
    """

    data: bytes
    name: str = "sales_20261120.csv"
    rows: int = 40
    total: Decimal = Decimal(0)
    aside: int = 0
    answers: dict[str, str] = field(default_factory=dict)
    skus: frozenset[str] | None = None
    amount: str = "amount"
    sku: str = "sku"


@dataclass(frozen=True)
class Sale:
    """One line of a receipt."""

    receipt: str
    day: str
    clock: str
    store: str
    sku: str
    customer: str
    quantity: int
    amount: Decimal


def sales(count: int = 40, *, names: Sequence[str] = NAMES) -> list[Sale]:
    """Return sales with leading zeros, returns, large amounts and days beyond the twelfth."""
    return [
        Sale(
            receipt=f"{100000 + n}",
            day=f"2026-11-{1 + n % 20:02d}",
            clock=f"{9 + n % 9:02d}:{n % 60:02d}:05",
            store=f"{1 + n % 3:03d}",
            sku=f"{4711 * (n % 7 + 1):07d}",
            customer=names[n % len(names)],
            quantity=-1 if n % 10 == 9 else 1 + n % 3,
            amount=Decimal(-1999 if n % 10 == 9 else 1050 + 123450 * (n % 5)) / 100,
        )
        for n in range(count)
    ]


SALES = sales()
TOTAL = sum((s.amount for s in SALES), Decimal(0))
SKUS = frozenset(s.sku for s in SALES)
PLAIN = sales(names=("Ann Ash", "Bob Birch", "Cleo Cole"))


def plain(number: Decimal) -> str:
    return f"{number:.2f}"


def german(number: Decimal) -> str:
    return f"{number:,.2f}".translate(str.maketrans(",.", ".,"))


def cells(
    rows: Sequence[Sale] = SALES,
    *,
    amount: Callable[[Decimal], str] = plain,
    moment: Callable[[Sale], str] = lambda s: f"{s.day} {s.clock}",
) -> list[list[str]]:
    """Return sales as texts in the order of the header."""
    return [
        [s.receipt, moment(s), s.store, s.sku, s.customer, str(s.quantity), amount(s.amount)]
        for s in rows
    ]


def text(
    rows: Sequence[Sequence[str]],
    *,
    header: Sequence[str] | None = HEADER,
    delimiter: str = ",",
    line_end: str = "\n",
    quoting: Any = csv.QUOTE_MINIMAL,
    quote: str = '"',
) -> str:
    """Return rows as a CSV text."""
    out = io.StringIO()
    writer = csv.writer(
        out, delimiter=delimiter, lineterminator=line_end, quoting=quoting, quotechar=quote
    )
    writer.writerows([header, *rows] if header else rows)
    return out.getvalue()


def day_first(sale: Sale, mark: str = ".") -> str:
    year, month, day = sale.day.split("-")
    return f"{day}{mark}{month}{mark}{year} {sale.clock[:5]}"


def month_first(sale: Sale) -> str:
    year, month, day = sale.day.split("-")
    hour = int(sale.clock[:2])
    half = "AM" if hour < 12 else "PM"
    return f"{int(month)}/{int(day)}/{year} {(hour - 1) % 12 + 1}:{sale.clock[3:5]} {half}"


def dotted(rows: Sequence[Sale] = SALES) -> list[list[str]]:
    return cells(rows, amount=german, moment=day_first)


def joined(rows: Sequence[Sequence[str]], delimiter: str, *, end: str = "") -> str:
    """Return rows joined by any separator, without quotes."""
    return "".join(delimiter.join(row) + end + "\n" for row in [list(HEADER), *rows])


def minus_behind(number: Decimal) -> str:
    return f"{abs(number):.2f}" + ("-" if number < 0 else "")


def in_brackets(number: Decimal) -> str:
    return f"({abs(number):,.2f})" if number < 0 else f"{number:,.2f}"


def grouped_by(mark: str, *, minus: str = "-") -> Callable[[Decimal], str]:
    def write(number: Decimal) -> str:
        return (
            f"{number:,.2f}".replace(",", "_")
            .replace(".", ",")
            .replace("_", mark)
            .replace("-", minus)
        )

    return write


def _zip(name: str, data: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, data)
    return out.getvalue()


def with_words(number: Decimal) -> str:
    return f"{abs(number):,.2f} {'CR' if number < 0 else 'DR'}"


def blank_behind_minus(number: Decimal) -> str:
    return plain(number).replace("-", "- ")


def sums(rows: Sequence[Sale], word: str) -> list[str]:
    """Return a row of sums, as a report prints it below each store."""
    return ["", "", "", "", word, str(sum(s.quantity for s in rows)), plain(_sum(rows))]


def _sum(rows: Sequence[Sale]) -> Decimal:
    return sum((s.amount for s in rows), Decimal(0))


def _ruled(delimiter: str, rule: str) -> str:
    header, *rows = joined(cells(PLAIN), delimiter).splitlines()
    return "\n".join([header, rule, *rows, "(40 rows)", ""])


def _zip_of_two() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("till/sales_a.csv", codecs.BOM_UTF8 + text(cells(SALES[:20])).encode())
        archive.writestr("till/sales_b.csv", text(cells(SALES[20:])).rstrip("\n"))
        archive.writestr("__MACOSX/till/._sales_a.csv", b"\0\5\x16\7")
    return out.getvalue()


def _table() -> pa.Table:
    return pa.table(
        {
            "receipt_no": [s.receipt for s in SALES],
            "sold_at": [f"{s.day}T{s.clock}Z" for s in SALES],
            "sku": [s.sku for s in SALES],
            "qty": [s.quantity for s in SALES],
            "amount": [s.amount for s in SALES],
        }
    )


def _parquet() -> bytes:
    out = io.BytesIO()
    pq.write_table(_table(), out)
    return out.getvalue()


def _objects(rows: Sequence[Sale] = SALES) -> list[dict[str, Any]]:
    return [
        {
            "receipt_no": s.receipt,
            "sold_at": f"{s.day}T{s.clock}+01:00",
            "store": {"id": s.store},
            "sku": s.sku,
            "qty": s.quantity,
            "amount": float(s.amount),
        }
        for s in rows
    ]


def _nested(rows: Sequence[Sale] = SALES) -> list[dict[str, Any]]:
    """Return sales as orders of two lines."""
    pairs = [rows[i : i + 2] for i in range(0, len(rows), 2)]
    return [
        {
            "order_no": pair[0].receipt,
            "created_at": f"{pair[0].day}T{pair[0].clock}Z",
            "customer": {"email": f"c{n}@example.com"},
            "lines": [{"sku": s.sku, "qty": s.quantity, "amount": float(s.amount)} for s in pair],
        }
        for n, pair in enumerate(pairs)
    ]


def _xml() -> str:
    sold = "".join(
        f'<Sale no="{s.receipt}"><SoldAt>{s.day}T{s.clock}Z</SoldAt><Sku>{s.sku}</Sku>'
        f"<Qty>{s.quantity}</Qty><Amount>{s.amount}</Amount></Sale>"
        for s in SALES
    )
    return f'<?xml version="1.0" encoding="UTF-8"?><Export><Sales>{sold}</Sales></Export>'


_HEADS = (("a@x.co", "EUR", "20.00"), ("", "", ""))
UTC = {"time_zone": "UTC"}
SALE = {**UTC, "currency": "\"'EUR'\""}


def sold(data: str | bytes, **changed: Any) -> Export:
    """Return an export of all sales."""
    given = {"total": TOTAL, "skus": SKUS, "answers": SALE, **changed}
    return Export(data.encode() if isinstance(data, str) else data, **given)


EXPORTS: dict[str, Export] = {
    "plain": sold(text(cells())),
    "byte_order_mark": sold(codecs.BOM_UTF8 + text(cells()).encode()),
    "cr_lf": sold(text(cells(), line_end="\r\n")),
    "cr_only": sold(text(cells(PLAIN), line_end="\r")),
    "mixed_line_ends": sold(
        text(cells()[:20], line_end="\r\n") + text(cells()[20:], header=None, line_end="\n")
    ),
    "no_final_line_end": sold(text(cells()).rstrip("\n")),
    "blank_lines": sold(text(cells()[:9]) + "\n\n" + text(cells()[9:], header=None) + "\n\n"),
    "dos_end_mark": sold(text(cells()).encode() + b"\x1a"),
    "cp1252": sold(text(cells(sales(names=NAMES[:4]))).encode("cp1252")),
    "cp850": sold(text(cells(sales(names=NAMES[:4]))).encode("cp850")),
    "mac_roman": sold(text(cells(sales(names=NAMES[:4]))).encode("mac-roman")),
    "iso_8859_15_euro": sold(text(cells(sales(names=NAMES[:4]))).encode("iso8859-15")),
    "utf_16_marked": sold(text(cells()).encode("utf-16")),
    "utf_16_le_unmarked": sold(text(cells()).encode("utf-16-le")),
    "utf_16_be_unmarked": sold(text(cells()).encode("utf-16-be")),
    "utf_32": sold(text(cells()).encode("utf-32")),
    "semicolon_german": sold(text(dotted(), delimiter=";")),
    "semicolon_german_cp1252": sold(
        text(dotted(sales(names=NAMES[:4])), delimiter=";", line_end="\r\n").encode("cp1252")
    ),
    "tab": sold(text(cells(), delimiter="\t"), name="sales.tsv"),
    "tab_without_quotes": sold(joined(cells(), "\t"), name="sales.txt"),
    "pipe": sold(text(cells(), delimiter="|"), name="sales.txt"),
    "caret": sold(joined(cells(), "^"), name="sales.dat"),
    "tilde": sold(joined(cells(), "~")),
    "broken_bar": sold(joined(cells(), "¦")),
    "control_a": sold(joined(cells(), "\x01")),
    "unit_separator": sold(joined(cells(), "\x1f")),
    "two_pipes": sold(joined(cells(), "||")),
    "tilde_pipe_tilde": sold(joined(cells(), "~|~")),
    "single_quotes": sold(text(cells(PLAIN), quote="'", quoting=csv.QUOTE_ALL)),
    "all_quoted": sold(text(cells(), quoting=csv.QUOTE_ALL)),
    "backslash_escapes": sold(text(cells(), quoting=csv.QUOTE_ALL).replace('""', '\\"')),
    "trailing_delimiter_everywhere": sold(joined(cells(PLAIN), ";", end=";")),
    "trailing_delimiter_in_records": sold(
        ";".join(HEADER) + "\n" + joined(cells(PLAIN), ";", end=";").partition("\n")[2]
    ),
    "trailing_delimiter_in_header": sold(
        ";".join(HEADER) + ";\n" + joined(cells(PLAIN), ";").partition("\n")[2]
    ),
    "excel_sep_line": sold("sep=;\n" + text(dotted(), delimiter=";")),
    "preamble": sold(
        f"Sales report\nStore group: North\nRun at 20.11.2026 23:59\n\n{text(cells())}"
    ),
    "preamble_with_delimiters": sold(
        f"Report;Sales;\nFrom;01.11.2026;\n\n{text(dotted(), delimiter=';')}"
    ),
    "trailer_count": sold(text(cells()) + "TRAILER,40\n"),
    "trailer_count_and_sum": sold(text(cells(), delimiter="|") + f"TRL|40|{TOTAL}\n"),
    "total_row": sold(text(cells()) + f"Total,,,,,,{TOTAL}\n"),
    "total_row_german": sold(text(dotted(), delimiter=";") + f"Summe;;;;;;{german(TOTAL)}\n"),
    "rows_selected": sold(text(cells()) + "\n(40 rows)\n"),
    "preamble_and_totals": sold(
        f"Till export\n\n{text(cells())}\nGrand Total,,,,,,{TOTAL}\nEnd of report\n"
    ),
    "no_header": sold(
        text(cells(), header=None),
        amount="column_7",
        sku="column_4",
        answers={**UTC, "feeds": "[]"},
    ),
    "no_header_with_trailer": sold(
        text(cells(), header=None, delimiter="|") + "TRL|40\n",
        amount="column_7",
        sku="column_4",
        answers={**UTC, "feeds": "[]"},
    ),
    "header_repeated": sold(text(cells()[:20]) + text(cells()[20:]), aside=1),
    "duplicate_headers": sold(
        text([[*row, "x"] for row in cells()], header=(*HEADER, "qty")),
    ),
    "header_in_capitals_with_blanks": sold(
        text(cells(), header=[f" {h.upper()} " for h in HEADER])
    ),
    "header_with_a_line_break": sold(
        text(cells(), header=(*HEADER[:6], "Net\nAmount")), amount="net_amount"
    ),
    "ragged_row": sold(text(cells()) + "999999,2026-11-20\n100040\n", aside=2),
    "extra_fields": sold(text(cells()).replace("\n100005,", "\nx,x,x,x,x,x,x,x\n100005,"), aside=1),
    "embedded_line_breaks": sold(
        text([[*row[:4], row[4] + "\nline two", *row[5:]] for row in cells()])
    ),
    "cell_of_27000_characters": sold(
        text(
            [
                [*row[:4], "<p>" + "long " * 5400, *row[5:]] if n == 3 else row
                for n, row in enumerate(cells())
            ]
        )
    ),
    "nul_bytes": sold(
        text(cells()) + "999999,2026-11-20 10:00:00,001,0004711,A\0B,1,9.99\n", aside=1
    ),
    "minus_behind": sold(text(cells(amount=minus_behind))),
    "brackets": sold(text(cells(amount=in_brackets))),
    "unicode_minus": sold(text(cells(amount=grouped_by(".", minus="\u2212")), delimiter=";")),
    "thousands_nbsp": sold(text(cells(amount=grouped_by("\u00a0")), delimiter=";")),
    "thousands_narrow_nbsp": sold(text(cells(amount=grouped_by("\u202f")), delimiter=";")),
    "thousands_thin": sold(text(cells(amount=grouped_by("\u2009")), delimiter=";")),
    "thousands_blank": sold(text(cells(amount=grouped_by(" ")), delimiter=";")),
    "thousands_apostrophe": sold(text(cells(amount=lambda a: f"{a:,.2f}".replace(",", "'")))),
    "dollars": sold(text(cells(amount=lambda a: f"${a:,.2f}" if a >= 0 else f"-${abs(a):,.2f}"))),
    "euros_behind": sold(text(cells(amount=lambda a: f"{german(a)} €"), delimiter=";")),
    "euro_code": sold(text(cells(amount=lambda a: f"EUR {a:.2f}"))),
    "pounds_in_brackets": sold(
        text(cells(amount=lambda a: f"(£{abs(a):,.2f})" if a < 0 else f"£{a:,.2f}"))
    ),
    "days_first": sold(text(cells(moment=lambda s: day_first(s, "/")))),
    "months_first": sold(text(cells(moment=month_first))),
    "two_digit_years": sold(text(cells(moment=lambda s: day_first(s)[:6] + "26"))),
    "compact_days": sold(text(cells(moment=lambda s: s.day.replace("-", "")))),
    "month_names": sold(text(cells(moment=lambda s: f"{s.day[8:]}-Nov-2026 {s.clock}"))),
    "epoch_seconds": sold(text(cells(moment=lambda s: str(1_795_000_000 + int(s.receipt))))),
    "epoch_milliseconds": sold(
        text(cells(moment=lambda s: str(1_795_000_000_000 + int(s.receipt))))
    ),
    "spreadsheet_serials": sold(text(cells(moment=lambda s: str(46_300 + int(s.day[8:]))))),
    "offsets": sold(text(cells(moment=lambda s: f"{s.day} {s.clock} +0100"))),
    "zulu": sold(text(cells(moment=lambda s: f"{s.day}T{s.clock}.123Z"))),
    "doubtful_days": sold(
        text(cells(moment=lambda s: f"0{1 + int(s.receipt) % 9}/0{1 + int(s.receipt) % 7}/2026")),
        answers={**SALE, "format": '"%d/%m/%Y"'},
    ),
    "null_words": sold(
        text(
            [["NULL" if c == row[4] and n % 3 else c for c in row] for n, row in enumerate(cells())]
        )
    ),
    "spreadsheet_ids": sold(
        text([*cells(), ["9.9E+12", "2026-11-20 10:00:00", "001", "0004711", "X", "1", "9.99"]]),
        aside=1,
    ),
    "apostrophes_before_ids": sold(text([[*row[:3], f"'{row[3]}", *row[4:]] for row in cells()])),
    "blanks_around": sold(text([[f" {c} " for c in row] for row in cells(PLAIN)])),
    "gzip": sold(gzip.compress(text(cells()).encode()), name="sales_20261120.csv.gz"),
    "zstd": sold(
        pa.Codec("zstd").compress(text(cells()).encode(), asbytes=True), name="sales.csv.zst"
    ),
    "words_for_signs": sold(
        text(cells(amount=with_words)), answers={**SALE, "signs": '{CR: "-", DR: "+"}'}
    ),
    "blank_behind_minus": sold(text(cells(amount=blank_behind_minus))),
    "sums_among_the_records": sold(
        text(
            [
                *cells(SALES[:20]),
                sums(SALES[:20], "Subtotal"),
                *cells(SALES[20:]),
                sums(SALES[20:], "Subtotal"),
                sums(SALES, "Grand total"),
            ]
        ),
        aside=1,  # those after the last record are a trailer
    ),
    "line_ruled_under_the_header": sold(
        _ruled(",", ",".join("-" * len(h) for h in HEADER)), aside=1
    ),
    "line_ruled_as_psql_does": sold(_ruled(" | ", "-" * 20 + "-+-" + "-" * 9), aside=1),
    "groups_above_the_header": sold(",,Place,Item,,Sale,\n" + text(cells())),
    "zip_of_two": sold(_zip_of_two(), name="sales_20261120.zip"),
    "json_printed": sold("\n".join(json.dumps(o, indent=2) for o in _objects()), name="sales.json"),
    "json_separated": sold(
        "".join(f"\x1e{json.dumps(o)}\n" for o in _objects()),
        name="sales.json",
        answers={**SALE, "feeds": "[]"},
    ),
    "zip": sold(_zip("sales.csv", text(cells()).encode()), name="sales.zip"),
    "order_on_first_line_only": sold(
        text(
            [
                [
                    str(n // 2),
                    *(["a@x.co", "EUR", "20.00"] if n % 2 == 0 else [""] * 3),
                    s.sku,
                    plain(s.amount),
                ]
                for n, s in enumerate(SALES)
            ],
            header=("order_no", "email", "currency", "order_total", "sku", "line_total"),
        ),
        amount="line_total",
        answers={},
    ),
    "numbered_line_items": sold(
        text(
            [
                [s.receipt, *(cell for t in SALES[n : n + 4] for cell in (t.sku, plain(t.amount)))]
                for n, s in enumerate(SALES)
                if n % 4 == 0
            ],
            header=("order_no", *(f"Item {i} {w}" for i in range(1, 5) for w in ("SKU", "Amount"))),
        ),
        amount="item_amount",
        sku="item_sku",
        answers={},
    ),
    "blank_after_separators": sold(
        "".join(
            ", ".join(f'"{c}"' if "," in c else c for c in row) + "\n"
            for row in [list(HEADER), *cells(sales(names=("Ann Ash", "O'Brien, Pat")))]
        )
    ),
    "decimal_commas_in_quotes": sold(text(cells(amount=lambda a: f"{a:.2f}".replace(".", ",")))),
    "euros_before_minus": sold(
        text(cells(amount=lambda a: ("-" if a < 0 else "") + f"€ {german(abs(a))}"), delimiter=";")
    ),
    "rows_of_separators": sold(text(cells()) + ",,,,,,\n" * 9, aside=9),
    "words_in_quotes_without_meaning": sold(
        joined([[*r[:4], '"Mega" boots', *r[5:]] for r in cells()], "\t")
    ),
    "inches": sold(joined([[*r[:4], 'pipe 5"', *r[5:]] for r in cells()], "|")),
    "utf_16_xml": sold(
        _xml().replace("UTF-8", "UTF-16").encode("utf-16"),
        name="sales.xml",
        answers={"feeds": "[]"},
    ),
    "utf_16_json": sold(json.dumps(_objects()).encode("utf-16"), name="sales.json"),
    "lakhs": sold(
        text(
            cells(
                amount=lambda a: (
                    f"{a + 1234500:.2f}"
                    if a < 0
                    else f"{int(a * 100) // 100:,}.{int(a * 100) % 100:02d}"
                )
            )
        ),
        total=TOTAL + 4 * 1234500,
    ),
    "one_column": Export(
        b"sku\n" + b"\n".join(s.sku.encode() for s in SALES),
        rows=40,
        amount="1 - 1",
        skus=SKUS,
        answers={"feeds": "[]"},
    ),
    "parquet": sold(_parquet(), name="sales.parquet"),
    "json_objects_on_one_line": sold("".join(map(json.dumps, _objects())), name="sales.jsonl"),
    "json_objects_blanks_between": sold(" ".join(map(json.dumps, _objects())), name="sales.json"),
    "json_lines": sold("\n".join(map(json.dumps, _objects())), name="sales.jsonl"),
    "json_array": sold(json.dumps(_objects()), name="sales.json"),
    "json_array_indented": sold(json.dumps(_objects(), indent=2), name="sales.json"),
    "json_within": sold(
        json.dumps({"meta": {"run": 7}, "data": {"sales": _objects()}}), name="sales.json"
    ),
    "json_marked": sold(codecs.BOM_UTF8 + json.dumps(_objects()).encode(), name="sales.json"),
    "json_nested_lines": sold(json.dumps(_nested()), name="orders.json"),
    "json_nested_json_lines": sold("\n".join(map(json.dumps, _nested())), name="orders.jsonl"),
    "xml": sold(_xml(), name="sales.xml", answers={"feeds": "[]"}),
    "excel": sold(workbook([list(HEADER), *cells()]), name="sales.xlsx"),
    "excel_with_preamble": sold(
        workbook([["Sales report"], ["North", "2026"], list(HEADER), *cells()]), name="sales.xlsx"
    ),
    "excel_typed": sold(
        workbook(
            [
                list(HEADER),
                *(
                    [
                        s.receipt,
                        (46_300.5 + n, MOMENT),
                        s.store,
                        s.sku,
                        s.customer,
                        s.quantity,
                        float(s.amount),
                    ]
                    for n, s in enumerate(SALES)
                ),
                ["Total", None, None, None, None, None, float(TOTAL)],
            ]
        ),
        name="sales.xlsx",
    ),
    "excel_days": sold(
        workbook(
            [
                list(HEADER),
                *(
                    [
                        s.receipt,
                        (46_300 + n, DATE),
                        s.store,
                        s.sku,
                        s.customer,
                        s.quantity,
                        float(s.amount),
                    ]
                    for n, s in enumerate(SALES)
                ),
            ],
            first=("Notes",),
        ),
        name="sales.xlsx",
    ),
}
"""Files by what is awkward about them."""
