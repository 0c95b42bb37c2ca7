"""A file that is refused takes no rows with it: what it replaced, or a copy of it, counts."""

from __future__ import annotations

import gzip
from datetime import date, timedelta

import pytest

from tests.unit.ingest.conftest import NIGHT, Store

CONTRACT = {
    "title": "Orders",
    "owner": "tests",
    "delivery": {"path": "orders/*/*.csv*", "format": "csv"},
    "load": {"mode": "append", "key": ["id"]},
    "columns": {
        "id": {"required": True},
        "sku": {"required": True},
        "sold_on": {"type": "date", "required": True},
    },
    "checks": [
        {
            "name": "not_from_the_future",
            "expect": "true",
            "where": "sold_on <= _business_date",
            "severity": "quarantine",
        }
    ],
    "feeds": [{"entity": "products", "columns": {"sku": "sku"}}],
}


def rows(*skus: str, day: date = NIGHT) -> bytes:
    text = "id,sku,sold_on\n" + "".join(f"{n},{sku},{day}\n" for n, sku in enumerate(skus))
    return gzip.compress(text.encode(), mtime=0)


def skus(store: Store, day: date) -> list[str]:
    return [row[0] for row in store.query("select sku from staging.products order by 1", day)]


def statuses(store: Store, day: date) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, status, records, loaded, aside, duplicates, excluded in store.ledger(day):
        assert records == loaded + aside + duplicates + excluded
        found.setdefault(name.removeprefix("orders/"), []).append(status)
    return {name: sorted(said) for name, said in found.items()}


NAME = f"{NIGHT}/a.csv.gz"


@pytest.mark.parametrize("broken", [rows("b", "c")[:-12], b"", gzip.compress(b"foo\n1\n")])
def test_the_file_before_a_broken_one_counts_until_a_sound_one_comes(
    store: Store, broken: bytes
) -> None:
    store.declare("orders", CONTRACT)
    sent = [rows("a"), broken, None, broken + b"!", rows("b", "c")]
    held = []
    for n, data in enumerate(sent):
        day = NIGHT + timedelta(n)
        if data is not None:
            store.deliver(f"orders/{NAME}", data)
        store.night(day)
        store.publish(day)
        held.append((skus(store, day), statuses(store, day)[NAME]))
    assert held == [
        (["a"], ["loaded"]),
        (["a"], ["loaded", "refused"]),
        (["a"], ["loaded", "refused"]),
        (["a"], ["loaded", "refused", "superseded"]),
        (["b", "c"], ["loaded", "superseded", "superseded", "superseded"]),
    ]


def test_a_copy_in_the_folder_of_its_day_counts_where_the_first_is_refused(store: Store) -> None:
    store.declare("orders", CONTRACT)
    early = f"{NIGHT - timedelta(5)}/a.csv.gz"
    for name in (early, NAME):
        store.deliver(f"orders/{name}", rows("a", "b"))
    for n in range(3):
        day = NIGHT + timedelta(n)
        store.night(day)
        store.publish(day)
        assert skus(store, day) == ["a", "b"]
        said = statuses(store, day)
        assert said[NAME] == ["loaded"]
        assert said[early] == ["refused" if n == 0 else "duplicate_file"]


def test_a_broken_file_and_its_copies_are_refused_night_after_night(store: Store) -> None:
    store.declare("orders", CONTRACT)
    for name in (f"{NIGHT - timedelta(1)}/b.csv.gz", NAME):
        store.deliver(f"orders/{name}", rows("a")[:-12])
    for n in range(3):
        day = NIGHT + timedelta(n)
        store.night(day)
        store.publish(day)
        assert skus(store, day) == []
        assert sorted(s for said in statuses(store, day).values() for s in said) == [
            "duplicate_file",
            "refused",
        ]
