from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from cdp_pipeline.core.errors import WarehouseError
from cdp_pipeline.core.settings import load_settings
from cdp_pipeline.project.loader import load_project
from cdp_pipeline.warehouse.rehearsal import rehearse

from .conftest import WriteModel


def test_models_bind_against_headers_of_python_tables(
    write_model: WriteModel, write_python_table: Callable[[str], Path], project_root: Path
) -> None:
    write_python_table("identity.links")
    write_model("core.a", "select n from identity.links")
    write_model("marts.b", "select n from core.a")
    built = rehearse(load_project(project_root), load_settings(project_root))
    assert list(built) == ["core.a", "marts.b"]


def test_base_tables_exist_only_when_asked_for(
    write_model: WriteModel, write_python_table: Callable[[str], Path], project_root: Path
) -> None:
    write_python_table("ops.log")
    write_model(
        "core.a",
        "select 1 as n{% if base.has('ops.log') %}\n"
        "union all select nope from base.ops.log{% endif %}",
    )
    project, settings = load_project(project_root), load_settings(project_root)
    assert list(rehearse(project, settings)) == ["core.a"]
    with pytest.raises(WarehouseError, match="nope"):
        rehearse(project, settings, with_base=True)


def test_a_misspelt_column_is_found_without_data(
    write_model: WriteModel, write_python_table: Callable[[str], Path], project_root: Path
) -> None:
    write_python_table("identity.links")
    write_model("core.a", "select m as n from identity.links")
    with pytest.raises(WarehouseError, match='"m" not found') as caught:
        rehearse(load_project(project_root), load_settings(project_root))
    assert 'Candidate bindings: "n"' in (caught.value.hint or "")
