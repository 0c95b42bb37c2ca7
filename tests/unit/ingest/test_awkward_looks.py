"""What a first look at a delivery says of odd encodings, disguised kinds and odd tables."""

from __future__ import annotations

import codecs
import io
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cdp_pipeline.core.errors import ConfigError
from cdp_pipeline.ingest.discovery.charset import find_charset
from cdp_pipeline.ingest.discovery.draft import Draft
from cdp_pipeline.ingest.discovery.looking import draft_sources
from cdp_pipeline.ingest.refusal import RefusedError
from cdp_pipeline.ingest.workbook import sheet_names, write_sheet
from cdp_pipeline.storage.container import MARK

TABLE = "order_id,name,amount\n" + "".join(f"A{n},Ann Lee,{n}.50\n" for n in range(10, 30))
_NAMESPACE = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'


def look(folder: Path, data: bytes, name: str = "orders.csv") -> Draft:
    path = folder / name
    path.write_bytes(data)
    (draft,) = draft_sources(path, name="sales", landing=folder / "landing")
    return draft


def named(names: str, encoding: str) -> bytes:
    return "".join(f"A{n};{name}\n" for n, name in enumerate(names.split(","))).encode(encoding)


@pytest.mark.parametrize("encoding", ["utf-32-le", "utf-32-be", "utf-16-le", "utf-16-be", "cp037"])
def test_encodings_without_a_mark_are_told_by_their_bytes(encoding: str) -> None:
    assert find_charset(TABLE.encode(encoding)).name == encoding


def test_scripts_other_than_latin_are_not_taken_for_accents() -> None:
    names = "Иван Петров,Ольга Щукина,Сергей Ёлкин,Анна Кузнецова,Пётр Смирнов" * 3
    assert find_charset(named(names, "cp1251")).name in {"cp1251", "windows-1251"}
    assert find_charset(named("Zoë Müller,José Peña,Jörg Groß", "cp1252")).name == "cp1252"


def test_lines_of_utf8_among_others_keep_the_file_from_being_read_as_cp1252() -> None:
    names = "Zoë Müller,José Peña,Jörg Groß"
    found = find_charset(named(names, "utf-8") + named(names, "cp1252"))
    assert found.name == "utf-8"
    assert "3 lines" in found.note


@pytest.mark.parametrize(
    ("data", "name", "said"),
    [
        (b"BZh91AY&SY" + bytes(40), "orders.csv.bz2", "bzip2"),
        (b"-----BEGIN PGP MESSAGE-----\n\nhQEM\n", "orders.csv", "encrypted"),
        (b"\x85\x01\x0c\x03" + bytes(range(200)), "orders.csv.gpg", "encrypted"),
        (b"\x89PNG\r\n\x1a\n" + bytes(200), "orders.csv", "picture"),
        (MARK + bytes(200), "orders.csv", "encrypted after its night"),
        (
            codecs.BOM_UTF8 + b"ID    NAME    QTY\nA1    Ann      1\nA2    Tom      2\n",
            "o.txt",
            "fixed width",
        ),
    ],
)
def test_what_no_contract_reads_is_named(tmp_path: Path, data: bytes, name: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        look(tmp_path, data, name)


def test_sentences_below_the_records_are_a_trailer(tmp_path: Path) -> None:
    footer = "\nExported 2026-11-20 by the till\n20 records\n"
    assert look(tmp_path, (TABLE + footer).encode()).delivery["trailer_lines"] == 2


def test_a_curly_apostrophe_between_thousands_is_an_apostrophe(tmp_path: Path) -> None:
    rows = "".join(f"A{n};1\u2019234.{n}\n" for n in range(10, 40))
    draft = look(tmp_path, f"order_id;amount\n{rows}".encode())
    assert draft.delivery["thousands_mark"] == "'"


def test_texts_written_as_formulas_lose_the_formula(tmp_path: Path) -> None:
    rows = "".join(f'A{n},="0400{n}"\n' for n in range(10, 40))
    draft = look(tmp_path, f"order_id,sku\n{rows}".encode())
    assert draft.columns[1].kind.keys["strip"] == '="'


def workbook(path: Path, cell: str) -> Path:
    sheets = '<sheet name="Notes"/><sheet name="Old" state="hidden"/>'
    cells = (
        f'<row r="1"><c r="A1" t="inlineStr"><is><t>total</t></is></c></row><row r="2">{cell}</row>'
    )
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr(
            "xl/workbook.xml", f"<workbook {_NAMESPACE}><sheets>{sheets}</sheets></workbook>"
        )
        archive.writestr("xl/_rels/workbook.xml.rels", "<Relationships/>")
        archive.writestr(
            "xl/worksheets/sheet1.xml",
            f"<worksheet {_NAMESPACE}><sheetData>{cells}</sheetData></worksheet>",
        )
    path.write_bytes(stream.getvalue())
    return path


def test_a_formula_without_its_result_is_refused_and_an_empty_result_is_not(tmp_path: Path) -> None:
    target = tmp_path / "sheet.csv"
    lacking = workbook(tmp_path / "lacking.xlsx", '<c r="A2"><f>B2*2</f><v></v></c>')
    with pytest.raises(RefusedError, match="row 2, column 1 has no stored result"):
        write_sheet(lacking, target, sheet="", skipped=0)
    empty = workbook(tmp_path / "empty.xlsx", '<c r="A2" t="str"><f>B2</f><v></v></c>')
    assert len(write_sheet(empty, target, sheet="", skipped=0)) == 1


def test_sheets_that_people_do_not_see_are_told_from_others(tmp_path: Path) -> None:
    book = workbook(tmp_path / "book.xlsx", '<c r="A2"><v>1</v></c>')
    assert sheet_names(book) == ["Notes", "Old"]
    assert sheet_names(book, visible_only=True) == ["Notes"]


@pytest.mark.parametrize(
    "name", ["../../etc/orders.csv", "/etc/orders.csv", "a\\..\\..\\orders.csv"]
)
def test_an_archive_that_leads_out_of_itself_is_refused_by_name(tmp_path: Path, name: str) -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr(name, TABLE)
    with pytest.raises(ConfigError, match="names a place outside itself"):
        look(tmp_path, stream.getvalue(), "orders.zip")


@pytest.mark.parametrize(
    ("encoding", "names"),
    [
        ("cp932", "山田太郎,鈴木花子,佐藤健"),
        ("euc-jp", "山田太郎,鈴木花子さん,佐藤健"),
        ("gb18030", "王小明,李娜,张伟"),
        ("big5", "陳大文,林美玲,黃志明"),
        ("cp949", "김철수,이영희,박민수"),
    ],
)
def test_encodings_of_east_asia_are_told_by_their_common_signs(encoding: str, names: str) -> None:
    assert find_charset(named(names, encoding)).name == encoding


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"id": ["A1", "A2"], "amount": [1, 2]}', "holds a whole column"),
        ('{"id": {"0": "A1", "1": "A2"}, "amount": {"0": 1, "1": 2}}', "holds a whole column"),
        ('{"columns": ["id"],\n "data": [["A1"], ["A2"]]}', "holds a whole column"),
        ('[["id", "amount"], ["A1", 2]]', "arrays stand where records should"),
        ("[" * 9000, "begins like JSON, but cannot be read"),
        ('[{"id": "A1', "begins like JSON, but cannot be read"),
    ],
)
def test_json_whose_records_are_no_objects_is_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as refused:
        look(tmp_path, text.encode(), "orders.json")
    assert "one object a record" in (refused.value.hint or "")


@pytest.mark.parametrize(
    "text",
    [
        '{"columns": ["id"], "data": [{"id": "A1"}, {"id": "A2"}]}',
        '{"tags": ["a", "b"], "data": [{"id": "A1"}, {"id": "A2"}]}',
    ],
)
def test_records_beside_other_lists_are_records(tmp_path: Path, text: str) -> None:
    draft = look(tmp_path, text.encode(), "orders.json")
    assert (draft.delivery["format"], draft.delivery["records"]) == ("json", "data")


def test_a_single_record_with_lists_is_a_record(tmp_path: Path) -> None:
    draft = look(tmp_path, b'{"id": "A1", "tags": ["a", "b"], "total": 5}', "orders.json")
    assert draft.delivery["format"] == "jsonl"


@pytest.mark.parametrize(
    ("names", "meant"),
    [
        ("Ann,Null,NULL,N/A,Tom", ["N/A", "NULL"]),
        ("ANN,NULL,N/A,TOM", ["N/A"]),  # among capitals it may be somebody's name
        ("ann,null,tom", None),
    ],
)
def test_words_for_nothing_are_told_from_names(
    tmp_path: Path, names: str, meant: list[str] | None
) -> None:
    rows = "".join(f"{n},{name}\n" for n, name in enumerate(names.split(",") * 4))
    draft = look(tmp_path, f"customer_id,first_name\n{rows}".encode())
    assert draft.columns[1].kind.keys.get("null_values") == meant


def test_a_blank_before_each_quote_belongs_to_the_separator(tmp_path: Path) -> None:
    rows = "".join(f'"A{n}", "2026-11-{n}", "1,5"\n' for n in range(10, 30))
    draft = look(tmp_path, f'"id", "day", "amount"\n{rows}'.encode())
    assert draft.delivery["delimiter"] == ", "
    assert [column.kind.type for column in draft.columns] == ["text", "date", "decimal"]


def test_numbers_of_32_bits_are_amounts(tmp_path: Path) -> None:
    table = pa.table({"id": ["A1", "A2"], "amount": pa.array([11.37, 0.1], pa.float32())})
    stream = io.BytesIO()
    pq.write_table(table, stream)
    draft = look(tmp_path, stream.getvalue(), "orders.parquet")
    assert [column.kind.type for column in draft.columns] == ["text", "decimal"]


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("id,order_time\nA1,46000.5\nA2,46001.25\n", ["text", "timestamp"]),
        ("id,amount\nA1,'10.50\nA2,'-3.10\n", ["text", "decimal"]),
        ("id,amount\nA1,3.3000000000000003\nA2,2.6799999999999997\n", ["text", "decimal"]),
        ("id,amount\n" + "A1,1.50\n" * 19 + "A2,1.23456789012345678901\n", ["text", "decimal"]),
        ("id,amount\n" + "A1,1.50\n" * 9 + "A2,inf\n" * 2, ["text", "decimal"]),
        ("id day amount\nA1 2026-11-01 1.50\nA2 2026-11-02 2.50\n", ["text", "date", "decimal"]),
    ],
)
def test_columns_are_what_nearly_all_of_their_values_are(
    tmp_path: Path, text: str, kinds: list[str]
) -> None:
    assert [column.kind.type for column in look(tmp_path, text.encode()).columns] == kinds


def test_a_star_in_the_first_column_marks_a_row_of_sums(tmp_path: Path) -> None:
    rows = "".join(f"|A{n}|00{n % 3}|{n},50|\n" for n in range(10, 30))
    draft = look(tmp_path, f"|Order|Store|Amount|\n{rows}|*|   |400,00|\n".encode(), "orders.txt")
    assert draft.delivery["trailer_lines"] == 1
