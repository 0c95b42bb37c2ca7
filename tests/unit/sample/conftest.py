from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

from cdp_pipeline.sample.generate import StoreSpec, StoreSummary, generate_store

SPEC = StoreSpec(customers=2_000, nights=3)
_SOURCES = {
    "pos_sales": "csv",
    "loyalty_members": "csv",
    "ecommerce_accounts": "jsonl",
    "ecommerce_orders": "csv",
    "ecommerce_order_lines": "csv",
    "web_events": "jsonl",
    "email_events": "csv",
    "crm_contacts": "csv",
    "social_events": "jsonl",
    "privacy_requests": "csv",
    "products": "csv",
}


@pytest.fixture(scope="session")
def landing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Landing folder of a store of 2,000 customers and three nights; the truth is beside it."""
    return tmp_path_factory.mktemp("store") / "landing"


@pytest.fixture(scope="session")
def summary(landing: Path) -> StoreSummary:
    return generate_store(SPEC, landing, landing.parent / "truth")


@pytest.fixture(scope="session")
def rows(landing: Path, summary: StoreSummary) -> Callable[[str], list[tuple[Any, ...]]]:
    """Run SQL over the store: sources by name, truth tables as ``true_<name>``."""
    assert summary.files > 0
    con = duckdb.connect()
    for source, ending in _SOURCES.items():
        glob = landing / source / "*" / f"*.{ending}"
        if ending == "csv":
            # Ragged rows are padded here, so that a test can tell them by their empty currency.
            read = (
                f"read_csv('{glob}', header=true, all_varchar=true, null_padding=true, "
                "delim=',', quote='\"', escape='\"', parallel=false, filename=true)"
            )
        else:
            read = f"read_json('{glob}', format='newline_delimited', filename=true)"
        con.execute(f"create view {source} as select * from {read}")
    for path in sorted((landing.parent / "truth").glob("*.parquet")):
        con.execute(f"create view true_{path.stem} as select * from '{path}'")
    return lambda sql: con.execute(sql).fetchall()


@pytest.fixture(scope="session")
def value(rows: Callable[[str], list[tuple[Any, ...]]]) -> Callable[[str], Any]:
    """Run SQL that gives one value."""
    return lambda sql: rows(sql)[0][0]
