"""Questions to the published warehouse cannot leave it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from cdp_pipeline.storage.warehouse import open_published
from tests.faults.publisher import TONIGHT, context_of, prepare

ESCAPES = {
    "read a file": "select * from read_text('/etc/passwd')",
    "read a CSV file": "select * from '/etc/passwd'",
    "read beside the warehouse": "select * from read_csv('{data}/../pyproject.toml')",
    "read up from it": "select * from read_text('{data}/warehouse/current/../../../secret')",
    "list files": "select * from glob('/etc/*')",
    "attach another file": "attach '{data}/other.duckdb' as other",
    "attach itself for writing": "attach '{data}/warehouse/cdp.duckdb' as again",
    "write a file": "copy (select 1) to '{data}/out.csv'",
    "export the database": "export database '{data}/out'",
    "import a database": "import database '{data}/out'",
    "install an extension": "install httpfs",
    "load an extension": "load '{data}/evil.duckdb_extension'",
    "allow it again": "set enable_external_access = true",
    "unlock the configuration": "set lock_configuration = false",
    "widen the folders": "set allowed_directories = ['/']",
    "move the temporary folder": "set temp_directory = '/tmp/elsewhere'",
    "change the data": "delete from core.numbers",
    "make a table": "create table core.mine as select 1",
    "read the environment": "select getenv('HOME')",
    "take a secret": "create secret s (type s3, key_id 'a', secret 'b')",
    "run what a variable holds": "pragma add_parquet_key('k', '0123456789112345')",
}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("sandbox") / "project"
    prepare(root)
    (root / "secret").write_text("secret")
    return context_of(root, TONIGHT).data_dir


@pytest.fixture
def con(data: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with open_published(data) as connection:
        yield connection


@pytest.mark.parametrize("escape", [name for name in ESCAPES if not name.startswith("run what")])
def test_escapes_are_refused(con: duckdb.DuckDBPyConnection, data: Path, escape: str) -> None:
    before = sorted(path.name for path in data.rglob("*"))
    with pytest.raises(duckdb.Error):
        con.execute(ESCAPES[escape].format(data=data)).fetchall()
    assert sorted(path.name for path in data.rglob("*")) == before
    assert con.execute("select count(*) from core.numbers").fetchall() == [(3,)]
