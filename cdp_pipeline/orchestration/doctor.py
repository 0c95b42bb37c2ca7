"""Examine the machine, the settings, the data folder, the declarations and Airflow.

Each finding says what was looked at and, if it is wrong, the fix.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import duckdb

from cdp_pipeline.core.errors import CdpError
from cdp_pipeline.core.keys import load_keyring
from cdp_pipeline.core.settings import PUBLIC_ID_SECRETS, Settings, load_settings
from cdp_pipeline.orchestration.failures import explain_machine
from cdp_pipeline.project.loader import load_project
from cdp_pipeline.storage.encryption import (
    CLEAR_FOLDERS,
    count_clear,
    is_on_encrypted_disk,
    look_at_deliveries,
    look_at_exports,
    look_at_vaults,
)
from cdp_pipeline.storage.lock import hold_lock
from cdp_pipeline.storage.paths import DataPaths
from cdp_pipeline.storage.versions import current_version, published_versions, verify

_PYTHON = (3, 11)
_FREE_BYTES = 2 * 1024**3
_MAIL_SECONDS = 3.0
_POOL = "cdp_warehouse"


@dataclass(frozen=True)
class Finding:
    """One thing looked at.

    Attributes:
        subject: What was looked at.
        is_ok: Whether a night can run with it.
        text: What was seen.
        hint: The fix, if it is not; with ``is_ok``, what should be better.
    """

    subject: str
    is_ok: bool
    text: str
    hint: str = ""

    def as_dict(self) -> dict[str, str | bool]:
        """Return plain data."""
        return asdict(self)


def examine(root: Path, data_dir: Path | None = None) -> list[Finding]:
    """Look at everything a night needs and return what was found, in order."""
    findings = [_python(), _engine()]
    try:
        settings = load_settings(root, data_dir=data_dir)
    except CdpError as error:
        return [*findings, _failed("settings", error)]
    findings.append(Finding("settings", is_ok=True, text=f"{settings.store_name}, {root}"))
    for look in (
        _declarations,
        _data_folder,
        _landing,
        _space,
        _lock,
        _published,
        _keys,
        _encryption,
        _mail,
    ):
        findings += list(_guarded(look, root, settings))
    return [*findings, _airflow()]


def _guarded(
    look: Callable[[Path, Settings], Iterator[Finding]], root: Path, settings: Settings
) -> Iterator[Finding]:
    try:
        yield from look(root, settings)
    except (CdpError, OSError) as error:
        explained = error if isinstance(error, CdpError) else explain_machine(error)
        if explained is None:
            raise
        yield _failed(look.__name__.strip("_").replace("_", " "), explained)


def _failed(subject: str, error: CdpError) -> Finding:
    text = f"{error.where}: {error.message}" if error.where else error.message
    return Finding(subject, is_ok=False, text=text, hint=error.hint or "")


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    is_ok = sys.version_info[:2] >= _PYTHON
    return Finding("python", is_ok, version, "" if is_ok else "Install Python 3.11 or newer.")


def _engine() -> Finding:
    is_ok = duckdb.__version__.startswith("2.")
    hint = "" if is_ok else "Install the locked requirements: make install."
    return Finding("duckdb", is_ok, duckdb.__version__, hint)


def _declarations(root: Path, _settings: Settings) -> Iterator[Finding]:
    project = load_project(root)
    text = (
        f"{len(project.sources)} sources, {len(project.tables)} tables, "
        f"{len(project.segments)} segments, {len(project.reports)} reports"
    )
    is_ok = bool(project.sources)
    hint = "" if is_ok else "Describe a delivery in expectations/<source>.yml; see its README."
    yield Finding("declarations", is_ok, text, hint)


def _data_folder(_root: Path, settings: Settings) -> Iterator[Finding]:
    folder = settings.data_dir
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    is_ok = os.access(existing, os.W_OK | os.X_OK)
    hint = "" if is_ok else f"Make {existing} writable, or set CDP_DATA_DIR."
    if is_ok and folder.is_dir() and folder.stat().st_mode & 0o007:
        hint = f"Everybody on this machine may look into it: chmod o-rwx {folder}"
    yield Finding("data folder", is_ok, str(folder), hint)


def _landing(_root: Path, settings: Settings) -> Iterator[Finding]:
    folder = DataPaths.of_settings(settings).landing
    is_ok = folder.is_dir()
    hint = "" if is_ok else "Create it, or set CDP_LANDING_DIR to where deliveries arrive."
    yield Finding("landing", is_ok, str(folder), hint)


def _space(_root: Path, settings: Settings) -> Iterator[Finding]:
    folder = settings.data_dir
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(existing).free
    is_ok = free >= _FREE_BYTES
    hint = "" if is_ok else "Free at least 2 GB: a night writes a whole new version."
    yield Finding("disk space", is_ok, f"{free / 1024**3:.1f} GB free", hint)


def _lock(_root: Path, settings: Settings) -> Iterator[Finding]:
    paths = DataPaths.of_settings(settings)
    if not paths.data_dir.is_dir():
        return
    with hold_lock(paths.lock, "doctor"):
        yield Finding("lock", is_ok=True, text="free")


def _published(_root: Path, settings: Settings) -> Iterator[Finding]:
    version = current_version(DataPaths.of_settings(settings))
    if version is None:
        yield Finding("published version", is_ok=True, text="none yet")
        return
    wrong = verify(version)
    text = version.name if not wrong else f"{version.name}: {wrong[0]}"
    hint = (
        "" if not wrong else "Publish again: cdp run --force --date " + str(version.business_date)
    )
    yield Finding("published version", not wrong, text, hint)


def _keys(_root: Path, settings: Settings) -> Iterator[Finding]:
    ring = load_keyring(settings.keys)
    if ring.is_public:
        yield Finding(
            "keys",
            is_ok=True,
            text="none set: the audit log and all tokens rest on an example key that everybody has",
            hint="Before real customers: cdp keys new FILE, then set CDP_KEYS__FILE.",
        )
    else:
        yield Finding("keys", is_ok=True, text=f"{ring.current.id}, from {ring.origin}")
    in_use = [secret.get_secret_value() for secret in settings.identity.id_secrets]
    if in_use[0] in PUBLIC_ID_SECRETS:
        yield Finding(
            "secrets of ids",
            is_ok=True,
            text="the published default: hashes of ids that nobody has can be tried out",
            hint="Set CDP_IDENTITY__ID_SECRETS to a list of a secret of your own and, last, the "
            "default.",
        )


def _encryption(_root: Path, settings: Settings) -> Iterator[Finding]:
    paths = DataPaths.of_settings(settings)
    versions = [version.path for version in published_versions(paths)]
    vaults, exports = look_at_vaults(versions), look_at_exports(versions)
    has_key = not load_keyring(settings.keys).is_public
    hint = ""
    if vaults.clear or exports.clear:
        hint = "`cdp keys rotate` encrypts them." if has_key else "Set a key, then encrypt them: "
        hint += "" if has_key else "cdp keys new FILE, CDP_KEYS__FILE, cdp keys rotate."
    yield Finding("vaults of personal data", is_ok=True, text=vaults.words(), hint=hint)
    yield Finding("exports of versions", is_ok=True, text=exports.words(), hint=hint)
    delivered = look_at_deliveries(paths)
    if delivered.clear:
        hint = (
            "The next night or `cdp keys rotate` encrypts what contracts name." if has_key else hint
        )
    yield Finding("deliveries at rest", is_ok=True, text=delivered.words(), hint=hint)
    folder = settings.data_dir
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    found = is_on_encrypted_disk(existing)
    if found:
        yield Finding("encryption at rest", is_ok=True, text="the disk below the data folder")
        return
    seen = "the disk does not encrypt" if found is False else "no encrypted disk can be seen"
    is_whole = vaults.encrypted and not (vaults.clear or exports.clear or delivered.clear)
    counted = [f"{name} ({count} files)" for name, count in count_clear(paths).items()]
    clear = ", ".join(counted if is_whole else CLEAR_FOLDERS)
    yield Finding(
        "encryption at rest",
        is_ok=True,
        text=f"{seen}: people's data lies in clear in {clear or 'no folder now'}",
        hint="Put the data folder on LUKS or fscrypt; files are for their user and group alone.",
    )


def _mail(_root: Path, settings: Settings) -> Iterator[Finding]:
    mail = settings.mail
    if mail.host is None:
        yield Finding("mail", is_ok=True, text="not configured: reports stay .eml files")
        return
    try:
        with socket.create_connection((mail.host, mail.port), timeout=_MAIL_SECONDS):
            yield Finding("mail", is_ok=True, text=f"{mail.host}:{mail.port} answers")
    except OSError as error:
        yield Finding(
            "mail",
            is_ok=False,
            text=f"{mail.host}:{mail.port}: {error}",
            hint="Mend CDP_MAIL__HOST and CDP_MAIL__PORT, or open the network path.",
        )


def _airflow() -> Finding:
    command = shutil.which("airflow", path=str(Path(sys.executable).parent)) or shutil.which(
        "airflow"
    )
    if command is None:
        return Finding("airflow", is_ok=True, text="not installed: `cdp run` does not need it")
    # A missing pool parks tasks for ever with only a warning in the scheduler's log.
    asked = subprocess.run(  # noqa: S603 - our own interpreter's airflow, fixed arguments
        [command, "pools", "get", _POOL], capture_output=True, text=True, check=False, timeout=120
    )
    if asked.returncode == 0:
        return Finding("airflow", is_ok=True, text=f"pool {_POOL} exists")
    if "db init" in asked.stderr or "no such table" in asked.stderr or "migrate" in asked.stderr:
        return Finding(
            "airflow",
            is_ok=True,
            text="installed, its database is not set up: `make airflow` does that",
        )
    return Finding(
        "airflow",
        is_ok=False,
        text=f"pool {_POOL} is missing: tasks would wait for ever",
        hint=f"airflow pools set {_POOL} 1 'one writer of the warehouse'",
    )
