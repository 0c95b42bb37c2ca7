from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdp_pipeline.core.context import RunContext
from cdp_pipeline.core.errors import ConfigError
from cdp_pipeline.storage import versions
from cdp_pipeline.storage.disk import measure, measure_alone, share_unchanged
from cdp_pipeline.storage.files import sha256_of
from cdp_pipeline.storage.history import find_lineage, find_version, list_kept, measure_kept
from cdp_pipeline.storage.rollback import roll_back
from cdp_pipeline.storage.versions import Version
from tests.unit.storage.nights import DAY, count_rows, day, publish_night

MakeContext = Callable[..., RunContext]


@given(offsets=st.lists(st.integers(0, 9), max_size=12))
def test_lineage_is_one_version_a_date_and_what_a_replay_would_leave(offsets: list[int]) -> None:
    found = [
        Version(number, DAY + timedelta(days=offset), Path(str(number)))
        for number, offset in enumerate(offsets, start=1)
    ]
    # Publishing a date undoes that night and every later one.
    stack: list[Version] = []
    for version in found:
        while stack and stack[-1].business_date >= version.business_date:
            stack.pop()
        stack.append(version)
    assert find_lineage(found) == stack


def test_as_of_a_date(make_context: MakeContext) -> None:
    for offset, rows in ((0, 3), (1, 4), (3, 5)):
        context = make_context(day(offset))
        paths = publish_night(context, rows)
    names = {offset: find_version(paths, str(day(offset))).name for offset in range(5)}
    assert names[0] == "000001-2026-11-20"
    assert names[1] == names[2] == "000002-2026-11-21"
    assert names[3] == names[4] == "000003-2026-11-23"
    with pytest.raises(ConfigError, match="no version as of") as refused:
        find_version(paths, str(day(-1)))
    assert "000002-2026-11-21" in refused.value.hint
    roll_back(context.settings, reason="r")
    assert find_version(paths, str(day(3))).name == "000004-2026-11-21"
    assert find_version(paths, "000003-2026-11-23").name == "000003-2026-11-23"
    assert find_version(paths, "000003").name == "000003-2026-11-23"
    states = [(kept.version.sequence, kept.state) for kept in list_kept(paths)]
    assert states == [(4, "current"), (3, "rolled back"), (2, "replaced"), (1, "kept")]
    assert [bool(kept.rollback) for kept in list_kept(paths)] == [True, False, False, False]


def test_what_does_not_change_is_on_disk_once(make_context: MakeContext) -> None:
    for offset in (0, 1):
        context = make_context(day(offset))
        paths = publish_night(context, 3 + offset)
    first, second = versions.published_versions(paths)
    same, other = "exports/crm/same.csv", "exports/crm/audience.csv"
    assert (first.path / same).samefile(second.path / same)
    assert not (first.path / other).samefile(second.path / other)
    assert versions.verify(first) == versions.verify(second) == []
    kept = list_kept(paths)
    total = sum(version.total_bytes for version in kept)
    shared = total - measure_kept(paths)
    assert shared >= len("n\n")
    assert all(v.total_bytes - v.own_bytes == shared for v in kept)


def test_damaged_files_are_not_shared(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    for folder in (old, new):
        folder.mkdir()
        (folder / "a").write_text("aaaa")
    facts = {"a": {"sha256": sha256_of(new / "a"), "bytes": 4}}
    (old / "a").write_text("aa")
    assert share_unchanged(new, facts, old, facts) == 0
    assert measure([old, new]) == 6
    (old / "a").write_text("aaaa")
    assert share_unchanged(new, facts, old, facts) == 4
    assert share_unchanged(new, facts, old, facts) == 0
    assert measure([old, new]) == 4
    assert measure_alone(new, [old]) == 0


def test_space_is_bounded_and_two_versions_always_stay(make_context: MakeContext) -> None:
    for offset in range(4):
        context = make_context(day(offset))
        paths = publish_night(context, offset + 1)
    each = measure_kept(paths) / 4
    context = make_context(day(4), keep_versions_gb=3.5 * each / 1e9)
    publish_night(context, 5)
    assert [v.sequence for v in versions.published_versions(paths)] == [3, 4, 5]
    publish_night(make_context(day(5), keep_versions_gb=1e-9), 6)
    assert [v.sequence for v in versions.published_versions(paths)] == [5, 6]
    assert count_rows(paths) == 6
