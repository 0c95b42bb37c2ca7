"""From a destination's fields to SQL: where each column comes from and how its value is written.

Contact columns are taken from ``core.customer_contact``, which is joined only for destinations that
name a consent purpose and channel; so an analysis file cannot hold personal data by mistake. How a
hash or a safe text looks is decided in ``dialects``.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from cdp_pipeline.activation.dialects import hashed, inert_text, is_free_text
from cdp_pipeline.activation.triggers import TRIGGER_COLUMNS
from cdp_pipeline.core.errors import ConfigError
from cdp_pipeline.project.marketing import CONTACT_COLUMNS, DestinationField, DestinationSpec
from cdp_pipeline.project.mistakes import suggest
from cdp_pipeline.project.positions import Positions
from cdp_pipeline.storage.warehouse import quote_column, quote_literal

MEMBERSHIP_COLUMNS = ("segment", "entered_on", "is_holdout")
"""Columns that audience files may carry beside those of the customer."""

_ROWS = """
create or replace temp table export_rows as
with rows_out as (
    select
        chosen.customer_id,
        {fields}
    from chosen
    inner join {content_table} as content on chosen.customer_id = content.customer_id
    inner join features.customer_features as features on chosen.customer_id = features.customer_id
    {contact_join}
    where chosen.outcome = 'sent' and content.{content_key} = $name
)

select
    *,
    {identifiers} as identifiers,
    sha256(cast(json_array({names}) as varchar)) as row_sha256,
from rows_out
"""


def vet_destination(spec: DestinationSpec, *, columns: Collection[str], path: Path) -> None:
    """Check that every field of a destination names a column it can have.

    Args:
        spec: The declaration.
        columns: Columns of ``features.customer_features``.
        path: The declaring file.

    Raises:
        ConfigError: A column is unknown, or personal without consent; says what was meant.
    """
    known = {*columns, *_content_columns(spec)} | (set(CONTACT_COLUMNS) if spec.channel else set())
    place = Positions(path)
    for position, field in enumerate(spec.fields):
        if field.column not in known:
            raise ConfigError(
                f"sends unknown column {field.column!r}",
                where=place("fields", position, "column"),
                hint=suggest(field.column, sorted(known)),
            )


def rows_sql(spec: DestinationSpec, *, columns: Collection[str]) -> str:
    """Return SQL that makes the temporary table ``export_rows`` of one file.

    Takes the parameter ``name``: the segment or the offer. Grain of the table: one row per
    customer whose outcome in ``chosen`` is ``sent``. Columns: ``customer_id``, ``field_0`` and
    following as written to the file, ``identifiers`` (JSON by header) and ``row_sha256``.
    """
    is_trigger = spec.content == "trigger"
    written = [_written(spec, field, columns) for field in spec.fields]
    identifying = [
        f"{quote_literal(field.header)}, field_{place}"
        for place, field in enumerate(spec.fields)
        if field.is_identifying
    ]
    contact_join = (
        "left join core.customer_contact as contact on chosen.customer_id = contact.customer_id"
    )
    return _ROWS.format(
        fields=",\n        ".join(f"{sql} as field_{n}" for n, sql in enumerate(written)),
        content_table="triggers" if is_trigger else "segments.membership",
        content_key="offer" if is_trigger else "segment",
        contact_join=contact_join if spec.channel else "",
        identifiers=f"cast(json_object({', '.join(identifying)}) as varchar)",
        names=", ".join(f"field_{n}" for n in range(len(written))),
    )


def file_columns(spec: DestinationSpec) -> str:
    """Return the SELECT list that gives ``field_*`` the headers of the receiver."""
    return ", ".join(
        f"field_{place} as {quote_column(field.header)}" for place, field in enumerate(spec.fields)
    )


def identifier_columns(spec: DestinationSpec) -> str:
    """Return the SELECT list that unfolds ``identifiers`` into the receiver's headers."""
    return ", ".join(
        f"json_extract_string(identifiers, {quote_literal(_json_path(field))}) "
        f"as {quote_column(field.header)}"
        for field in spec.fields
        if field.is_identifying
    )


def _json_path(field: DestinationField) -> str:
    return f'$."{field.header}"'


def _content_columns(spec: DestinationSpec) -> tuple[str, ...]:
    return TRIGGER_COLUMNS if spec.content == "trigger" else MEMBERSHIP_COLUMNS


def _written(spec: DestinationSpec, field: DestinationField, columns: Collection[str]) -> str:
    value = _origin(spec, field.column, columns)
    if field.hash != "none":
        return hashed(value, dialect=field.hash, kind=field.kind)
    if spec.format == "csv" and is_free_text(field):
        return inert_text(f"cast({value} as varchar)")
    return value


def _origin(spec: DestinationSpec, column: str, columns: Collection[str]) -> str:
    if column in _content_columns(spec):
        return f"content.{quote_column(column)}"
    if spec.channel and column in CONTACT_COLUMNS:
        return f"contact.{quote_column(column)}"
    if column in columns:
        return f"features.{quote_column(column)}"
    raise ConfigError(
        f"destination {spec.name} sends unknown column {column!r}",
        where=f"sql/marketing/destinations/{spec.name}.yml",
        hint="Take a column of features.customer_features.",
    )
