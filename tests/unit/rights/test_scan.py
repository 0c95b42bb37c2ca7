"""Every kind of file is looked into, and a broken one is named rather than trusted."""

from __future__ import annotations

import base64
import bz2
import codecs
import gzip
import io
import json
import lzma
import zipfile
from dataclasses import replace
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from pyarrow import parquet
from pydantic import SecretStr

from cdp_pipeline.core.access_settings import KeySettings
from cdp_pipeline.core.keys import load_keyring, new_key
from cdp_pipeline.rights import looking, packed
from cdp_pipeline.rights.files import clean_exports, clean_parquet, clean_text
from cdp_pipeline.rights.scan import scan_folder
from cdp_pipeline.rights.searching import Searcher
from cdp_pipeline.rights.spellings import wide_encoding
from cdp_pipeline.rights.traces import Traces, add_words
from cdp_pipeline.storage.container import content_of, key_of, seal_to
from tests.packing import taped, zipped

TRACES = add_words(Traces(), [("email", "anna.reed@example.com")])
TEXT = "id,mail\n1,anna.reed@example.com\n2,bob@example.com\n"


def _parquet(path: Path) -> None:
    duckdb.sql(
        "copy (select unnest(['anna.reed@example.com', 'bob@example.com']) as mail, "
        f"unnest(range(2)) as n) to '{path}' (format parquet, compression zstd)"
    )


def test_every_format_is_looked_into(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(TEXT)
    (tmp_path / "b.csv.gz").write_bytes(gzip.compress(TEXT.encode()))
    (tmp_path / "c.txt").write_bytes(TEXT.encode("utf-16"))
    _parquet(tmp_path / "d.parquet")
    with duckdb.connect(str(tmp_path / "e.duckdb")) as con:
        con.execute("create table t as select 'Anna.Reed@Example.com' as mail from range(3000)")
    with zipfile.ZipFile(tmp_path / "f.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("inner.csv", TEXT)
    (tmp_path / "g.csv.gz").write_bytes(gzip.compress(TEXT.encode())[:-12])
    (tmp_path / "h.parquet").write_bytes(b"PAR1 broken")
    (tmp_path / "i.csv").write_text("id\n1\n")
    scan = scan_folder(tmp_path, Searcher(TRACES))
    assert {find.file[0] for find in scan.finds} >= set("abcdef")
    assert "i.csv" not in {find.file for find in scan.finds}
    assert {(find.file, find.place) for find in scan.finds} >= {
        ("d.parquet", "mail"),
        ("e.duckdb", "main.t.mail"),
        ("f.zip", "inner.csv"),
    }
    assert scan.unreadable == ["g.csv.gz", "h.parquet"]
    assert scan.files == 9


@pytest.mark.parametrize(
    ("columns", "place"),
    [
        ("'Anna' as given_name, 'Reed' as family_name", "given_name+family_name"),
        ("['x', 'anna.reed@example.com'] as mails, 1 as n", "mails"),
        ("{'mail': 'anna.reed@example.com'} as person, 'a' as b", "person"),
        ("'anna.reed@example.com' as \"mail.work\", 'a' as b", "mail.work"),
        ("'anna.reed@example.com'::blob as mail", "mail"),
        ("null::varchar as a, 'anna.reed@example.com' as mail", "mail"),
    ],
)
@pytest.mark.parametrize("rows", [1, 130_000])
def test_every_kind_of_column_is_looked_into(
    tmp_path: Path, columns: str, place: str, rows: int
) -> None:
    """In files of one chunk and of several, of which only the last has the person."""
    traces = replace(TRACES, names=frozenset({("anna", "reed")}))
    others = f"select * replace (null as {_quoted(place)}) from (select {columns}), range({rows})"
    whole = f"{others} union all by name select {columns}"
    duckdb.sql(f"copy ({whole}) to '{tmp_path / 'a.parquet'}' (format parquet, compression zstd)")
    with duckdb.connect(str(tmp_path / "b.duckdb")) as con:
        con.execute(f"create table t as {whole}")
    scan = scan_folder(tmp_path, Searcher(traces))
    places = {(find.file, find.place) for find in scan.finds if find.place != "bytes"}
    assert places == {("a.parquet", place), ("b.duckdb", f"main.t.{place}")}
    assert scan.unreadable == []


MAIL = "anna.reed@example.com"


@pytest.mark.parametrize(
    ("columns", "place"),
    [
        ({"mail": pa.array([MAIL]).dictionary_encode()}, "mail"),
        ({"mail": pa.array([json.dumps({"mail": MAIL})], pa.json_())}, "mail"),
        ({"mail": pa.array([MAIL], pa.string_view())}, "mail"),
        ({"mail": pa.array([MAIL.encode()], pa.binary(len(MAIL)))}, "mail"),
        ({"MAIL": pa.array(["a"]), "mail": pa.array([[MAIL]])}, "mail_1"),
        (
            {"given_name": pa.array(["Anna"]).dictionary_encode(), "family_name": ["Reed"]},
            "given_name+family_name",
        ),
        ({"given_name": [b"\xe4", b"Anna"], "family_name": [b"a", b"Reed"]}, None),
    ],
)
def test_what_other_programs_write_as_texts_is_looked_into(
    tmp_path: Path, columns: dict[str, pa.Array], place: str | None
) -> None:
    traces = replace(TRACES, names=frozenset({("anna", "reed")}))
    parquet.write_table(pa.table(columns), tmp_path / "a.parquet", compression="zstd")
    scan = scan_folder(tmp_path, Searcher(traces))
    assert (place or "given_name+family_name") in {find.place for find in scan.finds}
    assert scan.unreadable == []


def test_columns_of_one_name_are_all_looked_into(tmp_path: Path) -> None:
    rows = pa.Table.from_arrays([pa.array(["a"]), pa.array([MAIL])], names=["mail", "mail"])
    parquet.write_table(rows, tmp_path / "a.parquet", compression="zstd")
    assert "mail_1" in {find.place for find in scan_folder(tmp_path, Searcher(TRACES)).finds}


@pytest.mark.parametrize("encoding", ["DELTA_BYTE_ARRAY", "DELTA_LENGTH_BYTE_ARRAY"])
def test_texts_of_any_encoding_are_looked_into(tmp_path: Path, encoding: str) -> None:
    parquet.write_table(
        pa.table({"mail": [MAIL]}),
        tmp_path / "a.parquet",
        use_dictionary=False,
        column_encoding={"mail": encoding},
    )
    scan = scan_folder(tmp_path, Searcher(TRACES))
    assert "mail" in {find.place for find in scan.finds}
    assert scan.unreadable == []


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("name", [("łukasz", "żółkiewski"), ("дмитрий", "щербаковский")])
def test_letters_without_a_zero_beside_them_are_read_in_utf_16(
    tmp_path: Path, name: tuple[str, str], encoding: str
) -> None:
    text = f"Note of the clerk: {' '.join(name).title()}, till 4\n"
    (tmp_path / "note.txt").write_bytes(text.encode(encoding))
    assert scan_folder(tmp_path, Searcher(Traces(names=frozenset({name})))).finds


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_without_a_mark_may_hold_letters_with_zeros_of_their_own(
    tmp_path: Path, encoding: str
) -> None:
    text = "\N{CJK UNIFIED IDEOGRAPH-4E00}\N{IDEOGRAPHIC SPACE}Дмитрий Щербаковский, till 4\n"
    (tmp_path / "note.txt").write_bytes(text.encode(encoding))
    traces = Traces(names=frozenset({("дмитрий", "щербаковский")}))
    assert scan_folder(tmp_path, Searcher(traces)).finds
    assert wide_encoding(text.encode(encoding)) == encoding


def test_zeros_on_both_sides_alone_make_no_utf_16() -> None:
    assert wide_encoding(b"\0\1\2\0\0\0anna\0bo\0\x8f\0") is None


def test_blocks_of_an_odd_length_part_no_letter_of_utf_16(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looking, "_BLOCK", (1 << 13) + 1)
    text = "\n".join([*["Nobody is here."] * 700, "Дмитрий Щербаковский", ""])
    (tmp_path / "note.txt").write_bytes(text.encode("utf-16-le"))
    traces = Traces(names=frozenset({("дмитрий", "щербаковский")}))
    assert scan_folder(tmp_path, Searcher(traces)).finds


def test_names_in_two_columns_are_read_together_whatever_their_titles_case(tmp_path: Path) -> None:
    rows = pa.table({"FIRST_NAME": ["Anna"], "Last_Name": ["Quillfeather"]})
    parquet.write_table(rows, tmp_path / "a.parquet")
    traces = Traces(names=frozenset({("anna", "quillfeather")}))
    assert scan_folder(tmp_path, Searcher(traces)).finds


def test_a_workbook_within_an_archive_is_looked_into(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "inner.xlsx", "w", zipfile.ZIP_DEFLATED) as workbook:
        workbook.writestr("sheet2.xml", f"<t>{MAIL}</t>")
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.write(tmp_path / "inner.xlsx", "b.xlsx")
        archive.writestr("page.xlsx", f"<p>{MAIL}</p>")  # as some programs export
    (tmp_path / "inner.xlsx").unlink()
    scan = scan_folder(tmp_path, Searcher(TRACES))
    assert {find.place for find in scan.finds} >= {"b.xlsx/sheet2.xml", "page.xlsx"}
    assert scan.unreadable == []


def test_a_suffix_in_capitals_says_the_same(tmp_path: Path) -> None:
    (tmp_path / "A.CSV.GZ").write_bytes(gzip.compress(TEXT.encode()))
    assert {find.place for find in scan_folder(tmp_path, Searcher(TRACES)).finds} == {"inflated"}


def _quoted(place: str) -> str:
    return '"' + place.partition("+")[0] + '"'


def test_packed_bytes_hold_no_short_name_by_chance_and_long_ones_are_found(tmp_path: Path) -> None:
    names = frozenset({("ka", "ng"), ("anna", "reed")})
    searcher = Searcher(Traces(names=names))
    for name, drawn in (("short", b"\x91|Ka Ng|\x07"), ("long", b"\x91|Anna Reed|\x07")):
        rows = pa.table({"n": [1]}).replace_schema_metadata({"drawn": drawn})
        parquet.write_table(rows, tmp_path / f"{name}.parquet")
    duckdb.sql(f"copy (select 'Ka Ng' as name) to '{tmp_path / 'told.parquet'}' (format parquet)")
    (tmp_path / "told.csv").write_text("name\nKa Ng\n")
    (tmp_path / "told.csv.gz").write_bytes(gzip.compress(b"name\nKa Ng\n"))
    with zipfile.ZipFile(tmp_path / "told.zip", "w") as archive:
        archive.writestr("Ka Ng.txt", "of whom?")
    found = {(find.file, find.place) for find in scan_folder(tmp_path, searcher).finds}
    assert found == {
        ("told.zip", "Ka Ng.txt"),
        ("long.parquet", "bytes"),
        ("told.parquet", "name"),
        ("told.csv", "bytes"),
        ("told.csv.gz", "inflated"),
    }


def test_a_file_with_two_names_is_named_by_both(tmp_path: Path) -> None:
    _parquet(tmp_path / "d.parquet")
    (tmp_path / "e.parquet").hardlink_to(tmp_path / "d.parquet")
    (tmp_path / "f.csv").hardlink_to(tmp_path / "d.parquet")  # its content, not its name, tells
    scan = scan_folder(tmp_path, Searcher(TRACES))
    found = {find.file for find in scan.finds if find.place == "mail"}
    assert found == {"d.parquet", "e.parquet", "f.csv"}
    assert scan.files == 3


def test_texts_rows_and_parquet_lose_the_person_only(tmp_path: Path) -> None:
    searcher = Searcher(TRACES)
    page = tmp_path / "page.html"
    page.write_text("<td>anna.reed@example.com</td><td>bob@example.com</td>")
    assert clean_text(page, searcher) == 1
    assert page.read_text() == "<td>[erased]</td><td>bob@example.com</td>"
    folder = tmp_path / "mail"
    folder.mkdir()
    (folder / "list.csv").write_text(TEXT)
    assert clean_exports(folder, searcher, KeySettings(), tmp_path / "work") == {"list.csv": 1}
    assert (folder / "list.csv").read_text() == "id,mail\n2,bob@example.com\n"
    _parquet(tmp_path / "x.parquet")
    assert clean_parquet(tmp_path / "x.parquet", searcher) == 1
    assert duckdb.sql(f"from '{tmp_path / 'x.parquet'}'").fetchall() == [("bob@example.com", 1)]
    assert scan_folder(tmp_path, Searcher(TRACES)).finds == []


def test_encrypted_exports_lose_the_person_and_stay_encrypted(tmp_path: Path) -> None:
    keys = KeySettings(master=SecretStr(new_key()))
    ring = load_keyring(keys)
    folder, scratch = tmp_path / "mail", tmp_path / "work"
    folder.mkdir()
    (folder / "list.csv").write_text(TEXT)
    (folder / "other.jsonl").write_text('{"mail": "bob@example.com"}\n')
    _parquet(folder / "rows.parquet")
    entries = []
    for path in sorted(folder.iterdir()):
        was = content_of(path, ring)
        entries.append({"file_name": path.name, "rows": 2, "members": 5, "sha256": was.sha256})
        seal_to(path, path, ring.current)
    (folder / "manifest.json").write_text(json.dumps({"files": entries}))
    untouched = (folder / "other.jsonl").read_bytes()
    shared = tmp_path / "earlier.csv"
    shared.hardlink_to(folder / "list.csv")
    assert scan_folder(folder, Searcher(TRACES), keys=keys).finds
    gone = clean_exports(folder, Searcher(TRACES), keys, scratch)
    assert gone == {"list.csv": 1, "rows.parquet": 1}
    assert scan_folder(folder, Searcher(TRACES), keys=keys).finds == []
    assert [key_of(path) for path in sorted(folder.iterdir()) if path.suffix != ".json"] == [
        ring.current.id
    ] * 3
    assert (folder / "other.jsonl").read_bytes() == untouched
    assert content_of(shared, ring).size == len(TEXT), "a link elsewhere keeps what it has"
    told = {e["file_name"]: e for e in json.loads((folder / "manifest.json").read_text())["files"]}
    for name, members in (("list.csv", 4), ("other.jsonl", 5), ("rows.parquet", 4)):
        assert told[name]["sha256"] == content_of(folder / name, ring).sha256
        assert told[name]["members"] == members
    assert not [path for path in scratch.rglob("*") if path.is_file()]


def _table() -> bytes:
    target = io.BytesIO()
    rows = pa.table({"mail": ["anna.reed@example.com", "bob@example.com"]})
    parquet.write_table(rows, target, compression="zstd")
    return target.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "place"),
    [
        ("a.zip", zipped({"inner": zipped({"members": TEXT.encode()})}), "inner/members"),
        ("b.zip", zipped({"inner": gzip.compress(TEXT.encode())}), "inner/inflated"),
        (
            "c.zip",
            zipped({"inner": zipped({"deep": zipped({"members": TEXT.encode()})})}),
            "inner/deep/members",
        ),
        ("d.tar.gz", gzip.compress(taped("members.csv", TEXT.encode())), "inflated/members.csv"),
        ("e.csv.gz", gzip.compress(gzip.compress(TEXT.encode())), "inflated/inflated"),
        ("f.zip", zipped({"inner": _table()}), "inner/mail"),
        ("g.csv", gzip.compress(TEXT.encode()), "inflated"),
        ("h.bak", zipped({"members": lzma.compress(TEXT.encode())}), "members/inflated"),
        ("i.txt", bz2.compress(TEXT.encode()), "inflated"),
    ],
    ids=lambda given: given if isinstance(given, str) else "packed",
)
def test_what_is_packed_within_something_packed_is_found(
    tmp_path: Path, name: str, content: bytes, place: str
) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / name).write_bytes(content)
    scratch = tmp_path / "work"  # nobody has made it yet
    scan = scan_folder(folder, Searcher(TRACES), scratch=scratch)
    assert not any(scratch.iterdir()), "no copy stays behind"
    assert (name, place) in {(find.file, find.place) for find in scan.finds}
    assert scan.unreadable == []


def test_a_bomb_is_given_up_and_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packed, "_MOST_INFLATED", 1 << 20)
    zeros = gzip.compress(bytes(1 << 24))
    (tmp_path / "bomb.zip").write_bytes(
        zipped({"first": TEXT.encode(), "inner": gzip.compress(zeros)})
    )
    scan = scan_folder(tmp_path, Searcher(TRACES))
    assert scan.unreadable == ["bomb.zip"]
    assert [find.place for find in scan.finds] == ["first"], "what was found before stays found"


@pytest.mark.parametrize("spelt", ["anna.reed@example.com", "Anna.Reed@Example.com"])
@pytest.mark.parametrize("text", ["https://news.example/open?u={}&c=5", '{{"id": "{}"}}', "{}\n"])
def test_an_address_in_base64_is_found_and_goes(tmp_path: Path, spelt: str, text: str) -> None:
    traces = add_words(TRACES, [("email", spelt)])
    path = tmp_path / "a.txt"
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        path.write_text(text.format(encode(spelt.encode()).decode()))
        assert scan_folder(tmp_path, Searcher(traces)).finds
        assert clean_text(path, Searcher(traces)) == 1
        assert scan_folder(tmp_path, Searcher(traces)).finds == []


def test_what_a_search_that_died_left_unpacked_goes(tmp_path: Path) -> None:
    folder, scratch = tmp_path / "data", tmp_path / "work"
    folder.mkdir()
    (folder / "a.zip").write_bytes(zipped({"inner": gzip.compress(TEXT.encode())}))
    (scratch / packed.UNPACKED).mkdir(parents=True)
    (scratch / packed.UNPACKED / "part").write_text(TEXT)
    scan_folder(folder, Searcher(TRACES), scratch=scratch)
    assert not any(scratch.iterdir())


def test_utf_16_is_read_behind_its_first_block(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looking, "_BLOCK", 1 << 14)
    text = "\n".join([*["Nobody is here."] * 2000, "Дмитрий Щербаковский", ""])
    (tmp_path / "note.txt").write_bytes(codecs.BOM_UTF16_BE + text.encode("utf-16-be"))
    traces = Traces(names=frozenset({("дмитрий", "щербаковский")}))
    assert scan_folder(tmp_path, Searcher(traces)).finds
