from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import duckdb
import pytest

from cdp_pipeline.core.context import RunContext
from cdp_pipeline.core.errors import ConfigError, WarehouseError
from cdp_pipeline.storage import versions
from cdp_pipeline.storage.files import write_json
from cdp_pipeline.storage.leftovers import clear_leftovers
from cdp_pipeline.storage.paths import DataPaths
from cdp_pipeline.storage.warehouse import open_build, open_published
from tests.dying import dies_within

DAY = date(2026, 11, 20)
MakeContext = Callable[..., RunContext]


def build(context: RunContext, rows: int, *, fingerprint: str = "f") -> DataPaths:
    """Make the work of a night by hand: a table, an export, a plan."""
    paths = DataPaths.of(context)
    base = versions.find_base(paths, context.business_date)
    write_json(
        paths.plan,
        {
            "fingerprint": fingerprint,
            "base_version": base.name if base else None,
            "base_path": str(base / "cdp.duckdb") if base else None,
        },
    )
    with open_build(context) as con:
        con.execute(f"create or replace table core.numbers as select range as n from range({rows})")
    export = paths.tree / "exports" / "crm" / "audience.csv"
    export.parent.mkdir(parents=True, exist_ok=True)
    export.write_text(f"n\n{rows}\n")
    return paths


def published_rows(paths: DataPaths) -> int:
    with open_published(paths.data_dir) as con:
        return int(con.execute("select count(*) from core.numbers").fetchall()[0][0])


def assert_whole(paths: DataPaths) -> int:
    """Database, Parquet, export and manifest of the current version tell the same story."""
    version = versions.current_version(paths)
    assert version is not None
    assert versions.verify(version) == []
    rows = published_rows(paths)
    parquet = paths.current / "parquet" / "core" / "numbers.parquet"
    in_parquet = duckdb.execute("select count(*) from read_parquet(?)", [str(parquet)]).fetchall()
    assert in_parquet == [(rows,)]
    assert (paths.data_dir / "exports" / "crm" / "audience.csv").read_text() == f"n\n{rows}\n"
    assert version.manifest["rows"] == {"core.numbers": rows}
    return rows


def test_publishing_moves_every_name_people_know(make_context: MakeContext) -> None:
    context = make_context(DAY)
    paths = build(context, 3)
    versions.run(context)
    assert assert_whole(paths) == 3
    assert (paths.warehouse / "cdp.duckdb").resolve().parent.name == "000001-2026-11-20"


def test_open_readers_keep_their_version(make_context: MakeContext) -> None:
    context = make_context(DAY)
    paths = build(context, 3)
    versions.run(context)
    with open_published(paths.data_dir) as reader:
        following = make_context(DAY + timedelta(days=1))
        build(following, 5)
        versions.run(following)
        assert reader.execute("select count(*) from core.numbers").fetchall() == [(3,)]
    assert assert_whole(paths) == 5


def test_the_same_night_is_published_once(make_context: MakeContext) -> None:
    context = make_context(DAY)
    paths = build(context, 3)
    versions.run(context)
    result = versions.run(context)
    assert "already" in result.messages[0]
    assert len(versions.published_versions(paths)) == 1


def test_a_night_again_with_other_inputs_builds_on_the_night_before(
    make_context: MakeContext,
) -> None:
    for offset, rows in ((0, 3), (1, 5)):
        context = make_context(DAY + timedelta(days=offset))
        paths = build(context, rows)
        versions.run(context)
    base = versions.find_base(paths, DAY + timedelta(days=1))
    assert base is not None
    assert base.name == "000001-2026-11-20"
    build(context, 6, fingerprint="late file")
    versions.run(context)
    assert assert_whole(paths) == 6
    assert paths.current.resolve().name == "000003-2026-11-21"


def test_what_a_step_had_half_written_when_it_died_is_not_published(
    make_context: MakeContext,
) -> None:
    context = make_context(DAY)
    paths = build(context, 3)
    drafts = [
        paths.tree / ".basis.json.4711.tmp",
        paths.tree / "exports" / "crm" / ".audience.csv.tmp",
    ]
    for draft in drafts:
        draft.write_text("{")
    versions.run(context)
    assert assert_whole(paths) == 3
    version = versions.current_version(paths)
    assert version is not None
    assert not [name for name in version.manifest["files"] if Path(name).name.startswith(".")]
    assert not list(version.path.rglob(".*"))


def test_time_does_not_run_backwards(make_context: MakeContext) -> None:
    context = make_context(DAY)
    paths = build(context, 3)
    versions.run(context)
    with pytest.raises(ConfigError, match="lies before"):
        versions.find_base(paths, DAY - timedelta(days=1))


def test_old_versions_go_and_enough_stay(make_context: MakeContext) -> None:
    for offset in range(4):
        context = make_context(DAY + timedelta(days=offset), keep_versions=2)
        paths = build(context, offset + 1)
        versions.run(context)
    assert [v.sequence for v in versions.published_versions(paths)] == [3, 4]


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_an_old_version_is_there_whole_or_not_at_all(make_context: MakeContext) -> None:
    for offset in range(4):
        paths = build(make_context(DAY + timedelta(days=offset)), offset)
        versions.run(make_context(DAY + timedelta(days=offset)))
    kills, kept = 0, 4
    while kept > 2:
        kills += 1
        died = dies_within(lambda: versions.drop_old(paths, keep=1), 2)
        found = versions.published_versions(paths)
        assert [text for version in found for text in versions.verify(version)] == []
        assert died or len(found) == 2
        kept = len(found)
    assert kills > 1
    clear_leftovers(paths)
    left = ["000003-2026-11-22", "000004-2026-11-23"]
    assert sorted(path.name for path in paths.versions.iterdir()) == left


def test_the_night_before_stays_however_often_a_night_is_run_again(
    make_context: MakeContext,
) -> None:
    nights = [DAY - timedelta(days=1), *[DAY] * 4]
    for number, night in enumerate(nights):
        context = make_context(night, keep_versions=2)
        paths = build(context, number, fingerprint=f"changed {number} times")
        versions.run(context)
    assert [v.sequence for v in versions.published_versions(paths)] == [1, 4, 5]
    base = versions.find_base(paths, DAY)
    assert base is not None, "the next try would forget what was sent"
    assert base.name == "000001-2026-11-19"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_killed_once_it_is_published_the_names_people_know_come_with_the_delivery(
    make_context: MakeContext,
) -> None:
    context = make_context(DAY)
    paths = build(context, 3)
    at = 1
    while not paths.current.is_symlink():
        assert dies_within(lambda: versions.run(context), at)
        at += 1
    assert not (paths.data_dir / "exports").is_symlink()
    versions.finish_publication(context.settings, paths)
    assert assert_whole(paths) == 3


def test_without_a_build_nothing_is_published(make_context: MakeContext) -> None:
    context = make_context(DAY)
    write_json(DataPaths.of(context).plan, {"fingerprint": "f"})
    with pytest.raises(WarehouseError, match="no build"):
        versions.run(context)


def test_changed_bytes_are_noticed(make_context: MakeContext) -> None:
    context = make_context(DAY)
    paths = build(context, 3)
    versions.run(context)
    (paths.current / "exports" / "crm" / "audience.csv").write_text("forged\n")
    version = versions.current_version(paths)
    assert version is not None
    assert versions.verify(version) == [
        "exports/crm/audience.csv has other bytes than were published"
    ]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_killed_at_every_durable_call_yesterday_or_today_is_whole(
    make_context: MakeContext,
) -> None:
    yesterday = make_context(DAY)
    paths = build(yesterday, 3)
    versions.run(yesterday)
    tonight = make_context(DAY + timedelta(days=1))
    build(tonight, 5)
    kills = 0
    for at in range(1, 400):
        died = dies_within(lambda: versions.run(tonight), at)
        kills += died
        assert assert_whole(paths) in {3, 5}
        if not died:
            break
        # Back to before the publication, so that the next kill finds the same situation.
        current = versions.current_version(paths)
        assert current is not None
        if current.business_date > DAY:
            paths.current.unlink()
            paths.current.symlink_to(Path("versions") / "000001-2026-11-20")
        versions.recover(paths)
        left = [path.name for path in paths.versions.iterdir()]
        assert left == ["000001-2026-11-20"]
    assert kills >= 15
    assert assert_whole(paths) == 5
