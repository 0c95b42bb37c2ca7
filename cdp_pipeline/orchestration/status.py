"""What is published and how the last run ended, in a few lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from cdp_pipeline.core.settings import Settings
from cdp_pipeline.storage.disk import show_bytes
from cdp_pipeline.storage.encryption import look_at_vaults
from cdp_pipeline.storage.files import read_json
from cdp_pipeline.storage.history import list_kept, measure_kept
from cdp_pipeline.storage.idle import measure_idle
from cdp_pipeline.storage.paths import DataPaths
from cdp_pipeline.storage.versions import current_version, published_versions
from cdp_pipeline.storage.warehouse import (
    DATABASE_FILE,
    fetch_dicts,
    has_table,
    open_published,
)

_MOST_SHOWN = 10


@dataclass(frozen=True)
class Status:
    """State of a data folder.

    Attributes:
        version: Current version's name; None before the first publication.
        business_date: Night that it holds, ISO 8601.
        versions: Published versions kept.
        version_bytes: What they take on disk, hard-linked files counted once.
        kept: Each of them, newest first: name, night, state, bytes, and a rollback's particulars.
        rows: Rows by table.
        deliveries: Records delivered, loaded, set aside, duplicate and excluded, over all files.
        files: Files by what became of them, as in ``ops.deliveries``.
        refused: Files that are refused and why, the latest days first.
        arrivals: What the last run said of the files it found: late, missing, sent again, gone.
        last_run: Id, status and error of the run that ended last.
        data_docs: Pages of Great Expectations about the last run's deliveries and tables.
        idle_share: Share of the published file that holds nothing; a night that finds too much of
            it writes its tables into a new file.
        built: Of each table that a night's changes can reach: rows made anew, or why it was built
            in one scan; of the last run.
        retention: What the version proves of tables and sources with a period, in words.
        vaults: How personal data of the kept versions lie: encrypted under which key, or clear.
    """

    version: str | None
    business_date: str | None
    versions: int
    version_bytes: int
    kept: tuple[dict[str, Any], ...]
    rows: dict[str, int]
    deliveries: dict[str, int]
    last_run: dict[str, Any]
    data_docs: tuple[str, ...] = ()
    idle_share: float = 0.0
    built: dict[str, str] = field(default_factory=dict)
    vaults: str = ""
    retention: str = ""
    files: dict[str, int] = field(default_factory=dict)
    refused: tuple[str, ...] = ()
    arrivals: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return asdict(self)

    def lines(self) -> list[str]:
        """Return the state in words."""
        found: list[str] = []
        if self.version is None:
            found.append("nothing has been published yet; run `cdp run` or `cdp demo`")
        else:
            found.append(f"published  {self.version}, {self.idle_share:.0%} of its file idle")
            found.append(f"  personal data: {self.vaults}")
            shown = ("core.dim_customer", "core.fct_sales", "core.fct_journey")
            found += [f"  {table:<24}{self.rows.get(table, 0):>12,} rows" for table in shown]
            found += self._delivery_lines()
        if self.retention:
            found.append(f"retention  {self.retention}")
        found += self._kept_lines()
        if self.last_run:
            found.append(f"last run   {self.last_run['run_id']}: {self.last_run['status']}")
            error = self.last_run.get("error")
            if error:
                where = f" ({error['where']})" if error.get("where") else ""
                found += [f"  {error['message']}{where}", f"  help: {error['hint']}"]
        found += [f"arrivals   {text}" for text in _first(self.arrivals)]
        found += [f"built      {table}: {how}" for table, how in sorted(self.built.items())]
        found += [f"data docs  {page}" for page in self.data_docs]
        return found

    def _delivery_lines(self) -> list[str]:
        d = self.deliveries
        if not d:
            return []
        files = ", ".join(f"{count:,} {status}" for status, count in self.files.items())
        records = (
            f"{d['records']:,} records = {d['loaded']:,} loaded + "
            f"{d['quarantined']:,} quarantined + {d['duplicates']:,} duplicates + "
            f"{d['excluded']:,} excluded by rule or superseded + {d['suppressed']:,} suppressed"
        )
        return [
            f"deliveries {records}",
            f"  {d['files']:,} files: {files or 'none'}",
            *(f"  refused: {text}" for text in _first(self.refused)),
        ]

    def _kept_lines(self) -> list[str]:
        if not self.kept:
            return []
        found = [f"versions   {self.versions} kept, {show_bytes(self.version_bytes)} on disk"]
        for kept in self.kept:
            found.append(
                f"  {kept['version']:<24}{kept['state']:<12}{show_bytes(kept['total_bytes']):>9}, "
                f"{show_bytes(kept['own_bytes'])} of its own"
            )
            if kept["rollback"]:
                found.append(
                    "    rolled back from {from} to {to} by {who}, {at}: {why}".format_map(
                        kept["rollback"]
                    )
                )
        return found


def read_status(settings: Settings) -> Status:
    """Return the state of the data folder that the settings name."""
    paths = DataPaths.of_settings(settings)
    version = current_version(paths)
    return Status(
        version=version.name if version else None,
        business_date=version.business_date.isoformat() if version else None,
        versions=len(published_versions(paths)),
        version_bytes=measure_kept(paths),
        kept=tuple(
            {
                "version": kept.version.name,
                "business_date": kept.version.business_date.isoformat(),
                "state": kept.state,
                "total_bytes": kept.total_bytes,
                "own_bytes": kept.own_bytes,
                "rollback": kept.rollback,
            }
            for kept in list_kept(paths)
        ),
        rows=version.manifest.get("rows", {}) if version else {},
        deliveries=_count_deliveries(settings) if version else {},
        last_run=_last_run(paths.data_dir / "runs"),
        data_docs=tuple(map(str, _data_docs(paths))),
        idle_share=measure_idle(version.path / DATABASE_FILE) if version else 0.0,
        built=_built(paths),
        retention=_retention(settings) if version else "",
        files=_count_files(settings) if version else {},
        refused=_refused(settings) if version else (),
        arrivals=_arrivals(paths),
        vaults=look_at_vaults(v.path for v in published_versions(paths)).words(),
    )


def _first(texts: Sequence[str]) -> list[str]:
    more = len(texts) - _MOST_SHOWN
    return [*texts[:_MOST_SHOWN], *([f"and {more:,} more"] if more > 0 else [])]


def _data_docs(paths: DataPaths) -> list[Path]:
    """Return the first pages of the last run: below its work if it failed, else as published."""
    last = _last_run(paths.data_dir / "runs")
    is_unfinished = last.get("status") in {"failed", "partial"}
    tree = replace(paths, run_id=last["run_id"]).tree if is_unfinished else paths.current
    return sorted(tree.glob("quality/data_docs*/index.html"))


def _last_steps(paths: DataPaths) -> dict[str, Any]:
    """Return how the steps of the last run ended, by name."""
    last = _last_run(paths.data_dir / "runs")
    whole = read_json(paths.data_dir / "runs" / last["run_id"] / "manifest.json") if last else {}
    steps: dict[str, Any] = whole.get("steps", {})
    return steps


def _arrivals(paths: DataPaths) -> tuple[str, ...]:
    """Return what the last run said of the files it found."""
    found = (_last_steps(paths).get("discover", {}).get("result") or {}).get("messages", ())
    return tuple(found)


def _built(paths: DataPaths) -> dict[str, str]:
    """Return how the incremental tables of the last run were made."""
    found: dict[str, str] = {}
    for step in _last_steps(paths).values():
        found |= ((step.get("result") or {}).get("facts") or {}).get("incremental", {})
    return found


def _count_deliveries(settings: Settings) -> dict[str, int]:
    with open_published(settings.data_dir) as con:
        rows = fetch_dicts(
            con,
            "select count(*) as files, coalesce(sum(records), 0) as records, "
            "coalesce(sum(loaded), 0) as loaded, coalesce(sum(quarantined), 0) as quarantined, "
            "coalesce(sum(duplicates), 0) as duplicates, coalesce(sum(excluded), 0) as excluded, "
            "coalesce(sum(suppressed), 0) as suppressed from ops.deliveries",
        )
    return {name: int(value) for name, value in rows[0].items()}


def _count_files(settings: Settings) -> dict[str, int]:
    with open_published(settings.data_dir) as con:
        rows = fetch_dicts(
            con, "select status, count(*) as files from ops.deliveries group by all order by all"
        )
    return {row["status"]: row["files"] for row in rows}


def _refused(settings: Settings) -> tuple[str, ...]:
    with open_published(settings.data_dir) as con:
        rows = fetch_dicts(
            con,
            "select file_name, reason from ops.deliveries where status = 'refused' "
            "order by business_date desc, source, file_name, file_id",
        )
    return tuple(f"{row['file_name']}: {row['reason']}" for row in rows)


def _retention(settings: Settings) -> str:
    """Return what ``ops.retention`` proves; nothing in versions that lack it."""
    with open_published(settings.data_dir) as con:
        if not has_table(con, "ops.retention"):
            return ""
        rows = fetch_dicts(
            con,
            "select count_if(kind = 'table') as tables, count_if(kind = 'source') as sources, "
            "coalesce(sum(rows_removed), 0) as removed, "
            "coalesce(sum(files_removed), 0) as files, "
            "count_if(oldest_on < kept_from) as late from ops.retention",
        )
    proof = rows[0]
    return (
        f"{proof['tables']} tables and {proof['sources']} sources with a period; "
        f"{proof['removed']:,} rows and {proof['files']:,} deliveries went that night, "
        f"{proof['late'] or 'nothing'} is left past its time"
    )


def _last_run(runs: Path) -> dict[str, Any]:
    manifests = sorted(
        runs.glob("*/manifest.json"), key=lambda p: (p.stat().st_mtime_ns, p.parent.name)
    )
    if not manifests:
        return {}
    manifest = read_json(manifests[-1])
    return {key: manifest.get(key) for key in ("run_id", "status", "version", "error")}
