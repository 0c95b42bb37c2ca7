"""Records that become several rows because their parts stand side by side.

Either in numbered columns (``line_item_1``, ``line_item_2``), of which those without any text are
left out, or in one field with a separator. Arrays of nested records are ``json_sql``'s business.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from cdp_pipeline.ingest.reading import Reading
from cdp_pipeline.project.contracts import SourceContract
from cdp_pipeline.storage.warehouse import quote_column, quote_literal


def repeat_records(
    reading: Reading, contract: SourceContract, repeated: Mapping[int, Mapping[str, int]]
) -> Reading:
    """Return a reading with a row for each part of a record, at least one.

    Args:
        reading: How to read the records.
        contract: The source's contract.
        repeated: By number, the positions of numbered columns.
    """
    splits = [
        name for name, c in contract.read_columns.items() if c.split and name in reading.texts
    ]
    if repeated:
        names = list(dict.fromkeys(name for parts in repeated.values() for name in parts))
        items = _numbered_parts(repeated, names)
    elif splits:
        names = splits[:1]
        column = contract.columns[names[0]]
        items = _split_parts(names[0], reading.texts[names[0]], column.split)
    else:
        return reading
    nothing = "{" + ", ".join(f"{_key(n)}: cast(null as varchar)" for n in names)
    nothing += ", 'n': cast(null as bigint)}"
    has_text = " or ".join(f"coalesce(trim(p.{quote_column(n)}), '') <> ''" for n in names)
    relation = (
        "(select *, part.n as _item from (select *, unnest(parts) as part, "  # noqa: S608 - quoted
        "generate_subscripts(parts, 1) = 1 as _is_first from (select *, "
        f"case when len(found) > 0 then found else [{nothing}] end as parts from (select *, "
        f"list_filter({items}, lambda p: {has_text}) as found from {reading.relation}))))"
    )
    texts = {**reading.texts, **{name: f"part.{quote_column(name)}" for name in names}}
    return replace(reading, relation=relation, texts=texts, is_repeated=True)


def _numbered_parts(repeated: Mapping[int, Mapping[str, int]], names: list[str]) -> str:
    parts = []
    for number, positions in repeated.items():
        fields = [
            f"{_key(n)}: {f'c{positions[n]}' if n in positions else 'cast(null as varchar)'}"
            for n in names
        ]
        parts.append("{" + ", ".join([*fields, f"'n': cast({number} as bigint)"]) + "}")
    return f"[{', '.join(parts)}]"


def _split_parts(name: str, text: str, separator: str) -> str:
    """Return SQL of the parts; those without text count, so that numbers are places."""
    return (
        f"list_transform(string_split(coalesce({text}, ''), {quote_literal(separator)}), "
        f"lambda t, i: {{{_key(name)}: t, 'n': cast(i as bigint)}})"
    )


def _key(name: str) -> str:
    return quote_literal(name)
