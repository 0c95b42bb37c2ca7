from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from cdp_pipeline.core.errors import WarehouseError
from cdp_pipeline.core.settings import load_settings
from cdp_pipeline.project.tables import TableHeader, TableSpec
from cdp_pipeline.warehouse.rendering import Base, RenderValues, render_model


@pytest.fixture
def values(project_root: Path) -> RenderValues:
    return RenderValues(
        date(2026, 11, 20), load_settings(project_root), ("pos_sales",), Base({"ops.contact_log"})
    )


def model(sql: str) -> TableSpec:
    header = TableHeader(
        name="a", description="A", grain="one row", key=(), owner="tests", columns={}
    )
    return TableSpec("core", "a", header, Path("sql/core/a.sql"), sql, sql_line=20)


@pytest.mark.parametrize(
    ("sql", "rendered"),
    [
        ("select {{ business_date }} - 1", "select date '2026-11-20' - 1"),
        ("select {{ settings.rfm.window_days }}", "select 365"),
        ("select {{ time_zone }}", "select 'Europe/London'"),
        ("select {{ 2 * settings.rfm.window_days }}", "select 730"),
        ("select '{{ settings.currency }}'", "select 'GBP'"),
        ("{% for source in sources %}select '{{ source }}'{% endfor %}", "select 'pos_sales'"),
        ("select 1{% if base.has('ops.contact_log') %}, 2{% endif %}", "select 1, 2"),
        ("select 1{% if base.has('ops.nothing') %}, 2{% endif %};\n", "select 1"),
        ("\n\nselect 1\n", "\n\nselect 1"),
    ],
)
def test_values_are_filled_in(sql: str, rendered: str, values: RenderValues) -> None:
    assert render_model(model(sql), values) == rendered


@pytest.mark.parametrize(
    ("sql", "line", "message"),
    [
        ("select\n    {{ buisness_date }}", 21, "'buisness_date' is undefined"),
        ("select\n\n    {{ settings.rfm.window }}", 22, "no attribute 'window'"),
        ("select 1\n{% if %}", 21, "Expected an expression"),
        ("select {{ settings.rfm.__class__.__mro__ }}", 20, "unsafe"),
        ("select\n{{ 1 / 0 }}", 21, "division by zero"),
        ("select {% for n in range(10 ** 9) %}{% endfor %}", 20, "for numbers in SQL"),
        ("select {% for n in range(999999999) %}{% endfor %}", 20, "too big"),
        ("select\n\n'{{ 'x' * 999999999999 }}'", 22, "for numbers in SQL"),
        ("{% macro a() %}{{ a() }}{% endmacro %}select {{ a() }}", 20, "recursion"),
        ("select {{ 1 + 'a' }}", 20, "unsupported operand"),
    ],
)
def test_mistakes_name_file_and_line(
    sql: str, line: int, message: str, values: RenderValues
) -> None:
    with pytest.raises(WarehouseError, match=message) as caught:
        render_model(model(sql), values)
    assert caught.value.where == f"sql/core/a.sql:{line}"
    assert caught.value.message.startswith("core.a: ")


def test_secrets_stay_masked(values: RenderValues, project_root: Path) -> None:
    settings = load_settings(project_root, mail={"password": "hush"})
    told = RenderValues(values.business_date, settings)
    assert "hush" not in render_model(model("select '{{ settings.mail.password }}'"), told)
