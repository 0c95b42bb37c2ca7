"""Hostile files: each is loaded, set aside or refused exactly as it should be, with the cause.

Cases follow the fault catalogue: encodings, line ends, quotes, ragged rows, headers, numbers,
dates, keys, sizes, compression, files of another kind.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow.parquet import encryption

from tests.hostile.conftest import Feed
from tests.hostile.orders import HEADER, SOUND, Row, among, order, with_line, write

BAD = b"O99999,2026-03-01 00:00:00,C1,a@b.co,"
"""First fields of a raw line that is otherwise sound."""

WIDE = [order(number, note="x" * 4000) for number in range(2500)]
"""Ten megabytes of sound rows."""

LOADED: dict[str, tuple[bytes, list[Row], dict[str, Any]]] = {
    "plain_quote_before_megabytes": (
        with_line(BAD + b'5" pipe,1,1.00,ok') + write(WIDE[20:], header=None),
        [
            *SOUND[:10],
            ("O99999", "2026-03-01 00:00:00", "C1", "a@b.co", '5" pipe', "1", "1.00", "ok"),
            *SOUND[10:],
            *WIDE[20:],
        ],
        {},
    ),
    "clean": (write(SOUND), [*SOUND], {}),
    "byte_order_mark": (b"\xef\xbb\xbf" + write(SOUND), [*SOUND], {}),
    "cr_lf": (write(SOUND, line_end="\r\n"), [*SOUND], {}),
    "cr_only": (write(SOUND, line_end="\r"), [*SOUND], {}),
    "mixed_line_ends": (
        write(SOUND[:10], line_end="\r\n") + write(SOUND[10:], header=None),
        [*SOUND],
        {},
    ),
    "no_final_newline": (write(SOUND)[:-1], [*SOUND], {}),
    "blank_lines": (write(SOUND[:10]) + b"\n\n" + write(SOUND[10:], header=None), [*SOUND], {}),
    "blank_lines_before_header": (b"\n\n" + write(SOUND), [*SOUND], {}),
    "header_with_blanks": (write(SOUND, header=[f" {h} " for h in HEADER]), [*SOUND], {}),
    "header_in_capitals": (write(SOUND, header=[h.upper() for h in HEADER]), [*SOUND], {}),
    "columns_reordered": (
        write([row[::-1] for row in SOUND], header=HEADER[::-1]),
        [*SOUND],
        {},
    ),
    "extra_column": (write([(*r, "x") for r in SOUND], header=(*HEADER, "x")), [*SOUND], {}),
    "extra_column_without_name": (
        write([(*r, "x") for r in SOUND], header=(*HEADER, "")),
        [*SOUND],
        {},
    ),
    "header_only": (write([]), [], {}),
    "semicolon_declared": (write(SOUND, delimiter=";"), [*SOUND], {"delimiter": ";"}),
    "no_header_declared": (write(SOUND, header=None), [*SOUND], {"header": False}),
    "no_header_but_byte_order_mark": (
        b"\xef\xbb\xbf" + write(SOUND, header=None),
        [*SOUND],
        {"header": False},
    ),
    "preamble_and_trailer": (
        b'Export of "orders\nrun 7\n' + write(SOUND) + b"TOTAL;20\nEND\n",
        [*SOUND],
        {"skip_lines": 2, "trailer_lines": 2},
    ),
    "utf32_declared": (write(SOUND, encoding="utf-32"), [*SOUND], {"encoding": "utf-32"}),
    "utf16_declared": (write(SOUND, encoding="utf-16"), [*SOUND], {"encoding": "utf-16"}),
    "cp1252_declared": (
        write(among(order(99, name="Zoë Müller €")), encoding="cp1252"),
        among(order(99, name="Zoë Müller €")),
        {"encoding": "cp1252"},
    ),
    "comma_decimals_declared": (
        write(among(order(99, amount="1.234,50")), delimiter=";")
        .replace(b".50", b",50")
        .replace(b"1,234,50", b"1.234,50"),
        among(order(99, amount="1234.50")),
        {"delimiter": ";", "decimal_mark": ",", "thousands_mark": "."},
    ),
    "embedded_newline": (
        write(among(order(99, note="one\ntwo\r\nthree"))),
        among(order(99, note="one\ntwo\r\nthree")),
        {},
    ),
    "embedded_quotes": (
        write(among(order(99, note='say ""hi"", "x"'))),
        among(order(99, note='say ""hi"", "x"')),
        {},
    ),
    "embedded_delimiter": (
        write(among(order(99, name="Doe, John; Jr"))),
        among(order(99, name="Doe, John; Jr")),
        {},
    ),
    "quote_inside_a_bare_field": (
        with_line(BAD + b'5" pipe,1,1.00,ok'),
        among(("O99999", "2026-03-01 00:00:00", "C1", "a@b.co", '5" pipe', "1", "1.00", "ok")),
        {},
    ),
    "return": (
        write(among(order(99, quantity="-2", amount="-20.00"))),
        among(order(99, quantity="-2", amount="-20.00")),
        {},
    ),
    "amount_with_sign_behind": (
        write(among(order(99, quantity="-2", amount="20.00-"))),
        among(order(99, quantity="-2", amount="-20.00")),
        {},
    ),
    "amount_in_brackets": (
        write(among(order(99, quantity="-2", amount="(20.00)"))),
        among(order(99, quantity="-2", amount="-20.00")),
        {},
    ),
    "amount_with_zeros_behind": (
        write(among(order(99, amount="12.5000"))),
        among(order(99, amount="12.50")),
        {},
    ),
    "leading_zeros": (
        write(among(order(99, customer_id="00042"))),
        among(order(99, customer_id="00042")),
        {},
    ),
    "id_like_a_number": (
        write(among(order(99, customer_id="1E5"))),
        among(order(99, customer_id="1E5")),
        {},
    ),
    "names_like_nothing": (
        write(among(order(99, name="NA"), order(98, name="null"), order(97, name="None"))),
        among(order(99, name="NA"), order(98, name="null"), order(97, name="None")),
        {},
    ),
    "notes_like_booleans": (
        write([order(n, note="true") for n in range(20)]),
        [order(n, note="true") for n in range(20)],
        {},
    ),
    "decomposed_accents": (
        write(among(order(99, name="Zoe\u0308"))),
        among(order(99, name="Zoe\u0308")),
        {},
    ),
    "emoji_and_right_to_left": (
        write(among(order(99, name="👩‍👩‍👧‍👦 محمد \u202eevil"))),
        among(order(99, name="👩‍👩‍👧‍👦 محمد \u202eevil")),
        {},
    ),
    "homoglyph": (
        write(among(order(99, email="\u0430dmin@example.com"))),
        among(order(99, email="\u0430dmin@example.com")),
        {},
    ),
    "formula": (
        write(among(order(99, name='=HYPERLINK("http://evil","x")'))),
        among(order(99, name='=HYPERLINK("http://evil","x")')),
        {},
    ),
    "markup": (
        write(among(order(99, name="<script>alert(1)</script>"))),
        among(order(99, name="<script>alert(1)</script>")),
        {},
    ),
    "sql_in_a_value": (
        write(among(order(99, name="o'; drop table judged; --"))),
        among(order(99, name="o'; drop table judged; --")),
        {},
    ),
    "sql_in_an_unknown_header": (
        write([(*r, "x") for r in SOUND], header=(*HEADER, "o'; drop table judged; --")),
        [*SOUND],
        {},
    ),
    "no_such_hour_in_spring": (
        write(among(order(99, ordered_at="2026-03-29 02:30:00"))),
        among(order(99, ordered_at="2026-03-29 02:30:00")),
        {},
    ),
    "offset_wins": (
        write(among(order(99, ordered_at="2026-07-01T12:00:00+02:00"))),
        among(order(99, ordered_at="2026-07-01 10:00:00")),
        {},
    ),
    "offset_after_a_blank": (
        write(among(order(99, ordered_at="2026-07-01 12:00:00 +0530"))),
        among(order(99, ordered_at="2026-07-01 06:30:00")),
        {},
    ),
    "zulu_with_fraction": (
        write(among(order(99, ordered_at="2026-07-01T12:00:00.123Z"))),
        among(order(99, ordered_at="2026-07-01 12:00:00")),
        {},
    ),
}

ASIDE: dict[str, tuple[bytes, str, int]] = {
    "row_not_utf8": (with_line(BAD + b"Zo\xeb,1,1.00,ok"), "not_utf8", 12),
    "overlong_utf8": (with_line(BAD + b"\xc0\xaf,1,1.00,ok"), "not_utf8", 12),
    "nul_in_a_field": (with_line(BAD + b"A\0B,1,1.00,ok"), "nul_character", 12),
    "nul_tail": (write(SOUND) + b"\0" * 4096, "nul_filling", 22),
    "text_after_a_quote": (with_line(BAD + b'"A"B,1,1.00,ok'), "broken_quotes", 12),
    "row_too_short": (with_line(b"O99999,2026-03-01 00:00:00,C1"), "too_few_fields", 12),
    "row_too_long": (with_line(BAD + b"N,1,1.00,ok,EXTRA,EXTRA"), "too_many_fields", 12),
    "trailer_row": (write(SOUND) + b"TRAILER,20\n", "too_few_fields", 22),
    "header_repeated": (write(SOUND[:10]) + write(SOUND[10:]), "repeated_header", 12),
    "field_over_64_kb": (
        write(among(order(99, note="x" * 70_000))),
        "field_too_long",
        12,
    ),
    "line_over_2_mb": (write(among(order(99, note="x" * 3_000_000))), "line_too_long", 12),
    "key_blank": (write(among(order(99, order_id="  "))), "order_id_not_null", 12),
    "spreadsheet_id": (write(among(order(99, customer_id="9.9E+12"))), "customer_id_type", 12),
    "amount_blank": (write(among(order(99, amount=""))), "amount_not_null", 12),
    "card_number": (
        write(among(order(99, note="card 4111 1111 1111 1111"))),
        "card_number",
        12,
    ),
    "signs_differ": (write(among(order(99, quantity="-1"))), "one_sign", 12),
    "from_the_future": (
        write(among(order(99, ordered_at="2026-12-24 10:00:00"))),
        "not_from_the_future",
        12,
    ),
    **{
        f"amount_{name}": (write(among(order(99, amount=text))), "amount_type", 12)
        for name, text in {
            "1e308": "1e308",
            "nan": "NaN",
            "infinity": "Infinity",
            "comma_decimal": "12,50",
            "thousands": "1,234.50",
            "hex": "0x1F",
            "underscore": "1_000.00",
            "arabic_digits": "\u0661\u0662.\u0665\u0660",
            "three_decimals": "1.005",
            "two_signs": "--1.00",
            "only_a_dot": ".",
            "too_large": "99999999999999999.00",
        }.items()
    },
    **{
        f"quantity_{name}": (write(among(order(99, quantity=text))), "quantity_type", 12)
        for name, text in {"float": "1.5", "huge": "9" * 20, "word": "one"}.items()
    },
    **{
        f"moment_{name}": (write(among(order(99, ordered_at=text))), "ordered_at_type", 12)
        for name, text in {
            "in_2999": "2999-01-01 00:00:00",
            "in_1899": "1899-12-31 00:00:00",
            "zero": "0000-00-00 00:00:00",
            "30_february": "2026-02-30 00:00:00",
            "day_first": "03/04/2026 10:00",
            "leap_second": "2026-06-30 23:59:60",
            "day_only": "2026-06-30",
        }.items()
    },
}

REFUSED: dict[str, tuple[bytes, str, str, str]] = {
    "empty": (b"", "orders.csv", "the file is empty", "ask the sender"),
    "nothing_but_nul": (b"\0" * 5000, "orders.csv", "NUL bytes alone", "sent again"),
    "nothing_but_blanks": (b"\n \n" * 9, "orders.csv", "blanks alone", "Ask the sender"),
    "column_missing": (
        write([r[:-1] for r in SOUND], header=HEADER[:-1]),
        "orders.csv",
        "columns are missing: note",
        "optional: true",
    ),
    "column_renamed": (
        write(SOUND, header=("orderid", *HEADER[1:])),
        "orders.csv",
        "columns are missing: order_id",
        "Did you mean 'orderid'",
    ),
    "column_twice": (
        write(SOUND, header=(*HEADER[:-1], "amount")),
        "orders.csv",
        "'amount' stands twice",
        "from: amount#1",
    ),
    "no_header": (write(SOUND, header=None), "orders.csv", "it is no header", "header: false"),
    "semicolon": (write(SOUND, delimiter=";"), "orders.csv", "a semicolon", "delimiter: ';'"),
    "tab": (write(SOUND, delimiter="\t"), "orders.csv", "a tab", "delimiter: '\\t'"),
    "pipe": (write(SOUND, delimiter="|"), "orders.csv", "a pipe", "delimiter: '|'"),
    "utf16": (write(SOUND, encoding="utf-16"), "orders.csv", "UTF-16", "encoding: utf-16"),
    "utf32": (write(SOUND, encoding="utf-32"), "orders.csv", "UTF-32", "encoding: utf-32"),
    **{
        f"{name}_without_a_mark": (
            write(SOUND, encoding=name),
            "orders.csv",
            "it is UTF-32 text",
            f"encoding: {name}",
        )
        for name in ("utf-32-le", "utf-32-be")
    },
    "quote_never_closes_over_megabytes": (
        with_line(BAD + b'"open,1,1.00,ok') + write(SOUND, header=None) * 40_000,
        "orders.csv",
        "a quoted field that begins in line 12 runs over more than 8 MB",
        "multiline: false",
    ),
    "quoted_megabytes_of_lines": (
        with_line(BAD + b'"' + b"x\n" * 5_000_000 + b'",1,1.00,ok'),
        "orders.csv",
        "a quoted field that begins in line 12 runs over more than 8 MB",
        "multiline: false",
    ),
    "quote_of_the_header_never_closes": (
        b'"' + write(SOUND),
        "orders.csv",
        "the quotes of its header cannot be taken apart",
        "closed or doubled",
    ),
    "line_beyond_any_buffer": (
        with_line(BAD + b"x" * 33_000_000 + b",1,1.00,ok"),
        "orders.csv",
        "line 12 is longer than 30 MB",
        "line breaks",
    ),
    "cp1252": (
        write([order(n, name="Zoë") for n in range(20)], encoding="cp1252"),
        "orders.csv",
        "20 of 20 records",
        "encoding: cp1252",
    ),
    "a_tenth_is_bad": (
        write([*SOUND, *(order(n, amount="x") for n in range(20, 23))]),
        "orders.csv",
        "3 of 23 records",
        "amount_type (3)",
    ),
    "quote_never_closes": (
        with_line(BAD + b'"open,1,1.00,ok'),
        "orders.csv",
        "a quoted field that begins in line 12 runs over 11 lines",
        "multiline: false",
    ),
    "hundred_thousand_columns": (
        ",".join(f"c{i}" for i in range(100_000)).encode() + b"\n",
        "orders.csv",
        "its first line is longer than 256 KB",
        "",
    ),
    "gzip_cut": (
        gzip.compress(write([order(n) for n in range(2000)]))[:-200],
        "orders.csv.gz",
        "ends too early",
        "sent again",
    ),
    "gzip_wrong_checksum": (
        gzip.compress(write(SOUND))[:-8] + b"\0" * 8,
        "orders.csv.gz",
        "corrupt gzip data",
        "sent again",
    ),
    "gzip_with_a_tail": (
        gzip.compress(write(SOUND)) + b"garbage",
        "orders.csv.gz",
        "rubbish follows",
        "sent again",
    ),
    "gzip_that_is_none": (write(SOUND), "orders.csv.gz", "it is not gzip", ".gz"),
    "gzip_without_suffix": (gzip.compress(write(SOUND)), "orders.csv", "gzip data", "suffix .gz"),
    "gzip_bomb": (
        gzip.compress(write(SOUND) + b"A" * 50_000_000),
        "orders.csv.gz",
        "decompression bomb",
        "uncompressed",
    ),
    "zstd_cut": (
        pa.Codec("zstd").compress(write(SOUND), asbytes=True)[:-9],
        "orders.csv.zst",
        "corrupt zstd data",
        "sent again",
    ),
    "excel": (b"PK\x03\x04" + b"\0" * 3000, "orders.csv", "Excel", "as CSV"),
    "pdf": (b"%PDF-1.7\n" + b"x" * 100, "orders.csv", "a PDF", "as CSV"),
    "parquet_named_csv": (b"PAR1" + b"\0" * 100, "orders.csv", "a Parquet file", "format: parquet"),
    "random_bytes": (
        hashlib.shake_128(b"noise").digest(20_000),
        "orders.csv",
        "not UTF-8",
        "encoding",
    ),
    "error_page": (
        b"<!DOCTYPE html><html><body>502 Bad Gateway</body></html>\n",
        "orders.csv",
        "a web page",
        "error page",
    ),
}


@pytest.mark.parametrize("case", LOADED)
def test_awkward_but_sound_files_are_loaded_value_by_value(case: str, feed: Feed) -> None:
    data, rows, delivery = LOADED[case]
    outcome = feed(data, **delivery)
    assert outcome.notes.status == "loaded", outcome.notes.reason
    assert outcome.rows == [tuple(row) for row in rows]
    assert outcome.notes.records == len(rows)
    assert outcome.aside == []


@pytest.mark.parametrize("case", ASIDE)
def test_a_bad_row_is_set_aside_with_rule_and_line_and_the_rest_loaded(
    case: str, feed: Feed
) -> None:
    data, rule, line = ASIDE[case]
    outcome = feed(data)
    assert outcome.notes.status == "loaded", outcome.notes.reason
    assert sorted(outcome.rows) == sorted(SOUND)
    assert [(found, name) for found, name, _ in outcome.aside] == [(line, rule)]
    assert outcome.notes.rules == {rule: 1}
    assert outcome.notes.records == len(SOUND) + 1


@pytest.mark.parametrize("case", REFUSED)
def test_a_file_that_cannot_be_trusted_is_refused_with_cause_and_remedy(
    case: str, feed: Feed
) -> None:
    data, name, cause, remedy = REFUSED[case]
    outcome = feed(data, name=name)
    assert outcome.notes.status == "refused"
    assert cause in outcome.notes.reason
    assert remedy in outcome.notes.reason
    assert outcome.rows == []


def test_compressed_files_are_read_whole(feed: Feed) -> None:
    two_members = gzip.compress(write(SOUND[:10])) + gzip.compress(write(SOUND[10:], header=None))
    assert feed(two_members, name="orders.csv.gz").rows == list(SOUND)
    zstd = pa.Codec("zstd").compress(write(SOUND), asbytes=True)
    assert feed(zstd, name="orders.csv.zst").rows == list(SOUND)


def test_half_of_the_last_line_is_set_aside(feed: Feed) -> None:
    outcome = feed(write(SOUND)[:-30])
    assert outcome.rows == list(SOUND[:-1])
    assert [(line, rule) for line, rule, _ in outcome.aside] == [(21, "too_few_fields")]


def test_lines_after_an_embedded_newline_keep_their_numbers(feed: Feed) -> None:
    outcome = feed(write(among(order(99, note="one\ntwo"))) + b"short\n")
    assert outcome.lines == [*range(2, 13), *range(14, 24)]
    assert [line for line, _, _ in outcome.aside] == [24]


def test_empty_lines_before_a_broken_one_do_not_move_the_numbers(feed: Feed) -> None:
    outcome = feed(write(SOUND[:10]) + b"\n\nshort\n\nshort\n" + write(SOUND[10:], header=None))
    assert outcome.rows == list(SOUND)
    assert outcome.lines == [*range(2, 12), *range(17, 27)]
    assert [line for line, _, _ in outcome.aside] == [14, 16]


def test_a_stray_quote_costs_one_line_where_records_are_lines(feed: Feed) -> None:
    outcome = feed(with_line(BAD + b'"open,1,1.00,ok'), multiline=False)
    assert outcome.rows == list(SOUND)
    assert [(line, rule) for line, rule, _ in outcome.aside] == [(12, "broken_quotes")]
    assert outcome.lines == [*range(2, 12), *range(13, 23)]
    assert "1 lines a quote does not close" in outcome.notes.messages[0]


def test_two_stray_quotes_do_not_hide_the_lines_between_them(feed: Feed) -> None:
    line = BAD + b'"open,1,1.00,ok\n'
    data = write(SOUND[:5]) + line + write(SOUND[5:15], header=None) + line
    outcome = feed(data + write(SOUND[15:], header=None), multiline=False)
    assert outcome.rows == list(SOUND)
    assert [found for found, _, _ in outcome.aside] == [7, 18]


def test_what_is_set_aside_keeps_its_delivered_text_but_no_card_number(feed: Feed) -> None:
    outcome = feed(write(among(order(99, note="card 4111 1111 1111 1111", amount="dear"))))
    (_, rule, raw) = outcome.aside[0]
    assert rule == "amount_type"
    assert '"amount":"dear"' in raw
    assert "card [card number]" in raw
    assert "4111" not in raw


def test_unknown_columns_are_reported_and_ignored_ones_are_not(feed: Feed) -> None:
    outcome = feed(write([(*r, "x") for r in SOUND], header=(*HEADER, "new_column")))
    assert outcome.notes.messages == (
        "unknown columns 'new_column': declare them, or list them under `ignore:`",
    )


def test_a_record_whose_key_no_text_can_hold_costs_itself_alone(feed: Feed) -> None:
    lines = [json.dumps(dict(zip(HEADER, row, strict=True))) for row in SOUND]
    lines[5] = lines[5].replace('"order_id"', '"\\ud800": 1, "order_id"')
    outcome = feed("\n".join(lines).encode(), name="orders.jsonl", format="jsonl")
    assert outcome.rows == [*SOUND[:5], *SOUND[6:]], outcome.notes.reason
    assert [(line, rule) for line, rule, _ in outcome.aside] == [(6, "not_a_record")]


@pytest.mark.parametrize("has_plain_footer", [True, False])
def test_parquet_that_its_sender_encrypted_is_said_to_be(
    feed: Feed, *, has_plain_footer: bool
) -> None:
    factory = encryption.CryptoFactory(lambda _: _Keys())
    how = encryption.EncryptionConfiguration(
        footer_key="footer", column_keys={"k": ["email"]}, plaintext_footer=has_plain_footer
    )
    properties = factory.file_encryption_properties(encryption.KmsConnectionConfig(), how)
    held = io.BytesIO()
    table = pa.table({name: [row[n] for row in SOUND] for n, name in enumerate(HEADER)})
    with pq.ParquetWriter(held, table.schema, encryption_properties=properties) as writer:
        writer.write_table(table)
    outcome = feed(held.getvalue(), name="orders.parquet", format="parquet")
    assert outcome.notes.status == "refused"
    assert "encrypted" in outcome.notes.reason
    assert "without encryption" in outcome.notes.reason
    assert outcome.rows == []


class _Keys(encryption.KmsClient):  # type: ignore[misc] # pyarrow gives no types
    """Wraps keys in nothing."""

    def wrap_key(self, key: bytes, _: str) -> bytes:
        return base64.b64encode(key)

    def unwrap_key(self, wrapped: bytes, _: str) -> bytes:
        return base64.b64decode(wrapped)


def test_there_are_at_least_as_many_cases_as_promised() -> None:
    assert len(LOADED) + len(ASIDE) + len(REFUSED) >= 100
