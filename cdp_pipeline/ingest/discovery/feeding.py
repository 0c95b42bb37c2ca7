"""Which entities the rows of a source may feed, by what its columns are about.

A proposal: what an entity needs and no column gives is asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from cdp_pipeline.core.unseen import show_unseen
from cdp_pipeline.ingest.discovery.amounts import in_units
from cdp_pipeline.ingest.discovery.asking import Ask
from cdp_pipeline.ingest.discovery.codes import (
    consent_of,
    mail_event_of,
    says_consent,
    sex_of,
    status_of,
)
from cdp_pipeline.ingest.discovery.named import Named
from cdp_pipeline.project.column_tags import consent_channel, is_refusal

PERSON_TAGS = (
    "given_name", "middle_name", "family_name", "full_name", "birth_date", "birth_year", "sex",
    "email", "phone", "street", "house_number", "city", "state", "postcode", "country",
    "loyalty_id", "account_id", "payment_token", "national_id", "identifier", "birth_place",
    "occupation", "tier", "joined_on", "updated_at",
)  # fmt: skip
_TELLING = frozenset(
    {"given_name", "family_name", "full_name", "birth_date", "email", "phone", "street",
     "postcode", "loyalty_id", "account_id", "payment_token", "national_id", "identifier"}
)  # fmt: skip
_SALE_TAGS = (
    "store_id", "channel", "sku", "quantity", "unit_price", "discount_amount", "promotion_id",
    "tender", "currency",
)  # fmt: skip
_AMOUNTS = frozenset(
    {"net_amount", "order_amount", "unit_price", "discount_amount", "shipping_amount", "list_price"}
)
_SUBSCRIBED = frozenset({"subscribed", "unsubscribed"})
_MAIL_WORDS = frozenset({"open", "opened", "click", "clicked", "bounce", "sent", "unsubscribe"})


@dataclass
class Proposal:
    """One feed.

    Attributes:
        entity: Table that receives the rows.
        columns: Entity column to SQL, or to a question.
        where: Which rows; None for all.
        note: Why it is proposed.
    """

    entity: str
    columns: dict[str, str | Ask]
    where: str | None = None
    note: str = ""


def propose_feeds(named: Named, *, currency: str = "") -> list[Proposal]:
    """Return the feeds that the columns suggest, money and events first."""
    makers: tuple[Callable[[Named], Proposal | None], ...] = (
        _mailings,
        _web_events,
        lambda n: _sale_lines(n, currency),
        lambda n: _orders(n, currency),
        _products,
        _stores,
        _mail_events,
    )
    found: list[Proposal] = []
    for make in makers:
        proposal = make(named)
        if proposal is not None:
            found.append(proposal)
            break
    if found and found[0].entity == "order_lines" and _moment(named):
        found.insert(0, _orders_of_lines(named, currency))
    person = _person(named, is_alone=not found)
    if person is not None and not any(p.entity in {"products", "stores"} for p in found):
        found.append(person)
        found += [_consent(name, named) for name in named.consents]
        found += _subscription(named) or _statements(named) if not named.consents else []
    for proposal in found:
        _settle_units(proposal, named)
    return found


def _settle_units(proposal: Proposal, named: Named) -> None:
    """Ask whether amounts without decimals are in cents."""
    for name in _AMOUNTS & proposal.columns.keys():
        sql = proposal.columns[name]
        if isinstance(sql, str):
            proposal.columns[name] = in_units(sql, named.whole)


def _key_or_line(named: Named, *taken: str) -> str:
    line = named.by_tag.get("line_no")
    if line is None and "_item" in named.key:
        return "coalesce(_item, 0)"
    rest = [column for column in named.key if column not in taken and not column.startswith("_")]
    return line or (rest[0] if len(rest) == 1 else "_file || '-' || _line")


def _currency(named: Named, found: str) -> str | Ask:
    if "currency" in named.by_tag:
        return named.by_tag["currency"]
    if found:
        return f"'{found}'"
    return Ask("ISO 4217 code of the amounts in both quotes, such as \"'EUR'\"", "'XXX'")


def _sale_lines(named: Named, currency: str) -> Proposal | None:
    is_of_whole = named.first("net_amount", "order_amount", "gross_amount") is not None
    sale = named.first("sale_id", "order_id")
    is_line = named.has("sku") or named.has("quantity")
    if sale is None or not is_line or not (named.line_amount or is_of_whole):
        return None
    is_order = "sale_id" not in named.by_tag and not named.has("store_id")
    columns: dict[str, str | Ask] = {
        ("order_id" if is_order else "sale_id"): sale,
        "line_no": _key_or_line(named, sale),
    }
    taken = ("sku", "quantity", "unit_price", "discount_amount") if is_order else _SALE_TAGS
    columns.update({tag: named.by_tag[tag] for tag in taken if tag in named.by_tag})
    if "discount_amount" in columns:
        columns["discount_amount"] = named.discount
    if "product_name" in named.by_tag:
        columns["description"] = named.by_tag["product_name"]
    columns["net_amount"] = named.line_amount or Ask(
        "which column is the amount of a line? Those found are of whole sales", "0.00"
    )
    if is_order:
        return Proposal("order_lines", columns, note="lines of orders")
    columns |= _when(named, "sold")
    columns["currency"] = _currency(named, currency)
    return Proposal("sale_lines", columns, note="lines of receipts; returns must be negative")


def _moment(named: Named) -> str | None:
    name = named.by_tag.get("occurred_at")
    if name is None or named.types[name] == "timestamp":
        return name
    return f"cast({name} as timestamp)" if named.types[name] == "date" else None


def _when(named: Named, what: str) -> dict[str, str | Ask]:
    """Return when something was; a day without its time is the store's day, whatever its zone."""
    moment = _moment(named)
    if moment is None:
        return {}
    day = named.day or named.by_tag["occurred_at"]
    is_day = {f"{what}_on": day} if named.types[day] == "date" else {}
    return {f"{what}_at": moment, **is_day}


def _orders(named: Named, currency: str) -> Proposal | None:
    order = named.first("order_id", "sale_id")
    amount = named.first("order_amount", "net_amount", "gross_amount")
    if order is None or amount is None or named.key != (order,):
        return None
    columns: dict[str, str | Ask] = {"order_id": order, "order_amount": amount}
    columns.update(_heading(named, currency))
    return Proposal("orders", columns, note="one row an order")


def _orders_of_lines(named: Named, currency: str) -> Proposal:
    """Return the feed without which lines of orders have no day and nobody who placed them."""
    columns: dict[str, str | Ask] = {"order_id": named.first("order_id", "sale_id") or ""}
    if "order_amount" in named.by_tag:
        columns["order_amount"] = named.by_tag["order_amount"]
    columns.update(_heading(named, currency))
    return Proposal("orders", columns, note="the orders of the lines below: one row of each")


def _heading(named: Named, currency: str) -> dict[str, str | Ask]:
    """Return what an order has beside its number and amount."""
    columns: dict[str, str | Ask] = {}
    columns |= _when(named, "ordered")
    for tag in ("status", "channel", "shipping_amount", "promotion_id", "updated_at"):
        if tag in named.by_tag and named.types[named.by_tag[tag]] != "date":
            columns[tag] = named.by_tag[tag]
    if "status" in columns:
        status = named.by_tag["status"]
        columns["status"] = status_of(status, named.values.get(status, {"these words"}))
    columns["currency"] = _currency(named, currency)
    return columns


def _products(named: Named) -> Proposal | None:
    if not named.has("sku") or named.key != (named.by_tag["sku"],):
        return None
    tags = {"product_name": "product_name", "department": "department", "category": "category"}
    tags |= {"brand": "brand", "unit_price": "list_price"}
    columns: dict[str, str | Ask] = {"sku": named.by_tag["sku"]}
    columns.update({to: named.by_tag[tag] for tag, to in tags.items() if tag in named.by_tag})
    return Proposal("products", columns, note="one row an article")


def _stores(named: Named) -> Proposal | None:
    if not named.has("store_id") or named.key != (named.by_tag["store_id"],):
        return None
    columns: dict[str, str | Ask] = {"store_id": named.by_tag["store_id"]}
    tags = ("store_name", "city", "postcode", "latitude", "longitude", "time_zone")
    columns.update({tag: named.by_tag[tag] for tag in tags if tag in named.by_tag})
    return Proposal("stores", columns, note="one row a store")


def _mail_events(named: Named) -> Proposal | None:
    kind = named.by_tag.get("event_type")
    words = named.values.get(kind or "", set())
    if not named.has("email", "event_type") or not any(
        word in value for word in _MAIL_WORDS for value in words
    ):
        return None
    columns: dict[str, str | Ask] = {
        "event_id": named.by_tag.get("event_id", "_file || '-' || _line"),
        "event_type": mail_event_of(str(kind), words),
        "email": named.by_tag["email"],
    }
    columns |= _when(named, "occurred")
    if "campaign_id" in named.by_tag:
        columns["campaign_id"] = named.by_tag["campaign_id"]
    return Proposal("email_events", columns, note="what became of mails")


def _mailings(named: Named) -> Proposal | None:
    """Return events of mailings, whatever else their columns are called: a client may be a shop."""
    words = named.values.get(named.by_tag.get("event_type", ""), set())
    is_mail = words and all(any(word in value for word in _MAIL_WORDS) for value in words)
    return _mail_events(named) if is_mail else None


def _web_events(named: Named) -> Proposal | None:
    if not named.has("cookie_id") and not named.has("session_id"):
        return None
    columns: dict[str, str | Ask] = {"event_id": _event_id(named)}
    for tag in ("event_type", "cookie_id", "session_id", "url", "sku", "order_id", "device"):
        if tag in named.by_tag:
            columns[tag] = named.by_tag[tag]
    columns |= _when(named, "occurred")
    columns["has_consent"] = Ask(
        "SQL that is true where the visitor agreed to analytics, or false", "false"
    )
    return Proposal("web_events", columns, note="visits of the web site")


def _event_id(named: Named) -> str:
    """Return what tells events apart: of one with several parts, each row is one."""
    event = named.by_tag.get("event_id", "_file || '-' || _line")
    return f"{event} || '-' || coalesce(_item, 0)" if {event, "_item"} == {*named.key} else event


_KINDS_OF_RECORDS = {
    "sale_id": "'receipt'",
    "order_id": "'order'",
    "account_id": "'account'",
    "loyalty_id": "'loyalty'",
}


def _person(named: Named, *, is_alone: bool) -> Proposal | None:
    tags = [tag for tag in PERSON_TAGS if tag in named.by_tag]
    if not _TELLING & set(tags):
        return None
    columns: dict[str, str | Ask] = {}
    key = named.first("loyalty_id", "account_id")
    if is_alone and len(named.key) == 1:
        key = named.key[0]
    if key is not None:
        columns["record_key"] = key
    by_column = {column: tag for tag, column in named.by_tag.items()}
    kind_of_key = _KINDS_OF_RECORDS.get(by_column.get(key or "", ""))
    columns["record_kind"] = kind_of_key or ("'loyalty'" if "loyalty_id" in tags else "'contact'")
    for tag in tags:
        kind = named.types[named.by_tag[tag]]
        fits = {"birth_date": {"date"}, "joined_on": {"date"}, "updated_at": {"timestamp"}}
        if kind in fits.get(tag, {kind}):
            columns[tag] = named.by_tag[tag]
    if len(named.streets) > 1:
        columns["street"] = f"concat_ws(' ', {', '.join(named.streets)})"
    if "sex" in columns:
        sex = named.by_tag["sex"]
        columns["sex"] = sex_of(sex, named.values.get(sex, {"these words"}))
    return Proposal("person_records", columns, note="who the row is about")


_CHANNEL = Ask(
    "\"'email'\", \"'sms'\", \"'push'\" or \"'post'\"; null if it is for profiling", "null"
)


def _purpose(named: Named) -> Ask:
    """Return the question what was agreed to, with what a column says of it."""
    column = named.purpose
    if not column:
        return Ask("\"'marketing'\" or \"'profiling'\": what was agreed to?", "'marketing'")
    said = ", ".join(sorted(named.values.get(column, ()))[:4]) or "see there"
    return Ask(
        f"SQL of 'marketing' or 'profiling' by {column} ({show_unseen(said)}), "
        f"such as case when {column} = '...' then 'marketing' end",
        "'marketing'",
    )


def _statements(named: Named) -> list[Proposal]:
    """Return statements of consent of which each row is one: who, what for, yes or no."""
    status = next((n for n, found in named.values.items() if says_consent(found)), None)
    if status is None:
        return []
    columns: dict[str, str | Ask] = {
        "purpose": _purpose(named),
        "channel": _CHANNEL,
        "status": consent_of(status, named.values[status], yes="'granted'", no="'withdrawn'"),
    }
    moments = [name for name, kind in named.types.items() if kind == "timestamp"]
    if len(moments) == 1:
        columns["captured_at"] = moments[0]
    elif moments:
        asked = f"when was it said: {', '.join(moments[:4])}?"
        columns["captured_at"] = Ask(asked, moments[-1])
    return [Proposal("consents", columns, where=f"{status} is not null", note="who agreed to what")]


def _consent(name: str, named: Named) -> Proposal:
    channel = consent_channel(name)
    yes, no = ("'withdrawn'", "'granted'") if is_refusal(name) else ("'granted'", "'withdrawn'")
    status: str | Ask = f"case when {name} then {yes} else {no} end"
    if named.types[name] != "boolean":
        status = consent_of(name, named.values.get(name, {"these words"}), yes=yes, no=no)
    columns: dict[str, str | Ask] = {
        "purpose": _purpose(named),
        "channel": f"'{channel}'" if channel in {"email", "sms", "push", "post"} else _CHANNEL,
        "status": status,
    }
    moment = named.by_tag.get("updated_at")
    if moment and named.types[moment] == "timestamp":
        columns["captured_at"] = moment
    note = "one statement a row" + ("; yes means no here" if is_refusal(name) else "")
    return Proposal("consents", columns, where=f"{name} is not null", note=note)


def _subscription(named: Named) -> list[Proposal]:
    """Return the statements of a mailing list whose status says who subscribed and who left."""
    status = named.by_tag.get("status", "")
    if not named.has("email") or not named.values.get(status, set()) >= _SUBSCRIBED:
        return []
    columns: dict[str, str | Ask] = {
        "purpose": "'marketing'",
        "channel": "'email'",
        "status": f"case lower({status}) when 'subscribed' then 'granted' else 'withdrawn' end",
    }
    moment = named.by_tag.get("updated_at")
    if moment and named.types[moment] == "timestamp":
        columns["captured_at"] = moment
    where = f"lower({status}) in ('subscribed', 'unsubscribed')"
    return [Proposal("consents", columns, where=where, note="who may be written to")]
