"""A project whose ``sql`` folder a test writes model by model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

WriteModel = Callable[..., Path]


@pytest.fixture
def write_model(project_root: Path) -> WriteModel:
    """Return a writer of SQL models; the header has the named columns and lines."""

    def write(
        full_name: str, select: str, *, columns: str = "n", key: str = "n", header: str = ""
    ) -> Path:
        schema, name = full_name.split(".")
        listed = "".join(f"  {column}: A column\n" for column in columns.split())
        whole = (
            "/*\ndescription: A model of a test\ngrain: one row per n\n"
            f"key: [{key}]\nowner: tests\n{header}columns:\n{listed}*/\n"
        )
        path = project_root / "sql" / schema / f"{name}.sql"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(whole + select, encoding="utf-8")
        return path

    return write


@pytest.fixture
def write_python_table(project_root: Path) -> Callable[[str], Path]:
    """Return a writer of headers of tables that a Python step makes; one column, n."""

    def write(full_name: str) -> Path:
        schema, name = full_name.split(".")
        path = project_root / "sql" / schema / f"{name}.yml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(
            "description: Made by Python\ngrain: one row per n\nkey: [n]\nowner: tests\n"
            "made_by: predict\ncolumns:\n  n: {description: A number, type: integer}\n",
            encoding="utf-8",
        )
        return path

    return write
