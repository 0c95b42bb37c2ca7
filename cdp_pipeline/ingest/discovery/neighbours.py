"""What columns are, judged by the other columns of their file.

A number of an item is an article's, unless the article has a column of its own; a state is a
province's, unless its words are those of orders.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from cdp_pipeline.ingest.discovery.kinds import Kind
from cdp_pipeline.ingest.discovery.wording import last_step
from cdp_pipeline.project.column_names import plain_header

_STATES_OF_ORDERS = re.compile(
    r"new|open|pending.*|processing|complete[d]?|closed|cancel[l]?ed|holded|on.?hold|paid|shipped|"
    r"delivered|returned|refunded|.*payment.*|failed|draft"
)
_SELLERS = re.compile(
    "(staff|employee|cashier|operator|seller|sales_?(person|rep)|clerk|kassierer)_"
)
_OF_SALES = frozenset({"sale_id", "order_id", "net_amount", "gross_amount"})
_KNOWN_BY = frozenset({"loyalty_id", "account_id", "payment_token", "identifier", "national_id"})
_CODE = re.compile(r"(?=.*\d)[\w./-]+")
_HUBS = ("0{4,}", "9{8,}")
_NO_MAILBOX = "(none|no|noemail|nomail)@.*"
_EXTERNAL = re.compile("external_")
_MOSTLY = 0.9


def settle(kinds: Sequence[Kind]) -> None:
    """Change what columns are taken for, where others of their file tell better.

    Who sold is not who bought.
    """
    _settle_days(kinds)
    _settle_items(kinds)
    _settle_accounts(kinds)
    _settle_nobody(kinds)
    is_sold = any(kind.tag in _OF_SALES for kind in kinds)
    for kind in kinds:
        name = plain_header(last_step(kind.field.name))
        if is_sold and kind.tag in _KNOWN_BY and _SELLERS.match(name):
            kind.tag = None
        words = [word.lower() for word in kind.field.counts]
        if kind.tag == "state" and words and all(map(_STATES_OF_ORDERS.fullmatch, words)):
            kind.tag = None


def _settle_accounts(kinds: Sequence[Kind]) -> None:
    """Take the number that a vendor calls external for ours, and its own for no account."""
    accounts = [kind for kind in kinds if kind.tag == "account_id"]
    if any(_EXTERNAL.match(plain_header(last_step(kind.field.name))) for kind in accounts):
        for kind in accounts:
            if not _EXTERNAL.match(plain_header(last_step(kind.field.name))):
                kind.tag = "identifier"


def _settle_nobody(kinds: Sequence[Kind]) -> None:
    """Tell numbers that name nobody: a guest's account, a card that is scanned for strangers."""
    for kind in kinds:
        counts = kind.field.counts
        if kind.tag == "account_id" and (counts["0"] > 1 or (counts["0"] and "1" not in counts)):
            meant = kind.keys.get("null_values", [])
            kind.keys["null_values"] = sorted({"0", *meant})  # type: ignore[misc] # texts
        hubs = [hub for hub in _HUBS if any(re.fullmatch(hub, value) for value in counts)]
        if kind.tag in {"loyalty_id", "phone"} and hubs:
            kind.keys["hubs"] = hubs
        if kind.tag == "email" and any(re.fullmatch(_NO_MAILBOX, v.lower()) for v in counts):
            kind.keys["hubs"] = [_NO_MAILBOX]


def _settle_items(kinds: Sequence[Kind]) -> None:
    """Tell articles from lines and from what they are called."""
    names = {plain_header(last_step(kind.field.name)) for kind in kinds}
    has_articles = any(kind.tag == "sku" for kind in kinds)
    for kind in kinds:
        name = plain_header(last_step(kind.field.name))
        if name == "item_id" and "sku" in names:
            kind.tag = "line_no"
        codes = sum(bool(_CODE.fullmatch(value)) for value in kind.field.filled)
        is_code = kind.field.filled and codes >= _MOSTLY * len(kind.field.filled)
        if kind.tag == "product_name" and is_code and not has_articles:
            kind.tag = "sku"


def _settle_days(kinds: Sequence[Kind]) -> None:
    """Read days and months in the order that another column of the file, written alike, shows."""
    shown = {_day_of(str(kind.keys["format"])) for kind in kinds if "format" in kind.keys}
    for kind in kinds:
        if kind.moments is None or kind.question is None or kind.question[0] != "format":
            continue
        fits = [written for written in kind.moments.formats if _day_of(written) in shown]
        if len(fits) == 1:
            kind.question = None
            kind.keys["format"] = fits[0]
            kind.note = "day and month in the order of the file's other dates"


def _day_of(written: str) -> str:
    """Return the part of a format that stands for the day.

    >>> _day_of("%d.%m.%Y %H:%M"), _day_of("%m/%d/%YT%H:%M:%S")
    ('%d.%m.%Y', '%m/%d/%Y')
    """
    return re.split(r"[ T]*%[HI]", written)[0]
