"""A raw delivery without erased people keeps every other line, in any encoding and compression."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdp_pipeline.ingest.inflation import CHUNK, read_chunks
from cdp_pipeline.ingest.redaction import open_like, redact_delivery
from cdp_pipeline.project.contracts import SourceContract

PEOPLE = {
    "name": "people",
    "title": "People",
    "owner": "crm",
    "load": {"mode": "append", "key": ["id"]},
    "columns": {"id": {"required": True}, "name": {"pii": "name"}},
    "feeds": [
        {
            "entity": "person_records",
            "columns": {"record_key": "id", "record_kind": "'contact'", "full_name": "name"},
        }
    ],
}


def contract_of(encoding: str = "utf-8") -> SourceContract:
    delivery = {"path": "people/*.csv", "format": "csv", "encoding": encoding}
    return SourceContract.model_validate({**PEOPLE, "delivery": delivery})


def redacted(path: Path, contract: SourceContract, lines: list[int], *, detach: bool) -> bytes:
    pieces = redact_delivery(path, contract, lines, is_detaching=detach)
    assert pieces is not None
    target = path.with_name("target")
    with open_like(path, target) as stream:
        for piece in pieces:
            stream.write(piece)
    target.replace(path)
    return b"".join(read_chunks(path))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16", "utf-16-le"])
@pytest.mark.parametrize("suffix", [".csv", ".csv.gz", ".csv.zst"])
@pytest.mark.parametrize("mark", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("detach", [True, False])
def test_a_line_goes_or_only_its_name(
    tmp_path: Path, encoding: str, suffix: str, mark: str, *, detach: bool
) -> None:
    path = tmp_path / f"people{suffix}"
    with open_like(path, path) as stream:
        stream.write(mark.join(["id,name", "1,Zoë", "2,Bjørn", "3,Anna", ""]).encode(encoding))
    data = redacted(path, contract_of(encoding), [3], detach=detach)
    kept = "2," if detach else ""
    assert data.decode(encoding) == mark.join(["id,name", "1,Zoë", kept, "3,Anna", ""])


@pytest.mark.parametrize(
    ("record", "kept"),
    [
        ("2,Bjørn,more", "2,,"),
        ('2,"Bjørn, B."', "2,"),
        ('2,Bjørn,"a, b"', "2,,"),
        ("2", "2"),
        (",Bjørn", ","),
    ],
)
def test_personal_and_unknown_fields_are_emptied_whatever_the_record_is_like(
    tmp_path: Path, record: str, kept: str
) -> None:
    path = tmp_path / "people.csv"
    path.write_text(f"id,name\r\n1,Zoë\r\n{record}\r\n3,Anna", encoding="utf-8", newline="")
    data = redacted(path, contract_of(), [3], detach=True).decode()
    assert data == f"id,name\r\n1,Zoë\r\n{kept}\r\n3,Anna"


@given(
    texts=st.lists(st.text(st.characters(exclude_characters='\r\n"'), max_size=30), max_size=40),
    wanted=st.sets(st.integers(1, 45)),
)
def test_every_other_line_stays_as_it_is(texts: list[str], wanted: set[int]) -> None:
    import tempfile

    lines = [f"{number},{text}\n" for number, text in enumerate(texts, start=2)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "people.csv")
        path.write_bytes("".join(["id,name\n", *lines]).encode("utf-8", "surrogatepass"))
        data = redacted(path, contract_of(), sorted(wanted), detach=False)
    expected = [
        b"\n" if number in wanted else line.encode("utf-8", "surrogatepass")
        for number, line in enumerate(["id,name\n", *lines], start=1)
    ]
    assert data == b"".join(expected)


def test_a_record_goes_with_the_lines_that_its_quotes_hold(tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    path.write_bytes(b'id,name\n1,"Anna\nof\nYork"\n2,Bob\n3,"Cy\n')
    data = redacted(path, contract_of(), [2, 6], detach=False)
    assert data == b"id,name\n\n\n\n2,Bob\n\n"


def test_a_record_goes_with_its_escaped_line_ends_and_no_further(tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    path.write_bytes(b'id,name\n1,"Zo\\" one"\n2,Bo\\\r\n two\r\n3,Anna\n')
    delivery = {"path": "people/*.csv", "format": "csv", "escape": "\\"}
    contract = SourceContract.model_validate({**PEOPLE, "delivery": delivery})
    assert redacted(path, contract, [2], detach=False) == (b"id,name\n\n2,Bo\\\r\n two\r\n3,Anna\n")
    assert redacted(path, contract, [3], detach=False) == b"id,name\n\n\r\n\r\n3,Anna\n"


def test_records_that_cannot_be_rewritten_are_refused_and_not_passed_on(tmp_path: Path) -> None:
    path = tmp_path / "people.jsonl"
    path.write_text('{"id": "1"}\n{"id": "2", "name": "Bob"},{"id": "3"}\n')
    delivery = {"path": "people/*.jsonl", "format": "jsonl"}
    contract = SourceContract.model_validate({**PEOPLE, "delivery": delivery})
    pieces = redact_delivery(path, contract, [2], is_detaching=True)
    assert pieces is not None
    with pytest.raises(ValueError, match="Extra data"):
        list(pieces)


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    line = b"1," + b"Anna " * 30 + b"\n"
    path.write_bytes(b"id,name\n" + line * (16 * CHUNK // len(line)))
    pieces = redact_delivery(path, contract_of(), [5, 70_000], is_detaching=True)
    assert pieces is not None
    tracemalloc.start()
    try:
        size = sum(len(piece) for piece in pieces)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert size == path.stat().st_size - 2 * 150
    assert peak < path.stat().st_size / 2
