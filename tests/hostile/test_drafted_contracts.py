"""Awkward exports are looked at, drafted, answered for and loaded: every row and penny is right."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from cdp_pipeline.core.context import RunContext
from cdp_pipeline.core.errors import ConfigError
from cdp_pipeline.ingest import staging
from cdp_pipeline.ingest.deliveries import Delivery, StagedFile, staged_places
from cdp_pipeline.ingest.discovery.looking import draft_sources
from cdp_pipeline.ingest.discovery.writing import write_draft
from cdp_pipeline.ingest.vetting import vet_contract
from cdp_pipeline.project.contracts import SourceContract
from cdp_pipeline.project.loader import starter_folder
from cdp_pipeline.project.tables import TableHeader, TableSpec
from cdp_pipeline.project.yaml_source import parse_model, read_model
from tests.hostile.exports import EXPORTS, Export

ENTITIES = {
    path.stem: TableSpec("staging", path.stem, read_model(TableHeader, path), path)
    for path in (starter_folder("sql") / "staging").glob("*.yml")
}


@dataclass(frozen=True)
class Loaded:
    """What became of an export."""

    contract: SourceContract
    notes: StagedFile
    total: Decimal
    skus: frozenset[str]
    draft: str


def answered(text: str, answers: dict[str, str]) -> str:
    """Return a draft with the sender's answers in place of its questions."""

    def answer(match: re.Match[str]) -> str:
        return f"{match['key']}: {answers[match['key']]}"

    return re.sub(r'(?P<key>\w+): !ask "(?:[^"\\]|\\.)*"', answer, text)


def load(
    export: Export, context: RunContext, folder: Path, con: duckdb.DuckDBPyConnection
) -> Loaded:
    path = folder / export.name
    path.write_bytes(export.data)
    (draft,) = draft_sources(path, name="sales", landing=folder / "landing")
    text = write_draft(draft)
    contract = parse_model(
        SourceContract, answered(text, export.answers), path=Path("sales.yml"), name="sales"
    )
    if contract.feeds:
        vet_contract(contract, ENTITIES, where="sales.yml")
    digest = hashlib.sha256(export.data).hexdigest()
    delivery = Delivery(
        digest[:16],
        "sales",
        str(path),
        export.name,
        digest,
        len(export.data),
        date(2026, 11, 20),
        "new",
    )
    notes = staging.stage_delivery(context, delivery, contract, con=con, scratch=folder)
    rows = staged_places(context, delivery, contract).rows
    total, skus = Decimal(0), frozenset[str]()
    if notes.status == "loaded":
        total = con.execute(
            f"select coalesce(sum({export.amount}), 0) from read_parquet(?)", [str(rows)]
        ).fetchall()[0][0]
        skus = frozenset(
            row[0]
            for row in con.execute(
                f"select distinct {export.sku} from read_parquet(?)", [str(rows)]
            ).fetchall()
        )
    return Loaded(contract, notes, total, skus, text)


@pytest.mark.parametrize("case", EXPORTS)
def test_a_drafted_contract_reads_its_file_to_the_penny(
    case: str, context: RunContext, tmp_path: Path, con: duckdb.DuckDBPyConnection
) -> None:
    export = EXPORTS[case]
    loaded = load(export, context, tmp_path, con)
    assert loaded.notes.status == "loaded", f"{loaded.notes.reason}\n{loaded.draft}"
    assert loaded.notes.accepted == export.rows, loaded.notes
    assert loaded.notes.quarantined == export.aside, loaded.notes
    assert loaded.notes.records == export.rows + export.aside
    assert loaded.total == export.total, loaded.draft
    if export.skus is not None:
        assert loaded.skus == export.skus, loaded.draft


@pytest.mark.parametrize("name", ["sales.csv.gz", "sales.csv.zst", "sales.zip"])
def test_a_file_that_is_not_what_its_name_says_is_refused_in_words(
    name: str, tmp_path: Path
) -> None:
    path = tmp_path / name
    path.write_bytes(b"PK\x05\x06" + bytes(18) if name.endswith("zip") else b"a,b\n1,2\n")
    with pytest.raises(ConfigError, match="sales"):
        draft_sources(path, name="sales", landing=tmp_path / "landing")


@pytest.mark.parametrize("case", EXPORTS)
def test_a_draft_with_open_questions_is_refused_at_each_of_them(case: str, tmp_path: Path) -> None:
    export = EXPORTS[case]
    path = tmp_path / export.name
    path.write_bytes(export.data)
    (draft,) = draft_sources(path, name="sales", landing=tmp_path / "landing")
    text = write_draft(draft)
    asked = [n for n, line in enumerate(text.split("\n"), 1) if re.search(r": !ask \"", line)]
    if not asked:
        parse_model(SourceContract, text, path=path, name="sales")
        return
    with pytest.raises(ConfigError, match="is not declared yet") as caught:
        parse_model(SourceContract, text, path=path, name="sales")
    lines = [int((part.where or "").split(":")[-2]) for part in caught.value.parts]
    assert lines == asked
