"""Files with answers that were fixed beforehand: rows, sums to the penny, no record lost."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
import yaml

from cdp_pipeline.core.errors import ConfigError
from cdp_pipeline.ingest.discovery.looking import draft_sources
from cdp_pipeline.ingest.discovery.writing import write_draft
from cdp_pipeline.project.contracts import SourceContract
from cdp_pipeline.project.yaml_source import parse_model
from tests.hostile import outsider, stranger
from tests.hostile.outsider import Case
from tests.unit.ingest.conftest import Stage, stage

__all__ = ("stage",)

CASES = {**outsider.CASES, **stranger.MORE}

ASKED = {
    "debit_and_credit",  # which of the words is minus, only the sender knows
    "what_is_no_money",
    "numbers_beyond_any_integer_and_binary_tails",
    "days_of_a_spreadsheet_and_half_of_one",
    "missing_null_and_empty",
    "units_below_the_header",
    "fields_between_control_characters",
    "single_quotes_doubled",
    "zip_of_two_tables_beside_notes",
}
"""Cases whose draft differs from what a person declares: too few rows tell, or nothing does."""


def contract_of(case: Case) -> SourceContract:
    """Return the contract of a case, declared as a person would: by YAML alone."""
    columns = yaml.safe_load(case.columns)
    return SourceContract.model_validate(
        {
            "name": "orders",
            "title": "Orders",
            "owner": "tests",
            "delivery": {"path": "orders/*", **yaml.safe_load(case.delivery)},
            "load": {"mode": "append", "key": ["_file", "_line"]},
            "columns": columns,
            "feeds": [{"entity": "products", "columns": {}}],
        }
    )


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_file_gives_the_answer_that_was_fixed_beforehand(case: Case, stage: Stage) -> None:
    outcome = stage(case.data, contract_of(case), name=case.name, quarantine_stop_share=0.9)
    if case.refused:
        assert outcome.status == "refused"
        assert case.refused in outcome.notes.reason
        assert outcome.rows == []
        return
    assert outcome.status == "loaded", outcome.notes.reason
    aside = sorted(outcome.aside, key=lambda row: row["line"])
    assert tuple(row["rule"] for row in aside) == case.aside
    assert sum((row["amount"] or 0 for row in outcome.rows), Decimal()) == Decimal(case.total)
    assert len(outcome.rows) == case.rows
    if case.texts:
        assert tuple(row["text"] for row in outcome.rows) == case.texts
    assert len(aside) == outcome.notes.quarantined
    assert all(row["reason"] for row in aside)


@pytest.mark.parametrize("name", sorted(set(CASES) - ASKED - stranger.TOLD))
def test_a_draft_reads_the_file_to_the_same_penny(name: str, stage: Stage, tmp_path: Path) -> None:
    case = CASES[name]
    path = tmp_path / "landing" / case.name
    path.parent.mkdir()
    path.write_bytes(case.data)
    try:
        (contract,) = contracts_drafted(path)
    except ConfigError:
        assert case.refused
        return
    outcome = stage(case.data, contract, name=case.name, quarantine_stop_share=0.9)
    if case.refused:
        assert outcome.status == "refused"
        return
    assert outcome.status == "loaded", outcome.notes.reason
    amount = next(n for n in reversed(contract.columns) if "amount" in n or "sum" in n)
    assert sum((Decimal(row[amount] or 0) for row in outcome.rows), Decimal()) == Decimal(
        case.total
    )
    assert len(outcome.rows) == case.rows


def contracts_drafted(path: Path) -> list[SourceContract]:
    """Return what `cdp new source` would write of a file, questions answered provisionally."""
    drafts = draft_sources(path, name=None, landing=path.parent)
    texts = [(draft.name, write_draft(draft, is_trial=True)) for draft in drafts]
    return [parse_model(SourceContract, t, path=Path("x.yml"), name=name) for name, t in texts]
