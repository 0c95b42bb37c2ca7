"""Discovery: which files count, what is known, what is new."""

from __future__ import annotations

import os
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from cdp_pipeline.core.errors import ConfigError, SourceNotReadyError
from cdp_pipeline.ingest import hashing, landing
from cdp_pipeline.ingest.deliveries import planned_deliveries
from cdp_pipeline.ingest.landing import business_date
from cdp_pipeline.project.layout import BusinessDate
from cdp_pipeline.storage import versions
from cdp_pipeline.storage.files import read_json, write_json
from cdp_pipeline.storage.journal import append_lines
from cdp_pipeline.storage.paths import DataPaths
from tests.unit.ingest.conftest import NIGHT, Store

EVE = NIGHT - timedelta(days=1)


def declare(store: Store, *, mode: str = "append", **delivery: Any) -> None:
    store.declare(
        "goods",
        {
            "title": "Goods",
            "owner": "tests",
            "delivery": {"path": "goods/*/*", "format": "csv", **delivery},
            "load": {"mode": mode, "key": ["id"]},
            "columns": {"id": {}},
            "feeds": [{"entity": "products", "columns": {"sku": "id"}}],
        },
    )


def statuses(store: Store, day: date = NIGHT) -> list[tuple[str, str]]:
    landing.run(store.context(day))
    return [(d.file_name, d.status) for d in planned_deliveries(store.context(day))]


def publish(store: Store, day: date) -> None:
    store.night(day)
    versions.run(store.context(day))


def test_files_up_to_the_business_date_are_listed_in_loading_order(store: Store) -> None:
    declare(store)
    store.deliver("goods/2026-11-20/b.csv", "id\n1\n")
    store.deliver("goods/2026-11-20/a.csv", "id\n2\n")
    store.deliver("goods/2026-11-19/z.csv", "id\n3\n")
    store.deliver("goods/2026-11-21/tomorrow.csv", "id\n4\n")
    assert statuses(store) == [
        ("goods/2026-11-19/z.csv", "new"),
        ("goods/2026-11-20/a.csv", "new"),
        ("goods/2026-11-20/b.csv", "new"),
    ]


def test_the_plan_says_what_the_night_builds_upon(store: Store) -> None:
    declare(store)
    store.deliver("goods/2026-11-20/a.csv", "id\n1\n")
    landing.run(store.context())
    plan = read_json(DataPaths.of(store.context()).plan)
    assert plan["business_date"] == "2026-11-20"
    assert plan["base_path"] is None
    assert len(plan["fingerprint"]) == 64
    (entry,) = plan["deliveries"]
    assert entry["file_id"] == entry["sha256"][:16]
    assert (entry["source"], entry["bytes"], entry["status"]) == ("goods", 5, "new")


def test_a_night_does_not_read_again_what_landed_before(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hashing, "_SETTLED_SECONDS", -60.0)  # files count as old at once
    declare(store)
    store.deliver("goods/2026-11-19/a.csv", "id\n1\n")
    landing.run(store.context(EVE))
    memory = DataPaths.of(store.context(EVE)).hashes
    write_json(memory, dict.fromkeys(read_json(memory), "0" * 64))
    landing.run(store.context())
    assert [d.sha256 for d in planned_deliveries(store.context())] == ["0" * 64]


def test_the_same_bytes_under_another_name_are_a_duplicate(store: Store) -> None:
    declare(store)
    store.deliver("goods/2026-11-19/a.csv", "id\n1\n")
    store.deliver("goods/2026-11-20/again.csv", "id\n1\n")
    assert statuses(store)[1] == ("goods/2026-11-20/again.csv", "duplicate_file")


def test_what_was_published_is_known_and_stays_so_when_its_file_leaves(store: Store) -> None:
    declare(store)
    path = store.deliver("goods/2026-11-19/a.csv", "id\n1\n")
    publish(store, EVE)
    store.deliver("goods/2026-11-20/b.csv", "id\n2\n")
    store.deliver("goods/2026-11-18/copy.csv", "id\n1\n")
    assert statuses(store) == [
        ("goods/2026-11-18/copy.csv", "duplicate_file"),
        ("goods/2026-11-19/a.csv", "known"),
        ("goods/2026-11-20/b.csv", "new"),
    ]
    path.unlink()
    assert ("goods/2026-11-19/a.csv", "known") in statuses(store)
    assert store.night().facts["loaded"] == 2


def test_other_bytes_under_a_known_name_replace_the_earlier_file(store: Store) -> None:
    declare(store)
    store.deliver("goods/2026-11-19/a.csv", "id\n1\n2\n")
    publish(store, EVE)
    store.deliver("goods/2026-11-19/a.csv", "id\n1\n2\n3\n")
    store.night()
    assert sorted(store.ledger()) == [
        ("goods/2026-11-19/a.csv", "loaded", 3, 3, 0, 0, 0),
        ("goods/2026-11-19/a.csv", "superseded", 2, 0, 0, 0, 2),
    ]
    assert store.query("select sku from staging.products") == [("1",), ("2",), ("3",)]


@pytest.mark.parametrize(
    ("copy", "mode"),
    [
        ("a_copy.csv", "append"),
        ("0_copy.csv", "append"),
        ("a_copy.csv", "upsert"),
        ("a_copy.csv", "replace"),
    ],
)
def test_a_copy_of_a_file_that_was_corrected_since_stays_a_copy(
    store: Store, copy: str, mode: str
) -> None:
    declare(store, mode=mode)
    store.deliver("goods/2026-11-18/a.csv", "id\n1\n2\n")
    publish(store, EVE - timedelta(days=1))
    store.deliver(f"goods/2026-11-18/{copy}", "id\n1\n2\n")
    publish(store, EVE)
    store.deliver("goods/2026-11-18/a.csv", "id\n3\n")
    for day in (NIGHT, NIGHT + timedelta(days=1)):
        publish(store, day)
        assert store.query("select sku from staging.products", day) == [("3",)]
        found = {(name, status) for name, status, *_ in store.ledger(day)}
        assert (f"goods/2026-11-18/{copy}", "duplicate_file") in found


def test_parts_that_change_places_and_change_back_are_loaded(store: Store) -> None:
    declare(store)
    first, second = "id\n1\n", "id\n2\n"
    contents = [(first, second), (second, first), (second, first), (first, second)]
    for night, parts in enumerate(contents):
        for number, text in enumerate(parts):
            store.deliver(f"goods/2026-11-18/part{number}.csv", text)
        day = EVE + timedelta(days=night)
        publish(store, day)
        assert store.query("select sku from staging.products", day) == [("1",), ("2",)]


def test_a_file_that_returns_to_its_first_bytes_is_loaded_again(store: Store) -> None:
    declare(store)
    first, second = "id\n1\n2\n", "id\n3\n"
    for day, text in ((2, first), (1, second)):
        store.deliver("goods/2026-11-18/a.csv", text)
        publish(store, NIGHT - timedelta(days=day))
    store.deliver("goods/2026-11-18/a.csv", first)
    publish(store, NIGHT)
    assert store.query("select sku from staging.products") == [("1",), ("2",)]
    store.night(NIGHT + timedelta(days=1))
    found = store.query("select sku from staging.products", NIGHT + timedelta(days=1))
    assert found == [("1",), ("2",)]


def test_a_full_file_that_returns_to_old_bytes_is_news(store: Store) -> None:
    declare(store, mode="replace")
    store.deliver("goods/2026-11-17/a.csv", "id\n1\n")
    store.deliver("goods/2026-11-18/a.csv", "id\n2\n")
    store.deliver("goods/2026-11-19/a.csv", "id\n2\n")
    store.deliver("goods/2026-11-20/a.csv", "id\n1\n")
    assert [status for _, status in statuses(store)] == ["new", "new", "duplicate_file", "new"]
    store.night()
    assert store.query("select sku from staging.products") == [("1",)]


def test_running_a_night_again_gives_the_same_plan(store: Store) -> None:
    declare(store)
    store.deliver("goods/2026-11-20/a.csv", "id\n1\n")
    landing.run(store.context())
    first = DataPaths.of(store.context()).plan.read_bytes()
    landing.run(store.context())
    assert DataPaths.of(store.context()).plan.read_bytes() == first


def test_the_fingerprint_follows_deliveries_and_settings_that_matter(store: Store) -> None:
    declare(store)
    store.deliver("goods/2026-11-20/a.csv", "id\n1\n")

    def fingerprint(**settings: Any) -> str:
        context = store.context(**settings)
        landing.run(context)
        return str(read_json(DataPaths.of(context).plan)["fingerprint"])

    first = fingerprint()
    assert fingerprint(keep_versions=3) == first
    assert fingerprint(currency="EUR") != first
    judgements = DataPaths.of(store.context()).stewardship / "judgements.jsonl"
    append_lines(judgements, lambda _: [{"id": "J1"}])
    judged = fingerprint()
    assert judged != first
    assert fingerprint() == judged
    store.deliver("goods/2026-11-20/b.csv", "id\n2\n")
    second = fingerprint()
    assert second not in {first, judged}
    stray = store.deliver("elsewhere/c.csv", "id\n3\n")  # nobody asks for it: the night says so
    assert fingerprint() not in {first, judged, second}
    stray.unlink()
    assert fingerprint() == second


def test_links_pipes_and_odd_names_are_refused_and_not_opened(store: Store, tmp_path: Path) -> None:
    declare(store)
    secret = tmp_path / "secret.csv"
    secret.write_text("id\n1\n", encoding="utf-8")
    folder = store.deliver("goods/2026-11-20/fine.csv", "id\n2\n").parent
    (folder / "link.csv").symlink_to(secret)
    (folder / "o'; drop table x.csv").write_text("id\n3\n", encoding="utf-8")
    (folder / "[ab].csv").write_text("id\n4\n", encoding="utf-8")
    os.mkfifo(folder / "pipe.csv")
    outside = tmp_path / "2026-11-20"
    outside.mkdir()
    (outside / "x.csv").write_text("id\n5\n", encoding="utf-8")
    (folder.parent / "2026-11-18").symlink_to(outside)
    found = dict(statuses(store))
    assert [name for name, status in found.items() if status == "new"] == [
        "goods/2026-11-20/fine.csv"
    ]
    assert len(found) == 6
    result = store.night()
    assert result.rows_in == 1
    assert {row[1] for row in store.ledger()} == {"loaded", "refused"}


def test_a_file_without_a_date_in_its_path_is_refused_with_the_reason(store: Store) -> None:
    declare(store)
    store.deliver("goods/today/a.csv", "id\n1\n")
    result = landing.run(store.context())
    assert "no business date" in result.messages[0]


def test_what_did_not_simply_arrive_is_kept_for_the_report(store: Store) -> None:
    declare(store, complete={"by": "marker"})

    def deliver(name: str, text: str) -> Path:
        path = store.deliver(f"goods/{name}.csv", text)
        store.deliver(f"goods/{name}.csv.done", "")
        return path

    left = deliver("2026-11-18/left", "id\n1\n")
    deliver("2026-11-19/again", "id\n2\n")
    publish(store, EVE)
    left.unlink()
    deliver("2026-11-19/again", "id\n2\n3\n")
    deliver("2026-11-19/late", "id\n4\n")
    deliver("2026-11-20/copy", "id\n4\n")
    deliver("today/undated", "id\n5\n")
    store.deliver("goods/2026-11-20/half.csv", "id\n6\n")
    store.deliver("gods/2026-11-20/goods.csv", "id\n7\n")
    store.deliver("README.txt", "Put files here.")
    store.night()
    found = store.query("select kind, file_name from ops.arrivals where detail <> '' order by all")
    assert found == [
        ("gone", "goods/2026-11-18/left.csv"),
        ("late", "goods/2026-11-19/late.csv"),
        ("misplaced", "gods/2026-11-20/goods.csv"),
        ("refused", "goods/today/undated.csv"),
        ("repeated", "goods/2026-11-20/copy.csv"),
        ("sent_again", "goods/2026-11-19/again.csv"),
        ("waiting", "goods/2026-11-20/half.csv"),
    ]


@pytest.mark.parametrize(
    "names",
    [(), ("README.md", "goods/Thumbs.db", "goods/2026-11-20/~$goods.xlsx"), ("goods/a.csv.done",)],
)
def test_a_first_night_without_deliveries_says_how_to_deliver(
    store: Store, names: tuple[str, ...]
) -> None:
    declare(store, complete={"by": "marker"})
    for name in names:
        store.deliver(name, "x")
    result = landing.run(store.context())
    assert result.rows_in == 0
    assert result.messages[-1].startswith("nothing has been delivered yet: put files below ")
    assert "goods reads goods/*/*" in result.messages[-1]


def test_a_wide_glob_takes_no_marker_checksum_or_half_upload(store: Store) -> None:
    declare(store, path="goods/*/*.csv*")
    for name in ("a.csv.gz", "b.csv", "b.csv.done", "b.csv.ctl", "c.csv.part", "b.csv.md5"):
        store.deliver(f"goods/2026-11-20/{name}", "id\n1\n")
    store.deliver("goods/2026-11-20/b.done", "")
    assert [name[-8:] for name, _ in statuses(store)] == ["a.csv.gz", "20/b.csv"]
    (said,) = (text for text in landing.run(store.context()).messages if "no source" in text)
    assert said == "1 file belongs to no source: goods/2026-11-20/c.csv.part"


def test_a_first_night_with_deliveries_in_the_wrong_place_stops(store: Store) -> None:
    declare(store)
    store.deliver("README.md", "x")
    store.deliver("gods/2026-11-20/goods.csv", "id\n1\n")
    with pytest.raises(ConfigError, match="nothing to load: 1 file belongs to no source: gods/"):
        landing.run(store.context())


def test_a_required_source_must_have_delivered(store: Store) -> None:
    declare(store, required=True)
    store.deliver("goods/2026-11-19/a.csv", "id\n1\n")
    with pytest.raises(SourceNotReadyError, match="has delivered nothing for 2026-11-20") as caught:
        landing.run(store.context())
    assert caught.value.is_transient
    store.deliver("goods/2026-11-20/a?.csv", "id\n2\n")
    with pytest.raises(SourceNotReadyError, match="but a file that was refused: its name has"):
        landing.run(store.context())
    store.deliver("goods/2026-11-20/a.csv", "id\n2\n")
    assert landing.run(store.context()).rows_out == 2


@pytest.mark.parametrize("path", ["/etc/*.csv", "../other/*.csv"])
def test_a_contract_cannot_lead_out_of_landing(store: Store, path: str) -> None:
    declare(store, path=path)
    with pytest.raises(ConfigError, match="leads out of the landing folder"):
        landing.run(store.context())


@pytest.mark.parametrize(
    ("name", "rule", "day"),
    [
        ("pos/2026-11-19/pos_20261120.csv", {}, date(2026, 11, 20)),
        ("pos/2026-11-19/full.csv", {}, date(2026, 11, 19)),
        ("pos/20261301_20261120.csv", {}, date(2026, 11, 20)),
        ("x-20112026.csv", {"pattern": "-([0-9]{8})", "format": "%d%m%Y"}, date(2026, 11, 20)),
    ],
)
def test_the_last_date_of_the_path_is_the_business_date(
    name: str, rule: dict[str, str], day: date
) -> None:
    assert business_date(name, BusinessDate(**rule)) == day
