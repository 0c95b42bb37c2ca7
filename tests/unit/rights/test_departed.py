"""Who has left the current night is still known by what kept nights tell."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import duckdb
import pytest

from cdp_pipeline.core.context import RunContext
from cdp_pipeline.core.errors import PrivacyError
from cdp_pipeline.core.settings import load_settings
from cdp_pipeline.identity.erasure.subjects import Subject
from cdp_pipeline.rights import erasure
from cdp_pipeline.rights.departed import find_all_traces
from cdp_pipeline.rights.erasure import open_resolver
from cdp_pipeline.rights.pending import pending_files, read_pending
from cdp_pipeline.rights.searching import Searcher
from cdp_pipeline.rights.traces import Traces
from cdp_pipeline.rights.versions import clean_version
from cdp_pipeline.storage.files import write_json
from cdp_pipeline.storage.paths import DataPaths
from cdp_pipeline.storage.vault import write_personal
from cdp_pipeline.storage.versions import MANIFEST_FILE, parse_version
from cdp_pipeline.storage.warehouse import DATABASE_FILE, STORAGE_VERSION, VAULT
from tests.integration.store import ROOT

ANNA, BEN, OTHER = "C00000000000000AA", "C00000000000000BB", "C00000000000000CC"
HERS, SHARED, BENS = "anna@example.com", "both@example.com", "ben@example.com"
BEFORE = (("1", HERS, ANNA), ("2", SHARED, ANNA), ("3", BENS, BEN))
NOW = (("3", BENS, BEN), ("4", SHARED, BEN))
ALONE = (("1", HERS, ANNA), ("3", BENS, BEN))


@pytest.fixture
def context(tmp_path: Path) -> RunContext:
    settings = load_settings(ROOT, data_dir=tmp_path / "data")
    return RunContext(date(2026, 11, 17), "night", ROOT, settings)


def publish(context: RunContext, name: str, rows: tuple[tuple[str, str, str], ...]) -> Path:
    """Make a version whose vault says which record holds which address, and is whose."""
    paths = DataPaths.of(context)
    folder = paths.ensure(paths.versions / name)
    values = ", ".join(str(row) for row in rows)
    listed = f"(values {values}) as t(record_key, email, customer_id)"
    paths.ensure(folder / VAULT)
    with opened(folder) as con:
        select = (
            "select 'club' as source, record_key, email, "
            "lower(split_part(email, '@', 1)) as given_name, 'miller' as family_name, "
            "split_part(email, '@', 1) as printed_given, 'Miller' as printed_family, "
            "cast(null as varchar) as postcode, cast(null as varchar) as street, "
            f"cast(null as date) as birth_date from {listed}"
        )
        write_personal(con, select, folder, "identity.records", None)
        select = f"select 'club' as source, record_key, customer_id from {listed}"
        write_personal(con, select, folder, "identity.customer_map", None)
    write_json(folder / MANIFEST_FILE, {"rows": {}, "files": {}})
    paths.current.unlink(missing_ok=True)
    paths.current.symlink_to(Path("versions") / name)
    return folder


@contextmanager
def opened(folder: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open the file of a version to write to it."""
    with duckdb.connect() as con:
        place = f"'{folder / DATABASE_FILE}'"
        con.execute(f"attach {place} as v (storage_version '{STORAGE_VERSION}'); use v")
        yield con


def found(context: RunContext, *others: Subject) -> Traces:
    with open_resolver(context) as con:
        return find_all_traces(con, context, [Subject(customers=(ANNA,)), *others])


def emails(traces: Traces) -> set[tuple[int, str]]:
    """Return who of those erased holds which address."""
    return {(number, value) for number, kind, value in traces.holders if kind == "email"}


def test_what_a_record_said_that_is_gone_is_a_trace_unless_others_say_it_now(
    context: RunContext,
) -> None:
    publish(context, "000001-2026-11-16", BEFORE)
    publish(context, "000002-2026-11-17", NOW)
    traces = found(context)
    (subject,) = traces.subjects
    assert subject.records == (("club", "1"), ("club", "2"))
    assert subject.values == (HERS,)
    assert subject.names == (("anna", "miller"),)
    assert traces.names == {("anna", "miller")}
    assert {value for kind, value in traces.values if kind == "email"} == {HERS}
    searcher = Searcher(traces)
    assert searcher.kinds(HERS.encode())
    assert searcher.kinds(b"Mrs Anna Miller")
    assert not searcher.kinds(f"{SHARED} {BENS} Both Miller".encode())


def test_a_record_that_was_somebody_elses_before_it_went_is_theirs(context: RunContext) -> None:
    publish(context, "000001-2026-11-15", (("1", HERS, ANNA), ("2", SHARED, ANNA)))
    publish(context, "000002-2026-11-16", (("1", HERS, BEN),))
    publish(context, "000003-2026-11-17", (("3", BENS, BEN),))
    traces = found(context)
    (subject,) = traces.subjects
    assert subject.records == (("club", "2"),)
    assert emails(traces) == {(1, SHARED)}


def test_what_others_came_to_have_is_theirs_even_if_they_gave_it_up(context: RunContext) -> None:
    publish(context, "000001-2026-11-15", (("1", HERS, ANNA), ("2", SHARED, ANNA)))
    publish(context, "000002-2026-11-16", (("3", SHARED, BEN),))
    publish(context, "000003-2026-11-17", (("3", BENS, BEN),))
    assert emails(found(context)) == {(1, HERS)}


def test_what_several_records_of_theirs_said_is_theirs_alone(context: RunContext) -> None:
    """Of one that stays with another address, and of one that goes a night later."""
    publish(context, "000001-2026-11-14", (*ALONE, ("5", HERS, ANNA)))
    publish(context, "000002-2026-11-15", (("1", "anna@b.example", ANNA), ("3", BENS, BEN)))
    publish(context, "000003-2026-11-16", (("3", BENS, BEN),))
    assert emails(found(context)) == {(1, HERS), (1, "anna@b.example")}


def test_a_key_that_means_another_person_by_now_is_that_ones(context: RunContext) -> None:
    publish(context, "000001-2026-11-16", (("1", HERS, ANNA), ("2", "a@b.example", ANNA)))
    publish(context, "000002-2026-11-17", (("1", BENS, BEN),))
    traces = found(context)
    (subject,) = traces.subjects
    assert subject.records == (("club", "2"),)
    assert ("record", "club/1") not in traces.values
    assert ("email", BENS) not in traces.values


def test_what_a_record_said_that_stayed_with_somebody_else_is_that_ones(
    context: RunContext,
) -> None:
    publish(context, "000001-2026-11-16", (("1", SHARED, ANNA), ("2", SHARED, ANNA)))
    publish(context, "000002-2026-11-17", (("1", BENS, BEN),))
    assert emails(found(context)) == set()


def test_what_two_who_are_erased_at_once_shared_is_a_trace_of_both(context: RunContext) -> None:
    publish(context, "000001-2026-11-16", (("1", SHARED, ANNA), ("3", SHARED, BEN)))
    publish(context, "000002-2026-11-17", (("3", SHARED, BEN), ("4", "c@d.example", OTHER)))
    bens = Subject(customers=(BEN,), records=(("club", "3"),), values=(SHARED,))
    assert emails(found(context, bens)) == {(1, SHARED), (2, SHARED)}
    assert ("email", SHARED) not in found(context).values


def test_an_erasure_that_is_interrupted_still_knows_what_kept_nights_told(
    context: RunContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object) -> None:
        raise KeyboardInterrupt

    publish(context, "000001-2026-11-16", BEFORE)
    publish(context, "000002-2026-11-17", NOW)
    monkeypatch.setattr(erasure, "_carry_out", die)
    with pytest.raises(KeyboardInterrupt):
        erasure.erase_people(context, [Subject(customers=(ANNA,))])
    (path,) = pending_files(DataPaths.of(context))
    assert read_pending(path).traces == found(context)
    assert emails(read_pending(path).traces) == {(1, HERS)}


def test_a_kept_night_that_cannot_be_read_is_named(context: RunContext) -> None:
    folder = publish(context, "000001-2026-11-16", BEFORE)
    publish(context, "000002-2026-11-17", NOW)
    (folder / VAULT / "identity" / "customer_map.parquet").write_bytes(b"PAR1 torn PAR1")
    with pytest.raises(PrivacyError, match="cannot be read") as raised:
        found(context)
    assert raised.value.where == str(folder)


def test_who_had_an_id_in_a_night_that_was_rolled_back_is_nobody(context: RunContext) -> None:
    publish(context, "000001-2026-11-17", BEFORE)
    publish(context, "000002-2026-11-17", NOW)
    traces = found(context)
    (subject,) = traces.subjects
    assert subject == Subject(customers=(ANNA,))
    assert not traces.values


def test_no_block_that_a_night_left_idle_keeps_the_id_of_who_has_gone(context: RunContext) -> None:
    folder = publish(context, "000001-2026-11-17", NOW)
    (folder / VAULT / "identity" / "records.parquet").unlink()  # of other columns than are read
    database = folder / DATABASE_FILE
    with opened(folder) as con:
        con.execute("create schema core; create table core.stays as select 'S1' as store_id")
        con.execute(f"create table core.goes as select '{ANNA}' as customer_id from range(2000)")
        con.execute("checkpoint v; drop table core.goes; checkpoint v")
        select = f"select '{ANNA}' as customer_id"
        write_personal(con, select, folder, "core.customer_contact", None)
    assert ANNA.encode() in database.read_bytes()
    traces = Traces((Subject(customers=(ANNA,)),), words=frozenset({ANNA.casefold()}))
    done = clean_version(context, parse_version(folder), traces, Searcher(traces))
    assert done.rows == {"core.customer_contact": 1}
    held = [path for path in folder.rglob("*") if path.is_file()]
    assert [path for path in held if ANNA.encode() in path.read_bytes()] == []
    with opened(folder) as con:
        assert con.execute("from core.stays").fetchall() == [("S1",)]
