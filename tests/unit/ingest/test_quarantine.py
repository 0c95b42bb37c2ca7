"""The quarantine can be looked into and emptied."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from cdp_pipeline.cli.app import run_app
from cdp_pipeline.core.access_settings import KeySettings
from cdp_pipeline.core.context import RunContext
from cdp_pipeline.core.errors import ConfigError, LockedError
from cdp_pipeline.core.keys import new_key
from cdp_pipeline.ingest.quarantine import REPLAY_RUN, Fate, list_findings, read_rows, replay
from cdp_pipeline.ingest.sealing import seal_deliveries
from cdp_pipeline.project.loader import load_project
from cdp_pipeline.storage.at_rest import plain_file
from cdp_pipeline.storage.encryption import look_at_deliveries
from cdp_pipeline.storage.leftovers import clear_dead_work
from cdp_pipeline.storage.lock import hold_lock
from cdp_pipeline.storage.paths import DataPaths
from tests.unit.ingest.conftest import NIGHT, Store

FILE = "orders/20261120.csv"
TEXT = "sku,price,note\n1,1.00,a\n2,2,00,b\n3,x,4111 1111 1111 1111\n4,4.00,d\n4,5.00,e\n"


def declare(
    store: Store,
    price: dict[str, Any] | None = None,
    key: tuple[str, ...] = ("sku",),
    **delivery: Any,
) -> None:
    store.declare(
        "orders",
        {
            "title": "Orders",
            "owner": "tests",
            "delivery": {"path": "orders/*", "format": "csv", **delivery},
            "load": {"mode": "append", "key": list(key)},
            "columns": {
                "sku": {"required": True},
                "price": {"type": "decimal", **(price or {})},
                "note": {},
            },
            "feeds": [{"entity": "products", "columns": {"sku": "sku", "list_price": "price"}}],
        },
    )


def night(store: Store) -> None:
    """Run a night and make it the published one."""
    store.night(quarantine_stop_share=0.9)
    paths = DataPaths.of(store.context())
    version = paths.versions / f"000001-{NIGHT}"
    version.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(paths.build_db, version / "cdp.duckdb")
    paths.current.unlink(missing_ok=True)
    paths.current.symlink_to(version)


@pytest.fixture
def lenient(store: Store) -> RunContext:
    return replace(store.context(quarantine_stop_share=0.9), run_id=REPLAY_RUN)


def fates(found: list[Fate]) -> list[tuple[int | None, str, str, str]]:
    return [(f.line, f.rule, f.outcome, f.detail) for f in found]


def test_rows_are_shown_as_they_were_delivered(store: Store, lenient: RunContext) -> None:
    declare(store)
    store.deliver(FILE, TEXT)
    night(store)
    findings = list_findings(lenient)
    conflict, wrong_type, too_many = findings
    assert [(f.rule, f.rows) for f in findings] == [
        ("conflicting_key", 1),
        ("price_type", 1),
        ("too_many_fields", 1),
    ]
    assert "another row with this key (sku) and other content" in conflict.reason
    assert wrong_type.reason == "price is not an amount with at most 2 decimals, such as 1234.50"
    assert "have fields that hold the delimiter quoted" in too_many.reason
    assert "delivered" not in " ".join(f.reason for f in findings), "a list shows no values"
    assert [r.reason.partition(" (")[2] for r in read_rows(lenient, findings)] == [
        "delivered: 4 of 3 fields)",
        "delivered: 'x')",
        (
            "sku) and other content was loaded before: lengthen `key:` if both are right, or set "
            "`mode: upsert` if the later one is (delivered: '4')"
        ),
    ]
    rows = [(r.file, r.line, r.rule, json.loads(r.delivered)) for r in read_rows(lenient, findings)]
    assert rows == [
        (FILE, 3, "too_many_fields", {"_text": "2,2,00,b"}),
        (FILE, 4, "price_type", {"sku": "3", "price": "x", "note": "4111 1111 1111 1111"}),
        (FILE, 6, "conflicting_key", {"sku": "4", "price": "5.00", "note": "e"}),
    ]
    assert [r.line for r in read_rows(lenient, findings, rule="price_type")] == [4]
    assert list(read_rows(lenient, findings, file="other")) == []


def test_a_mended_contract_empties_the_quarantine(store: Store, lenient: RunContext) -> None:
    declare(store)
    store.deliver(FILE, TEXT)
    night(store)
    before = store.ledger()
    declare(store, price={"null_values": ["x"]})
    assert fates(replay(lenient)) == [
        (3, "too_many_fields", "set_aside", "too_many_fields"),
        (4, "price_type", "accepted", ""),
        (6, "conflicting_key", "left_to_the_night", "the next night compares keys again"),
    ]
    assert store.ledger() == before, "a replay publishes nothing"
    night(store)
    assert store.query("select sku from staging.products order by sku") == [("1",), ("3",), ("4",)]
    assert [f.rule for f in list_findings(lenient)] == ["conflicting_key", "too_many_fields"]


def test_a_mended_file_gives_what_a_clean_one_would_have(store: Store, lenient: RunContext) -> None:
    declare(store)
    store.deliver(FILE, TEXT)
    night(store)
    store.deliver(FILE, "sku,price,note\n1,1.00,a\n2,2.00,b\n4,4.00,d\n")
    no_key = "no row of the file sent again has its key"
    assert [(f.line, f.outcome, f.detail) for f in replay(lenient)] == [
        # What cannot be taken apart has no key, but a place.
        (3, "accepted", "line 3 of the file sent again, by its place"),
        (4, "gone", no_key),
        (6, "accepted", "line 4 of the file sent again"),
    ]
    night(store)
    assert store.query("select sku, list_price::varchar from staging.products order by sku") == [
        ("1", "1.00"),
        ("2", "2.00"),
        ("4", "4.00"),
    ]
    assert list_findings(lenient) == []


def test_without_a_key_of_columns_rows_of_a_mended_file_are_looked_for_by_their_place(
    store: Store, lenient: RunContext
) -> None:
    declare(store, key=("_file", "_line"))
    store.deliver(FILE, TEXT)
    night(store)
    store.deliver(FILE, "sku,price,note\n1,1.00,a\n2,2.00,b\n3,x,c\n4,4.00,d\n4,5.00,e\n")
    assert fates(replay(lenient)) == [
        (3, "too_many_fields", "accepted", "line 3 of the file sent again, by its place"),
        (4, "price_type", "gone", "no row of the file sent again has its key"),
    ]


def test_a_row_that_is_sent_again_as_it_was_stays_set_aside(
    store: Store, lenient: RunContext
) -> None:
    declare(store)
    store.deliver(FILE, TEXT)
    night(store)
    store.deliver(FILE, TEXT + "9,9.00,new\n")
    assert [(f.line, f.outcome, f.detail) for f in replay(lenient)][:2] == [
        (3, "set_aside", "too_many_fields"),
        (4, "set_aside", "price_type"),
    ]


def test_a_refused_file_is_told_as_a_whole(store: Store, lenient: RunContext) -> None:
    declare(store)
    store.deliver(FILE, "sku;price;note\n1;1.00;a\n2;2.00;b\n")
    night(store)
    (found,) = list_findings(lenient)
    assert found.rule == "file_refused"
    assert "separated by a semicolon" in found.reason
    (fate,) = replay(lenient)
    assert (fate.outcome, fate.line) == ("refused", None)
    declare(store, delimiter=";")
    (fate,) = replay(lenient)
    assert (fate.outcome, fate.detail) == ("accepted", "2 of 2 records; 0 set aside")


def test_a_file_that_is_gone_is_said_to_be(store: Store, lenient: RunContext) -> None:
    declare(store)
    path = store.deliver(FILE, TEXT)
    night(store)
    path.unlink()
    found = replay(lenient)
    assert {(f.outcome, f.line) for f in found} == {("gone", None)}
    assert sum(f.rows for f in found) == 3


def test_a_replay_waits_for_no_night_and_leaves_nothing(store: Store, lenient: RunContext) -> None:
    declare(store)
    store.deliver(FILE, TEXT)
    night(store)
    with hold_lock(DataPaths.of(lenient).lock, "night"), pytest.raises(LockedError):
        replay(lenient)
    replay(lenient)
    assert not DataPaths.of(lenient).work.exists()
    with pytest.raises(ConfigError, match="no source 'ordres'"):
        replay(lenient, source="ordres")


def sealed(store: Store, monkeypatch: pytest.MonkeyPatch) -> KeySettings:
    """Publish a night under a key and return the key, which commands have as well."""
    keys = KeySettings(master=SecretStr(new_key()))
    assert keys.master is not None
    monkeypatch.setenv("CDP_KEYS__MASTER", keys.master.get_secret_value())
    monkeypatch.setenv("CDP_QUARANTINE_STOP_SHARE", "0.9")
    declare(store)
    store.deliver(FILE, TEXT)
    night(store)
    seal_deliveries(store.context(keys=keys), load_project(store.root))
    return keys


@pytest.mark.parametrize("command", ["list", "show", "replay"])
def test_nobody_clears_what_a_command_is_reading(
    store: Store, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    """Whoever holds the lock of the data folder deletes the work of single commands that died."""
    keys = sealed(store, monkeypatch)
    paths = DataPaths.of(store.context(keys=keys))
    kept = []

    @contextmanager
    def plain(path: Path, keys: KeySettings, folder: Path) -> Iterator[Path]:
        with plain_file(path, keys, folder) as copy:
            try:
                with hold_lock(paths.lock, "a night"):
                    clear_dead_work(paths, starting=NIGHT)
            except LockedError:
                pass
            kept.append(copy.is_file())
            yield copy

    monkeypatch.setattr("cdp_pipeline.ingest.quarantine.plain_file", plain)
    assert run_app(["--project", str(store.root), "quarantine", command]) == 0
    assert kept
    assert all(kept)
    assert list((paths.data_dir / "work").glob("*/plain/*")) == []


def test_a_replay_under_a_key_leaves_nothing_staged_in_clear(store: Store) -> None:
    keys = KeySettings(master=SecretStr(new_key()))
    context = replace(store.context(quarantine_stop_share=0.9, keys=keys), run_id=REPLAY_RUN)
    declare(store)
    store.deliver(FILE, TEXT)
    night(store)
    seal_deliveries(context, load_project(store.root))
    told = fates(replay(context))
    assert told == fates(replay(context)), "what is sealed is set aside again"
    assert look_at_deliveries(DataPaths.of(context)).clear == 0
    store.night(quarantine_stop_share=0.9, keys=keys)  # and the next night can read it


def test_the_commands_print_tables_and_json(
    store: Store, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CDP_QUARANTINE_STOP_SHARE", "0.9")
    declare(store)
    store.deliver(FILE, TEXT)
    night(store)

    def cdp(*arguments: str) -> str:
        assert run_app(["--project", str(store.root), "quarantine", *arguments]) == 0
        return capsys.readouterr().out

    capsys.readouterr()
    assert "price_type" in cdp("list", "orders")
    assert [f["rows"] for f in json.loads(cdp("list", "--json"))] == [1, 1, 1]
    assert f"{FILE}:4  price_type" in cdp("show", "--rule", "price_type")
    assert json.loads(cdp("show", "--json"))[1]["delivered"]["price"] == "x"
    assert "set_aside" in cdp("replay")
    assert json.loads(cdp("replay", "orders", "--json"))[0]["line"] == 3
    assert Path(store.root / "data" / "work" / "quarantine-replay").exists() is False
