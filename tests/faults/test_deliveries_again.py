"""What was delivered counts once, however often, in whatever order and pieces it came."""

from __future__ import annotations

import random
import shutil
from collections import Counter
from datetime import date, timedelta
from pathlib import Path

import pytest

from cdp_pipeline.orchestration.runner import run_night
from cdp_pipeline.storage.rollback import roll_back
from cdp_pipeline.storage.verification import examine_version
from cdp_pipeline.storage.versions import current_version, published_versions
from cdp_pipeline.storage.warehouse import open_whole
from tests.faults.tiny import FIRST_NIGHT, TinyStore, make_store
from tests.integration.test_increment import hash_tables

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning:great_expectations.*"),
]

LAST = FIRST_NIGHT + timedelta(days=1)
DAYS = (FIRST_NIGHT - timedelta(days=1), FIRST_NIGHT, LAST)
TELL_WHEN = {
    "core.bridge_identity",
    "core.bridge_identity_masked",
    "core.dim_customer_history",
    "core.fct_consents",
}
"""Tables of core that tell by which file, or in which night, something became known."""


def run(store: TinyStore, day: date) -> None:
    outcome = run_night(store.context(day))
    assert outcome.error is None, outcome.error


def facts(store: TinyStore) -> dict[str, tuple[int, int | None]]:
    """Return rows and a hash of every table that tells what happened and who is who."""
    version = current_version(store.paths)
    assert version is not None
    kept = {"identity.golden_records", "identity.households", "identity.edges"}
    hashes = hash_tables(version.path)
    assert kept <= hashes.keys()
    return {
        table: found
        for table, found in hashes.items()
        if table in kept or (table.startswith(("core.", "features.")) and table not in TELL_WHEN)
    }


def sales(store: TinyStore) -> list[tuple[object, ...]]:
    with open_whole(store.context(LAST).settings) as con:
        return con.execute("from core.fct_sales order by all").fetchall()


def deliveries(store: TinyStore) -> Counter[str]:
    """Return how many deliveries have which status."""
    with open_whole(store.context(LAST).settings) as con:
        return Counter(s for (s,) in con.execute("select status from ops.deliveries").fetchall())


def in_pieces(store: TinyStore, seed: int) -> None:
    """Deliver the same rows again: every file in two, under other names, the pieces repeated."""
    drawn = random.Random(seed)  # noqa: S311 - no secret
    for path in sorted((store.data / "landing").rglob("*.csv")):
        header, *lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        cut = drawn.randrange(len(lines) + 1)
        pieces = [part for part in (lines[:cut], lines[cut:]) if part]
        stem = path.stem.rpartition("_")[0]
        day = path.parent.name.replace("-", "")
        for number, part in enumerate(drawn.sample([*pieces, *pieces], 2 * len(pieces))):
            (path.parent / f"{stem}_{day}_{number}.csv").write_text(header + "".join(part))
        path.unlink()


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> tuple[TinyStore, TinyStore]:
    """Return a store whose nights were run one by one, and one with all days before it."""
    folder = tmp_path_factory.mktemp("again")
    waiting = make_store(folder / "waiting")
    nightly = waiting.copy_to(folder / "nightly")
    for day in DAYS:
        run(nightly, day)
    return nightly, waiting


@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.long)])
def test_any_order_split_and_repeat_gives_the_same_tables(
    stores: tuple[TinyStore, TinyStore], tmp_path: Path, seed: int
) -> None:
    nightly, waiting = stores
    store = waiting.copy_to(tmp_path / "pieces")
    in_pieces(store, seed)
    run(store, LAST)
    assert facts(store) == facts(nightly)


def test_all_history_delivered_twice_again_adds_nothing(
    stores: tuple[TinyStore, TinyStore], tmp_path: Path
) -> None:
    nightly, _ = stores
    store = nightly.copy_to(tmp_path / "again")
    before, known = sales(store), deliveries(store)
    later = LAST + timedelta(days=1)
    files = sorted((store.data / "landing").rglob("*.csv"))
    for number, path in enumerate([*files, *files]):
        folder = path.parents[1] / f"{later}"
        folder.mkdir(exist_ok=True)
        shutil.copy(path, folder / f"{path.parents[1].name}_{later:%Y%m%d}_{number}.csv")
    run(store, later)
    assert sales(store) == before
    assert deliveries(store) == known + Counter({"duplicate_file": 2 * len(files)})


def examined(store: TinyStore) -> dict[str, tuple[list[str], list[str]]]:
    """Return problems and remarks of every version that is kept."""
    settings = store.context(LAST).settings
    found = [examine_version(settings, v) for v in published_versions(store.paths)]
    return {each.version: (each.problems, each.remarks) for each in found}


def test_what_came_again_or_was_rolled_back_is_whole_and_what_nobody_sent_is_not(
    tmp_path: Path,
) -> None:
    store = make_store(tmp_path / "again")
    run(store, DAYS[0])
    path = next((store.data / "landing" / "pos_sales" / str(DAYS[0])).glob("*.csv"))
    *first, last = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(first))
    run(store, FIRST_NIGHT)
    came_again = "1 deliveries came again with other content, which is known"
    assert examined(store) == {
        f"000001-{DAYS[0]}": ([], [came_again]),
        f"000002-{FIRST_NIGHT}": ([], []),
    }
    roll_back(store.context(LAST).settings, reason="r")
    assert examined(store)[f"000003-{DAYS[0]}"] == ([], [came_again])
    path.write_bytes(b"".join([*first, last.replace(b"0", b"9")]))
    wrong = f"pos_sales/{DAYS[0]}/{path.name} has other bytes than were delivered"
    assert set(map(str, examined(store).values())) == {str(([wrong], []))}
