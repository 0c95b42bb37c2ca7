"""Drafts of every vendor's layout, answered as their comments say, load what the contracts load.

People answer the questions of a draft and change nothing else, but for what a question asks them to
add. What the contract of a vendor feeds beyond that is named here, column by column.
"""

from __future__ import annotations

import shutil
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from cdp_pipeline.ingest.discovery.looking import draft_sources
from cdp_pipeline.ingest.discovery.writing import write_draft
from cdp_pipeline.project.yaml_source import ASK
from tests.unit.ingest.conftest import NIGHT, Store
from tests.unit.ingest.test_vendors import EXAMPLES, FILES

OF_NO_SOURCE = frozenset(
    {"source", "delivered_on", "first_delivered_on", "person_source", "person_record_key",
     "statement_id", "file_id", "file_line", "recorded_on", "event_id", "line_no", "record_key",
     "record_kind", "channel"}
)  # fmt: skip
"""What names rows: other sources give other numbers to the same rows. A channel that is not told
is the entity's own: the store of receipts, the web of orders."""


@dataclass(frozen=True)
class Vendor:
    """What people do with the drafts of a vendor.

    Attributes:
        answers: Answer by the end of the question's path, such as ``orders.delivery.time_zone``.
        added: What a question had people add, by path.
        left: Columns that the vendor's contract feeds and its drafts leave to people, by entity.
        unlike: Columns that say the same in other words, by entity.
        night: Night of the last delivery.
    """

    answers: dict[str, Any] = field(default_factory=dict)
    added: dict[str, Any] = field(default_factory=dict)
    left: dict[str, set[str]] = field(default_factory=dict)
    unlike: dict[str, set[str]] = field(default_factory=dict)
    night: date = NIGHT


VENDORS: dict[str, Vendor] = {
    "arts_poslog": Vendor(
        answers={
            "time_zone": "Europe/London",
            "sale_id.value": "concat_ws('-', unit_id, workstation_id, "
            "cast(business_day_date as varchar), cast(sequence_number as varchar))",
            "exclude.2.where": "transaction_status in ('Voided', 'PostVoided', 'Suspended')",
            "net_amount": "net_amount - coalesce(discount_amount, 0)",
        },
        left={"person_records": {"home_store_id", "updated_at"}},
    ),
    "woocommerce": Vendor(
        answers={
            "time_zone": "Europe/Dublin",
            "columns.status": "case when lower(status) in ('refunded') then 'returned' "
            "else 'paid' end",
        },
        added={"order_export.exclude": [{"rule": "not_paid", "where": "status = 'pending'"}]},
        left={
            "orders": {"updated_at"},
            "order_lines": {"unit_price", "discount_amount", "updated_at"},
            "person_records": {"updated_at"},
        },
    ),
    "shopify": Vendor(
        answers={
            "purpose": "'marketing'",
            "orders_export.feeds.3.columns.channel": "'email'",
            # A box that is not ticked at the checkout takes nothing back: people who know say so.
            "orders_export.feeds.3.where": "accepts_marketing",
            "net_amount": "round(lineitem_quantity * lineitem_price, 2) - lineitem_discount",
        },
        left={
            "orders": {"ordered_on"},
            "person_records": {"updated_at"},
            "consents": {"captured_at"},
        },
        # Of an order without a phone of its own, the contract takes that of the bill.
        unlike={"person_records": {"phone"}},
    ),
    "square": Vendor(
        answers={"currency": "'USD'"},
        left={
            "person_records": {"loyalty_id"},
        },
        # A refund stands under its transaction, or under a payment of its own that refers to it.
        unlike={"sale_lines": {"sale_id", "tender"}},
    ),
    "magento": Vendor(
        answers={
            "time_zone": "UTC",
            "sex": "case gender when '1' then 'M' when '2' then 'F' end",
            "purpose": "'marketing'",
            "channel": "'email'",
            "columns.status": "'paid'",
            "net_amount": "row_total_incl_tax - coalesce(items_discount_amount, 0)",
            "orders.exclude.0.where": "parent_item_id is not null",
        },
        added={"orders.exclude": [{"rule": "not_paid", "where": "status = 'pending_payment'"}]},
        left={
            "orders": {"promotion_id"},
            "order_lines": {"returned_quantity", "updated_at", "description"},
            "person_records": {"middle_name", "joined_on"},
        },
        unlike={"person_records": {"street"}},  # all of its lines, or the first of them
    ),
    "loyalty_batch": Vendor(
        answers={"time_zone": "Europe/London", "load.key": ["column_7"], "record_key": "column_7"},
        added={
            "customers.columns.column_8": {"hubs": ["9{10,}", "0+"]},
            "customers.columns.column_7": {"type": "text"},
            "customers.feeds.0.columns": {
                "loyalty_id": "column_8",
                "given_name": "column_9",
                "middle_name": "column_10",
                "family_name": "column_11",
                "street": "column_12",
                "city": "column_14",
                "postcode": "column_16",
            },
        },
        # Without headers, nothing in the file says what a 1, an A or a day stands for.
        left={
            "person_records": {"state", "joined_on", "updated_at"},
            "consents": {"purpose", "status", "captured_at"},
        },
    ),
    "salesforce_loyalty": Vendor(
        answers={
            "purpose": "'marketing'",
            "channel": "'email'",
            "exclude.0.where": "member_type = 'Corporate'",
            "loyalty_member_tier.join": [],
            "loyalty_member_tier.feeds": [],
            "loyalty_program_member.join": [
                {
                    "source": "contact",
                    "by": {"contact_id": "id"},
                    "columns": {
                        name: name
                        for name in (
                            "first_name",
                            "last_name",
                            "email",
                            "phone",
                            "mailing_street",
                            "mailing_city",
                            "mailing_postal_code",
                            "mailing_country",
                            "birthdate",
                            "has_opted_out_of_email",
                        )
                    },
                }
            ],
        },
        added={
            "contact.feeds": [],
            "loyalty_program_member.feeds.1.columns": {
                "status": "case when can_receive_promotions and has_opted_out_of_email is not true "
                "then 'granted' else 'withdrawn' end"
            },
            "loyalty_program_member.feeds.0.columns": {
                "given_name": "first_name",
                "family_name": "last_name",
                "birth_date": "birthdate",
                "email": "email",
                "phone": "phone",
                "street": "mailing_street",
                "city": "mailing_city",
                "postcode": "mailing_postal_code",
                "country": "mailing_country",
            },
        },
        left={"person_records": {"tier"}},
    ),
    "ga4": Vendor(
        answers={
            "event_type": "case when lower(event_name) in ('page_view') then 'page_view' when "
            "lower(event_name) in ('purchase') then 'purchase' when lower(event_name) in "
            "('view_item') then 'product_view' else null end",
            "feeds.0.where": "event_name <> 'session_start'",
            "has_consent": "coalesce(analytics_storage, false)",
            "feeds.1.where": "analytics_storage",
        },
        left={"web_events": {"search_terms"}},
        night=date(2026, 11, 21),
    ),
    "klaviyo": Vendor(
        answers={
            "events.join": [
                {
                    "source": "profiles",
                    "by": {"profile_data_id": "id"},
                    "columns": {"email": "email"},
                },
                {
                    "source": "metrics",
                    "by": {"metric_data_id": "id"},
                    "columns": {"metric": "attributes_name"},
                },
            ],
            "events.feeds": [
                {
                    "entity": "email_events",
                    "where": "contains(metric, 'Email')",
                    "columns": {
                        "event_id": "id",
                        "occurred_at": "datetime",
                        "event_type": "case metric when 'Received Email' then 'sent' when "
                        "'Opened Email' then 'open' when 'Clicked Email' then 'click' "
                        "else 'unsubscribe' end",
                        "email": "email",
                        "is_machine": "coalesce(apple_privacy_open, false)",
                        "campaign_id": "message",
                        "sku": "product_id",
                    },
                },
                {
                    "entity": "consents",
                    "where": "metric like 'Unsubscribed%'",
                    "columns": {
                        "purpose": "'marketing'",
                        "channel": "'email'",
                        "status": "'withdrawn'",
                        "captured_at": "datetime",
                    },
                },
            ],
            "metrics.feeds": [],
        },
    ),
    "mailchimp": Vendor(
        answers={
            "time_zone": "UTC",
            "captured_at": "coalesce(confirm_time, optin_time, last_changed)",
            "unsubscribed_email_audience_export.feeds.1.columns.captured_at": "unsub_time",
            "cleaned_email_audience_export.feeds.1.columns.captured_at": "clean_time",
        },
        left={"person_records": {"phone"}},
    ),
    "marketing_cloud": Vendor(
        answers={
            "time_zone": "Etc/GMT+6",
            "bounces.feeds": [],
            "opens.load.key": ["subscriber_key", "send_id", "event_date", "event_type"],
        },
        left={"email_events": {"is_machine"}},
    ),
    "braze": Vendor(
        answers={"time_zone": "UTC", "where": "false"},
    ),
}


class _Questions(yaml.SafeLoader):
    """Reads questions as texts that begin with their tag."""


_Questions.add_constructor(ASK, lambda loader, node: f"{ASK} {loader.construct_scalar(node)}")


def answered(draft: Any, vendor: Vendor, used: set[str], path: str = "") -> Any:
    """Return a draft with answers in place of questions."""
    if isinstance(draft, dict):
        return {k: answered(v, vendor, used, f"{path}.{k}") for k, v in draft.items()}
    if isinstance(draft, list):
        return [answered(v, vendor, used, f"{path}.{n}") for n, v in enumerate(draft)]
    if not str(draft).startswith(ASK):
        return draft
    fits = [end for end in vendor.answers if f".{path}".endswith(f".{end}")]
    if not fits:
        raise AssertionError((path, draft))
    end = max(fits, key=len)
    used.add(end)
    return vendor.answers[end]


def add(document: Any, steps: list[str], value: Any) -> None:
    """Add entries to a list or mapping of a draft; an empty list takes the place of a full one."""
    *before, last = steps
    for step in before:
        document = document[int(step)] if isinstance(document, list) else document[step]
    if isinstance(value, dict):
        document[int(last) if isinstance(document, list) else last].update(value)
    else:
        document[last] = [*document.get(last, []), *value] if value else []


def loaded(store: Store, vendor: Vendor, entity: str) -> list[dict[str, Any]]:
    columns = [row[0] for row in store.query(f"describe staging.{entity}", vendor.night)]
    rows = store.query(f"select * from staging.{entity}", vendor.night)
    return [dict(zip(columns, row, strict=True)) for row in rows]


def fed(folder: Path) -> dict[str, set[str]]:
    """Return the columns that contracts feed, by entity."""
    found: dict[str, set[str]] = {}
    for path in folder.glob("*.yml"):
        for feed in yaml.safe_load(path.read_text(encoding="utf-8"))["feeds"]:
            found.setdefault(feed["entity"], set()).update(feed["columns"])
    return found


def run_drafts(store: Store, name: str, vendor: Vendor) -> None:
    """Load a vendor's files by drafts whose questions are answered."""
    landing = store.root / "data" / "landing"
    shutil.copytree(FILES / name, landing)
    used: set[str] = set()
    for draft in draft_sources(landing, name=None, landing=landing):
        document = yaml.load(write_draft(draft), Loader=_Questions)  # noqa: S506 - our own text
        document = answered(document, vendor, used, draft.name)
        for path, value in vendor.added.items():
            source, *steps = path.split(".")
            if source == draft.name:
                add(document, steps, value)
        store.declare(draft.name, document)
    assert used == set(vendor.answers)
    store.night(vendor.night)


@pytest.mark.parametrize("name", VENDORS)
def test_answered_drafts_load_what_the_contract_loads(name: str, store: Store) -> None:
    vendor = VENDORS[name]
    root = store.root.with_name("by_contract")
    shutil.copytree(store.root, root)
    by_contract = replace(store, root=root)
    shutil.copytree(EXAMPLES / name / "expectations", root / "expectations", dirs_exist_ok=True)
    shutil.copytree(FILES / name, root / "data" / "landing")
    by_contract.night(vendor.night)
    run_drafts(store, name, vendor)
    for _, status, records, *fates in store.ledger(vendor.night):
        assert (status, records) == ("loaded", sum(fates))
    wanted, given = fed(root / "expectations"), fed(store.root / "expectations")
    for entity, columns in wanted.items():
        missing = columns - given.get(entity, set()) - OF_NO_SOURCE
        assert missing == vendor.left.get(entity, set()), entity
        if entity not in given:
            continue
        alike = columns & given[entity] - OF_NO_SOURCE - vendor.unlike.get(entity, set())
        compared = sorted(alike)
        # The same people stand in several sources, where a contract takes files together.
        counted = set if entity == "person_records" else Counter
        right, drafted = (
            counted(
                tuple(str(row[c] or "-") for c in compared) for row in loaded(s, vendor, entity)
            )
            for s in (by_contract, store)
        )
        assert drafted == right, (entity, compared)
