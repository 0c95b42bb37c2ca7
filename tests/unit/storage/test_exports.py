"""Exports at rest: sealed with a key, verified without one, given in clear to who holds it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from pydantic import SecretStr

from cdp_pipeline.core.access_settings import KeySettings
from cdp_pipeline.core.context import RunContext
from cdp_pipeline.core.errors import ConfigError
from cdp_pipeline.core.keys import load_keyring, new_key
from cdp_pipeline.core.settings import EngineSettings
from cdp_pipeline.storage.container import CHUNK, SealedFileError, key_of, seal_to
from cdp_pipeline.storage.encryption import count_clear, look_at_exports
from cdp_pipeline.storage.exports import (
    close_outbox,
    closed_files,
    copy_exports,
    export_files,
    handed_over,
    read_export,
)
from cdp_pipeline.storage.paths import DataPaths
from cdp_pipeline.storage.rollback import roll_back
from cdp_pipeline.storage.rotation import rotate_keys
from cdp_pipeline.storage.versions import published_versions, verify
from tests.unit.storage.nights import day, publish_night

MakeContext = Callable[..., RunContext]


def keys(*texts: str) -> KeySettings:
    return KeySettings(master=SecretStr(" ".join(texts)))


def test_published_exports_are_sealed_and_shared_and_those_of_the_run_are_not(
    make_context: MakeContext,
) -> None:
    key = keys(new_key())
    context = make_context(day(0), keys=key)
    paths = publish_night(context, 3)
    publish_night(make_context(day(1), keys=key), 4)
    first, second = published_versions(paths)
    name = load_keyring(key).current.id
    assert [key_of(path) for path in export_files(second.path)] == [name, name]
    assert look_at_exports([first.path, second.path]).words() == f"4 files encrypted under {name}"
    assert (paths.tree / "exports" / "crm" / "audience.csv").read_text() == "n\n3\n"
    assert verify(first) == verify(second) == []
    same = "exports/crm/same.csv"
    assert (first.path / same).samefile(second.path / same), "the same content is the same bytes"


def test_who_holds_the_key_gets_them_in_clear_and_nobody_else(
    make_context: MakeContext, tmp_path: Path
) -> None:
    key = keys(new_key())
    paths = publish_night(make_context(day(0), keys=key), 3)
    version = paths.current.resolve()
    (version / "exports" / "crm" / "manifest.json").write_text("{}")
    assert copy_exports(version, tmp_path / "to", key) == 3
    assert copy_exports(version, tmp_path / "to", key) == 3, "again over what is there"
    copied = tmp_path / "to" / "crm"
    assert (copied / "audience.csv").read_text() == "n\n3\n"
    assert {path.stat().st_mode & 0o777 for path in copied.iterdir()} == {0o640}
    assert b"".join(read_export(version, "crm/audience.csv", key)) == b"n\n3\n"
    for unknown in ("crm/manifest.json", "crm/none.csv", "../MANIFEST.json"):
        with pytest.raises(ConfigError, match="has no export"):
            read_export(version, unknown, key)
    for wrong in (KeySettings(), keys(new_key())):
        with pytest.raises(SealedFileError, match="not among those set"):
            copy_exports(version, tmp_path / "elsewhere", wrong)
        assert not (tmp_path / "elsewhere" / "crm" / "audience.csv").exists()


def test_a_file_that_does_not_open_to_its_end_is_given_out_not_even_in_part(
    make_context: MakeContext, tmp_path: Path
) -> None:
    key = keys(new_key())
    version = publish_night(make_context(day(0), keys=key), 3).current.resolve()
    path = version / "exports" / "crm" / "audience.csv"
    plain = tmp_path / "plain.csv"
    plain.write_bytes(b"anna@example.com\n" * (3 * CHUNK // 17))
    seal_to(plain, path, load_keyring(key).current)
    held = path.read_bytes()
    path.write_bytes(held[:-1] + bytes([held[-1] ^ 1]))
    with pytest.raises(SealedFileError):
        copy_exports(version, tmp_path / "to", key)
    assert [file for file in (tmp_path / "to").rglob("*") if file.is_file()] == []


def test_exports_without_a_key_are_given_out_as_they_are(make_context: MakeContext) -> None:
    paths = publish_night(make_context(day(0)), 3)
    version = paths.current.resolve()
    assert (version / "exports" / "crm" / "audience.csv").read_text() == "n\n3\n"
    assert b"".join(read_export(version, "crm/audience.csv", KeySettings())) == b"n\n3\n"


def test_a_rotation_brings_exports_under_the_key_also_those_from_before_there_was_one(
    make_context: MakeContext,
) -> None:
    old, new = new_key(), new_key()
    paths = publish_night(make_context(day(0)), 3)
    publish_night(make_context(day(1), keys=keys(old)), 4)
    settings = make_context(day(1), keys=keys(new, old)).settings
    folder = paths.outbox / "crm" / "2026-11-01"
    folder.mkdir(parents=True)
    shutil.copy(paths.current / "exports" / "crm" / "audience.csv", folder)
    (paths.outbox / "crm" / "2026-11-20").mkdir()
    (paths.outbox / "crm" / "2026-11-20" / "tonight.csv").write_text("n\n")
    rotate_keys(settings)
    name = load_keyring(settings.keys).current.id
    for version in published_versions(paths):
        assert {key_of(path) for path in export_files(version.path)} == {name}
        assert verify(version) == []
    assert [key_of(path) for path in handed_over(paths)] == [name, None], "clear stays clear"
    only_new = keys(new)
    assert b"".join(read_export(paths.current.resolve(), "crm/audience.csv", only_new)) == b"n\n4\n"
    assert rotate_keys(settings).done == {}


def test_a_vault_under_the_key_does_not_hide_exports_in_clear(make_context: MakeContext) -> None:
    key = keys(new_key())
    context = make_context(day(0), keys=key)
    paths = publish_night(context, 3)
    (version,) = published_versions(paths)
    plain = b"".join(read_export(version.path, "crm/audience.csv", key))
    (version.path / "exports" / "crm" / "audience.csv").write_bytes(plain)
    assert look_at_exports([version.path]).clear == 1
    assert list(rotate_keys(context.settings).done) == [version.name]
    assert look_at_exports([version.path]).clear == 0
    assert verify(version) == []


def test_a_rollback_to_a_night_without_a_key_publishes_no_list_in_clear(
    make_context: MakeContext,
) -> None:
    paths = publish_night(make_context(day(0)), 3)
    context = make_context(day(1), keys=keys(new_key()))
    publish_night(context, 4)
    settings = context.settings.model_copy(update={"engine": EngineSettings(threads=1)})
    done = roll_back(settings, reason="test")
    assert look_at_exports([done.version.path]).clear == 0
    assert verify(done.version) == []
    assert (published_versions(paths)[0].path / "exports/crm/audience.csv").read_text() == "n\n3\n"


def test_the_outbox_is_closed_when_its_time_is_over(tmp_path: Path) -> None:
    paths, key = DataPaths(tmp_path, tmp_path / "landing"), keys(new_key())
    for name in ("2026-11-05", "2026-11-06", "2026-11-20", ".2026-11-01.part", "erasures"):
        (paths.outbox / "crm" / name).mkdir(parents=True)
        (paths.outbox / "crm" / name / "list.csv").write_text("n\n1\n")
        (paths.outbox / "crm" / name / "manifest.json").write_text("{}")
    night = date(2026, 11, 20)
    assert close_outbox(paths, KeySettings(), night=night, days=14).files == 0
    assert count_clear(paths) == {"outbox": 4}
    assert close_outbox(paths, key, night=night, days=14).files == 2
    assert [path.parent.name for path in closed_files(paths)] == ["2026-11-05", "2026-11-06"]
    assert count_clear(paths) == {"outbox": 2}
    assert (paths.outbox / "crm" / "2026-11-05" / "manifest.json").read_text() == "{}"
    again = close_outbox(paths, key, night=night, days=14)
    assert (again.files, again.kept) == (0, 2)


def test_a_night_that_is_gathered_again_seals_again(make_context: MakeContext) -> None:
    context = make_context(day(0), keys=keys(new_key()))
    publish_night(context, 3)
    before = {p.name: p.read_bytes() for p in export_files(DataPaths.of(context).current.resolve())}
    publish_night(replace(context, is_full=True), 3)
    assert len(published_versions(DataPaths.of(context))) == 2
    after = {p.name: p.read_bytes() for p in export_files(DataPaths.of(context).current.resolve())}
    assert before == after
