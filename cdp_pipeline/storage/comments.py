"""What the published file says of itself: a header as comments on a table and its columns."""

from __future__ import annotations

from cdp_pipeline.project.tables import TableSpec
from cdp_pipeline.project.units import unit_of


def table_comment(spec: TableSpec) -> str:
    """Return what the published file says about a table: meaning, grain, key, owner, person."""
    header = spec.header
    parts = [header.description, f"Grain: {header.grain}."]
    if header.key:
        parts.append(f"Key: {', '.join(header.key)}.")
    parts.append(f"Owner: {header.owner}.")
    if header.subject_key:
        parts.append(f"Personal data of: {header.subject_key}.")
    if header.retention:
        parts.append(f"Kept: {header.retention.words}.")
    return " ".join(parts)


def column_comment(spec: TableSpec, name: str, sql_type: str) -> str:
    """Return what the published file says about a column: meaning, unit or zone, PII class."""
    column = spec.header.columns[name]
    unit = unit_of(name, column, sql_type)
    shown = f" [unit: {unit}]" if unit else ""
    personal = f" [personal: {column.pii}]" if column.pii else ""
    return f"{column.description}{shown}{personal}"
