"""Every version of every model: what it was fitted on, what it is, whether it serves.

The registry travels with the warehouse: each night reads that of the version it builds upon, adds
what it trained and writes the whole again, as a table and as files. A version serves only after its
gate; until another passes, the last that did goes on serving. Nothing here knows what a model
predicts: its parameters are a document.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import duckdb

from cdp_pipeline import __version__
from cdp_pipeline.storage.warehouse import base_columns, fetch_dicts

TABLE = "features.model_registry"
KEPT_VERSIONS = 60

_CREATE = """
create or replace table features.model_registry (
    prediction varchar,
    version varchar,
    model varchar,
    status varchar,
    trained_on date,
    data_from date,
    data_to date,
    customer_count bigint,
    gate varchar,
    reason varchar,
    is_serving boolean,
    program_version varchar,
    document varchar
)
"""
_COLUMNS = (
    "prediction",
    "version",
    "model",
    "status",
    "trained_on",
    "data_from",
    "data_to",
    "customer_count",
    "gate",
    "reason",
    "is_serving",
    "program_version",
    "document",
)


@dataclass(frozen=True)
class Version:
    """A trained model.

    Attributes:
        prediction: What it predicts, such as ``clv``.
        version: Its name: the day of training and a hash of the document.
        model: Kind of model, in words.
        status: State of its fit, such as ``ok``.
        trained_on: Business date of the training.
        data_from: First day of the data it saw.
        data_to: Last day of them.
        customer_count: Customers it saw.
        gate: ``passed`` or ``failed``.
        reason: Why, in words.
        is_serving: Whether tonight's scores come from it.
        program_version: Version of this package that trained it.
        document: Parameters and all else that scoring needs, as plain data.
    """

    prediction: str
    version: str
    model: str
    status: str
    trained_on: date
    data_from: date
    data_to: date
    customer_count: int
    gate: str
    reason: str
    is_serving: bool
    program_version: str
    document: Mapping[str, Any]


@dataclass(frozen=True)
class Check:
    """One condition of a gate: whether it holds, and what it says when it does not."""

    holds: bool
    complaint: str


def name_version(prediction: str, trained_on: date, document: Mapping[str, Any]) -> str:
    """Return the name of a version: the same document trained on the same day has the same."""
    digest = hashlib.sha256(_write(document).encode()).hexdigest()[:8]
    return f"{prediction}-{trained_on.isoformat()}-{digest}"


def train(
    prediction: str,
    *,
    model: str,
    status: str,
    window: tuple[date, date],
    customer_count: int,
    document: Mapping[str, Any],
) -> Version:
    """Return a new version, not yet through its gate."""
    return Version(
        prediction=prediction,
        version=name_version(prediction, window[1], document),
        model=model,
        status=status,
        trained_on=window[1],
        data_from=window[0],
        data_to=window[1],
        customer_count=customer_count,
        gate="failed",
        reason="not yet judged",
        is_serving=False,
        program_version=__version__,
        document=document,
    )


def read_registry(con: duckdb.DuckDBPyConnection) -> tuple[Version, ...]:
    """Return the versions known to the published night that this one builds upon, newest first."""
    if not set(_COLUMNS) <= base_columns(con, TABLE):
        return ()
    return _fetch(con, "base")


def read_tonight(con: duckdb.DuckDBPyConnection) -> tuple[Version, ...]:
    """Return the versions that the night has written so far, newest first."""
    return _fetch(con, "cdp")


def find_newest(versions: Sequence[Version], prediction: str) -> Version | None:
    """Return the version of a prediction that was trained last, whether it serves or not."""
    found = [version for version in versions if version.prediction == prediction]
    return max(found, key=lambda v: (v.trained_on, v.version), default=None)


def retire(versions: Sequence[Version], prediction: str) -> tuple[Version, ...]:
    """Return the registry in which nothing serves a prediction, as when its meaning changed."""
    return tuple(
        replace(version, is_serving=False) if version.prediction == prediction else version
        for version in versions
    )


def find_serving(versions: Sequence[Version], prediction: str) -> Version | None:
    """Return the version that serves a prediction."""
    return next((v for v in versions if v.prediction == prediction and v.is_serving), None)


def is_due(serving: Version | None, today: date, refit_days: int) -> bool:
    """Return whether a prediction is trained again: it never was, is old, or is from the future."""
    if serving is None:
        return True
    age = (today - serving.trained_on).days
    return age >= refit_days or age < 0


def admit(
    versions: Sequence[Version],
    candidate: Version,
    checks: Sequence[Check],
    *,
    must_pass: bool = False,
) -> tuple[Version, ...]:
    """Return the registry with a new version, serving if it passed every check.

    The first version of a prediction serves in any case, unless it ``must_pass``: there is nothing
    else that could.
    """
    complaints = [check.complaint for check in checks if not check.holds]
    serving = find_serving(versions, candidate.prediction)
    serves = not complaints or (serving is None and not must_pass)
    judged = replace(
        candidate,
        gate="failed" if complaints else "passed",
        reason="; ".join(complaints) if complaints else "every check of the gate holds",
        is_serving=serves,
    )
    others = [
        replace(v, is_serving=v.is_serving and not serves)
        if v.prediction == candidate.prediction
        else v
        for v in versions
        if v.version != candidate.version
    ]
    return (judged, *others)


def write_registry(con: duckdb.DuckDBPyConnection, versions: Sequence[Version]) -> None:
    """Create ``features.model_registry``: one row a version, newest first within a prediction."""
    con.execute(_CREATE)
    kept: list[Version] = []
    ordered = sorted(versions, key=lambda v: (v.prediction, -v.trained_on.toordinal(), v.version))
    for version in ordered:
        earlier = sum(other.prediction == version.prediction for other in kept)
        if version.is_serving or earlier < KEPT_VERSIONS:
            kept.append(version)
    rows = [
        tuple(
            _write(value) if name == "document" else value
            for name, value in ((name, getattr(version, name)) for name in _COLUMNS)
        )
        for version in kept
    ]
    if rows:
        marks = ", ".join("?" * len(_COLUMNS))
        con.executemany(f"insert into {TABLE} values ({marks})", rows)  # noqa: S608 - our own name


def write_files(folder: Path, versions: Sequence[Version]) -> None:
    """Write each serving version as ``<prediction>.json`` into a folder."""
    for version in versions:
        if version.is_serving:
            plain = {name: getattr(version, name) for name in _COLUMNS}
            text = json.dumps(plain, indent=2, sort_keys=True, default=str) + "\n"
            (folder / f"{version.prediction}.json").write_text(text, encoding="utf-8")


def _fetch(con: duckdb.DuckDBPyConnection, catalog: str) -> tuple[Version, ...]:
    listed = ", ".join(_COLUMNS)
    rows = fetch_dicts(
        con,
        f"select {listed} from {catalog}.{TABLE} "  # noqa: S608 - our own names
        "order by prediction, trained_on desc, version",
    )
    return tuple(Version(**row | {"document": json.loads(row["document"])}) for row in rows)


def _write(document: Mapping[str, Any]) -> str:
    return json.dumps(document, sort_keys=True, separators=(",", ":"), default=str)
