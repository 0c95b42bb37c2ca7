"""Which entities the rows of a source may feed, by what its columns are about.

A proposal: what an entity needs and no column gives is asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from cdp_pipeline.ingest.discovery.asking import Ask
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
_ORDER_WORDS = (
    ("cancelled", ("cancel", "storn", "void", "annul", "fail", "declin", "expired")),
    ("returned", ("refund", "return", "erstatt", "retour")),
    ("shipped", ("ship", "complet", "fulfil", "deliver", "versand", "geliefert", "closed")),
)
"""Parts of shops' words by our status of an order; any other word is taken for paid."""
_NOT_YET = ("un", "not", "await", "pending", "ready")
"""Beginnings of words that say what has not been done."""
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
        found += _subscription(named) if not named.consents else []
    return found


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
    day = named.by_tag["occurred_at"]
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
        columns["status"] = _status(named)
    columns["currency"] = _currency(named, currency)
    return columns


def _status(named: Named) -> str:
    """Return SQL that turns the words of a shop into paid, shipped, cancelled or returned."""
    column = named.by_tag["status"]
    words: dict[str, list[str]] = {}
    for value in sorted(named.values.get(column, ())):
        said = () if value.startswith(_NOT_YET) else _ORDER_WORDS
        ours = next((s for s, parts in said if any(p in value for p in parts)), "paid")
        words.setdefault(ours, []).append("'" + value.replace("'", "''") + "'")
    whens = [
        f"when lower({column}) in ({', '.join(words[ours])}) then '{ours}'"
        for ours, _ in _ORDER_WORDS
        if ours in words
    ]
    return f"case {' '.join(whens)} else 'paid' end" if whens else "'paid'" if words else column


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
        "event_type": f"lower({kind})",
        "email": named.by_tag["email"],
    }
    columns |= _when(named, "occurred")
    if "campaign_id" in named.by_tag:
        columns["campaign_id"] = named.by_tag["campaign_id"]
    note = "event_type must become sent, open, click, bounce or unsubscribe"
    return Proposal("email_events", columns, note=note)


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
    return Proposal("person_records", columns, note="who the row is about")


_CHANNEL = Ask(
    "\"'email'\", \"'sms'\", \"'push'\" or \"'post'\"; null if it is for profiling", "null"
)


def _consent(name: str, named: Named) -> Proposal:
    channel = consent_channel(name)
    yes, no = ("'withdrawn'", "'granted'") if is_refusal(name) else ("'granted'", "'withdrawn'")
    columns: dict[str, str | Ask] = {
        "purpose": Ask("\"'marketing'\" or \"'profiling'\": what was agreed to?", "'marketing'"),
        "channel": f"'{channel}'" if channel in {"email", "sms", "push", "post"} else _CHANNEL,
        "status": f"case when {name} then {yes} else {no} end",
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
