"""Files among the deliveries that no contract takes lose a person's words, and nothing else."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import lzma
import tarfile
import uuid
import zipfile
from collections.abc import Callable
from datetime import date
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from pyarrow import parquet

from cdp_pipeline.core.context import RunContext
from cdp_pipeline.core.settings import load_settings
from cdp_pipeline.rights import files
from cdp_pipeline.rights.files import clean_parquet, clean_text, clean_tree
from cdp_pipeline.rights.scan import scan_folder
from cdp_pipeline.rights.searching import Searcher
from cdp_pipeline.rights.strays import clean_strays
from cdp_pipeline.rights.traces import Traces, add_words
from cdp_pipeline.storage.files import sha256_of
from cdp_pipeline.storage.paths import DataPaths
from cdp_pipeline.storage.redactions import read_redactions
from tests.packing import taped, zipped

SEARCHER = Searcher(add_words(Traces(), [("email", "anna.reed@example.com")]))
MAIL = "anna.reed@example.com"
TEXT = b"id,mail\n1,anna.reed@example.com\n2,bob@example.com\n"
CLEAN = b"id,mail\n1,[erased]\n2,bob@example.com\n"


@pytest.fixture
def context(tmp_path: Path) -> RunContext:
    data = tmp_path / "data"
    (data / "landing" / "members").mkdir(parents=True)
    settings = load_settings(Path(__file__).parents[3], data_dir=data)
    return RunContext(date(2026, 11, 16), "test", Path(__file__).parents[3], settings)


def _zipped(name: str, content: bytes) -> bytes:
    return zipped({"other.txt": b"of others", name: content})


def _member(data: bytes, name: str) -> bytes:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.read("other.txt") == b"of others"
        return archive.read(name)


def _entry(data: bytes) -> bytes:
    with tarfile.open(fileobj=io.BytesIO(data)) as tape:
        content = tape.extractfile("members.csv")
        assert content
        return content.read()


@pytest.mark.parametrize(
    ("name", "pack", "unpack"),
    [
        ("note.txt", lambda t: t, lambda d: d),
        ("list0.txt", lambda t: b"no\0" + t + b"x\0", lambda d: d[3:-2]),
        ("list1.txt", lambda t: b"no\0" + t + b"xy\0", lambda d: d[3:-3]),
        ("wide.csv", lambda t: t.decode().encode("utf-16"), lambda d: d.decode("utf-16").encode()),
        (
            "unmarked.txt",
            lambda t: t.decode().encode("utf-16-be"),
            lambda d: d.decode("utf-16-be").encode(),
        ),
        (
            "a.csv.gz",
            lambda t: gzip.compress(gzip.compress(t)),
            lambda d: gzip.decompress(gzip.decompress(d)),
        ),
        (
            "b.zip",
            lambda t: _zipped("i.zip", _zipped("m.csv", t)),
            lambda d: _member(_member(d, "i.zip"), "m.csv"),
        ),
        (
            "c.tar.gz",
            lambda t: gzip.compress(taped("members.csv", t)),
            lambda d: _entry(gzip.decompress(d)),
        ),
        ("d.bin", lzma.compress, lzma.decompress),
        ("e.bz2", bz2.compress, bz2.decompress),
        (
            "f.zst",
            lambda t: pa.compress(t, "zstd", asbytes=True),
            lambda d: pa.input_stream(io.BytesIO(d), compression="zstd").read(),
        ),
    ],
)
def test_only_a_persons_words_go(
    context: RunContext,
    name: str,
    pack: Callable[[bytes], bytes],
    unpack: Callable[[bytes], bytes],
) -> None:
    landing = context.data_dir / "landing"
    path = landing / "members" / name
    path.write_bytes(pack(TEXT))
    path.chmod(0o640)
    original = sha256_of(path)
    scan = scan_folder(landing, SEARCHER)
    assert scan.finds
    cleaned = clean_strays(context, landing, scan, SEARCHER)
    assert (cleaned.finds, cleaned.cleaned) == ([], 1)
    assert unpack(path.read_bytes()) == CLEAN
    assert path.stat().st_mode & 0o777 == 0o640
    noted = read_redactions(DataPaths.of(context))[sha256_of(path)]
    assert noted.original == original, "or it would be taken for a new delivery"
    assert [p.name for p in path.parent.iterdir()] == [name]


def _mail(text: str, *, encoding: str, end: bytes, attached: bytes = b"") -> bytes:
    """Return a mail with a text in an encoding, and perhaps an archive beside it."""
    mail = EmailMessage()
    mail["Subject"], mail["To"] = f"Ж {text.splitlines()[0]}", "till@store.example"
    mail.set_content(text, cte=encoding)
    if attached:
        mail.add_attachment(attached, maintype="application", subtype="zip", filename="m.zip")
        mail.set_boundary("=b=")
    return mail.as_bytes().replace(b"\n", end)


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("encoding", ["base64", "quoted-printable"])
@pytest.mark.parametrize("name", ["a.eml", "saved-mail.txt", "b.zip"])
def test_encoded_mails_and_what_hangs_on_them_lose_the_words(
    context: RunContext, name: str, encoding: str, end: bytes
) -> None:
    landing = context.data_dir / "landing"
    path = landing / "members" / name
    said = f"{MAIL}\n{'x' * 60} for {MAIL}, nobody else, Ünal\n"  # beyond the end of a line
    mail = _mail(said, encoding=encoding, end=end, attached=_zipped("m.csv", TEXT))
    path.write_bytes(_zipped("mail", mail) if name == "b.zip" else mail)
    scan = scan_folder(landing, SEARCHER)
    assert {"part 2", "part 3/m.csv", "label"} <= {
        f.place.removeprefix("mail/") for f in scan.finds
    }
    cleaned = clean_strays(context, landing, scan, SEARCHER)
    assert (cleaned.finds, cleaned.cleaned) == ([], 1)
    data = path.read_bytes()
    data = _member(data, "mail") if name == "b.zip" else data
    assert data.count(b"\n") == data.count(end)
    read = message_from_bytes(data, policy=policy.default)
    assert isinstance(read, EmailMessage)
    assert (read["Subject"], read["To"]) == ("Ж [erased]", "till@store.example")
    text, archive = read.iter_parts()
    assert (
        text.get_content().split() == f"[erased] {'x' * 60} for [erased], nobody else, Ünal".split()
    )
    assert _member(archive.get_content(), "m.csv") == CLEAN


def test_our_own_mail_loses_the_words_in_its_encoded_text(tmp_path: Path) -> None:
    mail = _mail(f"Ж Ж Ж\n{MAIL}\n", encoding="base64", end=b"\n")
    (tmp_path / "weekly.eml").write_bytes(mail)
    assert clean_tree(tmp_path, SEARCHER, excluded=frozenset()) == {"weekly.eml": 1}
    read = message_from_bytes((tmp_path / "weekly.eml").read_bytes(), policy=policy.default)
    assert isinstance(read, EmailMessage)
    assert read.get_content() == "Ж Ж Ж\n[erased]\n"
    assert clean_tree(tmp_path, SEARCHER, excluded=frozenset()) == {}


def test_a_packed_table_loses_the_row(context: RunContext) -> None:
    path = context.data_dir / "landing" / "members.zip"
    table = io.BytesIO()
    rows = pa.table({"mail": ["anna.reed@example.com", "bob@example.com"], "n": [1, 2]})
    parquet.write_table(rows, table)
    path.write_bytes(_zipped("m.parquet", table.getvalue()))
    scan = scan_folder(path.parent, SEARCHER)
    assert clean_strays(context, path.parent, scan, SEARCHER).finds == []
    kept = parquet.read_table(io.BytesIO(_member(path.read_bytes(), "m.parquet")))
    assert kept.to_pylist() == [{"mail": "bob@example.com", "n": 2}]


def test_names_and_links_of_a_tape_lose_the_words_and_stay(context: RunContext) -> None:
    path = context.data_dir / "landing" / "members.tar"
    links = [("folder of anna.reed@example.com", tarfile.DIRTYPE, "")]
    links += [("link", tarfile.SYMTYPE, "note.txt"), ("again", tarfile.LNKTYPE, "note.txt")]
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as tape:
        for name, kind, target in links[:1]:
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = kind, target
            tape.addfile(entry)
        for name, content in [("K\u00e4ufer/anna.reed@example.com.csv", TEXT), ("note.txt", b"ok")]:
            entry = tarfile.TarInfo(name)
            entry.size, entry.mtime = len(content), 1.5
            tape.addfile(entry, io.BytesIO(content))
        for name, kind, target in links[1:]:
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = kind, target
            tape.addfile(entry)
    scan = scan_folder(path.parent, SEARCHER)
    assert clean_strays(context, path.parent, scan, SEARCHER).finds == []
    assert b"anna" not in path.read_bytes().lower()
    with tarfile.open(path) as tape:
        names = {entry.name: entry.linkname for entry in tape}
        again = tape.extractfile("again")
        assert again is not None
        assert again.read() == b"ok"
    assert names == {
        "K\u00e4ufer/[erased].csv": "",
        "note.txt": "",
        "folder of [erased]": "",
        "link": "note.txt",
        "again": "note.txt",
    }


def test_comments_of_an_archive_lose_the_words(context: RunContext) -> None:
    path = context.data_dir / "landing" / "members.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("a.txt", "b.txt"):
            entry = zipfile.ZipInfo(name)
            entry.comment = b"by anna.reed@example.com"  # letters of the next record follow it
            archive.writestr(entry, b"of others")
        archive.comment = b"sent by anna.reed@example.com on Monday"
    scan = scan_folder(path.parent, SEARCHER)
    assert {find.place for find in scan.finds} >= {"label"}
    assert clean_strays(context, path.parent, scan, SEARCHER).finds == []
    with zipfile.ZipFile(path) as archive:
        assert archive.comment == b"sent by [erased] on Monday"
        assert [info.comment for info in archive.infolist()] == [b"by [erased]"] * 2
        assert archive.read("b.txt") == b"of others"


@pytest.mark.parametrize("inside", [False, True], ids=["by itself", "on a tape"])
def test_the_header_of_a_gz_file_loses_the_name(context: RunContext, *, inside: bool) -> None:
    """RFC 1952: flags, time and system; then a name and a comment, each ended by zero."""
    header = b"\x1f\x8b\x08\x1c" + bytes(4) + b"\0\x03" + b"\4\0more"
    body = gzip.compress(b"of others", mtime=0)[10:]
    data = header + b"anna.reed@example.com.csv\0" + b"for anna.reed@example.com\0" + body
    assert gzip.decompress(data) == b"of others"
    path = context.data_dir / "landing" / ("a.tar" if inside else "a.csv.gz")
    path.write_bytes(taped("a.gz", data) if inside else data)
    scan = scan_folder(path.parent, SEARCHER)
    assert ("label" in {find.place.split("/")[-1] for find in scan.finds}) is True
    assert clean_strays(context, path.parent, scan, SEARCHER).finds == []
    assert b"anna" not in path.read_bytes()
    if not inside:
        assert gzip.decompress(path.read_bytes()) == b"of others"


@pytest.mark.parametrize(
    "stub", [b"MZ" + bytes(range(256)) * 9, b"#!/bin/sh\n# anna.reed@example.com\n"]
)
def test_an_archive_behind_its_program_is_opened_and_stays_behind_it(
    context: RunContext, stub: bytes
) -> None:
    path = context.data_dir / "landing" / "members.exe"
    with path.open("wb") as raw:
        raw.write(stub)
        with zipfile.ZipFile(raw, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("members.csv", TEXT * 20)
    scan = scan_folder(path.parent, SEARCHER)
    assert "members.csv" in {find.place for find in scan.finds}
    assert clean_strays(context, path.parent, scan, SEARCHER).finds == []
    assert path.read_bytes().startswith(stub.replace(b"anna.reed@example.com", b"[erased]"))
    with zipfile.ZipFile(path) as archive:
        assert archive.read("members.csv") == CLEAN * 20
        assert archive.testzip() is None


@pytest.mark.parametrize("stub", [b"MZ" + bytes(range(256)) * 9, b"#!/usr/bin/env python3\n"])
def test_an_archive_behind_its_program_is_opened_within_another_file(
    context: RunContext, stub: bytes
) -> None:
    path = context.data_dir / "landing" / "members.zip"
    within = stub + zipped({"members.csv": TEXT * 20})
    path.write_bytes(zipped({"setup.exe": within, "other.txt": b"of others", "b": b"\0" * 9}))
    scan = scan_folder(path.parent, SEARCHER)
    assert {find.place for find in scan.finds} == {"setup.exe/members.csv"}
    assert clean_strays(context, path.parent, scan, SEARCHER).finds == []
    inner = io.BytesIO(_member(path.read_bytes(), "setup.exe"))
    with zipfile.ZipFile(inner) as archive:
        assert archive.read("members.csv") == CLEAN * 20


def test_what_a_deleted_member_left_behind_goes(context: RunContext) -> None:
    path = context.data_dir / "landing" / "members.zip"
    gone = zipped({"gone.csv": TEXT})[:60]
    with path.open("wb") as raw:
        raw.write(gone)
        with zipfile.ZipFile(raw, "w") as archive:
            archive.writestr("kept.csv", TEXT)
    scan = scan_folder(path.parent, SEARCHER)
    assert clean_strays(context, path.parent, scan, SEARCHER).finds == []
    assert not path.read_bytes().startswith(gone[:40])
    with zipfile.ZipFile(path) as archive:
        assert archive.namelist() == ["kept.csv"]
        assert archive.read("kept.csv") == CLEAN


def test_a_text_is_taken_apart_by_lines_but_not_within_a_row_of_markup(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "_BATCH", 64)
    searcher = Searcher(
        add_words(Traces(names=frozenset({("anna", "reed")})), [("email", "anna.reed@example.com")])
    )
    page = tmp_path / "page.html"
    row = b"<td>Anna</td>\n<td>Reed</td>\n<td>bought boots</td>\n"
    page.write_bytes(b"<p>others</p>\n" * 4 + b"<table>\n" + row * 9 + b"</table>\n")
    page.chmod(0o640)
    log = tmp_path / "night.log"
    log.write_bytes(b"read 1,234 rows\n" * 50 + TEXT + b"read 9 rows\n" * 50)
    untouched = tmp_path / "other.log"
    untouched.write_bytes(b"read 1,234 rows\n" * 50)
    inode = untouched.stat().st_ino
    assert clean_text(page, searcher) == 9
    assert clean_text(log, searcher) == 1
    assert clean_text(untouched, searcher) == 0
    assert page.read_bytes().count(b"[erased]") == 9
    assert b"Reed" not in page.read_bytes()
    assert page.stat().st_mode & 0o777 == 0o640
    assert log.read_bytes() == b"read 1,234 rows\n" * 50 + CLEAN + b"read 9 rows\n" * 50
    assert untouched.stat().st_ino == inode


@pytest.mark.parametrize(
    "between", [b"</td>\n\n<td>", b"</td>\n  \n\n  <td>", b"<b\nid=x>", b"<br\n/>\n"]
)
def test_a_name_over_several_lines_of_markup_stays_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, between: bytes
) -> None:
    monkeypatch.setattr(files, "_BATCH", 1)
    page = tmp_path / "page.html"
    others = b"1 < 2\n\n" + b"read 9 rows\n" * 9
    page.write_bytes(others + b"Anna" + between + b"Reed</td>\nrest\n")
    searcher = Searcher(Traces(names=frozenset({("anna", "reed")})))
    assert clean_text(page, searcher) == 1
    assert b"Reed" not in page.read_bytes()
    assert page.read_bytes().endswith(b"[erased]</td>\nrest\n")


def test_what_cannot_be_written_again_is_left_and_named(context: RunContext) -> None:
    path = context.data_dir / "landing" / "members.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("m.csv", TEXT)
        archive.writestr("broken.gz", gzip.compress(TEXT)[:-9])
    before = path.read_bytes()
    scan = scan_folder(path.parent, SEARCHER)
    assert clean_strays(context, path.parent, scan, SEARCHER).finds == scan.finds != []
    assert path.read_bytes() == before, "as a whole or not at all"


def test_our_own_files_are_not_mended_silently(context: RunContext) -> None:
    paths = DataPaths.of(context)
    fault = paths.ensure(paths.versions / "000001-2026-11-16") / "note.txt"
    fault.write_bytes(TEXT)
    scan = scan_folder(context.data_dir, SEARCHER)
    assert clean_strays(context, context.data_dir, scan, SEARCHER).finds == scan.finds
    assert fault.read_bytes() == TEXT


def test_a_table_with_nothing_but_a_name_loses_the_row(tmp_path: Path) -> None:
    searcher = Searcher(Traces(names=frozenset({("anna", "reed")})))
    path = tmp_path / "members.parquet"
    rows = {"first_name": ["Anna", "Anna", "Bob"], "last_name": ["Reed", "Lane", "Reed"]}
    parquet.write_table(pa.table(rows), path)
    assert clean_parquet(path, searcher) == 1
    kept = [(row["first_name"], row["last_name"]) for row in parquet.read_table(path).to_pylist()]
    assert kept == [("Anna", "Lane"), ("Bob", "Reed")], "namesakes of one name are others"
    assert scan_folder(tmp_path, searcher).finds == []


def test_texts_that_a_writer_stored_as_bytes_are_found_and_lose_the_row(tmp_path: Path) -> None:
    traces = Traces(words=frozenset({"zoë.ray@example.com"}), names=frozenset({("zoë", "ray")}))
    path, searcher = tmp_path / "members.parquet", Searcher(traces)
    rows = [
        {"mail": "zoë.ray@example.com", "first": "A", "last": "B", "notes": []},
        {"mail": "bob@example.com", "first": "Zoë", "last": "Ray", "notes": []},
        {
            "mail": "cid@example.com",
            "first": "C",
            "last": "D",
            "notes": [{"by": "Zoë Ray".encode()}],
        },
        {"mail": "dot@example.com", "first": "Zoë", "last": "Lane", "notes": [{"by": b"nobody"}]},
    ]
    table = {
        "mail": pa.array([row["mail"].encode() for row in rows]),
        "first_name": pa.array([row["first"].encode() for row in rows]),
        "last_name": [row["last"] for row in rows],
        "notes": [row["notes"] for row in rows],
    }
    parquet.write_table(pa.table(table), path)
    assert {find.place for find in scan_folder(tmp_path, searcher).finds} >= {"mail", "notes"}
    assert clean_parquet(path, searcher) == 3
    assert parquet.read_table(path)["mail"].to_pylist() == [b"dot@example.com"]
    assert scan_folder(tmp_path, searcher).finds == []


@pytest.mark.parametrize(
    "kind", [pa.int64(), pa.uint64(), pa.float64(), pa.decimal128(15, 0), pa.list_(pa.int64())]
)
def test_numbers_that_a_tool_kept_as_figures_lose_the_row(
    context: RunContext, kind: pa.DataType
) -> None:
    traces = add_words(Traces(), [("phone", "+44 7700 900123"), ("loyalty_id", "0012345678")])
    searcher = Searcher(traces)
    told = [447700900123, 447700900124, 12345678, None, 12345679]
    values = [[value] for value in told] if pa.types.is_list(kind) else told
    rows = pa.table({"told": pa.array(values, kind), "amount": [1.5, 2.5, 3.5, 12345678.5, 4.5]})
    landing = context.data_dir / "landing"
    parquet.write_table(rows, landing / "members" / "saved.parquet")
    scan = scan_folder(landing, searcher)
    assert {(find.place, find.kind) for find in scan.finds} == {
        ("told", "phone"),
        ("told", "number"),
    }
    assert clean_strays(context, landing, scan, searcher).finds == []
    kept = parquet.read_table(landing / "members" / "saved.parquet")
    assert kept["amount"].to_pylist() == [2.5, 12345678.5, 4.5]


def test_figures_of_our_own_tables_are_nobodys_numbers(context: RunContext) -> None:
    searcher = Searcher(add_words(Traces(), [("loyalty_id", "12345678")]))
    rows = pa.table({"revenue": [12345678, 5], "id": [uuid.UUID(int=1).bytes] * 2})
    path = context.data_dir / "staging" / "sales.parquet"
    path.parent.mkdir()
    parquet.write_table(rows, path)
    assert scan_folder(context.data_dir, searcher, typed=[path.parent]).finds == []
    assert clean_parquet(path, searcher) == 0


def test_an_id_of_its_own_type_is_found(tmp_path: Path) -> None:
    person = "6f9619ff-8b86-4011-b42d-00c04fc964ff"
    searcher = Searcher(add_words(Traces(), [("cookie", person)]))
    with duckdb.connect() as con:
        con.execute(
            f"copy (select unnest(['{person}', '{uuid.UUID(int=1)}'])::uuid as cookie) "
            f"to '{tmp_path / 'a.parquet'}' (format parquet)"
        )
    assert [find.place for find in scan_folder(tmp_path, searcher).finds] == ["cookie"]
    assert clean_parquet(tmp_path / "a.parquet", searcher) == 1
    assert scan_folder(tmp_path, searcher).finds == []


@pytest.mark.parametrize("name", ["md5", "sha1", "sha256"])
def test_digests_that_were_stored_as_their_bytes_lose_the_row(tmp_path: Path, name: str) -> None:
    digests = [hashlib.new(name, mail.encode()).digest() for mail in (MAIL, "bob@example.com")]
    for kind in (pa.binary(), pa.binary(len(digests[0]))):
        parquet.write_table(pa.table({"id": pa.array(digests, kind)}), tmp_path / "a.parquet")
        assert [find.place for find in scan_folder(tmp_path, SEARCHER).finds] == ["hex(id)"]
        assert clean_parquet(tmp_path / "a.parquet", SEARCHER) == 1
        assert parquet.read_table(tmp_path / "a.parquet")["id"].to_pylist() == digests[1:]
        assert scan_folder(tmp_path, SEARCHER).finds == []
