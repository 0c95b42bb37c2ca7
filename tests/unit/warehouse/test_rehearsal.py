from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from cdp_pipeline.core.errors import CombinedConfigError, WarehouseError
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


@pytest.mark.parametrize("kind", ["1e400", "integr", "integer); drop table x; --"])
def test_a_type_that_duckdb_has_not_is_named_with_its_file(
    write_python_table: Callable[[str], Path], project_root: Path, kind: str
) -> None:
    path = write_python_table("identity.links")
    path.write_text(path.read_text().replace("type: integer", f"type: '{kind}'"))
    with pytest.raises(WarehouseError, match=r"identity\.links cannot have these types") as caught:
        rehearse(load_project(project_root), load_settings(project_root))
    assert caught.value.where == f"{path}:1"


def test_a_recursion_without_an_end_is_stopped_and_the_other_models_are_checked(
    write_model: WriteModel, project_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cdp_pipeline.warehouse.rehearsal.LONGEST_SECONDS", 0.3)
    endless = "with recursive c as (select 1 as n union all select n + 1 from c)"
    write_model("core.a", f"{endless} select max(n) as n from c")
    write_model("core.b", "select m as n from (select 1 as n)")
    with pytest.raises(CombinedConfigError) as caught:
        rehearse(load_project(project_root), load_settings(project_root))
    first, second = caught.value.parts
    assert "core.a does not end" in first.message
    assert "condition that ends it" in (first.hint or "")
    assert "core.b" in second.message


PROPENSITY = (
    "/*\ntitle: Buys\nevent: goods bought\nowner: tests\ncolumns:\n"
    "  customer_id: Who\n  happened_on: When\n*/\n"
)


@pytest.mark.parametrize(
    ("select", "complaint", "help_"),
    [
        ("select m as customer_id from identity.links", '"m" not found', "tables of core"),
        (
            "select n as customer_id, date '2026-01-01' as happened_on from identity.links",
            "returns customer_id INTEGER, happened_on DATE",
            "customer_id varchar, happened_on date",
        ),
        (
            "select n::varchar as customer_id, date '2026-01-01' as bought_on from identity.links",
            "bought_on DATE",
            "happened_on date",
        ),
    ],
)
def test_a_propensity_that_reads_or_returns_something_else_is_found_without_data(
    write_python_table: Callable[[str], Path],
    project_root: Path,
    select: str,
    complaint: str,
    help_: str,
) -> None:
    write_python_table("identity.links")
    folder = project_root / "sql" / "propensities"
    folder.mkdir(parents=True)
    (folder / "buys.sql").write_text(PROPENSITY + select, encoding="utf-8")
    with pytest.raises(WarehouseError, match=complaint) as caught:
        rehearse(load_project(project_root), load_settings(project_root))
    assert help_ in (caught.value.hint or "")
    assert "buys.sql" in (caught.value.where or "")


def test_a_propensity_may_return_chances_that_were_given(
    write_python_table: Callable[[str], Path], project_root: Path
) -> None:
    write_python_table("identity.links")
    folder = project_root / "sql" / "propensities"
    folder.mkdir(parents=True)
    header = PROPENSITY.replace("*/", "  is_chance: Whether a chance\n*/")
    (folder / "buys.sql").write_text(
        f"{header}select n::varchar as customer_id, date '2026-01-01' as happened_on, "
        "n > 1 as is_chance from identity.links",
        encoding="utf-8",
    )
    project = load_project(project_root)
    assert rehearse(project, load_settings(project_root)) == {}
    assert project.propensities["buys"].has_chances
