"""Taking a person out of what people wrote down: judgements, decisions, held proposals.

A judged line that is about the person alone keeps its number and nothing else, so that no number
is given out twice. Other people's lines stay; words in them that name the person go.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from cdp_pipeline.identity.erasure.subjects import Subject
from cdp_pipeline.identity.release import decided
from cdp_pipeline.identity.stewardship import judgements
from cdp_pipeline.storage.files import fsync, read_json, write_json
from cdp_pipeline.storage.journal import Document, Journal, rewrite_lines
from cdp_pipeline.storage.paths import DataPaths
from cdp_pipeline.storage.warehouse import describe, fetch_value, quote_literal


def erase_lines(paths: DataPaths, subject: Subject) -> dict[str, int]:
    """Rewrite the journals and held proposals without a person; again without harm.

    Each file is replaced as a whole: a reader sees it as it was or as it will be.

    Returns:
        Lines or rows changed by file below the data folder; files without any are left out.
    """
    changed = {}
    for name, erase in (
        (judgements.FILE_NAME, _erase_judgements),
        (decided.JOURNAL, _erase_decisions),
    ):
        path = paths.stewardship / name
        if path.exists():
            changed[path] = rewrite_lines(path, partial(erase, subject=subject))
    for run in decided.held_runs(paths):
        changed |= _erase_proposal(paths.proposals / run, subject)
    return {str(path.relative_to(paths.data_dir)): rows for path, rows in changed.items() if rows}


def _erase_judgements(held: Journal, subject: Subject) -> Iterator[Document]:
    documents = [_without(document, subject) for _, document in held.lines]
    erased = {document["id"] for document in documents if document.get("verdict") == "erased"}
    for document in documents:
        is_about = document.get("withdraws") in erased
        if is_about or subject.is_mentioned(str(document.get("reason", ""))):
            document["reason"] = ""
        yield document


def _without(document: Document, subject: Subject) -> Document:
    """Return a line without the person's records; only its number, if nothing else is left."""
    names, kept = subject.record_names, dict(document)
    if kept.get("customer") in subject.customers or kept.get("a") in names:
        return _erased(kept)
    for part in ("b", "records"):
        listed = kept.get(part)
        if isinstance(listed, list):
            kept[part] = [name for name in listed if name not in names]
            if not kept[part]:
                return _erased(kept)
        elif listed in names:
            return _erased(kept)
    return kept


def _erased(document: Document) -> Document:
    return {"verdict": "erased", **{name: document[name] for name in ("id", "at", "who")}}


def _erase_decisions(held: Journal, subject: Subject) -> Iterator[Document]:
    for _, document in held.lines:
        if subject.is_mentioned(str(document.get("reason", ""))):
            yield document | {"reason": ""}
        else:
            yield document


def _erase_proposal(folder: Path, subject: Subject) -> dict[Path, int]:
    changed = {}
    with duckdb.connect() as con:
        con.register("erased_ids", pa.table({"id": pa.array(list(subject.customers), pa.string())}))
        con.register(
            "erased_records",
            pa.table(
                {
                    "source": pa.array([source for source, _ in subject.records], pa.string()),
                    "record_key": pa.array([key for _, key in subject.records], pa.string()),
                }
            ),
        )
        for name in (decided.MAP_FILE, decided.CHANGES_FILE):
            if (folder / name).is_file():
                changed[folder / name] = _erase_parquet(con, folder / name)
    summary: dict[str, Any] = read_json(folder / decided.SUMMARY_FILE)
    largest = summary.get("largest_changes", [])
    kept = [row for row in largest if row["customer_id"] not in subject.customers]
    if len(kept) < len(largest):
        write_json(folder / decided.SUMMARY_FILE, summary | {"largest_changes": kept})
        changed[folder / decided.SUMMARY_FILE] = len(largest) - len(kept)
    return changed


def _erase_parquet(con: duckdb.DuckDBPyConnection, path: Path) -> int:
    """Rewrite a file of the proposal; whoever would have joined the person stays as they are."""
    con.execute(
        f"create or replace temp table held as from read_parquet({quote_literal(str(path))})"
    )
    theirs = [
        f"{column} in (select id from erased_ids)"  # noqa: S608 - own names
        for column in ("customer_id", "previous_customer_id")
        if column in describe(con, "held")
    ]
    theirs.append("(source, record_key) in (select source, record_key from erased_records)")
    deleted = int(fetch_value(con, f"delete from held where {' or '.join(theirs)}"))  # noqa: S608 - own names
    if deleted:
        fresh = path.with_name(f".{path.name}.new")
        con.execute(
            f"copy (from held) to {quote_literal(str(fresh))} (format parquet, compression zstd)"
        )
        fresh.chmod(0o640)
        fsync(fresh)
        fresh.replace(path)
        fsync(path.parent)
    return deleted
