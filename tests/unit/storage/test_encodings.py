"""The encoding of a file is told by the letters that its bytes would make."""

# ruff: noqa: RUF001 - letters of many languages

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from cdp_pipeline.storage.encodings import find_encoding
from cdp_pipeline.storage.tabular import load_files

NAMES = [
    ("cp1252", "Zoë Müller, José Nuñez, Françoise Lefèvre, Bjørn Ångström", "latin-1"),
    ("cp1252", "Zoë D’Arcy, Jürgen Weiß, Renée", "cp1252"),
    ("cp1250", "Jiří Dvořák, Kateřina Nováková, Zdeněk Šťastný, Růžena", "cp1250"),
    ("cp1250", "Małgorzata Wiśniewska, Paweł Dąbrowski, Świętosława", "cp1250"),
    ("cp1250", "Erdős Ágnes, Szűcs Győző, Kovács Béla, Földes Üllő", "cp1250"),
    ("cp1254", "Ayşe Yılmaz, İbrahim Çelik, Gülşah Öztürk, Oğuz", "cp1254"),
    ("cp1251", "Иван Петров, Мария Сидорова", "cp1251"),
    ("koi8-r", "Иван Петров, Мария Сидорова", "koi8-r"),
    ("cp1253", "Γιώργος Παπαδόπουλος, Μαρία Νικολάου", "cp1253"),
    ("cp1255", "משה כהן, רחל לוי", "cp1255"),
    ("cp1256", "محمد الأحمد, فاطمة الزهراء", "cp1256"),
    ("cp1257", "Jānis Bērziņš, Līga Kalniņa", "cp1257"),
    ("gb18030", "王伟, 李明, 张建国, 刘洋, 周华, 北京", "gb18030"),
    ("big5", "陳建宏, 林淑芬, 黃志明", "big5"),
    ("cp932", "佐藤 太郎, 鈴木 花子, たかはし", "cp932"),
    ("cp949", "김민준, 이서연, 박지훈", "cp949"),
    ("euc-jp", "佐藤 太郎, すずき はなこ, タナカ", "euc-jp"),
    ("cp874", "สมชาย ใจดี, สมหญิง รักไทย", "cp874"),
    ("iso8859-2", "Świętosława Dąbrowska, Źródło, Łukasz", "iso8859-2"),
    ("iso8859-5", "Иван Петров, Мария Сидорова", "iso8859-5"),
    ("koi8-u", "Іван Шевченко, Оксана Коваленко, Київ", "koi8-u"),
    ("cp866", "Иван Петров, Мария Сидорова", "cp866"),
    ("cp850", "Søren Kjær, Bjørn Ærø, Åse Møller", "cp850"),
    ("cp852", "Paweł Dąbrowski, Małgorzata, Święta", "cp852"),
    ("mac-roman", "Jürgen Weiß, Bärbel Schäfer, José Peña", "mac-roman"),
]

ONE_NAME = ["Müller", "Françoise", "Núñez", "Peña", "Groß", "Søren", "Åse", "Kjær", "Íñigo", "É"]


@pytest.mark.parametrize(("encoding", "text", "found"), NAMES)
def test_letters_tell_the_encoding(tmp_path: Path, encoding: str, text: str, found: str) -> None:
    path = tmp_path / "people.csv"
    path.write_bytes(f"name\n{text}\n".encode(encoding))
    assert find_encoding(path).name == found


@pytest.mark.parametrize("name", ONE_NAME)
@pytest.mark.parametrize(
    "table",
    [
        "id;name\n1;{}\n2;Ann\n",
        "id|name|city\n1|{}|Bonn\n",
        "id;price;name\n1;£12.50;Ann\n2;£9;{}\n3;£8;Bob\n",
        "id;size;name\n1;13 m²;Ann\n2;½ kg;{}\n3;2 £;Bob\n",
    ],
)
def test_one_western_name_is_enough_and_no_price_speaks_against_it(
    tmp_path: Path, name: str, table: str
) -> None:
    path = tmp_path / "people.csv"
    path.write_bytes(table.format(name).encode("cp1252"))
    assert find_encoding(path).name == "latin-1"


def test_a_quote_of_windows_alone_is_no_letter(tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    path.write_bytes("id,name\n1,O’Brien\n2,Ann\n".encode("cp1252"))
    assert find_encoding(path).name == "cp1252"


def test_a_quote_of_windows_is_seen_wherever_it_stands(tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    rows = "".join(f"{n},Jürgen Müller\n" for n in range(9000))
    path.write_bytes(f"id,name\n{rows}9000,O’Brien\n".encode("cp1252"))
    assert names_of(path)[-1] == "O’Brien"


@pytest.mark.parametrize(
    ("others", "last", "said"),
    [
        (b"x,Ann\xe9\n", "Ann�", "utf-8 with broken letters"),
        (b"x,Gr\xc3\n", "Gr�", "utf-8 with broken letters"),
        ("x,José Peña\ny,Günter Groß\n".encode("cp1252"), "Günter Groß", "utf-8 and cp1252"),
    ],
)
def test_a_few_broken_lines_leave_the_others_as_they_are(
    tmp_path: Path, others: bytes, last: str, said: str
) -> None:
    path = tmp_path / "people.csv"
    rows = "".join(f"{n},Jürgen Müller\n" for n in range(99))
    path.write_bytes(b"id,name\n" + rows.encode() + others)
    assert names_of(path)[0] == "Jürgen Müller"
    assert names_of(path)[-1] == last
    assert str(find_encoding(path)) == said


def names_of(path: Path) -> list[str]:
    con = duckdb.connect()
    (loaded,) = load_files(con, [path])
    rows = con.execute(f"select name from {loaded.table} order by link_row").fetchall()
    return [name for (name,) in rows]


@pytest.mark.parametrize("encoding", ["cp1250", "cp1254", "cp1252"])
def test_files_of_spreadsheets_become_the_texts_that_were_written(
    tmp_path: Path, encoding: str
) -> None:
    name = {
        "cp1250": "Příjmení;Šťastný",
        "cp1254": "Soyadı;Çağlar Yılmaz",
        "cp1252": "Nachname;O’Häré",
    }[encoding]
    header, value = name.split(";")
    path = tmp_path / "people.csv"
    path.write_bytes(f"id;{header}\n1;{value}\n".encode(encoding))
    con = duckdb.connect()
    (loaded,) = load_files(con, [path])
    assert loaded.columns == ("id", header)
    assert con.execute(f'select "{header}" from {loaded.table}').fetchall() == [(value,)]
    assert encoding in loaded.dialect


def test_a_byte_that_is_no_letter_stops_no_file(tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    path.write_bytes("id,name\n1,Müller\n2,José\n".encode("cp1252") + b"3,Ann\x81\n")
    con = duckdb.connect()
    (loaded,) = load_files(con, [path])
    assert loaded.rows == 3
