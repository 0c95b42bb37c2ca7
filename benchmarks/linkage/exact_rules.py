"""What a shop writes first: same e-mail; same phone and surname; same full name and birth date.

On FEBRL, which has neither e-mail nor phone: same social security number, same address and surname,
same full name and birth date. Connected components, no model.
"""

from __future__ import annotations

from pathlib import Path

import duckdb
import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from benchmarks.linkage.datasets import DataSet
from benchmarks.linkage.worker import Outcome, Watch

RULES = ("email", "phone || ' ' || last_name", "first_name || ' ' || last_name || birth_date")
FEBRL_RULES = (
    "soc_sec_id",
    "street_number || ' ' || address_1 || surname",
    "given_name || ' ' || surname || date_of_birth",
)


def link(data: DataSet, scratch: Path, watch: Watch) -> Outcome:
    """Link by three exact rules."""
    del scratch
    with watch.phase("all"), duckdb.connect() as con:
        con.execute(
            "create table part as select *, row_number() over (order by source, record_key) - 1 "
            "as record from read_parquet(?)",
            [str(data.folder / "standard.parquet")],
        )
        chain = " union all ".join(
            f"select record, min(record) over (partition by {key}) as first "  # noqa: S608 - fixed
            f"from part where {key} is not null"
            for key in (FEBRL_RULES if data.is_febrl else RULES)
        )
        found = con.execute(chain).fetchnumpy()
        ends = (np.asarray(found["record"]), np.asarray(found["first"]))
        graph = coo_matrix((np.ones(len(ends[0]), bool), ends), shape=(data.rows,) * 2)
        groups = connected_components(graph, directed=False)[1].astype(np.int64)
    return Outcome({"default": groups})
