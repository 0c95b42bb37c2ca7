"""Columns by what they are about, for the feeds that are proposed of them."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from cdp_pipeline.ingest.discovery.amounts import (
    amount_of_line,
    discount_of_line,
    price_of_unit,
    rows_of_returns,
    whole_amounts,
)
from cdp_pipeline.ingest.discovery.asking import Ask
from cdp_pipeline.ingest.discovery.kinds import Kind
from cdp_pipeline.ingest.discovery.packed import is_packed
from cdp_pipeline.ingest.discovery.usable import is_usable
from cdp_pipeline.ingest.discovery.wording import last_step, last_two
from cdp_pipeline.project.column_names import plain_header

_PURPOSES = re.compile(r"(^|_)(purpose|zweck|finalite|finalidad|topic|preference)s?(_name|$)")
"""Names of columns that say what was agreed to; in a list of purposes, it is their name."""
_BUSINESS_DAY = re.compile(r"(^|_)business_?(day|date)")
_PARTNERS = re.compile(r"(^|_)(partners?|third_part(y|ies)|drittanbieter)(_|$)")
"""Names of consents to what others send."""
_OF_SENDING = re.compile("fulfil|shipping|delivery")
_WITH_TAX = re.compile(r"_(incl|inkl|inc)_")
_NEARLY_AS_FULL = 0.8
_VARIED = frozenset({"email", "phone", "account_id", "loyalty_id", "event_type"})
"""What tells people and events apart; a column that always says the same may be the shop's own."""
_SKU_IN_LINK = re.compile(r"[?&](sku|article|artikel|artnr|product_?(?:id|no)|item_?id|pid)=")
_CUSTOMERS = re.compile(
    r"(id_|code_|codigo_|codice_|numero_)?(customer|cust|client|kunde|kund|klant)"
)


@dataclass
class Named:
    """Columns by what they are about.

    Attributes:
        by_tag: Our name of the column that fits a tag best.
        types: Type by our name.
        consents: Our names of consent columns.
        key: Our names of the key's columns.
        values: Values in lower case by our name, of columns with few of them.
        line_amount: SQL of the amount of a line, or the question what it is.
        discount: SQL of the discount of a line, as a positive amount.
        whole: Our names of amounts without decimals, which may be cents, each with one of them.
        streets: Our names of the lines of one street, if it stands in several.
        day: Our name of the store's day, where it stands beside the moment.
        purpose: Our name of the column that says what was agreed to; empty if none does.
        goods: SQL of the rows that are lines of goods; None if all are.
        full: Our names of columns that every row fills.
        files: What the files are called, as plain words without numbers.
        unit_price: SQL of the price of one unit, where no column holds it; empty if none tells.
        returned: SQL of the rows that are returns; empty if no column says so.
        is_under_sale: Whether returns stand under the number of the sale.
        sku_in_link: SQL of the article that a link names; empty if none does.
    """

    by_tag: dict[str, str]
    types: Mapping[str, str]
    consents: list[str] = field(default_factory=list)
    key: tuple[str, ...] = ()
    values: dict[str, set[str]] = field(default_factory=dict)
    line_amount: str | Ask | None = None
    discount: str = ""
    whole: Mapping[str, str] = field(default_factory=dict)
    streets: list[str] = field(default_factory=list)
    day: str | None = None
    purpose: str = ""
    goods: str | None = None
    full: set[str] = field(default_factory=set)
    files: tuple[str, ...] = ()
    unit_price: str = ""
    returned: str = ""
    is_under_sale: bool = False
    sku_in_link: str = ""

    @property
    def event_id(self) -> str:
        """SQL of what tells events apart: of one with several parts, each row is one."""
        own = [name for name in self.key if not name.startswith("_")]
        event = "_file || '-' || _line"
        if len(own) == 1:  # a message's number, say, stands on all that became of it
            event = own[0]
        elif not own:
            event = self.by_tag.get("event_id", event)
        return f"{event} || '-' || coalesce(_item, 0)" if "_item" in self.key else event

    @property
    def moment(self) -> str | None:
        """SQL of the moment of a row; None if no column tells."""
        name = self.by_tag.get("occurred_at")
        if name is None or self.types[name] == "timestamp":
            return name
        return f"cast({name} as timestamp)" if self.types[name] == "date" else None

    def when(self, what: str) -> dict[str, str | Ask]:
        """Return when something was; a day without its time is the store's, whatever its zone."""
        if self.moment is None:
            return {}
        day = self.day or self.by_tag["occurred_at"]
        is_day = {f"{what}_on": day} if self.types[day] == "date" else {}
        return {f"{what}_at": self.moment, **is_day}

    def has(self, *tags: str) -> bool:
        """Return whether there is a column for each tag."""
        return all(tag in self.by_tag for tag in tags)

    def first(self, *tags: str) -> str | None:
        """Return the first column with one of the tags."""
        return next((self.by_tag[tag] for tag in tags if tag in self.by_tag), None)


def name_columns(
    kinds: Sequence[Kind], names: Sequence[str], key: tuple[str, ...], *, of_heads: Sequence[int]
) -> Named:
    """Return columns by what they are about.

    Args:
        kinds: What the columns are.
        names: Our names of them.
        key: Our names of the key's columns.
        of_heads: Positions of columns that only the first line of a sale fills.
    """
    found = Named({}, {n: k.type for n, k in zip(names, kinds, strict=True)}, key=key)
    by_tag: dict[str, list[tuple[Kind, str]]] = {}
    for kind, name in zip(kinds, names, strict=True):
        if not found.purpose and _PURPOSES.search(plain_header(last_two(kind.field.name))):
            found.purpose = name
        if kind.special_category:
            continue
        if kind.tag == "consent":
            found.consents += [] if _PARTNERS.search(name) else [name]
        elif kind.tag and not kind.is_clock and is_usable(kind):
            by_tag.setdefault(kind.tag, []).append((kind, name))
        if len(kind.field.counts) <= 12:  # noqa: PLR2004 - a vocabulary
            found.values[name] = {value.lower() for value in kind.field.counts}
    for tag, candidates in by_tag.items():
        most = max(kind.field.share for kind, _ in candidates)
        found.by_tag[tag] = max(candidates, key=lambda one: _fitness(one[0], tag, most))[1]
    by_name = dict(zip(names, kinds, strict=True))
    if "street" in found.by_tag:
        place = _array_of(by_name[found.by_tag["street"]])
        found.streets = [n for kind, n in by_tag["street"] if place and _array_of(kind) == place]
    days = (n for n, k in by_name.items() if k.tag == "occurred_at" and k.type == "date")
    found.day = next((n for n in days if _BUSINESS_DAY.search(n)), None)
    found.full = {
        n for n, k in by_name.items() if k.field.share == 1 and not k.keys.get("null_values")
    }
    _compute(found, by_name, of_heads={names[position] for position in of_heads})
    return found


def _compute(found: Named, kinds: Mapping[str, Kind], *, of_heads: Collection[str]) -> None:
    """Add what is told of several columns together, or by what stands in them."""
    if "discount_amount" in found.by_tag:
        found.discount = discount_of_line(kinds, found.by_tag["discount_amount"])
    found.whole = whole_amounts(kinds)
    found.goods = _lines_of_goods(kinds)
    found.line_amount = amount_of_line(kinds, found.by_tag, of_heads=of_heads)
    if isinstance(found.line_amount, str):
        found.unit_price = price_of_unit(kinds, found.by_tag, found.line_amount)
    found.returned, rows = rows_of_returns(kinds, found.by_tag)
    if sale := kinds.get(found.by_tag.get("sale_id", "")):
        of_returns = {sale.field.values[row] for row in rows}
        of_sales = {v for row, v in enumerate(sale.field.values) if row not in rows}
        found.is_under_sale = bool(of_returns & of_sales)
    if url := kinds.get(found.by_tag.get("url", "")):
        found.sku_in_link = _sku_in(found.by_tag["url"], url)


def _sku_in(name: str, kind: Kind) -> str:
    """Return SQL of the article that a link names among its parameters; empty if none does."""
    told = (_SKU_IN_LINK.search(value) for value in kind.field.counts)
    parameter = next((match[1] for match in told if match), "")
    return f"nullif(regexp_extract({name}, '[?&]{parameter}=([^&#]+)', 1), '')" if parameter else ""


def _lines_of_goods(kinds: Mapping[str, Kind]) -> str | None:
    """Return SQL of the rows that are lines of goods; None if all are, as far as is known."""
    packed = [name for name, kind in kinds.items() if is_packed(kind)]
    if packed:
        return f"{packed[0]} is not null"
    for name, kind in kinds.items():
        if kind.tag == "sku" and "value" in kind.keys and kind.field.share < 1:
            return f"{name} is not null"
    return None


def _array_of(kind: Kind) -> str:
    """Return the path of the list that a column is an element of; empty if it is of none."""
    name = kind.field.name
    return re.sub(r"\[\d+\]$", "", name) if name.endswith("]") else ""


def _fitness(kind: Kind, tag: str, most: float) -> tuple[bool, bool, float]:
    """Return how well a column stands for its tag: what it is called, then how often it is filled.

    Of a customer's number and a user's, the user may be the one who sold. A moment tells more than
    a day.
    """
    name = plain_header(last_step(kind.field.name))
    is_called_so = name == tag and kind.field.share >= _NEARLY_AS_FULL * most
    if tag == "account_id":
        is_called_so = bool(_CUSTOMERS.match(name))
    if tag == "unit_price":  # what customers pay for one, tax and all
        is_called_so = is_called_so or bool(_WITH_TAX.search(name))
    if tag == "order_amount":
        is_called_so = not name.startswith("sub")
    if tag == "status":  # what was paid back tells more than what was sent
        is_called_so = not _OF_SENDING.search(name)
    if tag == "campaign_id":
        is_called_so = name == tag
    if tag == "occurred_at":
        is_called_so = kind.type == "timestamp" and kind.field.share >= _NEARLY_AS_FULL * most
    is_varied = tag not in _VARIED or len(kind.field.counts) > 1
    return is_varied, is_called_so, kind.field.share
