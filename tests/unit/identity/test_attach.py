from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from cdp_pipeline.identity.grouping.attach import attach_records
from cdp_pipeline.identity.standard.records import run
from cdp_pipeline.storage.warehouse import open_build

if TYPE_CHECKING:
    from tests.unit.identity.conftest import Person, Store

ANNA = {
    "source": "loyalty",
    "record_kind": "loyalty",
    "record_key": "anna",
    "full_name": "Anna Smith",
    "loyalty_id": "0071",
    "email": "smiths@web.de",
}
BEN = {
    "source": "loyalty",
    "record_kind": "loyalty",
    "record_key": "ben",
    "full_name": "Ben Smith",
    "loyalty_id": "0072",
    "email": "smiths@web.de",
}


Settle = Callable[..., dict[str, tuple[str | None, float | None]]]


@pytest.fixture
def attach(store: Store) -> Settle:
    """Return who each receipt goes to: the key of a profile or of the first receipt of a group."""

    def settle(*receipts: Person) -> dict[str, tuple[str | None, float | None]]:
        people = [ANNA, BEN]
        for number, receipt in enumerate(receipts):
            key = {"source": "till", "record_kind": "receipt", "record_key": f"r{number}"}
            people.append(key | receipt)
        context = store.stage(people)
        run(context)
        with open_build(context) as con:
            con.execute(
                "create temp table identity_groups as select evidence_id, evidence_id as group_id, "
                "cast(1 as double) as match_prob from identity.records "
                "where is_comparable and record_id = evidence_id"
            )
            attach_records(con, accept=0.5)
            found = con.execute(
                "select r.record_key, h.record_key, g.match_prob from identity.records as r "
                "left join identity_groups as g on g.evidence_id = r.evidence_id "
                "left join identity.records as h on h.record_id = g.group_id "
                "where r.source = 'till' order by r.record_key"
            ).fetchall()
        return {key: (holder, probability) for key, holder, probability in found}

    return settle


def test_a_receipt_with_a_card_goes_to_its_member(attach: Settle) -> None:
    holder, probability = attach({"loyalty_id": "71"})["r0"]
    assert holder == "anna"
    assert 0.9 < probability < 1


def test_a_mailbox_that_two_people_hold_attaches_nothing(attach: Settle) -> None:
    assert attach({"email": "smiths@web.de"})["r0"] == (None, None)


def test_what_a_card_receipt_mentions_settles_later_receipts(attach: Settle) -> None:
    found = attach(
        {"loyalty_id": "0072", "payment_token": "tok"},
        {"payment_token": "tok"},
        {"payment_token": "tok", "email": "smiths@web.de"},
    )
    assert {key: holder for key, (holder, _) in found.items()} == {
        "r0": "ben",
        "r1": "ben",
        "r2": "ben",
    }


def test_unknown_identifiers_make_a_customer_without_a_name(attach: Settle) -> None:
    found = attach({"email": "quill@gmx.de"}, {"email": "quill@gmx.de", "phone": "07700900123"})
    assert found["r0"][0] == found["r1"][0] == "r1"


def test_the_card_outranks_a_payment_card_of_the_family(attach: Settle) -> None:
    found = attach(
        {"loyalty_id": "0071", "payment_token": "joint"},
        {"loyalty_id": "0072", "payment_token": "joint"},
        {"payment_token": "joint"},
    )
    assert (found["r0"][0], found["r1"][0], found["r2"][0]) == ("anna", "ben", None)


def test_who_used_a_shared_mailbox_at_a_till_uses_it_there_again(attach: Settle) -> None:
    """Both are registered with it; Ben alone has shopped with it."""
    named = {"given_name": "Ben", "family_name": "Smith", "email": "smiths@web.de"}
    found = attach({**named, "loyalty_id": "0072"}, {"email": "smiths@web.de"})
    assert found["r1"][0] == "ben"


def test_one_more_registration_decides_nothing_about_a_shared_mailbox(attach: Settle) -> None:
    named = {"given_name": "Ben", "family_name": "Smith", "email": "smiths@web.de"}
    account = {**named, "source": "web", "record_kind": "account", "account_id": "b"}
    assert attach(account, {"email": "smiths@web.de"})["r1"][0] is None


def test_registrations_do_not_outweigh_who_used_the_mailbox_at_a_till(attach: Settle) -> None:
    """Ben shopped with it once; that Anna filled in two forms more says nothing about tills."""
    bought = BEN | {"source": "till", "record_kind": "receipt", "record_key": "named"}
    forms = [ANNA | {"source": "web", "record_kind": "account", "record_key": n} for n in "xy"]
    assert attach(bought, *forms, {"email": "smiths@web.de"})["r3"][0] == "ben"


def test_a_slip_in_a_mailbox_goes_to_whom_it_was_meant(attach: Settle) -> None:
    """Two receipts state what the crowd's mailboxes show to be no chance."""
    crowd = [
        {"record_kind": "account", "source": "web", "record_key": f"c{n}{twice}",
         "full_name": f"Cara Crowd{chr(97 + n)}", "email": f"{chr(97 + n) * 9}@web.de"}
        for n in range(20) for twice in "ab"
    ]  # fmt: skip
    quill = {"record_kind": "account", "source": "web", "record_key": "quill",
             "full_name": "Hal Quill", "email": "hal.quillon@web.de"}  # fmt: skip
    found = attach(*crowd, quill, {"email": "hal.quilon@web.de"}, {"email": "hal.xuillax@web.de"})
    assert found["r41"][0] == "quill"
    assert found["r42"][0] == "r42"
