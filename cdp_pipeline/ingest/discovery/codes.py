"""Codes and words that our entities want otherwise: sex, consent, states of orders, mail events.

Words whose meaning is known are written into the draft. Where a value may mean anything (``1``,
``A``, a word never seen), people are asked: a guess would be wrong without a sign.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence

from cdp_pipeline.core.unseen import find_unseen, show_unseen
from cdp_pipeline.ingest.discovery.asking import Ask
from cdp_pipeline.project.sex_words import FEMALE, MALE
from cdp_pipeline.storage.warehouse import quote_literal

_NEITHER = frozenset(
    {"u", "unknown", "x", "d", "diverse", "divers", "n/a", "na", "none", "null", "other", "o",
     "not_specified", "unspecified", "not_given", "undisclosed", "prefer_not_to_say",
     "unbekannt", "andere", "autre", "otro", "nonbinary", "non-binary"}
)  # fmt: skip
_WITH_H = {"h": "M", "f": "F"}
"""Homme and femme; beside ``h``, ``m`` is mujer."""

_YES = frozenset(
    {"true", "t", "yes", "y", "1", "ja", "oui", "si", "sí", "sì", "granted", "grant", "opt_in",
     "optin", "opted_in", "optedin", "consented", "consent", "accepted", "subscribed", "active",
     "confirmed", "given", "agreed", "allowed", "zugestimmt"}
)  # fmt: skip
_NO = frozenset(
    {"false", "f", "no", "n", "0", "nein", "non", "nee", "denied", "opt_out", "optout",
     "opted_out", "optedout", "withdrawn", "withdraw", "revoked", "refused", "declined",
     "unsubscribed", "not_given", "no_consent", "noconsent", "expired", "rejected", "inactive",
     "not_opted_in", "blocked", "cancelled", "objected", "cleaned"}
)  # fmt: skip
_SAYS_CONSENT = frozenset(
    {"granted", "opt_in", "optin", "opted_in", "optedin", "consented", "opt_out", "optout",
     "opted_out", "optedout", "withdrawn", "revoked", "unsubscribed", "not_given", "no_consent",
     "noconsent", "objected"}
)  # fmt: skip

_ORDER_WORDS = (
    ("cancelled", ("cancel", "storn", "void", "annul", "fail", "declin", "expired")),
    ("returned", ("refund", "return", "erstatt", "retour")),
    ("shipped", ("ship", "complet", "fulfil", "deliver", "versand", "geliefert")),
    ("paid", ("paid", "bezahlt", "process", "captur", "authori", "confirm", "placed", "received")),
)
"""Parts of shops' words by our status of an order."""
_NOT_YET = re.compile(
    r"(^|_)(un|not|await|pending|ready|part|on_?hold|holded|draft|expected)|review|pending"
)
"""Parts that say that something has not been done, or not all of it."""
_SENT_OFF = re.compile(r"ship|fulfil|deliver|versand|geliefert|complet")

_MAIL_WORDS = (
    ("unsubscribe", ("unsub", "opt_out", "optout", "list_unsub")),
    ("bounce", ("bounce", "dropped", "undeliver")),
    ("click", ("click",)),
    ("open", ("open",)),
    ("sent", ("sent", "send", "deliver")),
)


_WEB_WORDS: dict[str, str] = {
    word: ours
    for ours, words in {
        "page_view": "page_view pageview page_viewed page view",
        "product_view": "view_item product_view product_viewed viewed_product product_detail",
        "search": "search view_search_results products_searched site_search searched",
        "add_to_cart": "add_to_cart added_to_cart product_added cart_add addtocart",
        "checkout": "begin_checkout checkout checkout_started started_checkout",
        "purchase": "purchase order_completed placed_order transaction order",
        "login": "login signed_in log_in sign_in",
        "logout": "logout signed_out log_out sign_out",
    }.items()
    for word in words.split()
}


def plain_word(value: str) -> str:
    """Return a value as a word to look up.

    >>> plain_word("Opt-Out"), plain_word(" Not given ")
    ('opt_out', 'not_given')
    """
    return re.sub(r"[\s-]+", "_", value.strip().lower())


def says_consent(values: Collection[str]) -> bool:
    """Return whether values are words of consent, one of which is used for nothing else.

    >>> says_consent({"ACTIVE", "WITHDRAWN"}), says_consent({"active", "inactive"})
    (True, False)
    """
    words = {plain_word(value) for value in values if value.strip()}
    return bool(words & _SAYS_CONSENT) and words <= _YES | _NO | {"pending"}


def sex_of(column: str, values: Collection[str]) -> str | Ask:
    """Return SQL of F or M, or a question.

    Args:
        column: Our name of the column.
        values: What stands in it.
    """
    words = {plain_word(value) for value in values}
    of_words = {**dict.fromkeys(FEMALE, "F"), **dict.fromkeys(MALE, "M")}
    if "h" in words:
        of_words |= _WITH_H
        of_words["m"] = "F" if "f" not in words else ""
    meant = {value: of_words.get(plain_word(value), "") for value in values}
    open_words = [v for v in values if not meant[v] and plain_word(v) not in _NEITHER]
    told = _case(column, {v: m for v, m in meant.items() if m}, otherwise="null")
    if not open_words:
        return told
    shown = " and ".join(sorted(open_words)[:6])
    return _ask(
        f"SQL of 'F', 'M' or null: what is meant by {shown}? Such as case {column} "
        f"when {quote_literal(min(open_words))} then 'M' when ... then 'F' end",
        told,
    )


def consent_of(column: str, values: Collection[str], *, yes: str, no: str) -> str | Ask:
    """Return SQL of what was said, or a question.

    Args:
        column: Our name of the column, a text.
        values: What stands in it.
        yes: Our word, in quotes, for those that mean yes.
        no: Our word, in quotes, for those that mean no.
    """
    of_words = {**dict.fromkeys(_YES, yes.strip("'")), **dict.fromkeys(_NO, no.strip("'"))}
    meant = {value: of_words.get(plain_word(value), "") for value in values}
    told = _case(column, {v: m for v, m in meant.items() if m}, otherwise="null")
    unknown = sorted(value for value in values if not meant[value])
    if not unknown:
        return told
    return _ask(
        f"SQL of 'granted', 'withdrawn' or null: what is meant by {', '.join(unknown[:6])}? "
        f"So far: {told}",
        told,
    )


def status_of(column: str, values: Collection[str], *, cancelled: str = "") -> str | Ask:
    """Return SQL that turns a shop's words into paid, shipped, cancelled or returned.

    Args:
        column: Our name of the column.
        values: What stands in it.
        cancelled: Our name of the column with the moment of a cancellation, if there is one.
    """
    meant: dict[str, str] = {}
    unknown = []
    for value in sorted(values):
        word = plain_word(value)
        ours = next((s for s, parts in _ORDER_WORDS if any(p in word for p in parts)), "")
        if _NOT_YET.search(word):
            ours = "paid" if _SENT_OFF.search(word) else ""
        unknown += [] if ours else [value]
        meant[value] = ours or "paid"
    told = _case(column, meant, otherwise="'paid'", but="paid")
    if cancelled:
        told = f"case when {cancelled} is not null then 'cancelled' else {told} end"
    if not unknown:
        return told
    return _ask(
        f"SQL of 'paid', 'shipped', 'cancelled' or 'returned': what is {', '.join(unknown[:6])}? "
        f"Orders that nobody has paid belong under `exclude:`. If all are paid: {told}",
        told,
    )


def web_event_of(column: str, values: Collection[str]) -> str | Ask:
    """Return SQL that turns a site's words into those of web events, or a question."""
    meant = {value: _WEB_WORDS.get(plain_word(value), "") for value in sorted(values)}
    told = _case(column, {v: m for v, m in meant.items() if m}, otherwise="null")
    unknown = [value for value, ours in meant.items() if not ours]
    if not unknown:
        return told
    return _ask(
        "SQL of 'page_view', 'product_view', 'search', 'add_to_cart', 'checkout', 'purchase', "
        f"'login', 'logout' or null: what is {', '.join(unknown[:6])}? So far: {told}",
        told,
    )


def mail_event_of_word(value: str) -> str:
    """Return what became of a mail by a word for it, or by a name that holds one; empty if none.

    >>> mail_event_of_word("Opened Email"), mail_event_of_word("users")
    ('open', '')
    """
    word = plain_word(value)
    return next((ours for ours, parts in _MAIL_WORDS if any(p in word for p in parts)), "")


def mail_event_of(column: str, values: Collection[str]) -> str | Ask:
    """Return SQL that turns a mailer's words into sent, open, click, bounce or unsubscribe."""
    meant = {value: mail_event_of_word(value) for value in sorted(values)}
    told = _case(column, {v: m for v, m in meant.items() if m}, otherwise="null")
    unknown = [value for value, ours in meant.items() if not ours]
    if not unknown:
        return told
    return _ask(
        "SQL of 'sent', 'open', 'click', 'bounce' or 'unsubscribe': what is "
        f"{', '.join(unknown[:6])}? So far: {told}",
        told,
    )


def _ask(question: str, told: str) -> Ask:
    return Ask(show_unseen(question).replace("\n", " "), told)


def _case(column: str, meant: Mapping[str, str], *, otherwise: str, but: str = "") -> str:
    """Return SQL that says what values mean, whatever their case."""
    by_meaning: dict[str, list[str]] = {}
    for value, ours in sorted(meant.items()):
        if find_unseen(value):
            continue  # no declaration may hold it
        words = by_meaning.setdefault(ours, [])
        if quote_literal(value.lower()) not in words:
            words.append(quote_literal(value.lower()))
    whens = [
        f"when lower({column}) in ({', '.join(words)}) then {quote_literal(ours)}"
        for ours, words in _in_order(by_meaning)
        if ours != but
    ]
    return f"case {' '.join(whens)} else {otherwise} end" if whens else otherwise


def _in_order(by_meaning: Mapping[str, Sequence[str]]) -> list[tuple[str, Sequence[str]]]:
    order = [ours for ours, _ in _ORDER_WORDS]
    return sorted(
        by_meaning.items(), key=lambda item: order.index(item[0]) if item[0] in order else 0
    )
