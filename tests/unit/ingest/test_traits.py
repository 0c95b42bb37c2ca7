"""What the bytes of a text rule out is really not there."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cdp_pipeline.ingest.traits import Traits, find_traits

_BLANKS = " \u00a0"
_FIELDS = st.lists(
    st.lists(st.text(alphabet=' ab,;"\nE+\u00a01', max_size=6), min_size=2, max_size=3),
    min_size=1,
    max_size=6,
)


def look(path: Path, data: bytes, *, delimiter: str = ",") -> Traits:
    path.write_bytes(data)
    return find_traits(path, start=0, delimiter=delimiter, quote='"')


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(rows=_FIELDS, delimiter=st.sampled_from(",;"), quoting=st.sampled_from([0, 1]))
def test_a_trait_that_is_ruled_out_is_in_no_field(
    tmp_path: Path, rows: list[list[str]], delimiter: str, quoting: int
) -> None:
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, quoting=quoting, lineterminator="\n").writerows(rows)
    traits = look(tmp_path / "a.csv", text.getvalue().encode(), delimiter=delimiter)
    fields = [field for row in rows for field in row]
    assert traits.has_exponents or not any("E+" in field for field in fields)
    assert traits.has_padding or all(field.strip(_BLANKS) == field for field in fields)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"a,b\nfull name,2026-11-20 10:00\n", Traits(has_exponents=False, has_padding=False)),
        (b"a,b\n x,y\n", Traits(has_exponents=False, has_padding=True)),
        (b"a,b\nx ,y\n", Traits(has_exponents=False, has_padding=True)),
        (b"a,b\nx,y ", Traits(has_exponents=False, has_padding=True)),
        (b'a,b\n"x ",y\n', Traits(has_exponents=False, has_padding=True)),
        ("a,b\ncafé,y\n".encode(), Traits(has_exponents=False, has_padding=True)),
        (b"a,b\n9.9E+12,y\n", Traits(has_exponents=True, has_padding=False)),
    ],
)
def test_known_texts(tmp_path: Path, data: bytes, expected: Traits) -> None:
    assert look(tmp_path / "a.csv", data) == expected


def test_what_stands_across_two_blocks_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for size in range(1, 8):
        monkeypatch.setattr("cdp_pipeline.ingest.traits._BLOCK", size)
        assert look(tmp_path / "a.csv", b"ab,cd\n1E+9,x\n").has_exponents
        assert look(tmp_path / "a.csv", b"ab,cd\nabc, x\n").has_padding
        assert look(tmp_path / "a.csv", b"ab,cd\nabc ,x\n").has_padding
        assert look(tmp_path / "a.csv", b"ab,cd\na c,x\n") == Traits(
            has_exponents=False, has_padding=False
        )
