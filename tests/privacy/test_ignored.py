"""What linkage ignores as "has none", whoever is to be erased or asks is found by all the same."""

from __future__ import annotations

import csv
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from cdp_pipeline.core.errors import ConfigError
from cdp_pipeline.orchestration.runner import run_night
from cdp_pipeline.rights.access import collect_access
from cdp_pipeline.rights.erasure import erase_people, find_people, open_resolver
from cdp_pipeline.rights.scan import scan_folder
from cdp_pipeline.rights.searching import Searcher
from cdp_pipeline.rights.traces import Traces, add_words
from tests.faults.tiny import FIRST_NIGHT, TinyStore, make_store

pytestmark = pytest.mark.slow

LOAD = FIRST_NIGHT - timedelta(days=1)
HERS, SHARED = "null@quillfeather.example", "noreply@shared.example"
SEARCHER = Searcher(add_words(Traces(), [("email", HERS)]))
Rows = list[dict[str, str]]


def rewrite(store: TinyStore, source: str, change: Callable[[Rows], None]) -> None:
    """Change the rows of the first delivery of a source."""
    path = min((store.data / "landing" / source).glob("*/*.csv"))
    with path.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    change(rows)
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> tuple[TinyStore, str]:
    """A store of whose members one has a mailbox called null, two the same noreply; her card."""
    store = make_store(tmp_path_factory.mktemp("ignored") / "store")
    cards: list[str] = []

    def give_addresses(rows: Rows) -> None:
        for row, email in zip(rows, (HERS, SHARED, SHARED), strict=False):
            row["email"] = email
            cards.append(row["member_no"])

    def mail_receipt(rows: Rows) -> None:
        """Let one receipt that names nobody be mailed to her, and to no card."""
        known = ("loyalty_card_no", "ereceipt_email", "ereceipt_phone", "payment_token")
        chosen = next(r["receipt_id"] for r in rows if not any(r[name] for name in known))
        for row in rows:
            if row["receipt_id"] == chosen:
                row["ereceipt_email"] = HERS.upper()

    rewrite(store, "loyalty_members", give_addresses)
    rewrite(store, "pos_sales", mail_receipt)
    outcome = run_night(store.context(LOAD))
    assert outcome.status == "published", outcome.error
    return store, cards[0]


@pytest.mark.parametrize("by", ["address", "card"])
def test_rows_with_nothing_but_the_address_go_too(
    published: tuple[TinyStore, str], tmp_path: Path, by: str
) -> None:
    store, card = published[0].copy_to(tmp_path / "store"), published[1]
    context = store.context(LOAD)
    files = {find.file.split("/")[0] for find in scan_folder(store.data, SEARCHER).finds}
    assert files >= {"landing", "staging"}
    with open_resolver(context) as con:
        subjects = find_people(con, context, [{"address": HERS.title(), "card": card}[by]])
    assert [len(subject.customers) for subject in subjects] == [1]
    assert {source for source, _ in subjects[0].records} >= {"loyalty_members", "pos_sales"}
    certificate = erase_people(context, subjects, reason="asked for")
    assert certificate.facts["left"] == 0
    assert scan_folder(store.data, SEARCHER).finds == []


def test_the_answer_to_her_tells_of_the_address_too(published: tuple[TinyStore, str]) -> None:
    store, card = published
    context = store.context(LOAD)
    with open_resolver(context) as con:
        (subject,) = find_people(con, context, [card])
    answer = collect_access(context, subject)
    assert {"kind": "email", "value": HERS} in answer["identifiers"]


def test_who_shares_such_an_address_is_told_what_is_needed(
    published: tuple[TinyStore, str],
) -> None:
    context = published[0].context(LOAD)
    with open_resolver(context) as con:
        with pytest.raises(ConfigError, match="2 customers and records hold") as error:
            find_people(con, context, [SHARED])
        assert SHARED not in str(error.value)
        assert "card or account" in str(error.value.hint)
        with pytest.raises(ConfigError, match="nobody is known"):
            find_people(con, context, ["null@nobody.example"])
