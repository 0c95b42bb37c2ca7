"""Deliveries that change: columns, values, types, volumes; and what arrives when."""

from __future__ import annotations

import gzip
import shutil
from datetime import date, timedelta
from typing import Any

import pytest

from cdp_pipeline.core.errors import ContractError, DataQualityError
from cdp_pipeline.ingest import landing, staging
from cdp_pipeline.ingest.deliveries import Delivery, StagedFile
from cdp_pipeline.ingest.drift import compare_with_history
from cdp_pipeline.storage.paths import DataPaths
from tests.unit.ingest.conftest import NIGHT, Stage, Store, make_contract

COLUMNS: dict[str, Any] = {
    "id": {"required": True},
    "email": {"pii": "email"},
    "day": {"type": "date"},
    "state": {"values": ["paid", "sent"]},
    "note": {"optional": True},
}
ROWS = "1,a@x.com,2026-11-19,paid\n2,b@y.org,2026-11-20,sent\n"


@pytest.mark.parametrize(
    ("header", "suggestion"),
    [
        ("id,e_mail,day,state", "Did you mean 'e_mail' for email?"),
        ("id,kontakt,day,state", "'kontakt' holds what email should"),
        ("id,email,wann,state", "'wann' holds what day should"),
        ("id,email,day,zustand", "'zustand' holds what state should"),
    ],
)
def test_a_renamed_column_is_suggested_by_name_or_content(
    stage: Stage, header: str, suggestion: str
) -> None:
    outcome = stage(f"{header}\n{ROWS}".encode(), make_contract(COLUMNS))
    assert outcome.status == "refused"
    assert suggestion in outcome.notes.reason


def test_a_renamed_column_is_suggested_though_all_others_are_ignored(stage: Stage) -> None:
    columns = {"id": {}, "price": {"from": "Preis", "aliases": ["Betrag"], "type": "decimal"}}
    contract = make_contract(columns, ignore=["*"])
    outcome = stage(b"id,Verkaufspreis,state\n1,2.50,paid\n", contract)
    assert "columns are missing: price ('Preis' or 'Betrag')" in outcome.notes.reason
    assert "'verkaufspreis' holds what price should" in outcome.notes.reason
    bad = stage(b"id,Betrag\n1,2.50\n2,x\n", contract, quarantine_stop_share=0.9)
    assert bad.aside[0]["reason"].startswith("price ('Preis' or 'Betrag' in the file) is not")


def test_a_new_name_is_never_guessed_between_two(stage: Stage) -> None:
    outcome = stage(
        b"id,x,y,day,state\n1,a@x.com,b@x.com,2026-11-20,paid\n", make_contract(COLUMNS)
    )
    assert "optional: true" in outcome.notes.reason


@pytest.mark.parametrize(
    ("kind", "value", "look"),
    [
        ("decimal", "1.234,50", "decimal comma"),
        ("decimal", "1,234.50", "thousands mark"),
        ("decimal", "$12.50", "currency sign"),
        ("integer", "12.5", "with decimals"),
        ("date", "19/11/2026", "do not begin with the year"),
        ("date", "2026-11-19T10:00:00Z", "with a time"),
        ("timestamp", "2026-11-19", "without a time"),
        ("date", "20261119", "without dashes"),
        ("timestamp", "1795000000", "since 1970"),
        ("boolean", "ja", "yes and no"),
    ],
)
def test_a_column_of_another_type_says_what_it_looks_like(
    stage: Stage, kind: str, value: str, look: str
) -> None:
    contract = make_contract({"id": {}, "value": {"type": kind}}, delivery={"delimiter": ";"})
    data = "id;value\n" + "".join(f"{n};{value}\n" for n in range(5))
    outcome = stage(data.encode(), contract)
    assert outcome.status == "refused"
    assert look in outcome.notes.reason


NEW = b"id,email,day,state,extra\n1,a@x.com,2026-11-19,paid,x\n"
OLD = b"id,email,day,state\n1,a@x.com,2026-11-19,paid\n"


@pytest.mark.parametrize(
    ("policy", "status", "messages"),
    [
        ("pass", "loaded", 0),
        ("warn", "loaded", 1),
        ("quarantine", "refused", 0),
        ("stop", "loaded", 1),
    ],
)
def test_new_and_missing_columns_follow_the_policy(
    stage: Stage, policy: str, status: str, messages: int
) -> None:
    drift = {"new_columns": policy, "missing_columns": "pass"}
    outcome = stage(NEW, make_contract(COLUMNS, drift=drift))
    assert (outcome.status, len(outcome.notes.messages)) == (status, messages)
    drift = {"new_columns": "pass", "missing_columns": policy}
    outcome = stage(OLD, make_contract(COLUMNS, drift=drift))
    assert (outcome.status, len(outcome.notes.messages)) == (status, messages)


def _declare(store: Store, **parts: Any) -> None:
    delivery = parts.pop("delivery", {})
    store.declare(
        "goods",
        {
            "title": "Goods",
            "owner": "the buyers",
            "delivery": {"path": "goods/*", "format": "csv", **delivery},
            "load": {"mode": "append", "key": ["sku"]},
            "columns": {"sku": {}, "price": {"type": "decimal"}},
            "feeds": [{"entity": "products", "columns": {"sku": "sku", "list_price": "price"}}],
            **parts,
        },
    )


def test_a_change_that_stops_the_night_names_the_file(store: Store) -> None:
    _declare(store, drift={"new_columns": "stop"})
    store.deliver("goods/20261120.csv", "sku,price,extra\n1,1,x\n")
    landing.run(store.context())
    with pytest.raises(ContractError, match="unknown columns 'extra'"):
        staging.run(store.context(), source="goods")


@pytest.mark.parametrize(
    ("policy", "accepted", "aside"),
    [("pass", 3, 0), ("warn", 3, 0), ("quarantine", 2, 1), ("stop", 3, 0)],
)
def test_unknown_values_are_named_and_follow_the_policy(
    stage: Stage, policy: str, accepted: int, aside: int
) -> None:
    contract = make_contract(
        {"id": {}, "state": {"values": ["paid"]}, "sex": {"values": ["F"], "pii": "sex"}},
        drift={"unknown_values": policy},
    )
    outcome = stage(b"id,state,sex\n1,paid,F\n2,lost,\n3,paid,F\n", contract)
    assert (outcome.notes.accepted, len(outcome.aside)) == (accepted, aside)
    expected = ["state has unknown values: 'lost' (1); add them to `values:` if they are right"]
    assert list(outcome.notes.messages) == ([] if policy == "pass" else expected)
    kinds = [c.severity.value for c in contract.all_checks() if c.expect == "in_set"]
    assert kinds == ([] if policy == "pass" else [policy, policy])


def test_unknown_values_that_may_be_a_persons_are_counted_not_shown(stage: Stage) -> None:
    odd = ("anna@example.com", "Anna Reed", "Reed", "07700900123", "REFUND", "part-paid")
    rows = "".join(f"{n},{value}\n" for n, value in enumerate(odd))
    contract = make_contract(
        {"id": {}, "state": {"values": ["new", "paid"]}}, drift={"unknown_values": "warn"}
    )
    outcome = stage(f"id,state\n{rows}".encode(), contract)
    (said,) = [text for text in outcome.notes.messages if "unknown values" in text]
    assert said.startswith(
        "state has unknown values: 'REFUND' (1), 'part-paid' (1), 4 more that are no codes;"
    )


def test_unknown_values_of_persons_are_counted_not_shown(stage: Stage) -> None:
    contract = make_contract({"id": {}, "sex": {"values": ["F"], "pii": "sex"}})
    outcome = stage(b"id,sex\n1,F\n2,secret\n", contract)
    assert outcome.notes.messages[0].startswith("sex has unknown values: 1 of them")


def _history(records: list[int], shares: list[float], tonight: tuple[int, float]) -> Any:
    """Return Fridays with their records and null shares, tonight's last."""
    found = []
    for back, (n, share) in enumerate(
        zip([*records, tonight[0]], [*shares, tonight[1]], strict=True)
    ):
        day = NIGHT - timedelta(weeks=len(records) - back)
        status: Any = "new" if day == NIGHT else "known"
        delivery = Delivery(f"f{back}", "orders", None, f"{day}.csv", f"s{back}", 1, day, status)
        found.append((delivery, StagedFile("loaded", n, n, null_shares={"email": share})))
    return found


@pytest.mark.parametrize(
    ("tonight", "breaches"),
    [
        ((100, 0.1), 0),
        ((130, 0.39), 0),
        ((70, 0.1), 0),
        ((19, 0.1), 1),
        ((501, 0.1), 1),
        ((0, 0.1), 1),
        ((100, 0.45), 1),
        ((10, 0.99), 2),
    ],
)
def test_volume_and_nulls_are_held_against_what_is_usual(
    tonight: tuple[int, float], breaches: int
) -> None:
    history = _history([100, 110, 90, 100, 105], [0.1] * 5, tonight)
    found = compare_with_history(make_contract(COLUMNS), history)
    assert len(found) == breaches
    assert compare_with_history(make_contract(COLUMNS), history[-3:]) == []
    silent = make_contract(COLUMNS, drift={"volume": "pass", "nulls": "pass"})
    assert compare_with_history(silent, history) == []


def test_the_same_weekday_counts_not_the_day_before() -> None:
    quiet = [(d, n) for d, n in _history([100] * 5, [0.0] * 5, (100, 0.0))]
    thursdays = [
        (
            Delivery(d.file_id + "t", "orders", None, "t" + d.file_name, "t", 1,
                     d.business_date - timedelta(days=1), "known"),
            StagedFile("loaded", 9000, 9000),
        )
        for d, _ in quiet
    ]  # fmt: skip
    assert compare_with_history(make_contract(COLUMNS), [*thursdays, *quiet]) == []


def _publish(store: Store, day: date) -> None:
    paths = DataPaths.of(store.context(day))
    version = paths.versions / f"{day.toordinal():06d}-{day}"
    version.mkdir(parents=True)
    shutil.copyfile(paths.build_db, version / "cdp.duckdb")
    paths.current.unlink(missing_ok=True)
    paths.current.symlink_to(version)


def test_a_collapse_of_volume_warns_or_stops(store: Store) -> None:
    _declare(store)
    for week in range(5, 0, -1):
        day = NIGHT - timedelta(weeks=week)
        rows = "".join(f"{week}-{n},1\n" for n in range(50))
        store.deliver(f"goods/{day:%Y%m%d}.csv", "sku,price\n" + rows)
    last = NIGHT - timedelta(weeks=1)
    store.night(last)
    _publish(store, last)
    store.deliver(f"goods/{NIGHT:%Y%m%d}.csv", "sku,price\n1,1\n")
    (message,) = store.night().messages
    assert message.endswith("1 records for 2026-11-20; on 5 such weekdays before it was 50")
    _declare(store, drift={"volume": "stop"})
    with pytest.raises(DataQualityError, match="on 5 such weekdays before"):
        store.night()


def _arrivals(store: Store, day: date) -> tuple[str, ...]:
    shutil.rmtree(store.root / "data" / "work", ignore_errors=True)
    return landing.run(store.context(day)).messages


def test_late_missing_vanished_and_empty_files_are_told_apart(store: Store) -> None:
    _declare(store, delivery={"expected_on": ["thursday", "friday"]})
    thursday = NIGHT - timedelta(days=1)
    first = store.deliver("goods/a_20261118.csv", "sku,price\n1,1\n")
    assert _arrivals(store, thursday) == (
        "goods: nothing was delivered for 2026-11-19; ask the buyers",
    )
    store.night(thursday)
    _publish(store, thursday)
    first.unlink()
    store.deliver("goods/b_20261119.csv", "sku,price\n2,2\n")
    store.deliver("goods/c_20261120.csv", "sku,price\n")
    assert _arrivals(store, NIGHT) == (
        "goods: goods/a_20261118.csv has left the landing folder; its rows stay",
        "goods: goods/b_20261119.csv is late: it belongs to 2026-11-19",
    )
    store.night()
    assert [row[1:4] for row in store.ledger()] == [("loaded", 1, 1)] * 2 + [("loaded", 0, 0)]
    assert store.query("select delivered_on::varchar from staging.products order by sku") == [
        ("2026-11-18",),
        ("2026-11-19",),
    ]
    _publish(store, NIGHT)
    saturday = NIGHT + timedelta(days=1)
    assert _arrivals(store, saturday) == ()  # told once, and nothing is expected on Saturdays


def test_a_file_cut_short_is_refused_and_its_re_send_accepted(store: Store) -> None:
    _declare(store)
    data = gzip.compress(("sku,price\n" + "".join(f"{n},{n}\n" for n in range(3000))).encode())
    store.deliver("goods/a_20261119.csv.gz", data[: len(data) // 2])
    store.night(NIGHT - timedelta(days=1))
    assert [row[1:4] for row in store.ledger(NIGHT - timedelta(days=1))] == [("refused", 0, 0)]
    _publish(store, NIGHT - timedelta(days=1))
    store.deliver("goods/a_20261119.csv.gz", data)
    store.deliver("goods/again_20261120.csv.gz", data)
    store.night()
    assert sorted(row[1:6] for row in store.ledger()) == [
        ("duplicate_file", 3000, 0, 0, 3000),
        ("loaded", 3000, 3000, 0, 0),
        ("superseded", 0, 0, 0, 0),
    ]


@pytest.mark.parametrize(
    "change",
    [
        {"drift": {"volume": "warn", "volume_factor": 20, "nulls": "pass", "null_rise": 0.9}},
        {"delivery": {"expected_on": ["sunday"], "required": True, "minimum_rows": 0}},
    ],
    ids=["history", "expectations"],
)
def test_an_unusual_night_is_accepted_without_reading_old_files_again(
    store: Store, change: dict[str, Any]
) -> None:
    _declare(store, drift={"volume": "stop"}, delivery={"minimum_rows": 1})
    old = store.deliver("goods/a_20261119.csv", "sku,price\n1,1\n")
    thursday = NIGHT - timedelta(days=1)
    store.night(thursday)
    _publish(store, thursday)
    old.unlink()
    store.deliver("goods/b_20261120.csv", "sku,price\n2,2\n")
    _declare(store, **change)
    store.night()
    assert [row[1:4] for row in store.ledger()] == [("loaded", 1, 1)] * 2


def test_sent_again_and_the_same_bytes_again_are_told(store: Store) -> None:
    _declare(store)
    thursday = NIGHT - timedelta(days=1)
    store.deliver("goods/a_20261119.csv", "sku,price\n1,1\n")
    store.deliver("goods/b_20261119.csv", "sku,price\n2,2\n")
    store.night(thursday)
    _publish(store, thursday)
    store.deliver("goods/a_20261119.csv", "sku,price\n1,3\n")
    store.deliver("goods/again_20261120.csv", "sku,price\n2,2\n")
    assert _arrivals(store, NIGHT) == (
        "goods: goods/a_20261119.csv was sent again; it replaces what had its name",
        "goods: goods/again_20261120.csv is not loaded: same bytes as goods/b_20261119.csv",
    )
