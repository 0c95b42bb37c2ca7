"""The published file opens in the oldest DuckDB that is promised, and answers every named query.

As plain SQL and as a view of the file. `make test` and `make test-old-client` make the environment;
without it the test is skipped.
"""

from __future__ import annotations

import json
import subprocess

import pytest

from cdp_pipeline.project.loader import load_project
from tests.integration.store import ROOT, Store

PYTHON = ROOT / ".venv-duckdb1.2" / "bin" / "python"
SCRIPT = """
import duckdb, json, sys
asked = json.load(sys.stdin)
con = duckdb.connect(asked["file"], read_only=True)
rows = {name: con.execute(sql).fetchall() for name, sql in asked["queries"].items()}
comments = con.execute(
    "select count(comment) = count(*) from duckdb_columns() where not internal"
).fetchone()[0]
con.close()
con = duckdb.connect()
con.execute(f"attach '{asked['file']}' as store (read_only)")
views = {name: con.execute(f"from store.queries.{name}").fetchall() for name in rows}
print(json.dumps({
    "version": duckdb.__version__,
    "rows": {name: len(found) for name, found in rows.items()},
    "comments": comments,
    "other": [name for name in rows if rows[name] != views[name]],
}))
"""


@pytest.mark.skipif(not PYTHON.is_file(), reason="`make test-old-client` makes its environment")
def test_the_oldest_client_reads_everything(store: Store) -> None:
    queries = {name: query.sql for name, query in load_project(ROOT).queries.items()}
    asked = {"file": str(store.data / "warehouse" / "cdp.duckdb"), "queries": queries}
    done = subprocess.run(
        [str(PYTHON), "-c", SCRIPT],
        input=json.dumps(asked), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["version"].startswith("1.2.")
    assert found["comments"]
    assert found["other"] == [], "views answer otherwise than the queries"
    assert set(found["rows"]) == set(queries)
    assert sum(count > 0 for count in found["rows"].values()) >= 20
