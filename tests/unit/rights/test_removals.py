"""Lists of who was erased: the same again, and gone when recipients had their time."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from cdp_pipeline.rights.removals import Removal, drop_old_removals, write_removals
from cdp_pipeline.storage.files import write_json
from cdp_pipeline.storage.paths import DataPaths


def test_a_list_goes_when_its_time_is_over_and_not_without_a_certificate(tmp_path: Path) -> None:
    paths = DataPaths(tmp_path, tmp_path / "landing")
    for number, day in ((1, "2026-10-20"), (2, "2026-10-21"), (3, None)):
        name = f"E00000{number}"
        write_removals(paths, name, [Removal("crm", {"Email": "anna@example.com"})])
        if day:
            write_json(paths.privacy / "certificates" / f"{name}.json", {"business_date": day})
    folder = paths.outbox / "crm" / "erasures"
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert before["E000001.csv"] == b"Email\r\nanna@example.com\r\n"
    assert drop_old_removals(paths, night=date(2026, 11, 20), days=30) == 1
    assert sorted(path.name for path in folder.iterdir()) == ["E000002.csv", "E000003.csv"]
    assert drop_old_removals(paths, night=date(2026, 11, 20), days=30) == 0
