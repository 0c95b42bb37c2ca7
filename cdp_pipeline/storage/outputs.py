"""Writing results of commands on files: CSV or Parquet by suffix, whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
from pyarrow import csv as arrow_csv
from pyarrow import parquet

from cdp_pipeline.core.errors import ConfigError

KINDS = (".csv", ".parquet", ".pq")


def check_output(path: Path, inputs: Sequence[Path] = ()) -> None:
    """Say before any work whether a table can be written to a path.

    Raises:
        ConfigError: The suffix is unknown, the folder is missing or not writable, or the path is
            one of the inputs.
    """
    if path.absolute() in [other.absolute() for other in inputs]:
        raise ConfigError(
            "this is one of the inputs, which stay as they are",
            where=str(path),
            hint="Name another file.",
        )
    if path.suffix.lower() not in KINDS:
        raise ConfigError(
            f"{path.suffix or 'no suffix'} is not a kind of file that can be written",
            where=str(path),
            hint=f"End the name with {', '.join(KINDS[:2])}.",
        )
    check_folder(path)


def check_folder(path: Path) -> None:
    """Say whether a file can be made at a path.

    Raises:
        ConfigError: The folder is missing or not writable, or the path is a folder.
    """
    folder = path.absolute().parent
    if path.is_dir():
        raise ConfigError("this is a folder", where=str(path), hint="Name a file in it.")
    if not folder.is_dir():
        raise ConfigError("there is no such folder", where=str(folder), hint="Make it first.")
    if not os.access(folder, os.W_OK):
        raise ConfigError(
            "this folder cannot be written to", where=str(folder), hint="Name another."
        )


def write_table(table: pa.Table, path: Path) -> None:
    """Write a table as CSV or Parquet; the file appears only when it is whole."""
    unfinished = path.with_name(f".{path.name}.unfinished")
    if path.suffix.lower() == ".csv":
        options = arrow_csv.WriteOptions(quoting_style="needed")
        arrow_csv.write_csv(table, unfinished, write_options=options)
    else:
        parquet.write_table(table, unfinished, compression="zstd")
    unfinished.replace(path)


def write_text(text: str, path: Path) -> None:
    """Write a text file; it appears only when it is whole."""
    unfinished = path.with_name(f".{path.name}.unfinished")
    unfinished.write_text(text, encoding="utf-8")
    unfinished.replace(path)
