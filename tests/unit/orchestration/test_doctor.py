"""Each seeded fault is found and comes with its fix."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from cdp_pipeline.core.context import RunContext
from cdp_pipeline.core.keys import new_key
from cdp_pipeline.orchestration import doctor
from cdp_pipeline.orchestration.doctor import Finding, examine
from cdp_pipeline.storage.lock import hold_lock

CONTRACT = """\
title: Till
owner: stores
delivery: {path: "till/*.csv", format: csv}
load: {mode: append, key: [receipt]}
columns: {receipt: {required: true}}
feeds: [{entity: sale_lines, columns: {sale_id: receipt}}]
"""


@pytest.fixture
def healthy(project_root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (project_root / "expectations" / "till.yml").write_text(CONTRACT, encoding="utf-8")
    (project_root / "data" / "landing").mkdir(parents=True)
    (project_root / "data").chmod(0o750)
    monkeypatch.setattr(shutil, "which", lambda *_args, **_options: None)
    return project_root


def find(findings: list[Finding], subject: str) -> Finding:
    return next(finding for finding in findings if finding.subject == subject)


def test_a_healthy_project_has_no_complaint(healthy: Path) -> None:
    assert [finding.subject for finding in examine(healthy) if not finding.is_ok] == []


@pytest.mark.parametrize(
    ("fault", "subject", "remedy"),
    [
        (lambda root: (root / "pyproject.toml").write_text("[tool.cdp]\ncurency = 'GBP'\n"),
         "settings", "currency"),
        (lambda root: (root / "expectations" / "till.yml").write_text("titel: x\n"),
         "declarations", "title"),
        (lambda root: (root / "expectations" / "till.yml").unlink(),
         "declarations", "expectations"),
        (lambda root: (root / "data" / "landing").rmdir(), "landing", "CDP_LANDING_DIR"),
    ],
)  # fmt: skip
def test_faults_of_a_project_are_found(
    healthy: Path, fault: Callable[[Path], object], subject: str, remedy: str
) -> None:
    fault(healthy)
    finding = find(examine(healthy), subject)
    assert not finding.is_ok
    assert remedy in finding.hint


def test_a_held_lock_names_its_holder(healthy: Path) -> None:
    with hold_lock(healthy / "data" / ".lock", "night of 2026-11-20"):
        finding = find(examine(healthy), "lock")
    assert not finding.is_ok
    assert "night of 2026-11-20" in finding.text


def test_a_full_disk_is_named(healthy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_FREE_BYTES", 10**18)
    assert "2 GB" in find(examine(healthy), "disk space").hint


def test_a_silent_mail_server_is_named(healthy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CDP_MAIL__HOST", "127.0.0.1")
    monkeypatch.setenv("CDP_MAIL__PORT", "9")
    assert "CDP_MAIL__HOST" in find(examine(healthy), "mail").hint


def test_forged_bytes_are_noticed(healthy: Path, make_context: Callable[..., RunContext]) -> None:
    from cdp_pipeline.storage import versions
    from cdp_pipeline.storage.files import write_json
    from cdp_pipeline.storage.paths import DataPaths
    from cdp_pipeline.storage.warehouse import open_build

    context = make_context()
    paths = DataPaths.of(context)
    write_json(paths.plan, {"fingerprint": "f"})
    with open_build(context) as con:
        con.execute("create table core.numbers as select 1 as n")
    versions.run(context)
    (paths.current / "parquet" / "core" / "numbers.parquet").write_bytes(b"forged")
    finding = find(examine(healthy), "published version")
    assert not finding.is_ok
    assert "--force" in finding.hint


def test_what_protects_nothing_is_said_plainly(
    healthy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A night can run with it, as the demo must; before real customers it should be better."""
    monkeypatch.setattr(doctor, "is_on_encrypted_disk", lambda _folder: False)
    findings = examine(healthy)
    for subject in ("keys", "secrets of ids", "encryption at rest"):
        finding = find(findings, subject)
        assert finding.is_ok
        assert finding.hint
    assert "example key" in find(findings, "keys").text
    assert "in clear" in find(findings, "encryption at rest").text
    monkeypatch.setenv("CDP_KEYS__MASTER", new_key())
    monkeypatch.setenv("CDP_IDENTITY__ID_SECRETS", '["a secret of our own", "cdp"]')
    monkeypatch.setattr(doctor, "is_on_encrypted_disk", lambda _folder: True)
    findings = examine(healthy)
    assert [finding.subject for finding in findings if finding.hint] == []
    (healthy / "data").chmod(0o755)
    assert "chmod o-rwx" in find(examine(healthy), "data folder").hint


def test_a_weak_key_is_a_failure(healthy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CDP_KEYS__MASTER", "c2VjcmV0")
    finding = find(examine(healthy), "keys")
    assert not finding.is_ok
    assert "cdp keys new" in finding.hint
