"""What is past its time leaves warehouse and disk, is proved, and its statements stay."""

from __future__ import annotations

from datetime import date, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from cdp_pipeline.core.access_settings import KeySettings
from cdp_pipeline.core.context import RunContext
from cdp_pipeline.core.keys import new_key
from cdp_pipeline.ingest.deliveries import FILE_ID_CHARACTERS
from cdp_pipeline.ingest.originals import INDEX
from cdp_pipeline.ingest.sealing import seal_deliveries
from cdp_pipeline.ingest.sweeping import sweep
from cdp_pipeline.ingest.touched import compare_staged
from cdp_pipeline.privacy.retention import apply_retention
from cdp_pipeline.project.loader import load_project
from cdp_pipeline.storage import versions
from cdp_pipeline.storage.container import key_of
from cdp_pipeline.storage.files import sha256_of, write_json
from cdp_pipeline.storage.leftovers import clear_leftovers
from cdp_pipeline.storage.paths import DataPaths
from cdp_pipeline.storage.warehouse import open_build
from tests.dying import dies_within
from tests.unit.ingest.conftest import NIGHT, Store
from tests.unit.ingest.test_statements import MEMBERS

EVENTS: dict[str, Any] = {
    "title": "Events",
    "owner": "tests",
    "delivery": {"path": "events/*", "format": "csv"},
    "load": {"mode": "append", "key": ["id"]},
    "retention": {"days": 10, "quarantine_days": 2},
    "columns": {"id": {}, "moment": {"type": "timestamp"}},
    "feeds": [{"entity": "web_events", "columns": {"event_id": "id", "occurred_at": "moment"}}],
}
FIRST, SECOND = NIGHT, NIGHT + timedelta(days=5)
OLD, NEW = "events/20261112.csv", "events/20261120.csv"
ROWS = "id,moment\n{0}a,2026-11-{1} 10:00:00\n{0}b,2026-11-{1} 11:00:00\n{0}c,no moment\n"
STATED = "select record_key, status, recorded_on::varchar from identity.consent_statements"


def prove(context: RunContext) -> None:
    with open_build(context) as con:
        apply_retention(con, load_project(context.project_root), context.business_date)


def publish(store: Store, day: date) -> Path:
    store.night(day, quarantine_stop_share=1.0)
    context = store.context(day)
    prove(context)
    versions.run(context)
    sweep(context)
    return context.data_dir


def files_of(data: Path) -> set[str]:
    folders = ("landing", "staging", "quarantine", "archive")
    found = (path for name in folders for path in (data / name).rglob("*") if path.is_file())
    return {path.relative_to(data).as_posix() for path in found}


@pytest.fixture
def events(store: Store) -> Store:
    store.declare("events", EVENTS)
    store.deliver(OLD, ROWS.format("1", "12"))
    store.deliver(NEW, ROWS.format("2", "20"))
    return store


def test_a_delivery_past_its_time_goes_with_its_rows_and_files(events: Store) -> None:
    before = files_of(publish(events, FIRST))
    assert len([name for name in before if name.endswith(".parquet")]) == 4
    after = files_of(publish(events, SECOND))
    staged = [name for name in after if name.startswith("staging") and name.endswith("parquet")]
    assert len(staged) == 1
    assert f"landing/{NEW}" in after
    assert f"landing/{OLD}" not in after
    assert not [name for name in after if name.startswith("quarantine")]
    assert events.query("select event_id from staging.web_events order by all", SECOND) == [
        ("2a",),
        ("2b",),
    ]
    assert events.ledger(SECOND) == [
        (OLD, "expired", 3, 0, 1, 0, 2),
        (NEW, "loaded", 3, 2, 1, 0, 0),
    ]
    proof = "select kept_from::varchar, oldest_on::varchar, rows_removed, files_removed, rows_left"
    assert events.query(f"{proof} from ops.retention where kind = 'source'", SECOND) == [
        ("2026-11-15", "2026-11-20", 2, 1, 2)
    ]


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_sweep_that_died_is_finished_and_leaves_no_folder(events: Store) -> None:
    data = publish(events, FIRST)
    context = events.context(SECOND)
    events.night(SECOND, quarantine_stop_share=1.0)
    prove(context)
    versions.run(context)
    paths = DataPaths.of(context)
    landed = data / "landing" / OLD
    archived = paths.archive / "events" / sha256_of(landed)[:FILE_ID_CHARACTERS] / landed.name
    paths.ensure(archived.parent)
    archived.write_bytes(landed.read_bytes())
    kills = 0
    while dies_within(lambda: sweep(context), 2, names=("unlink", "rename", "rmdir")):
        kills += 1
    assert kills > 2
    clear_leftovers(paths)
    assert list((paths.archive / "events").iterdir()) == []
    assert not [name for name in files_of(data) if "20261112" in name]


def test_what_a_night_that_died_had_before_the_file_came_again_goes_too(events: Store) -> None:
    data = publish(events, FIRST)
    paths, day = DataPaths.of(events.context(FIRST)), FIRST + timedelta(days=1)
    fetched = paths.archive / "events"
    kept = {name: sha256_of(data / "landing" / name) for name in (OLD, NEW)}
    write_json(paths.ensure(fetched) / INDEX, {"a": {"sha256": "c" * 64, "manifest": "d" * 64}})
    for digest in (*kept.values(), "b" * 64, "c" * 64, "d" * 64):
        copy = paths.ensure(fetched / digest[:FILE_ID_CHARACTERS]) / "events.csv"
        copy.write_text("as it came", encoding="utf-8")
    events.deliver("events/20261121.csv", ROWS.format("3", "21"))
    events.night(day, quarantine_stop_share=1.0)  # it died, and was never published
    had = sha256_of(data / "landing" / "events/20261121.csv")[:FILE_ID_CHARACTERS]
    assert [name for name in files_of(data) if had in name]
    events.deliver("events/20261121.csv", ROWS.format("4", "21"))
    after = files_of(publish(events, day))
    assert not [name for name in after if had in name]
    copies = {path.name for path in fetched.iterdir() if path.is_dir()}
    assert copies == {d[:FILE_ID_CHARACTERS] for d in (*kept.values(), "c" * 64, "d" * 64)}
    assert len([name for name in after if name.startswith("staging/")]) == 6


def test_a_damaged_version_stops_no_night_and_what_it_may_tell_of_stays(events: Store) -> None:
    data = publish(events, FIRST)
    publish(events, SECOND)
    (old, _) = versions.published_versions(paths := DataPaths.of(events.context(SECOND)))
    (old.path / "cdp.duckdb").unlink()
    stray = paths.staging / "events" / f"{'b' * FILE_ID_CHARACTERS}-1.parquet"
    stray.touch()
    before = files_of(data)
    sweep(events.context(SECOND))
    assert files_of(data) == before
    (old.path / "cdp.duckdb").write_bytes(b"no database")
    sweep(events.context(SECOND))
    assert files_of(data) == before


def test_encrypted_deliveries_go_as_those_in_clear_do(events: Store) -> None:
    keys = KeySettings(master=SecretStr(new_key()))
    events.make_context = partial(events.make_context, keys=keys)
    first = events.context(FIRST)
    data = publish(events, FIRST)
    sealed = seal_deliveries(first, load_project(first.project_root))
    assert (sealed.files, sealed.problems) == (6, [])
    assert key_of(data / "landing" / OLD)
    publish(events, SECOND)
    assert [row[1] for row in events.ledger(SECOND)] == ["expired", "loaded"]
    kept = [name for name in files_of(data) if not name.endswith((".json", ".jsonl"))]
    assert len([name for name in kept if name.startswith("staging")]) == 1
    assert [name for name in kept if name.startswith("landing")] == [f"landing/{NEW}"]


def test_a_file_that_comes_back_after_its_time_is_not_read(events: Store) -> None:
    publish(events, FIRST)
    publish(events, SECOND)
    events.deliver(OLD, ROWS.format("1", "12"))
    data = publish(events, SECOND + timedelta(days=1))
    assert events.ledger(SECOND + timedelta(days=1))[0] == (OLD, "expired", 3, 0, 1, 0, 2)
    assert f"landing/{OLD}" not in files_of(data)


def test_other_bytes_under_an_old_name_are_not_deleted_unread(events: Store) -> None:
    publish(events, FIRST)
    events.night(SECOND, quarantine_stop_share=1.0)
    context = events.context(SECOND)
    prove(context)
    versions.run(context)
    events.deliver(OLD, ROWS.format("9", "12"))  # came between the night's look and the deletion
    sweep(context)
    assert f"landing/{OLD}" in files_of(context.data_dir)


def test_rows_go_by_their_own_date_before_their_delivery(store: Store) -> None:
    kept = {**EVENTS, "retention": {"days": 10, "by": "moment"}}
    store.declare("events", kept)
    store.deliver(NEW, "id,moment\na,2026-11-11 10:00:00\nb,2026-11-18 10:00:00\nc,\n")
    publish(store, FIRST)
    assert store.ledger(FIRST) == [(NEW, "loaded", 3, 3, 0, 0, 0)]
    publish(store, FIRST + timedelta(days=2))
    later = FIRST + timedelta(days=2)
    assert store.query("select event_id from staging.web_events order by all", later) == [
        ("b",),
        ("c",),
    ]
    assert store.ledger(later) == [(NEW, "loaded", 3, 2, 0, 0, 1)]
    assert store.query("select rows_removed from ops.retention where kind = 'source'", later) == [
        (1,)
    ]


def test_the_newest_file_of_what_is_replaced_stays(store: Store) -> None:
    kept = {**EVENTS, "load": {"mode": "replace", "key": ["id"]}}
    store.declare("events", kept)
    store.deliver(OLD, ROWS.format("1", "12"))
    publish(store, NIGHT + timedelta(days=90))
    assert [row[1] for row in store.ledger(NIGHT + timedelta(days=90))] == ["loaded"]


def test_statements_outlive_the_file_that_brought_them(store: Store) -> None:
    store.declare("members", {**MEMBERS, "retention": {"days": 10}})
    store.deliver("members/20261112.csv", "id,agreed,words,changed\n1,yes,v1,2026-11-12 10:00:00\n")
    publish(store, FIRST)
    before = store.query(STATED, FIRST)
    assert before == [("1", "granted", FIRST.isoformat())]
    for days in (5, 6, 7):
        night = FIRST + timedelta(days=days)
        publish(store, night)
        assert store.query(STATED, night) == before
        assert store.query("select count(*) from staging.person_records", night) == [(0,)]


def test_evidence_goes_after_its_own_time(store: Store) -> None:
    store.declare("members", {**MEMBERS, "retention": {"days": 10}})
    store.deliver("members/20261112.csv", "id,agreed,words,changed\n1,yes,v1,2026-11-12 10:00:00\n")
    publish(store, FIRST)
    header = store.root / "sql" / "identity" / "consent_statements.yml"
    header.write_text(header.read_text().replace("days: 3653", "days: 12"))
    publish(store, FIRST + timedelta(days=4))
    night = FIRST + timedelta(days=5)
    publish(store, night)
    assert store.query(STATED, night) == []
    proof = "select rows_removed, rows_left from ops.retention where kind = 'table'"
    assert store.query(proof, night) == [(1, 0)]


def test_running_the_night_again_gives_the_same(events: Store) -> None:
    publish(events, FIRST)
    whole = "select * from ops.retention order by all"
    publish(events, SECOND)
    first = [events.query(sql, SECOND) for sql in (whole, "from ops.deliveries order by all")]
    publish(events, SECOND)  # the files have gone since
    again = [events.query(sql, SECOND) for sql in (whole, "from ops.deliveries order by all")]
    assert again == first


def test_files_past_their_time_touch_the_keys_of_their_rows(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("kept", "past", "new")]
    for path in paths:
        path.write_bytes(b"12345")
    kept, past, new = ((path, 1) for path in paths)
    base = {"events": {"kept": (1, 5), "past": (1, 5)}}
    found = compare_staged("events", [kept, new], base, expired=[past])
    assert found.is_known
    assert {path.name for path in found.added} == {"new", "past"}
    assert not compare_staged("events", [kept, new], base).is_known
