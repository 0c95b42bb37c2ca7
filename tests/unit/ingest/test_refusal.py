"""A file is refused for what stands in it, never for what the machine lacked."""

from __future__ import annotations

import errno
import os

import duckdb
import pyarrow as pa
import pytest

from cdp_pipeline.ingest.refusal import is_of_machine


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        duckdb.OutOfMemoryException("Out of Memory Error: failed to allocate data of size 1.0 MiB"),
        OSError("Out of Memory Error: Failed to allocate block (bad allocation)"),
        pa.ArrowMemoryError("Out of Memory Error: Failed to allocate block"),
        OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)),
        duckdb.IOException('IO Error: Could not write file "spill": No space left on device'),
    ],
    ids=lambda error: type(error).__name__,
)
def test_the_machine_failed(error: Exception) -> None:
    assert is_of_machine(error)


@pytest.mark.parametrize(
    "error",
    [
        duckdb.InvalidInputException(
            "CSV Error on Line: 3\nOriginal Line: No space left on device"
        ),
        duckdb.InvalidInputException("Invalid Input Error: Out of Memory Error: says the file"),
        duckdb.IOException("IO Error: No magic bytes found at end of file"),
    ],
    ids=["line", "quoted", "parquet"],
)
def test_the_file_is_wrong(error: Exception) -> None:
    assert not is_of_machine(error)
