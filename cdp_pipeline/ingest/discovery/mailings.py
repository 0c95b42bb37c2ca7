"""What became of mails, and who may be written to: by columns, or by what a file is called.

Mailers write a file for each kind of event, or one for those who subscribed and one for those who
left; such a file's name says what no column does.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from cdp_pipeline.ingest.discovery.asking import Ask, Proposal
from cdp_pipeline.ingest.discovery.codes import mail_event_of, mail_event_of_word
from cdp_pipeline.ingest.discovery.named import Named
from cdp_pipeline.storage.warehouse import quote_literal

_MAIL_WORDS = frozenset({"open", "opened", "click", "clicked", "bounce", "sent", "unsubscribe"})
_SUBSCRIBED = frozenset({"subscribed", "unsubscribed"})
_DELIVERED = re.compile(r"(^|_)deliver(y|ies|ed)(_|$)")
_OF_MAIL = re.compile(r"(^|_)e?mails?(_|$)")
_LISTS = (
    (re.compile(r"(^|_)(unsubscribed|cleaned|suppressed|opted_?out|bounced)(_|$)"), "withdrawn"),
    (re.compile(r"(^|_)(subscribed|opted_?in)(_|$)"), "granted"),
)
"""What the name of a list's file says of all who stand in it."""


def propose_mailings(named: Named) -> list[Proposal]:
    """Return events of mailings and who left by them, if that is what a source holds for sure.

    A client may be a shop, so that other columns tell less than the words of events.
    """
    words = named.values.get(named.by_tag.get("event_type", ""), set())
    if words and all(any(word in value for word in _MAIL_WORDS) for value in words):
        return propose_mail_events(named)
    return _events_of_files(named)


def propose_mail_events(named: Named) -> list[Proposal]:
    """Return events of mailings by a column that holds words of them; none if no column does."""
    kind = named.by_tag.get("event_type")
    words = named.values.get(kind or "", set())
    if not named.has("email", "event_type") or not any(
        word in value for word in _MAIL_WORDS for value in words
    ):
        return []
    return _feeds(named, mail_event_of(str(kind), words))


def propose_list(named: Named) -> list[Proposal]:
    """Return statements of a list: its status, or the name of its file, says who may be written to.

    Of what is said at several moments, people are asked for the one that counts.
    """
    if not named.has("email"):
        return []
    status = named.by_tag.get("status", "")
    if named.values.get(status, set()) >= _SUBSCRIBED:
        sql = f"case lower({status}) when 'subscribed' then 'granted' else 'withdrawn' end"
        where = f"lower({status}) in ('subscribed', 'unsubscribed')"
    else:
        said = {_said_of(name) for name in named.files}
        if len(said) != 1 or None in said:
            return []
        sql, where = quote_literal(str(said.pop())), None
    columns: dict[str, str | Ask] = {
        "purpose": "'marketing'",
        "channel": "'email'",
        "status": sql,
    }
    moments = [name for name, kind in named.types.items() if kind == "timestamp"]
    updated = named.by_tag.get("updated_at")
    if where and updated in moments:
        columns["captured_at"] = str(updated)
    elif len(moments) == 1:
        columns["captured_at"] = moments[0]
    elif moments:
        among = f"coalesce({', '.join(moments[:4])})"
        asked = f"when was it said: {', '.join(moments[:6])}? The first of several: {among}"
        columns["captured_at"] = Ask(asked, moments[-1])
    return [Proposal("consents", columns, where=where, note="who may be written to")]


def _said_of(name: str) -> str | None:
    return next((said for pattern, said in _LISTS if pattern.search(name)), None)


def _events_of_files(named: Named) -> list[Proposal]:
    """Return events of mailings whose kind is what their files are called."""
    is_event = named.has("email", "occurred_at") and "event_type" not in named.by_tag
    by_file = {name: mail_event_of_word(name) for name in named.files}
    if not is_event or not by_file or not all(by_file.values()):
        return []
    if not all(_OF_MAIL.search(name) for name in by_file):
        return []
    delivered = [name for name in by_file if _DELIVERED.search(name)]
    if len(by_file) == 1 and delivered:
        found = _feeds(named, "'sent'")
        found[0].where = Ask(
            "true if no other file says what was sent; false if one does: mails would count twice",
            "true",
        )
        return found
    meant = {ours for name, ours in by_file.items() if name not in delivered}
    if len(meant) == 1 and not delivered:
        return _feeds(named, quote_literal(str(meant.pop())))
    rest = sorted(set(by_file) - set(delivered))
    whens = [
        f"when contains(_file_name, {quote_literal(_word_of(name, rest))}) "
        f"then {quote_literal(str(by_file[name]))}"
        for name in rest
    ]
    kind = f"case {' '.join(whens)} end"
    return _feeds(named, kind, where=f"({kind}) is not null")


def _word_of(name: str, others: Sequence[str]) -> str:
    """Return the word of a file's name that no other file has."""
    taken = {word for other in others if other != name for word in other.split("_")}
    return next((w for w in name.split("_") if w not in taken and mail_event_of_word(w)), name)


def _feeds(named: Named, kind: str | Ask, *, where: str | None = None) -> list[Proposal]:
    """Return the feed of events, and that of those who unsubscribed by one."""
    columns: dict[str, str | Ask] = {
        "event_id": named.event_id,
        "event_type": kind,
        "email": named.by_tag["email"],
    }
    columns |= named.when("occurred")
    if "campaign_id" in named.by_tag:
        sent_by = [n for n in ("campaign_id", "canvas_id") if n in named.types]
        both = f"coalesce({', '.join(sent_by)})"
        columns["campaign_id"] = both if len(sent_by) > 1 else named.by_tag["campaign_id"]
    if sku := named.by_tag.get("sku", named.sku_in_link):
        columns["sku"] = sku
    if "is_machine" in named.by_tag:
        columns["is_machine"] = f"coalesce({named.by_tag['is_machine']}, false)"
    sql = kind if isinstance(kind, str) else str(kind.provisional)
    found = [Proposal("email_events", columns, where=where, note="what became of mails")]
    if "'unsubscribe'" in sql:
        said: dict[str, str | Ask] = {
            "purpose": "'marketing'",
            "channel": "'email'",
            "status": "'withdrawn'",
        }
        if moment := named.when("captured").get("captured_at"):
            said["captured_at"] = moment
        left = None if sql == "'unsubscribe'" else f"({sql}) = 'unsubscribe'"
        found.append(Proposal("consents", said, where=left, note="who unsubscribed"))
    return found
