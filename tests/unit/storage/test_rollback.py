from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from cdp_pipeline.core.context import RunContext
from cdp_pipeline.core.errors import ConfigError, LockedError, WarehouseError
from cdp_pipeline.storage import versions
from cdp_pipeline.storage.audit import read_entries
from cdp_pipeline.storage.lock import hold_lock
from cdp_pipeline.storage.paths import DataPaths
from cdp_pipeline.storage.rollback import roll_back
from cdp_pipeline.storage.warehouse import open_published
from tests.dying import dies_within
from tests.unit.storage.nights import build_night, count_rows, current_name, day, publish_night

MakeContext = Callable[..., RunContext]


def verify(paths: DataPaths) -> None:
    current = versions.current_version(paths)
    assert current is not None
    assert versions.verify(current) == []


def test_a_copy_of_the_night_before_is_published(make_context: MakeContext) -> None:
    for offset in (0, 1):
        context = make_context(day(offset))
        paths = publish_night(context, 3 + offset)
    done = roll_back(context.settings, reason="  tills sent twice ")
    assert (done.version.name, done.copied.name, done.left.name) == (
        "000003-2026-11-20",
        "000001-2026-11-20",
        "000002-2026-11-21",
    )
    assert done.carried == {}
    assert current_name(paths) == "000003-2026-11-20"
    assert count_rows(paths) == 3
    assert (paths.data_dir / "exports" / "crm" / "audience.csv").read_text() == "n\n3\n"
    verify(paths)
    noted = done.version.manifest["rollback"]
    assert (noted["from"], noted["to"], noted["why"]) == (
        "000002-2026-11-21",
        "000001-2026-11-20",
        "tills sent twice",
    )
    assert noted["who"]
    # The files are the same ones: a copy costs nothing.
    for name in ("cdp.duckdb", "parquet/core/numbers.parquet"):
        assert (done.version.path / name).samefile(done.copied.path / name)
    said = [entry.body for entry in read_entries(paths.audit_log) if entry.body]
    assert [entry["did"] for entry in said] == ["publish", "publish", "rollback"]
    assert said[-1]["why"].strip() == "tills sent twice"


def test_what_was_sent_stays_known(make_context: MakeContext) -> None:
    first, second = make_context(day(0)), make_context(day(1))
    publish_night(first, 3, sent=(day(0),))
    paths = publish_night(second, 4, sent=(day(0), day(1)))
    done = roll_back(second.settings, reason="wrong prices")
    assert done.carried == {"ops.contact_log": 1}
    assert count_rows(paths) == 3
    assert count_rows(paths, "ops.contact_log") == 2
    assert done.version.manifest["rows"] == {"core.numbers": 3, "ops.contact_log": 2}
    verify(paths)
    assert versions.verify(done.copied) == []
    with open_published(paths.data_dir) as con:
        comments = con.execute("select comment from duckdb_tables() order by table_name").fetchall()
        assert ("What was sent.",) in comments
    with open_published(paths.data_dir, version=done.copied.path) as con:
        assert con.execute("select count(*) from ops.contact_log").fetchall() == [(1,)]
    # The mirror's file holds rows of the version left: it is not taken for the copied one's.
    publish_night(make_context(day(2)), 3, sent=(day(0),))
    file = paths.current / "parquet" / "ops" / "contact_log.parquet"
    assert duckdb.execute("select count(*) from read_parquet(?)", [str(file)]).fetchall() == [(1,)]


def test_the_next_night_builds_on_the_copy_and_a_night_can_be_run_again(
    make_context: MakeContext,
) -> None:
    for offset in (0, 1):
        context = make_context(day(offset))
        paths = publish_night(context, 3 + offset)
    roll_back(context.settings, reason="r")
    base = versions.find_base(paths, day(2))
    assert base is not None
    assert base.name == "000003-2026-11-20"
    base = versions.find_base(paths, day(1))
    assert base is not None
    assert base.name == "000003-2026-11-20"
    publish_night(context, 7)
    assert current_name(paths) == "000004-2026-11-21"
    publish_night(make_context(day(2)), 8)
    assert count_rows(paths) == 8
    base = versions.find_base(paths, day(2))
    assert base is not None
    assert base.name == "000004-2026-11-21"


def test_a_rollback_can_be_taken_back(make_context: MakeContext) -> None:
    for offset in (0, 1):
        context = make_context(day(offset))
        paths = publish_night(context, 3 + offset)
    roll_back(context.settings, reason="r")
    done = roll_back(context.settings, to="000002-2026-11-21", reason="it was right after all")
    assert done.version.name == "000004-2026-11-21"
    assert count_rows(paths) == 4
    roll_back(context.settings, to=str(day(0)), reason="or not")
    assert count_rows(paths) == 3


def test_readers_keep_what_they_opened(make_context: MakeContext) -> None:
    for offset in (0, 1):
        context = make_context(day(offset))
        paths = publish_night(context, 3 + offset)
    with open_published(paths.data_dir) as reader:
        roll_back(context.settings, reason="r")
        assert reader.execute("select count(*) from core.numbers").fetchall() == [(4,)]
    assert count_rows(paths) == 3


def test_refused(make_context: MakeContext) -> None:
    context = make_context(day(0))
    with pytest.raises(ConfigError, match="nothing has been published"):
        roll_back(context.settings, reason="r")
    paths = publish_night(context, 3)
    with pytest.raises(ConfigError, match="no night before 2026-11-20"):
        roll_back(context.settings, reason="r")
    with pytest.raises(ConfigError, match="current version already"):
        roll_back(context.settings, to=str(day(0)), reason="r")
    with pytest.raises(ConfigError, match="no version as of 2026-11-19"):
        roll_back(context.settings, to=str(day(-1)), reason="r")
    with pytest.raises(ConfigError, match="neither a date nor a version"):
        roll_back(context.settings, to="yesterday", reason="r")
    with pytest.raises(ConfigError, match="needs a reason"):
        roll_back(context.settings, to=str(day(0)), reason="  ")
    with hold_lock(paths.lock, "night"), pytest.raises(LockedError):
        roll_back(context.settings, reason="r")


def test_a_damaged_version_is_not_published_again(make_context: MakeContext) -> None:
    for offset in (0, 1):
        context = make_context(day(offset))
        paths = publish_night(context, 3 + offset)
    first = versions.published_versions(paths)[0]
    (first.path / "exports" / "crm" / "audience.csv").write_text("forged")
    with pytest.raises(WarehouseError, match="other bytes"):
        roll_back(context.settings, reason="r")
    assert count_rows(paths) == 4


def test_a_night_that_died_before_a_rollback_does_not_undo_it(make_context: MakeContext) -> None:
    for offset in (0, 1):
        publish_night(make_context(day(offset)), 3 + offset)
    context = make_context(day(2))
    paths = build_night(context, 5)
    roll_back(context.settings, reason="a mistake")
    with pytest.raises(WarehouseError, match="was built upon 000002-2026-11-21"):
        versions.run(context)
    assert current_name(paths) == "000003-2026-11-20"
    assert current_name(publish_night(context, 5)) == "000004-2026-11-22"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_killed_at_every_durable_call_either_version_is_whole(make_context: MakeContext) -> None:
    for offset in (0, 1):
        context = make_context(day(offset))
        paths = publish_night(context, 3 + offset, sent=tuple(day(n) for n in range(offset + 1)))
    kills = 0
    for at in range(1, 400):
        died = dies_within(lambda: roll_back(context.settings, reason="r"), at)
        kills += died
        verify(paths)
        assert count_rows(paths) == (4 if current_name(paths) == "000002-2026-11-21" else 3)
        assert count_rows(paths, "ops.contact_log") == 2
        if not died:
            break
        # Back to before the rollback, so that the next kill finds the same situation.
        paths.current.unlink()
        paths.current.symlink_to(Path("versions") / "000002-2026-11-21")
        versions.recover(paths)
        left = sorted(path.name for path in paths.versions.iterdir())
        assert left == ["000001-2026-11-20", "000002-2026-11-21"]
    assert kills >= 15
    assert count_rows(paths) == 3


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_killed_anywhere_and_asked_for_again_it_goes_back_one_night(
    make_context: MakeContext,
) -> None:
    for offset in (0, 1, 2):
        context = make_context(day(offset))
        paths = publish_night(context, 3 + offset)
    kills = {"000003-2026-11-22": 0, "000004-2026-11-21": 0}
    for at in range(1, 400):
        died = dies_within(lambda: roll_back(context.settings, reason="r"), at)
        if not died:
            break
        kills[current_name(paths)] += 1
        done = roll_back(context.settings, reason="r")
        assert (done.copied.name, done.left.name, done.carried) == (
            "000002-2026-11-21",
            "000003-2026-11-22",
            {},
        ), at
        assert current_name(paths) == done.version.name == "000004-2026-11-21"
        assert not paths.rolling_back.exists()
        verify(paths)
        # Back to before the rollback, so that the next kill finds the same situation.
        paths.current.unlink()
        paths.current.symlink_to(Path("versions") / "000003-2026-11-22")
        versions.recover(paths)
    assert min(kills.values()) >= 2, kills
    assert roll_back(context.settings, reason="r").copied.name == "000001-2026-11-20"


def test_one_that_died_is_finished_for_whoever_asks_for_the_same(
    make_context: MakeContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    for offset in (0, 1, 2):
        context = make_context(day(offset))
        paths = publish_night(context, 3 + offset)

    def die_published(to: str | None) -> None:
        with monkeypatch.context() as dying:
            dying.setattr(versions, "finish_publication", lambda *_: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                roll_back(context.settings, to=to, reason="r")

    die_published(None)
    assert roll_back(context.settings, to=str(day(0)), reason="r").copied.name.startswith("000001")
    publish_night(context, 7)
    die_published(str(day(1)))
    again = roll_back(context.settings, to=str(day(1)), reason="r")
    assert again.version.name == current_name(paths) == "000007-2026-11-20"
    die_published("000001-2026-11-20")
    publish_night(context, 9)
    assert roll_back(context.settings, reason="r").left.name == "000009-2026-11-22"
