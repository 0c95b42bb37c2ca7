"""The vault: apart, encrypted when a key is set, read in place, brought under a new key."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest
from pydantic import SecretStr

from cdp_pipeline.core.access_settings import KeySettings
from cdp_pipeline.core.context import RunContext
from cdp_pipeline.core.errors import ConfigError, LockedError, WarehouseError
from cdp_pipeline.core.keys import load_keyring, new_key
from cdp_pipeline.core.settings import Settings
from cdp_pipeline.rights.scan import scan_folder
from cdp_pipeline.rights.searching import Searcher
from cdp_pipeline.rights.traces import Traces, add_words
from cdp_pipeline.storage import rotation, versions
from cdp_pipeline.storage.cipher import new_vault_key, read_vault_key, scan_of, write_encrypted
from cdp_pipeline.storage.encryption import look_at_vaults
from cdp_pipeline.storage.lease import hold_lease
from cdp_pipeline.storage.paths import DataPaths
from cdp_pipeline.storage.rotation import rotate_keys
from cdp_pipeline.storage.sealing import broken_seal
from cdp_pipeline.storage.warehouse import open_build, open_published, open_whole
from tests.unit.storage.nights import build_night, day

MakeContext = Callable[..., RunContext]
PERSON = "anna.obrien@example.com"


def keys(*texts: str) -> dict[str, SecretStr]:
    return {"master": SecretStr(" ".join(texts))}


def publish(make_context: MakeContext, offset: int = 0, **settings: object) -> RunContext:
    context = make_context(day(offset), **settings)
    build_night(context, 10 + offset)
    with open_build(context) as con:
        con.execute(
            f"create or replace table identity.people as select range as id, '{PERSON}' as email "
            f"from range({offset + 3})"
        )
    versions.run(context)
    return context


def held(settings: Settings, version: Path | None = None) -> int:
    with open_whole(settings, version=version) as con:
        rows = con.execute("select count(*) from identity.people where email = ?", [PERSON])
        return int(rows.fetchall()[0][0])


def test_personal_tables_are_apart_and_named_as_before(make_context: MakeContext) -> None:
    context = publish(make_context)
    vault = DataPaths.of(context).current / "vault"
    assert [p.relative_to(vault).as_posix() for p in vault.rglob("*.parquet")] == [
        "identity/people.parquet"
    ]
    assert held(context.settings) == 3
    with open_published(context.data_dir) as con, pytest.raises(duckdb.CatalogException):
        con.execute("from identity.people")
    assert versions.current_version(DataPaths.of(context)).manifest["rows"] == {  # type: ignore[union-attr]
        "core.numbers": 10, "identity.people": 3, "ops.contact_log": 0
    }  # fmt: skip
    with open_build(make_context(day(0))) as con:
        assert con.execute("select count(*) from identity.people").fetchall() == [(3,)]


def test_with_a_key_the_vault_is_encrypted_and_read_in_place(make_context: MakeContext) -> None:
    key = new_key()
    context = publish(make_context, keys=keys(key))
    vault = DataPaths.of(context).current.resolve() / "vault"
    assert look_at_vaults([vault.parent]).encrypted == {
        vault.parent.name: load_keyring(context.settings.keys).current.id
    }
    assert not any(PERSON.encode() in path.read_bytes() for path in vault.rglob("*.parquet"))
    assert held(context.settings) == 3
    night = publish(make_context, 1, keys=keys(key))
    with open_build(night) as con:
        assert con.execute("select count(*) from base.identity.people").fetchall() == [(3,)]
    for wrong, text in ((keys(new_key()), "is missing"), ({}, "is missing")):
        with pytest.raises(ConfigError, match=text) as caught:
            held(context.settings.model_copy(update={"keys": KeySettings(**wrong)}))
        assert "Put the old key back" in str(caught.value.hint)
    assert {p.stat().st_mode & 0o777 for p in vault.rglob("*") if p.is_file()} == {0o600}


def test_a_changed_byte_is_found_by_reader_and_by_verify(make_context: MakeContext) -> None:
    context = publish(make_context, keys=keys(new_key()))
    path = DataPaths.of(context).current.resolve() / "vault" / "identity" / "people.parquet"
    data = bytearray(path.read_bytes())
    data[len(data) // 3] ^= 1
    path.write_bytes(data)
    with open_whole(context.settings) as con, pytest.raises(duckdb.Error):
        con.execute("from identity.people").fetchall()
    version = versions.current_version(DataPaths.of(context))
    assert version is not None
    assert any("people.parquet" in wrong for wrong in versions.verify(version))


def test_many_rows_and_all_types_come_back(tmp_path: Path) -> None:
    settings = KeySettings(master=SecretStr(new_key()))
    key = new_vault_key(settings)
    assert key is not None
    folder = tmp_path / "it's"
    (folder / "core").mkdir(parents=True)
    key.note(folder)
    path = folder / "core" / "many.parquet"
    with duckdb.connect() as con:
        con.execute(
            "create table many as select i as id, repeat('x', (i % 300)::int) || i as words, "
            "(i * 17)::ubigint as hash, date '1950-01-01' + (i % 20000)::int as day, "
            "timestamp '2020-01-01' + interval (i) second as at, null::varchar as nothing, "
            "(i / 7)::decimal(18, 2) as amount, i % 2 = 0 as yes, 1 / (i + 1) as share, "
            "(i % 7)::smallint as small from range(300000) as r(i)"
        )
        write_encrypted(con.sql("from many").to_arrow_reader(122_880), path, key)
        scan = scan_of(con, path, read_vault_key(folder, settings))
        for rest in (
            "where hash = 17 * 250000",
            "where words like '%299999' and small < 1",
            "order by id desc limit 5",
            "inner join (select 77777 as id) using (id)",
            "where day = (select max(day) from many) order by words, id limit 9",
        ):
            ours, theirs = (
                con.execute(f"select * from {place} as t {rest}").fetchall()
                for place in ("many", scan)
            )
            assert ours, rest
            assert ours == theirs, rest
        assert con.execute(
            f"select count(*) from (from many except all from {scan})"
        ).fetchall() == [(0,)]
        assert con.execute(
            f"select bool_and(id = n) from (select id, row_number() over () - 1 as n from {scan})"
        ).fetchall() == [(True,)]
        assert (
            con.execute("describe many").fetchall()
            == con.execute(f"describe from {scan}").fetchall()
        )
        with pytest.raises(WarehouseError, match=r"many.l is .*cannot be encrypted"):
            write_encrypted(con.sql("select [1] as l").to_arrow_reader(10), path, key)


def test_a_rotation_that_dies_goes_on(
    make_context: MakeContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = new_key(), new_key()
    publish(make_context, 0)  # in clear
    publish(make_context, 1, keys=keys(first))
    context = publish(make_context, 2, keys=keys(second, first))
    paths, old = DataPaths.of(context), load_keyring(KeySettings(**keys(first))).current.id
    swapped: list[str] = []

    def die(a: Path, b: Path) -> None:
        if swapped:
            raise KeyboardInterrupt
        swapped.append(b.name)
        versions_exchange(a, b)

    versions_exchange = rotation.exchange
    monkeypatch.setattr(rotation, "exchange", die)
    with pytest.raises(KeyboardInterrupt):
        rotate_keys(context.settings)
    monkeypatch.undo()
    kept = versions.published_versions(paths)
    assert [held(context.settings, version.path) for version in kept] == [3, 4, 5]
    done = rotate_keys(context.settings)
    assert done.done == {kept[1].name: old}
    assert done.kept == (kept[0].name, kept[2].name)
    assert list(paths.versions.glob(".*")) == []
    new_only = context.settings.model_copy(update={"keys": KeySettings(**keys(second))})
    assert [held(new_only, version.path) for version in kept] == [3, 4, 5]
    for version in versions.published_versions(paths):
        assert versions.verify(version) == []
        assert broken_seal(version.manifest, load_keyring(new_only.keys)) is None
    assert look_at_vaults(v.path for v in kept).clear == ()
    assert rotate_keys(context.settings).done == {}


def test_a_rotation_waits_for_a_night_between_two_steps(make_context: MakeContext) -> None:
    first, second = new_key(), new_key()
    publish(make_context, 0, keys=keys(first))
    context = make_context(day(1), keys=keys(second, first))
    night = replace(DataPaths.of(context), run_id="airflow-scheduled__2026-11-21")
    with hold_lease(night, "build_core"):
        pass
    with pytest.raises(LockedError, match="build_core"):
        rotate_keys(context.settings)


def test_a_rotation_needs_a_key_and_the_old_one(make_context: MakeContext) -> None:
    context = publish(make_context, keys=keys(new_key()))
    with pytest.raises(ConfigError, match="is missing"):
        rotate_keys(context.settings.model_copy(update={"keys": KeySettings(**keys(new_key()))}))
    with pytest.raises(ConfigError, match="no key is set"):
        rotate_keys(context.settings.model_copy(update={"keys": KeySettings()}))


def test_the_search_of_an_erasure_looks_inside(make_context: MakeContext) -> None:
    context = publish(make_context, keys=keys(new_key()))
    nobody = Traces(subjects=(), values=frozenset(), words=frozenset(), phones=frozenset(),
                    numbers=frozenset(), names=frozenset())  # fmt: skip
    traces = add_words(nobody, [("email", PERSON)])
    folder = DataPaths.of(context).versions
    found = scan_folder(folder, Searcher(traces), keys=context.settings.keys)
    assert {(Path(f.file).name, f.place) for f in found.finds} == {("people.parquet", "email")}
    name = DataPaths.of(context).current.resolve().name
    closed = ("exports/crm/audience.csv", "exports/crm/same.csv", "vault/identity/people.parquet")
    assert scan_folder(folder, Searcher(traces)).unreadable == [f"{name}/{path}" for path in closed]
