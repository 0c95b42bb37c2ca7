"""Erased people do not come back: not in another spelling, not from another source."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from cdp_pipeline.ingest.redaction import redact_delivery
from cdp_pipeline.ingest.splitting import RowWriter
from cdp_pipeline.ingest.suppressing import _rewrite, _told_by_numbers
from cdp_pipeline.privacy.suppression import add_tombstones, suppression_keys
from cdp_pipeline.project.contracts import SourceContract
from cdp_pipeline.project.loader import load_project
from cdp_pipeline.rights.access import _delivered
from cdp_pipeline.rights.deliveries import DeliveryCleaning, clean_raw, clean_staged
from cdp_pipeline.rights.traces import Traces
from cdp_pipeline.storage.paths import DataPaths

from .conftest import NIGHT, Store

PEOPLE: dict[str, Any] = {
    "title": "People",
    "owner": "crm",
    "delivery": {"path": "people/*.csv", "format": "csv"},
    "load": {"mode": "append", "key": ["contact_id"]},
    "columns": {
        "contact_id": {"required": True},
        "full_name": {"pii": "name"},
        "born": {"type": "date", "pii": "birth_date"},
        "email": {"pii": "email"},
        "phone": {"pii": "phone"},
        "card": {"pii": "identifier"},
        "amount": {"type": "decimal"},
    },
    "feeds": [
        {
            "entity": "person_records",
            "columns": {
                "record_key": "contact_id",
                "record_kind": "'contact'",
                "full_name": "full_name",
                "birth_date": "born",
                "email": "email",
                "phone": "phone",
                "loyalty_id": "card",
            },
        }
    ],
}
SALES: dict[str, Any] = {
    "title": "Sales",
    "owner": "retail",
    "delivery": {"path": "sales/*.csv", "format": "csv"},
    "load": {"mode": "append", "key": ["receipt", "line"]},
    "columns": {
        "receipt": {"required": True},
        "line": {"type": "integer", "required": True},
        "card": {"pii": "identifier"},
        "mail": {"pii": "email"},
        "amount": {"type": "decimal"},
    },
    "feeds": [
        {
            "entity": "sale_lines",
            "columns": {
                "sale_id": "receipt",
                "line_no": "line",
                "sold_at": "cast(_business_date as timestamp)",
                "store_id": "'S1'",
                "channel": "'store'",
                "sku": "'A'",
                "line_kind": "'product'",
                "quantity": "1",
                "unit_price": "amount",
                "discount_amount": "0",
                "net_amount": "amount",
                "is_return": "false",
                "currency": "'GBP'",
            },
        },
        {
            "entity": "person_records",
            "columns": {
                "record_key": "receipt",
                "record_kind": "'receipt'",
                "loyalty_id": "card",
                "email": "mail",
            },
        },
    ],
}
HEADER = "contact_id,full_name,born,email,phone,card,amount\n"
VALUES = {
    ("email", "annareed@gmail.com"),
    ("phone", "700900123"),
    ("loyalty_id", "12345678"),
    ("name_birth", "anna|reed|1980-02-29"),
}


def _erase(store: Store) -> None:
    context = store.context()
    key = suppression_keys(context.settings)[0]
    add_tombstones(DataPaths.of(context), key, VALUES, erasure="E000001", on=NIGHT)


SPELLINGS = [
    ("", "", "anna.reed@gmail.com", "", ""),
    ("", "", " Anna.Reed+shop@GoogleMail.com ", "", ""),
    ("", "", "ANNAREED@GMAIL.COM", "", ""),
    ("", "", "mailto:anna.reed@gmail.com", "", ""),
    ("", "", "", "07700 900123", ""),
    ("", "", "", "+44 (0)7700-900.123", ""),
    ("", "", "", "00447700900123", ""),
    ("", "", "", "", "0012345678"),
    ("", "", "", "", "12-345-678"),
    ("Mrs ANNA REED", "1980-02-29", "", "", ""),
    ("Reed, Anna", "1980-02-29", "other@example.com", "", ""),
]


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_person_does_not_return_in_another_spelling(
    store: Store, spelling: tuple[str, ...]
) -> None:
    store.declare("people", PEOPLE)
    fields = ",".join(f'"{text}"' for text in spelling)
    store.deliver(
        f"people/{NIGHT}.csv", f"{HEADER}P1,{fields},1\nP2,Bob Hill,1970-01-02,b@x.org,,,2\n"
    )
    _erase(store)
    store.night()
    assert store.query("select record_key from staging.person_records") == [("P2",)]
    assert store.query("select records, loaded, suppressed from ops.deliveries") == [(2, 1, 1)]


@pytest.mark.parametrize("kind", ["name", "email"])
def test_who_was_staged_before_a_column_was_declared_is_found(store: Store, kind: str) -> None:
    store.declare("people", PEOPLE)
    head = HEADER.replace("\n", ",nick\n")
    rows = "P1,,,anna.reed@gmail.com,,,1,Annie\nP2,Bob Hill,1970-01-02,b@x.org,,,2,Bobby\n"
    store.deliver(f"people/{NIGHT}.csv", head + rows)
    store.night()
    store.declare("people", {**PEOPLE, "columns": {**PEOPLE["columns"], "nick": {"pii": kind}}})
    store.night()
    staged = sorted((DataPaths.of(store.context()).staging / "people").glob("*.parquet"))
    assert ["nick" in parquet.read_schema(path).names for path in staged].count(True) == 1
    traces = Traces(values=frozenset(VALUES))
    told = _delivered(store.context(), load_project(store.root), traces)
    assert [[row["contact_id"] for row in source["rows"]] for source in told] == [["P1", "P1"]]
    done, keys = DeliveryCleaning(), []
    clean_staged(store.context(), traces, done, keep=lambda _notes, found: keys.append(found.keys))
    assert len(staged) == 2
    assert [table.to_pylist() for table in keys] == [[{"contact_id": "P1"}]] * 2
    assert done.staged == 2
    for path in staged:
        assert parquet.read_table(path).column("contact_id").to_pylist() == ["P2"]


def test_sales_stay_without_the_person(store: Store) -> None:
    store.declare("sales", SALES)
    store.deliver(
        f"sales/{NIGHT}.csv",
        "receipt,line,card,mail,amount\nR1,1,0012345678,,10.10\nR1,2,0012345678,a@x.org,5.05\n"
        "R2,1,555,b@x.org,1.00\n",
    )
    _erase(store)
    store.night()
    assert store.query("select sum(net_amount), count(*) from staging.sale_lines") == [
        (Decimal("16.15"), 3)
    ]
    assert store.query("select record_key from staging.person_records") == [("R2",)]
    assert store.query("select loaded, suppressed from ops.deliveries") == [(3, 0)]
    (staged,) = (DataPaths.of(store.context()).staging / "sales").glob("*.parquet")
    texts = ["receipt", "card", "mail"]
    rows = parquet.read_table(staged, read_dictionary=texts)
    told = [set(rows[name].chunk(0).dictionary.to_pylist()) for name in texts]
    assert told == [{"R1", "R2"}, {"555"}, {"b@x.org"}], "dictionaries keep nobody either"
    assert parquet.read_schema(staged).field("receipt").type == pa.string()


def test_what_was_personal_when_a_sale_was_staged_goes_though_declared_no_longer(
    store: Store,
) -> None:
    noted = {**SALES["columns"], "note": {"pii": "free_text"}}
    store.declare("sales", {**SALES, "columns": noted})
    store.deliver(
        f"sales/{NIGHT}.csv",
        "receipt,line,card,mail,amount,note\nR1,1,0012345678,,10.10,for Anna\n"
        "R2,1,555,,1.00,gift\n",
    )
    store.night()
    store.declare("sales", SALES)
    traces = Traces(values=frozenset({("loyalty_id", "12345678")}))
    clean_staged(store.context(), traces, DeliveryCleaning(), keep=lambda *_: None)
    (staged,) = (DataPaths.of(store.context()).staging / "sales").glob("*.parquet")
    assert parquet.read_table(staged).column("note").to_pylist() == [None, "gift"]


def test_a_raw_sale_keeps_nothing_that_no_contract_reads(store: Store) -> None:
    store.declare("sales", {**SALES, "ignore": ["till note"]})
    path = store.deliver(
        f"sales/{NIGHT}.csv",
        "receipt,line,card,mail,amount,remark,till note\n"
        "R1,1,0012345678,,10.10,for Anna Reed,Anna\n"
        "R2,1,555,,1.00,gift,Bob\n"
        "R3,Anna Reed,0012345678,,2.00,,\n",  # set aside: her name stands in a column that stays
    )
    store.night()
    ledger = [(f"{NIGHT}.csv", "loaded", 3, 2, 1, 0, 0)]
    assert [(name.partition("/")[2], *rest) for name, *rest in store.ledger()] == ledger
    context, done = store.context(), DeliveryCleaning()
    traces = Traces(values=frozenset({("loyalty_id", "12345678")}))
    clean_staged(context, traces, done, keep=lambda *_: None)
    assert clean_raw(context, done) == {path}
    kept = path.read_text().splitlines()
    assert kept[1:] == ["R1,1,,,10.10,,", "R2,1,555,,1.00,gift,Bob", ""]
    store.night()  # it is known as what it was
    assert [(name.partition("/")[2], *rest) for name, *rest in store.ledger()] == ledger
    remark = {"remark": {"optional": True}}
    store.declare("sales", {**SALES, "columns": {**SALES["columns"], **remark}})
    store.night()  # and is read anew for another contract: sales as before
    sold = store.query("select sum(net_amount), count(*) from staging.sale_lines")
    assert sold == [(Decimal("11.10"), 2)]
    assert not clean_raw(context, DeliveryCleaning())


@pytest.mark.parametrize(("stated", "status"), [(2, "loaded"), (3, "loaded"), (5, "refused")])
def test_a_file_may_lack_as_many_records_of_its_total_as_lines_told_of_the_person(
    store: Store, stated: int, status: str
) -> None:
    delivery = {**SALES["delivery"], "trailer_lines": 1}
    store.declare("sales", {**SALES, "delivery": delivery})
    path = store.deliver(
        f"sales/{NIGHT}.csv",
        "receipt,line,card,mail,amount\nR1,1,0012345678,,10.10\nR2,1,555,,1.00\n"
        f"R3,x,0012345678,,2.00\nT|{stated}|13.10\n",  # no number of a line: it was set aside
    )
    store.night()
    context, done = store.context(), DeliveryCleaning()
    traces = Traces(values=frozenset({("loyalty_id", "12345678")}))
    clean_staged(context, traces, done, keep=lambda *_: None)
    assert clean_raw(context, done) == {path}
    control = {"from": "trailer", "pattern": r"^T\|(?P<rows>\d+)\|(?P<amount>[0-9.]+)$"}
    store.declare("sales", {**SALES, "delivery": {**delivery, "control": control}})
    store.night()
    assert [row[1] for row in store.ledger()] == [status]


def test_sales_without_the_person_take_no_more_room(tmp_path: Path) -> None:
    count, path = 40_000, tmp_path / "sales.parquet"
    rows = pa.table(
        {
            "receipt": [f"R{number:07d}" for number in range(count)],
            "card": [f"{number % 50}" for number in range(count)],
            "shop": [f"shop {number % 9}" for number in range(count)],
        }
    )
    with RowWriter(path, rows.schema) as writer:
        for batch in rows.to_batches(max_chunksize=10_000):
            writer.write(batch)
    before = path.stat().st_size
    assert _told_by_numbers(path) == ["card", "shop"]
    columns = {**SALES["columns"], "shop": {}}
    contract = SourceContract.model_validate({**SALES, "name": "sales", "columns": columns})
    _rewrite(contract, path, [7], is_detaching=True)
    assert path.stat().st_size < 1.01 * before
    assert parquet.read_table(path).drop("card").equals(rows.drop("card"))


def test_nothing_of_the_person_is_kept_of_rows_set_aside(store: Store) -> None:
    store.declare("people", PEOPLE)
    store.deliver(
        f"people/{NIGHT}.csv",
        f"{HEADER}P1,Anna Reed,,anna.reed@gmail.com,,,wrong\nP2,Bob Hill,,b@x.org,,,wrong\n"
        + "".join(f"Q{n},Cy Moor,,c{n}@x.org,,,1\n" for n in range(30)),
    )
    _erase(store)
    store.night()
    aside = [
        path.read_bytes() for path in DataPaths.of(store.context()).quarantine.rglob("*.parquet")
    ]
    assert len(aside) == 1
    assert b"anna" not in aside[0].lower()
    assert b"[erased]" in aside[0]
    assert b"Bob Hill" in aside[0]
    assert store.query("select quarantined, suppressed from ops.deliveries") == [(2, 0)]


def test_a_reason_keeps_nothing_that_an_erased_person_delivered(store: Store) -> None:
    store.declare("people", PEOPLE)
    store.deliver(
        f"people/{NIGHT}.csv",
        f"{HEADER}P1,Anna Reed,,,,,anna.reed@gmail.com\nP2,Bob Hill,,b@x.org,,,wrong\n"
        + "".join(f"Q{n},Cy Moor,,c{n}@x.org,,,1\n" for n in range(30)),
    )
    _erase(store)
    store.night()
    (aside,) = DataPaths.of(store.context()).quarantine.rglob("*.parquet")
    said = "amount is not an amount with at most 2 decimals, such as 1234.50"
    reasons = store.query(f"select reason from '{aside}' order by line")
    assert reasons == [(said,), (f"{said} (delivered: 'wrong')",)]


def test_a_raw_file_loses_records_but_no_line(tmp_path: Any, project_root: Any) -> None:
    del project_root
    contract = SourceContract.model_validate({**PEOPLE, "name": "people"})
    path = tmp_path / "people.csv"
    text = f'{HEADER}P1,"Anna\nReed",,a@x.org,,,1\r\nP2,Bob,,b@x.org,,,2\n'
    path.write_bytes(text.encode())
    pieces = redact_delivery(path, contract, [2], is_detaching=False)
    assert pieces is not None
    assert b"".join(pieces) == f"{HEADER}\n\r\nP2,Bob,,b@x.org,,,2\n".encode()


def test_a_sale_in_a_raw_file_loses_its_person_only(tmp_path: Any) -> None:
    contract = SourceContract.model_validate({**SALES, "name": "sales"})
    path = tmp_path / "sales.csv"
    path.write_bytes(b"\xef\xbb\xbfreceipt,line,Card,MAIL,amount\nR1,1,12345678,a@x.org,1.00\n")
    pieces = redact_delivery(path, contract, [2], is_detaching=True)
    assert pieces is not None
    assert b"".join(pieces) == b"\xef\xbb\xbfreceipt,line,Card,MAIL,amount\nR1,1,,,1.00\n"


def test_tombstones_tell_nobody(store: Store) -> None:
    _erase(store)
    held = (DataPaths.of(store.context()).privacy / "suppression.jsonl").read_text()
    assert "anna" not in held
    assert "700900123" not in held
    _erase(store)  # again without harm
    assert held == (DataPaths.of(store.context()).privacy / "suppression.jsonl").read_text()


BOB = "P2,Bob,,b@x.org,,,2"
REFUSED = [
    pytest.param(
        f"{HEADER}P1,Anna,,anna.reed@gmail.com,,,1\n{BOB}\nP3,,,,,,x\nP4,,,,,,y\n", id="bad"
    ),
    pytest.param(f"{HEADER}P1,Anna,,,,0012345678,x\n{BOB}\nP3,,,,,,x\n", id="her row is bad, too"),
    pytest.param(f"{HEADER[8:]}P1,Anna,,,07700 900123,,1\n{BOB}\n", id="another header"),
    pytest.param(f'{HEADER[8:]}P1,"A\nnna",,+44 7700 900123,1\n{BOB}\n', id="a name on two lines"),
]


@pytest.mark.parametrize("text", REFUSED)
def test_a_refused_file_keeps_no_line_of_an_erased_person(store: Store, text: str) -> None:
    store.declare("people", PEOPLE)
    path = store.deliver(f"people/{NIGHT}.csv", text)
    _erase(store)
    store.night()
    assert store.query("select status, loaded from ops.deliveries") == [("refused", 0)]
    done = DeliveryCleaning()
    clean_raw(store.context(), done)
    kept = path.read_text()
    assert BOB in kept.split("\n")
    assert kept.count("\n") == text.count("\n"), "lines keep their numbers"
    assert not any(word in kept for word in ("nna", "reed", "900123", "12345678"))
    assert done.rewritten == {path}
    store.night()
    clean_raw(store.context(), again := DeliveryCleaning())
    assert not again.rewritten, "it is the same delivery"
    assert store.query("select count(*) from ops.deliveries") == [(1,)]


TEXT = f"{HEADER}P1,Anna,,anna.reed@gmail.com,,,1\n{BOB}\n"


def _zip(text: str) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.csv", text)
        archive.writestr("b.csv", "two files, of which one is asked for")
    return target.getvalue()


def _parquet(text: str) -> bytes:
    target = io.BytesIO()
    names, *rows = [line.split(",") for line in text.splitlines()]
    columns = dict(zip(names[1:], list(zip(*rows, strict=True))[1:], strict=True))
    parquet.write_table(pa.table(columns), target)
    return target.getvalue()


@pytest.mark.parametrize(
    ("path", "form", "make"),
    [
        ("people/*.csv", "csv", lambda text: text.encode("utf-16-le")),
        ("people/*.zip", "csv", _zip),
        ("people/*.parquet", "parquet", _parquet),
    ],
)
def test_a_refused_file_that_cannot_be_rewritten_goes(
    store: Store, path: str, form: str, make: Callable[[str], bytes]
) -> None:
    store.declare("people", {**PEOPLE, "delivery": {"path": path, "format": form}})
    hers = store.deliver(path.replace("*", str(NIGHT)), make(TEXT))
    others = store.deliver(path.replace("*", "2026-11-15"), make(TEXT.replace("anna", "amy")))
    _erase(store)
    store.night()
    assert store.query("select distinct status from ops.deliveries") == [("refused",)]
    clean_raw(store.context(), done := DeliveryCleaning())
    assert (done.removed, hers.exists(), others.exists()) == (1, False, True)
