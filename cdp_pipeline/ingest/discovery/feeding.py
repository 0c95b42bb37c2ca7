"""Which entities the rows of a source may feed, by what its columns are about.

A proposal: what an entity needs and no column gives is asked for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping

from cdp_pipeline.core.unseen import show_unseen
from cdp_pipeline.ingest.discovery.amounts import in_units
from cdp_pipeline.ingest.discovery.asking import Ask, Proposal
from cdp_pipeline.ingest.discovery.codes import (
    consent_of,
    says_consent,
    sex_of,
    status_of,
    web_event_of,
)
from cdp_pipeline.ingest.discovery.mailings import (
    propose_list,
    propose_mail_events,
    propose_mailings,
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
_KEYS_OF_PEOPLE = frozenset({"loyalty_id", "account_id"})
"""What a record of a person is known by; without one, it is known by all that is told of it."""
_CANCELLED = re.compile(r"cancell?ed_(at|on|date)")
_OF_PLACES = frozenset({"street", "house_number", "city", "state", "postcode", "country"})
_SALE_TAGS = (
    "store_id", "channel", "sku", "quantity", "unit_price", "discount_amount", "promotion_id",
    "tender", "currency", "is_return", "original_sale_id",
)  # fmt: skip
_AMOUNTS = frozenset(
    {"net_amount", "order_amount", "unit_price", "discount_amount", "shipping_amount", "list_price"}
)


def propose_feeds(named: Named, *, currency: str = "") -> list[Proposal]:
    """Return the feeds that the columns suggest, money and events first."""
    mailings = propose_mailings(named)
    makers: tuple[Callable[[Named], Proposal | None], ...] = (
        _web_events,
        lambda n: _sale_lines(n, currency),
        lambda n: _orders(n, currency),
        _products,
        _stores,
    )
    found: list[Proposal] = mailings[:1]
    for make in makers if not found else ():
        proposal = make(named)
        if proposal is not None:
            found.append(proposal)
            break
    if not found:
        mailings = propose_mail_events(named)
        found = mailings[:1]
    if found and found[0].entity == "order_lines" and named.moment:
        found.insert(0, _orders_of_lines(named, currency))
    person = _person(named, is_alone=not found)
    if person is not None and found and found[0].entity == "web_events":
        for tag in _OF_PLACES & person.columns.keys():
            del person.columns[tag]  # where a visit came from is nobody's address
        person.where = Ask(
            "SQL of the visits of those who agreed to be known: as in has_consent above", "true"
        )
    if person is not None and not any(p.entity in {"products", "stores"} for p in found):
        found.append(person)
        found += [_consent(name, named) for name in named.consents]
        found += propose_list(named) or _statements(named) if not named.consents else []
    found += mailings[1:]
    for proposal in found:
        _settle_units(proposal, named)
    return found


def _settle_units(proposal: Proposal, named: Named) -> None:
    """Ask whether amounts without decimals are in cents."""
    for name in _AMOUNTS & proposal.columns.keys():
        sql = proposal.columns[name]
        if isinstance(sql, str):
            is_fine = named.types.get(sql) == "number"  # an amount has two decimals
            proposal.columns[name] = in_units(f"round({sql}, 2)" if is_fine else sql, named.whole)


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
    if not is_order:
        columns |= _of_returns(named, columns, sale)
    columns["net_amount"] = named.line_amount or Ask(
        "which column is the amount of a line? Those found are of whole sales", "0.00"
    )
    if is_order:
        return Proposal("order_lines", columns, where=named.goods, note="lines of orders")
    columns |= named.when("sold")
    columns["currency"] = _currency(named, currency)
    note = "lines of receipts; returns must be negative"
    return Proposal("sale_lines", columns, where=named.goods, note=note)


def _of_returns(named: Named, columns: Mapping[str, str | Ask], sale: str) -> dict[str, str | Ask]:
    """Return what no column holds and others tell: the price of one unit, and what came back."""
    found: dict[str, str | Ask] = {"unit_price": named.unit_price} if named.unit_price else {}
    if named.returned and "is_return" not in columns:
        found["is_return"] = named.returned
        if named.is_under_sale and "original_sale_id" not in columns:
            found["original_sale_id"] = f"case when {named.returned} then {sale} end"
    return found


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
    columns |= named.when("ordered")
    for tag in ("status", "channel", "shipping_amount", "promotion_id", "updated_at"):
        if tag in named.by_tag and named.types[named.by_tag[tag]] != "date":
            columns[tag] = named.by_tag[tag]
    if "status" in columns:
        status = named.by_tag["status"]
        columns["status"] = status_of(
            status, named.values.get(status, {"these words"}), cancelled=_cancelled(named)
        )
    columns["currency"] = _currency(named, currency)
    return columns


def _cancelled(named: Named) -> str:
    """Return the column with the moment at which an order was cancelled; empty if none has it."""
    return next((name for name in named.types if _CANCELLED.fullmatch(name)), "")


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


def _web_events(named: Named) -> Proposal | None:
    if not named.has("cookie_id") and not named.has("session_id"):
        return None
    columns: dict[str, str | Ask] = {"event_id": named.event_id}
    for tag in ("cookie_id", "session_id", "url", "sku", "device"):
        if tag in named.by_tag:
            columns[tag] = named.by_tag[tag]
    if kind := named.by_tag.get("event_type"):
        columns["event_type"] = web_event_of(kind, named.values.get(kind, {"these words"}))
    if named.has("cookie_id", "session_id"):  # a shop numbers the visits of each visitor
        columns["session_id"] = f"{columns['cookie_id']} || '.' || {columns['session_id']}"
    if order := named.first("order_id", "sale_id"):
        columns["order_id"] = order
    columns |= named.when("occurred")
    columns["has_consent"] = Ask(
        "SQL that is true where the visitor agreed to analytics, or false", "false"
    )
    kind_of_event = columns.get("event_type")
    where = None
    if isinstance(kind_of_event, Ask):
        where = Ask(
            "SQL of the rows that are such events, or true: those without a word of ours are none",
            f"({kind_of_event.provisional}) is not null",
        )
    return Proposal("web_events", columns, where=where, note="visits of the web site")


_KINDS_OF_RECORDS = {
    "sale_id": "'receipt'",
    "order_id": "'order'",
    "account_id": "'account'",
    "loyalty_id": "'loyalty'",
}


def is_about_somebody(columns: Collection[str]) -> bool:
    """Return whether the columns of a feed tell of a person: of a name alone, nobody is known."""
    return bool(_TELLING & set(columns)) and _TELLING & set(columns) != {"full_name"}


def _person(named: Named, *, is_alone: bool) -> Proposal | None:
    tags = [tag for tag in PERSON_TAGS if tag in named.by_tag]
    if not is_about_somebody(tags):
        return None
    columns: dict[str, str | Ask] = {}
    key = named.first("loyalty_id", "account_id")
    is_happening = key is not None and named.has("occurred_at", "event_type")
    if is_alone and len(named.key) == 1 and not is_happening:
        key = named.key[0]
    if key is not None and (key in named.full or not _TELLING & set(tags) - _KEYS_OF_PEOPLE):
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
    every = f"{name} is not null"
    where: str | Ask = every
    if named.first("order_id", "sale_id"):
        told = status.provisional if isinstance(status, Ask) else status
        where = Ask(
            f"SQL of the rows that state something: {every}, or if a box that is left empty at the "
            f"checkout takes nothing back: ({told}) = 'granted'",
            every,
        )
    return Proposal("consents", columns, where=where, note=note)
