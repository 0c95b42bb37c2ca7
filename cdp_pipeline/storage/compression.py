"""Tables that live for a night only are not compressed: that would be work done twice.

The vault is published as Parquet, which compresses it then; what is noted of a night goes with it.
DuckDB knows one setting for all catalogs of a connection, so whoever makes such a table among
others that stay turns it off for that table; ``warehouse.open_build`` does so for whole steps.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import duckdb

_SETTING = "force_compression"


@contextmanager
def uncompressed(con: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Write what is made within without compression; what is made afterwards, as before.

    Args:
        con: Connection to the build, whose results have been read to the end.
    """
    ((before,),) = con.execute(f"select current_setting('{_SETTING}')").fetchall()
    con.execute(f"set {_SETTING} = 'uncompressed'")
    try:
        yield
    finally:
        con.execute(f"set {_SETTING} = '{before}'")
