from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import duckdb
import pytest

from cdp_pipeline.identity.standard.reach import (
    RECEIPT,
    UNTOLD,
    Marks,
    contact_nodes,
    mention_nodes,
)


@dataclass
class Said:
    email: str | None = None
    phone: str | None = None
    street: str | None = None
    kind: str = UNTOLD


MAILBOX, NUMBER = Said(email="a@web.de"), Said(phone="700900123")


def _mentions(*said: Said) -> list[bool]:
    return _marks(mention_nodes, *said)


def _marks(asked: Callable[[duckdb.DuckDBPyConnection], Marks], *said: Said) -> list[bool]:
    with duckdb.connect() as con:
        con.execute("create schema identity")
        con.execute(
            "create table identity.records (record_id integer, evidence_id integer, "
            "record_kind varchar, birth_date date, email varchar, phone varchar, street varchar, "
            "loyalty_id varchar, account_id varchar, national_id varchar)"
        )
        for number, one in enumerate(said):
            con.execute(
                "insert into identity.records by name select $number as record_id, "
                "$number as evidence_id, $kind as record_kind, $email as email, $phone as phone, "
                "$street as street",
                {"number": number, **vars(one)},
            )
        con.execute(
            "create temp table identity_node_ids as "
            "select record_id, record_id as node_id from identity.records"
        )
        return [bool(mark) for mark in asked(con)]


@pytest.mark.parametrize("more", [Said(street="1 old rd"), Said(email="b@web.de", phone="7009001")])
def test_records_of_files_that_say_less_than_others_are_mentions(more: Said) -> None:
    assert _mentions(MAILBOX, NUMBER, more) == [True, True, False]


def test_where_no_record_of_a_file_says_more_all_are_people() -> None:
    """Else the namesakes of a list of mailboxes would be one person as soon as two receipts are."""
    assert _mentions(MAILBOX, NUMBER, Said(email="b@web.de")) == [False, False, False]
    assert _mentions() == []


def test_receipts_are_mentions_even_where_there_is_nothing_else() -> None:
    receipt = Said(email="a@web.de", kind=RECEIPT)
    assert _mentions(receipt) == [True]
    assert _mentions(receipt, Said(email="b@web.de", kind="account")) == [True, False]


def test_contacts_are_who_wrote_to_the_store() -> None:
    kinds = [Said(email="a@web.de", kind=kind) for kind in ("contact", RECEIPT, "account")]
    assert _marks(contact_nodes, *kinds) == [True, False, False]
