"""Line numbers on disk answer what an array in memory would."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from cdp_pipeline.ingest.line_numbers import (
    LineNumbers,
    Walk,
    count_on,
    keep_lines,
    last_not_after,
    shifted,
    without,
)

LINES = st.lists(st.integers(0, 60), unique=True, max_size=30).map(sorted)


def in_blocks(lines: list[int], size: int) -> list[np.ndarray]:
    return [np.array(lines[at : at + size], np.int64) for at in range(0, len(lines), size)]


@settings(deadline=None)
@given(lines=LINES, size=st.integers(1, 7), data=st.data())
def test_blocks_answer_as_one_array(lines: list[int], size: int, data: st.DataObject) -> None:
    whole = np.array(lines, np.int64)
    places = st.lists(st.integers(0, max(0, len(lines) - 1)), max_size=9).map(sorted)
    chosen = np.array(data.draw(places) if lines else [], np.int64)
    walk = Walk(in_blocks(lines, size))
    middle = len(chosen) // 2
    found = [*walk.at(chosen[:middle]).tolist(), *walk.at(chosen[middle:]).tolist()]
    assert found == whole[chosen].tolist()
    unique = np.unique(chosen)
    left = [line for block in without(in_blocks(lines, size), unique) for line in block.tolist()]
    assert left == np.delete(whole, unique).tolist()
    asked = np.array(sorted(data.draw(st.lists(st.integers(-1, 61), max_size=9))), np.int64)
    expected = np.searchsorted(whole, asked, side="right") - 1
    assert last_not_after(in_blocks(lines, size), asked).tolist() == expected.tolist()
    start = lines[0] if lines else 0
    assert count_on(in_blocks(lines, size), start) == (
        lines == list(range(start, start + len(lines)))
    )


def test_single_lines_and_blocks_come_back_in_order(tmp_path: Path) -> None:
    with LineNumbers(tmp_path / "a.lines") as lines:
        lines.add(3)
        lines.extend(np.array([5, 8], np.int64))
        lines.add(9)
    assert len(lines) == 4
    copy = keep_lines(tmp_path / "b.lines", shifted(lines.blocks(), 10))
    assert np.concatenate(list(copy.blocks())).tolist() == [13, 15, 18, 19]
