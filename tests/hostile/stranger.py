"""More files as tills, shops and scripts write them, with answers fixed before they were read.

They are of the same form as those of ``outsider``. Where a draft cannot know what a person declares
(``TOLD``), only the declared contract is held against the answer.
"""

from __future__ import annotations

import datetime as dt
import decimal
import gzip
import io
import zipfile
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tests.hostile.outsider import CSV, SIMPLE, WITH_TEXT, Case, lines, packed
from tests.packing import taped


def parquet(table: dict[str, Any], **options: Any) -> bytes:
    """Return a table as Parquet."""
    held = io.BytesIO()
    pq.write_table(pa.table(table), held, **options)
    return held.getvalue()


def moments(shape: str, more: str = "") -> str:
    """Return columns that show a moment or a day of the column ``text`` in a fixed form."""
    kind = "date" if "%H" not in shape else "timestamp"
    return (
        f"{{id: {{}}, amount: {{type: decimal}}, read: {{from: text, type: {kind}{more}}},"
        f" text: {{value: \"strftime(read, '{shape}')\"}}}}"
    )


SECONDS, DAYS = "%Y-%m-%d %H:%M:%S", "%Y-%m-%d"
PLAIN = b"id,amount\n1,1.50\n2,2.00\n"


def archive(members: dict[str, bytes], kind: int = zipfile.ZIP_STORED) -> bytes:
    """Return a .zip."""
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", kind) as found:
        for name, data in members.items():
            found.writestr(name, data)
    return held.getvalue()


def encrypted() -> bytes:
    """Return a .zip whose member claims to have a password."""
    data = bytearray(archive({"a.csv": PLAIN}))
    data[6] |= 1
    data[data.find(b"PK\1\2") + 8] |= 1
    return bytes(data)


TEXTS = {
    "emoji_in_two_halves_as_java_writes_them": Case(
        b"id,amount,text\n1,1.50,a\n2,2.00,\xed\xa0\xbd\xed\xb8\x80\n3,1.00,c\n", CSV, WITH_TEXT,
        2, "2.50", aside=("not_utf8",), texts=("a", "c"),
    ),
    "ebcdic": Case(
        "id,amount,text\n1,1.50,Zoë\n2,-2.00,[x]\n".encode("cp037"),
        "{format: csv, encoding: cp037}", WITH_TEXT, 2, "-0.50", texts=("Zoë", "[x]"),
    ),
    "marks_that_end_lines_elsewhere": Case(
        "id,amount,text\n1,1.50,a\u2028b\n2,2.00,c\x85d\n3,1.00,e\x0bf\x0cg\x1ch\x1di\x1ej\n".encode(),
        CSV, WITH_TEXT, 3, "4.50", texts=("a\u2028b", "c\x85d", "e\x0bf\x0cg\x1ch\x1di\x1ej"),
    ),
    "line_ends_converted_twice": Case(
        b"id,amount,text\r\r\n1,1.50,a\r\r\n2,2.00,b\r\r\n", CSV, WITH_TEXT, 2, "3.50",
        texts=("a", "b"),
    ),
    "line_ends_the_wrong_way_round": Case(
        b"id,amount,text\n\r1,1.50,a\n\r2,2.00,b\n\r", CSV, WITH_TEXT, 2, "3.50", texts=("a", "b"),
    ),
    "marks_of_writing_direction": Case(
        "id,amount,text\n1,\u200e1.50,\u202a+44 20 79\u202c\n2,\u202a-2.00\u202c,b\n".encode(),
        CSV, WITH_TEXT, 2, "-0.50", texts=("+44 20 79", "b"),
    ),
    "soft_hyphen_in_a_header": Case(
        "id,am\u00adount,text\n1,1.50,a\n".encode(), CSV, WITH_TEXT, 1, "1.50", texts=("a",),
    ),
    "blanks_between_fields": Case(
        b'id amount text\n1 1.50 "a b"\n2 2.00 c\n', '{format: csv, delimiter: " "}', WITH_TEXT,
        2, "3.50", texts=("a b", "c"),
    ),
    "blank_behind_a_quote": Case(
        b'id,amount,text\n1,1.50,"a, b" \n"2" ,2.00,c\n', CSV, WITH_TEXT, 2, "3.50",
        texts=("a, b", "c"),
    ),
    "columns_of_no_name_and_ghosts": Case(
        b"id,,amount" + b"," * 250 + b"\n1,x,1.50" + b"," * 250 + b"\n2,,2.00" + b"," * 250
        + b"\n" + b"," * 252 + b"\n", CSV, SIMPLE, 2, "3.50", aside=("blank_record",),
    ),
    "comments_among_records": Case(
        b"id,amount\n# made by till 4\n1,1.50\n# page 2, of 3\n2,2.00\n", CSV, SIMPLE, 2, "3.50",
        aside=("too_few_fields", "amount_type"),
    ),
    "every_line_within_quotes": Case(
        b'"id,amount,text"\r\n"1,1.50,""a, b"""\r\n"2,2.00,c"\r\n', CSV, WITH_TEXT,
        refused="exported twice",
    ),
    "twelve_hundred_columns": Case(
        (",".join(["id", "amount", *(f"attr_{n}" for n in range(1198))]) + "\n"
         + "".join(f"{n},1.50" + ",x" * 1198 + "\n" for n in (1, 2))).encode(),
        CSV, SIMPLE, 2, "3.00",
    ),
    "trailer_after_a_blank_line_and_a_mark_of_dos": Case(
        b"id;amount\r\n1;1.50\r\n2;2.00\r\n\r\nEnd of report\r\nPrinted 20/11/2026\r\n\x1a",
        '{format: csv, delimiter: ";", trailer_lines: 2}', SIMPLE, 2, "3.50",
    ),
    "sums_above_the_records": Case(
        b"day,id,amount\nTotal,,7.50\n2026-11-20,1,1.50\n2026-11-20,2,2.00\n2026-11-20,3,4.00\n",
        CSV, "{day: {}, id: {required: true}, amount: {type: decimal, required: true}}", 3, "7.50",
        aside=("id_not_null",),
    ),
    "fields_of_fixed_width": Case(
        "000000011234500+Zoë      \n000000020020000-Ann      \n".encode(),
        '{format: csv, header: false, delimiter: "\\x01", quote: ""}',
        '{line: {}, id: {value: "substr(line, 1, 8)"}, amount: {type: decimal, value: "cast('
        "substr(line, 9, 7) as decimal(18, 2)) / 100"
        " * if(substr(line, 16, 1) = '-', -1, 1)\"}, text: {value: \"trim(substr(line, 17))\"}}",
        2, "12145.00", texts=("Zoë", "Ann"),
    ),
    "heads_and_lines_in_one_file": Case(
        b"H|1|2026-11-20\nD|sku1|1.50\nD|sku2|2.00\nH|2|2026-11-20\nD|sku3|3.00\n",
        '{format: csv, header: false, delimiter: "|", fill_down: {columns: [text], starts: text}}',
        "{kind: {}, a: {}, b: {}, text: {value: \"if(kind = 'H', a, null)\"},"
        " amount: {type: decimal, value: \"if(kind = 'D', cast(b as decimal(18, 2)), null)\"}}",
        5, "6.50", texts=("1", "1", "1", "2", "2"),
    ),
    "line_ends_and_tabs_behind_backslashes": Case(  # as databases and web analytics write tables
        b'id\tamount\ttext\n1\t1.50\tone\\\n two\\\tthree\n2\t2.00\t\\N\n3\t1.00\t5" C:\\temp\n',
        '{format: csv, delimiter: "\\t", quote: "", escape: "\\\\", null_values: ["", "\\\\N"]}',
        WITH_TEXT, 3, "4.50", texts=("one\n two\tthree", None, '5" C:\\temp'),
    ),
    "json_within_a_field": Case(
        b'id,held\n1,"{""amount"":1.5,""t"":""x""}"\n2,{}\n3,none\n', CSV,
        '{id: {}, held: {}, amount: {type: decimal, value: "json_extract_string(held,'
        " '$.amount')\"}, text: {value: \"json_extract_string(held, '$.t')\"}}",
        3, "1.50", texts=("x", None, None),
    ),
}  # fmt: skip

VALUES = {
    "numbers_that_begin_or_end_with_a_point": Case(
        b"id,amount\n1,.50\n2,5.\n3,-.25\n4,0001.50\n5,-0.00\n6,+.5\n", CSV, SIMPLE, 6, "7.25",
    ),
    "groups_of_digits_badly_set": Case(
        b'id,amount\n1,"1,234.50"\n2,"12,34.50"\n3,"1,2"\n4,"1,,234.00"\n5,"1234,567.00"\n'
        b'6,",123.00"\n7,1234.50\n8,1.00\n', '{format: csv, thousands_mark: ","}', SIMPLE,
        3, "2470.00", aside=("amount_type",) * 5,
    ),
    "digits_of_other_scripts": Case(
        "id,amount\n1,１２.５０\n2,١٢٫٥٠\n3,½\n4,1.50\n5,#REF!\n6,12%\n7,1²\n".encode(),  # noqa: RUF001 - as they are typed
        CSV, SIMPLE, 1, "1.50", aside=("amount_type",) * 6,
    ),
    "days_that_stand_for_never": Case(
        b"id,amount,text\n1,1.50,9999-12-31\n2,2.00,2026-01-01\n3,1.00,0000-00-00\n", CSV,
        moments(DAYS), 1, "2.00", aside=("read_type", "read_type"), texts=("2026-01-01",),
    ),
    "nothing_but_days_that_stand_for_never": Case(
        b"id,amount,text\n1,1.50,9999-12-31\n2,2.00,9999-12-31\n", CSV, moments(DAYS),
        refused="between 1900 and 2199",
    ),
    "moments_in_all_spellings_of_iso": Case(
        b"id;amount;text\n1;1.50;2026-11-20 10:00:00,123\n2;1.00;2026-11-20T10:30Z\n"
        b"3;1.00;2026-11-20 10:00:00 UTC\n4;1.00;2026-11-20 10:00:00+02\n"
        b"5;1.00;2026-11-20 10:00:00.5+0530\n6;1.00;2026-11-20T10:00:00,25+05:30\n"
        b"7;1.00;2026-11-20 10:00GMT\n", '{format: csv, delimiter: ";"}', moments(SECONDS),
        7, "7.50", texts=(
            "2026-11-20 10:00:00", "2026-11-20 10:30:00", "2026-11-20 10:00:00",
            "2026-11-20 08:00:00", "2026-11-20 04:30:00", "2026-11-20 04:30:00",
            "2026-11-20 10:00:00",
        ),
    ),
    "seconds_since_1970_with_fractions_before_it_and_too_many": Case(
        b"id,amount,text\n1,1.50,1763632800.123\n2,2.00,1763632800\n3,1.00,1.7636328E9\n"
        b"4,1.00,-86400\n5,1.00,1763632800000000\n", CSV,
        moments(SECONDS, ", format: epoch"), 3, "4.50", aside=("read_type", "read_type"),
        texts=("2025-11-20 10:00:00", "2025-11-20 10:00:00", "1969-12-31 00:00:00"),
    ),
    "noon_and_midnight": Case(
        b"id,amount,text\n1,1.50,11/20/2026 12:00 AM\n2,2.00,11/20/2026 12:30 pm\n"
        b"3,1.00,11/20/2026 13:05 PM\n", CSV, moments(SECONDS, ', format: "%m/%d/%Y %I:%M %p"'),
        2, "3.50", aside=("read_type",), texts=("2026-11-20 00:00:00", "2026-11-20 12:30:00"),
    ),
    "hours_that_clocks_leave_out_and_repeat": Case(
        b"id,amount,text\n1,1.50,2026-03-08 02:30:00\n2,2.00,2026-11-01 01:30:00\n", CSV,
        moments(SECONDS, ", time_zone: America/New_York"), 1, "2.00", aside=("read_type",),
        texts=("2026-11-01 06:30:00",),
    ),
}  # fmt: skip

NESTED = {
    "key_twice_in_one_object": Case(
        b'{"id":"1","amount":1.50,"amount":9.50}\n{"id":"2","amount":2.00}\n', "{format: jsonl}",
        SIMPLE, 1, "2.00", aside=("repeated_key",), name="e.jsonl",
    ),
    "objects_as_python_prints_them": Case(
        b"{'id': '1', 'amount': 1.5}\n{\"id\": \"2\", \"amount\": 2}\n", "{format: jsonl}", SIMPLE,
        1, "2.00", aside=("not_a_record",), name="e.jsonl",
    ),
    "objects_keyed_by_their_number": Case(
        b'{"1": {"amount": 1.5}, "2": {"amount": 2}}', "{format: json}", SIMPLE,
        refused="no array at its root", name="e.json",
    ),
    "nothing_among_the_objects": Case(
        b'[null, {"id":"1","amount":1.5}, {"id":"2","amount":2}, null]', "{format: json}", SIMPLE,
        2, "3.50", aside=("not_a_record", "not_a_record"), name="e.json",
    ),
    "half_an_emoji_and_a_nul": Case(
        b'{"id":"1","amount":1.5,"text":"a\\u0000b"}\n{"id":"2","amount":2,"text":"\\ud83d"}\n'
        b'{"id":"3","amount":1,"text":"ok"}\n', "{format: jsonl}", WITH_TEXT, 1, "1.00",
        aside=("nul_character", "not_a_record"), name="e.jsonl", texts=("ok",),
    ),
    "objects_where_values_belong": Case(
        lines({"id": "1", "amount": 1.5, "text": {"a": 1}}, {"id": "2", "amount": {"value": 3}},
              {"id": "3", "amount": True}),
        "{format: jsonl}", WITH_TEXT, 1, "1.50", aside=("amount_type", "amount_type"),
        name="e.jsonl", texts=('{"a":1}',),
    ),
    "array_with_a_comma_too_many": Case(
        b'[\n{"id":"1","amount":1.5},\n{"id":"2","amount":2},\n]\n', "{format: json}", SIMPLE,
        2, "3.50", name="e.json",
    ),
    "workbook_as_xml": Case(
        b'<?xml version="1.0"?><?mso-application progid="Excel.Sheet"?><Workbook xmlns="urn:s"'
        b' xmlns:ss="urn:s"><Worksheet ss:Name="A"><Table><Row><Cell><Data ss:Type="String">1'
        b'</Data></Cell><Cell><Data>1.5</Data></Cell></Row><Row><Cell><Data>2</Data></Cell><Cell>'
        b"<Data>2</Data></Cell></Row></Table></Worksheet></Workbook>",
        "{format: xml, records: Row}",
        "{id: {from: 'Cell[0].Data'}, amount: {type: decimal, from: 'Cell[1].Data'}}",
        2, "3.50", name="e.xml",
    ),
    "record_within_a_record": Case(
        b"<L><S><id>1</id><amount>1.50</amount><Linked><S><id>9</id><amount>9.00</amount></S>"
        b"</Linked></S><S><id>2</id><amount>2.00</amount></S></L>", "{format: xml, records: S}",
        SIMPLE, 2, "3.50", name="e.xml",
    ),
    "entity_that_reads_a_file": Case(
        b'<!DOCTYPE L [<!ENTITY x SYSTEM "file:///etc/hostname">]><L><S><id>1</id><amount>1.00'
        b"</amount><text>&x;</text></S></L>", "{format: xml, records: S}", WITH_TEXT,
        refused="entit", name="e.xml",
    ),
    "columns_of_every_binary_kind": Case(
        parquet({
            "id": pa.array([1, 2], pa.uint64()),
            "amount": pa.array([decimal.Decimal("1.5000"), decimal.Decimal("2.2500")],
                               pa.decimal128(18, 4)),
            "text": pa.array(["a", "b"], pa.large_string()).dictionary_encode(),
            "nothing": pa.nulls(2),
        }), "{format: parquet}", WITH_TEXT, 2, "3.75", name="e.parquet", texts=("a", "b"),
    ),
    "amounts_of_32_bits": Case(
        parquet({"id": ["1", "2"], "amount": pa.array([19.99, 1.1], pa.float32())}),
        "{format: parquet}", SIMPLE, 2, "21.09", name="e.parquet",
    ),
    "moment_with_a_zone_of_its_own": Case(
        parquet({"id": ["1"], "amount": [1.5], "text": pa.array(
            [dt.datetime(2026, 11, 20, 10, 0, tzinfo=dt.UTC)],
            pa.timestamp("us", tz="America/New_York"),
        )}), "{format: parquet}", moments(SECONDS), 1, "1.50", name="e.parquet",
        texts=("2026-11-20 10:00:00",),
    ),
    "names_with_dots": Case(
        parquet({"order.id": ["1", "2"], "order.amount": ["1.50", "2.00"]}), "{format: parquet}",
        "{id: {from: '\"order.id\"'}, amount: {type: decimal, from: '\"order.amount\"'}}",
        2, "3.50", name="e.parquet",
    ),
    "map_of_keys_and_values": Case(
        parquet({"id": ["1", "2"], "p": pa.array(
            [[("amount", "1.50")], [("amount", "2.00"), ("x", "y")]],
            pa.map_(pa.string(), pa.string()),
        )}), "{format: parquet}", "{id: {}, amount: {type: decimal, from: p.amount}}", 2, "3.50",
        name="e.parquet",
    ),
    "parquet_cut_short": Case(
        parquet({"id": ["1"], "amount": ["1.50"]})[:-20], "{format: parquet}", SIMPLE,
        refused="no", name="e.parquet",
    ),
}  # fmt: skip

PACKED = {
    "gzip_within_gzip": Case(
        gzip.compress(gzip.compress(PLAIN)), CSV, SIMPLE, refused="gzip", name="export.csv.gz",
    ),
    "tar": Case(
        gzip.compress(taped("a.csv", PLAIN)), CSV, SIMPLE, refused="tar archive",
        name="export.csv.gz",
    ),
    "zip_of_a_mac": Case(
        archive({"out/": b"", "out/a.csv": PLAIN, "__MACOSX/out/._a.csv": b"\0\5\x16\7",
                 "out/.DS_Store": b"\0\0\0\1Bud1"}), CSV, SIMPLE, 2, "3.50", name="export.zip",
    ),
    "zip_of_lzma": Case(
        archive({"a.csv": PLAIN}, zipfile.ZIP_LZMA), CSV, SIMPLE, 2, "3.50", name="export.zip",
    ),
    "zip_with_a_password": Case(encrypted(), CSV, SIMPLE, refused="password", name="export.zip"),
    "zip_within_zip": Case(
        packed(a__zip=packed(a__csv=PLAIN)), CSV, SIMPLE, refused="ZIP", name="export.zip",
    ),
    "zstd_frames_and_one_to_skip": Case(
        pa.compress(b"id,amount\n1,1.50\n", codec="zstd", asbytes=True)
        + b"\x50\x2a\x4d\x18\x04\0\0\0abcd" + pa.compress(b"2,2.00\n", codec="zstd", asbytes=True),
        CSV, SIMPLE, 2, "3.50", name="export.csv.zst",
    ),
    "web_page_behind_a_mark_and_blanks": Case(
        b"\xef\xbb\xbf\r\n  <!DOCTYPE html><html><body>Session expired</body></html>", CSV, SIMPLE,
        refused="web page",
    ),
    "document_of_a_text_processor": Case(
        b"{\\rtf1\\ansi id,amount\\par 1,1.50}", CSV, SIMPLE, refused="RTF",
    ),
}  # fmt: skip

MORE = {**TEXTS, **VALUES, **NESTED, **PACKED}
TOLD = {
    "emoji_in_two_halves_as_java_writes_them", "ebcdic", "soft_hyphen_in_a_header",
    "blank_behind_a_quote", "comments_among_records", "every_line_within_quotes",
    "fields_of_fixed_width", "heads_and_lines_in_one_file", "json_within_a_field",
    "numbers_that_begin_or_end_with_a_point", "groups_of_digits_badly_set",
    "digits_of_other_scripts", "days_that_stand_for_never",
    "nothing_but_days_that_stand_for_never", "hours_that_clocks_leave_out_and_repeat",
    "seconds_since_1970_with_fractions_before_it_and_too_many", "noon_and_midnight",
    "objects_as_python_prints_them", "objects_keyed_by_their_number",
    "objects_where_values_belong", "workbook_as_xml", "record_within_a_record",
    "map_of_keys_and_values",
}  # fmt: skip
"""Cases of which a few rows do not tell what a person declares."""
