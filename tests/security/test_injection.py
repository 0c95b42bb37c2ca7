"""Text from outside stays text: in SQL, on paths, in pages, cells, letters, logs and YAML."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable
from datetime import date
from pathlib import Path

import duckdb
import pytest
import structlog
from hypothesis import given, settings
from hypothesis import strategies as st

from cdp_pipeline.core import log
from cdp_pipeline.core.context import RunContext
from cdp_pipeline.core.errors import CdpError, ConfigError
from cdp_pipeline.project.loader import load_project
from cdp_pipeline.storage.warehouse import quote_column, quote_identifier, quote_literal
from tests.faults.publisher import YESTERDAY, context_of, prepare

HOSTILE = (
    "o'; drop table core.numbers; --",
    'o"; drop table core.numbers; --',
    "x' or '1'='1",
    "$$; select 1; $$",
    "a\x00b",
    "{{ 7 * 7 }}",
    "%(name)s ? $1 :x",
    "\u202eevil",
    "\n\r\t",
    "",
)


@pytest.mark.parametrize("text", [text for text in HOSTILE if "\x00" not in text])
def test_quoted_text_is_inert_in_sql(text: str) -> None:
    con = duckdb.connect()
    con.execute("create schema core")
    con.execute("create table core.numbers as select 1 as n")
    assert con.execute(f"select {quote_literal(text)}").fetchall() == [(text,)]
    if text:
        con.execute(f"create table t ({quote_column(text)} integer)")
        assert [row[0] for row in con.execute("describe t").fetchall()] == [text]
    assert con.execute("select count(*) from core.numbers").fetchall() == [(1,)]
    con.close()


@settings(deadline=None)
@given(st.text(alphabet=st.characters(exclude_characters="\x00", codec="utf-8"), min_size=1))
def test_any_text_is_inert_in_sql(text: str) -> None:
    assert duckdb.execute(f"select {quote_literal(text)}").fetchall() == [(text,)]
    plain = text.replace(".", "")
    if plain:
        statement = f"select 1 as {quote_identifier(plain)}, 2 as {quote_column(text)}"
        assert duckdb.execute(statement).fetchall() == [(1, 2)]


def test_the_path_of_the_data_folder_is_inert(tmp_path: Path) -> None:
    root = tmp_path / "o'; drop table core.numbers; --"
    prepare(root)
    current = context_of(root, YESTERDAY).data_dir / "warehouse" / "current" / "cdp.duckdb"
    with duckdb.connect(str(current), read_only=True) as con:
        assert con.execute("select count(*) from core.numbers").fetchall() == [(3,)]


YAML = {
    "an object": "!!python/object/apply:os.system ['touch {mark}']",
    "a name": "title: !!python/name:os.system x",
    "an anchor that grows": "a: &a [x,x,x,x,x,x,x,x,x]\n"
    + "".join(f"{b}: &{b} [*{a},*{a},*{a},*{a},*{a},*{a},*{a},*{a},*{a}]\n"
              for a, b in zip("abcdefgh", "bcdefghi", strict=True)),
    "an anchor of itself": "title: &a [*a]",
    "deep brackets": "title: " + "[" * 5_000,
    "deep braces": "{a: " * 5_000,
    "a key twice": "title: a\ntitle: b",
    "a number that was a text": "title: 017",
    "a truth that was a text": "title: NO",
    "a time that was a text": "title: 22:30",
    "a huge file": "title: " + "x" * 1_100_000,
    "several documents": "title: a\n---\ntitle: b",
    "nothing": "",
    "a list": "- a\n- b",
    "no UTF-8": "title: \udcff",
    "a control character": "title: a\x01b",
    "a tab": "title:\n\t- a",
    "an unknown tag": "title: !secret x",
    "a merge key": "<<: {title: a}",
    "an unhashable key": "? [a, b]\n: c",
    "an unhashable mapping": "? {a: b}\n: c",
    "no date of any calendar": "title: 2026-13-45",
    "a number too long": "title: " + "9" * 5_000,
    "base 60": "title: 190:20:30",
    "a date as a key": "2026-01-01: x",
}  # fmt: skip

PLACES = (
    "expectations/till.yml", "sql/marketing/segments/vips.yml", "sql/marketing/offers/boots.yml",
    "sql/marketing/destinations/mailer.yml", "reports/daily.yml", "sql/identity/links.yml",
)  # fmt: skip


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("case", YAML)
def test_hostile_declarations_are_refused_with_their_file(
    project_root: Path, place: str, case: str
) -> None:
    mark = project_root / "was-run"
    path = project_root / place
    path.parent.mkdir(parents=True, exist_ok=True)
    text = YAML[case].replace("{mark}", str(mark))
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(ConfigError) as caught:
        load_project(project_root)
    assert path.name in str(caught.value)
    assert not mark.exists()


def test_log_lines_cannot_be_forged() -> None:
    stream = io.StringIO()
    log.configure(stream=stream, as_json=True, verbose=True)
    try:
        forged = 'x"}\n{"event": "forged"}\r\x85\u2028'
        log.get_logger("t").info(
            "read", file_name=forged, mail="ann@example.com", more=["ann@example.com"]
        )
    finally:
        log.configure()
        structlog.contextvars.clear_contextvars()
    lines = stream.getvalue().split("\n")
    assert len(lines) == 2
    document = json.loads(lines[0])
    assert document["event"] == "read"
    assert (document["mail"], document["more"]) == ("[email]", ["[email]"])


SECRETS = ("password", "token", "secret", "authorization", "api_key", "master")


@pytest.mark.parametrize("name", SECRETS)
def test_secrets_are_masked_in_logs_by_their_name(name: str) -> None:
    stream = io.StringIO()
    log.configure(stream=stream, as_json=True, verbose=True)
    try:
        log.get_logger("t").info("signed_in", **{name: "hunter2hunter2"})
    finally:
        log.configure()
    assert "hunter2" not in stream.getvalue()


def test_secrets_of_settings_never_show(
    project_root: Path, monkeypatch: pytest.MonkeyPatch,
    make_context: Callable[..., RunContext],
) -> None:  # fmt: skip
    secrets = {
        "CDP_MAIL__PASSWORD": "hunter2-mail",
        "CDP_KEYS__MASTER": "hunter2-key",
        "CDP_IDENTITY__ID_SECRETS": '["hunter2-ids"]',
        "CDP_LOCATIONS__SHOP__SECRET": "hunter2-s3",
        "CDP_LOCATIONS__SHOP__PASSWORD": "hunter2-sftp",
    }
    for name, value in secrets.items():
        monkeypatch.setenv(name, value)
    made = make_context(date(2026, 11, 20)).settings
    shown = f"{made!r} {made} {made.model_dump_json()} {made.model_dump()}"
    assert "hunter2" not in shown
    from cdp_pipeline.core.keys import load_keyring

    with pytest.raises(CdpError) as caught:
        load_keyring(made.keys)
    assert "hunter2" not in f"{caught.value} {caught.value.as_dict()}"
    assert os.environ["CDP_KEYS__MASTER"] == "hunter2-key"
    assert project_root.is_dir()
