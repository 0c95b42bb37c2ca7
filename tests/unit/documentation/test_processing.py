"""The records of processing say what the declarations say, and what nobody declared."""

from __future__ import annotations

from pathlib import Path

from cdp_pipeline.core.settings import load_settings
from cdp_pipeline.documentation.processing import write_record
from cdp_pipeline.project.loader import load_project


def test_the_shipped_project_accounts_for_all_personal_data(repository: Path) -> None:
    project = load_project(repository)
    record = write_record(project, load_settings(repository))
    for name, contract in project.sources.items():
        has_personal_data = any(column.pii for column in contract.columns.values())
        assert (f"| {name} |" in record) is has_personal_data, name
    for name, spec in project.tables.items():
        assert (f"| {name} |" in record) is bool(spec.header.subject_key), name
    for name in project.destinations:
        assert f"| {name} |" in record, name
    assert "to be filled in by the controller" in record
    assert record == write_record(project, load_settings(repository))


def test_a_project_without_personal_data_says_so_by_empty_tables(project_root: Path) -> None:
    record = write_record(load_project(project_root), load_settings(project_root))
    assert "Test Store" in record
    assert "| recipient | what | purpose | channel | columns |" in record
