"""Deliveries to typed Parquet, bad rows to quarantine: the step ``stage_<source>``.

What is staged is a pure function of a delivery's bytes and its contract, so it is named after both
and made once: a night stages what is new and finds the rest done. Entities and load modes come
later (``entities``).
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

import duckdb

from cdp_pipeline.core.context import RunContext, StepResult, abridged
from cdp_pipeline.core.errors import ConfigError, ContractError
from cdp_pipeline.core.log import get_logger
from cdp_pipeline.ingest.control import check_control
from cdp_pipeline.ingest.deliveries import (
    STANDING_IN,
    Delivery,
    StagedFile,
    StagedPlaces,
    deliveries_as_planned,
    read_notes,
    rows_path,
    staged_places,
)
from cdp_pipeline.ingest.drift import look_of_values, null_shares, unknown_values
from cdp_pipeline.ingest.judging import Judgement, judge_rows
from cdp_pipeline.ingest.numbering import count_rules, number_rows
from cdp_pipeline.ingest.originals import Original, open_original
from cdp_pipeline.ingest.readers import open_reading
from cdp_pipeline.ingest.reading import MISSING_COLUMNS, NEW_COLUMNS, Reading
from cdp_pipeline.ingest.reasons import reasons_of
from cdp_pipeline.ingest.refusal import RefusedError
from cdp_pipeline.ingest.refused_people import refused_lines
from cdp_pipeline.ingest.rejections import HARMLESS, MEANINGS, collect_rejected
from cdp_pipeline.ingest.setting_aside import write_quarantine
from cdp_pipeline.ingest.shapes import find_shapes
from cdp_pipeline.ingest.splitting import Split, split_rows
from cdp_pipeline.ingest.standing_in import find_stand_ins
from cdp_pipeline.ingest.suppressing import keep_erased_out
from cdp_pipeline.project.contracts import SourceContract
from cdp_pipeline.project.loader import load_project
from cdp_pipeline.storage.files import fsync, sha256_of, write_json
from cdp_pipeline.storage.paths import DataPaths
from cdp_pipeline.storage.warehouse import connect, fetch_value

_MEND = "Mend the contract or have the file sent again."
_log = get_logger(__name__)


def run(context: RunContext, *, source: str) -> StepResult:
    """Stage every listed delivery of a source; the step ``stage_<source>``.

    Args:
        context: The run.
        source: Declared source.

    Returns:
        Records delivered, accepted and set aside, over all files that are loaded.

    Raises:
        ContractError: A required source's file of this night is refused.
        ConfigError: The source is not declared, or its checks are no SQL.
    """
    contract = _contract(context, source)
    planned = deliveries_as_planned(context, source)
    done = {d: read_notes(staged_places(context, d, contract)) for d in planned if d.is_loaded}
    pending = [d for d, n in done.items() if n is None or not (n.is_final or d.path is None)]
    if pending:
        with open_scratch(context, source) as (con, scratch):
            for delivery in pending:
                notes = stage_delivery(context, delivery, contract, con=con, scratch=scratch)
                _log.debug("delivery_staged", file_name=delivery.file_name, status=notes.status)
                done[delivery] = notes
    standing_in = find_stand_ins(planned, done, partial(_stage_anew, context, contract))
    done |= {d: read_notes(staged_places(context, d, contract)) for d in standing_in}
    messages = [f"{d.file_name}: counts in place of a file that is refused" for d in standing_in]
    staged = [(delivery, notes) for delivery, notes in done.items() if notes is not None]
    _write_summary(context, contract, staged, standing_in)
    _stop_if_required(contract, staged)
    _stop_on_drift(contract, staged)
    return _report(staged, messages)


def _stage_anew(
    context: RunContext, contract: SourceContract, delivery: Delivery
) -> StagedFile | None:
    """Return what staging makes of a delivery that the plan leaves out; None if it is gone."""
    notes = read_notes(staged_places(context, delivery, contract))
    if notes is not None:
        return notes
    with open_scratch(context, contract.name) as (con, scratch):
        try:
            return stage_delivery(context, delivery, contract, con=con, scratch=scratch)
        except ContractError:
            return None


def _contract(context: RunContext, source: str) -> SourceContract:
    sources = load_project(context.project_root).sources
    if source not in sources:
        raise ConfigError(
            f"there is no source {source!r}",
            where="expectations",
            hint=f"Known: {', '.join(sources)}.",
        )
    return sources[source]


@contextmanager
def open_scratch(
    context: RunContext, source: str
) -> Iterator[tuple[duckdb.DuckDBPyConnection, Path]]:
    """Open an in-memory connection and a private folder that is removed in the end."""
    paths = DataPaths.of(context)
    folder = paths.ensure(paths.work / "scratch" / source)
    con = connect(context.settings.engine, spill=folder)
    try:
        yield con, folder
    finally:
        con.close()
        shutil.rmtree(folder, ignore_errors=True)


def stage_delivery(
    context: RunContext,
    delivery: Delivery,
    contract: SourceContract,
    *,
    con: duckdb.DuckDBPyConnection,
    scratch: Path,
) -> StagedFile:
    """Read one delivery, write its rows and those set aside, and return the notes about it.

    Args:
        context: The run.
        delivery: A delivery of its plan.
        contract: Contract of the delivery's source.
        con: Connection of ``open_scratch``.
        scratch: Folder of ``open_scratch``.

    Raises:
        ContractError: The file is gone, from the archive too, or has changed since ``discover``.
    """
    places = staged_places(context, delivery, contract)
    share = context.settings.quarantine_stop_share
    for table in ("reject_errors", "reject_scans"):
        con.execute(f"drop table if exists {table}")
    with (
        open_original(context, delivery, contract, scratch) as original,
        ThreadPoolExecutor(1) as pool,  # hashed while it is read: both only wait for memory
    ):
        whole = _Whole(original, pool.submit(sha256_of, original.path))
        try:
            reading = open_reading(con, original.path, contract, scratch)
            staging = _Staging(con, delivery, contract, reading, places, scratch, share, whole)
            day = delivery.business_date
            notes = keep_erased_out(context, con, contract, places, staging.write(), on=day)
        except RefusedError as error:
            whole.require_unchanged(delivery)
            places.rows.unlink(missing_ok=True)
            day = delivery.business_date
            notes = StagedFile(
                "refused",
                records=error.records,
                reason=error.text,
                is_final=error.is_final,
                erased_lines=refused_lines(context, con, contract, original.path, on=day),
            )
    write_json(places.notes, notes.as_dict())
    return notes


@dataclass(frozen=True)
class _Whole:
    """A delivery's bytes and their hash, which is made while they are read."""

    original: Original
    digest: Future[str]

    def require_unchanged(self, delivery: Delivery) -> None:
        if self.digest.result() not in self.original.hashes:
            raise ContractError(
                "the file has changed since the night began",
                where=delivery.file_name,
                hint="Wait until it is written completely, then run the night again.",
            )


@dataclass(frozen=True)
class _Staging:
    """One delivery on its way from a reading to its files."""

    con: duckdb.DuckDBPyConnection
    delivery: Delivery
    contract: SourceContract
    reading: Reading
    places: StagedPlaces
    scratch: Path
    stop_share: float
    whole: _Whole

    def write(self) -> StagedFile:
        """Judge the rows, hold them against the count, write what is fine and what is not."""
        con, reading = self.con, self.reading
        judgement = judge_rows(
            con,
            reading,
            self.contract,
            file_id=self.delivery.file_id,
            business_date=self.delivery.business_date,
        )
        unproven = self.places.rows.with_name(f".{self.places.rows.name}.tmp")
        try:
            split = split_rows(
                con, reading, self.contract, judgement, target=unproven, scratch=self.scratch
            )
            self.whole.require_unchanged(self.delivery)
            notes = self._prove(split, judgement)
        except (RefusedError, ContractError):
            unproven.unlink(missing_ok=True)
            raise
        fsync(unproven)
        unproven.replace(self.places.rows)
        return notes

    def _prove(self, split: Split, judgement: Judgement) -> StagedFile:
        """Account for every record, write those set aside and return the notes."""
        con, reading = self.con, self.reading
        rejected = collect_rejected(
            con,
            reading,
            self.contract,
            rows=split.read,
            stop_share=self.stop_share,
            scratch=self.scratch,
        )
        records = rejected.records + split.rows - split.read
        said = check_control(
            con,
            self.contract,
            name=PurePosixPath(self.delivery.file_name).name,
            original=self.whole.original,
            margins=reading.margins,
            records=rejected.records,
        )
        number_rows(con, reading, rejected, split, scratch=self.scratch)
        counts = count_rules(con)
        meanings = {**{rule.name: rule.meaning for rule in judgement.rules}, **MEANINGS}
        self._refuse_bad_share(counts, records, meanings)
        accepted = int(
            fetch_value(con, "select count(*) from read_parquet(?)", [str(split.target)])
        )
        if accepted + sum(counts.values()) != records:
            raise RefusedError(
                f"{records} records stand in the file, but {accepted} were accepted and "
                f"{sum(counts.values())} set aside",
                records=records,
            )
        if counts:
            self._set_aside(judgement)
        found = (*reading.messages, *judgement.messages, *said)
        messages = (*found, *unknown_values(con, self.contract))
        if not records:
            messages = (*messages, "the file holds no records")
        return StagedFile(
            "loaded",
            records,
            accepted,
            counts,
            messages=messages,
            null_shares=null_shares(split.null_counts, rows=accepted),
            shapes=find_shapes(
                split.sample, self.contract, business_date=self.delivery.business_date
            ),
        )

    def _set_aside(self, judgement: Judgement) -> None:
        write_quarantine(
            self.con,
            self.delivery,
            reasons=reasons_of(judgement.rules, self.contract, alone=HARMLESS),
            width=self.reading.width,
            target=self.places.quarantine,
        )

    def _refuse_bad_share(
        self, counts: dict[str, int], records: int, meanings: Mapping[str, str]
    ) -> None:
        """Refuse a file with too many bad records; a single one never condemns a file."""
        counts = {rule: n for rule, n in counts.items() if rule not in HARMLESS}
        bad = sum(counts.values())
        if bad <= 1 or bad <= self.stop_share * records:
            return
        rule, count = max(counts.items(), key=lambda item: (item[1], item[0]))
        column = self.contract.columns.get(name := rule.removesuffix("_type"))
        look = look_of_values(self.con, name, kind=column.type) if column else ""
        hint = f"Most frequent: {rule} ({count}): {meanings[rule]}. "
        hint += f"Column {look}." if look else _MEND
        if rule == "not_utf8":
            hint = (
                "If all of it is Windows-1252, set `encoding: cp1252`; if only some lines are, set "
                "`fallback_encoding: cp1252`."
            )
        raise RefusedError(
            f"{bad} of {records} records break a rule, more than {self.stop_share:.0%}",
            hint=hint,
            records=records,
        )


def _write_summary(
    context: RunContext,
    contract: SourceContract,
    staged: list[tuple[Delivery, StagedFile]],
    standing_in: Iterable[Delivery],
) -> None:
    """Write what the run knows of the source's deliveries, for the gate and the reports."""
    entries: list[dict[str, Any]] = []
    for delivery, notes in staged:
        places = staged_places(context, delivery, contract)
        entries.append(
            {
                **delivery.as_dict(),
                "plan_status": delivery.status,
                **notes.as_dict(),
                "quarantined": notes.quarantined,
                "rows_path": rows_path(context, delivery, notes, places),
                "quarantine_path": str(places.quarantine) if notes.rules else None,
            }
        )
    document = {
        "source": contract.name,
        "deliveries": entries,
        STANDING_IN: [d.as_dict() for d in standing_in],
    }
    write_json(DataPaths.of(context).staged / f"{contract.name}.json", document)


def _stop_if_required(contract: SourceContract, staged: list[tuple[Delivery, StagedFile]]) -> None:
    refused = [(d, n) for d, n in staged if n.status == "refused" and d.status == "new"]
    if refused and contract.delivery.required:
        delivery, notes = refused[0]
        raise ContractError(
            f"{contract.title} is required, but its delivery is refused: {notes.reason}",
            where=delivery.file_name,
            hint="Mend the file or the contract and run the night again.",
        )


def _stop_on_drift(contract: SourceContract, staged: list[tuple[Delivery, StagedFile]]) -> None:
    stops = {
        NEW_COLUMNS: contract.drift.new_columns == "stop",
        MISSING_COLUMNS: contract.drift.missing_columns == "stop",
    }
    for delivery, notes in staged:
        for text in notes.messages if delivery.status == "new" else ():
            if any(is_stop and text.startswith(kind) for kind, is_stop in stops.items()):
                raise ContractError(
                    text,
                    where=delivery.file_name,
                    hint="Its contract says `drift: stop` for such a change; look at the file.",
                )


def _report(staged: list[tuple[Delivery, StagedFile]], messages: list[str]) -> StepResult:
    for delivery, notes in staged:
        if delivery.status != "new":
            continue
        said = [notes.reason] if notes.status == "refused" else list(notes.messages)
        prefix = "refused: " if notes.status == "refused" else ""
        messages += [f"{delivery.file_name}: {prefix}{text}" for text in said]
    loaded = [n for _, n in staged if n.status == "loaded"]
    rules: dict[str, int] = {}
    for notes in loaded:
        for rule, count in notes.rules.items():
            rules[rule] = rules.get(rule, 0) + count
    return StepResult(
        rows_in=sum(n.records for n in loaded),
        rows_out=sum(n.accepted for n in loaded),
        rows_set_aside=sum(n.quarantined for n in loaded),
        messages=abridged(messages, rest="the table ops.deliveries has all"),
        facts={
            "files": len(staged),
            "new_files": sum(d.status == "new" for d, _ in staged),
            "refused_files": sum(n.status == "refused" for _, n in staged),
            "rules": dict(sorted(rules.items())),
        },
    )
