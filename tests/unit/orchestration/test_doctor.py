"""Each seeded fault is found and comes with its fix."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from cdp_pipeline.core.context import RunContext
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
