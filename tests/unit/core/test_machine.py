from __future__ import annotations

from pathlib import Path

import pytest

from cdp_pipeline.core.machine import LEAST_MB, MOST_MB, choose_memory_limit


@pytest.mark.parametrize(
    ("stated", "limit"),
    [("3000000000\n", "1500MB"), ("10\n", f"{LEAST_MB}MB")],
)
def test_a_container_has_less_than_its_machine(tmp_path: Path, stated: str, limit: str) -> None:
    path = tmp_path / "memory.max"
    path.write_text(stated, encoding="ascii")
    assert choose_memory_limit(of_container=(path,)) == limit


@pytest.mark.parametrize("stated", ["max\n", "9223372036854771712\n", None])
def test_without_a_limit_the_machine_decides(tmp_path: Path, stated: str | None) -> None:
    path = tmp_path / "memory.max"
    if stated is not None:
        path.write_text(stated, encoding="ascii")
    found = int(choose_memory_limit(of_container=(path,)).removesuffix("MB"))
    assert LEAST_MB <= found <= MOST_MB
    assert choose_memory_limit(of_container=()) == f"{found}MB"
