"""Sums of vendors' layouts by drafts whose questions were answered equal the truth to the penny."""

from __future__ import annotations

from pathlib import Path

import pytest

from cdp_pipeline.ingest.discovery.asking import Ask
from cdp_pipeline.ingest.discovery.draft import Draft
from cdp_pipeline.ingest.discovery.looking import draft_sources
from cdp_pipeline.ingest.discovery.writing import write_draft
from tests.unit.ingest.conftest import REPOSITORY, Store
from tests.unit.ingest.test_vendor_totals import SALES, VENDORS, lines, summed

ANSWERS: dict[str, dict[str, str]] = {
    "square": {"currency": "'GBP'"},
    "shopify": {"net_amount": "round(lineitem_quantity * lineitem_price, 2) - lineitem_discount"},
    "magento": {"net_amount": "row_total_incl_tax - coalesce(discount_amount, 0)"},
}
"""What people answer to each question of a vendor's draft, by the entity's column."""


def answer(draft: Draft, answers: dict[str, str]) -> None:
    """Put answers in the place of questions; each question of a feed must have one."""
    for feed in draft.feeds:
        for column, sql in feed.columns.items():
            if isinstance(sql, Ask):
                feed.columns[column] = answers[column]
    if isinstance(draft.delivery.get("time_zone"), Ask):
        draft.delivery["time_zone"] = "Europe/London"


@pytest.mark.parametrize("vendor", ANSWERS)
def test_an_answered_draft_adds_up_to_the_truth(vendor: str, store: Store) -> None:
    write, sql = VENDORS[vendor]
    by_store = sql == SALES
    found = lines(seed=len(vendor), returns=by_store)
    for name, text in write(found).items():
        store.deliver(name, text)
    landing = store.root / "data" / "landing"
    for draft in draft_sources(landing, name=None, landing=landing):
        answer(draft, ANSWERS[vendor])
        (store.root / "expectations" / f"{draft.name}.yml").write_text(
            write_draft(draft, is_trial=True), encoding="utf-8"
        )
    store.night()
    assert store.ledger()
    for _, status, records, *fates in store.ledger():
        assert status == "loaded"
        assert records == sum(fates)
    held = {(place, day): amount for place, day, amount in store.query(sql)}
    assert held == summed(found, by_store=by_store)


def test_with_tax_or_without_is_asked_for() -> None:
    place = REPOSITORY / "tests" / "data" / "vendors" / "magento"
    (orders,) = (d for d in draft_sources(place, name=None, landing=place) if d.name == "orders")
    (told,) = (f.columns["net_amount"] for f in orders.feeds if f.entity == "order_lines")
    assert isinstance(told, Ask)
    assert "row_total_incl_tax is with tax, row_total without" in told.question


def test_numbers_that_a_shop_calls_names_are_nobodys(tmp_path: Path) -> None:
    rows = "".join(f"#{n},c{n}@example.com,{n}.50,2026-11-20 10:00:00 +0100\n" for n in range(40))
    path = tmp_path / "orders.csv"
    path.write_text(f"Name,Email,Total,Created at\n{rows}", encoding="utf-8")
    (draft,) = draft_sources(path, name=None, landing=tmp_path)
    fed = {feed.entity: feed.columns for feed in draft.feeds}
    assert fed["orders"]["order_id"] == "name"
    assert "full_name" not in fed["person_records"]
