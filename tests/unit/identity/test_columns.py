from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from cdp_pipeline.core.errors import ConfigError, ContractError
from cdp_pipeline.identity.files.columns import recognise
from cdp_pipeline.identity.files.gather import gather
from cdp_pipeline.identity.files.headers import header_roles
from cdp_pipeline.identity.files.recognition import Recognition
from cdp_pipeline.identity.files.sexes import sex_sql
from cdp_pipeline.identity.standard.nicknames import load_nicknames
from cdp_pipeline.project.column_names import role_of, says_nothing
from cdp_pipeline.storage.dates import read_dates
from cdp_pipeline.storage.tabular import load_arrow, load_files


@pytest.fixture
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as con:
        load_nicknames(con)
        yield con


@pytest.mark.parametrize(
    ("headers", "roles"),
    [
        (["Ad", "Soyad"], ["given_name", "family_name"]),
        (["Ad", "Clicks"], [None, None]),
        (["Név", "Anyja neve"], ["full_name", "mother_name"]),
        (["forename", "Father's name"], ["given_name", "father_name"]),
        (["name", "father_city"], ["full_name", "other"]),
        (["Isä", "Äiti"], ["father_name", "mother_name"]),
        (["Navn", "By", "Postnr"], ["full_name", "city", "postcode"]),
        (["name", "BY"], ["full_name", "birth_year"]),
        (["Apellido1", "Apellido 2"], ["family_name", "second_family_name"]),
        (["paterno", "materno"], ["family_name", "second_family_name"]),
        (["Anrede", "Nachname"], ["sex", "family_name"]),
        (["Name", "Father/Husband Name"], ["full_name", "father_name"]),
        (["name", "ISA"], ["full_name", None]),
    ],
)
def test_headers_are_understood_beside_each_other(
    headers: list[str], roles: list[str | None]
) -> None:
    assert list(header_roles(headers).values()) == roles


@pytest.mark.parametrize(
    ("header", "role"),
    [
        ("first_name", "given_name"),
        ("CustFirstName", "given_name"),
        ("Vorname", "given_name"),
        ("Navn", "full_name"),
        ("Apellido1", "family_name"),
        ("fechanacimiento", "birth_date"),
        ("T.C. Kimlik No", "national_id"),
        ("calle y número", "street"),
        ("Utca, házszám", "street"),
        ("Tél. fixe", "phone"),
        ("prénom", "given_name"),
        ("surname", "family_name"),
        ("Nachname", "family_name"),
        ("apellidos", "family_name"),
        ("DOB", "birth_date"),
        ("date_of_birth", "birth_date"),
        ("Geburtsdatum", "birth_date"),
        ("postcode_fake", "postcode"),
        ("mailing_address_zipcode", "postcode"),
        ("PLZ", "postcode"),
        ("soc_sec_id", "national_id"),
        ("ssn", "national_id"),
        ("E-Mail", "email"),
        ("customer_email", "email"),
        ("address_1", "street"),
        ("street_number", "house_number"),
        ("suburb", "city"),
        ("card_number", "loyalty_id"),
        ("payment_token", "payment_token"),
        ("account", "account_id"),
        ("rec_id", "record_id"),
        ("unique_id", "record_id"),
        ("cluster", "truth"),
        ("simulant_id", "truth"),
        ("entity_id", "truth"),
        ("GivenNm", "given_name"),
        ("DtOfBirth", "birth_date"),
        ("MobileNo", "phone"),
        ("mobile telephone", "phone"),
        ("nº tarjeta", "loyalty_id"),
        ("teléfono móvil", "phone"),
        ("płeć", "sex"),
        ("fødselsdato", "birth_date"),
        ("fæðingardagur", "birth_date"),
        ("số điện thoại", "phone"),
        ("手机号", "phone"),
        ("Дата рождения", "birth_date"),
        ("اسم العائلة", "family_name"),
        ("employer_city", "other"),
        ("order_no", "other"),
        ("region_no", None),
        ("county_number", None),
        ("no_email", None),
        ("bill_nr", None),
        ("customer_nr", "account_id"),
        ("address_number", "house_number"),
        ("residential_number", "house_number"),
        ("first_entered", None),
        ("customer", None),
        ("wages", None),
    ],
)
def test_headers_are_understood(header: str, role: str | None) -> None:
    assert role_of(header) == role


def test_a_numbered_header_says_nothing() -> None:
    assert says_nothing("column_7")
    assert not says_nothing("phone")


def _recognise(
    con: duckdb.DuckDBPyConnection, columns: dict[str, list[str | None]], **options: str
) -> Recognition:
    (loaded,) = load_arrow(con, [("people", pa.table(columns))])
    return recognise(con, loaded, **options)  # type: ignore[arg-type]


def test_values_decide_where_names_do_not(con: duckdb.DuckDBPyConnection) -> None:
    names = ["anna", "william", "mary", "robert", "katherine", "james"] * 10
    found = _recognise(
        con,
        {
            "c0": [str(n) for n in range(60)],
            "c1": names,
            "c2": [f"{name}@example.org" for name in names],
            "c3": [f"{1940 + n}-03-{1 + n % 28:02d}" for n in range(60)],
        },
    )
    roles = {column.name: column.role for column in found.columns if column.is_used}
    assert roles == {
        "c0": "record_id",
        "c1": "given_name",
        "c2": "email",
        "c3": "birth_date",
    }


def test_the_first_column_names_the_records_if_it_holds_codes(
    con: duckdb.DuckDBPyConnection,
) -> None:
    names = ["anna lee", "mary stone", "robert may"]
    codes = _recognise(con, {"pedido": ["G-1", "G-2", "G-30"], "name": names})
    assert codes.first("record_id") == "pedido"
    for told in (["G-1", "G-1", "G-2"], ["1.50", "2.75", "9.99"], ["north", "south", "east"]):
        assert _recognise(con, {"pedido": told, "name": names}).first("record_id") is None


def test_a_column_called_customer_is_what_it_holds(con: duckdb.DuckDBPyConnection) -> None:
    named = _recognise(con, {"cliente": ["Ana Ruiz", "Luis Gil Mora", "Eva Sanz"] * 10})
    assert named.first("full_name") == "cliente"
    firms: list[str | None] = ["Huber GmbH", "Autohaus Weber KG", "Foo Trading Ltd."]
    works = _recognise(con, {"Kunde": firms, "Name": ["Ana Ruiz", "Luis Gil", "Eva Sanz"]})
    assert works.used("full_name") == ["Name"]
    numbered = _recognise(con, {"name": ["Ana Ruiz", "Luis Gil"], "cliente": ["77", "77"]})
    assert "cliente" not in {column.name for column in numbered.columns if column.is_used}


def test_the_recipient_stands_for_a_customer_of_whom_nothing_else_is_told(
    con: duckdb.DuckDBPyConnection,
) -> None:
    delivery: dict[str, list[str | None]] = {
        "shipping_name": ["Ana Ruiz", "Luis Gil"],
        "ship_street": ["Calle Sol 1", "Calle Luna 2"],
        "shipping_zip": ["28001", "28002"],
        "shipping_number": ["77", "77"],
        "email": ["ana@web.de", "luis@web.de"],
    }
    alone = _recognise(con, delivery)
    assert [alone.first(role) for role in ("full_name", "street", "postcode")] == [
        "shipping_name",
        "ship_street",
        "shipping_zip",
    ]
    assert alone.first("house_number") is None
    billed = _recognise(
        con,
        {
            **delivery,
            "name": ["Eva Sanz", "Luis Gil"],
            "street": ["Calle Mar 3", "Calle Luna 2"],
            "zip": ["28003", "28002"],
        },
    )
    used = {column.name for column in billed.columns if column.is_used}
    assert used == {"email", "name", "street", "zip"}


def test_a_number_of_a_place_is_not_taken_for_the_place(con: duckdb.DuckDBPyConnection) -> None:
    found = _recognise(
        con,
        {
            "name": ["Ana Ruiz", "Luis Gil", "Eva Sanz"],
            "county_number": ["77", "12", "12"],
            "county": ["Polk", "Cedar", "Cedar"],
        },
    )
    assert found.first("state") == "county"


def test_a_year_is_of_a_person_only_beside_an_age(con: duckdb.DuckDBPyConnection) -> None:
    people: dict[str, list[str | None]] = {
        "name": ["Ana Ruiz", "Luis Gil"],
        "census_year": ["1851", "1861"],
    }
    assert _recognise(con, people).first("age_year") is None
    assert _recognise(con, {**people, "age": ["30", "41"]}).first("age_year") == "census_year"


def test_a_year_in_which_nobody_grows_older_is_that_of_an_order(
    con: duckdb.DuckDBPyConnection,
) -> None:
    people: dict[str, list[str | None]] = {
        "name": ["Ana Ruiz", "Luis Gil", "Ana Ruiz", "Luis Gil"],
        "year": ["2022", "2022", "2024", "2025"],
    }
    ordered = _recognise(con, {**people, "age": ["30", "41", "30", "41"]})
    assert (ordered.first("age"), ordered.first("age_year")) == ("age", None)
    asked = _recognise(con, {**people, "age": ["30", "41", "32", "44"]})
    assert asked.first("age_year") == "year"


def test_names_and_birth_dates_are_found_where_headers_are_of_an_unknown_language(
    con: duckdb.DuckDBPyConnection,
) -> None:
    given = ["Anna", "John", "Mary", "Peter", "Elizabeth", "Paul", "Susan", "Mark"] * 8
    found = _recognise(
        con,
        {
            "jina la kwanza": given,
            "ukoo": [chr(97 + n % 8) + "aro" + chr(97 + n // 8) + "we" for n in range(64)],
            "kuzaliwa": [f"{1940 + n}-0{1 + n % 9}-11" for n in range(64)],
            "kuagiza": [f"20{10 + n % 9}-0{1 + n % 9}-11" for n in range(64)],
        },
    )
    roles = {c.name: c.role for c in found.columns if c.is_used}
    assert roles.get("kuzaliwa") == "birth_date"
    assert "kuagiza" not in roles


def test_names_of_an_unknown_language_are_found_by_known_given_names(
    con: duckdb.DuckDBPyConnection,
) -> None:
    known = con.execute(
        "select name from identity_nicknames where regexp_full_match(name, '[a-z]{4,}') "
        "order by name limit 120"
    ).fetchall()
    given = [name for (name,) in known]
    family = [f"{name}ovi{name[0]}{number}".rstrip("0123456789") + "x" * (number % 7)
              for number, name in enumerate(given)]  # fmt: skip
    letters = {"ukoo": family, "jina": given[:60] * 2}
    roles = {c.name: c.role for c in _recognise(con, letters).columns if c.is_used}
    assert roles == {"ukoo": "family_name", "jina": "given_name"}
    goods = {"bidhaa": [f"{name} za kiatu" for name in family]}
    assert not any(c.is_used for c in _recognise(con, goods).columns)


@pytest.mark.parametrize(
    ("values", "meant"),
    [
        (["f", "m"], ["F", "M"]),
        (["Herr", "Frau"], ["M", "F"]),
        (["H", "M"], ["M", "F"]),
        (["K", "E"], ["F", "M"]),
        (["K", "M"], ["F", "M"]),
        (["男", "女"], ["M", "F"]),
        (["남", "여"], ["M", "F"]),
        (["Nam", "Nữ"], ["M", "F"]),
        (["M.", "Mme"], ["M", "F"]),
        (["M", "U"], ["M", None]),
        (["W", "W"], ["F", "F"]),
        (["H", "Mme"], ["M", "F"]),
        (["F", "W", "M", "M"], ["F", "F", "M", "M"]),
        ([*"MMMMFFNNNNN"], [*"MMMMFF", *[None] * 5]),
        ([*"MMMMMMMMMFFHHH"], [*"MMMMMMMMMFFMMM"]),
        ([*"MMMMMMMMMHHHHHHHHHF"], [*"FFFFFFFFFMMMMMMMMM", None]),
    ],
)
def test_sexes_are_read_as_they_are_used_together(
    con: duckdb.DuckDBPyConnection, values: list[str], meant: list[str | None]
) -> None:
    (loaded,) = load_arrow(con, [("people", pa.table({"sex": values}))])
    sql = sex_sql(con, loaded.table, "sex")
    rows = con.execute(f"select {sql} from {loaded.table} order by link_row").fetchall()
    assert [row[0] for row in rows] == meant


def test_the_answer_is_never_evidence_and_every_column_has_a_reason(
    con: duckdb.DuckDBPyConnection,
) -> None:
    found = _recognise(
        con,
        {
            "unique_id": ["1", "2", "3"],
            "cluster": ["a", "a", "b"],
            "first_name": ["Anna", "Ana", "Bob"],
            "email": ["none", "no", "-"],
            "tier": ["gold", "gold", "gold"],
        },
    )
    used = {column.name for column in found.columns if column.is_used}
    assert used == {"unique_id", "first_name"}
    assert all(column.why for column in found.columns)


def test_an_id_that_is_not_unique_is_refused_or_passed_over(
    con: duckdb.DuckDBPyConnection,
) -> None:
    columns: dict[str, list[str | None]] = {"id": ["1", "1"], "name": ["Ann Lee", "Bob Lee"]}
    assert _recognise(con, columns).first("record_id") is None
    with pytest.raises(ConfigError, match="1 \\(2 times\\)"):
        _recognise(con, columns, id_column="id")
    with pytest.raises(ConfigError, match="no column 'key'"):
        _recognise(con, columns, id_column="key")


def test_a_number_that_names_every_record_is_its_id_and_stays_evidence(
    con: duckdb.DuckDBPyConnection,
) -> None:
    columns: dict[str, list[str | None]] = {
        "card_no": ["630001", "630002", "630003"],
        "name": ["Ann Lee", "Bob Lee", "Cy Lee"],
    }
    found = _recognise(con, columns)
    assert (found.first("record_id"), found.first("loyalty_id")) == ("card_no", "card_no")
    orders = _recognise(con, {"order_no": ["1", "2", "3"], "name": columns["name"]})
    assert orders.first("record_id") == "order_no"
    assert _recognise(con, {"order_no": ["1", "1", "3"], **columns}).first("record_id") == "card_no"


DAYS = [date(1930, 1, 1) + timedelta(days=n * 83) for n in range(300)]


@pytest.mark.parametrize(
    ("written", "order"),
    [
        ("%Y-%m-%d", None),
        ("%Y%m%d", None),
        ("%d/%m/%Y", "day first"),
        ("%d. %m. %Y", "day first"),
        ("%Y.%m.%d.", None),
        ("%Y年%m月%d日", None),
        ("%m/%d/%Y", "month first"),
        ("%d.%m.%y", "day first"),
        ("%d %B %Y", None),
        ("%b %d, %Y", None),
    ],
)
def test_dates_are_read_as_they_were_written(
    con: duckdb.DuckDBPyConnection, written: str, order: str | None
) -> None:
    con.execute(
        "create table t as select unnest($d) as d", {"d": [d.strftime(written) for d in DAYS]}
    )
    reading = read_dates(con, "t", '"d"')
    assert (reading.share, reading.order, reading.certain) == (1.0, order, True)
    read = [row[0] for row in con.execute(f"select {reading.sql('d')} from t").fetchall()]
    assert read == DAYS


def test_a_second_way_of_writing_is_found_among_many(con: duckdb.DuckDBPyConnection) -> None:
    days = [date(1940, 1, 1) + timedelta(days=step) for step in range(3000)]
    ways = ("%d.%m.%Y", *["%Y-%m-%d"] * 29)
    written = [day.strftime(ways[place % len(ways)]) for place, day in enumerate(days)]
    con.execute("create table t as select unnest($d) as d", {"d": written})
    assert read_dates(con, "t", '"d"').share == 1.0


def test_a_rare_way_is_found_where_common_values_are_all_written_the_common_way(
    con: duckdb.DuckDBPyConnection,
) -> None:
    # As in any large file of people: each day of birth stands there several times.
    con.execute(
        """
        create table t as
        select strftime(date '1940-01-01' + n::integer % 4000, '%Y-%m-%d') as d,
        from range(12000) as days(n)
        union all
        select strftime(date '1940-01-01' + n::integer * 2, '%d.%m.%Y') as d,
        from range(1500) as days(n)
        """
    )
    reading = read_dates(con, "t", '"d"')
    assert (reading.formats, reading.share) == (("%Y-%m-%d", "%d.%m.%Y"), 1.0)


def test_what_the_values_do_not_tell_is_said(con: duckdb.DuckDBPyConnection) -> None:
    con.execute("create table t as select unnest(['01/02/1985', '03/04/1977']) as d")
    assert "by assumption" in read_dates(con, "t", '"d"').text
    said = read_dates(con, "t", '"d"', order="month first")
    assert (said.order, said.certain) == ("month first", True)


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        (b"id,name\n1,Ann\n2,Bob\n", [("1", "Ann"), ("2", "Bob")]),
        (b"\xef\xbb\xbfid;name\n1;Ann, M.\n", [("1", "Ann, M.")]),
        (b"id\tname\n1\tAnn\n", [("1", "Ann")]),
        (b"id|name\r\n1|Ann\r\n", [("1", "Ann")]),
        ("id,name\n1,Zoë\n".encode("latin-1"), [("1", "Zoë")]),
        ("id,name\n1,Zoë\n".encode("utf-16"), [("1", "Zoë")]),
        (b'id,name\n1,"Lee, Ann"\n2,"say ""hi"""\n', [("1", "Lee, Ann"), ("2", 'say "hi"')]),
        (b"id,name\n007,\n", [("007", None)]),
    ],
)
def test_dialects_are_recognised(
    con: duckdb.DuckDBPyConnection, tmp_path: Path, content: bytes, rows: list[tuple[str, str]]
) -> None:
    path = tmp_path / "people.csv"
    path.write_bytes(content)
    (loaded,) = load_files(con, [path])
    assert loaded.columns == ("id", "name")
    assert con.execute(f"select id, name from {loaded.table} order by link_row").fetchall() == rows


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("none.csv", None, "no such file"),
        ("empty.csv", b"", "is empty"),
        ("header.csv", b"id,name\n", "no records"),
        ("ragged.csv", b"id,name\n1,Ann\n2,Bob,x\n", "3 fields where the header has 2"),
        ("people.xlsx", b"PK", "not a kind of file"),
        ("people.parquet", b"not parquet", "cannot be read"),
    ],
)
def test_what_cannot_be_read_is_explained(
    con: duckdb.DuckDBPyConnection, tmp_path: Path, name: str, content: bytes | None, message: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(ContractError, match=message) as caught:
        load_files(con, [tmp_path / name])
    assert name in (caught.value.where or "")
    assert caught.value.hint


def test_numbers_that_met_an_empty_cell_stay_numbers(con: duckdb.DuckDBPyConnection) -> None:
    numbers = pa.array([7700900123.0, float("nan"), None, 1.5])
    (loaded,) = load_arrow(con, [("people", pa.table({"phone": numbers}))])
    rows = con.execute(f"select phone from {loaded.table} order by link_row").fetchall()
    assert rows == [("7700900123",), (None,), (None,), ("1.5",)]


def test_a_second_family_name_stands_behind_the_first(con: duckdb.DuckDBPyConnection) -> None:
    con.execute("create schema if not exists staging")
    columns = {
        "Nombre": ["Ana", "Luis"],
        "Apellido1": ["García", "Ruiz"],
        "Apellido2": ["López", None],
    }
    gather(con, [_recognise(con, columns)])
    rows = con.execute("select family_name from staging.person_records order by place").fetchall()
    assert rows == [("García López",), ("Ruiz",)]
