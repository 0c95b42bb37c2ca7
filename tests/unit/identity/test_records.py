from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import duckdb
import pytest

from cdp_pipeline.core.context import StepResult
from cdp_pipeline.identity.standard import records
from cdp_pipeline.storage.warehouse import fetch_dicts, open_build

if TYPE_CHECKING:
    from tests.unit.identity.conftest import Person, Store


@pytest.mark.parametrize(
    ("text", "given", "family"),
    [
        ("SMITH, Anna", "Anna", "SMITH"),
        ("*VIP* Anna Smith", "Anna", "Smith"),
        ("Anna Smith (deceased)", "Anna", "Smith"),
        ("Mr. Jan van der Berg", "Jan", "van der Berg"),
        ("VAN DER NOOT", None, "VAN DER NOOT"),
        ("van Kuijc van Malsen", None, "van Kuijc van Malsen"),
        ("Van Morrison", "Van", "Morrison"),
        ("Van Anh de Vries", "Van Anh", "de Vries"),
        ("Von Bismarck van Houten", None, "Von Bismarck van Houten"),
        ("van Gogh", None, "van Gogh"),
        ("de Vries", None, "de Vries"),
        ("VAN KUIJC VAN MALSEN", None, "VAN KUIJC VAN MALSEN"),
        ("de la Cruz", None, "de la Cruz"),
        ("Di van der Merwe", "Di", "van der Merwe"),
        ("Del de la Cruz", "Del", "de la Cruz"),
        ("Smith, Mrs Anna Jr", "Anna", "Smith"),
        ("Dr Mary Jane O'Brien-Jones III", "Mary Jane", "O'Brien-Jones"),
        ("Smith", None, "Smith"),
        ("  [no post]  ", None, None),
        ("김민준", "민준", "김"),
        ("남궁민수", "민수", "남궁"),
        ("민준 김", "민준", "김"),
        ("김 민준", "민준", "김"),
        ("남궁 민수", "민수", "남궁"),
    ],
)
def test_one_field_is_split_into_two(
    macros: duckdb.DuckDBPyConnection, text: str, given: str | None, family: str
) -> None:
    found = macros.execute(
        "select identity_split_name(value, identity_untitle(value)) "
        "from (select identity_unmark(?) as value)",
        [text],
    ).fetchall()
    name = found[0][0] or {"given": None, "family": None}
    assert (name["given"], name["family"]) == (given, family)


@pytest.mark.parametrize(
    "text",
    [
        "07700 900123",
        "+44 7700 900123",
        "0044 (0)7700-900123",
        "+44 (0)7700 900123",
        "7700900123",
        "(07700) 900-123",
        "07700.900.123",
    ],
)
def test_seven_phone_formats_are_one_number(macros: duckdb.DuckDBPyConnection, text: str) -> None:
    found = macros.execute("select identity_phone(?), identity_phone_e164(?, 'GB')", [text, text])
    assert found.fetchall() == [("700900123", "+447700900123")]


@pytest.mark.parametrize(
    ("macro", "text", "expected"),
    [
        (
            "identity_mailbox(identity_email(?))",
            " Anna.Smith+x@GoogleMail.com",
            "annasmith@gmail.com",
        ),
        ("identity_mailbox(identity_email(?))", "anna.smith+x@web.de", "anna.smith@web.de"),
        ("identity_email(?)", "mailto:anna@web.de.", "anna@web.de"),
        ("identity_email(?)", "not an address", None),
        ("identity_email(?)", " Anna@Web.de ", "anna@web.de"),
        ("identity_email(?)", "anna@web", None),
        ("identity_phone(?)", "(0)20 7946-0000", "079460000"),
        ("identity_phone(?)", "079460000 ext. 12", "946000012"),
        ("identity_phone(?)", "+44 12-34", None),
        ("identity_phone(?)", "1234 5678 9012 3456 7", None),
        ("identity_postcode(?)", "sw1a 1aa", "SW1A1AA"),
        ("identity_postcode(?)", "12345-6789", "12345"),
        ("identity_street(?)", "Flat 3, 12 High Street", "flat 3 12 high st"),
        ("identity_street(?)", "  ", None),
        ("identity_postcode(?)", "123456789", "12345"),
        ("identity_postcode(?)", "SW1A1AA", "SW1A1AA"),
        ("identity_street(?)", "12 High Street Apt 3", "12 high st flat 3"),
        ("identity_street(?)", "Gartenstraße 5, Whg. 3", "gartenstr 5 flat 3"),
        ("identity_street(?)", "Gartenstrasse 5", "gartenstr 5"),
        ("identity_street(?)", "Łódzka 7", "lodzka 7"),
        ("identity_letters(?)", "Sc0tt", "scott"),
        ("identity_letters(?)", "A1ice", "alice"),
        ("identity_letters(?)", "Anna 10", "anna"),
        ("identity_number(?)", "0071-0001", "710001"),
        ("identity_number(?)", "00710001", "710001"),
        ("identity_number(?)", "GB710001", "GB710001"),
        ("identity_first_given(identity_letters(?))", "Thị Lan", "lan"),
        ("identity_first_given(identity_letters(?))", "Abd al-Rahman Omar", "abdulrahman"),
        ("identity_first_given(identity_letters(?))", "Abdul Aziz", "abdulaziz"),
        ("identity_first_given(identity_letters(?))", "Mary Jane", "mary"),
        ("identity_letters(?)", "최", "choi"),
        ("identity_letters(?)", "정수", "jeongsu"),
        ("identity_letters(?)", "남궁", "namgung"),
        ("identity_letters(?)", "민준 Lee", "minjun lee"),
        ("identity_first_given(identity_letters(?))", "Van", "van"),
        ("identity_year(?)", "1823", "1823"),
        ("identity_year(?)", "about 1788", "1788"),
        ("identity_year(?)", "0199", None),
        ("identity_letters(?)", "  O'Brien-JØNES  Élan ", "obrien jones elan"),
        ("identity_proper_case(?)", "O'BRIEN-JONES", "O'Brien-Jones"),
        ("identity_proper_case(?)", "McDonald", "McDonald"),
        ("identity_country(?, 'GB')", "Eire", "IE"),
        ("identity_country(?, 'GB')", "", "GB"),
    ],
)
def test_values_take_their_comparable_form(
    macros: duckdb.DuckDBPyConnection, macro: str, text: str, expected: str | None
) -> None:
    assert macros.execute(f"select {macro}", [text]).fetchall() == [(expected,)]


def _standardise(
    store: Store, people: list[Person]
) -> tuple[StepResult, list[Person], list[Person]]:
    context = store.stage(people)
    result = records.run(context)
    with open_build(context) as con:
        rows = fetch_dicts(con, "select * from identity.records order by record_id")
        hubs = fetch_dicts(con, "select * from identity.hubs order by field, value_hash")
    return result, rows, hubs


def test_placeholders_are_no_evidence(store: Store) -> None:
    _, rows, hubs = _standardise(
        store,
        [
            {"record_key": "1", "full_name": "TEST CUSTOMER", "email": "none@none.com"},
            {
                "record_key": "2",
                "full_name": "Anna Smith",
                "birth_date": date(1900, 1, 1),
                "phone": "0000000000",
            },
        ],
    )
    assert [row["is_usable"] for row in rows] == [False, True]
    assert rows[1]["birth_date"] is None
    assert rows[1]["phone"] is None
    assert [(hub["field"], hub["reason"]) for hub in hubs] == [
        ("email", "placeholder"),
        ("phone", "placeholder"),
    ]


def test_who_tries_a_form_holds_no_card(store: Store) -> None:
    """The card is a customer's; hers would be the tester's receipts, too."""
    test = {"given_name": "TEST", "family_name": "CUSTOMER", "loyalty_id": "0071000019"}
    real = {"given_name": "Tess", "family_name": "Testa", "loyalty_id": "0071000027"}
    _, rows, _ = _standardise(store, [{"record_key": "1", **test}, {"record_key": "2", **real}])
    assert [row["loyalty_id"] for row in rows] == [None, "71000027"]
    assert [row["is_usable"] for row in rows] == [False, True]


def test_a_family_name_that_was_cut_is_none(store: Store) -> None:
    people = [
        {"record_key": key, "given_name": "Pim", "family_name": family}
        for key, family in (("1", "VAN"), ("2", "van der"), ("3", "van der Ven"))
    ]
    _, rows, _ = _standardise(store, people)
    assert [row["family_name"] for row in rows] == [None, None, "van der ven"]


def test_a_card_scanned_for_strangers_is_a_hub_and_a_good_customers_is_not(store: Store) -> None:
    strangers = [
        {
            "record_key": f"s{i:02d}",
            "record_kind": "receipt",
            "loyalty_id": "9000000001",
            "payment_token": f"token{i}",
        }
        for i in range(30)
    ]
    regular = [
        {
            "record_key": f"r{i:02d}",
            "record_kind": "receipt",
            "loyalty_id": "0071000019",
            "payment_token": f"mine{i % 2}",
        }
        for i in range(200)
    ]
    _, rows, hubs = _standardise(store, strangers + regular)
    assert [(hub["field"], hub["records"]) for hub in hubs] == [("loyalty_id", 30)]
    assert "9000000001" not in str(hubs)
    kept = {row["loyalty_id"] for row in rows}
    assert kept == {None, "71000019"}


def test_records_that_say_the_same_share_evidence_but_a_bare_name_never_does(store: Store) -> None:
    card = {"record_kind": "receipt", "loyalty_id": "0071"}
    name = {"full_name": "Anna Smith"}
    result, rows, _ = _standardise(
        store,
        [
            card | {"record_key": "1"},
            card | {"record_key": "2", "loyalty_id": "71"},
            name | {"record_key": "3"},
            name | {"record_key": "4"},
        ],
    )
    assert [row["evidence_id"] for row in rows] == [0, 0, 2, 3]
    assert result.facts["distinct"] == 3


def test_names_that_are_cleaned_at_a_glance_come_out_as_the_others_do(store: Store) -> None:
    written = [
        ("Anna", "MacLeod"),
        ("anna ", "Mac Leod"),
        ("Ms Anna", "(moved) MacLeod"),
        ("ANNA", "MACLEOD Jr."),
    ]
    _, rows, _ = _standardise(
        store,
        [
            {"record_key": str(n), "given_name": given, "family_name": family}
            for n, (given, family) in enumerate([*written, ("Mr", "MacLeod"), ("Anna", "unknown")])
        ],
    )
    names = [(row["given_name"], row["family_name"]) for row in rows]
    assert names == [("anna", "macleod")] * len(written) + [(None, "macleod"), ("anna", None)]


def test_names_in_the_wrong_fields_are_turned_round(store: Store) -> None:
    usual = [
        {"record_key": f"u{i:02d}", "given_name": "Anna", "family_name": "Winterbourne"}
        for i in range(12)
    ]
    turned = {"record_key": "x", "given_name": "Winterbourne", "family_name": "Anna"}
    _, rows, _ = _standardise(store, [*usual, turned])
    assert (rows[-1]["given_name"], rows[-1]["family_name"]) == ("anna", "winterbourne")


def test_family_names_that_come_first_in_one_field_are_known_from_separate_fields(
    store: Store,
) -> None:
    apart: list[Person] = [
        {"record_key": f"a{n:02d}", "given_name": given, "family_name": "Nguyễn"}
        for n, given in enumerate(["Thị Lan", "Minh"] * 6)
    ]
    together: list[Person] = [
        {"record_key": f"b{n:02d}", "full_name": name}
        for n, name in enumerate(["Nguyễn Thị Lan", "Nguyễn Minh", "Minh Nguyễn"] * 12)
    ]
    _, rows, _ = _standardise(store, apart + together)
    assert {(row["given_name"], row["family_name"]) for row in rows} == {
        ("lan", "nguyen"),
        ("minh", "nguyen"),
    }


def test_a_lone_word_is_the_name_that_it_usually_is(store: Store) -> None:
    usual: list[Person] = [
        {"record_key": f"u{n:02d}", "given_name": "Anna", "family_name": "Winterbourne"}
        for n in range(12)
    ]
    lone: list[Person] = [
        {"record_key": f"x{n}", "full_name": name}
        for n, name in enumerate(["Anna", "Winterbourne", "Quux", "Winterbourne J."])
    ]
    _, rows, _ = _standardise(store, usual + lone)
    assert [(row["given_name"], row["family_name"]) for row in rows[-4:]] == [
        ("anna", None),
        (None, "winterbourne"),
        (None, "quux"),
        ("j", "winterbourne"),
    ]


def test_no_records_at_all_are_no_error(store: Store) -> None:
    result, rows, hubs = _standardise(store, [])
    assert (result.rows_in, rows, hubs) == (0, [], [])
