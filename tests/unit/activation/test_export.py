"""Audience files: consent, contact, differences, proofs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import date
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cdp_pipeline.activation import export
from cdp_pipeline.core.errors import ConfigError, PrivacyError
from cdp_pipeline.storage.warehouse import open_build

if TYPE_CHECKING:
    from tests.unit.activation.conftest import ExportNight
    from tests.unit.conftest import Marketing

    Nights = Callable[..., ExportNight]

NEXT = date(2026, 11, 21)
CUSTOMER = {"column": "customer_id", "header": "customer_id"}
EMAIL = {"column": "email", "header": "Email"}


@pytest.fixture
def mail_list(marketing: Marketing) -> Marketing:
    """Return a project with one segment and one e-mail audience."""
    marketing.declare("segment", "vips", where="visits > 0", channel="email")
    declare_list(marketing, [CUSTOMER, EMAIL, {"column": "given_name", "header": "First Name"}])
    return marketing


def declare_list(marketing: Marketing, fields: list[dict[str, Any]], **keys: object) -> None:
    defaults = {"content": "audience", "purpose": "marketing", "channel": "email"}
    marketing.declare("destination", "list", **{**defaults, **keys}, fields=fields)


def test_only_people_who_agreed_and_can_be_reached_are_listed(
    mail_list: Marketing, run_night: Nights
) -> None:
    for name in ("C1", "C2", "C3", "C4", "C5", "C6"):
        mail_list.add(name, given_name="Ann")
    mail_list.add("C3", email=None)
    mail_list.add("C4", email=" C1@Example.com")
    mail_list.grant("C1", "C3", "C4", "C5", channel="email")
    mail_list.grant("C6", channel="sms")
    mail_list.requests = [("C5", "objection")]
    night = run_night()
    assert night.customers("list", "vips.csv") == ["C1"]
    assert night.excluded("list", "vips") == {"no_consent": 3, "no_contact": 1, "shared_contact": 1}
    assert night.fetch(
        "select kind, rows, member_count, excluded_no_consent, excluded_no_contact, "
        "excluded_shared_contact from ops.exports order by kind"
    ) == [("added", 1, 0, 0, 0, 0), ("full", 1, 6, 3, 1, 1), ("removed", 0, 0, 0, 0, 0)]
    assert night.result.rows_in == night.result.rows_out + night.result.rows_set_aside == 6


def test_one_inbox_is_used_by_the_best_known_person(
    mail_list: Marketing, run_night: Nights
) -> None:
    mail_list.add("C1", email="home@example.com", record_count=1)
    mail_list.add("C2", email="Home@example.com", record_count=4)
    mail_list.grant("C1", "C2", channel="email")
    assert run_night().customers("list", "vips.csv") == ["C2"]


def test_print_goes_to_one_person_of_each_household(
    marketing: Marketing, run_night: Nights
) -> None:
    marketing.declare("segment", "vips", where="visits > 0", channel="post")
    declare_list(marketing, [CUSTOMER], channel="post", one_per="household")
    home = {"street": "1 High St", "postcode": "HU1 1AA"}
    marketing.add("C1", household_id="H1", record_count=9, **home)
    marketing.add("C2", household_id="H1", is_head=True, **home)
    marketing.add("C3", household_id="H2", is_head=True, visits=0, **home)
    marketing.add("C4", household_id="H2", record_count=2, **home)
    marketing.add("C5", household_id="H2", record_count=3, street=None, postcode=None)
    marketing.add("C6", **home)
    marketing.grant("C1", "C2", "C3", "C4", "C5", "C6", channel="post")
    night = run_night()
    assert night.customers("list", "vips.csv") == ["C2", "C4", "C6"]
    assert night.excluded("list", "vips") == {"no_contact": 1, "shared_contact": 1}


def test_people_kept_back_are_not_listed(mail_list: Marketing, run_night: Nights) -> None:
    mail_list.declare("segment", "vips", where="visits > 0", channel="email", holdout_share=0.5)
    names = [f"C{number:02}" for number in range(30)]
    for name in names:
        mail_list.add(name)
    mail_list.grant(*names, channel="email")
    night = run_night()
    kept = {row[0] for row in night.fetch("select customer_id from segments.membership "
                                          "where is_holdout")}  # fmt: skip
    listed = set(night.customers("list", "vips.csv"))
    assert kept
    assert listed == set(names) - kept
    assert night.excluded("list", "vips") == {"holdout": len(kept)}


def test_bytes_follow_rfc_4180(mail_list: Marketing, run_night: Nights) -> None:
    mail_list.add("C1", given_name='Zoë "Z", jr\nB')
    mail_list.add("C2", given_name="=1+1")
    mail_list.grant("C1", "C2", channel="email")
    night = run_night()
    assert (night.folder / "list" / "vips.csv").read_bytes() == (
        "customer_id,Email,First Name\r\n"
        'C1,c1@example.com,"Zoë ""Z"", jr\nB"\r\n'
        "C2,c2@example.com,'=1+1\r\n"
    ).encode()


def test_the_manifest_proves_the_files(mail_list: Marketing, run_night: Nights) -> None:
    mail_list.add("C1")
    mail_list.grant("C1", channel="email")
    night = run_night()
    manifest = night.manifest("list")
    assert manifest["business_date"] == "2026-11-20"
    assert (manifest["consent_purpose"], manifest["consent_channel"]) == ("marketing", "email")
    assert [file["file_name"] for file in manifest["files"]] == [
        "vips.csv",
        "vips_added.csv",
        "vips_removed.csv",
    ]
    for file in manifest["files"]:
        content = (night.folder / "list" / file["file_name"]).read_bytes()
        assert file["sha256"] == hashlib.sha256(content).hexdigest()
        assert file["bytes"] == len(content)
    definitions = night.fetch("select definition_sha256 from segments.definitions")
    assert {(file["definition_sha256"],) for file in manifest["files"]} == set(definitions)
    modes = {path.stat().st_mode & 0o777 for path in (night.folder / "list").iterdir()}
    assert modes == {0o640}


@pytest.mark.parametrize("file_format", ["csv", "jsonl", "parquet"])
def test_a_rerun_gives_the_same_bytes(
    mail_list: Marketing, run_night: Nights, file_format: str
) -> None:
    declare_list(mail_list, [CUSTOMER, EMAIL], format=file_format)
    names = [f"C{number:03}" for number in range(60)]
    for name in reversed(names):
        mail_list.add(name)
    mail_list.grant(*names, channel="email")
    first = run_night()
    before = {p.name: p.read_bytes() for p in (first.folder / "list").iterdir()}
    again = run_night()
    assert {p.name: p.read_bytes() for p in (again.folder / "list").iterdir()} == before
    path = str(again.folder / "list" / f"vips.{file_format}")
    reader = {"csv": "read_csv", "jsonl": "read_json", "parquet": "read_parquet"}[file_format]
    with duckdb.connect() as con:
        rows = con.execute(f"select customer_id, Email from {reader}(?)", [path]).fetchall()
    assert rows == [(name, f"{name.lower()}@example.com") for name in names]


def test_differences_carry_what_changed(mail_list: Marketing, run_night: Nights) -> None:
    for name in ("C1", "C2", "C3", "C4"):
        mail_list.add(name, given_name="Ann")
    mail_list.grant("C1", "C2", "C3", "C4", "C5", channel="email")
    first = run_night(publish=True)
    assert first.customers("list", "vips_added.csv") == ["C1", "C2", "C3", "C4"]
    assert first.customers("list", "vips_removed.csv") == []
    mail_list.add("C2", given_name="Anna")
    mail_list.add("C3", email="new@example.com")
    mail_list.consents.append(("C4", "marketing", "email", "withdrawn", "2026-11-21 09:00:00"))
    mail_list.add("C5")
    second = run_night(NEXT, publish=True)
    assert second.customers("list", "vips.csv") == ["C1", "C2", "C3", "C5"]
    assert second.customers("list", "vips_added.csv") == ["C2", "C3", "C5"]
    assert [row["Email"] for row in second.rows("list", "vips_removed.csv")] == [
        "c3@example.com",
        "c4@example.com",
    ]
    third = run_night(date(2026, 11, 22))
    assert third.rows("list", "vips_added.csv") == third.rows("list", "vips_removed.csv") == []


def test_a_hashed_destination_gets_removals_it_can_match(
    mail_list: Marketing, run_night: Nights
) -> None:
    declare_list(mail_list, [{**EMAIL, "hash": "meta", "kind": "email"}])
    mail_list.add("C1")
    mail_list.grant("C1", channel="email")
    run_night(publish=True)
    del mail_list.customers["C1"]
    rows = run_night(NEXT).rows("list", "vips_removed.csv")
    assert rows == [{"Email": hashlib.sha256(b"c1@example.com").hexdigest()}]


def test_a_merge_removes_only_what_the_survivor_does_not_use(
    mail_list: Marketing, run_night: Nights
) -> None:
    declare_list(mail_list, [EMAIL])
    mail_list.add("C1")
    mail_list.add("C2")
    mail_list.grant("C1", "C2", channel="email")
    run_night(publish=True)
    del mail_list.customers["C2"]
    mail_list.redirects = {"C2": "C1"}
    night = run_night(NEXT)
    assert night.rows("list", "vips_removed.csv") == [{"Email": "c2@example.com"}]
    assert night.rows("list", "vips_added.csv") == []


def test_a_retired_segment_is_withdrawn_once(mail_list: Marketing, run_night: Nights) -> None:
    mail_list.add("C1")
    mail_list.grant("C1", channel="email")
    run_night(publish=True)
    mail_list.drop("segment", "vips")
    second = run_night(NEXT, publish=True)
    assert second.customers("list", "vips_removed.csv") == ["C1"]
    assert not (second.folder / "list" / "vips.csv").exists()
    third = run_night(date(2026, 11, 22))
    assert third.manifest("list")["files"] == []


def test_small_audiences_are_not_written_but_removals_are(
    mail_list: Marketing, run_night: Nights
) -> None:
    declare_list(mail_list, [CUSTOMER, EMAIL], minimum_rows=2)
    for name in ("C1", "C2"):
        mail_list.add(name)
    mail_list.grant("C1", "C2", "C3", channel="email")
    run_night(publish=True)
    del mail_list.customers["C1"]
    mail_list.customers["C2"]["visits"] = 0
    mail_list.add("C3")
    second = run_night(NEXT, publish=True)
    assert [file["file_name"] for file in second.manifest("list")["files"]] == ["vips_removed.csv"]
    assert second.customers("list", "vips_removed.csv") == ["C1", "C2"]
    assert "list: vips has 1 rows, fewer than 2: not written" in second.result.messages
    assert second.fetch("select count(*) from ops.export_members") == [(0,)]


def test_another_purpose_must_be_granted_as_well(mail_list: Marketing, run_night: Nights) -> None:
    declare_list(mail_list, [CUSTOMER, EMAIL], also_needs=["profiling"])
    for name in ("C1", "C2"):
        mail_list.add(name)
    mail_list.grant("C1", "C2", channel="email")
    mail_list.consents.append(("C2", "profiling", None, "granted", "2026-01-01 10:00:00"))
    assert run_night().customers("list", "vips.csv") == ["C2"]


def test_the_purpose_of_the_segment_counts_beside_that_of_the_destination(
    mail_list: Marketing, run_night: Nights
) -> None:
    mail_list.declare("segment", "vips", where="visits > 0", channel="email", purpose="research")
    mail_list.add("C1")
    mail_list.add("C2")
    mail_list.grant("C1", "C2", channel="email")
    mail_list.grant("C2", channel="email", purpose="research")
    assert run_night().customers("list", "vips.csv") == ["C2"]


def test_analysis_needs_no_consent_and_gets_no_personal_data(
    mail_list: Marketing, run_night: Nights
) -> None:
    fields = [CUSTOMER, {"column": "segment", "header": "segment"},
              {"column": "spend_amount", "header": "spend"}]  # fmt: skip
    declare_list(mail_list, fields, purpose=None, channel=None)
    mail_list.add("C1")
    assert run_night().rows("list", "vips.csv") == [
        {"customer_id": "C1", "segment": "vips", "spend": "10.00"}
    ]


@pytest.mark.parametrize(
    ("fields", "keys", "words"),
    [
        ([EMAIL], {"purpose": None, "channel": None}, "needs `purpose:` and `channel:`"),
        ([CUSTOMER], {"channel": None}, "go together"),
        ([CUSTOMER], {"purpose": None, "channel": None, "content": "trigger"}, "a trigger"),
        ([CUSTOMER, {**CUSTOMER, "column": "visits"}], {}, "stands twice"),
        ([{"column": "visits", "header": "n"}], {}, "whom to remove"),
        ([{**EMAIL, "hash": "meta"}], {}, "needs `kind:`"),
        ([{**EMAIL, "hash": "google", "kind": "postcode"}], {}, "in the clear"),
        ([{**CUSTOMER, "header": 'a"b'}], {}, "header"),
        ([CUSTOMER], {"purpose": None, "channel": None, "also_needs": ["x"]}, "also_needs"),
        ([CUSTOMER, {"column": "visitz", "header": "n"}], {}, "Did you mean `visits`"),
        ([CUSTOMER, {"column": "city", "header": "n"}], {"purpose": None, "channel": None}, "city"),
    ],
)
def test_unsound_destinations_are_refused(
    mail_list: Marketing,
    run_night: Nights,
    fields: list[dict[str, Any]],
    keys: dict[str, Any],
    words: str,
) -> None:
    declare_list(mail_list, fields, **keys)
    with pytest.raises(ConfigError, match=words) as caught:
        run_night()
    assert "list.yml" in str(caught.value.where)


def test_a_hole_in_the_gate_stops_the_night(
    mail_list: Marketing, monkeypatch: pytest.MonkeyPatch, run_night: Nights
) -> None:
    mail_list.add("C1")
    mail_list.add("C2")
    mail_list.grant("C1", channel="email")
    choose = export.choose_members

    def let_everybody_in(con: duckdb.DuckDBPyConnection, **options: Any) -> None:
        choose(con, **options)
        con.execute("update chosen set outcome = 'sent'")

    monkeypatch.setattr(export, "choose_members", let_everybody_in)
    with pytest.raises(PrivacyError, match="1 rows"):
        run_night()


NAMES = ["C1", "C2", "C3", "C4"]


@given(
    statements=st.lists(
        st.tuples(
            st.sampled_from(NAMES),
            st.just("marketing"),
            st.sampled_from(["email", None]),
            st.sampled_from(["granted", "granted", "withdrawn", "objected"]),
            st.sampled_from(["2026-01-01 10:00:00", "2026-02-01 10:00:00", None]),
        ),
        max_size=8,
    ),
    blocked=st.sets(st.sampled_from(NAMES), max_size=2),
)
@settings(
    max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_nobody_exported_is_without_a_standing_grant(
    mail_list: Marketing,
    run_night: Nights,
    statements: list[tuple[str, str, str | None, str, str | None]],
    blocked: set[str],
) -> None:
    for name in NAMES:
        mail_list.add(name)
    mail_list.consents = statements
    mail_list.requests = [(name, "erasure") for name in sorted(blocked)]
    exported = set(run_night().customers("list", "vips.csv"))
    granted = {(s[0], s[4]) for s in statements if s[3] == "granted" and s[2] == "email" and s[4]}
    refused = {(s[0], s[4] or "9999") for s in statements if s[3] != "granted"}
    standing = {
        name
        for name, at in granted
        if not any(other == name and later >= at for other, later in refused)
    }
    assert exported == standing - blocked


def test_tables_are_documented(mail_list: Marketing, run_night: Nights) -> None:
    mail_list.add("C1")
    night = run_night()
    with open_build(night.context) as con:
        bare = con.execute(
            "select table_name, column_name from duckdb_columns() "
            "where schema_name in ('ops', 'segments') and database_name = 'cdp' "
            "and comment is null"
        ).fetchall()
    assert bare == []
    assert json.dumps(night.result.as_dict())
