"""Crashes that an operator can do something about say what."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import duckdb
import pytest

from cdp_pipeline.orchestration.failures import explain_crash


@pytest.mark.parametrize(
    ("error", "remedy"),
    [
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/data/x"), "Free space"),
        (OSError(errno.EDQUOT, os.strerror(errno.EDQUOT), "/data/x"), "quota"),
        (OSError(errno.EROFS, os.strerror(errno.EROFS), "/data/x"), "read-only"),
        (PermissionError(errno.EACCES, os.strerror(errno.EACCES), "/data/x"), "right to write"),
        (OSError(errno.EIO, os.strerror(errno.EIO), "/data/x"), "dmesg"),
        (MemoryError(), "memory"),
        (duckdb.IOException("IO Error: Could not write file: No space left on device"), "Free"),
        (duckdb.FatalException(
            "FATAL Error: Failed to create checkpoint because of error: Could not write all bytes "
            'to file "/d/x.duckdb": No space left on device'), "Free space"),
        (duckdb.OutOfMemoryException("Out of Memory Error: could not allocate block"), "Raise"),
    ],
)  # fmt: skip
def test_the_remedy_is_named(error: Exception, remedy: str) -> None:
    found = explain_crash(error, step="publish", log=Path("log.jsonl"))
    assert remedy in str(found.hint)
    assert "untouched" in str(found.hint)
    assert "step publish" in str(found.where)
    if getattr(error, "filename", None):
        assert "/data/x" in str(found.where)


def test_other_crashes_point_to_the_traceback() -> None:
    found = explain_crash(KeyError("x"), step="predict", log=Path("log.jsonl"))
    assert str(found) == "step predict: KeyError: 'x'\n  help: See log.jsonl for the traceback."
