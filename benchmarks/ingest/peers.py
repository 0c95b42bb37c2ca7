"""What others do with the same file: a bare copy to Parquet, typed by guess, nothing checked.

Each function copies a CSV file to a Parquet file and returns what it did in a few words. Settings
are the packages' defaults, streamed where the package can.
"""

from __future__ import annotations

from pathlib import Path


def copy_with_duckdb(source: Path, target: Path) -> str:
    """Copy with DuckDB's sniffing ``read_csv``."""
    import duckdb  # noqa: PLC0415 - each peer is measured without the others' imports

    con = duckdb.connect()
    con.execute(f"copy (from read_csv('{source}')) to '{target}' (format parquet)")
    con.close()
    return "copy (from read_csv(...)) to ... (format parquet)"


def copy_with_polars(source: Path, target: Path) -> str:
    """Copy with polars' streaming engine."""
    import polars as pl  # noqa: PLC0415 - as above

    pl.scan_csv(source, try_parse_dates=True).sink_parquet(target)
    return "scan_csv(..., try_parse_dates=True).sink_parquet(...)"


def copy_with_pyarrow(source: Path, target: Path) -> str:
    """Copy with pyarrow's streaming reader and writer."""
    from pyarrow import csv, parquet  # noqa: PLC0415 - as above

    with csv.open_csv(source) as reader, parquet.ParquetWriter(target, reader.schema) as writer:
        for batch in reader:
            writer.write_batch(batch)
    return "csv.open_csv(...) to ParquetWriter, batch by batch"


def copy_with_pandas(source: Path, target: Path) -> str:
    """Copy with pandas, the whole file in memory as is its way."""
    import pandas as pd  # noqa: PLC0415 - as above

    pd.read_csv(source, parse_dates=["till_time"]).to_parquet(target)
    return 'read_csv(..., parse_dates=["till_time"]).to_parquet(...)'
