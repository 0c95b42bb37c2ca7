"""What is written is for its user and group alone, whatever the umask of whoever starts it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import SecretStr

from cdp_pipeline.core.access_settings import KeySettings
from cdp_pipeline.core.keys import new_key
from cdp_pipeline.core.settings import Settings
from cdp_pipeline.storage.encryption import look_at_vaults
from cdp_pipeline.storage.files import write_atomic
from cdp_pipeline.storage.warehouse import open_whole
from tests.faults.publisher import TONIGHT, context_of, prepare

START = """
import os, sys
from pathlib import Path
os.umask(0)
from cdp_pipeline.cli.app import run_app
code = run_app(["--project", sys.argv[1], "audit", "list"])
from tests.faults import publisher
publisher.publish(Path(sys.argv[1]))
from cdp_pipeline.storage.audit import Deed, note
note(publisher.context_of(Path(sys.argv[1]), publisher.TONIGHT).settings, Deed("explain"))
sys.exit(code)
"""


def too_open(folder: Path) -> list[str]:
    """Return files and folders that give others anything, or the group more than reading."""
    return [
        f"{path.relative_to(folder)} {path.stat().st_mode & 0o777:04o}"
        for path in sorted(folder.rglob("*"))
        if not path.is_symlink() and path.stat().st_mode & (0o027 if path.is_dir() else 0o137)
    ]


def test_a_publication_is_private_though_the_umask_is_zero(tmp_path: Path) -> None:
    root = tmp_path / "project"
    before = os.umask(0o027)
    try:
        prepare(root)
    finally:
        os.umask(before)
    done = subprocess.run(
        [sys.executable, "-c", START, str(root)],
        cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    data = context_of(root, TONIGHT).data_dir
    assert len(list(data.rglob("*"))) > 10
    assert too_open(data) == []


@pytest.mark.slow
def test_whole_nights_under_a_key_are_private_though_the_umask_is_zero(tmp_path: Path) -> None:
    data, key = tmp_path / "data", new_key()
    done = subprocess.run(
        [sys.executable, "-m", "cdp_pipeline", "--data-dir", str(data), "demo",
         "--customers", "500", "--nights", "1"],
        cwd=Path(__file__).parents[2], env={**os.environ, "CDP_KEYS__MASTER": key}, umask=0,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert too_open(data) == []
    vaults = sorted((data / "warehouse" / "versions").glob("*/vault"))
    assert len(vaults) == 2
    assert len(look_at_vaults(path.parent for path in vaults).encrypted) == 2
    settings = Settings(data_dir=data, keys=KeySettings(master=SecretStr(key)))
    with open_whole(settings) as con:
        found = con.execute("select distinct email from core.customer_contact").fetchall()
    emails = [email.encode() for (email,) in found if email]
    assert len(emails) > 300
    for path in (p for vault in vaults for p in vault.rglob("*.parquet")):
        held = path.read_bytes()
        assert held.startswith(b"PARE"), path
        assert not any(email in held for email in emails), path


@pytest.mark.parametrize("mode", [0o600, 0o640])
def test_atomic_writes_keep_to_the_umask(tmp_path: Path, mode: int) -> None:
    before = os.umask(0o777 & ~mode)
    try:
        write_atomic(tmp_path / "x", b"x")
    finally:
        os.umask(before)
    assert (tmp_path / "x").stat().st_mode & 0o777 == mode
