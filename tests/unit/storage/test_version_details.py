"""What a publication writes to the letter: names, manifest, links, order on disk."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import pytest

from cdp_pipeline.core.context import RunContext
from cdp_pipeline.core.errors import ConfigError
from cdp_pipeline.storage import versions
from cdp_pipeline.storage.audit import AuditLog
from cdp_pipeline.storage.files import sha256_of
from cdp_pipeline.storage.paths import DataPaths
from tests.unit.storage.nights import DAY, build_night, publish_night

MakeContext = Callable[..., RunContext]
FIRST, SECOND = "000001-2026-11-20", "000002-2026-11-21"
NIGHT = ["exports/crm/audience.csv", "exports/crm/same.csv", "parquet/core/numbers.parquet"]


@pytest.fixture
def folder(tmp_path: Path) -> DataPaths:
    """Return an empty data folder whose versions are folders with a small manifest."""
    paths = DataPaths(tmp_path / "data", tmp_path / "data" / "landing", "night")
    paths.versions.mkdir(parents=True)
    return paths


def put_versions(paths: DataPaths, count: int) -> None:
    """Make versions of following nights by hand; the last is the current one."""
    for number in range(1, count + 1):
        version = paths.versions / f"{number:06d}-{DAY + timedelta(days=number - 1)}"
        version.mkdir()
        (version / "MANIFEST.json").write_text(json.dumps({"fingerprint": f"f{number}"}))
    paths.current.symlink_to(Path("versions") / version.name)


def names(paths: DataPaths) -> list[str]:
    return sorted(path.name for path in paths.versions.iterdir())


def test_a_first_and_a_second_night_are_described_to_the_letter(make_context: MakeContext) -> None:
    context = make_context(DAY)
    paths = build_night(context, 3)
    first = versions.run(context)
    assert first.messages == (f"published {FIRST}",)
    assert (first.rows_in, first.rows_out) == (3, 3)
    manifest = json.loads((paths.versions / FIRST / "MANIFEST.json").read_text())
    assert manifest["version"] == FIRST
    assert manifest["business_date"] == "2026-11-20"
    assert manifest["fingerprint"] == f"{DAY} 3"
    assert manifest["base_version"] is None
    assert manifest["rows"] == {"core.numbers": 3, "ops.contact_log": 0}
    assert set(manifest["mirror"]) == {"engine", "months"}
    assert manifest["audit"] == AuditLog.of(context.settings).anchor().as_dict()
    assert set(NIGHT) < set(manifest["files"])
    assert first.facts == {
        "version": FIRST,
        "tables": 2,
        "files": len(manifest["files"]),
        "shared_bytes": 0,
        "dropped": 0,
    }
    for name, facts in manifest["files"].items():
        path = paths.versions / FIRST / name
        assert facts == {"sha256": sha256_of(path), "bytes": path.stat().st_size}
    following = make_context(DAY + timedelta(days=1))
    publish_night(following, 5)
    second = json.loads((paths.versions / SECOND / "MANIFEST.json").read_text())
    assert second["base_version"] == FIRST


def test_what_did_not_change_is_shared_and_counted(make_context: MakeContext) -> None:
    paths = publish_night(make_context(DAY), 3)
    following = make_context(DAY + timedelta(days=1))
    build_night(following, 5)
    result = versions.run(following)
    same = [paths.versions / name / "exports" / "crm" / "same.csv" for name in (FIRST, SECOND)]
    assert same[0].samefile(same[1])
    assert result.facts["shared_bytes"] >= len("n\n")


def test_the_same_night_says_which_version_holds_it(make_context: MakeContext) -> None:
    context = make_context(DAY)
    paths = publish_night(context, 3)
    again = versions.run(context)
    assert again.messages == (f"{FIRST} already holds this night",)
    assert again.facts == {"version": FIRST}
    assert names(paths) == [FIRST]


def test_a_night_that_is_asked_for_in_full_is_published_again(make_context: MakeContext) -> None:
    context = make_context(DAY)
    paths = publish_night(context, 3)
    whole = RunContext(DAY, context.run_id, context.project_root, context.settings, is_full=True)
    versions.run(whole)
    assert paths.current.resolve().name == "000002-2026-11-20"


def test_a_publication_is_a_deed(make_context: MakeContext) -> None:
    context = make_context(DAY)
    paths = publish_night(context, 3)
    (line,) = paths.audit_log.read_text().splitlines()
    assert '"publish"' in line
    assert FIRST in line
    assert context.run_id in line


def test_five_names_lead_to_the_current_version(make_context: MakeContext) -> None:
    context = make_context(DAY)
    paths = build_night(context, 3)
    paths.warehouse.mkdir()
    (paths.warehouse / ".cdp.duckdb.new").symlink_to("left by somebody who died")
    (paths.data_dir / "exports").symlink_to("elsewhere")
    versions.run(context)
    led = {
        str(link.relative_to(paths.data_dir)): str(link.readlink())
        for link in [*paths.data_dir.iterdir(), *paths.warehouse.iterdir()]
        if link.is_symlink()
    }
    assert led == {
        "warehouse/current": f"versions/{FIRST}",
        "warehouse/cdp.duckdb": "current/cdp.duckdb",
        "warehouse/parquet": "current/parquet",
        "exports": "warehouse/current/exports",
        "reports": "warehouse/current/reports",
        "quality": "warehouse/current/quality",
    }


def test_links_that_are_right_are_left_alone(make_context: MakeContext) -> None:
    paths = publish_night(make_context(DAY), 3)
    before = (paths.warehouse / "cdp.duckdb").lstat().st_ino
    publish_night(make_context(DAY + timedelta(days=1)), 5)
    assert (paths.warehouse / "cdp.duckdb").lstat().st_ino == before


def test_all_is_on_disk_before_the_link_moves_and_the_link_after(
    make_context: MakeContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = make_context(DAY)
    paths = build_night(context, 3)
    seen: list[tuple[str, str, bool, bool]] = []

    def note(what: str) -> Callable[[Path], None]:
        def noted(path: Path) -> None:
            is_named = (paths.versions / FIRST).is_dir()
            seen.append((what, path.name, is_named, paths.current.is_symlink()))

        return noted

    monkeypatch.setattr(versions, "fsync_tree", note("tree"))
    monkeypatch.setattr(versions, "fsync", note("folder"))
    versions.run(context)
    assert seen == [
        ("tree", f".build-{FIRST}", False, False),
        ("folder", "versions", True, False),
        ("folder", "warehouse", True, True),
    ]


def test_exports_are_sealed_before_they_are_hashed(
    make_context: MakeContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = make_context(DAY)
    paths = build_night(context, 3)

    def seal(build: Path, keys: object) -> None:
        assert keys == context.settings.keys
        (build / "exports" / "crm" / "same.csv").unlink()
        (build / "exports" / "crm" / "same.csv.sealed").write_text("sealed")

    monkeypatch.setattr(versions, "seal_exports", seal)
    versions.run(context)
    version = versions.current_version(paths)
    assert version is not None
    assert "exports/crm/same.csv.sealed" in version.manifest["files"]
    assert versions.verify(version) == []


def test_what_is_known_of_a_file_is_not_measured_again(make_context: MakeContext) -> None:
    context = make_context(DAY)
    paths = build_night(context, 3)
    name, build = versions.next_build(paths, DAY)
    assert (name, build) == (FIRST, paths.versions / f".build-{FIRST}")
    (build / "exports").mkdir(parents=True)
    (build / "exports" / "a.csv").write_text("a")
    (build / "exports" / "b.csv").write_text("bb")
    known = {"exports/a.csv": {"sha256": "as it was noted", "bytes": 7}}
    made = versions.publish_build(context.settings, paths, build, {"version": name}, known=known)
    manifest = json.loads((paths.versions / name / "MANIFEST.json").read_text())
    assert manifest["files"]["exports/a.csv"] == known["exports/a.csv"]
    assert manifest["files"]["exports/b.csv"]["bytes"] == 2
    assert made == {"files": 2, "shared_bytes": 0, "dropped": 0}


def test_folders_within_folders_are_gathered_empty_ones_too(make_context: MakeContext) -> None:
    context = make_context(DAY)
    paths = build_night(context, 3)
    deep = paths.tree / "quality" / "docs" / "static"
    deep.mkdir(parents=True)
    (deep / "page.css").write_text("p {}")
    (paths.tree / "reports" / "none").mkdir(parents=True)
    versions.run(context)
    assert (paths.current / "quality" / "docs" / "static" / "page.css").read_text() == "p {}"
    assert (paths.current / "reports" / "none").is_dir()
    assert (deep / "page.css").stat().st_nlink == 2  # the run's folder stays whole


def test_a_night_that_was_overtaken_is_refused(make_context: MakeContext) -> None:
    publish_night(make_context(DAY + timedelta(days=1)), 5)
    context = make_context(DAY)
    paths = DataPaths.of(context)
    (paths.work).mkdir(parents=True)
    paths.plan.write_text(json.dumps({"fingerprint": "f"}))
    paths.build_db.touch()  # it was built before the later one was published
    with pytest.raises(ConfigError, match="lies before"):
        versions.run(context)
    assert names(paths) == ["000001-2026-11-21"]


def test_a_publication_clears_up_after_one_that_died(make_context: MakeContext) -> None:
    context = make_context(DAY)
    paths = build_night(context, 3)
    (paths.versions / ".build-000009-2026-11-01" / "vault").mkdir(parents=True)
    versions.run(context)
    assert names(paths) == [FIRST]


def test_the_next_night_counts_on(folder: DataPaths) -> None:
    assert versions.next_build(folder, DAY)[0] == FIRST
    put_versions(folder, 2)
    assert versions.next_build(folder, date(2026, 12, 1))[0] == "000003-2026-12-01"


def test_without_a_link_nothing_is_published(folder: DataPaths) -> None:
    assert versions.current_version(folder) is None
    assert versions.published_versions(folder) == []
    assert versions.find_base(folder, DAY) is None
    assert not versions.is_published(folder, DAY, "f1")


def test_versions_are_told_by_their_names_and_in_order(folder: DataPaths) -> None:
    put_versions(folder, 3)
    (folder.versions / ".build-000004-2026-11-23").mkdir()
    (folder.versions / "000004-2026-11-23").mkdir()  # its publication died before the link moved
    found = versions.published_versions(folder)
    assert [(v.sequence, v.business_date.day, v.name) for v in found] == [
        (1, 20, FIRST),
        (2, 21, SECOND),
        (3, 22, "000003-2026-11-22"),
    ]
    assert versions.current_version(folder) == found[-1]
    assert found[1].manifest == {"fingerprint": "f2"}
    assert versions.find_base(folder, date(2026, 11, 22)) == found[1].path
    assert versions.find_base(folder, date(2026, 11, 23)) == found[2].path
    one = versions.parse_version(Path("000012-2026-11-20"))
    assert (one.sequence, one.business_date) == (12, DAY)


def test_a_night_is_published_if_its_date_and_its_inputs_are(folder: DataPaths) -> None:
    put_versions(folder, 2)
    day = DAY + timedelta(days=1)
    assert versions.is_published(folder, day, "f2")
    assert not versions.is_published(folder, day, "f1")
    assert not versions.is_published(folder, DAY, "f2")
    assert not versions.is_published(folder, DAY, "f1")


def test_what_a_dead_publication_left_goes(folder: DataPaths) -> None:
    put_versions(folder, 2)
    for name in (".build-000003-2026-11-22", "000003-2026-11-22"):
        (folder.versions / name / "exports").mkdir(parents=True)
    assert versions.recover(folder) == 2
    assert names(folder) == [FIRST, SECOND]
    assert versions.recover(folder) == 0


def test_before_the_first_publication_everything_is_a_leftover(folder: DataPaths) -> None:
    (folder.versions / FIRST).mkdir()
    assert versions.recover(folder) == 1
    assert names(folder) == []
    folder.versions.rmdir()
    assert versions.recover(folder) == 0
    assert folder.versions.is_dir()


@pytest.mark.parametrize(
    ("gigabyte", "spare", "kept"),
    [(None, 0, 4), (4.0, 0, 4), (3.0, 0, 3), (3.0, 2, 2), (0.0, 0, 2)],
)
def test_versions_that_take_more_than_they_may_go(
    folder: DataPaths,
    monkeypatch: pytest.MonkeyPatch,
    gigabyte: float | None,
    spare: int,
    kept: int,
) -> None:
    """Each takes a gigabyte, of which every four share what ``spare`` says."""
    put_versions(folder, 5)
    monkeypatch.setattr(versions, "measure", lambda paths: sum(10**9 for _ in paths) + spare)
    assert versions.drop_old(folder, keep=4, keep_gb=gigabyte) == 5 - kept
    assert [v.sequence for v in versions.published_versions(folder)] == [*range(6 - kept, 6)]


def test_nothing_goes_where_nothing_is(folder: DataPaths) -> None:
    assert versions.drop_old(folder, keep=2) == 0


def test_a_missing_file_and_a_broken_database_are_named(make_context: MakeContext) -> None:
    paths = publish_night(make_context(DAY), 3)
    version = versions.current_version(paths)
    assert version is not None
    assert versions.verify(version) == []
    (version.path / NIGHT[0]).unlink()
    database = version.path / "cdp.duckdb"
    database.write_bytes(b"no database at all" * 1000)
    missing, other, broken = sorted(versions.verify(version), key=len)
    assert missing == f"{NIGHT[0]} is missing"
    assert other == "cdp.duckdb has other bytes than were published"
    assert broken.startswith("cdp.duckdb does not open: ")
