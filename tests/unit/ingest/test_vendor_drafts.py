"""Files of vendors' layouts are drafted without a word from people; each draft loads its file."""

from __future__ import annotations

from pathlib import Path

import pytest

from cdp_pipeline.core.context import RunContext
from cdp_pipeline.ingest.discovery.draft import Draft
from cdp_pipeline.ingest.discovery.looking import draft_sources
from cdp_pipeline.ingest.discovery.proposal import try_draft
from cdp_pipeline.ingest.discovery.writing import write_draft
from cdp_pipeline.ingest.vetting import vet_contract
from cdp_pipeline.project.contracts import SourceContract
from cdp_pipeline.project.loader import starter_folder
from cdp_pipeline.project.tables import TableHeader, TableSpec
from cdp_pipeline.project.yaml_source import parse_model, read_model
from tests.unit.ingest.conftest import REPOSITORY

VENDORS = sorted((REPOSITORY / "tests" / "data" / "vendors").iterdir())
ENTITIES = {
    path.stem: TableSpec("staging", path.stem, read_model(TableHeader, path), path)
    for path in (starter_folder("sql") / "staging").glob("*.yml")
}


def drafts_of(place: Path) -> list[Draft]:
    return draft_sources(place, name=None, landing=place)


@pytest.mark.parametrize("place", VENDORS, ids=[path.name for path in VENDORS])
def test_a_draft_loads_every_row_of_its_file(place: Path, context: RunContext) -> None:
    for draft in drafts_of(place):
        notes = try_draft(draft, context.settings, context.project_root)
        assert notes.status == "loaded", (draft.name, notes.reason)
        assert notes.accepted == notes.records, (draft.name, notes.rules)
        text = write_draft(draft, is_trial=True)
        contract = parse_model(SourceContract, text, path=Path("x.yml"), name=draft.name)
        assert contract.feeds or "!ask" in write_draft(draft)
        vet_contract(contract, ENTITIES, where="x.yml")


def seen(place: str) -> dict[str, Draft]:
    (folder,) = [path for path in VENDORS if path.name == place]
    return {draft.name: draft for draft in drafts_of(folder)}


def test_what_layouts_are_like_is_recognised() -> None:
    shopify = seen("shopify")["orders_export"]
    assert shopify.delivery["fill_down"]["by"] == "name"  # type: ignore[index]
    assert "line_item_{n}" in [
        c.kind.field.name for c in seen("woocommerce")["order_export"].columns
    ]
    batch = seen("loyalty_batch")["customers"].delivery
    assert (batch["delimiter"], batch["encoding"], batch["header"]) == ("|", "cp1252", False)
    assert batch["control"] == {"from": "trailer", "pattern": r"^TRL\|(?P<rows>\d+)"}
    poslog = seen("arts_poslog")["poslog"]
    assert poslog.delivery["records"] == "Transaction"
    names = [c.kind.field.name for c in poslog.columns]
    assert "RetailTransaction.LineItem[].Sale.POSIdentity.POSItemID" in names
    ga4 = [c.kind.field.name for c in seen("ga4")["events"].columns]
    assert "event_params[key=page_location].value.string_value" in ga4
    square = {c.name: c.kind for c in seen("square")["items"].columns}
    assert square["net_sales"].keys["strip"] == "$"
    assert square["card_brand"].field.is_partial
    assert len(seen("mailchimp")) == 3


def test_personal_data_is_classed_and_never_written_down() -> None:
    contact = seen("salesforce_loyalty")["contact"]
    classes = {c.name: c.kind.pii for c in contact.columns if c.kind.pii}
    assert classes["email"] == "email"
    assert classes["last_name"] == "name"
    text = write_draft(contact)
    for column in contact.columns:
        if column.kind.pii in {"email", "name", "phone"}:
            assert not any(value in text for value in column.kind.field.counts if len(value) > 3)
