"""People found in files or tables without a project: the same linkage as at night, in memory.

``link_files`` reads CSV and Parquet, ``link_tables`` takes Arrow tables or pandas frames; both
recognise the columns, run the stages of the night and return a ``LinkResult``. Nothing is kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa

from cdp_pipeline.core.errors import ConfigError, ContractError
from cdp_pipeline.core.settings import EngineSettings
from cdp_pipeline.identity.files.columns import (
    EVIDENCE_ROLES,
    recognise,
    settle_numbers,
)
from cdp_pipeline.identity.files.gather import gather, is_apart
from cdp_pipeline.identity.files.recognition import Recognition
from cdp_pipeline.identity.files.resolving import resolve
from cdp_pipeline.identity.files.results import (
    read_clusters,
    read_edges,
    read_names,
    read_review,
)
from cdp_pipeline.identity.scoring.design import (
    declared_design,
    shipped_linkage,
)
from cdp_pipeline.identity.standard.nicknames import load_nicknames
from cdp_pipeline.project.linkage import LinkConfig
from cdp_pipeline.project.loader import starter_folder
from cdp_pipeline.project.yaml_source import read_model
from cdp_pipeline.storage.tabular import Loaded, load_arrow, load_files
from cdp_pipeline.storage.warehouse import connect

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class LinkResult:
    """What linking found.

    Attributes:
        clusters: One row a record, in the order of the files: source, record_id, entity_id,
            probability (that the record belongs to its entity; 1 where it stands alone).
        edges: Pairs above the review threshold: source_a, record_id_a, source_b, record_id_b,
            probability, match_weight, household_weight (log2 odds), rule.
        parameters: What each level of each comparison is worth: comparison, level, m_prob,
            household_prob, u_prob, weight.
        blocking: Each rule with its keys, pairs and dropped keys.
        hubs: Values that strangers share, by field and reason, hashed.
        recognitions: What the columns were taken for.
        lists: Files, or their years, in which each person stands once, by what their pairs tell.
        settings: Thresholds.
    """

    clusters: pa.Table
    edges: pa.Table
    parameters: pa.Table
    blocking: pa.Table
    hubs: pa.Table
    review: pa.Table
    recognitions: tuple[Recognition, ...]
    lists: tuple[str, ...]
    settings: LinkConfig

    @cached_property
    def counts(self) -> dict[str, int]:
        """Return the numbers of files, records, entities, edges and pairs for review."""
        entities = self.clusters.column("entity_id")
        return {
            "files": len(self.recognitions),
            "records": self.clusters.num_rows,
            "entities": len(entities.unique()),
            "edges": self.edges.num_rows,
            "review_pairs": self.review.num_rows,
            "hubs": self.hubs.num_rows,
        }

    def report(self) -> str:
        """Return one self-contained HTML page about the result."""
        from cdp_pipeline.identity.files.link_report import render_report  # noqa: PLC0415 - rarely needed

        return render_report(self)

    def as_dict(self) -> dict[str, Any]:
        """Return plain data for JSON: counts, columns, assumptions."""
        return {
            "counts": self.counts,
            "accept": self.settings.accept,
            "lists": list(self.lists),
            "review": self.settings.review,
            "files": [
                {
                    "source": found.loaded.source,
                    "rows": found.loaded.rows,
                    "read_as": found.loaded.dialect,
                    "columns": [
                        {"name": c.name, "role": c.role, "is_used": c.is_used, "why": c.why}
                        for c in found.columns
                    ],
                    "notes": list(found.notes),
                }
                for found in self.recognitions
            ],
        }


def link_files(
    paths: Sequence[Path],
    *,
    config: LinkConfig | None = None,
    id_column: str | Sequence[str] | None = None,
    link_only: bool = False,
) -> LinkResult:
    """Find the people in CSV or Parquet files.

    Args:
        paths: One file to deduplicate, or several to link and deduplicate.
        config: What people say about columns, dates and thresholds; default: nothing.
        id_column: Column that names records; several names where files differ, each file by the
            first that it has. Default: recognised, or the row.
        link_only: Compare records of different sources only.

    Raises:
        ContractError: A file cannot be read or holds no usable column.
        ConfigError: The configuration or ``id_column`` does not fit the files.
    """
    with _database() as con:
        files = load_files(con, paths)
        return _link(con, files, config or LinkConfig(), id_column, link_only=link_only)


def link_tables(
    *tables: pa.Table | pd.DataFrame,
    names: Sequence[str] | None = None,
    config: LinkConfig | None = None,
    id_column: str | Sequence[str] | None = None,
    link_only: bool = False,
) -> LinkResult:
    """Find the people in Arrow tables or pandas frames.

    Args:
        tables: One table to deduplicate, or several to link and deduplicate.
        names: Names of the sources; default: table_1, table_2, ...
        config: As for ``link_files``.
        id_column: As for ``link_files``.
        link_only: As for ``link_files``.

    Raises:
        ContractError: A table holds no usable column.
        ConfigError: The configuration or ``id_column`` does not fit the tables.
    """
    named = list(names or (f"table_{number}" for number in range(1, len(tables) + 1)))
    arrow = [
        table if isinstance(table, pa.Table) else pa.Table.from_pandas(table, preserve_index=False)
        for table in tables
    ]
    with _database() as con:
        files = load_arrow(con, list(zip(named, arrow, strict=True)))
        return _link(con, files, config or LinkConfig(), id_column, link_only=link_only)


def read_config(path: Path | None, *, accept: float | None = None) -> LinkConfig:
    """Return what a --config file says, or the defaults.

    Args:
        path: YAML file, or None.
        accept: Threshold that outranks the file's.

    Raises:
        ConfigError: The file is missing or wrong; names the line.
    """
    if path is not None and not path.is_file():
        raise ConfigError("there is no such file", where=str(path), hint="Check the path.")
    said = LinkConfig() if path is None else read_model(LinkConfig, path)
    if accept is None:
        return said
    return said.model_copy(update={"accept": accept, "review": min(said.review, accept)})


@contextmanager
def _database() -> Iterator[duckdb.DuckDBPyConnection]:
    con = connect(EngineSettings())
    try:
        con.execute("create schema identity; create schema staging")
        for path in sorted((starter_folder("sql") / "macros").glob("identity_*.sql")):
            con.execute(path.read_text(encoding="utf-8"))
        load_nicknames(con)
        yield con
    finally:
        con.close()


def _link(
    con: duckdb.DuckDBPyConnection,
    files: Sequence[Loaded],
    config: LinkConfig,
    id_column: str | Sequence[str] | None,
    *,
    link_only: bool,
) -> LinkResult:
    chosen = id_column or config.id
    named = [chosen] if isinstance(chosen, str) else list(chosen or ())
    found = [
        recognise(
            con,
            one,
            assigned=config.roles(one.source, one.columns),
            id_column=_id_of(one, named),
            order=config.dates,
        )
        for one in files
    ]
    found = settle_numbers(con, found)
    for recognition in found:
        _require_evidence(recognition)
    if is_apart(found):
        found = [recognition.without("unit", "parts of addresses are compared, not flats")
                 for recognition in found]  # fmt: skip
    gather(con, found)
    design = declared_design(config.linkage(shipped_linkage("files")))
    fitted, lists = resolve(con, found, design, config, link_only=link_only)
    names = read_names(con)
    rules = [rule.name for rule in fitted.rules]
    return LinkResult(
        clusters=read_clusters(con, names),
        edges=read_edges(con, names, rules),
        parameters=con.sql("from identity.model_parameters").to_arrow_table(),
        blocking=con.sql("from identity.blocking").to_arrow_table(),
        hubs=con.sql("from identity.hubs").to_arrow_table(),
        review=read_review(con, names, rules, config),
        recognitions=tuple(found),
        lists=lists,
        settings=config,
    )


def _id_of(loaded: Loaded, named: Sequence[str]) -> str | None:
    """Return the named id column that a file has; one that no name fits is told by the first."""
    return next((name for name in named if name in loaded.columns), next(iter(named), None))


def _require_evidence(found: Recognition) -> None:
    if any(c.is_used and c.role in EVIDENCE_ROLES for c in found.columns):
        return
    reasons = "; ".join(f"{c.name}: {c.why}" for c in found.columns)
    raise ContractError(
        "no column tells anything about a person",
        where=found.loaded.where,
        hint=f"Say what the columns are in a --config file. Found {reasons}.",
    )
