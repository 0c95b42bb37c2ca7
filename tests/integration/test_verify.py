"""One changed bit anywhere is found: in the warehouse, exports, reports, deliveries, manifest."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cdp_pipeline.cli.app import run_app
from tests.integration.store import ROOT, Store


@pytest.fixture(scope="module")
def data(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the shared store's data that may be damaged."""
    folder = tmp_path_factory.mktemp("verify") / "data"
    shutil.copytree(store.data, folder, symlinks=True, ignore=shutil.ignore_patterns("docs"))
    return folder


@contextmanager
def flipped(path: Path) -> Iterator[None]:
    """Flip one bit in the middle of a file for a while."""
    path = path.resolve()
    whole = path.read_bytes()
    mode = path.stat().st_mode
    damaged = bytearray(whole)
    damaged[len(whole) // 2] ^= 4
    path.chmod(0o600)
    path.write_bytes(bytes(damaged))
    try:
        yield
    finally:
        path.write_bytes(whole)
        path.chmod(mode)


def cdp(data: Path, capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    code = run_app(["--project", str(ROOT), "--data-dir", str(data), *arguments])
    return code, capsys.readouterr().out


def test_all_versions_are_whole(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out = cdp(data, capsys, "verify", "--all", "--json")
    assert code == 0
    found = json.loads(out)
    assert len(found) == len(list((data / "warehouse" / "versions").glob("0*")))
    for each in found:
        assert (each["problems"], each["remarks"]) == ([], [])
        assert each["files"] > 100
        assert each["deliveries"] > 10
        assert each["records"] > 10_000


@pytest.mark.parametrize(
    "pattern",
    ["warehouse/current/cdp.duckdb", "warehouse/current/exports/*/*.csv",
     "warehouse/current/reports/*.html", "warehouse/current/reports/*.eml",
     "warehouse/current/parquet/core/*.parquet", "warehouse/current/MANIFEST.json",
     "landing/pos_sales/*/*", "landing/web_events/*/*"],
)  # fmt: skip
def test_a_flipped_bit_is_found(
    data: Path, capsys: pytest.CaptureFixture[str], pattern: str
) -> None:
    path = next(path for path in sorted(data.glob(pattern)) if path.stat().st_size)
    with flipped(path):
        code, out = cdp(data, capsys, "verify")
    assert code == 3
    assert path.name in out
    assert out.startswith("changed ")
    assert cdp(data, capsys, "verify")[0] == 0


def test_a_file_too_many_or_too_few_is_found(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    version = (data / "warehouse" / "current").resolve()
    (version / "exports" / "extra.csv").write_text("a\n")
    assert "extra.csv was not published" in cdp(data, capsys, "verify")[1]
    (version / "exports" / "extra.csv").unlink()
    report = next((version / "reports").glob("*.html"))
    report.rename(data / "away")
    assert f"{report.name} is missing" in cdp(data, capsys, "verify", version.name)[1]
    (data / "away").rename(report)
