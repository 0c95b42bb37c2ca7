"""What stands for one person alone is a trace of theirs; what others share is not."""

from __future__ import annotations

import duckdb
import pytest

from cdp_pipeline.identity.erasure.subjects import Subject
from cdp_pipeline.privacy.suppression import create_normalisers
from cdp_pipeline.rights.searching import Searcher
from cdp_pipeline.rights.traces import (
    Traces,
    add_words,
    find_traces,
    load_values,
    records_of_values,
)

PERSON = ("linda", "lawrence")


def _make_shop(con: duckdb.DuckDBPyConnection) -> None:
    con.execute(
        "attach ':memory:' as cdp; use cdp; create schema core; "
        "create table core.dim_product (sku varchar, product_name varchar, is_listed boolean); "
        "create table core.dim_store (store_id varchar, store_name varchar)"
    )


def _named(
    con: duckdb.DuckDBPyConnection, *others: tuple[str, str], more: str = ""
) -> frozenset[tuple[str, str]]:
    """Return the names that tell the holder of record crm/1 beside other people."""
    con.execute(
        "create schema identity; create table identity.records as "
        "select 'crm' as source, cast(n as varchar) as record_key, given as given_name, "
        "family as family_name, upper(given) as printed_given, upper(family) as printed_family, "
        "cast(null as date) as birth_date, cast(null as varchar) as street, "
        "cast(null as varchar) as postcode from (values (1, 'linda', 'lawrence'), "
        + ", ".join(f"({n}, '{given}', '{family}')" for n, (given, family) in enumerate(others, 2))
        + ") as t(n, given, family)"
    )
    if more:
        con.execute(more)
    subject = Subject(customers=("C1",), records=(("crm", "1"),), values=(), names=(PERSON,))
    return find_traces(con, [subject]).names


@pytest.mark.parametrize(
    "other",
    [
        ("linda", "lawrence"),
        ("lawrence", "linda"),
        ("linda", "lawrence-green"),
        ("mary linda", "lawrence"),
        ("linda", "lawrence smith"),
    ],
)
def test_a_name_within_somebody_elses_is_no_trace(other: tuple[str, str]) -> None:
    with duckdb.connect() as con:
        assert _named(con, other) == frozenset()


def test_a_name_of_ones_own_is() -> None:
    with duckdb.connect() as con:
        assert _named(con, ("belinda", "lawrence"), ("linda", "law")) == {PERSON}


@pytest.mark.parametrize(
    "elsewhere",
    [
        "update identity.records set street = '12 linda lawrence st' where record_key = '2'",
        """
        update identity.records set street = if(record_key = '2', 'calle linda lawrence', street),
        printed_given = if(record_key = '1', 'Lindá', printed_given)
        """,
        "insert into core.dim_product values ('7', 'Ring, Linda Lawrence 18 ct', true)",
        "insert into core.dim_store values ('7', 'Linda Lawrence Mall')",
    ],
    ids=["street", "street without accents", "article", "store"],
)
def test_what_a_street_or_an_article_is_called_is_no_trace_of_its_namesake(elsewhere: str) -> None:
    """Whoever lives in Rue Victor Hugo keeps the home when a Victor Hugo goes."""
    with duckdb.connect() as con:
        _make_shop(con)
        assert _named(con, ("belinda", "law"), more=elsewhere) == frozenset()


def test_a_street_of_ones_own_a_guest_or_a_receipt_takes_no_name_off_the_list() -> None:
    with duckdb.connect() as con:
        _make_shop(con)
        own = (
            "update identity.records set street = 'linda lawrence house' where record_key = '1'; "
            "update identity.records set street = 'c/o linda lawrence' where record_key = '2'; "
            "insert into core.dim_product values ('7', 'gift card Linda Lawrence', false)"
        )
        assert _named(con, ("belinda", "law"), more=own) == {PERSON}


def test_records_of_an_older_version_are_told_by_their_values() -> None:
    with duckdb.connect() as con:
        create_normalisers(con)
        con.execute(
            "create schema identity; create table identity.records as from (values "
            "('web', 'A', 'Linda.Lawrence@example.com', null), "
            "('crm', '1', null, '+447700900123'), "
            "('crm', '2', 'linda.lawrence@example.org', '+447700900124')"
            ") as t(source, record_key, email, phone)"
        )
        values = {("email", "linda.lawrence@example.com"), ("phone", "700900123")}
        known = load_values(con, Traces(values=frozenset(values)), "erased_values")
        assert records_of_values(con, known) == {("web", "A"), ("crm", "1")}


def test_identifiers_of_others_are_told_from_numbers_of_theirs() -> None:
    with duckdb.connect() as con:
        create_normalisers(con)
        con.execute(
            "create schema identity; create schema core; "
            "create table identity.records as select *, null as given_name, null as family_name, "
            "null as printed_given, null as printed_family, cast(null as date) as birth_date, "
            "null as street, null as postcode from (values "
            "('crm', '1', '700900123', '52194500'), ('crm', '2', '700900999', '7700900123'), "
            "('crm', '3', '700900888', '1700900999')"
            ") as t(source, record_key, phone, loyalty_id); "
            "create table core.fct_orders as from (values "
            "('52194500', 'C2'), ('1700900123', 'C1'), ('W-3700900123', 'C3'), ('88', null)"
            ") as t(order_id, customer_id); "
            "create table core.fct_sales as from (values "
            "('till:3:600900123', '0052194500', null), ('0700900123', '0700900124', 'C1'), "
            "('till:2:52194500', '52194500-1', 'C2')"
            ") as t(sale_line_key, sale_id, customer_id)"
        )
        subject = Subject(customers=("C1",), records=(("crm", "1"),), values=(), names=())
        traces = find_traces(con, [subject])
    assert traces.others == {"7700900123", "52194500", "0052194500", "w-3700900123"}
    assert traces.phones == {"700900123"}
    assert not traces.numbers
    assert "52194500" not in traces.words
    assert Traces.from_dict(traces.as_dict()) == traces


def test_an_extension_of_somebody_else_is_no_trace_of_the_firms_number() -> None:
    with duckdb.connect() as con:
        create_normalisers(con)
        con.execute(
            "create schema identity; create table identity.records as from (values "
            "('crm', '1', '+4930123456'), ('crm', '2', '+493012345678'), ('crm', '3', '+4940987')"
            ") as t(source, record_key, phone)"
        )
        con.execute(
            "alter table identity.records add column given_name varchar; "
            "alter table identity.records add column family_name varchar; "
            "alter table identity.records add column printed_given varchar; "
            "alter table identity.records add column printed_family varchar; "
            "alter table identity.records add column birth_date date; "
            "alter table identity.records add column street varchar; "
            "alter table identity.records add column postcode varchar"
        )
        subject = Subject(customers=("C1",), records=(("crm", "1"),), values=(), names=())
        traces = add_words(find_traces(con, [subject]), [("phone", "030 123456")])
    searcher = Searcher(traces)
    for theirs in (b"+49 30 123456", b"030 123456 12 High Street", b"030 123456 7", b"030/123456"):
        assert searcher.kinds(theirs) == {"phone"}, theirs
    for others in (b"+49 30 123456 78", b"030/123456 78, 12 High Street", b"030 123456 78 12"):
        assert searcher.kinds(others) == set(), others
