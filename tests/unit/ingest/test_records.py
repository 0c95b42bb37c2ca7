"""Counting records without reading them: the count that conservation rests on."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from cdp_pipeline.ingest import records
from cdp_pipeline.ingest.records import (
    count_records,
    lines_at,
    locate_exactly,
    locate_records,
)


def _listed(found: Iterable[records.Positions]) -> list[int]:
    return [line for block in found for line in block.tolist()]


FIELD = st.text(alphabet='ab ,"\n\r;é', max_size=6)
ROWS = st.lists(st.lists(FIELD, min_size=2, max_size=4), max_size=12)


def _file(tmp_path: Path, data: bytes) -> Path:
    path = tmp_path / "records.csv"
    path.write_bytes(data)
    return path


def test_plain_lines_are_records(tmp_path: Path) -> None:
    count = count_records(_file(tmp_path, b"a,b\nc,d\ne,f"), start=0, quote='"')
    assert (count.records, count.lines, count.is_regular) == (3, 3, True)


def test_quoted_line_breaks_and_empty_lines_are_none(tmp_path: Path) -> None:
    path = _file(tmp_path, b'a,"b\nb"\n\nc,d\r\n\r\ne,f\n')
    count = count_records(path, start=0, quote='"')
    assert (count.records, count.lines, count.is_regular) == (3, 6, False)
    assert _listed(locate_records(path, start=0, quote='"')) == [0, 3, 5]


def test_an_open_quote_is_seen(tmp_path: Path) -> None:
    assert count_records(_file(tmp_path, b'a,"b\nc,d\n'), start=0, quote='"').is_open


def test_a_count_without_quotes_takes_empty_lines_until_it_has_to_be_exact(tmp_path: Path) -> None:
    path = _file(tmp_path, b"a,b\n\nc,d\n")
    assert count_records(path, start=0, quote='"').records == 3
    assert _listed(locate_records(path, start=0, quote='"')) == [0, 2]


def test_empty_lines_count_in_a_file_of_one_column(tmp_path: Path) -> None:
    path = _file(tmp_path, b"a\n\nb\n")
    assert count_records(path, start=0, quote='"', keeps_blank=True).records == 3
    assert _listed(locate_records(path, start=0, quote='"', keeps_blank=True)) == [0, 1, 2]


def test_counting_may_begin_anywhere(tmp_path: Path) -> None:
    path = _file(tmp_path, b"head\na,b\nc,d\n")
    assert count_records(path, start=5, quote='"').records == 2


def test_the_exact_count_takes_stray_quotes_as_text(tmp_path: Path) -> None:
    path = _file(tmp_path, b'a,5" tv\nb,c\nd,e\n')
    assert count_records(path, start=0, quote='"').records != 3
    assert _listed(locate_exactly(path, start=0, delimiter=",", quote='"')) == [0, 1, 2]


def test_positions_become_lines(tmp_path: Path) -> None:
    path = _file(tmp_path, b"ab\ncd\nef\n")
    found = lines_at(path, start=0, positions=np.array([0, 3, 4, 7], np.int64))
    assert found.tolist() == [0, 1, 1, 2]


@settings(max_examples=150, deadline=None)
@given(rows=ROWS, block=st.integers(min_value=2, max_value=40))
def test_well_written_records_are_counted_whatever_the_block_size(
    tmp_path_factory: object, rows: list[list[str]], block: int
) -> None:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL).writerows(rows)
    path = Path(tmp_path_factory.mktemp("count")) / "x.csv"  # type: ignore[attr-defined]
    path.write_bytes(text.getvalue().encode())
    before = records._BLOCK  # noqa: SLF001 - blocks of a few bytes show what large ones hide
    records._BLOCK = block  # noqa: SLF001 - same
    try:
        count = count_records(path, start=0, quote='"')
        located = _listed(locate_records(path, start=0, quote='"'))
    finally:
        records._BLOCK = before  # noqa: SLF001 - same
    exact = _listed(locate_exactly(path, start=0, delimiter=",", quote='"'))
    assert count.records == len(rows)
    assert located == exact
    assert not count.is_open
