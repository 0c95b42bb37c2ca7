"""Traces of people are found in any bytes, however they are spelled, and nobody else's are."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import quopri
import re
import unicodedata
from collections.abc import Callable
from html.entities import codepoint2name
from pathlib import Path
from typing import Literal
from urllib.parse import quote, quote_plus

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdp_pipeline.rights.files import clean_rows, redact_bytes
from cdp_pipeline.rights.prefixes import Places, Prefixes
from cdp_pipeline.rights.searching import Searcher
from cdp_pipeline.rights.telephones import Telephones, is_in_id
from cdp_pipeline.rights.traces import Traces, add_words

TRACES = add_words(
    Traces(words=frozenset({"c0a0b8732cd3faa7a"}), names=frozenset({("anna", "reed")})),
    [
        ("email", "Anna.Reed@Example.com"),
        ("phone", "+44 7700 900123"),
        ("loyalty_id", "12345678"),
        ("payment_token", "8e287203ad6f93a7"),
    ],
)
SPELLINGS = [
    "anna.reed@example.com",
    "ANNA.REED@EXAMPLE.COM",
    "07700 900123",
    "+44 (0)7700-900123",
    "0044.7700.900.123",
    "12345678",
    "0012345678",
    "8E287203AD6F93A7",
    "C0A0B8732CD3FAA7A",
    "Anna Reed",
    "Reed, Anna",
    "anna</td><td>reed",
    'anna","reed',
    "Anna|Reed",
    "Anna\N{NO-BREAK SPACE}Reed",
    "Reed&nbsp;Anna",
    "anna&#160;reed",
    "Anna+Reed",
    "/search?q=anna%20reed",
    "Reed,%20Anna",
]
OTHERS = [
    "joanna.reed@example.com",
    "anna.reed@example.community",
    "anna.reed2@example.com",
    "507700900123456789",
    "77009001234",
    "912345678",
    "123456789",
    "x12345678",
    "susanna reed",
    "anna+reed@example.org",
    "joe+anna+reed",
    "anna\N{LATIN SMALL LETTER A WITH GRAVE} reed",
    "anna reedham",
    "anna likes a reed",
    "c0a0b8732cd3faa7af",
]


@pytest.mark.parametrize("text", SPELLINGS)
@pytest.mark.parametrize("around", ["{}", "x,{},y", '{{"a":"{}"}}', "\0\0{}\0", "é{}\n"])
def test_every_spelling_is_found(text: str, around: str) -> None:
    assert Searcher(TRACES).kinds(around.format(text))


@pytest.mark.parametrize("text", OTHERS)
def test_others_are_not(text: str) -> None:
    assert not Searcher(TRACES).kinds(text)


MOBILE = ("phone", "07763 450123")


@pytest.mark.parametrize(
    "text",
    ["07763450123", "+44 7763 450123", "0044 (0)7763-450123", "011 44 7763 450123", "763450123"],
)
def test_a_telephone_number_is_found_behind_any_code(text: str) -> None:
    assert Searcher(add_words(Traces(), [MOBILE])).kinds(f"x,{text},y") == {"phone"}


@pytest.mark.parametrize(
    "text", ["Ring at 5 07763 450123", "2025-01-02 07763450123", "3 (07763) 450123"]
)
def test_a_telephone_number_is_found_behind_other_digits(text: str) -> None:
    searcher = Searcher(add_words(Traces(), [("phone", "+44 7763 450123")]))
    assert redact_bytes(text.encode(), searcher)[1] == 1
    (_, start, _), *_ = searcher.spans(text)
    assert text[start] == "0"


@pytest.mark.parametrize(
    "text", ["07763450123 12 High Street", "(07763) 450-123 (home)", "+44 7763 450123 2025-01-02"]
)
def test_a_telephone_number_is_found_before_other_digits(text: str) -> None:
    searcher = Searcher(add_words(Traces(), [("phone", "+44 7763 450123")]))
    assert redact_bytes(text.encode(), searcher)[1] == 1


def test_two_telephone_numbers_beside_each_other_are_both_found() -> None:
    both = [("phone", "+44 7763 450123"), ("phone", "07911 123456")]
    text = b"07763450123 07911123456"
    assert redact_bytes(text, Searcher(add_words(Traces(), both)))[0] == b"[erased] [erased]"
    for phone in both:
        assert redact_bytes(text, Searcher(add_words(Traces(), [phone])))[1] == 1


@pytest.mark.parametrize(
    "text",
    [
        "07763450123.5",
        "0776345012312",
        "1763450123",  # 2025-11-18, in seconds since 1970
        "1763450123.25",
        "12.763450123",
        "9999763450123",
        "3f2504e0-4f89-41d3-9a0c-0305e7634501",
        "a07763450123bcdef0123456789abcde",
    ],
)
def test_what_only_ends_like_a_telephone_number_is_none(text: str) -> None:
    assert not Searcher(add_words(Traces(), [MOBILE, ("phone", "0305e 7634501")])).kinds(text)


def test_a_number_that_somebody_else_has_is_theirs() -> None:
    others = frozenset({"7763450123", "a-5550763450123", "12345678"})
    known = [MOBILE, ("phone", "+45550763450123"), ("loyalty_id", "12345678")]
    searcher = Searcher(add_words(Traces(others=others), known))
    assert not searcher.kinds("7763450123|7763-450-123|a-5550763450123|12345678|0012345678")
    assert searcher.kinds("07763 450123") == searcher.kinds("447763450123") == {"phone"}
    hashed = [hashlib.sha256(n).hexdigest() for n in (b"12345678", b"7763450123", b"07763450123")]
    assert searcher.hits(hashed) == [False, False, True]


NAMED_LETTERS = {code: f"&{name};" for code, name in codepoint2name.items() if code > 127}


@pytest.mark.parametrize("name", [("zoë", "åkerström"), ("josé", "nuñez garcía"), ("李", "小龙")])
@pytest.mark.parametrize("case", [str.lower, str.upper, str.title])
@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_letters_beyond_ascii_are_found_as_they_are_written(
    name: tuple[str, str], case: Callable[[str], str], form: Literal["NFC", "NFD"]
) -> None:
    text = unicodedata.normalize(form, case(f"{name[1]}, {name[0]}"))
    searcher = Searcher(Traces(names=frozenset({name})))
    assert searcher.kinds(f"<p>{text}</p>") == {"name"}
    assert searcher.kinds(json.dumps({"name": text})) == {"name"}
    for page in (text, text.translate(NAMED_LETTERS)):
        assert searcher.kinds(f"<p>{page}</p>".encode("ascii", "xmlcharrefreplace")) == {"name"}
    assert searcher.kinds(f"/search?q={quote(text, safe=',')}") == {"name"}
    mail = quopri.encodestring(f"Dear {text}!".encode()).replace(b"=\n", b"")
    assert searcher.kinds(mail) == {"name"}
    if form == "NFC" and text.isprintable() and max(text) < "ā":
        assert searcher.kinds(text.encode("cp1252")) == {"name"}


def test_an_address_is_found_in_a_link() -> None:
    assert Searcher(TRACES).kinds("https://a.example/u?m=Anna.Reed%40Example.com&c=1")
    assert not Searcher(TRACES).kinds("https://a.example/u?m=joanna.reed%40example.com")


@pytest.mark.parametrize(
    ("name", "encoding"),
    [
        (("łukasz", "żółć"), "cp1250"),
        (("łukasz", "żółć"), "iso-8859-2"),
        (("şule", "yağmur"), "cp1254"),
        (("дмитрий", "щербаков"), "cp1251"),
        (("дмитрий", "щербаков"), "koi8-r"),
        (("дмитрий", "щербаков"), "cp866"),
        (("γιώργος", "παππάς"), "cp1253"),
    ],
)
@pytest.mark.parametrize("case", [str.lower, str.upper, str.title])
def test_names_are_found_in_encodings_of_one_byte_a_letter(
    name: tuple[str, str], encoding: str, case: Callable[[str], str]
) -> None:
    text = f"7;{case(name[0])};{case(name[1])};5.00".encode(encoding)
    assert Searcher(Traces(names=frozenset({name}))).kinds(text) == {"name"}


@pytest.mark.parametrize(
    "text",
    [
        json.dumps({"note": "write to\nanna.reed@example.com\tor"}),
        json.dumps({"note": "or ring 5\r07700900123"}),
        json.dumps({"url": "/?m=anna.reed@example.com"}).replace("=", r"\u003d"),
        json.dumps({"note": "bought by\nAnna Reed"}),
        "/?next=%2Fpay%3Fmail%3Danna.reed%40example.com%26page%3D2",
        "/?json=%7B%22mail%22%3A%22anna.reed%40example.com%22%2C%22tel%22%3A%2207700900123%22%7D",
        "/?next=%3Ftel%3D5%2607700900123",
        "/?who=%22Anna%22%2C%22Reed%22",
        "/?next=%253Fcard%253D12345678%2526x",
    ],
)
def test_people_are_found_behind_escaped_signs(text: str) -> None:
    assert Searcher(TRACES).kinds(text)
    cleaned, _ = redact_bytes(text.encode(), Searcher(TRACES))
    assert not Searcher(TRACES).kinds(cleaned)


@pytest.mark.parametrize(
    "name", [("mary ann", "o'brien"), ("anna (annie)", "reed, jr."), ("nora", "reed")]
)
def test_names_with_blanks_and_signs_are_found_in_links_and_json(name: tuple[str, str]) -> None:
    searcher, written = Searcher(Traces(names=frozenset({name}))), " ".join(name).title()
    by_form, by_path = quote_plus(written), quote(f"by {written}")
    texts = [
        *(f"/?q={link}&p=1" for link in (by_form, by_path)),
        *(f"/?next={quote('/?q=' + link, safe='')}" for link in (by_form, by_path)),
        json.dumps({"note": f"by\n{written}"}).replace("'", r"\u0027"),
        html.escape(f"<p>by {written}</p>"),
        rf"C:\{written}\x.txt",
        json.dumps(rf"C:\{written}"),
    ]
    for text in texts:
        assert searcher.kinds(text) == {"name"}, text
        assert not searcher.kinds(redact_bytes(text.encode(), searcher)[0]), text


@pytest.mark.parametrize("mailbox", ["nora.reed@example.com", "nora.o'reed@example.com"])
def test_addresses_are_found_behind_a_backslash_and_with_escaped_apostrophes(mailbox: str) -> None:
    searcher = Searcher(add_words(Traces(), [("email", mailbox)]))
    for text in (rf"CORP\{mailbox}", json.dumps(rf"CORP\{mailbox}"), json.dumps(f"or\n{mailbox}")):
        assert searcher.kinds(text) == {"word"}, text
    assert searcher.kinds(f"/?m={quote(mailbox, safe='')}") == {"word"}
    assert not searcher.kinds(rf"CORP\elea{mailbox}")


def test_each_of_many_words_behind_backslashes_is_found_where_it_stands() -> None:
    mailbox = b"nora.reed@example.com"
    searcher = Searcher(add_words(Traces(), [("email", mailbox.decode())]))
    text = bytearray(b"\\nobody is here " * 80_000)  # begins as the mailbox does
    window, margin, wanted = 1 << 19, 1 << 12, set()
    written = [b" \\", b" \\n", b" \\elea", b"\\\\"]
    for first in (0, 200, margin, window - margin - 9, window - 9, window + margin, 900_000):
        for place, before in zip(range(first, first + 160, 40), written, strict=True):
            text[place : place + 40] = (before + mailbox).ljust(40)
            wanted |= {place + len(before)} if before != b" \\elea" else set()
    assert {start for _, start, _ in searcher.spans(bytes(text))} == wanted
    nobody = b"\\nobody is here " * 80_000
    lonely = nobody[:700_000] + b" \\" + mailbox + b" " + nobody.replace(b"\\", b"/")
    assert [start for _, start, _ in searcher.spans(lonely)] == [700_002]


@pytest.mark.parametrize("text", ["Anna.Reed@example.com", "Reed Anna", "Щербаков Дмитрий"])
def test_people_are_found_in_a_link_within_a_link(text: str) -> None:
    names = frozenset({("anna", "reed"), ("дмитрий", "щербаков")})
    searcher = Searcher(Traces(words=TRACES.words, names=names))
    inner = quote(f"/unsubscribe?who={quote(text)}", safe="")
    assert searcher.kinds(f"https://a.example/?next={inner}&page=2")
    assert not searcher.kinds(f"https://a.example/?next={quote('/?who=jo')}{quote(quote(text))}")


@given(
    texts=st.lists(st.binary(min_size=1, max_size=12), max_size=20),
    size=st.integers(1, 8),
    data=st.data(),
)
def test_beginnings_are_found_where_a_plain_search_finds_them(
    texts: list[bytes], size: int, data: st.DataObject
) -> None:
    parts = data.draw(st.lists(st.sampled_from([*texts, b"x", b"\0"]), max_size=30))
    plain = b"".join(parts)
    longer = {text for text in texts if len(text) >= size}
    expected = {(i, t) for i in range(len(plain)) for t in longer if plain.startswith(t, i)}
    everywhere = Places.of(plain, np.arange(len(plain)))
    assert set(Prefixes(texts, size=size).candidates(plain, everywhere)) == expected


_PIECES = [
    "anna.reed@example.com",
    "12345678",
    "0",
    "7",
    "x",
    " ",
    ".",
    "-",
    "@",
    "\x01",
    "é",
    "8E2872",
]
_PIECES += ["07700 900123", "900123", "+44", "8e287203ad6f93a7", "anna", "reed", ",", "%40"]


@given(parts=st.lists(st.sampled_from(_PIECES), max_size=12))
def test_words_and_numbers_are_found_where_a_slow_search_finds_them(parts: list[str]) -> None:
    plain = "".join(parts).lower().encode()
    expected = set()
    for word in TRACES.words - TRACES.numbers:
        before = rb"[0-9a-z._+-]" if "@" in word else rb"[0-9a-z]"
        for found in re.finditer(
            rb"(?<!%s)%s(?![0-9a-z])" % (before, re.escape(word.encode())), plain
        ):
            expected.add(("word", *found.span()))
    for number in TRACES.numbers:
        for found in re.finditer(rb"(?<![0-9a-z])0*%s(?![0-9a-z])" % number.encode(), plain):
            expected.add(("number", *found.span()))
    found_now = {span for span in Searcher(TRACES).spans(plain) if span[0] in {"word", "number"}}
    assert found_now == expected
    telephones = Telephones(TRACES.phones, (), b" ().-/")
    is_called = any(
        run.endswith(tail)
        and telephones.is_spelt(run, tail)
        and not is_in_id(plain, found.start() + group.end(), found.start() + end)
        for found in re.finditer(rb"[0-9]([ ().\-/]*[0-9])*", plain)
        for group in re.finditer(rb"(?:^|[ (/][ ().\-/]*)(?=[0-9])", found[0])
        for end in [
            last.start() for last in re.finditer(rb"(?<=[0-9])(?=[ ().\-/]*[ (/]|$)", found[0])
        ]
        for run in [re.sub(rb"[^0-9]", b"", found[0][group.end() : end])]
        for tail in telephones.tails
    )
    assert ("phone" in Searcher(TRACES).kinds(plain)) == is_called


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (("jürgen", "großmüller"), "Jürgen Großmüller"),
        (("jürgen", "großmüller"), "JÜRGEN GROSSMÜLLER"),
        (("δημήτρης", "παπαδόπουλος"), "Δημήτρης Παπαδόπουλος"),
        (("δημήτρησ", "παπαδόπουλοσ"), "δημήτρης παπαδόπουλος"),
        (("王", "小明"), "王 小明"),
    ],
)
def test_names_are_found_in_every_case_of_their_letters(name: tuple[str, str], text: str) -> None:
    assert Searcher(Traces(names=frozenset({name}))).kinds(text) == {"name"}


@given(before=st.binary(max_size=300), after=st.binary(max_size=300), number=st.integers(0, 12))
def test_a_trace_is_found_anywhere(before: bytes, after: bytes, number: int) -> None:
    data = before + b" | " + SPELLINGS[number].encode() + b" | " + after
    searcher = Searcher(TRACES)
    assert searcher.kinds(data)
    cleaned, count = redact_bytes(data, searcher)
    assert count >= 1
    assert not searcher.kinds(cleaned)


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("shift", [-40, -12, -1, 0, 1])
def test_a_trace_is_found_once_where_windows_of_the_search_meet(spelling: str, shift: int) -> None:
    searcher, own = Searcher(TRACES), spelling.encode()
    beginning = (1 << 19) + shift
    data = b"x, " * (beginning // 3) + b" " * (beginning % 3) + own + b" ,y" * 2000
    spans = {(start, end) for _, start, end in searcher.spans(data)}
    assert spans == {(start + beginning, end + beginning) for _, start, end in searcher.spans(own)}


def test_rows_go_one_by_one_from_files_for_others(tmp_path: Path) -> None:
    table = tmp_path / "shoes.csv"
    table.write_text('id,size\n1,"5"" heel,\nanna reed"\n2,"6"" heel"\n', newline="")
    assert clean_rows(table, Searcher(TRACES)) == 1
    assert table.read_text() == 'id,size\n2,"6"" heel"\n'
    lines = tmp_path / "shoes.jsonl"
    lines.write_text('{"size": "5\\" heel"}\n{"name": "Anna Reed"}\n{"size": "6\\" heel"}\n')
    assert clean_rows(lines, Searcher(TRACES)) == 1
    assert lines.read_text() == '{"size": "5\\" heel"}\n{"size": "6\\" heel"}\n'


def test_digests_are_looked_for() -> None:
    searcher = Searcher(TRACES)
    for text in ("anna.reed@example.com", "+447700900123", "447700900123"):
        for name in ("md5", "sha1", "sha256"):
            digest = hashlib.new(name, text.encode())
            assert searcher.kinds(f"<td>{digest.hexdigest().upper()}</td>"), (text, name)
            for encode in (base64.b64encode, base64.urlsafe_b64encode):
                told = encode(digest.digest()).decode()
                assert searcher.kinds(f"/t?h={told}&p=1"), (text, name)
                assert searcher.kinds(f"/t?h={quote(told, safe='')}&p=1"), (text, name)


def test_digests_of_an_address_as_it_was_written_are_looked_for() -> None:
    searcher = Searcher(TRACES)
    assert searcher.kinds(hashlib.sha256(b"Anna.Reed@Example.com").hexdigest())
    assert not searcher.kinds(hashlib.sha256(b"Bob.Reed@Example.com").hexdigest())


def test_of_many_texts_those_with_a_trace_are_told() -> None:
    texts = ["", "a", "anna reed", "", "b", "07700900123", "c" * 5000, "reed anna"]
    assert Searcher(TRACES).hits(texts) == [False, False, True, False, False, True, False, True]


def test_traces_survive_being_written_down() -> None:
    assert Traces.from_dict(TRACES.as_dict()) == TRACES
