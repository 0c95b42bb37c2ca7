"""What an erasure needs to go on is written once, added to, private, and gone at the end."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from cdp_pipeline.core.context import RunContext
from cdp_pipeline.core.errors import ConfigError
from cdp_pipeline.privacy.actions import Action, read_actions
from cdp_pipeline.rights.erasure import resume_erasures
from cdp_pipeline.rights.pending import (
    Pending,
    end_erasure,
    next_number,
    note_found,
    pending_files,
    read_pending,
    write_pending,
)
from cdp_pipeline.rights.traces import Traces, add_words
from cdp_pipeline.storage.files import write_json
from cdp_pipeline.storage.paths import DataPaths
from tests.dying import dies_within

TRACES = add_words(Traces(), [("email", "anna.reed@example.com")])


@pytest.fixture
def paths(tmp_path: Path) -> DataPaths:
    return DataPaths(tmp_path, tmp_path / "landing")


def test_what_was_found_by_every_try_is_read_again(paths: DataPaths) -> None:
    number = next_number(paths)
    write_pending(paths, Pending(number, TRACES, requests=(("mail", "R1"),), reason="asked"))
    note_found(paths, number, "pos/a.json", [3, 7], [("email", "Anna.Reed@example.com")])
    (path,) = pending_files(paths)
    first = read_pending(path)
    assert (first.traces, first.requests, first.reason) == (TRACES, (("mail", "R1"),), "asked")
    note_found(paths, number, "pos/a.json", [9], [])
    note_found(paths, number, "crm/b.json", [1], [("phone", "0770")])
    held = read_pending(path).deliveries
    assert held.lines == {"pos/a.json": [3, 7, 9], "crm/b.json": [1]}
    assert held.spellings == {("email", "Anna.Reed@example.com"), ("phone", "0770")}
    files = list((paths.privacy / "pending").rglob("*"))
    assert {p.stat().st_mode & 0o777 for p in files if p.is_file()} == {0o600}
    assert {p.stat().st_mode & 0o777 for p in files if p.is_dir()} == {0o700}
    assert next_number(paths) == "E000002"
    end_erasure(paths, number, {"business_date": "2026-11-20", "requests": []})
    assert list((paths.privacy / "pending").iterdir()) == []


def test_a_crash_after_the_certificate_only_forgets(context: RunContext) -> None:
    paths = DataPaths.of(context)
    write_pending(paths, Pending("E000003", TRACES))
    note_found(paths, "E000003", "pos/a.json", [3], [])
    facts = {"erasure": "E000003", "business_date": "2026-11-20", "requests": [], "left": 0}
    write_json(paths.privacy / "certificates" / "E000003.json", facts)
    (certificate,) = resume_erasures(context)
    assert certificate.facts == facts, "what was proved is not counted again"
    assert pending_files(paths) == []
    assert resume_erasures(context) == []


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_killed_as_it_ends_the_request_is_noted_as_done(context: RunContext) -> None:
    paths = DataPaths.of(context)
    write_pending(paths, Pending("E000003", TRACES, requests=(("mail", "R1:2"),)))
    note_found(paths, "E000003", "pos/a.json", [3], [])
    day = date(2026, 11, 20)
    facts = {"erasure": "E000003", "business_date": str(day), "requests": ["mail:R1:2"], "left": 0}
    write_json(paths.privacy / "certificates" / "E000003.json", facts)
    kills = 0
    while pending_files(paths) and dies_within(lambda: resume_erasures(context), 1 + kills):
        kills += 1
    assert kills > 3
    resume_erasures(context)
    assert pending_files(paths) == []
    assert read_actions(paths) == [Action("mail", "R1:2", "erased", day, "E000003")]


def test_a_file_that_is_none_of_ours_is_named(paths: DataPaths) -> None:
    write_json(paths.privacy / "pending" / "E000001.json", {})
    with pytest.raises(ConfigError, match="no pending erasure"):
        read_pending(*pending_files(paths))
