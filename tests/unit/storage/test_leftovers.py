"""What a dead process left goes at the next start, and what the living need stays."""

from __future__ import annotations

import os
from datetime import date
from pathlib import Path

import pytest

from cdp_pipeline.core.context import RunContext
from cdp_pipeline.storage.leftovers import clear_dead_work, clear_leftovers, own_work
from cdp_pipeline.storage.paths import DataPaths
from tests.dying import dies_within


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


def test_a_version_whose_gathering_died_goes_with_whatever_runs_next(tmp_path: Path) -> None:
    paths = DataPaths(tmp_path / "data", tmp_path / "landing")
    gathered = paths.versions / ".build-000003-2026-11-20"
    whole = paths.versions / "000002-2026-11-20"
    for folder in (gathered, whole):
        (folder / "vault").mkdir(parents=True)
        (folder / "vault" / "customer.parquet").write_bytes(b"anna@example.com")
    assert clear_leftovers(paths) == 1
    assert whole.is_dir()
    assert not gathered.exists()


def test_an_empty_data_folder_has_none(tmp_path: Path) -> None:
    assert clear_leftovers(DataPaths(tmp_path, tmp_path / "landing")) == 0


@pytest.mark.parametrize(
    ("run", "starting", "kept"),
    [
        # a night of its own or a later one may still be resumed
        ("night-2026-11-20", date(2026, 11, 20), {"night-2026-11-20", "night-2026-11-21"}),
        ("night-2026-11-21", date(2026, 11, 21), {"night-2026-11-21"}),
        # who starts no night leaves what no published night has overtaken
        ("", None, {"night-2026-11-19", "night-2026-11-20", "night-2026-11-21", "airflow-x"}),
    ],
)
def test_the_work_of_the_dead_goes_unless_it_can_be_resumed(
    tmp_path: Path, run: str, starting: date | None, kept: set[str]
) -> None:
    paths = DataPaths(tmp_path, tmp_path / "landing", run)
    runs = [f"night-2026-11-{day}" for day in (18, 19, 20, 21)]
    for name in (*runs, "airflow-x", "privacy", "quarantine-replay"):
        (tmp_path / "work" / name / "plain").mkdir(parents=True)
        (tmp_path / "work" / name / "plain" / "members.csv").write_text("anna@example.com")
    (paths.versions / "000007-2026-11-19").mkdir(parents=True)
    paths.current.symlink_to(paths.versions / "000007-2026-11-19")
    gone = clear_dead_work(paths, starting=starting)
    left = {path.name for path in (tmp_path / "work").iterdir()}
    assert left == kept
    assert {*gone, *left} == {*runs, "airflow-x", "privacy", "quarantine-replay"}
    assert clear_dead_work(paths, starting=starting) == []


def test_who_only_looks_keeps_its_work_until_it_has_seen(context: RunContext) -> None:
    paths = DataPaths.of(context)
    with own_work(context) as mine, own_work(mine) as another:
        copies = [DataPaths.of(run).work / "plain" / "members.csv" for run in (mine, another)]
        for copy in copies:
            copy.parent.mkdir()
            copy.write_text("anna@example.com")
        assert clear_dead_work(paths, starting=context.business_date) == []
        assert all(copy.is_file() for copy in copies)
    assert list((paths.data_dir / "work").iterdir()) == []
    copies[0].parent.mkdir(parents=True)
    (copies[0].parents[1] / ".lock").touch()  # it died
    assert clear_dead_work(paths) == [DataPaths.of(mine).work.name]


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_what_somebody_who_died_saw_in_clear_goes_when_the_next_one_looks(
    context: RunContext,
) -> None:
    work = DataPaths.of(context).data_dir / "work"

    def look() -> None:
        with own_work(context) as mine:
            copy = DataPaths.of(mine).work / "plain" / "members.csv"
            copy.parent.mkdir()
            copy.write_text("anna@example.com")

    assert dies_within(look, 1, names=("rmdir",))
    assert len(list(work.glob("looking-*/.lock"))) < 2
    assert list(work.iterdir()) != []
    beginning = work / f"looking-privacy-{os.getppid()}"  # may not hold its lock yet
    beginning.mkdir()
    with own_work(context) as mine:
        assert set(work.iterdir()) == {DataPaths.of(mine).work, beginning}
    assert list(work.iterdir()) == [beginning]
