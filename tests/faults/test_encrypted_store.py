"""A store whose key is set: nights, erasure and rotation leave no delivery and no list in clear."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from cdp_pipeline.core.errors import CdpError
from cdp_pipeline.core.keys import load_keyring, new_key
from cdp_pipeline.ingest.sealing import sealable_files
from cdp_pipeline.orchestration.runner import RunOptions, run_night
from cdp_pipeline.project.loader import load_project
from cdp_pipeline.rights.erasure import resume_erasures
from cdp_pipeline.rights.removals import FOLDER as REMOVALS
from cdp_pipeline.rights.scan import scan_folder
from cdp_pipeline.rights.searching import Searcher
from cdp_pipeline.storage.container import open_sealed
from cdp_pipeline.storage.encryption import (
    count_clear,
    look_at_deliveries,
    look_at_exports,
    look_at_vaults,
)
from cdp_pipeline.storage.exports import export_files, read_export
from cdp_pipeline.storage.files import read_json
from cdp_pipeline.storage.leftovers import clear_leftovers
from cdp_pipeline.storage.rotation import Rotation, rotate_keys
from cdp_pipeline.storage.verification import examine_version
from cdp_pipeline.storage.versions import current_version, published_versions
from cdp_pipeline.storage.warehouse import open_whole
from tests.dying import count_calls, dies_within
from tests.faults.comparing import result_of
from tests.faults.conftest import ROUNDS, SEED, TONIGHT, Undisturbed
from tests.faults.test_erasure_kills import anybody, erase, left
from tests.faults.tiny import TinyStore

pytestmark = pytest.mark.slow

Fresh = Callable[[str], TinyStore]
FIRST, SECOND = new_key(), new_key()


def night(store: TinyStore) -> None:
    outcome = run_night(store.context(TONIGHT), RunOptions())
    assert outcome.status == "published", outcome.error


def rotate(store: TinyStore) -> Rotation:
    settings = store.context(TONIGHT).settings
    return rotate_keys(settings, sealable_files(settings, load_project(store.root)))


def in_clear(store: TinyStore, texts: list[str]) -> list[Path]:
    """Return files of the data folder whose bytes hold one of some texts."""
    wanted = [text.encode() for text in texts]
    return [
        path
        for path in sorted(store.data.rglob("*"))
        if path.is_file() and not path.is_symlink()
        if any(text in path.read_bytes() for text in wanted)
    ]


def members(store: TinyStore) -> list[str]:
    with open_whole(store.context(TONIGHT).settings) as con:
        rows = con.execute("select email from core.customer_contact where email is not null")
        return [email for (email,) in rows.fetchall()]


@pytest.fixture(scope="module")
def sealed(undisturbed: Undisturbed, tmp_path_factory: pytest.TempPathFactory) -> TinyStore:
    """Return a store after its first night with a key; to be copied."""
    store = undisturbed.before.copy_to(tmp_path_factory.mktemp("keyed") / "sealed")
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("CDP_KEYS__MASTER", FIRST)
        night(store)
    return store


@pytest.fixture
def keyed(sealed: TinyStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fresh:
    """Return a maker of stores after a night with a key, which is set."""
    monkeypatch.setenv("CDP_KEYS__MASTER", FIRST)
    return lambda name: sealed.copy_to(tmp_path / name)


def test_a_night_ends_with_everything_delivered_encrypted_and_the_next_reads_it(
    keyed: Fresh, undisturbed: Undisturbed, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = keyed("sealed")
    assert in_clear(undisturbed.before, ["@"])
    context = store.context(TONIGHT)
    assert look_at_deliveries(store.paths).clear == 0
    before_key, tonight = (v.path for v in published_versions(store.paths))
    assert look_at_exports([before_key]).encrypted == {}
    assert (look_at_exports([tonight]).clear, set(count_clear(store.paths))) == (0, {"outbox"})
    (given,) = store.paths.outbox.glob(f"*/{TONIGHT}/shoppers.csv")
    name = f"{given.parts[-3]}/{given.name}"
    listed = b"".join(read_export(tonight, name, context.settings.keys))
    assert given.read_bytes() == listed, "receivers get it in clear"
    assert listed.count(b"\n") > 10
    assert len(members(store)) > 10
    older = {path.parts[-4] for path in in_clear(store, members(store)) if "vault" in path.parts}
    assert older == {published_versions(store.paths)[0].name}, "published before there was a key"
    rotate(store)
    assert in_clear(store, members(store)) == []
    assert look_at_exports([before_key, tonight]).clear == 0
    named = {n: h for n, h in undisturbed.result.items() if n.startswith("version/parquet")}
    assert named.items() <= result_of(store.paths).items(), "the same tables as without a key"
    version = current_version(store.paths)
    assert version is not None
    examined = examine_version(context.settings, version)
    assert (examined.problems, examined.deliveries > 0) == ([], True)
    before = result_of(store.paths)
    (full, mirror) = run_again(store)
    assert full == "published"
    assert {n: h for n, h in mirror.items() if n in named} == named
    assert {n: h for n, h in mirror.items() if n.startswith("staging/")} == {
        n: h for n, h in before.items() if n.startswith("staging/")
    }, "the same content under the same key is the same bytes"
    monkeypatch.setenv("CDP_KEYS__MASTER", SECOND)
    with pytest.raises(CdpError, match=r"key .* is missing|not among those set"):
        members(store)


def run_again(store: TinyStore) -> tuple[str, dict[str, str]]:
    """Run the same night from the start, which reads every staged file anew."""
    outcome = run_night(store.context(TONIGHT), RunOptions(force=True))
    return outcome.status, result_of(store.paths)


def test_an_erasure_looks_into_encrypted_files_and_leaves_nothing(keyed: Fresh) -> None:
    store = keyed("erased")
    customer, traces = anybody(store)
    certificate = erase(store, customer)
    assert certificate.facts["left"] == 0
    assert certificate.facts["staged_rows"] > 0
    assert certificate.facts["raw_files_rewritten"] > 0
    assert certificate.facts["files_unreadable"] == []
    version = current_version(store.paths)
    assert version is not None
    assert examine_version(store.context(TONIGHT).settings, version).problems == []
    assert look_at_deliveries(store.paths).clear == 0
    assert list((store.data / "work").glob("*/plain/*")) == []
    # What it searched in encrypted files is proved on copies in clear of all of them.
    settings = store.context(TONIGHT).settings
    versions = [version.path for version in published_versions(store.paths)]
    assert certificate.facts["versions"][versions[-1].name]["files"]["exports"] > 0
    assert look_at_exports(versions[-1:]).clear == 0
    for path in (
        *sealable_files(settings, load_project(store.root)),
        *export_files(versions[-1]),
    ):
        path.write_bytes(b"".join(open_sealed(path, load_keyring(settings.keys))))
    assert look_at_deliveries(store.paths).encrypted == {}
    assert look_at_exports(versions).encrypted == {}
    assert left(store, traces) == []


def test_an_erasure_killed_anywhere_is_finished_and_leaves_nothing_in_clear(
    keyed: Fresh, record_property: Callable[[str, object], None]
) -> None:
    whole = keyed("whole")
    rotate(whole)  # what was published before there was a key
    customer, traces = anybody(whole)
    probe = whole.copy_to(whole.root.with_name("probe"))
    last = count_calls(partial(erase, probe, customer))
    staged = read_json(probe.paths.privacy / "certificates" / "E000001.json")["staged_rows"]
    assert staged > 0
    chance = random.Random(f"{SEED}8")  # noqa: S311 - points to try, no secret
    points = sorted({last, *chance.sample(range(1, last + 1), min(last, ROUNDS))})
    record_property("kills", len(points))
    for at in points:
        store = whole.copy_to(whole.root.with_name(f"killed-{at}"))
        assert dies_within(partial(erase, store, customer), at), at
        context = store.context(TONIGHT)
        assert len(members(store)) > 10, "readers never wait for an erasure"
        if not resume_erasures(context) and not list(store.paths.privacy.glob("certificates/*")):
            erase(store, customer)
        removals = sorted(store.paths.outbox.glob(f"*/{REMOVALS}"))
        found = scan_folder(
            store.data, Searcher(traces), excluded=removals, keys=context.settings.keys
        )
        assert (found.finds, found.unreadable) == ([], []), at
        assert look_at_deliveries(store.paths).clear == 0, at
        assert look_at_exports(v.path for v in published_versions(store.paths)).clear == 0, at
        assert in_clear(store, members(store)) == [], at
        assert not list((store.data / "work").glob("*/plain/*")), at
        assert not list((store.paths.privacy / "pending").iterdir()), at
        version = current_version(store.paths)
        assert version is not None
        assert examine_version(context.settings, version).problems == [], at


def test_a_rotation_killed_anywhere_goes_on(
    keyed: Fresh, monkeypatch: pytest.MonkeyPatch, record_property: Callable[[str, object], None]
) -> None:
    whole = keyed("whole")
    names = sorted(members(whole))
    monkeypatch.setenv("CDP_KEYS__MASTER", f"{SECOND} {FIRST}")
    probe = whole.copy_to(whole.root.with_name("probe"))
    last = count_calls(partial(rotate, probe))
    step = max(1, last // (8 * ROUNDS))
    points = sorted({1, *range(2, last, step), last})
    record_property("kills", len(points))
    for at in points:
        store = whole.copy_to(whole.root.with_name(f"killed-{at}"))
        assert dies_within(partial(rotate, store), at), at
        assert sorted(members(store)) == names, "readers never wait for a rotation"
        clear_leftovers(store.paths)  # as whatever runs next does
        assert not store.paths.rotation.exists()
        assert [path for path in in_clear(store, names) if "vault" not in path.parts] == []
        rotate(store)
        new = load_keyring(store.context(TONIGHT).settings.keys).current.id
        assert set(look_at_deliveries(store.paths).encrypted) == {new}, at
        vaults = look_at_vaults(v.path for v in published_versions(store.paths))
        assert (set(vaults.encrypted.values()), vaults.clear) == ({new}, ()), at
        exports = look_at_exports(v.path for v in published_versions(store.paths))
        assert (set(exports.encrypted), exports.clear) == ({new}, 0), at
        assert not list(store.data.rglob(".*.sealing")), at
        version = current_version(store.paths)
        assert version is not None
        assert examine_version(store.context(TONIGHT).settings, version).problems == []
