"""A delivery that is looked at by ``cdp new source``, and what its draft makes of it."""

from __future__ import annotations

from pathlib import Path

from cdp_pipeline.ingest.discovery.asking import Ask
from cdp_pipeline.ingest.discovery.draft import Draft
from cdp_pipeline.ingest.discovery.looking import draft_sources
from cdp_pipeline.ingest.discovery.writing import write_draft
from cdp_pipeline.project.contracts import SourceContract
from cdp_pipeline.project.yaml_source import parse_model
from tests.unit.ingest.conftest import Stage


def draft(folder: Path, name: str, data: str | bytes) -> Draft:
    path = folder / name
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    (found,) = draft_sources(path, name=None, landing=folder)
    return found


def fed(found: Draft, entity: str) -> dict[str, str | Ask]:
    (feed,) = (feed for feed in found.feeds if feed.entity == entity)
    return feed.columns


def loaded(found: Draft, stage: Stage, name: str) -> list[dict[str, object]]:
    """Return the rows of the drafted file, questions answered provisionally."""
    text = write_draft(found, is_trial=True)
    contract = parse_model(SourceContract, text, path=Path("x.yml"), name=found.name)
    outcome = stage(found.tried.read_bytes(), contract, name=name)
    assert outcome.notes.status == "loaded", outcome.notes.reason
    return outcome.rows
