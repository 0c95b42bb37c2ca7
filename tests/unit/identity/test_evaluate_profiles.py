from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from cdp_pipeline.core.errors import ConfigError
from cdp_pipeline.identity.measuring.evaluate_profiles import score_profiles


@pytest.fixture
def truth(tmp_path: Path) -> Path:
    with duckdb.connect() as con:
        con.execute(
            f"""
            create table persons as select * from (values
                ('P1', 'H1', 'Ann', 'Hay', date '1980-02-11', 'ann@web.de', '07700900123',
                    'HU1 1AA'),
                ('P2', 'H1', 'Bob', 'Hay', date '1981-02-11', 'bob@web.de', null, 'HU1 1AA'),
                ('P3', 'H2', 'Cat', 'Low', date '1982-02-11', null, null, 'YO1 1AA')
            ) as t (person_id, household_id, true_first_name, true_last_name, birth_date, email,
                mobile, postcode);
            create table person_records as select * from (values
                ('s', '1', 'P1'), ('s', '2', 'P2'), ('s', '3', 'P3')
            ) as t (source, record_key, person_id);
            create table web_sessions as select * from (values
                ('s1', 'P1', 'c1', true), ('s2', 'P1', 'c1', true), ('s3', 'P2', 'c1', true),
                ('s4', 'P3', null, false)
            ) as t (session_id, person_id, cookie_id, has_consent);
            copy persons to '{tmp_path}/persons.parquet';
            copy person_records to '{tmp_path}/person_records.parquet';
            copy web_sessions to '{tmp_path}/web_sessions.parquet';
            """
        )
    return tmp_path


@pytest.fixture
def version() -> duckdb.DuckDBPyConnection:
    con = duckdb.connect()
    con.execute(
        """
        attach ':memory:' as cdp; use cdp; create schema identity; create schema core;
        create table identity.records as select * from (values
            ('s', '1', true), ('s', '2', true), ('s', '3', true)
        ) as t (source, record_key, is_comparable);
        create table identity.customer_map as select * from (values
            ('s', '1', 'C1'), ('s', '2', 'C2'), ('s', '3', 'C3')
        ) as t (source, record_key, customer_id);
        create table identity.golden_records as select * from (values
            ('C1', 'HA', 'Ann', 'Hay', date '1980-02-11', 'ann@web.de', '+447700900123', 'HU1 1AA'),
            ('C2', 'HA', 'Rob', 'Hay', null, null, null, 'HU1 1AA'),
            ('C3', 'HA', 'Cat', 'Low', date '1982-02-12', null, null, null)
        ) as t (customer_id, household_id, given_name, family_name, birth_date, email, phone,
            postcode);
        create table core.fct_web_events as select * from (values
            ('s1', 'C1', 'account', 0.9, true), ('s2', 'C1', 'cookie', 0.8, true),
            ('s3', 'C1', 'cookie', 0.8, true), ('s4', null, null, null, false)
        ) as t (session_id, customer_id, identified_by, identity_prob, has_consent);
        """
    )
    return con


def test_golden_values_households_and_events_are_held_against_the_truth(
    version: duckdb.DuckDBPyConnection, truth: Path
) -> None:
    score = score_profiles(version, truth)
    assert score.customers == 3
    assert score.fields["given_name"] == pytest.approx(2 / 3, abs=1e-4)
    assert (score.fields["birth_date"], score.fields["mobile"]) == (0.5, 1.0)
    home = score.households
    assert (home.found, home.right, home.true, home.known_right) == (3, 1, 1, 1)
    assert (home.precision, home.recall, home.largest) == (pytest.approx(1 / 3), 1.0, 3)
    web = score.web
    assert web is not None
    assert (web.consented, web.identifiable, web.without_consent) == (3, 2, 0)
    assert (web.total.events, web.total.right, web.recall) == (3, 2, 1.0)
    assert [(s.identified_by, s.events, s.right) for s in web.by_kind] == [
        ("account", 1, 1),
        ("cookie", 2, 1),
    ]
    assert len(score.lines()) == 3


def test_truth_must_be_there(version: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no truth"):
        score_profiles(version, tmp_path)
