"""Whose an address is that linkage ignores: nobody else's record may have it, or all stay."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import duckdb
import pytest

from cdp_pipeline.core.context import RunContext
from cdp_pipeline.core.errors import ConfigError
from cdp_pipeline.core.settings import load_settings
from cdp_pipeline.identity.erasure.subjects import find_subjects
from cdp_pipeline.privacy.suppression import create_normalisers
from cdp_pipeline.rights.ignored import load_ignored
from cdp_pipeline.rights.traces import find_traces

HERS = "null@quillfeather.example"
RECORDS = """
create schema identity;
create table identity.records as
select
    source, record_key, loyalty_id, given as given_name, family as family_name,
    given as printed_given, family as printed_family, null::date as birth_date,
    null::varchar as street, null::varchar as postcode, null::varchar as email,
    null::varchar as phone, null::varchar as account_id, null::varchar as payment_token,
    null::varchar as national_id, null::varchar as identifier
from (values
    ('crm', '1', '971', 'anna', 'quillfeather'), ('mail', 'bare', null, null, null),
    ('crm', '2', '972', 'barnaby', 'quillfeather'), ('till', 't9', '973', null, null)
) as t(source, record_key, loyalty_id, given, family);
create table identity.customer_map (source varchar, record_key varchar, customer_id varchar);
insert into identity.customer_map values
    ('crm', '1', 'C0000000000000001'), ('crm', '2', 'C0000000000000002');
create table identity.redirects (old_customer_id varchar, customer_id varchar);
create temp table erasure_ignored (source varchar, record_key varchar, kind varchar, value varchar)
"""


@pytest.fixture
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as made:
        create_normalisers(made)
        made.execute(RECORDS)
        yield made


def hold(con: duckdb.DuckDBPyConnection, *records: str) -> None:
    """Let records have the address."""
    for record in records:
        con.execute("insert into erasure_ignored values (?, ?, 'email', ?)",
                    [*record.split(":"), HERS])  # fmt: skip


@pytest.mark.parametrize("asked", ["Null@Quillfeather.example", "crm:1", "971"])
def test_an_address_of_hers_alone_is_a_trace_with_the_rows_that_hold_nothing_else(
    con: duckdb.DuckDBPyConnection, asked: str
) -> None:
    hold(con, "crm:1", "mail:bare")
    (anna,) = find_subjects(con, [asked])
    assert anna.records == (("crm", "1"), ("mail", "bare"))
    traces = find_traces(con, [anna])
    assert ("email", HERS) in traces.values
    assert HERS in traces.words


@pytest.mark.parametrize("other", ["crm:2", "till:t9", "gone:1"])
def test_an_address_that_somebody_else_may_have_is_nobodys(
    con: duckdb.DuckDBPyConnection, other: str
) -> None:
    """Another customer, a receipt with a card of its own, a row of whom nothing is known now."""
    hold(con, "crm:1", "mail:bare", other)
    with pytest.raises(ConfigError, match="2 customers and records hold this identifier"):
        find_subjects(con, [HERS])
    (anna,) = find_subjects(con, ["crm:1"])
    assert anna.records == (("crm", "1"),)
    assert ("email", HERS) not in find_traces(con, [anna]).values


def test_rows_of_nobody_are_found_by_the_address_alone(con: duckdb.DuckDBPyConnection) -> None:
    hold(con, "mail:bare")
    (nobody,) = find_subjects(con, [HERS])
    assert (nobody.customers, nobody.records) == ((), (("mail", "bare"),))
    assert ("email", HERS) in find_traces(con, [nobody]).values


def test_without_the_table_nobody_is_known_by_it(con: duckdb.DuckDBPyConnection) -> None:
    con.execute("drop table erasure_ignored")
    with pytest.raises(ConfigError, match="nobody is known"):
        find_subjects(con, [HERS])


def test_what_strangers_will_write_again_is_nobodys(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    """Or one customer would be found by 0000000000, and erased with all who write it later."""
    project = Path(__file__).parents[3]
    context = RunContext(
        date(2026, 11, 16), "test", project, load_settings(project, data_dir=tmp_path)
    )
    staged = tmp_path / "staging" / "loyalty_members" / "0123456789abcdef-1.parquet"
    staged.parent.mkdir(parents=True)
    con.execute(
        "copy (select *, null as first_name, null as last_name, null as birth_date, "
        "null as street, null as postcode from (values "
        f"('1000000001', '{HERS}', '0000000000'), ('1000000002', 'None@none.com', '123456789'), "
        "('9999999999', 'anna@quillfeather.example', '07700 900123'), "
        "('1000000003', 'test@test.example', '07700 900124')"
        f") as t(member_no, email, mobile)) to '{staged}' (format parquet)"
    )
    earlier = staged.with_name("0123456789abcdef-0.parquet")  # its contract knew no more
    con.execute(
        "copy (from (values ('1000000005', '07700 900123')) as t(member_no, mobile)) "
        f"to '{earlier}' (format parquet)"
    )
    con.execute(
        "create table identity.hubs as select field, left(sha256(field || ':' || value), 16) "
        "as value_hash, reason from (values ('phone', '000000000', 'placeholder'), "
        "('loyalty_id', '9999999999', 'placeholder'), ('email', 'none@none.com', 'placeholder'), "
        "('phone', '700900123', 'many values of family_name')) as t(field, value, reason)"
    )
    load_ignored(con, context)
    found = con.execute("select distinct record_key, kind, value from erasure_ignored order by all")
    assert found.fetchall() == [
        ("1000000001", "email", HERS),
        ("1000000005", "phone", "700900123"),
        ("9999999999", "phone", "700900123"),
    ]
