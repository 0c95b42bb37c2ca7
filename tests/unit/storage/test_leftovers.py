"""What a dead process left goes at the next start, and what the living need stays."""

from __future__ import annotations

from pathlib import Path

from cdp_pipeline.storage.leftovers import clear_leftovers
from cdp_pipeline.storage.paths import DataPaths


def test_what_a_dead_rotation_left_goes(tmp_path: Path) -> None:
    paths = DataPaths(tmp_path, tmp_path / "landing")
    version = paths.versions / "20261120-000001"
    gone = (
        paths.rotation / "plain" / "0123" / "members.csv",
        version.with_name(f".rotate-{version.name}") / "cdp.duckdb",
        paths.staging / "members" / ".a.parquet.erasing",
    )
    kept = (
        version / "cdp.duckdb",
        tmp_path / "work" / "night-2026-11-20" / "plain" / "0123" / "members.csv",
        paths.staging / "members" / "a.parquet",
    )
    for path in (*gone, *kept):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"anna@example.com")
    assert clear_leftovers(paths) == len(gone)
    assert {path for path in tmp_path.rglob("*") if path.is_file()} == set(kept)
    assert not paths.rotation.exists()
    assert clear_leftovers(paths) == 0


def test_folders_links_and_names_that_never_became_whole_go(tmp_path: Path) -> None:
    paths = DataPaths(tmp_path / "data", tmp_path / "landing")
    sending = paths.outbox / "email" / ".2026-11-20.part"
    site = paths.data_dir / ".docs.new"
    shown = paths.landing / "pos" / ".sales.csv.4711.link"
    others = paths.landing / "pos" / ".sales.csv.part"
    for path in (sending / "customers.csv", sending / "manifest.json", site / "index.html"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"anna@example.com")
    for path in (shown, others):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"anna@example.com")
    paths.ensure(paths.warehouse)
    links = [paths.warehouse / ".current.new", paths.data_dir / ".exports.new"]
    for link in links:
        link.symlink_to("versions")
    assert clear_leftovers(paths) == 5
    gone = [sending, site, shown, *links]
    assert not [path for path in gone if path.exists() or path.is_symlink()]
    assert others.exists()  # another program is still writing it


def test_an_empty_data_folder_has_none(tmp_path: Path) -> None:
    assert clear_leftovers(DataPaths(tmp_path, tmp_path / "landing")) == 0
