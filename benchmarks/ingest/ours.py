"""The landing of the night on one file: discover, stage by contract, find repeated keys.

The steps' own functions are called, with the contract ``expectations/pos_sales.yml`` as it ships.
What the night keeps of a file is Parquet of typed, valid rows and the list of those that repeat a
key; reading leaves them out. A copy without them, which no step needs, is made and timed apart.
"""

from __future__ import annotations

import os
from datetime import date
from pathlib import Path
from typing import Any

from benchmarks.ingest.till_file import NIGHT
from benchmarks.ingest.watch import EXTRA, Watch
from cdp_pipeline.core.context import RunContext
from cdp_pipeline.core.settings import load_settings
from cdp_pipeline.ingest import staging
from cdp_pipeline.ingest.deliveries import Delivery, StagedFile, staged_places
from cdp_pipeline.ingest.landing import find_files
from cdp_pipeline.ingest.loading import LoadFile, make_current
from cdp_pipeline.ingest.splitting import RowWriter
from cdp_pipeline.project.contracts import SourceContract
from cdp_pipeline.project.loader import load_project
from cdp_pipeline.storage.warehouse import connect

ROOT = Path(__file__).resolve().parents[2]
SOURCE = "pos_sales"


def land(source: Path, target: Path, watch: Watch, *, memory_limit: str) -> dict[str, Any]:
    """Land a till file as deduplicated Parquet and return what became of its records.

    Args:
        source: Delivered file.
        target: Parquet file to write.
        watch: Measures the phases.
        memory_limit: What DuckDB may use before it spills.
    """
    day = date.fromisoformat(NIGHT)
    data_dir = target.parent / "data"
    landed = data_dir / "landing" / SOURCE / NIGHT / f"pos_sales_{NIGHT}.csv"
    landed.parent.mkdir(parents=True)
    os.link(source, landed)
    engine = {"memory_limit": memory_limit}
    settings = load_settings(ROOT, data_dir=data_dir, engine=engine)
    context = RunContext(day, "bench", ROOT, settings)
    contract = load_project(ROOT).sources[SOURCE]
    with watch.phase("discover"):
        delivery = next(find_files(data_dir / "landing", contract, where="pos_sales.yml"))
    with watch.phase("stage"), staging.open_scratch(context, SOURCE) as (con, scratch):
        notes = staging.stage_delivery(context, delivery, contract, con=con, scratch=scratch)
    if notes.status != "loaded":
        message = f"the file was refused: {notes.reason}"
        raise RuntimeError(message)
    fates = _write_current(context, contract, delivery, target, watch)
    return {**_counts(notes), **fates}


def _counts(notes: StagedFile) -> dict[str, int]:
    return {
        "records": notes.records,
        "accepted": notes.accepted,
        "broken": sum(notes.rules.values()),
    }


def _write_current(
    context: RunContext, contract: SourceContract, delivery: Delivery, target: Path, watch: Watch
) -> dict[str, int]:
    """Find repeated keys among the staged rows and write what is left."""
    rows = staged_places(context, delivery, contract).rows
    spill = context.data_dir / "spill"
    with watch.phase("repeated keys"):
        con = connect(context.settings.engine, spill=spill)
        con.execute("attach ':memory:' as staging")
        current = make_current(con, contract, [LoadFile(delivery, rows)], where="pos_sales.yml")
    with watch.phase(EXTRA):
        columns = "* exclude (_seq, _first_date, _file_name)"
        reader = con.sql(f"select {columns} from {current.view}").to_arrow_reader(32_768)  # noqa: S608 - plain name
        with RowWriter(target, reader.schema) as writer:
            for batch in reader:
                writer.write(batch)
        con.close()
    return {
        "repeated": sum(current.duplicates.values()),
        "conflicting": sum(current.conflicts.values()),
        "excluded": sum(current.excluded.values()),
    }
