"""Archives as senders pack them: names that clash or that no file system takes, thousands of files.

What is staged of them and what a first look at them says.
"""

from __future__ import annotations

import io
import warnings
import zipfile
from pathlib import Path
from typing import IO

import pytest

from cdp_pipeline.core.errors import ConfigError
from cdp_pipeline.ingest.discovery.looking import draft_sources
from tests.unit.ingest.conftest import Stage, make_contract

TABLE = "id,name\n" + "".join(f"{number},Ann Lee\n" for number in range(20))
COLUMNS = {"id": {"required": True}, "name": {}}


def pack(*members: tuple[str, str | bytes]) -> bytes:
    stream = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        warnings.simplefilter("ignore")  # of names that are there already
        for name, text in members:
            archive.writestr(name, text)
    return stream.getvalue()


def test_of_two_files_with_one_name_none_is_lost_unnoticed(stage: Stage) -> None:
    data = pack(("a.csv", "id,name\n1,Ann\n"), ("a.csv", "id,name\n2,Zoe\n"))
    outcome = stage(data, make_contract(COLUMNS), name="orders.zip")
    assert outcome.notes.status == "refused"
    assert "two files in it have one name: 'a.csv'" in outcome.notes.reason
    assert "packed again" in outcome.notes.reason


@pytest.mark.parametrize("members", [1, 2])
def test_a_name_that_no_file_system_takes_is_read(stage: Stage, members: int) -> None:
    packed = [(f"{number}{'y' * 300}.{'z' * 300}", f"id,name\n{number},Ann\n")
              for number in range(members)]  # fmt: skip
    outcome = stage(pack(*packed), make_contract(COLUMNS), name="orders.zip")
    assert outcome.notes.status == "loaded", outcome.notes.reason
    assert [row["id"] for row in outcome.rows] == [str(number) for number in range(members)]


def test_a_look_at_such_a_name_and_at_names_alike(tmp_path: Path) -> None:
    other = TABLE.replace("name", "town").replace("Ann Lee", "Leeds")
    data = pack((f"{'y' * 300}.csv", TABLE), ("in/b.csv", TABLE), ("in_b.csv", other))
    (tmp_path / "orders.zip").write_bytes(data)
    drafts = draft_sources(tmp_path / "orders.zip", name=None, landing=tmp_path)
    columns = sorted(tuple(column.name for column in draft.columns) for draft in drafts)
    assert columns == [("id", "name"), ("id", "name"), ("id", "town")]


def test_a_look_at_thousands_of_files_reads_what_is_in_the_archive_once_and_a_few_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "days.zip"
    path.write_bytes(pack(*((f"day_{number:04}.csv", TABLE) for number in range(2000))))
    opened: list[str] = []
    lists = 0
    really_list, really_open = zipfile.ZipFile.infolist, zipfile.ZipFile.open

    def infolist(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
        nonlocal lists
        lists += 1
        return really_list(archive)

    def open_member(archive: zipfile.ZipFile, name: str) -> IO[bytes]:
        opened.append(name)
        return really_open(archive, name)

    monkeypatch.setattr(zipfile.ZipFile, "infolist", infolist)
    monkeypatch.setattr(zipfile.ZipFile, "open", open_member)
    (draft,) = draft_sources(path, name=None, landing=tmp_path)
    assert draft.delivery["member"] == "day_*.csv"
    assert opened == [f"day_{number}.csv" for number in range(1995, 2000)]
    assert lists == 1


def test_an_archive_within_one_is_named_by_both(tmp_path: Path) -> None:
    path = tmp_path / "orders.zip"
    path.write_bytes(pack(("inner.zip", pack(("a.csv", TABLE)))))
    with pytest.raises(ConfigError, match="a ZIP or Excel file") as refused:
        draft_sources(path, name=None, landing=tmp_path)
    assert refused.value.where == f"{path}: inner.zip"
