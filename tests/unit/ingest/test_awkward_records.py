"""Commas too many, as in an array without its brackets, and times that no clock showed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdp_pipeline.ingest.documents import read_line
from cdp_pipeline.ingest.redaction import redact_delivery
from tests.unit.ingest.conftest import Stage, make_contract

ORDERS = [{"id": "1", "name": "Ann, Lee"}, {"id": "2", "name": "Zoë"}, {"id": "3", "name": "},"}]
COLUMNS = {"id": {"required": True}, "name": {"pii": "name"}}
WRITTEN = [json.dumps(order, ensure_ascii=False) for order in ORDERS]


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("".join(f"{w},\n" for w in WRITTEN), "jsonl"),
        (" ,\r\n".join(WRITTEN), "jsonl"),
        (", ".join(WRITTEN), "jsonl"),
        ("[\n" + "".join(f"{w},\n" for w in WRITTEN) + "]\n", "json"),
        ("[" + ",".join(WRITTEN) + " , ]", "json"),
    ],
)
def test_commas_after_records_are_no_part_of_them(stage: Stage, text: str, form: str) -> None:
    outcome = stage(text.encode(), make_contract(COLUMNS, delivery={"format": form}))
    assert outcome.status == "loaded", outcome.notes.reason
    assert [{"id": row["id"], "name": row["name"]} for row in outcome.rows] == ORDERS


@pytest.mark.parametrize("broken", [",", '{"id": "2"},,', '{"id": "2"}, 3', ', {"id": "2"}'])
def test_a_comma_that_stands_for_something_missing_sets_the_line_aside(
    stage: Stage, broken: str
) -> None:
    text = "".join(f"{w},\n" for w in [WRITTEN[0], broken, WRITTEN[2]])
    outcome = stage(
        text.encode(),
        make_contract(COLUMNS, delivery={"format": "jsonl"}),
        quarantine_stop_share=1.0,
    )
    assert [row["id"] for row in outcome.rows] == ["1", "3"]
    assert [(row["line"], row["rule"].split(",")[0]) for row in outcome.aside] == [
        (2, "not_a_record")
    ]


def test_lines_that_end_in_commas_are_no_json_lines_to_rewrite(tmp_path: Path) -> None:
    contract = make_contract(COLUMNS, delivery={"format": "jsonl"})
    path = tmp_path / "orders.jsonl"
    path.write_text("".join(f"{w},\n" for w in WRITTEN), encoding="utf-8")
    assert redact_delivery(path, contract, [2], is_detaching=True) is None
    # Only the first line tells, so that a comma further down must not stop an erasure.
    path.write_text("\n".join([WRITTEN[0], WRITTEN[1] + ",", WRITTEN[2]]), encoding="utf-8")
    pieces = redact_delivery(path, contract, [2], is_detaching=True)
    assert pieces is not None
    kept = b"".join(pieces).decode().splitlines()
    assert kept == [WRITTEN[0], '{"id": "2", "name": null}', WRITTEN[2]]


@given(
    st.lists(st.dictionaries(st.text(max_size=3), st.text(max_size=9)), max_size=4),
    st.sampled_from(["", ",", " , "]),
)
def test_objects_of_a_line_are_read_whatever_stands_between(
    objects: list[dict[str, str]], between: str
) -> None:
    line = "".join(json.dumps(value) + between for value in objects).strip()
    assert [value for _, value in read_line(line.encode())] == objects


@pytest.mark.parametrize(
    ("zone", "local", "moment"),
    [
        ("Europe/Berlin", "2026-03-29 01:59:59", "2026-03-29 00:59:59"),
        ("Europe/Berlin", "2026-03-29 02:00:00", None),
        ("Europe/Berlin", "2026-03-29 02:59:59", None),
        ("Europe/Berlin", "2026-03-29 03:00:00", "2026-03-29 01:00:00"),
        ("Europe/Berlin", "2026-10-25 02:30:00", "2026-10-25 01:30:00"),  # the second of two
        ("Europe/Berlin", "2026-03-29 02:30:00+02:00", "2026-03-29 00:30:00"),
        ("UTC", "2026-03-29 02:30:00", "2026-03-29 02:30:00"),
        ("America/Sao_Paulo", "2018-11-04 00:30:00", None),
        ("America/Sao_Paulo", "2018-11-04 00:00:00", "2018-11-04 03:00:00"),  # the day's beginning
    ],
)
def test_a_time_that_clocks_left_out_sets_its_row_aside(
    stage: Stage, zone: str, local: str, moment: str | None
) -> None:
    columns = {"id": {}, "at": {"type": "timestamp", "time_zone": zone}}
    outcome = stage(
        f"id,at\n1,{local}\n".encode(), make_contract(columns), quarantine_stop_share=1.0
    )
    assert [str(row["at"]) for row in outcome.rows] == ([moment] if moment else [])
    assert [row["rule"] for row in outcome.aside] == ([] if moment else ["at_type"])
    assert all("clocks left out" in row["reason"] for row in outcome.aside)
