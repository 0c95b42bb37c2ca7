"""Texts of offers: placeholders that pass, and what a marketer is told of the others."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import duckdb
import pytest

from cdp_pipeline.activation.messages import message_sql, offer_words, placeholders, vet_offer
from cdp_pipeline.core.errors import ConfigError
from cdp_pipeline.project.marketing import OfferSpec

COLUMNS = {"city": "VARCHAR", "last_on": "DATE", "spend_amount": "DECIMAL(18,2)"}
PATH = Path("offer.yml")


def offer(message: str, **keys: object) -> OfferSpec:
    return OfferSpec.model_validate(
        {
            "name": "o",
            "title": "O",
            "owner": "crm",
            "segment": "s",
            "channel": "push",
            "discount_share": 0.125,
            "valid_days": 7,
            "message": message,
            **keys,
        }
    )


def render(message: str, city: str | None) -> str | None:
    spec = offer(message)
    words = offer_words(spec, business_date=date(2026, 11, 20), locale="en_GB")
    sql = message_sql(spec, columns=COLUMNS, words=words, path=PATH)
    with duckdb.connect() as con:
        rows = con.execute(
            f"select {sql} from (select ?::varchar as city, date '2026-11-02' as last_on, "
            "19.9::decimal(18, 2) as spend_amount) as features",
            [city],
        ).fetchall()
    text: str | None = rows[0][0]
    return text


def test_placeholders_become_words() -> None:
    message = "{discount} in {city}, it's {{now}}: {spend_amount} since {last_on}, {valid_until}"
    assert render(message, "Leeds") == (
        "12.5 % in Leeds, it's {now}: 19.90 since 2026-11-02, 27 November 2026"
    )


@pytest.mark.parametrize("city", [None, "", "  "])
def test_a_message_with_a_gap_does_not_exist(city: str | None) -> None:
    assert render("{discount} in {city}", city) is None


def test_values_cannot_break_out_of_the_text() -> None:
    assert render("Hi '{city}' {{", "'); drop table x; --{discount}") == (
        "Hi ''); drop table x; --{discount}' {"
    )


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ("in {citty}", "`city`"),
        ("in {city.__class__}", "odd placeholder"),
        ("in {city!r}", "odd placeholder"),
        ("in {city:>10}", "odd placeholder"),
        ("in {}", "odd placeholder"),
        ("in {city", "brace"),
        ("in city}", "brace"),
    ],
)
def test_other_placeholders_are_refused(message: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        vet_offer(offer(message), columns=COLUMNS, path=PATH)
    assert caught.value.hint
    assert caught.value.where == "offer.yml:1:1"


def test_columns_of_product_and_store_must_exist() -> None:
    vet_offer(offer("hello"), columns=COLUMNS, path=PATH)
    with pytest.raises(ConfigError, match="sku_column: boots"):
        vet_offer(offer("hello", sku_column="boots"), columns=COLUMNS, path=PATH)


def test_plain_text_has_no_placeholder() -> None:
    assert placeholders("10 % off", path=PATH) == [("10 % off", None)]
