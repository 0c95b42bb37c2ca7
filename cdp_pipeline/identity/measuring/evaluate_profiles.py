"""How good golden records, households and the joining of web events are, where truth is known.

Reads the truth of a generated store; who is one person is measured in ``evaluate``. A customer
stands for the person of most of its records.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import duckdb

from cdp_pipeline.core.errors import ConfigError
from cdp_pipeline.storage.warehouse import fetch_dicts, has_table

TRUTH_TABLES = ("persons", "person_records", "web_sessions")


@dataclass(frozen=True)
class HouseholdScore:
    """Pairs of customers, of different persons, that live together.

    Attributes:
        found: Pairs in one household.
        right: Those that are true.
        true: True pairs.
        known: True pairs whose two golden addresses do not contradict the truth.
        known_right: Those that were found.
        largest: Customers of the largest household.
    """

    found: int
    right: int
    true: int
    known: int
    known_right: int
    largest: int

    @property
    def precision(self) -> float:
        """Share of found pairs that are true."""
        return self.right / self.found if self.found else 1.0

    @property
    def recall(self) -> float:
        """Share of true pairs that were found."""
        return self.right / self.true if self.true else 1.0

    @property
    def known_recall(self) -> float:
        """Recall where no source has told a wrong address only."""
        return self.known_right / self.known if self.known else 1.0


@dataclass(frozen=True)
class EventScore:
    """Web events joined to people in one way, or in all ways.

    Attributes:
        identified_by: The way; ``all`` for the whole.
        events: Events joined.
        right: Those joined to the true person.
        mean_prob: Mean of their ``identity_prob``.
    """

    identified_by: str
    events: int
    right: int
    mean_prob: float

    @property
    def precision(self) -> float:
        """Share of joined events that are the person's."""
        return self.right / self.events if self.events else 1.0


@dataclass(frozen=True)
class AttributionScore:
    """Web events and the people they were joined to.

    Attributes:
        consented: Events with consent.
        identifiable: Those on a cookie or in a session that showed their person at some time.
        without_consent: Events without consent that were joined nevertheless.
        total: All joined events.
        by_kind: One score for each way.
    """

    consented: int
    identifiable: int
    without_consent: int
    total: EventScore
    by_kind: tuple[EventScore, ...]

    @property
    def recall(self) -> float:
        """Share of identifiable events that were joined to the true person."""
        return self.total.right / self.identifiable if self.identifiable else 1.0


@dataclass(frozen=True)
class ProfileScore:
    """All figures of one version.

    Attributes:
        customers: Customers with a known person.
        fields: Share of golden values that are true, by field.
        households: Pairs that live together.
        web: None when the version has no web events.
    """

    customers: int
    fields: dict[str, float]
    households: HouseholdScore
    web: AttributionScore | None

    def as_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return asdict(self)

    def lines(self) -> list[str]:
        """Return the figures as lines for people."""
        home = self.households
        fields = ", ".join(f"{name} {share:.3f}" for name, share in self.fields.items())
        homes = (
            f"precision {home.precision:.3f}, recall {home.recall:.3f} "
            f"({home.known_recall:.3f} where addresses are known), largest {home.largest}"
        )
        lines = [f"  golden     {fields} (share of values)", f"  households {homes}"]
        if self.web:
            web = self.web
            lines.append(
                f"  web        precision {web.total.precision:.3f}, recall {web.recall:.3f} of "
                f"{web.identifiable:,} identifiable events; {web.without_consent} without consent"
            )
        return lines


def score_profiles(con: duckdb.DuckDBPyConnection, truth_dir: Path) -> ProfileScore:
    """Compare a version's golden records, households and web events with the truth.

    Args:
        con: Connection to a published version.
        truth_dir: Folder with the truth of a generated store.

    Raises:
        ConfigError: The folder lacks a truth table.
    """
    # The published connection may not read files, so both sides meet in a private one.
    with duckdb.connect() as private:
        for name in TRUTH_TABLES:
            path = truth_dir / f"{name}.parquet"
            if not path.is_file():
                raise ConfigError(
                    "no truth to compare with",
                    where=str(path),
                    hint="Give the truth folder of a generated store.",
                )
            private.execute(f"create table true_{name} as from read_parquet(?)", [str(path)])
        _bring(con, private, "golden", "select * from identity.golden_records")
        _bring(con, private, "mapped", _MAPPED)
        private.execute(_OWNERS)
        has_web = has_table(con, "core.fct_web_events")
        if has_web:
            _bring(con, private, "events", _EVENTS)
        fields = fetch_dicts(private, _FIELDS)[0]
        return ProfileScore(
            customers=int(fields.pop("customers")),
            fields={name: round(float(share or 0), 4) for name, share in fields.items()},
            households=HouseholdScore(**fetch_dicts(private, _HOUSEHOLDS)[0]),
            web=_score_events(private) if has_web else None,
        )


def _bring(
    con: duckdb.DuckDBPyConnection, private: duckdb.DuckDBPyConnection, name: str, sql: str
) -> None:
    private.register("brought_rows", con.sql(sql).to_arrow_table())
    private.execute(f"create table {name} as from brought_rows")
    private.unregister("brought_rows")


_MAPPED = """
select m.source, m.record_key, m.customer_id
from identity.customer_map as m
inner join identity.records as r on r.source = m.source and r.record_key = m.record_key
where r.is_comparable
"""

_EVENTS = """
select session_id, customer_id, identified_by, identity_prob, has_consent
from core.fct_web_events
"""

_OWNERS = """
create table owners as
select m.customer_id, t.person_id
from mapped as m
inner join true_person_records as t on t.source = m.source and t.record_key = m.record_key
group by m.customer_id, t.person_id
qualify row_number() over (
    partition by m.customer_id order by count(*) desc, t.person_id
) = 1
"""

_FIELDS = """
select
    count(*) as customers,
    avg(cast(lower(g.given_name) = lower(p.true_first_name) as integer)) as given_name,
    avg(cast(lower(g.family_name) = lower(p.true_last_name) as integer)) as family_name,
    avg(cast(g.birth_date = p.birth_date as integer)) as birth_date,
    avg(cast(g.email = p.email as integer)) as email,
    avg(cast(right(g.phone, 9) = right(p.mobile, 9) as integer)) as mobile,
    avg(cast(replace(g.postcode, ' ', '') = replace(p.postcode, ' ', '') as integer)) as postcode
from owners as o
inner join golden as g on g.customer_id = o.customer_id
inner join true_persons as p on p.person_id = o.person_id
"""

_HOUSEHOLDS = """
with homes as (
    select
        g.household_id,
        p.household_id as true_id,
        o.person_id,
        o.customer_id,
        replace(g.postcode, ' ', '') = replace(p.postcode, ' ', '') as is_known
    from owners as o
    inner join golden as g on g.customer_id = o.customer_id
    inner join true_persons as p on p.person_id = o.person_id
),
found as (
    select a.true_id = b.true_id as is_right
    from homes as a
    inner join homes as b
        on a.household_id = b.household_id and a.customer_id < b.customer_id
    where a.person_id <> b.person_id
),
known as (
    select
        a.household_id = b.household_id as is_found,
        coalesce(a.is_known and b.is_known, false) as is_known
    from homes as a
    inner join homes as b on a.true_id = b.true_id and a.customer_id < b.customer_id
    where a.person_id <> b.person_id
)
select
    (select count(*) from found) as found,
    (select count(*) from found where is_right) as right,
    (select count(*) from known) as true,
    (select count(*) from known where is_known) as known,
    (select count(*) from known where is_known and is_found) as known_right,
    (select coalesce(max(n), 0) from (
        select count(*) as n from golden group by household_id
    )) as largest
"""

_JOINED_EVENTS = """
create table joined_events as
select
    e.identified_by,
    e.identity_prob,
    e.has_consent,
    t.cookie_id,
    t.session_id,
    t.person_id,
    o.person_id as found_id
from events as e
inner join true_web_sessions as t on t.session_id = e.session_id
left join owners as o on o.customer_id = e.customer_id
"""

_COUNTED = """
with shown as (
    select distinct cookie_id, person_id
    from joined_events
    where identified_by in ('account', 'order', 'email_click') and found_id = person_id
        and cookie_id is not null
)
select
    count(*) filter (e.has_consent) as consented,
    count(*) filter (e.has_consent and s.person_id is not null) as identifiable,
    count(*) filter (not e.has_consent and e.identified_by is not null) as without_consent
from joined_events as e
left join shown as s on s.cookie_id = e.cookie_id and s.person_id = e.person_id
"""
# Identifiable is what a person's own cookie could tell; a kiosk's log-ins count as well.

_BY_KIND = """
select
    coalesce(identified_by, 'all') as identified_by,
    count(*) as events,
    count(*) filter (found_id = person_id) as right,
    cast(avg(cast(identity_prob as decimal(9, 6))) as double) as mean_prob
from joined_events
where identified_by is not null
group by grouping sets ((identified_by), ())
order by identified_by
"""


def _score_events(private: duckdb.DuckDBPyConnection) -> AttributionScore:
    private.execute(_JOINED_EVENTS)
    scores = [EventScore(**row) for row in fetch_dicts(private, _BY_KIND)]
    nothing = EventScore("all", 0, 0, 0.0)
    return AttributionScore(
        **fetch_dicts(private, _COUNTED)[0],
        total=next((score for score in scores if score.identified_by == "all"), nothing),
        by_kind=tuple(score for score in scores if score.identified_by != "all"),
    )
