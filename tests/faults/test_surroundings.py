"""Nights whose surroundings fail: full disks, no memory, other clocks, other runs, readers."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from cdp_pipeline.core.context import Clock
from cdp_pipeline.storage.lock import hold_lock
from tests.faults import limits
from tests.faults.comparing import assert_sound, assert_tidy, result_of
from tests.faults.conftest import ROUNDS, TONIGHT, Undisturbed, seldom
from tests.faults.harness import run_victim
from tests.faults.publisher import ROWS, build, prepare, publish, story
from tests.faults.publisher import TONIGHT as PUBLISHED
from tests.faults.rivals import hold_for_ever, publish_or_say, read_throughout, start
from tests.faults.tiny import REPOSITORY, TinyStore

Fresh = Callable[[str], TinyStore]

WHEN_CLOCKS_GO_BACK = datetime(2026, 10, 25, 0, 59, 55, tzinfo=UTC)
"""In London."""


def ends_as_undisturbed(store: TinyStore, undisturbed: Undisturbed) -> None:
    ending = run_victim(store, TONIGHT)
    assert ending.status in {"published", "unchanged"}, ending.error
    assert_sound(store.paths)
    assert result_of(store.paths) == undisturbed.result
    assert_tidy(store.paths)


@pytest.mark.slow
@pytest.mark.parametrize("size", seldom([50_000, 400_000, 1_500_000], but=[400_000]))
def test_a_full_disk_is_named_and_the_next_night_is_right(
    undisturbed: Undisturbed, fresh: Fresh, size: int
) -> None:
    store = fresh("full")
    before = assert_sound(store.paths)
    ending = run_victim(store, TONIGHT, prepare=partial(limits.limit_file_size, size))
    assert ending.status == "failed"
    assert "help:" in ending.error
    assert "Traceback" not in ending.error
    assert assert_sound(store.paths) == before
    ends_as_undisturbed(store, undisturbed)


@pytest.mark.slow
@pytest.mark.parametrize("megabytes", seldom([10, 60, 200], but=[60]))
def test_without_memory_nothing_is_published_or_all(
    undisturbed: Undisturbed, fresh: Fresh, megabytes: int
) -> None:
    store = fresh("memory")
    run_victim(store, TONIGHT, prepare=partial(limits.limit_memory, megabytes))
    assert_sound(store.paths)
    ends_as_undisturbed(store, undisturbed)


@pytest.mark.slow
@pytest.mark.parametrize(
    "moment",
    seldom(
        [
            datetime(1999, 12, 31, 23, 59, 58, tzinfo=UTC),
            datetime(2026, 3, 29, 0, 59, 55, tzinfo=UTC),  # London's clocks go forward
            WHEN_CLOCKS_GO_BACK,
            datetime(2040, 2, 29, 12, 0, tzinfo=UTC),
        ],
        but=[WHEN_CLOCKS_GO_BACK],
    ),
)
def test_the_clock_decides_nothing(
    undisturbed: Undisturbed, fresh: Fresh, moment: datetime
) -> None:
    store = fresh("clock")
    ending = run_victim(store, TONIGHT, prepare=partial(limits.set_clock, moment))
    assert ending.status == "published", ending.error
    assert result_of(store.paths) == undisturbed.result


@pytest.mark.slow
def test_a_clock_that_jumps_during_a_night_decides_nothing(
    undisturbed: Undisturbed, fresh: Fresh
) -> None:
    store = fresh("jumps")
    moment = datetime(2026, 11, 17, 23, 59, 58, tzinfo=UTC)
    jumps = partial(limits.let_clock_jump, moment, (1, -2, 400, -4000, 3600) * 3)
    ending = run_victim(store, TONIGHT, prepare=jumps)
    assert ending.status == "published", ending.error
    assert result_of(store.paths) == undisturbed.result


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("unshare"), reason="unshare is not installed")
def test_a_read_only_folder_stays_as_it_was_and_the_next_night_is_right(
    undisturbed: Undisturbed, fresh: Fresh
) -> None:
    if subprocess.run(["unshare", "-Urm", "true"], check=False).returncode:
        pytest.skip("this system lets nobody mount anything")
    store = fresh("read-only")
    before = result_of(store.paths)
    ending = run_victim(store, TONIGHT, prepare=partial(limits.make_read_only, store.data))
    assert ending.status != "published"
    assert (ending.steps, result_of(store.paths)) == ([], before)
    ends_as_undisturbed(store, undisturbed)


@pytest.mark.parametrize(
    ("moment", "day"),
    [
        ("2026-03-29T00:30:00+00:00", "2026-03-29"),
        ("2026-03-28T23:59:59+00:00", "2026-03-28"),
        ("2026-10-24T22:59:59+00:00", "2026-10-24"),  # 23:59:59 in London
        ("2026-10-24T23:00:00+00:00", "2026-10-25"),
        ("2026-10-25T01:30:00+00:00", "2026-10-25"),
        ("2026-10-25T23:59:59+00:00", "2026-10-25"),
    ],
)
def test_the_business_day_is_the_stores(moment: str, day: str) -> None:
    import time_machine

    with time_machine.travel(datetime.fromisoformat(moment), tick=False):
        assert Clock().today("Europe/London").isoformat() == day
        assert datetime.now(ZoneInfo("Europe/London")).date().isoformat() == day


@pytest.mark.slow
def test_one_date_at_once_and_an_overlapping_backfill(
    undisturbed: Undisturbed, fresh: Fresh
) -> None:
    store = fresh("doubled")

    def attempt(day: object) -> str:
        try:
            return run_victim(store, day).status  # type: ignore[arg-type] # a date
        except AssertionError as error:
            return str(error)

    nights = [TONIGHT, TONIGHT, TONIGHT, TONIGHT - timedelta(days=1)]
    with ThreadPoolExecutor(len(nights)) as pool:
        statuses = list(pool.map(attempt, nights))
    assert statuses.count("published") <= 1
    assert_sound(store.paths)
    ends_as_undisturbed(store, undisturbed)


def test_of_runs_at_once_one_wins_and_the_others_name_it(
    tmp_path: Path, record_property: Callable[[str, int], None]
) -> None:
    root = tmp_path / "project"
    paths = prepare(root)
    with hold_lock(paths.lock, "night of the test"):
        loser, ours = start(publish_or_say, root)
        said = ours.recv()
        loser.join()
    assert f'"pid": {os.getpid()}' in said
    assert "night of the test" in said
    runs = [start(publish_or_say, root) for _ in range(4)]
    answers = [ours.recv() for _, ours in runs]
    for run, _ in runs:
        run.join()
    record_property("runs", 1 + len(runs))
    assert "published" in answers
    assert all(answer == "published" or "another run holds" in answer for answer in answers)
    assert story(root) == ROWS[PUBLISHED]
    assert len(list((root / "data" / "warehouse" / "versions").iterdir())) == 2


def test_no_lock_outlives_its_holder(
    tmp_path: Path, record_property: Callable[[str, int], None]
) -> None:
    path = tmp_path / ".lock"
    record_property("kills", 10 * ROUNDS)
    for _ in range(10 * ROUNDS):
        holder, ours = start(hold_for_ever, path)
        assert ours.recv() == "held"
        holder.kill()
        holder.join()
        with hold_lock(path, "the next", wait_seconds=0.1):
            pass
    assert path.is_file()


@pytest.mark.slow
def test_readers_see_whole_nights_while_nights_are_published(
    tmp_path: Path, record_property: Callable[[str, int], None]
) -> None:
    root = tmp_path / "project"
    prepare(root)
    # Nights follow each other faster here than a busy machine reads: none may go meanwhile.
    settings = root / "pyproject.toml"
    kept = settings.read_text("utf-8").replace("keep_versions = 2", "keep_versions = 30")
    settings.write_text(kept, encoding="utf-8")
    publish(root)
    readers = [start(read_throughout, root) for _ in range(2)]
    for number in range(25 * ROUNDS):
        day = PUBLISHED + timedelta(days=number + 1)
        ROWS[day] = 5
        build(root, day, 5)
        publish(root, day)
        shutil.rmtree(root / "data" / "work", ignore_errors=True)
    for reader, ours in readers:
        ours.send("stop")
        reads, failures = ours.recv()
        reader.join()
        record_property("reads", reads)
        assert reads > 10
        assert failures == []


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("unshare"), reason="unshare is not installed")
@pytest.mark.parametrize("free", [0, 4, 2_000])
def test_a_real_full_disk(tmp_path: Path, free: int) -> None:
    """A small file system of memory, which only this process sees."""
    kept = tmp_path / "kept"
    root = tmp_path / "disk" / "project"
    prepare(root)
    shutil.move(root, kept)
    root.parent.mkdir(exist_ok=True)
    script = (
        f"mount -t tmpfs -o size=8m none '{root.parent}' && cp -a '{kept}' '{root}' || exit 9\n"
        f"dd if=/dev/zero of='{root.parent}/rest' bs=1k 2>/dev/null\n"
        f"truncate -s -{free}k '{root.parent}/rest'\n"
        f"'{sys.executable}' -c \"import sys; from pathlib import Path\n"
        "from tests.faults import publisher as p\n"
        "try:\n    p.publish(Path(sys.argv[1])); said = 'published'\n"
        "except Exception as error:\n    said = f'{type(error).__name__}: {error}'\n"
        f"print(said, p.story(Path(sys.argv[1])))\" '{root}'"
    )
    done = subprocess.run(
        ["unshare", "-Urm", "sh", "-c", script],
        cwd=REPOSITORY, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode == 9:
        pytest.skip("this system lets nobody mount a disk of memory")
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().endswith(("3", "5"))
    expected = "No space left" if free < 100 else "published"
    assert expected in done.stdout
