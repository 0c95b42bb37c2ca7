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
    lines = [f"{n},{sku},{day}\n" for n, sku in enumerate(skus) if sku]
    text = "id,sku,sold_on\n" + "".join(lines)
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


BROKEN = {"cut": rows("b", "c")[:-12], "empty": b"", "foreign": gzip.compress(b"foo\n1\n")}
"""Files that are refused; how a test is called must not depend on the clock within gzip's head."""


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN)
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


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN)
def test_equal_broken_files_take_the_rows_of_none(store: Store, broken: bytes) -> None:
    store.declare("orders", CONTRACT)
    for n, name in enumerate("abc"):
        store.deliver(f"orders/{NIGHT}/{name}.csv.gz", rows(*[""] * n, name))
    held = []
    for n in range(5):
        day = NIGHT + timedelta(n)
        for name in {1: "abc", 3: "a"}.get(n, ""):
            data = rows("", "", "", "z") if n == 3 else broken
            store.deliver(f"orders/{NIGHT}/{name}.csv.gz", data)
        store.night(day)
        store.publish(day)
        said = statuses(store, day)
        held.append((skus(store, day), said[f"{NIGHT}/b.csv.gz"][0], said[f"{NIGHT}/c.csv.gz"]))
    assert [rows for rows, _, _ in held] == [["a", "b", "c"]] * 3 + [["b", "c", "z"]] * 2
    assert [said for _, said, _ in held] == ["loaded", *["duplicate_file"] * 2, *["loaded"] * 2]
    assert [said for _, _, said in held[1:]] == [["duplicate_file", "loaded"]] * 4


def test_what_was_refused_elsewhere_before_is_refused_here(store: Store) -> None:
    store.declare("orders", CONTRACT)
    sent = [{"a": b"", "b": rows("b")}, {"a": rows("", "a")}, {"b": b""}, {}, {"b": rows("d")}]
    held = []
    for n, files in enumerate(sent):
        day = NIGHT + timedelta(n)
        for name, data in files.items():
            store.deliver(f"orders/{NIGHT}/{name}.csv.gz", data)
        store.night(day)
        store.publish(day)
        assert statuses(store, day)
        held.append(skus(store, day))
    assert held == [["b"], ["a", "b"], ["a", "b"], ["a", "b"], ["a", "d"]]
