"""The truth that people bring to ``cdp evaluate``: who is behind each record, or pairs of records.

Columns are recognised by name and by whether their values are record ids of the clusters. Reading
belongs here; figures are made in ``grading``.
"""

from __future__ import annotations

import duckdb
import numpy as np
import pyarrow as pa

from cdp_pipeline.core.errors import ConfigError, ContractError
from cdp_pipeline.identity.grouping.linkage import components
from cdp_pipeline.project.column_names import plain_header, role_of
from cdp_pipeline.storage.tabular import ROW, Loaded
from cdp_pipeline.storage.warehouse import fetch_value, quote_column


def read_clusters(con: duckdb.DuckDBPyConnection, loaded: Loaded) -> None:
    """Create ``found`` (source, record_id, entity_id) from what ``cdp link`` wrote.

    Raises:
        ContractError: It is something else.
    """
    missing = [name for name in ("record_id", "entity_id") if name not in loaded.columns]
    if missing:
        raise ContractError(
            f"the clusters lack the column {missing[0]!r}",
            where=loaded.where,
            hint="Give the file that `cdp link --out` wrote.",
        )
    source = "source" if "source" in loaded.columns else "''"
    con.execute(
        f"create or replace temp table found as select coalesce({source}, '') as source, "  # noqa: S608 - own names
        f"record_id, entity_id from {loaded.table} order by {ROW}"
    )


def read_truth(
    con: duckdb.DuckDBPyConnection,
    clusters: Loaded,
    truth: Loaded,
    *,
    person: str | None,
    id_column: str | None,
) -> list[str]:
    """Create ``truth`` (source, record_id, person_id, row); return further columns to show."""
    for name in (person, id_column):
        if name is not None and name not in truth.columns:
            raise ConfigError(
                f"the truth has no column {name!r}",
                where=truth.where,
                hint=f"It has: {', '.join(truth.columns)}.",
            )
    overlap = {name: _overlap(con, truth, name) for name in truth.columns}
    answers = [c for c in truth.columns if role_of(c) == "truth" and c != id_column]
    ids = [c for c in truth.columns if overlap[c] >= 0.5 and c not in answers]  # noqa: PLR2004 - most
    ids = [id_column] if id_column else ids
    persons = [person] if person else answers
    pairs = [c for c in ids if c != person]
    if not persons and len(pairs) == 2:  # noqa: PLR2004 - a pair
        _pairs_to_persons(con, truth, pairs)
        return []
    if not persons and len(truth.columns) - len(ids) == 1:
        persons = [c for c in truth.columns if c not in ids]
    if not ids or not persons:
        raise ConfigError(
            "cannot tell the record and the person" if not ids else "cannot tell the person",
            where=truth.where,
            hint="Name them: --id COLUMN for records as in the clusters, --person COLUMN; found "
            f"{', '.join(truth.columns)}.",
        )
    record = max(ids, key=lambda name: (role_of(name) == "record_id", overlap[name]))
    _require_known_records(truth, record, persons[0], overlap)
    return _records_to_persons(con, clusters, truth, record, persons[0])


def _require_known_records(
    truth: Loaded, record: str, person: str, overlap: dict[str, float]
) -> None:
    """Refuse a truth whose own record ids are strangers to the clusters.

    Small numbers fit almost any column; figures made from them would be nonsense.
    """
    stated = [c for c in truth.columns if role_of(c) == "record_id"]
    strange = (stated and overlap[record] < 0.5) or (stated and record not in stated)  # noqa: PLR2004
    if strange or record == person:
        raise ConfigError(
            f"the records of the clusters are not those of column {(stated or [record])[0]!r}",
            where=truth.where,
            hint="Name the same column by --id in `cdp link` and in `cdp evaluate`.",
        )


def _records_to_persons(
    con: duckdb.DuckDBPyConnection, clusters: Loaded, truth: Loaded, record: str, person: str
) -> list[str]:
    source = next((c for c in truth.columns if role_of(c) == "source"), None)
    source = source if source and _sources_agree(con, truth, source) else None
    _require_one_id(con, clusters, source)
    origin = quote_column(source) if source else "null::varchar"
    con.execute(
        f"create or replace temp table truth as select {origin} as source, "  # noqa: S608 - quoted
        f"{quote_column(record)} as record_id, {quote_column(person)} as person_id, "
        f"{ROW} as row_no from {truth.table} where {quote_column(person)} is not null"
    )
    shown = [c for c in truth.columns if c not in {record, person, source}][:8]
    items = ", ".join(f"{quote_column(c)}" for c in shown)
    text = f"concat_ws(' | ', {items})" if shown else "''"
    con.execute(
        f"create or replace temp table truth_shown as select {ROW} as row_no, {text} as shown "  # noqa: S608 - quoted
        f"from {truth.table}"
    )
    return shown


def _overlap(con: duckdb.DuckDBPyConnection, truth: Loaded, column: str) -> float:
    share = fetch_value(
        con,
        f"select avg(cast({quote_column(column)} in (select record_id from found) as integer)) "  # noqa: S608 - quoted
        f"from {truth.table} where {quote_column(column)} is not null",
    )
    return float(share or 0.0)


def _sources_agree(con: duckdb.DuckDBPyConnection, truth: Loaded, source: str) -> bool:
    return bool(
        fetch_value(
            con,
            f"select count(*) from {truth.table} "  # noqa: S608 - quoted
            f"where {quote_column(source)} in (select source from found)",
        )
    )


def _require_one_id(con: duckdb.DuckDBPyConnection, clusters: Loaded, source: str | None) -> None:
    if source:
        return
    twice = con.execute(
        "select record_id from found group by record_id having count(*) > 1 "
        "order by record_id limit 1"
    ).fetchall()
    if twice:
        raise ConfigError(
            f"record {twice[0][0]!r} stands in several sources, so the truth must name the source",
            where=clusters.where,
            hint="Add a `source` column to the truth.",
        )


def _pairs_to_persons(con: duckdb.DuckDBPyConnection, truth: Loaded, ids: list[str]) -> None:
    """Persons are what pairs connect; a record in no pair is a person of its own."""
    label = next((c for c in truth.columns if plain_header(c) in _LABELS), None)
    chosen = (
        f"where lower({quote_column(label)}) in ('1', '1.0', 'true', 't', 'yes')" if label else ""
    )
    left, right = (quote_column(name) for name in ids)
    con.execute(
        "create or replace temp table numbered as "
        "select row_number() over (order by source, record_id) - 1 as place, source, record_id "
        "from found"
    )
    ends = con.execute(
        f"select a.place as a, b.place as b from {truth.table} as t "  # noqa: S608 - quoted
        f"inner join numbered as a on a.record_id = t.{left} "
        f"inner join numbered as b on b.record_id = t.{right} {chosen} order by a.place, b.place"
    ).fetchnumpy()
    size = int(fetch_value(con, "select count(*) from numbered"))
    labels = components(np.asarray(ends["a"], np.int64), np.asarray(ends["b"], np.int64), size=size)
    con.register("person_rows", pa.table({"place": np.arange(size), "person": labels}))
    con.execute(
        "create or replace temp table truth as select n.source, n.record_id, "
        "cast(p.person as varchar) as person_id, n.place as row_no "
        "from numbered as n inner join person_rows as p using (place)"
    )
    con.unregister("person_rows")
    con.execute("create or replace temp table truth_shown as select row_no, '' as shown from truth")


_LABELS = {"match", "is_match", "label", "same", "is_same", "clerical_match_score", "match_label"}
