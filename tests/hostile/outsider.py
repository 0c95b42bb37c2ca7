"""Awkward files that were written, with their answers, before anybody looked how they are read.

Each is what some till, shop or office program exports. A case is bytes, a contract as YAML and what
must come of it: rows, the sum of ``amount`` to the penny, and the rules of records set aside.
"""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Case:
    """One file and its answer.

    Attributes:
        data: The file.
        delivery: YAML below ``delivery:``, without the path.
        columns: YAML below ``columns:``.
        rows: Rows that must be staged.
        total: Sum of their ``amount``.
        aside: Rules of the records set aside, in file order.
        name: What the file is called.
        refused: Words of the reason if the file must be refused whole.
        texts: Values of the column ``text`` in file order, where they matter.
    """

    data: bytes
    delivery: str
    columns: str
    rows: int = 0
    total: str = "0"
    aside: tuple[str, ...] = ()
    name: str = "export.csv"
    refused: str = ""
    texts: tuple[str | None, ...] = field(default=())


SIMPLE = "{id: {required: true}, amount: {type: decimal, required: true}}"
WITH_TEXT = "{id: {required: true}, amount: {type: decimal, required: true}, text: {}}"
CSV = "{format: csv}"


def packed(**files: bytes) -> bytes:
    """Return a .zip of files; ``__`` in a name stands for a dot."""
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name.replace("__", "."), data)
    return held.getvalue()


ENCODINGS = {
    "utf16_big_endian_tabs": Case(
        "\ufeffid\tamount\ttext\r\n1\t1.50\tZoë\r\n2\t2.25\t東京\r\n".encode("utf-16-be"),
        '{format: csv, encoding: utf-16, delimiter: "\\t"}', WITH_TEXT, 2, "3.75",
        texts=("Zoë", "東京"),
    ),
    "utf16_little_endian_without_mark": Case(
        "id,amount,text\n1,1.50,Łódź\n2,2.25,\n".encode("utf-16-le"),
        "{format: csv, encoding: utf-16-le}", WITH_TEXT, 2, "3.75", texts=("Łódź", None),
    ),
    "utf32": Case(
        "id,amount,text\n1,1.50,ß\n".encode("utf-32"), "{format: csv, encoding: utf-32}",
        WITH_TEXT, 1, "1.50", texts=("ß",),
    ),
    "dos_codepage_850_with_end_mark": Case(
        "id;amount;text\r\n1;1,50;Größe\r\n2;-0,50;£\r\n\x1a".encode("cp850"),
        '{format: csv, encoding: cp850, delimiter: ";", decimal_mark: ","}',
        WITH_TEXT, 2, "1.00", texts=("Größe", "£"),
    ),
    "mac_roman_with_bare_cr": Case(
        "id,amount,text\r1,1.50,Café\r2,2.00,naïve\r".encode("mac_roman"),
        "{format: csv, encoding: mac_roman}", WITH_TEXT, 2, "3.50", texts=("Café", "naïve"),
    ),
    "shift_jis_whose_second_byte_is_a_backslash_or_a_pipe": Case(
        "id|amount|text\n1|1.50|表示\n2|2.00|ポ\n".encode("cp932"),
        '{format: csv, encoding: cp932, delimiter: "|"}', WITH_TEXT, 2, "3.50",
        texts=("表示", "ポ"),
    ),
    "gb18030": Case(
        "id,amount,text\n1,1.50,百货商店\n".encode("gb18030"), "{format: csv, encoding: gb18030}",
        WITH_TEXT, 1, "1.50", texts=("百货商店",),
    ),
    "cp1250": Case(
        "id;amount;text\n1;1,50;Žluťoučký kůň\n".encode("cp1250"),
        '{format: csv, encoding: cp1250, delimiter: ";", decimal_mark: ","}',
        WITH_TEXT, 1, "1.50", texts=("Žluťoučký kůň",),
    ),
    "marks_in_the_middle_where_files_were_put_together": Case(
        b"\xef\xbb\xbfid,amount\n1,1.50\n" * 2 + b"2,4.00\n", CSV, SIMPLE, 3, "7.00",
        aside=("repeated_header",),
    ),
    "header_in_letters_and_accents_apart": Case(
        "id,amount,Pre\u0301nom\n1,1.50,Ana\n".encode(), CSV,
        '{id: {}, amount: {type: decimal}, text: {from: "Prénom"}}', 1, "1.50", texts=("Ana",),
    ),
    "header_with_blanks_that_nobody_sees": Case(
        "\u200bid,\u00a0amount\u00a0,text\u200b\n1,1.50,a\n".encode(), CSV, WITH_TEXT, 1, "1.50",
        texts=("a",),
    ),
}  # fmt: skip

TEXTS = {
    "line_that_names_the_separator": Case(
        b"sep=;\r\nid;amount\r\n1;1,50\r\n",
        '{format: csv, delimiter: ";", decimal_mark: ",", skip_lines: 1}', SIMPLE, 1, "1.50",
    ),
    "fields_between_control_characters": Case(
        b'id\x01amount\x01text\n1\x011.50\x01a,b\n2\x012.00\x01"q\n',
        '{format: csv, delimiter: "\\x01", quote: ""}', WITH_TEXT, 2, "3.50",
        texts=("a,b", '"q'),
    ),
    "separator_of_two_pipes_beside_single_ones": Case(
        b"id||amount||text\n1||1.50||a|b\n2||2.00||||\n",
        '{format: csv, delimiter: "||"}', WITH_TEXT, 2, "3.50", texts=("a|b", None),
    ),
    "single_quotes_doubled": Case(
        b"id,amount,text\n1,1.50,'O''Neill, Pat'\n2,2.00,'two\nlines'\n",
        '{format: csv, quote: "\'"}', WITH_TEXT, 2, "3.50", texts=("O'Neill, Pat", "two\nlines"),
    ),
    "backslash_before_quotes_and_line_breaks": Case(
        b'id,amount,text\n1,1.50,"say \\"hi\\", then"\n2,2.00,"a\nb"\n3,1.00,\\N\n',
        '{format: csv, escape: "\\\\", null_values: ["", "\\\\N"]}', WITH_TEXT, 3, "4.50",
        texts=('say "hi", then', "a\nb", None),
    ),
    "line_break_without_quotes": Case(
        b"id,amount,text\n1,1.50,one\n2,2.00,two\nhalves\n3,3.00,three\n",
        CSV, WITH_TEXT, 3, "6.50", aside=("too_few_fields",), texts=("one", "two", "three"),
    ),
    "separator_too_many_at_the_end_of_each_line": Case(
        b"id;amount;\n1;1.50;\n2;2.00;\n", '{format: csv, delimiter: ";"}', SIMPLE, 2, "3.50",
    ),
    "separator_too_many_at_the_end_of_records_only": Case(
        b"id;amount\n1;1.50;\n2;2.00;\n", '{format: csv, delimiter: ";"}', SIMPLE, 2, "3.50",
    ),
    "separator_too_many_in_the_header_only": Case(
        b"id;amount;\n1;1.50\n2;2.00\n", '{format: csv, delimiter: ";", short_rows: fill}',
        SIMPLE, 2, "3.50",
    ),
    "header_over_two_lines_within_quotes": Case(
        b'id,"amount\r\n(EUR)",text\r\n1,1.50,a\r\n', CSV,
        '{id: {}, amount: {type: decimal, from: "amount (EUR)"}, text: {}}', 1, "1.50",
        texts=("a",),
    ),
    "units_below_the_header": Case(
        b"id,amount,text\n,EUR,\n1,1.50,a\n2,2.00,b\n", CSV, WITH_TEXT, 2, "3.50",
        aside=("amount_type",), texts=("a", "b"),
    ),
    "two_columns_called_alike": Case(
        b"id,amount,amount\n1,1.00,1.50\n2,2.00,2.25\n", CSV,
        '{id: {}, amount: {type: decimal, from: "amount#2"},'
        ' net: {type: decimal, from: "amount#1"}}',
        2, "3.75",
    ),
    "cell_of_27000_characters_with_line_breaks": Case(
        b'id,amount,text\n1,1.50,"' + b"lorem ipsum\n" * 2250 + b'"\n2,2.00,b\n', CSV, WITH_TEXT,
        2, "3.50", texts=("lorem ipsum\n" * 2250, "b"),
    ),
    "nul_bytes_after_the_end_and_in_a_field": Case(
        b"id,amount,text\n1,1.50,a\n2,2.00,b\0c\n3,3.00,d\n" + b"\0" * 512, CSV, WITH_TEXT,
        2, "4.50", aside=("nul_character", "nul_filling"), texts=("a", "d"),
    ),
    "record_of_one_character_first": Case(
        b"id,amount\n1\n2,2.00\n3,3.00\n", CSV, SIMPLE, 2, "5.00", aside=("too_few_fields",),
    ),
    "more_separators_in_the_last_free_text": Case(
        b"id,amount,text\n1,1.50,plain\n2,2.00,one, two, three\n", CSV, WITH_TEXT, 1, "1.50",
        aside=("too_many_fields",), texts=("plain",),
    ),
    "inch_marks_and_a_quote_that_opens_late": Case(
        b'id,amount,text\n1,1.50,TV 55" black\n2,2.00,5"" bolt\n3,3.00,ok\n', CSV, WITH_TEXT,
        3, "6.50", texts=('TV 55" black', '5"" bolt', "ok"),
    ),
    "lines_of_dashes_and_pages": Case(
        b"id,amount\n---,------\n1,1.50\n\x0c\nid,amount\n2,2.00\n", CSV, SIMPLE, 2, "3.50",
        aside=("blank_record", "too_few_fields", "repeated_header"),
    ),
}  # fmt: skip

NUMBERS = {
    "money_in_every_spelling": Case(
        "id;amount\n1;1\u00a0234,50\u00a0€\n2;\u22125,00\n3;5,00-\n4;(5,00)\n5;€ 0,01\n6;+1,00\n"
        "7;1\u202f000,00\n".encode(),
        '{format: csv, delimiter: ";", decimal_mark: ",", thousands_mark: " "}',
        '{id: {}, amount: {type: decimal, strip: "€", required: true}}', 7, "2220.51",
    ),
    "swiss_money_with_curly_apostrophes": Case(
        "id;amount\n1;1'234.50\n2;2’000’000.05\n".encode(),  # noqa: RUF001 - as Swiss programs write
        '{format: csv, delimiter: ";", thousands_mark: "\'"}', SIMPLE, 2, "2001234.55",
    ),
    "indian_groups": Case(
        b'id,amount\n1,"1,23,456.78"\n2,"12,34,567.00"\n', '{format: csv, thousands_mark: ","}',
        SIMPLE, 2, "1358023.78",
    ),
    "what_is_no_money": Case(
        b"id,amount\n1,1.5E2\n2,NaN\n3,Infinity\n4,0x10\n5,1_000\n6,1,5\n7,1.005\n8,--5\n9,9.00\n"
        + b"".join(b"%d,1.00\n" % n for n in range(10, 20)), CSV, SIMPLE, 11, "19.00",
        aside=(*["amount_type"] * 5, "too_many_fields", *["amount_type"] * 2),
    ),
    "debit_and_credit": Case(
        b"id,amount\n1,5.00 CR\n2,7.50 DR\n3,1.00CR\n", CSV,
        '{id: {}, amount: {type: decimal, signs: {CR: "-", DR: "+"}, required: true}}', 3, "1.50",
    ),
    "subtotals_by_store_and_a_grand_total": Case(
        b"store,id,amount\nA,1,1.50\nA,2,2.00\nSubtotal A,,3.50\nB,3,4.00\nSubtotal B,,4.00\n"
        b"Grand total,,7.50\n", CSV,
        "{store: {}, id: {required: true}, amount: {type: decimal, required: true}}", 3, "7.50",
        aside=("totals_row", "totals_row", "totals_row"),
    ),
    "grand_total_with_a_currency_in_the_last_row": Case(
        b"id;amount;text\n1;10,00;a\n2;5,50;b\nSumme:;15,50 EUR;\n",
        '{format: csv, delimiter: ";", decimal_mark: ","}',
        "{id: {required: true}, amount: {type: decimal, strip: EUR, required: true}, text: {}}",
        2, "15.50", aside=("totals_row",), texts=("a", "b"),
    ),
    "numbers_guarded_as_formulas": Case(
        b'id,amount,text\n"=""00123""",1.50,"=""0042"""\n"=""00124""",2.00,\'0043\n', CSV,
        '{id: {strip: "=\\""}, amount: {type: decimal}, text: {strip: "=\\"\'"}}', 2, "3.50",
        texts=("0042", "0043"),
    ),
}  # fmt: skip

DATES = {
    "days_of_a_spreadsheet_and_half_of_one": Case(
        b"id,amount,text\n1,1.50,46346.5\n2,2.00,46346\n3,1.00,0\n", CSV,
        "{id: {}, amount: {type: decimal}, read: {from: text, type: timestamp, format: excel},"
        " text: {value: \"strftime(read, '%Y-%m-%d %H:%M')\"}}", 2, "3.50",
        aside=("read_type",), texts=("2026-11-20 12:00", "2026-11-20 00:00"),
    ),
    "two_zones_and_nanoseconds": Case(
        b"id,amount,text\n1,1.50,2026-11-20T23:30:00.123456789Z\n2,2.00,2026-11-20 23:30:00 -0500\n"
        b"3,1.00,2026-11-20 24:00:00\n", CSV,
        "{id: {}, amount: {type: decimal}, read: {from: text, type: timestamp},"
        " text: {value: \"strftime(read, '%Y-%m-%d %H:%M')\"}}", 3, "4.50",
        texts=("2026-11-20 23:30", "2026-11-21 04:30", "2026-11-21 00:00"),
    ),
    "days_that_no_month_has": Case(
        b"id,amount,text\n1,1.50,29/02/2024\n2,2.00,29/02/2026\n3,3.00,31/04/2026\n", CSV,
        '{id: {}, amount: {type: decimal}, read: {from: text, type: date, format: "%d/%m/%Y"},'
        " text: {value: \"strftime(read, '%d.%m.')\"}}", 1, "1.50",
        aside=("read_type", "read_type"), texts=("29.02.",),
    ),
}  # fmt: skip


def lines(*records: object) -> bytes:
    """Return records as JSON lines."""
    return "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records).encode()


JSON = {
    "objects_one_after_another_over_lines": Case(
        b'{\n "id": "1", "amount": 1.5\n}{"id": "2",\n"amount": "2.00"}\n\n', "{format: jsonl}",
        SIMPLE, 2, "3.50", name="export.json",
    ),
    "array_deep_within_with_a_mark": Case(
        b"\xef\xbb\xbf" + json.dumps(
            {"n": 2, "data": {"orders": [{"id": 1, "amount": 0.1}, {"id": 2, "amount": 2}]}}
        ).encode(),
        "{format: json, records: data.orders}", SIMPLE, 2, "2.10", name="export.json",
    ),
    "numbers_beyond_any_integer_and_binary_tails": Case(
        b'{"id": 92233720368547758079, "amount": 0.30000000000000004}\n{"id": 7, "amount": 1e2}\n',
        "{format: jsonl}",
        "{id: {required: true}, amount: {type: decimal, required: true}, text: {value: id}}",
        2, "100.30", name="export.jsonl", texts=("92233720368547758079", "7"),
    ),
    "missing_null_and_empty": Case(
        lines({"id": "1", "amount": 1, "text": None}, {"id": "2", "amount": 2, "text": ""},
              {"id": "3", "amount": 3}, {"id": "4", "amount": None, "text": "x"}),
        "{format: jsonl}", WITH_TEXT, 3, "6.00", aside=("amount_not_null",), name="export.jsonl",
        texts=(None, None, None),
    ),
    "escapes_and_keys_with_dots": Case(
        b'{"id": "1", "amount": 1.5, "a.b": "caf\\u00e9 \\ud83d\\ude00 \\"q\\"\\n2"}\n',
        "{format: jsonl}", "{id: {}, amount: {type: decimal}, text: {from: '\"a.b\"'}}", 1, "1.50",
        name="export.jsonl", texts=('café 😀 "q"\n2',),
    ),
    "lines_of_which_one_broke_off": Case(
        lines(*({"id": str(n), "amount": 1} for n in range(9))) + b'{"id": "9", "amo',
        "{format: jsonl}", SIMPLE, 9, "9.00", aside=("not_a_record",), name="export.jsonl",
    ),
    "array_that_broke_off": Case(
        b'[{"id": "1", "amount": 1}, {"id": "2", "am', "{format: json}", SIMPLE,
        name="export.json", refused="ends too early",
    ),
    "lines_of_orders_within_orders": Case(
        lines({"id": "1", "lines": [{"sku": "a", "sum": "1.50"}, {"sku": "b", "sum": "2.00"}]},
              {"id": "2", "lines": [{"sku": "c", "sum": "3.00"}]}, {"id": "3", "lines": []}),
        "{format: jsonl}",
        "{id: {}, amount: {type: decimal, from: 'lines[].sum'}, text: {from: 'lines[].sku'}}",
        4, "6.50", name="export.jsonl", texts=("a", "b", "c", None),
    ),
}  # fmt: skip

XML = {
    "default_namespace_attributes_and_cdata": Case(
        b'<?xml version="1.0"?><r:Log xmlns:r="urn:r" xmlns="urn:x"><!-- a -->'
        b'<Sale id="1"><Amount>1.50</Amount><Text><![CDATA[a <b> & c]]></Text></Sale>'
        b'<Sale id="2"><Amount>2.00</Amount><Text>x &amp; &#233;</Text></Sale>'
        b'<Sale id="3"><Amount>1.00</Amount><Text/></Sale></r:Log>',
        "{format: xml, records: Sale}",
        '{id: {from: "@id"}, amount: {type: decimal, from: Amount}, text: {from: Text}}',
        3, "4.50", name="log.xml", texts=("a <b> & c", "x & é", None),
    ),
    "latin_letters_as_the_file_itself_says": Case(
        '<?xml version="1.0" encoding="ISO-8859-1"?><L><S><id>1</id><amount>1.50</amount>'
        "<text>Zoë</text></S></L>".encode("latin-1"),
        "{format: xml, records: S}", WITH_TEXT, 1, "1.50", name="log.xml", texts=("Zoë",),
    ),
    "entities_that_grow": Case(
        b'<?xml version="1.0"?><!DOCTYPE L [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>'
        b"<L><S><id>1</id><amount>1.00</amount><text>&b;</text></S></L>",
        "{format: xml, records: S}", WITH_TEXT, name="log.xml", refused="entit",
    ),
    "lines_of_receipts_beside_their_head": Case(
        b"<L><T><id>1</id><Line><Sum>1.50</Sum></Line><Line><Sum>2.00</Sum></Line></T>"
        b"<T><id>2</id><Line><Sum>-0.50</Sum></Line></T></L>", "{format: xml, records: T}",
        "{id: {}, amount: {type: decimal, from: 'Line[].Sum'}}", 3, "3.00", name="log.xml",
    ),
}  # fmt: skip

PACKED = {
    "gzip_of_two_members": Case(
        gzip.compress(b"id,amount\n1,1.50\n") + gzip.compress(b"2,2.00\n"), CSV, SIMPLE, 2, "3.50",
        name="export.csv.gz",
    ),
    "gzip_whose_sum_is_wrong": Case(
        gzip.compress(b"id,amount\n1,1.50\n")[:-6] + b"\0\0\0\0\0\0", CSV, SIMPLE,
        name="export.csv.gz", refused="corrupt gzip",
    ),
    "zip_of_two_tables_beside_notes": Case(
        packed(a__csv=b"id,amount\n1,1.50\n", b__csv=b"id,amount\n2,2.00\n", readme__txt=b"hi"),
        '{format: csv, member: "*.csv"}', SIMPLE, 2, "3.50", name="export.zip",
    ),
    "bzip2_under_another_name": Case(
        b"BZh91AY&SY" + bytes(range(64)), CSV, SIMPLE, refused="bzip2",
    ),
    "old_workbook": Case(
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "{format: excel}", SIMPLE,
        name="export.xls", refused="xlsx",
    ),
    "web_page_called_a_workbook": Case(
        b"<html><table><tr><td>id</td><td>amount</td></tr></table></html>", "{format: excel}",
        SIMPLE, name="export.xls", refused="HTML",
    ),
}  # fmt: skip

CASES = {**ENCODINGS, **TEXTS, **NUMBERS, **DATES, **JSON, **XML, **PACKED}
