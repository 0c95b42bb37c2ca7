"""Mails lose a person's words in whatever encoding, and nothing else: no byte of others changes."""

from __future__ import annotations

import base64
import io
import zipfile
from datetime import date
from email import message_from_bytes
from pathlib import Path

import pytest

from cdp_pipeline.core.context import RunContext
from cdp_pipeline.core.settings import load_settings
from cdp_pipeline.rights import mail_parts, mails
from cdp_pipeline.rights.scan import Scan, scan_folder
from cdp_pipeline.rights.searching import Searcher
from cdp_pipeline.rights.strays import clean_strays
from cdp_pipeline.rights.traces import Traces, add_words
from tests.packing import zipped

PERSON = Traces(names=frozenset({("łucja", "nowak"), ("li", "wu"), ("иван", "петров")}))
SEARCHER = Searcher(add_words(PERSON, [("email", "anna.reed@example.com")]))
MAIL = b"anna.reed@example.com"
HEAD = b"From: till@store.example\nSubject: of today\nMIME-Version: 1.0\n"
IN_BASE64 = b"Content-Type: text/plain\nContent-Transfer-Encoding: base64\n\n"


@pytest.fixture
def context(tmp_path: Path) -> RunContext:
    data = tmp_path / "data"
    (data / "landing").mkdir(parents=True)
    settings = load_settings(Path(__file__).parents[3], data_dir=data)
    return RunContext(date(2026, 11, 16), "test", Path(__file__).parents[3], settings)


def _cleaned(context: RunContext, mail: bytes, name: str = "note.txt") -> tuple[bytes, Scan]:
    """Return what is left of a mail among the deliveries, and what a search finds in it then."""
    path = context.data_dir / "landing" / name
    path.write_bytes(mail)
    scan = scan_folder(path.parent, SEARCHER)
    assert scan.finds
    left = clean_strays(context, path.parent, scan, SEARCHER)
    return path.read_bytes(), left


def _mixed(*parts: bytes, head: bytes = HEAD, boundary: bytes = b"=b=") -> bytes:
    inside = b"".join(b"--" + boundary + b"\n" + part + b"\n" for part in parts)
    kind = b'Content-Type: multipart/mixed; boundary="' + boundary + b'"\n\n'
    return head + kind + b"preamble\n" + inside + b"--" + boundary + b"--\nepilogue\n"


def _in_base64(content: bytes, head: bytes = IN_BASE64) -> bytes:
    return head + base64.encodebytes(content)


def test_all_beside_a_changed_part_stays_byte_for_byte(context: RunContext) -> None:
    binary = b"Content-Type: image/x\nContent-Transfer-Encoding: binary\n\n\r\n\n\r\0\xff\r \n"
    signed = _mixed(
        b"Content-type:  text/plain\n\n-- \ntabs\t \n", b"\nsignature", head=b"", boundary=b"=s="
    )
    forwarded = b"Content-Type: message/rfc822\n\nsubject :odd\nX: \xe4\n\nFrom here\n"
    others = (binary, signed, forwarded)
    mail = _mixed(_in_base64(b"ask " + MAIL), *others)
    data, left = _cleaned(context, mail)
    assert (left.finds, left.unreadable) == ([], [])
    assert data == _mixed(_in_base64(b"ask [erased]"), *others)


def test_a_header_keeps_its_fields_and_the_addresses_of_others(context: RunContext) -> None:
    named = base64.b64encode("Grüße an ".encode() + MAIL)
    mail = (
        b"To: =?utf-8?B?" + named + b"?=\n <anna.reed@example.com>, Bob <bob@example.com>\n"
        b"X-Empty:\nContent-Type: application/pdf;\n name==?utf-8?B?" + named + b"?=\n"
        b"Content-Transfer-Encoding: 7bit\n\nhello\n"
    )
    data, left = _cleaned(context, b"Subject: x\n" + mail)
    read = message_from_bytes(data)
    assert left.finds == []
    assert b"<[erased]>, Bob <bob@example.com>\n" in data
    assert read.get_content_type() == "application/pdf"
    assert b"\n\nhello\n" in data
    assert "Grüße an [erased]" in "".join(mails.header_text(str(v)) for v in read.values())


@pytest.mark.parametrize(
    ("charset", "encoding", "name"),
    [
        ("iso-8859-2", "base64", "Łucja Nowak"),
        ("iso-8859-2", "8bit", "Łucja Nowak"),
        ("koi8-r", "base64", "Иван Петров"),
        ("koi8-r", "8bit", "Иван Петров"),
        ("utf-16", "base64", "Łucja Nowak"),
    ],
)
def test_a_text_is_read_in_its_own_letters(
    context: RunContext, charset: str, encoding: str, name: str
) -> None:
    head = f"Content-Type: text/plain; charset={charset}\nContent-Transfer-Encoding: {encoding}\n\n"
    encode = base64.encodebytes if encoding == "base64" else bytes
    mail = HEAD + head.encode() + encode(f"ąęи: {name}\n".encode(charset, "ignore"))
    data, left = _cleaned(context, mail)
    text = message_from_bytes(data).get_payload(decode=True)
    assert isinstance(text, bytes)
    assert left.finds == []
    wanted = f"ąęи: {name}\n".encode(charset, "ignore").decode(charset).replace(name, "[erased]")
    assert text.decode(charset) == wanted


def test_what_stands_behind_base64_stays(context: RunContext) -> None:
    footer = b"\n_____\nThe list of all\nhttp://lists.example/Z\xc3\xbcrich\n"
    data, left = _cleaned(context, HEAD + _in_base64(b"ask " + MAIL + b"!") + footer)
    assert left.finds == []
    assert data == HEAD + _in_base64(b"ask [erased]!") + footer


@pytest.mark.parametrize("cut", [1, 2, 3])
def test_base64_that_was_cut_off_is_read_as_far_as_it_goes(context: RunContext, cut: int) -> None:
    whole = HEAD + _in_base64(b"ask " + MAIL + b", or somebody else").rstrip(b"\n=")
    data, left = _cleaned(context, whole[:-cut])
    assert left.finds == []
    assert b"ask [erased], or some" in base64.b64decode(data.split(b"\n\n")[1] + b"==")


def test_a_forwarded_mail_that_is_encoded_is_opened(context: RunContext) -> None:
    inner = HEAD + _in_base64(b"ask " + MAIL)
    head = b"Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\n"
    data, left = _cleaned(context, _mixed(_in_base64(inner, head)))
    assert left.finds == []
    assert data == _mixed(_in_base64(HEAD + _in_base64(b"ask [erased]"), head))


def test_mails_of_a_mailbox_are_taken_apart(context: RunContext) -> None:
    one = b"From bob Sat Nov 28 09:00:00 2026\n" + HEAD + IN_BASE64
    box = one + b"aGVsbG8=\n\n" + one
    data, left = _cleaned(context, box + base64.encodebytes(MAIL))
    assert left.finds == []
    assert data == box + base64.encodebytes(b"[erased]")


def test_a_mail_with_long_first_fields_is_one_in_an_archive_too(context: RunContext) -> None:
    seal = b"ARC-Seal: i=1; cv=none;\n b=" + b"A" * 900 + b"\n"
    archive, left = _cleaned(context, zipped({"m": seal + HEAD + _in_base64(MAIL)}), "mails.zip")
    assert left.finds == []
    with zipfile.ZipFile(io.BytesIO(archive)) as members:
        assert members.read("m") == seal + HEAD + _in_base64(b"[erased]")


def test_an_attachment_that_cannot_be_opened_keeps_no_words_in_the_text(
    context: RunContext,
) -> None:
    broken = zipped({"m.csv": b"id" * 99}).replace(b"PK\1\2", b"PK\1\3")
    locked = _in_base64(broken, IN_BASE64.replace(b"text/plain", b"application/zip"))
    data, left = _cleaned(context, _mixed(_in_base64(b"ask " + MAIL), locked))
    assert data == _mixed(_in_base64(b"ask [erased]"), locked)
    assert (left.finds, left.unreadable) == ([], ["note.txt"])


@pytest.mark.parametrize("limit", ["_LARGEST", "_DEEPEST", "_MOST"])
def test_what_is_no_ordinary_mail_is_a_text(
    context: RunContext, limit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mails if limit == "_LARGEST" else mail_parts, limit, 0)
    data, left = _cleaned(context, _mixed(b"\nask " + MAIL))
    assert data == _mixed(b"\nask [erased]")
    assert (left.finds, left.unreadable) == ([], ["note.txt"])


def test_letters_of_base64_are_no_names(context: RunContext) -> None:
    picture = b"Content-Transfer-Encoding: base64\n\n" + b"AAAA/li+wu/AAAA+\n"
    data, left = _cleaned(context, _mixed(b"\nask " + MAIL, picture))
    assert data == _mixed(b"\nask [erased]", picture)
    assert left.finds == []


def test_a_text_in_an_encoding_that_takes_hours_is_read_as_bytes(context: RunContext) -> None:
    head = b"Content-Type: text/plain; charset=punycode\n\n" + MAIL + b"\n"
    slow = b"a-" + b"aa" * 500_000 + b"\n"
    data, left = _cleaned(context, HEAD + head + slow)
    assert left.finds == []
    assert data == HEAD + head.replace(MAIL, b"[erased]") + slow


@pytest.mark.parametrize(
    "pieces",
    [
        b"filename*0*=utf-8''%C5%81ucja%20No; filename*1*=wak.pdf",
        b'filename*0="of anna.reed@exa";\n\tfilename*1="mple.com.pdf"',
    ],
)
def test_a_file_name_in_pieces_is_read_as_one(context: RunContext, pieces: bytes) -> None:
    text = b"Content-Type: text/plain\nContent-Disposition: attachment; size=1; " + pieces
    data, left = _cleaned(context, HEAD + text + b"\n\nhello\n")
    assert left.finds == []
    assert b"attachment; size=1; filename" in data
    assert data.endswith(b"\n\nhello\n")
    assert "[erased]" in str(message_from_bytes(data).get_filename())


@pytest.mark.parametrize("before", [b"\xef\xbb\xbf", b"\n\n"])
def test_what_a_tool_wrote_before_the_header_hides_nothing(
    context: RunContext, before: bytes
) -> None:
    data, left = _cleaned(context, before + HEAD + _in_base64(b"ask " + MAIL))
    assert left.finds == []
    assert data == before + HEAD + _in_base64(b"ask [erased]")


def test_a_field_on_several_lines_is_one_text(context: RunContext) -> None:
    data, left = _cleaned(context, b"To: Li\n Wu <x@y>,\n\tBob Hill <bob@example.com>\n" + HEAD)
    assert left.finds == []
    assert data == b"To: [erased] <x@y>, Bob Hill <bob@example.com>\n" + HEAD
