"""What a delivery is, where its staged rows lie, and what staging noted about it.

Plain data and names of files; reading deliveries and deciding about them happens elsewhere.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any, Final, Literal

from cdp_pipeline.core.context import RunContext
from cdp_pipeline.core.errors import ConfigError, ContractError
from cdp_pipeline.project.contracts import SourceContract
from cdp_pipeline.storage.at_rest import unseal_into
from cdp_pipeline.storage.files import read_json
from cdp_pipeline.storage.paths import DataPaths

FILE_ID_CHARACTERS = 16
PRIVATE_FILE_MODE = 0o640
"""Mode of files that hold personal data: readable by owner and group."""

STAGING_FORMAT: Final = "0.1.3"
"""Name of what staging makes of the same bytes under the same contract; any new text will do.

It is changed by hand, with the coming version of the package, when staging reads files otherwise
than before: every delivery is then read again, and a night stops over one that is neither in
landing nor in the archive. An update of the package alone reads nothing again.
"""

STANDING_IN: Final = "standing_in"
"""Key of what staging notes about a source: files that are loaded in place of refused ones."""

_DIGEST_CHARACTERS = 8
_NOT_READ = ("feeds", "exclude", "join", "retention", "title", "description", "owner")
"""Parts of a contract that do not change what is read from a file."""

_NOT_READ_OF_DELIVERY = {"location", "access", "complete", "expected_on", "required"}
_NOT_READ_OF_DELIVERY |= {"minimum_rows", "maximum_rows"}
_NOT_READ_OF_DRIFT = {"volume", "volume_factor", "nulls", "null_rise", "shapes"}
"""Held against earlier deliveries after staging: an unusual night is accepted at no cost."""

PlanStatus = Literal["new", "known", "duplicate_file", "superseded", "refused", "expired"]


@dataclass(frozen=True)
class Delivery:
    """One delivered file, as the plan of a night lists it.

    Attributes:
        file_id: First 16 hex digits of the content's SHA-256.
        source: Declared source.
        path: Absolute path; None if the file has left the landing folder since it was loaded.
        file_name: Path below the landing folder.
        sha256: Hash of the content.
        bytes: Size of the file.
        business_date: Business day the delivery belongs to.
        status: ``new`` and ``known`` are loaded; the others are listed only.
        reason: Why it is not loaded; empty if it is.
        was_in_landing: Whether an earlier night found the file; what is known and has no path now
            has left since.
        redacted_sha256: Hash of its bytes now, if erased people were taken out of it.
        was_refused: Whether an earlier night read it and refused it.
        first_seen: Business date of the night that found it first, as ISO 8601; empty if tonight.
    """

    file_id: str
    source: str
    path: str | None
    file_name: str
    sha256: str
    bytes: int
    business_date: date
    status: PlanStatus
    reason: str = ""
    was_in_landing: bool = False
    redacted_sha256: str = ""
    was_refused: bool = False
    first_seen: str = ""

    @property
    def is_loaded(self) -> bool:
        """Whether its rows count."""
        return self.status in {"new", "known"}

    @property
    def order(self) -> tuple[date, str, str]:
        """Sort key: business date, then name."""
        return (self.business_date, self.file_name, self.file_id)

    def as_dict(self) -> dict[str, Any]:
        """Return plain data for the plan."""
        return {**asdict(self), "business_date": self.business_date.isoformat()}


@dataclass(frozen=True)
class StagedFile:
    """What staging made of one delivery; a pure function of its bytes and its contract.

    Attributes:
        status: ``loaded``, or ``refused`` with a reason and no rows.
        records: Physical records in the file, counted independently of the reader.
        accepted: Rows in the staged Parquet file.
        rules: Rows set aside by the first rule they break.
        reason: Why the file was refused.
        messages: Warnings for people; no personal data.
        null_shares: Share of missing values by column; empty for small files.
        shapes: Figures on the values of each column (``shapes``); of columns with few none.
        is_final: Whether staging again would give the same; not if a manifest was wrong or late.
        suppressed: Rows about erased people, taken out.
        erased_lines: Lines of the delivery that name an erased person.
    """

    status: Literal["loaded", "refused"]
    records: int = 0
    accepted: int = 0
    rules: dict[str, int] = field(default_factory=dict)
    reason: str = ""
    messages: tuple[str, ...] = ()
    null_shares: dict[str, float] = field(default_factory=dict)
    shapes: dict[str, dict[str, float]] = field(default_factory=dict)
    is_final: bool = True
    suppressed: int = 0
    erased_lines: tuple[int, ...] = ()

    @property
    def quarantined(self) -> int:
        """Records set aside; all of them if the file was refused."""
        return self.records - self.accepted - self.suppressed

    def as_dict(self) -> dict[str, Any]:
        """Return plain data for the side file."""
        return asdict(self)

    @classmethod
    def from_dict(cls, document: dict[str, Any]) -> StagedFile:
        """Return what ``as_dict`` wrote."""
        lists = {name: tuple(document.get(name, ())) for name in ("messages", "erased_lines")}
        return cls(**{**document, **lists})


@dataclass(frozen=True)
class StagedPlaces:
    """Files that staging writes for one delivery."""

    rows: Path
    quarantine: Path
    notes: Path


def planned_deliveries(context: RunContext, source: str | None = None) -> list[Delivery]:
    """Return the deliveries of the run's plan, in loading order.

    Of a source that has been staged, those that stand in for refused files are among the loaded.

    Args:
        context: The run.
        source: Only this source; default: all.

    Raises:
        ConfigError: There is no plan yet.
    """
    found = deliveries_as_planned(context, source)
    staged = DataPaths.of(context).staged
    standing_in = {
        (name, str(entry["file_name"]), str(entry["sha256"])): entry["status"]
        for name in {d.source for d in found}
        for entry in read_json(staged / f"{name}.json").get(STANDING_IN, ())
    }
    return [
        replace(d, status=standing_in[key], reason="")
        if (key := (d.source, d.file_name, d.sha256)) in standing_in and not d.is_loaded
        else d
        for d in found
    ]


def deliveries_as_planned(context: RunContext, source: str | None = None) -> list[Delivery]:
    """Return the deliveries of the run's plan, whatever staging found out about them.

    Args:
        context: The run.
        source: Only this source; default: all.

    Raises:
        ConfigError: There is no plan yet.
    """
    plan = read_json(DataPaths.of(context).plan)
    if "deliveries" not in plan:
        raise ConfigError(
            "this run has no plan yet",
            where=str(DataPaths.of(context).plan),
            hint="Run the step discover first: `cdp run`.",
        )
    found = [
        Delivery(**{**entry, "business_date": date.fromisoformat(entry["business_date"])})
        for entry in plan["deliveries"]
    ]
    return sorted((d for d in found if source in (None, d.source)), key=lambda d: d.order)


def contract_digest(contract: SourceContract, *, business_date: date, stop_share: float) -> str:
    """Return 8 hex digits that change whenever staging would read a file differently.

    What a source feeds, who owns it, where it comes from, when and how much of it is expected, how
    it adds up and how long it is kept do not matter here.
    """
    read = contract.model_dump(
        mode="json",
        exclude={
            **dict.fromkeys(_NOT_READ, True),
            "delivery": _NOT_READ_OF_DELIVERY,
            "drift": _NOT_READ_OF_DRIFT,
        },
        exclude_defaults=True,  # so that a new key of the language does not stage all files anew
    )
    if not read.get("drift"):
        read.pop("drift", None)  # nothing of it is left, as if it were not declared
    text = json.dumps([read, STAGING_FORMAT, business_date.isoformat(), stop_share], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:_DIGEST_CHARACTERS]


def staged_places(
    context: RunContext, delivery: Delivery, contract: SourceContract
) -> StagedPlaces:
    """Return where the staged rows, the rows set aside and the notes of a delivery lie."""
    paths = DataPaths.of(context)
    digest = contract_digest(
        contract,
        business_date=delivery.business_date,
        stop_share=context.settings.quarantine_stop_share,
    )
    stem = f"{delivery.file_id}-{digest}"
    staging = paths.staging / delivery.source
    return StagedPlaces(
        rows=staging / f"{stem}.parquet",
        quarantine=paths.quarantine / delivery.source / f"{stem}.parquet",
        notes=staging / f"{stem}.json",
    )


def plain_rows(context: RunContext, rows: Path) -> Path:
    """Return a staged file in clear: itself, or a copy in the work of the run.

    Raises:
        SealedFileError: It was changed, or its key is missing.
    """
    return unseal_into(rows, context.settings.keys, DataPaths.of(context).work)


def rows_path(
    context: RunContext, delivery: Delivery, notes: StagedFile, places: StagedPlaces
) -> str | None:
    """Return where the rows lie, those of new deliveries in clear: others are not looked at."""
    if notes.status != "loaded":
        return None
    return str(plain_rows(context, places.rows) if delivery.status == "new" else places.rows)


def read_notes(places: StagedPlaces) -> StagedFile | None:
    """Return what staging noted, or None if it has not run or its rows are gone."""
    document = read_json(places.notes)
    if not document:
        return None
    notes = StagedFile.from_dict(document)
    is_complete = notes.status == "refused" or places.rows.is_file()
    return notes if is_complete else None


def require_notes(
    context: RunContext, delivery: Delivery, contract: SourceContract
) -> tuple[StagedFile, StagedPlaces]:
    """Return what staging noted about a delivery.

    Raises:
        ContractError: The delivery has not been staged.
    """
    places = staged_places(context, delivery, contract)
    notes = read_notes(places)
    if notes is None:
        raise ContractError(
            "this delivery has not been staged",
            where=delivery.file_name,
            hint=f"Run the step stage_{delivery.source} first.",
        )
    return notes, places
