"""What a draft says that values mean is right, or it asks: grain, moments, codes, units."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pytest

from cdp_pipeline.ingest.discovery.asking import Ask
from cdp_pipeline.ingest.discovery.codes import (
    consent_of,
    mail_event_of,
    says_consent,
    sex_of,
    status_of,
)
from cdp_pipeline.ingest.discovery.writing import write_draft
from cdp_pipeline.project.contracts import SourceContract
from cdp_pipeline.project.yaml_source import parse_model
from tests.unit.ingest.conftest import Stage
from tests.unit.ingest.drafted import draft, fed, loaded


def customers(*addresses: dict[str, object], **more: object) -> str:
    people = [
        {
            "id": n,
            "email": f"c{n}@example.com",
            "firstname": "Ann",
            "lastname": f"Lee{n}",
            "addresses": [{"id": 10 * n + i, **one} for i, one in enumerate(addresses)],
            **more,
        }
        for n in range(30)
    ]
    return json.dumps({"items": people, "total_count": 30})


LEEDS = {"street": ["3 Park Row"], "city": "Leeds", "postcode": "LS1 4AP"}
YORK = {"street": ["1 Old St", "Flat 2"], "city": "York", "postcode": "YO1 1AA"}


def test_the_main_address_of_a_customer_is_read_and_makes_no_rows(
    tmp_path: Path, stage: Stage
) -> None:
    text = customers(LEEDS, {**YORK, "default_billing": True})
    found = draft(tmp_path, "customers.json", text)
    assert found.load["key"] == ["id"]
    person = fed(found, "person_records")
    assert person["record_key"] == "id"
    assert person["street"] == "concat_ws(' ', addresses_street, addresses_street_2)"
    rows = loaded(found, stage, "customers.json")
    assert [row["city"] for row in rows] == ["York"] * 30
    assert "account_id" not in person  # ids of addresses are nobody's


def test_of_addresses_without_a_mark_people_are_asked(tmp_path: Path) -> None:
    found = draft(tmp_path, "customers.json", customers(LEEDS, YORK))
    asked = [c.kind.question for c in found.columns if c.kind.question]
    assert len(found.sample.fields[0].values) == 30
    assert [key for key, *_ in asked] == ["from"]
    assert "which of several addresses counts" in asked[0][1]


def test_a_mark_that_some_lack_is_asked_about(tmp_path: Path) -> None:
    people = json.loads(customers({**LEEDS, "default": True}, YORK))
    del people["items"][7]["addresses"][0]["default"]
    found = draft(tmp_path, "customers.json", json.dumps(people))
    (question,) = (c.kind.question for c in found.columns if c.kind.question)
    assert "addresses[default=true] is missing in some records" in question[1]


def test_an_address_of_the_record_itself_counts_more(tmp_path: Path) -> None:
    main = {"address1": "1 High St", "city": "Leeds", "zip": "LS1"}
    found = draft(tmp_path, "customers.json", customers(YORK, YORK, default_address=main))
    assert [c.kind.field.name for c in found.columns if c.kind.tag == "street"] == [
        "default_address.address1"
    ]
    assert "not read: addresses[]" in found.notes[""]


def test_addresses_in_xml_make_no_rows(tmp_path: Path, stage: Stage) -> None:
    people = "".join(
        f'<Customer id="{n}"><Email>a{n}@example.com</Email><LastName>Lee{n}</LastName>'
        f"<Address type='home'><Street>High St {n}</Street></Address>"
        f"<Address type='work'><Street>Low St {n}</Street></Address></Customer>"
        for n in range(30)
    )
    found = draft(tmp_path, "customers.xml", f"<Customers>{people}</Customers>")
    assert any(c.kind.question for c in found.columns)
    rows = loaded(found, stage, "customers.xml")
    assert [row["street"] for row in rows] == [f"High St {n}" for n in range(30)]


def test_lines_make_rows_however_many_taxes_there_are(tmp_path: Path) -> None:
    orders = [
        {
            "id": n,
            "order_number": f"O{n}",
            "created_at": "2026-11-20T10:00:00Z",
            "tax_lines": [{"title": "VAT", "price": "0.10"}, {"title": "City", "price": "0.20"}],
            "line_items": [{"id": n * 10, "sku": "A1", "quantity": 1, "price": "2.50"}],
        }
        for n in range(30)
    ]
    found = draft(tmp_path, "orders.json", json.dumps(orders))
    assert "line_items[].sku" in [c.kind.field.name for c in found.columns]
    assert found.load["key"] == ["line_items_id"]


def till(clocks: list[str], zone: str = "", day: str = "2026-07-01") -> str:
    zones = (",Time Zone", f",{zone}") if zone else ("", "")
    rows = "".join(
        f"{day},{clock}{zones[1]},R{n // 2},7,A{n},1,{n}.50\n" for n, clock in enumerate(clocks)
    )
    return f"Date,Time{zones[0]},Receipt,Store,SKU,Qty,Amount\n{rows}"


@pytest.mark.parametrize(
    ("clocks", "zone", "first"),
    [
        (["18:05:09", "09:00:00"], "Eastern Time (US & Canada)", "2026-07-01 22:05:09"),
        (["18:05", "09:00"], "Europe/Paris", "2026-07-01 16:05:00"),
        (["6:05 PM", "09:00 AM"], "London", "2026-07-01 17:05:00"),
        (["18:05:09", "09:00"], "Europe/Paris", "2026-07-01 16:05:09"),
        (["1805", "0900"], "+05:30", "2026-07-01 12:35:00"),
        (["180509", "90000"], "-03:30", "2026-07-01 21:35:09"),
    ],
)
def test_a_day_its_time_and_its_zone_are_one_moment(
    tmp_path: Path, stage: Stage, clocks: list[str], zone: str, first: str
) -> None:
    found = draft(tmp_path, "till.csv", till(clocks * 12, zone))
    assert not [c.name for c in found.columns if c.kind.question]
    columns = fed(found, "sale_lines")
    assert (columns["sold_at"], columns["sold_on"]) == ("occurred_at", "date")
    rows = loaded(found, stage, "till.csv")
    assert rows[0]["occurred_at"] == datetime.fromisoformat(first)
    assert len(rows) == 24


def test_a_clock_without_its_colon_is_read_beside_others(tmp_path: Path, stage: Stage) -> None:
    clocks = [*(f"18:{minute:02}" for minute in range(5, 60)), "900"]
    found = draft(tmp_path, "till.csv", till(clocks, "Europe/Paris"))
    rows = loaded(found, stage, "till.csv")
    assert [row["occurred_at"] for row in (rows[0], rows[-1])] == [
        datetime.fromisoformat("2026-07-01 16:05:00"),
        datetime.fromisoformat("2026-07-01 07:00:00"),
    ]


@pytest.mark.parametrize("zone", ["", "Till time"])
def test_the_zone_of_a_day_and_time_is_asked_for(tmp_path: Path, zone: str, stage: Stage) -> None:
    found = draft(tmp_path, "till.csv", till(["18:05:09", "09:00:00"] * 12, zone))
    (asked,) = (c.kind.question for c in found.columns if c.kind.question)
    assert asked[0] == "value"
    assert "IANA zone" in asked[1]
    assert len(loaded(found, stage, "till.csv")) == 24


def test_zones_that_are_known_and_unknown_are_asked_for_and_never_nothing(
    tmp_path: Path, stage: Stage
) -> None:
    text = till(["18:05:09", "09:00:00"] * 12, "London")
    rows = text.splitlines()
    mixed = [
        row.replace("London", "Till time") if n % 3 == 0 else row for n, row in enumerate(rows)
    ]
    mixed[0] = rows[0]
    found = draft(tmp_path, "till.csv", "\n".join(mixed) + "\n")
    (asked,) = (c.kind.question for c in found.columns if c.kind.question)
    assert "IANA zones of Till time" in asked[1]
    assert "when 'Till time' then '...'" in asked[1]
    known = write_draft(draft(tmp_path, "till.csv", text), is_trial=True)
    contract = parse_model(SourceContract, known, path=Path("x.yml"), name="till")
    later = stage("\n".join(mixed).encode(), contract, name="till.csv", quarantine_stop_share=0.9)
    assert {row["rule"] for row in later.aside} == {"time_zone_in_set"}
    assert all(row["occurred_at"] for row in later.rows)
    assert len(later.rows) + len(later.aside) == len(mixed) - 1


def test_a_day_alone_stays_a_day(tmp_path: Path) -> None:
    text = till(["x"] * 24).replace("Time", "Word")
    assert fed(draft(tmp_path, "till.csv", text), "sale_lines")["sold_on"] == "date"


@pytest.mark.parametrize("header", ["created (UTC)", "created_utc", "Created GMT"])
def test_a_header_that_says_utc_is_believed(tmp_path: Path, header: str) -> None:
    rows = "".join(f"R{n},7,2026-11-20 10:{n}:00,A{n},1,{n}.50\n" for n in range(10, 40))
    found = draft(tmp_path, "till.csv", f"Receipt,Store,{header},SKU,Qty,Amount\n{rows}")
    (moment,) = (c for c in found.columns if c.kind.type == "timestamp")
    assert moment.kind.keys["time_zone"] == "UTC"
    assert "time_zone" not in found.delivery


def test_an_offset_in_a_header_is_no_utc(tmp_path: Path) -> None:
    rows = "".join(f"R{n},7,2026-11-20 10:{n}:00,A{n},1,{n}.50\n" for n in range(10, 40))
    found = draft(tmp_path, "till.csv", f"Receipt,Store,created (UTC+1),SKU,Qty,Amount\n{rows}")
    assert isinstance(found.delivery["time_zone"], Ask)


@pytest.mark.parametrize(
    ("women", "men", "others"),
    [("f", "m", set()), ("m", "h", set()), ("f", "h", set()), ("w", "m", {"d"})],
)
def test_words_for_women_and_men(women: str, men: str, others: set[str]) -> None:
    told = str(sex_of("s", {women, men} | others))
    assert f"when lower(s) in ('{women}') then 'F'" in told
    assert f"when lower(s) in ('{men}') then 'M'" in told
    assert told.count("when") == 2


@pytest.mark.parametrize("values", [{"1", "2"}, {"0", "1"}, {"a", "b"}, {"m", "h", "f"}])
def test_codes_for_women_and_men_are_asked_for(values: set[str]) -> None:
    assert isinstance(sex_of("s", values), Ask)


def test_codes_of_people_are_asked_for_and_never_counted(tmp_path: Path) -> None:
    rows = "".join(f"C{n},Ann,Lee{n},{1 + n % 2},{'AIN'[n % 3]}\n" for n in range(40))
    found = draft(
        tmp_path, "people.csv", f"customer_no,first_name,last_name,gender,newsletter\n{rows}"
    )
    person = fed(found, "person_records")["sex"]
    assert isinstance(person, Ask)
    assert "when '1' then 'M'" in person.question
    status = fed(found, "consents")["status"]
    assert isinstance(status, Ask)
    assert "what is meant by a, i?" in status.question


def test_words_of_consent_are_granted_or_withdrawn() -> None:
    told = consent_of("c", {"granted", "opt-out"}, yes="'granted'", no="'withdrawn'")
    assert told == (
        "case when lower(c) in ('granted') then 'granted' "
        "when lower(c) in ('opt-out') then 'withdrawn' else null end"
    )
    refusal = consent_of("c", {"y", "n"}, yes="'withdrawn'", no="'granted'")
    assert refusal == (
        "case when lower(c) in ('n') then 'granted' when lower(c) in ('y') then 'withdrawn' "
        "else null end"
    )
    assert not says_consent({"active", "inactive"})


@pytest.mark.parametrize("nested", [False, True])
def test_a_row_a_statement_feeds_consents(tmp_path: Path, *, nested: bool) -> None:
    words = ["CONFIRMED", "WITHDRAWN", "OPT_OUT", "NOT_GIVEN"]
    moment = "2026-11-20T10:00:00Z"
    said = [
        {"Purpose": ["Mail", "Ads"][n % 2], "TransactionType": words[n % 4], "Date": moment}
        for n in range(60)
    ]
    if nested:
        people = [
            {"Identifier": f"c{n}@example.com", "Purposes": said[n : n + 2]} for n in range(50)
        ]
        found = draft(tmp_path, "onetrust.json", json.dumps({"content": people}))
    else:
        rows = "".join(f"c{n}@example.com,{','.join(one.values())}\n" for n, one in enumerate(said))
        found = draft(tmp_path, "onetrust.csv", f"Identifier,{','.join(said[0])}\n{rows}")
    consent = fed(found, "consents")
    assert consent["status"] == (
        "case when lower(transaction_type) in ('confirmed') then 'granted' when "
        "lower(transaction_type) in ('not_given', 'opt_out', 'withdrawn') then 'withdrawn' "
        "else null end"
    )
    assert isinstance(consent["purpose"], Ask)
    assert "ads, mail" in consent["purpose"].question
    assert consent["captured_at"] == "date"


@pytest.mark.parametrize("key", ["Name", "name", "PurposeName"])
def test_the_name_of_a_nested_purpose_says_what_was_agreed_to(tmp_path: Path, key: str) -> None:
    said = [
        {key: ["Mail", "Ads"][n % 2], "Status": ["ACTIVE", "OPT_OUT"][n // 2 % 2]}
        for n in range(60)
    ]
    people = [{"Identifier": f"c{n}@example.com", "Purposes": said[n : n + 2]} for n in range(50)]
    found = draft(tmp_path, "onetrust.json", json.dumps({"content": people}))
    purpose = fed(found, "consents")["purpose"]
    assert isinstance(purpose, Ask)
    column = "purpose_name" if key == "PurposeName" else "name"
    assert f"'marketing' or 'profiling' by {column} (ads, mail)" in purpose.question


@pytest.mark.parametrize(
    "header", ["pan_suffix", "last_four", "cardLast4", "Last 4 digits", "PAN last four"]
)
def test_the_last_digits_of_a_card_keep_their_zeros(
    tmp_path: Path, stage: Stage, header: str
) -> None:
    rows = "".join(f"{n},{5.5 + n},{1234 + n}\n" for n in range(40))
    found = draft(tmp_path, "payments.csv", f"order_id,amount,{header}\n{rows}")
    assert found.columns[-1].kind.type == "text"  # although none of these begins with a zero
    assert found.load["key"] == ["order_id"]  # four digits are nobody's alone
    assert loaded(found, stage, "payments.csv")[0][found.columns[-1].name] == "1234"


def test_weeks_are_counted_though_they_are_the_last_four(tmp_path: Path) -> None:
    rows = "".join(f"{n},{5.5 + n},{1234 + n}\n" for n in range(40))
    found = draft(tmp_path, "payments.csv", f"order_id,amount,visits_last_4_weeks\n{rows}")
    assert found.columns[-1].kind.type == "integer"


@pytest.mark.parametrize(("values", "is_fed"), [(("DE", "FR"), True), (("1", "44"), False)])
def test_the_code_of_a_country_is_fed_but_no_number_of_the_shop(
    tmp_path: Path, values: tuple[str, str], *, is_fed: bool
) -> None:
    rows = "".join(f"{n},c{n}@example.com,{values[n % 2]}\n" for n in range(40))
    found = draft(tmp_path, "customers.csv", f"customer_id,email,country_id\n{rows}")
    assert (fed(found, "person_records").get("country") == "country_id") is is_fed


@pytest.mark.parametrize("word", ["pending", "on-hold", "closed", "20", "partially_paid", "unpaid"])
def test_a_state_that_may_not_be_paid_is_asked_for(word: str) -> None:
    found = status_of("s", {"paid", word})
    assert isinstance(found, Ask)
    assert f"what is {word}?" in found.question


def test_what_became_of_mails() -> None:
    words = {"opened email", "clicked email", "bounced", "unsubscribed", "delivered"}
    told = str(mail_event_of("e", words))
    for word, ours in (("opened email", "open"), ("unsubscribed", "unsubscribe")):
        assert f"when lower(e) in ('{word}') then '{ours}'" in told
    assert isinstance(mail_event_of("e", {"opened email", "marked as spam"}), Ask)


def sales(head: str, row: str, rows: int = 40) -> str:
    lines = "".join(
        row.format(n=n, m=n // 2, w=["Sale", "Return"][n % 8 == 7]) + "\n" for n in range(rows)
    )
    return f"receipt_no,store_no,sku,qty,{head}\n{lines}"


def test_returns_without_a_minus_are_asked_about(tmp_path: Path) -> None:
    text = sales("amount,type", "R{m},7,A{n},1,{n}.50,{w}")
    amount = fed(draft(tmp_path, "sales.csv", text), "sale_lines")["net_amount"]
    assert isinstance(amount, Ask)
    assert amount.provisional == "case when type = 'Return' then -abs(amount) else amount end"
    mixed = text.replace(",7.50,Return", ",7.50,refund").replace(",15.50,Return", ",-15.50,Return")
    amount = fed(draft(tmp_path, "sales.csv", mixed), "sale_lines")["net_amount"]
    assert isinstance(amount, Ask)
    assert amount.provisional == (
        "case when type in ('Return', 'refund') then -abs(amount) else amount end"
    )
    text = text.replace(",1,7.50,Return", ",-1,-7.50,Return")
    lines = [
        line.replace(",1,", ",-1,-") if "Return" in line else line for line in text.split("\n")
    ]
    text = "\n".join(lines).replace("--", "-")
    assert fed(draft(tmp_path, "sales.csv", text), "sale_lines")["net_amount"] == "amount"


def test_amounts_without_decimals_may_be_cents(tmp_path: Path) -> None:
    text = sales("amount,unit_price", "R{m},7,A{n},1,1{n}99,1{n}49")
    columns = fed(draft(tmp_path, "sales.csv", text), "sale_lines")
    for name in ("net_amount", "unit_price"):
        assert isinstance(columns[name], Ask)
    said = sales("amount_cents", "R{m},7,A{n},1,1{n}99")
    cents = fed(draft(tmp_path, "cents.csv", said), "sale_lines")["net_amount"]
    assert cents == "round(amount_cents / 100, 2)"
    whole = sales("amount", "R{m},7,A{n},1,{n}99.00")
    assert fed(draft(tmp_path, "whole.csv", whole), "sale_lines")["net_amount"] == "amount"


def test_amounts_and_counts_may_begin_with_zeros_and_identifiers_stay_texts(
    tmp_path: Path, stage: Stage
) -> None:
    found = draft(tmp_path, "sales.csv", sales("amount,plu", "R{m},7,A{n},0{m},00{n}.50,00{n}"))
    row = loaded(found, stage, "sales.csv")[7]
    assert (row["amount"], row["qty"], row["plu"]) == (Decimal("7.50"), 3, "007")


def test_columns_with_other_marks_than_most_say_so_or_are_asked_about(
    tmp_path: Path, stage: Stage
) -> None:
    heads = ["no", "net", "gross", "rate", "tax"]
    rows = [[f"A{n}", f"1.{n}34,50", f"2.{n}34,5", f"{n}.25", f"{n}.250"] for n in range(1, 10)]
    text = "\n".join(";".join(cells) for cells in [heads, *rows])
    found = draft(tmp_path, "sales.csv", text)
    asked = [c.kind.question[0] for c in found.columns if c.kind.question]
    assert asked == ["decimal_mark"]
    row = loaded(found, stage, "sales.csv")[0]
    assert [row[name] for name in heads[1:]] == [
        Decimal("1134.50"), Decimal("2134.50"), Decimal("1.25"), 1250
    ]  # fmt: skip
    text = re.sub(r"feeds: !ask .*", "feeds: []", write_draft(found))
    text = re.sub(r'!ask "\',\' if 1.250 is more than a thousand[^"]*"', '"."', text)
    contract = parse_model(SourceContract, text, path=Path("x.yml"), name="sales")
    (tax,) = {r["tax"] for r in stage(found.tried.read_bytes(), contract).rows if r["no"] == "A1"}
    assert tax == Decimal("1.25")


def test_a_discount_written_as_minus_is_taken_as_an_amount(tmp_path: Path) -> None:
    text = sales("amount,discount", "R{m},7,A{n},1,{n}.50,-0.{n:02d}")
    assert fed(draft(tmp_path, "sales.csv", text), "sale_lines")["discount_amount"] == "-discount"


def test_a_payment_is_of_several_lines(tmp_path: Path) -> None:
    text = "Receipt,Store,Payment ID,SKU,Qty,Amount\n" + "".join(
        f"R{n},7,pay{n},A{n},1,{n}.50\n" for n in range(4)
    )
    assert draft(tmp_path, "items.csv", text).load["key"] != ["payment_id"]


@pytest.mark.parametrize("odd", ["", "see note"])
def test_a_till_log_whose_returns_state_no_number_is_drafted_all_the_same(
    tmp_path: Path, stage: Stage, odd: str
) -> None:
    def line(number: int, kind: str, amount: str) -> dict[str, object]:
        return {
            "LineNo": str(number),
            kind: {"ItemID": f"A{number}", "Quantity": "1", "ExtendedAmount": amount},
        }

    receipts = [
        {
            "SaleID": f"R{n}",
            "EndDateTime": f"2026-11-{n:02}T09:00:00Z",
            "lines": [
                line(1, "Sale", "12.50"),
                line(2, "Return", odd if n % 2 else odd and "3.00"),
            ],
        }
        for n in range(1, 25)
    ]
    found = draft(tmp_path, "till.jsonl", "\n".join(map(json.dumps, receipts)))
    rows = loaded(found, stage, "till.jsonl")
    assert len(rows) == 48
    amounts = {str(row["net_amount"]) for row in rows}
    assert amounts == ({"12.50", "-3.00", "None"} if odd else {"12.50", "None"})
    (merged,) = (column.kind for column in found.columns if column.name == "net_amount")
    assert (merged.question is not None) == bool(odd)


@pytest.mark.parametrize("nothing", ["", "\\N", "see note"])
@pytest.mark.parametrize("name", ["net_amount", "gross_amount"])
def test_an_amount_that_is_none_is_not_reckoned_with(
    tmp_path: Path, name: str, nothing: str
) -> None:
    lines = (f"R{n},1,A{n},1,2.50,{nothing}\n" for n in range(30))
    text = f"receipt_id,line_no,sku,quantity,price,{name}\n{''.join(lines)}"
    found = draft(tmp_path, "sales.csv", text)
    assert fed(found, "sale_lines")["net_amount"] == "round(quantity * price, 2)"


@pytest.mark.parametrize(("words", "is_fed"), [("yn", True), (("Apple", "-"), False)])
def test_machine_opens_are_fed_if_a_column_says_yes_or_no(
    tmp_path: Path, words: Sequence[str], *, is_fed: bool
) -> None:
    lines = (f"a{n}@example.com,open,2026-11-20T09:00:00Z,{words[n % 2]}\n" for n in range(30))
    text = f"email,event,time,machine_open\n{''.join(lines)}"
    found = draft(tmp_path, "mail.csv", text)
    assert ("is_machine" in fed(found, "email_events")) == is_fed
