"""The audit log: whole after a crash, and no change to it goes unseen."""

from __future__ import annotations

import json
import multiprocessing
import os
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from cdp_pipeline.core.access_settings import KeySettings
from cdp_pipeline.core.context import RunContext
from cdp_pipeline.core.errors import ConfigError
from cdp_pipeline.core.keys import Keyring, load_keyring, new_key
from cdp_pipeline.core.settings import Settings
from cdp_pipeline.storage.audit import AuditLog, Deed, canonical, note, parse_line, read_entries
from cdp_pipeline.storage.audit import signature as sign
from cdp_pipeline.storage.audit_chain import examine, verify_log
from cdp_pipeline.storage.files import read_json, write_json
from cdp_pipeline.storage.versions import MANIFEST_FILE, published_versions
from tests.unit.storage.test_versions import build, versions

OLD, NEW = new_key(), new_key()


def ring(*keys: str) -> Keyring:
    return load_keyring(KeySettings(master=SecretStr(" ".join(keys))))


@pytest.fixture
def log(tmp_path: Path) -> AuditLog:
    return AuditLog(tmp_path / "audit" / "log.jsonl", ring(OLD))


def fill(log: AuditLog, count: int = 5) -> list[bytes]:
    for number in range(count):
        log.append(Deed("explain", f"page {number}", on=[f"C{number}"], why="complaint 7"))
    return log.path.read_bytes().splitlines(keepends=True)


def test_an_untouched_log_is_whole(log: AuditLog) -> None:
    fill(log)
    verdict = examine(log, {})
    assert (verdict.problems, verdict.remarks) == ((), ())
    assert verdict.end == log.anchor()
    assert verdict.end.entries == 5


def test_an_entry_says_who_what_whom_when_why(log: AuditLog) -> None:
    log.append(Deed("explain", "one page", on=["C01"], why="call of ann@example.com", run="n-1"))
    (entry,) = read_entries(log.path)
    assert entry.body is not None
    assert entry.body["did"] == "explain"
    assert entry.body["what"] == "one page"
    assert set(entry.body["on"]) <= log.tokens_of("C01")
    assert entry.body["why"] == "call of [email]"
    assert entry.body["run"] == "n-1"
    assert entry.body["who"]
    assert entry.body["at"].endswith("+00:00")
    assert b"C01" not in log.path.read_bytes()


def edit(lines: list[bytes]) -> list[bytes]:
    return [*lines[:2], lines[2].replace(b"page 2", b"page 9"), *lines[3:]]


def respace(lines: list[bytes]) -> list[bytes]:
    return [*lines[:2], lines[2].replace(b'":', b'": ', 1), *lines[3:]]


def delete(lines: list[bytes]) -> list[bytes]:
    return lines[:2] + lines[3:]


def behead(lines: list[bytes]) -> list[bytes]:
    return lines[1:]


def swap(lines: list[bytes]) -> list[bytes]:
    return [*lines[:2], lines[3], lines[2], *lines[4:]]


def repeat(lines: list[bytes]) -> list[bytes]:
    return [*lines[:3], lines[2], *lines[3:]]


def garble(lines: list[bytes]) -> list[bytes]:
    return [*lines[:2], b"\xff\x00 no entry\n", *lines[3:]]


def append_without_key(lines: list[bytes]) -> list[bytes]:
    last = parse_line(0, lines[-1].rstrip())
    body = {**(last.body or {}), "n": 6, "did": "nothing"}
    forged = ring(NEW).current
    body["key"] = (last.body or {})["key"]
    return [*lines, canonical({**body, "mac": sign(forged, last.mac, body)}) + b"\n"]


@pytest.mark.parametrize(
    "tamper", [edit, respace, delete, behead, swap, repeat, garble, append_without_key]
)
def test_tampering_is_found_at_its_line(
    log: AuditLog, tamper: Callable[[list[bytes]], list[bytes]]
) -> None:
    log.path.parent.mkdir(exist_ok=True)
    log.path.write_bytes(b"".join(tamper(fill(log))))
    problems = examine(log, {}).problems
    assert problems
    assert all(problem.startswith("line ") for problem in problems)


def test_a_cut_off_end_is_found_by_what_was_noted_of_it(log: AuditLog) -> None:
    lines = fill(log)
    noted = {"000001-2026-11-20": log.anchor()}
    log.path.write_bytes(b"".join(lines[:3]))
    assert examine(log, noted).problems == (
        "its end is gone: 000001-2026-11-20 saw 5 entries, 3 are left",
    )
    for number in range(2):
        log.append(Deed("explain", f"instead {number}"))
    assert examine(log, noted).problems == ("entry 5 is not the one that 000001-2026-11-20 saw",)
    log.path.unlink()
    assert examine(log, noted).problems


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_no_changed_byte_goes_unseen(data: st.DataObject) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        log = AuditLog(Path(folder) / "log.jsonl", ring(OLD))
        fill(log, 3)
        noted = {"elsewhere": log.anchor()}
        raw = bytearray(log.path.read_bytes())
        place = data.draw(st.integers(0, len(raw) - 1))
        raw[place] ^= 1 << data.draw(st.integers(0, 7))
        log.path.write_bytes(bytes(raw))
        assert examine(log, noted).problems


@pytest.mark.parametrize("kept", [1, 10, 60])
def test_a_crash_in_mid_line_loses_nothing_before_it(log: AuditLog, kept: int) -> None:
    lines = fill(log, 3)
    log.path.write_bytes(b"".join(lines[:2]) + lines[2][:kept])
    assert examine(log, {}).problems == ()
    assert "unfinished" in examine(log, {}).remarks[0]
    log.append(Deed("explain", "the next"))
    verdict = examine(log, {})
    assert verdict.problems == ()
    assert f"{kept} bytes" in verdict.remarks[0]
    assert verdict.end.entries == 3


def test_a_crash_in_the_first_line(log: AuditLog) -> None:
    log.path.parent.mkdir()
    log.path.write_bytes(b'{"at"')
    log.append(Deed("explain"))
    assert examine(log, {}).problems == ()
    assert examine(log, {}).end.entries == 1


def test_keys_may_change_but_not_back(log: AuditLog) -> None:
    fill(log, 2)
    rotated = AuditLog(log.path, ring(NEW, OLD))
    fill(rotated, 2)
    assert examine(rotated, {}).problems == ()
    assert rotated.tokens_of("C1") > log.tokens_of("C1")
    assert "not among those set" in examine(log, {}).problems[0]
    log.append(Deed("explain", "with the stolen old key"))
    assert "old key" in examine(rotated, {}).problems[0]


def test_a_wrong_key_is_no_quiet_success(log: AuditLog) -> None:
    fill(log)
    (problem,) = examine(AuditLog(log.path, ring(NEW)), {}).problems
    assert problem.endswith("which is not among those set")


def append_many(path: Path, key: str, count: int) -> None:
    for _ in range(count):
        AuditLog(path, ring(key)).append(Deed("explain"))


def test_writers_do_not_interleave(log: AuditLog) -> None:
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=append_many, args=(log.path, OLD, 20)) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    verdict = examine(AuditLog(log.path, ring(OLD)), {})
    assert verdict.problems == ()
    assert verdict.end.entries == 60


def test_many_people_are_several_entries(log: AuditLog) -> None:
    log.append(Deed("review", on=[f"C{number}" for number in range(1_200)]))
    assert [len((entry.body or {})["on"]) for entry in read_entries(log.path)] == [500, 500, 200]
    assert examine(log, {}).problems == ()


@settings(deadline=None, max_examples=60)
@given(st.text(), st.text())
def test_no_text_breaks_out_of_its_line(what: str, why: str) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        log = AuditLog(Path(folder) / "log.jsonl", ring(OLD))
        log.append(Deed("explain", what + '\n{"n":2}\n', why=why + "\r\u2028"))
        assert log.path.read_bytes().count(b"\n") == 1
        assert examine(log, {}).problems == ()


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_the_log_is_private_whatever_the_umask(log: AuditLog, umask: int) -> None:
    before = os.umask(umask)
    try:
        fill(log, 1)
    finally:
        os.umask(before)
    assert log.path.stat().st_mode & 0o137 == 0
    assert log.path.parent.stat().st_mode & 0o027 == 0


def test_what_cannot_be_logged_is_refused(log: AuditLog, tmp_path: Path) -> None:
    log.path.parent.mkdir()
    log.path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigError, match="cannot be written"):
        log.append(Deed("explain"))
    assert not (tmp_path / "elsewhere").exists()


def test_a_log_that_ends_in_rubbish_is_not_continued(log: AuditLog) -> None:
    fill(log, 1)
    with log.path.open("ab") as stream:
        stream.write(b"rubbish\n")
    with pytest.raises(ConfigError, match="no entry"):
        log.append(Deed("explain"))


def test_versions_note_the_log_and_find_its_end_gone(
    make_context: Callable[..., RunContext],
) -> None:
    context = make_context(date(2026, 11, 20))
    store: Settings = context.settings
    note(store, Deed("explain", on=["C1"]))
    paths = build(context, 3)
    versions.run(context)
    assert verify_log(store).problems == ()
    kept = paths.audit_log.read_bytes().splitlines(keepends=True)
    assert [json.loads(line)["did"] for line in kept] == ["explain", "publish"]
    paths.audit_log.write_bytes(kept[0])
    assert "its end is gone" in verify_log(store).problems[0]
    # Whoever has no key cannot make the version say otherwise either.
    manifest = published_versions(paths)[0].path / MANIFEST_FILE
    document = read_json(manifest)
    first = parse_line(1, kept[0].rstrip())
    write_json(manifest, {**document, "audit": {"entries": 1, "tip": first.mac}})
    assert verify_log(store).problems == ("the manifest of 000001-2026-11-20 was changed since",)
