"""A trailer that the contract declares and the file does not have costs no record."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from tests.unit.ingest.conftest import Stage, make_contract

COLUMNS: dict[str, Any] = {
    "order_id": {"required": True},
    "day": {"type": "date"},
    "name": {},
    "quantity": {"type": "integer"},
    "amount": {"type": "decimal", "required": True},
}
GERMAN = {"delimiter": ",", "decimal_mark": ",", "thousands_mark": "."}
HEADER = "order_id,day,name,quantity,amount\n"
BODY = "10021,2026-11-01,Mug,1,10.50\n10022,2026-11-01,,2,-0.25\n10023,2026-11-02,Big jug,1,4.00\n"


@pytest.mark.parametrize(
    "end",
    [
        "10024,2026-11-03,Cup,1,4.00\n",
        "10024,2026-11-03,,-1,4.00\n",
        "10024,2026-11-03,Cup,1\n",
        "10024,2026-11-03,C",
        "10024,2026-11",
        "10024,2",
        "10024,",
    ],
)
def test_what_looks_like_a_record_is_not_left_out(stage: Stage, end: str) -> None:
    contract = make_contract(COLUMNS, delivery={"trailer_lines": 1})
    outcome = stage((HEADER + BODY + end).encode(), contract)
    assert outcome.rows == []
    assert "looks like a record" in str(outcome.notes.reason)


@pytest.mark.parametrize(
    "end",
    [
        "TOTAL,,,4,14.25\n",
        "TOTAL,2026-11-02,,4,14.25\n",
        "SUMME;14.25\n",
        "TRL,3,14.25\n",
        "T|000003|14.25\n",
        "3 records\n",
        "2026-11-02,,,,14.25\n",
        "3,14.25\n",
        "End of report\n",
        "----------\n",
        "10024",
    ],
)
def test_a_trailer_is_one(stage: Stage, end: str) -> None:
    contract = make_contract(COLUMNS, delivery={"trailer_lines": 1})
    outcome = stage((HEADER + BODY + end).encode(), contract)
    assert [row["order_id"] for row in outcome.rows] == ["10021", "10022", "10023"]


@pytest.mark.parametrize(("trailer", "is_taken"), [("T|2|9.00", True), ("D|13|9.00", False)])
def test_kinds_of_lines_are_told_by_their_code(
    stage: Stage, trailer: str, *, is_taken: bool
) -> None:
    columns = {"kind": {}, "number": {"type": "integer"}, "amount": {"type": "decimal"}}
    written = {"trailer_lines": 1, "delimiter": "|", "header": False}
    outcome = stage(
        f"D|11|4.00\nD|12|5.00\n{trailer}\n".encode(), make_contract(columns, delivery=written)
    )
    assert len(outcome.rows) == (2 if is_taken else 0)


def test_control_totals_tell_better(stage: Stage) -> None:
    control = {"from": "trailer", "pattern": r"^10024,(?P<rows>\d+)$"}
    contract = make_contract(COLUMNS, delivery={"trailer_lines": 1, "control": control})
    assert len(stage((HEADER + BODY + "10024,3\n").encode(), contract).rows) == 3


@pytest.mark.parametrize("trailer", ["3;45.60", "3;45,60", "2026;3;45.60"])
def test_the_error_says_what_to_write_for_a_trailer_that_looks_like_a_record(
    stage: Stage, trailer: str
) -> None:
    mark = "," if "," in trailer else "."
    columns = {"id": {}, "amount": {"type": "decimal"}, "note": {}}
    body = f"id;amount;note\n1;15{mark}20;a\n2;15{mark}20;b\n3;15{mark}20;c\n{trailer}\n".encode()
    delivery: dict[str, Any] = {"delimiter": ";", "trailer_lines": 1, "decimal_mark": mark}
    if trailer.count(";") > 1:  # the first number need not be how many records there are
        columns = {"id": {}, "day": {"type": "integer"}, "amount": {"type": "decimal"}, "note": {}}
        body = body.replace(b"id;", b"id;day;").replace(b";15", b";7;15")
    refused = stage(body, make_contract(columns, delivery=delivery)).notes.reason
    assert "looks like a record" in refused
    said = yaml.safe_load(refused[refused.index("`control:") :].strip("`."))
    outcome = stage(body, make_contract(columns, delivery={**delivery, **said}))
    if trailer.startswith("3"):
        assert (outcome.status, len(outcome.rows)) == ("loaded", 3)
    else:
        assert "rows is stated as 2026, the file holds 3" in outcome.notes.reason


@pytest.mark.parametrize(
    ("lines", "delivery"),
    [
        (['"1";"1.20"', '"2";"1.20"', '"2";"2.40"'], {}),
        (['"a;1";"1.20"', '"b;2";"1.20"', '"b;2";"2.40"'], {}),
        (["1; 1.20", "2; 1.20", "2; 2.40"], {}),
        (["1;1.20-", "2;1.20-", "2;2.40-"], {}),
        (["1\t1.20", "2\t1.20", "2\t2.40"], {"delimiter": "\t"}),
        (["1;1'001.20", "2;1'001.20", "2;2'002.40"], {"thousands_mark": "'"}),
        (['1,"1.001,20"', '2,"1.001,20"', '2,"2.002,40"'], GERMAN),
    ],
)
def test_what_the_error_says_to_write_finds_the_trailer_however_it_is_written(
    stage: Stage, lines: list[str], delivery: dict[str, Any]
) -> None:
    delivery = {"delimiter": ";", "trailer_lines": 1, **delivery}
    columns = {"id": {}, "amount": {"type": "decimal"}}
    data = "\n".join([f"id{delivery['delimiter']}amount", *lines]).encode()
    refused = stage(data, make_contract(columns, delivery=delivery)).notes.reason
    assert "\t" not in refused
    said = yaml.safe_load(refused[refused.index("`control:") :].strip("`."))
    outcome = stage(data, make_contract(columns, delivery={**delivery, **said}))
    assert (outcome.notes.reason, len(outcome.rows)) == ("", 2)


def test_a_trailer_that_states_nothing_gets_no_declaration(stage: Stage) -> None:
    contract = make_contract({"id": {}, "text": {}}, delivery={"trailer_lines": 1})
    refused = stage(b"id,text\nA1,x\nA2,y\nA3,z\n", contract).notes.reason
    assert "control:" not in refused
    assert "ask for one that states how many records there are" in refused
