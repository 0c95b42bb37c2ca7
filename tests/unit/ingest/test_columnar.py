"""Values of Parquet have types of their own; what they mean must arrive to the last digit."""

from __future__ import annotations

import io
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from tests.unit.ingest.conftest import Stage, make_contract


def packed(**columns: Any) -> bytes:
    target = io.BytesIO()
    parquet.write_table(pa.table(columns), target)
    return target.getvalue()


def test_an_identifier_that_became_a_binary_fraction_is_its_digits(stage: Stage) -> None:
    contract = make_contract(
        {"id": {}, "customer": {}, "quantity": {"type": "integer"}},
        delivery={"format": "parquet"},
    )
    customers = pa.array([17850.0, None, float("nan"), 0.5, -3.0], pa.float64())
    data = packed(
        id=["a", "b", "c", "d", "e"],
        customer=customers,
        quantity=pa.array([1.0, 2.0, 3.0, 4.0, 16777215.0], pa.float32()),
    )
    rows = stage(data, contract, name="orders.parquet").rows
    assert [row["customer"] for row in rows] == ["17850", None, None, "0.5", "-3"]
    assert [row["quantity"] for row in rows] == [1, 2, 3, 4, 16777215]


def test_an_identifier_that_lost_its_digits_is_set_aside(stage: Stage) -> None:
    contract = make_contract({"id": {}}, delivery={"format": "parquet"})
    data = packed(id=[1e17, *map(float, range(20))])
    outcome = stage(data, contract, name="orders.parquet")
    assert [row["id"] for row in outcome.rows] == [str(number) for number in range(20)]
    assert outcome.notes.rules == {"id_type": 1}


def test_a_rounded_identifier_that_is_written_without_an_exponent_is_set_aside(
    stage: Stage,
) -> None:
    contract = make_contract({"id": {}, "till": {}}, delivery={"format": "parquet"})
    ids, tills = [*map(float, range(20)), 9007199254740993.0, 21.0], [1.0] * 21 + [16777217.0]
    data = packed(id=ids, till=pa.array(tills, pa.float32()))
    outcome = stage(data, contract, name="orders.parquet")
    assert [row["id"] for row in outcome.rows] == [str(number) for number in range(20)]
    assert outcome.notes.rules == {"id_type": 1, "till_type": 1}


def test_days_that_are_moments_at_midnight_are_days(stage: Stage) -> None:
    contract = make_contract({"id": {}, "day": {"type": "date"}}, delivery={"format": "parquet"})
    days = [datetime(2026, 11, number, tzinfo=UTC).replace(tzinfo=None) for number in range(1, 21)]
    moments = [*days, datetime(2026, 11, 21, 9, tzinfo=UTC).replace(tzinfo=None)]
    for unit in ("ms", "us", "ns"):
        data = packed(id=[*map(str, range(21))], day=pa.array(moments, pa.timestamp(unit)))
        outcome = stage(data, contract, name="orders.parquet")
        assert [row["day"] for row in outcome.rows] == [date(2026, 11, n) for n in range(1, 21)]
        assert outcome.notes.rules == {"day_type": 1}


def test_amounts_within_lists_keep_every_digit(stage: Stage) -> None:
    line = pa.struct(
        [("sku", pa.decimal128(38, 0)), ("amount", pa.decimal128(20, 4)), ("tax", pa.float32())]
    )
    sku, amount = Decimal(12345678901234567890), Decimal("1234567890123456.7800")
    data = packed(
        id=pa.array([Decimal("9007199254740993.5")], pa.decimal128(38, 1)),
        lines=pa.array([[{"sku": sku, "amount": amount, "tax": 16.99}, None]], pa.list_(line)),
    )
    contract = make_contract(
        {
            "id": {},
            "sku": {"from": "lines[].sku"},
            "amount": {"from": "lines[].amount", "type": "decimal"},
            "tax": {"from": "lines[].tax", "type": "decimal"},
        },
        delivery={"format": "parquet"},
        load={"mode": "append", "key": ["id", "_item"]},
    )
    row = stage(data, contract, name="orders.parquet").rows[0]
    assert (row["id"], row["sku"]) == ("9007199254740993.5", "12345678901234567890")
    assert (row["amount"], row["tax"]) == (Decimal("1234567890123456.78"), Decimal("16.99"))


def test_texts_that_their_writer_did_not_mark_are_texts(stage: Stage) -> None:
    contract = make_contract({"id": {}, "name": {}}, delivery={"format": "parquet"})
    names = pa.array([b"Zo\xc3\xab", b"\xff\x01", b"a\x00b", None], pa.binary())
    data = packed(id=["1", "2", "3", "4"], name=names)
    rows = stage(data, contract, name="orders.parquet").rows
    assert [row["name"] for row in rows] == ["Zo\u00eb", r"\xFF\x01", r"a\x00b", None]


def test_columns_beside_lists_mean_what_they_mean_without(stage: Stage) -> None:
    contract = make_contract(
        {
            "id": {},
            "day": {"type": "date"},
            "name": {},
            "at": {"type": "timestamp"},
            "sku": {"from": "lines[].sku"},
        },
        delivery={"format": "parquet"},
        load={"mode": "append", "key": ["id", "_item"]},
    )
    moment = datetime(2026, 11, 1, 9, tzinfo=UTC).replace(tzinfo=None)
    data = packed(
        id=[17850.0],
        day=pa.array([moment.replace(hour=0)], pa.timestamp("ns")),
        name=pa.array(["Zo\u00eb".encode()], pa.binary()),
        at=pa.array([moment], pa.timestamp("us")),
        lines=[[{"sku": "1"}]],
    )
    row = stage(data, contract, name="orders.parquet").rows[0]
    assert (row["id"], row["day"], row["at"]) == ("17850", date(2026, 11, 1), moment)
    assert (row["name"], row["sku"]) == ("Zo\u00eb", "1")


def test_values_within_lists_and_beside_them_are_read_as_elsewhere(stage: Stage) -> None:
    name, midnight = "Zo\u00eb".encode(), datetime(2026, 11, 1, tzinfo=UTC).replace(tzinfo=None)
    of_person = pa.struct(
        [("id", pa.float64()), ("name", pa.binary()), ("day", pa.timestamp("ns"))]
    )
    of_part = pa.struct([("code", pa.float64())])
    of_line = pa.struct(
        [("sku", pa.float64()), ("text", pa.binary()), ("parts", pa.list_(of_part))]
    )
    line = {"sku": 4711.0, "text": name, "parts": [{"code": 1.0}, {"code": None}, None]}
    data = packed(
        element=pa.array([{"id": 17850.0, "name": name, "day": midnight}, None], of_person),
        lines=pa.array([[line, None], None], pa.list_(of_line)),
        tags=pa.array([[5.0, None], []], pa.list_(pa.float64())),
        key=["a", "b"],
    )
    contract = make_contract(
        {
            "key": {},
            "id": {"from": "element.id"},
            "name": {"from": "element.name"},
            "day": {"from": "element.day", "type": "date"},
            "sku": {"from": "lines[].sku"},
            "text": {"from": "lines[].text"},
            "code": {"from": "lines[].parts[0].code"},
            "tag": {"from": "tags[0]"},
        },
        delivery={"format": "parquet"},
        load={"mode": "append", "key": ["key", "_item"]},
    )
    rows = stage(data, contract, name="orders.parquet").rows
    found = [tuple(row[name] for name in contract.columns) for row in rows]
    person = ("a", "17850", "Zo\u00eb", date(2026, 11, 1))
    nobody = (None,) * 3
    assert found == [
        (*person, "4711", "Zo\u00eb", "1", "5"),
        (*person, *nobody, "5"),
        ("b", *nobody, *nobody, None),
    ]
