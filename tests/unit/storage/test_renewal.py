"""What erasures left to a night is believed only where it leads to the night without a gap."""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet
from pydantic import SecretStr

from cdp_pipeline.core.access_settings import KeySettings
from cdp_pipeline.core.keys import new_key
from cdp_pipeline.core.settings import load_settings
from cdp_pipeline.storage import at_rest
from cdp_pipeline.storage.container import key_of
from cdp_pipeline.storage.files import write_json
from cdp_pipeline.storage.paths import DataPaths
from cdp_pipeline.storage.renewal import (
    CERTIFICATES,
    FOLDER,
    KEYS,
    PENDING,
    UNITS,
    Renewal,
    Sizes,
    add_rows,
    begin_notes,
    drop_notes,
    end_notes,
    ended_erasures,
    find_renewal,
    note_folders,
)
from cdp_pipeline.storage.rotation import rotate_keys
from tests.integration.store import ROOT

VERSION = "000002-2026-11-17"
FIRST: Sizes = {"tills": {"a.parquet": (9, 90), "b.parquet": (5, 50)}}
SECOND: Sizes = {"tills": {"a.parquet": (8, 80), "b.parquet": (5, 50)}}
THIRD: Sizes = {"tills": {"a.parquet": (8, 80), "b.parquet": (4, 40)}}


@pytest.fixture
def paths(tmp_path: Path) -> DataPaths:
    return DataPaths(tmp_path / "data", tmp_path / "landing", "night")


def erase(
    paths: DataPaths,
    number: str,
    before: Sizes,
    after: Sizes,
    *,
    keys: KeySettings | None = None,
    version: str = VERSION,
) -> None:
    begin_notes(paths, number, staged=before, version=version)
    add_rows(paths, number, KEYS, "tills", pa.table({"receipt": [number]}))
    add_rows(paths, number, UNITS, "core.sales by core.people 0", pa.table({"home": [number]}))
    end_notes(
        paths, number, keys or KeySettings(), staged=after, version=version, keyless=["cards"]
    )
    write_json(paths.ensure(paths.privacy / CERTIFICATES) / f"{number}.json", {})


def find(
    paths: DataPaths, *known: str, keys: KeySettings | None = None, staged: Sizes = FIRST
) -> Renewal | None:
    return find_renewal(paths, keys or KeySettings(), known=known, version=VERSION, staged=staged)


def values(files: tuple[Path, ...]) -> list[str]:
    return sorted(
        value for path in files for value in parquet.read_table(path).column(0).to_pylist()
    )


def test_without_an_erasure_all_is_as_the_version_has_it(paths: DataPaths) -> None:
    assert find(paths) == Renewal(FIRST)


def test_erasures_one_after_the_other_lead_from_the_version_to_the_night(paths: DataPaths) -> None:
    erase(paths, "E000001", FIRST, SECOND)
    erase(paths, "E000002", SECOND, THIRD)
    found = find(paths)
    assert found is not None
    assert found.staged == THIRD
    assert values(found.keys["tills"]) == ["E000001", "E000002"]
    assert values(found.units["core.sales by core.people 0"]) == ["E000001", "E000002"]
    assert found.keyless == {"cards"}
    later = find(paths, "E000001", staged=SECOND)
    assert later is not None
    assert values(later.keys["tills"]) == ["E000002"]


def test_a_file_that_the_version_had_not_is_no_gap(paths: DataPaths) -> None:
    erase(paths, "E000001", {"tills": {**FIRST["tills"], "c.parquet": (1, 1)}}, SECOND)
    found = find(paths)
    assert found is not None
    assert found.staged == SECOND


def lose(pattern: str) -> Callable[[Path], None]:
    return lambda folder: next(iter(sorted(folder.glob(pattern)))).unlink()


def take_rows_out(folder: Path) -> None:
    path = next(folder.glob("keys/*"))
    parquet.write_table(parquet.read_table(path).slice(0, 0), path)


@pytest.mark.parametrize(
    "harm", [lose("notes.json"), lose("keys/*"), lose("units/*"), take_rows_out]
)
def test_notes_that_are_not_whole_are_not_believed(
    paths: DataPaths, harm: Callable[[Path], None]
) -> None:
    erase(paths, "E000001", FIRST, SECOND)
    harm(paths.privacy / FOLDER / "E000001")
    assert find(paths) is None


def test_a_gap_on_the_way_is_not_believed(paths: DataPaths) -> None:
    erase(paths, "E000001", FIRST, SECOND)
    erase(paths, "E000002", {"tills": {**SECOND["tills"], "a.parquet": (7, 70)}}, THIRD)
    assert find(paths) is None
    assert find(paths, "E000001") is None  # nor that another file is what the erasure found
    assert find(paths, "E000001", "E000002") == Renewal(FIRST)


def test_an_erasure_that_goes_on_is_not_believed(paths: DataPaths) -> None:
    erase(paths, "E000001", FIRST, SECOND)
    write_json(paths.ensure(paths.privacy / PENDING) / "E000001.json", {})
    assert ended_erasures(paths) == ()
    assert find(paths) is None


def test_notes_about_another_version_are_not_believed(paths: DataPaths) -> None:
    erase(paths, "E000001", FIRST, SECOND, version="000001-2026-11-16")
    assert find(paths) is None


def test_notes_end_nowhere_once_another_version_came_while_they_were_made(paths: DataPaths) -> None:
    begin_notes(paths, "E000001", staged=FIRST, version=VERSION)
    end_notes(paths, "E000001", KeySettings(), staged=SECOND, version="000003-2026-11-17")
    assert not (paths.privacy / FOLDER / "E000001").exists()


def test_whoever_goes_on_after_a_crash_began_before(paths: DataPaths) -> None:
    begin_notes(paths, "E000001", staged=FIRST, version=VERSION)
    erase(paths, "E000001", SECOND, THIRD)
    found = find(paths)
    assert found is not None
    assert found.staged == THIRD


def test_with_a_key_notes_are_sealed_and_without_it_not_believed(paths: DataPaths) -> None:
    keys = KeySettings(master=SecretStr(new_key()))
    erase(paths, "E000001", FIRST, SECOND, keys=keys)
    files = sorted((paths.privacy / FOLDER).rglob("*.parquet"))
    assert len(files) == 2
    assert all(key_of(path) for path in files)
    found = find(paths, keys=keys)
    assert found is not None
    assert values(found.keys["tills"]) == ["E000001"]
    for path in paths.work.rglob("*.parquet"):
        path.unlink()
    assert find(paths) is None


def test_a_change_of_the_key_takes_the_notes_along(tmp_path: Path) -> None:
    settings = load_settings(ROOT, data_dir=tmp_path / "data")
    paths, old, new = DataPaths.of_settings(settings), new_key(), new_key()
    erase(paths, "E000001", FIRST, SECOND, keys=KeySettings(master=SecretStr(old)))
    both = KeySettings(master=SecretStr(f"{new} {old}"))
    rotate_keys(settings.model_copy(update={"keys": both}))
    found = find(paths, keys=KeySettings(master=SecretStr(new)))
    assert found is not None
    assert values(found.keys["tills"]) == ["E000001"]


def test_notes_that_cannot_be_encrypted_are_not_kept(
    paths: DataPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(at_rest, "seal_to", fail)
    erase(paths, "E000001", FIRST, SECOND, keys=KeySettings(master=SecretStr(new_key())))
    assert note_folders(paths) == []


def test_notes_that_are_needed_no_more_go(paths: DataPaths) -> None:
    erase(paths, "E000001", FIRST, SECOND)
    erase(paths, "E000002", SECOND, THIRD)
    drop_notes(paths, ["E000001"])
    assert sorted(path.name for path in (paths.privacy / FOLDER).iterdir()) == ["E000002"]
