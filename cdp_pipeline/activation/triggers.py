"""Offers to people: who gets which tonight, under consent, holdout and frequency caps.

Offers are served by priority of their segment, so that under the common cap the more urgent one
wins. The contact log is carried from night to night; what was sent on the business date itself
does not count, so that a rerun of the same night chooses the same people. Files are written by
``export``; texts are made by ``messages``.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import duckdb

from cdp_pipeline.activation.audience import (
    Reach,
    ReachFinder,
    choose_members,
    count_outcomes,
    prove_consent,
)
from cdp_pipeline.activation.messages import message_sql, offer_words, valid_until, vet_offer
from cdp_pipeline.core.context import RunContext
from cdp_pipeline.project.loader import Project
from cdp_pipeline.project.marketing import DestinationSpec, OfferSpec
from cdp_pipeline.storage.warehouse import describe, has_base_table, quote_column

TRIGGER_COLUMNS = (
    "offer",
    "offer_title",
    "segment",
    "channel",
    "sku",
    "product_name",
    "discount_share",
    "discount",
    "store_id",
    "store_name",
    "valid_until",
    "message",
    "reference",
)
"""Columns that trigger files may carry beside those of the customer."""

_TRIGGERS = """
create or replace temp table triggers (
    customer_id varchar, offer varchar, offer_title varchar, segment varchar, channel varchar,
    sku varchar, product_name varchar, discount_share decimal(9, 4), discount varchar,
    store_id varchar, store_name varchar, valid_until date, message varchar, reference varchar
)
"""

_CARRIED_LOG = """
create or replace table ops.contact_log as
select
    coalesce(redirects.customer_id, old.customer_id) as customer_id,
    old.offer,
    old.channel,
    old.sent_on,
    old.destination,
    min(old.reference) as reference,
from base.ops.contact_log as old
left join identity.redirects as redirects on old.customer_id = redirects.old_customer_id
group by 1, 2, 3, 4, 5
order by customer_id, offer, destination, sent_on
"""

_EMPTY_LOG = """
create or replace table ops.contact_log (
    customer_id varchar, offer varchar, channel varchar, sent_on date, destination varchar,
    reference varchar
)
"""

_CAP = """
update chosen
set outcome = 'cap'
where outcome = 'sent' and customer_id in (
    with contacts as (
        select distinct customer_id, offer, sent_on
        from ops.contact_log
        where sent_on <> $business_date
        union
        select customer_id, offer, $business_date from triggers
    )

    select customer_id
    from contacts
    group by customer_id
    having count(*) filter (where sent_on > $common_since) >= $common_count
        or count(*) filter (where offer = $offer and sent_on > $offer_since) >= $offer_count
)
"""

_COMPOSE = """
create or replace temp table composed as
select
    chosen.customer_id,
    {sku} as sku,
    {product} as product_name,
    {store_id} as store_id,
    {store_name} as store_name,
    {message} as message,
from chosen
inner join features.customer_features as features on chosen.customer_id = features.customer_id
where chosen.outcome = 'sent'
"""

_LEAVE_OUT_GAPS = """
update chosen
set outcome = 'incomplete'
where outcome = 'sent' and customer_id not in (
    select customer_id from composed where message is not null
)
"""

_ADD_TRIGGERS = """
insert into triggers
select
    composed.customer_id,
    $offer,
    $title,
    $segment,
    $channel,
    composed.sku,
    composed.product_name,
    cast($discount_share as decimal(9, 4)),
    $discount,
    composed.store_id,
    composed.store_name,
    cast($valid_until as date),
    composed.message,
    'T' || left(
        sha256($offer || chr(31) || composed.customer_id || chr(31) || $business_date), 20
    ),
from composed
inner join chosen on composed.customer_id = chosen.customer_id
where chosen.outcome = 'sent'
order by composed.customer_id
"""

_LOG_TONIGHT = """
insert into ops.contact_log
select customer_id, offer, channel, $business_date, $destination, reference
from triggers
where offer = $offer
    and not exists (
        select 1
        from ops.contact_log as log
        where log.customer_id = triggers.customer_id
            and log.offer = triggers.offer
            and log.destination = $destination
            and log.sent_on = $business_date
    )
order by customer_id
"""


@dataclass(frozen=True)
class OfferOutcome:
    """What became of an offer tonight.

    Attributes:
        spec: The offer.
        destinations: Names of the destinations that carry it.
        counts: Members by outcome, see ``audience.count_outcomes``.
    """

    spec: OfferSpec
    destinations: tuple[str, ...]
    counts: dict[str, int]


def carry_contact_log(con: duckdb.DuckDBPyConnection) -> None:
    """Make ``ops.contact_log`` from the one of the version this night builds upon."""
    con.execute(_CARRIED_LOG if has_base_table(con, "ops.contact_log") else _EMPTY_LOG)


def carriers(project: Project, spec: OfferSpec) -> tuple[DestinationSpec, ...]:
    """Return the trigger destinations that carry an offer, in name order."""
    return tuple(
        destination
        for _, destination in sorted(project.destinations.items())
        if destination.content == "trigger"
        and destination.channel == spec.channel
        and (not destination.segments or spec.segment in destination.segments)
    )


def choose_triggers(
    con: duckdb.DuckDBPyConnection,
    context: RunContext,
    project: Project,
    *,
    served: frozenset[str],
    finder: ReachFinder,
) -> tuple[list[OfferOutcome], list[str]]:
    """Choose tonight's triggers of all offers, most urgent segment first.

    Args:
        con: The build; ``ops.contact_log`` has been carried over.
        context: The run.
        project: Its declarations.
        served: Segments that have not expired.
        finder: Tonight's reach.

    Returns:
        Outcomes in the order in which offers were served, and sentences on offers that were not.
        Makes the temporary table ``triggers`` (one row per customer and offer) and adds the rows
        to ``ops.contact_log``.

    Raises:
        ConfigError: An offer names a column that does not exist.
        PrivacyError: A trigger would reach somebody who is not permitted.
    """
    con.execute(_TRIGGERS)
    columns = describe(con, "features.customer_features")
    outcomes: list[OfferOutcome] = []
    messages: list[str] = []
    for spec in _by_urgency(project, columns):
        destinations = carriers(project, spec)
        if spec.segment not in served:
            messages.append(f"offer {spec.name}: segment {spec.segment} is not served any more")
        elif not destinations:
            messages.append(f"offer {spec.name}: no trigger destination has channel {spec.channel}")
        else:
            path = project.path_of("offer", spec.name)
            own = (project.segments[spec.segment].purpose, str(spec.channel))
            purposes = frozenset({own}).union(*(item.gates for item in destinations))
            reach = finder.find(purposes=purposes, channel=spec.channel)
            counts = _serve(con, context, spec, reach=reach, columns=columns, path=path)
            names = tuple(destination.name for destination in destinations)
            _log_contacts(con, context, spec, names)
            outcomes.append(OfferOutcome(spec, names, counts))
    return outcomes, messages


def _by_urgency(project: Project, columns: dict[str, str]) -> list[OfferSpec]:
    for name, spec in sorted(project.offers.items()):
        vet_offer(spec, columns=columns, path=project.path_of("offer", name))
    return sorted(
        project.offers.values(),
        key=lambda offer: (project.segments[offer.segment].priority, offer.name),
    )


def _serve(
    con: duckdb.DuckDBPyConnection,
    context: RunContext,
    spec: OfferSpec,
    *,
    reach: Reach,
    columns: dict[str, str],
    path: Path,
) -> dict[str, int]:
    today = context.business_date
    choose_members(con, segment=spec.segment, reach=reach)
    _apply_caps(con, context, spec)
    words = offer_words(spec, business_date=today, locale=context.settings.locale)
    con.execute(
        _COMPOSE.format(
            sku=_feature(spec.sku_column, columns),
            product=_feature(spec.product_column, columns),
            store_id=_feature(spec.store_id_column, columns),
            store_name=_feature(spec.store_name_column, columns),
            message=message_sql(spec, columns=columns, words=words, path=path),
        )
    )
    con.execute(_LEAVE_OUT_GAPS)
    prove_consent(con, rows="composed", reach=reach)
    con.execute(
        _ADD_TRIGGERS,
        {
            "offer": spec.name,
            "title": spec.title,
            "segment": spec.segment,
            "channel": str(spec.channel),
            "discount_share": str(spec.discount_share),
            "discount": words["discount"],
            "valid_until": valid_until(spec, business_date=today),
            "business_date": today.isoformat(),
        },
    )
    return count_outcomes(con)


def _apply_caps(con: duckdb.DuckDBPyConnection, context: RunContext, spec: OfferSpec) -> None:
    contact, today = context.settings.contact, context.business_date
    con.execute(
        _CAP,
        {
            "offer": spec.name,
            "business_date": today,
            "common_since": today - timedelta(days=contact.cap_days),
            "common_count": contact.cap_count,
            "offer_since": today - timedelta(days=spec.cap_days),
            "offer_count": spec.cap_count,
        },
    )


def _log_contacts(
    con: duckdb.DuckDBPyConnection,
    context: RunContext,
    spec: OfferSpec,
    destinations: tuple[str, ...],
) -> None:
    for destination in destinations:
        con.execute(
            _LOG_TONIGHT,
            {
                "business_date": context.business_date,
                "destination": destination,
                "offer": spec.name,
            },
        )


def _feature(column: str | None, columns: dict[str, str]) -> str:
    if column and column in columns:
        return f"cast(features.{quote_column(column)} as varchar)"
    return "cast(null as varchar)"
