"""Nights made by hand, for the tests of published versions."""

from __future__ import annotations

import shutil
from datetime import date, timedelta

from cdp_pipeline.core.context import RunContext
from cdp_pipeline.storage import versions
from cdp_pipeline.storage.files import write_json
from cdp_pipeline.storage.paths import DataPaths
from cdp_pipeline.storage.warehouse import open_build, open_published

DAY = date(2026, 11, 20)


def build_night(context: RunContext, rows: int, *, sent: tuple[date, ...] = ()) -> DataPaths:
    """Make the work of a night: numbers, a contact log, an export, a file that never changes."""
    paths = DataPaths.of(context)
    shutil.rmtree(paths.work, ignore_errors=True)
    base = versions.find_base(paths, context.business_date)
    plan = {
        "fingerprint": f"{context.business_date} {rows}",
        "base_version": base.name if base else None,
        "base_path": str(base / "cdp.duckdb") if base else None,
    }
    write_json(paths.plan, plan)
    with open_build(context) as con:
        con.execute(f"create or replace table core.numbers as select range as n from range({rows})")
        con.execute(
            "create or replace table ops.contact_log "
            "(customer_id varchar, offer varchar, destination varchar, sent_on date)"
        )
        for day in sent:
            con.execute("insert into ops.contact_log values ('C1', 'boots', 'app', ?)", [day])
        con.execute("comment on table ops.contact_log is 'What was sent.'")
    for name, text in (("audience.csv", f"n\n{rows}\n"), ("same.csv", "n\n")):
        export = paths.tree / "exports" / "crm" / name
        export.parent.mkdir(parents=True, exist_ok=True)
        export.write_text(text)
    return paths


def publish_night(context: RunContext, rows: int, *, sent: tuple[date, ...] = ()) -> DataPaths:
    paths = build_night(context, rows, sent=sent)
    versions.run(context)
    return paths


def day(offset: int) -> date:
    return DAY + timedelta(days=offset)


def count_rows(paths: DataPaths, table: str = "core.numbers") -> int:
    with open_published(paths.data_dir) as con:
        return int(con.execute(f"select count(*) from {table}").fetchall()[0][0])


def current_name(paths: DataPaths) -> str:
    return paths.current.resolve().name
