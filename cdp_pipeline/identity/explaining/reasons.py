"""What really decided whether two records are one customer: the whole truth.

The score of the pair is only one of the reasons. Identical evidence, a steward, the attachment of
nameless records, other records in between, the guard of average linkage, or never having been
compared may have decided instead, with the score or against it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb
import numpy as np

from cdp_pipeline.identity.explaining.bridges import Link
from cdp_pipeline.identity.explaining.evidence import (
    Model,
    Record,
    Weighed,
    find_records,
    weigh_all,
)
from cdp_pipeline.identity.grouping.attach import KEYS
from cdp_pipeline.identity.grouping.judged import JUDGED_SAME
from cdp_pipeline.identity.scoring.compare import two_births
from cdp_pipeline.identity.scoring.namesakes import (
    EVEN_PROB,
    REACHED_KIN_BITS,
    SURE_PROB,
    are_kin,
)
from cdp_pipeline.identity.standard.reach import MAILED_BY
from cdp_pipeline.storage.warehouse import fetch_dicts, fetch_value, has_table


@dataclass(frozen=True)
class Reason:
    """Why two records are, or are not, one customer.

    Attributes:
        is_same: Whether they are one customer.
        by: ``identical``, ``judgement``, ``freeze``, ``attachment``, ``score``, ``path``,
            ``group``, ``namesake``, ``births``, ``guard``, ``blocking`` or ``nobody``.
        text: One or two sentences.
    """

    is_same: bool
    by: str
    text: str


def find_reason(
    con: duckdb.DuckDBPyConnection,
    left: Record,
    right: Record,
    path: Sequence[Link],
    *,
    weighed: Weighed | None,
    accept: float,
) -> Reason:
    """Return what decided about two records.

    Args:
        con: Connection to a published version.
        left: One record.
        right: The other.
        path: Strongest links from one to the other inside their customer, if they share one.
        weighed: The pair's own evidence; None if one of the records has nothing to compare.
        accept: Probability from which a pair is a link.
    """
    match_prob = weighed.match_prob if weighed else None
    is_same = left["customer_id"] is not None and left["customer_id"] == right["customer_id"]
    lost = [record for record in (left, right) if record["customer_id"] is None]
    if lost:
        return Reason(is_same=False, by="nobody", text=_nobody(lost[0]))
    judged = _judgement(con, left, right, is_same=is_same)
    would_join = match_prob is not None and match_prob >= accept
    if judged is not None and (judged.by != "freeze" or is_same or would_join):
        return judged
    if left["evidence_id"] == right["evidence_id"]:
        return Reason(
            is_same=is_same,
            by="identical",
            text="Both records say exactly the same, so they are one customer.",
        )
    if match_prob is None:
        return _attachment(left, right, path, is_same=is_same)
    if is_same:
        return _joined(path, match_prob=match_prob, accept=accept)
    is_kin = weighed is None or _are_kin(weighed.kin_bits, left, right)
    return _apart(con, left, right, match_prob=match_prob, accept=accept, is_kin=is_kin)


def _are_kin(kin_bits: float, left: Record, right: Record) -> bool:
    ends = (np.array([any(record.get(tag) for tag in MAILED_BY)]) for record in (left, right))
    return bool(are_kin(np.array([kin_bits]), *ends)[0])


def _nobody(record: Record) -> str:
    if not record["is_usable"]:
        return f"{record['name']} says too little to belong to anybody."
    return (
        f"{record['name']} belongs to nobody in particular: several customers hold its "
        "identifiers equally."
    )


_JUDGED = """
select j.judgement_id, j.verdict, j.judged_by, j.judged_at, j.reason
from identity.judgements as j
inner join identity.records as a on a.source = j.source_a and a.record_key = j.record_key_a
left join identity.records as b on b.source = j.source_b and b.record_key = j.record_key_b
where j.status = 'applied'
    and (
        (j.verdict in ('same', 'different') and (
            (a.evidence_id = $left and b.evidence_id = $right)
            or (a.evidence_id = $right and b.evidence_id = $left)
        ))
        or (j.verdict = 'freeze' and a.evidence_id in ($left, $right))
    )
order by j.verdict = 'freeze', j.judged_at desc, j.judgement_id
limit 1
"""


def _judgement(
    con: duckdb.DuckDBPyConnection, left: Record, right: Record, *, is_same: bool
) -> Reason | None:
    if not has_table(con, "identity.judgements"):
        return None
    found = fetch_dicts(con, _JUDGED, {"left": left["evidence_id"], "right": right["evidence_id"]})
    if not found:
        return None
    row = found[0]
    reason = f": {row['reason']}" if row["reason"] else ""
    said = f"{row['judged_by']} on {row['judged_at']:%Y-%m-%d} ({row['judgement_id']}{reason})"
    if row["verdict"] == "freeze":
        kept = "keeps both of them" if is_same else "keeps one of them and not the other"
        return Reason(
            is_same=is_same, by="freeze", text=f"A frozen customer {kept}, as {said} wants it."
        )
    what = "one person" if row["verdict"] == "same" else "two people"
    return Reason(
        is_same=is_same,
        by="judgement",
        text=f"A steward judged them {what}: {said}. This outranks every score.",
    )


def _attachment(left: Record, right: Record, path: Sequence[Link], *, is_same: bool) -> Reason:
    shared = [key for key in KEYS if left[key] is not None and left[key] == right[key]]
    if not is_same:
        holders = f"although they share {' and '.join(shared)}: others hold it more clearly"
        said = holders if shared else "they share no identifier"
        return Reason(
            is_same=False,
            by="attachment",
            text=f"A record without a name follows its identifiers; {said}.",
        )
    what = f"they share {' and '.join(shared)}" if shared else "other records connect them"
    chance = min((link.prob for link in path), default=1.0)
    return Reason(
        is_same=True,
        by="attachment",
        text=f"A record without a name follows the holder of its identifiers: {what} "
        f"(probability {chance:.3f}).",
    )


def _joined(path: Sequence[Link], *, match_prob: float, accept: float) -> Reason:
    if any(link.rule == JUDGED_SAME for link in path) and match_prob < accept:
        return Reason(
            is_same=True,
            by="judgement",
            text="A steward's judgement on records between the two joins them.",
        )
    if match_prob >= accept:
        return Reason(is_same=True, by="score", text="Their own evidence joins them.")
    if path:
        weakest = min(link.prob for link in path)
        return Reason(
            is_same=True,
            by="path",
            text="Their own evidence would not join them; other records of the customer do, by "
            f"{len(path)} links of which the weakest has {weakest:.3f}, and on average the "
            "customer's records speak for one person.",
        )
    return Reason(
        is_same=True,
        by="group",
        text="No chain of accepted links joins them; the group as a whole does: on average its "
        "records speak for one person.",
    )


_CANDIDATE = """
select count(*)
from identity.edges as e
inner join identity.records as a on a.source = e.source_a and a.record_key = e.record_key_a
inner join identity.records as b on b.source = e.source_b and b.record_key = e.record_key_b
where a.evidence_id in ($left, $right) and b.evidence_id in ($left, $right)
    and a.evidence_id <> b.evidence_id
"""

_FORBIDDEN = """
select count(*)
from identity.judgements as j
inner join identity.customer_map as a
    on a.source = j.source_a and a.record_key = j.record_key_a
inner join identity.customer_map as b
    on b.source = j.source_b and b.record_key = j.record_key_b
where j.status = 'applied' and j.verdict = 'different'
    and a.customer_id in ($left, $right) and b.customer_id in ($left, $right)
    and a.customer_id <> b.customer_id
"""


_RIVALS = """
with ends as (
    select a.customer_id as one, b.customer_id as other
    from identity.edges as e
    inner join identity.customer_map as a
        on a.source = e.source_a and a.record_key = e.record_key_a
    inner join identity.customer_map as b
        on b.source = e.source_b and b.record_key = e.record_key_b
    where e.pattern is not null
        and log2(pow(2, least(e.match_weight, 200)) + pow(2, least(e.household_weight, 200))) < $kin
)
select count(*)
from (
    select other as customer_id from ends where one in ($left, $right)
    union
    select one from ends where other in ($left, $right)
)
where customer_id not in ($left, $right)
"""


def _namesake(con: duckdb.DuckDBPyConnection, left: Record, right: Record) -> Reason:
    """Say that two records may be two people of one name, and who else may be meant."""
    rivals = fetch_value(
        con,
        _RIVALS,
        {"left": left["customer_id"], "right": right["customer_id"], "kin": REACHED_KIN_BITS},
    )
    others = (
        f"{rivals} other customer{'s' if rivals > 1 else ''} may be meant as well, and all share "
        "one probability"
        if rivals
        else "nobody else is as likely"
    )
    return Reason(
        is_same=False,
        by="namesake",
        text="Their own evidence would join them, but hardly more than the name agrees, so they "
        f"may be two people of one name: {others}. A namesake is taken for the person only from a "
        f"probability of {SURE_PROB:.2f}; a mere name, or a lone receipt for another's, from "
        f"{EVEN_PROB:.2f}.",
    )


def _apart(
    con: duckdb.DuckDBPyConnection,
    left: Record,
    right: Record,
    *,
    match_prob: float,
    accept: float,
    is_kin: bool,
) -> Reason:
    if match_prob < accept:
        return Reason(
            is_same=False, by="score", text="Their own evidence does not suffice to join them."
        )
    ids = {"left": left["evidence_id"], "right": right["evidence_id"]}
    customers = {"left": left["customer_id"], "right": right["customer_id"]}
    if has_table(con, "identity.judgements") and fetch_value(con, _FORBIDDEN, customers):
        return Reason(
            is_same=False,
            by="judgement",
            text="Their own evidence would join them, but a steward judged other records of the "
            "two customers to be different people.",
        )
    if not fetch_value(con, _CANDIDATE, ids):
        return Reason(
            is_same=False,
            by="blocking",
            text="Their own evidence would join them, but the night never compared them: they "
            "share no blocking key, or only keys that too many records hold.",
        )
    if not is_kin:
        return _namesake(con, left, right)
    return Reason(
        is_same=False,
        by="guard",
        text="Their own evidence would join them, but the other records of the two customers speak "
        "against it: on average they are two people (guard of average linkage).",
    )


def find_two_births(
    con: duckdb.DuckDBPyConnection, left: Record, right: Record, model: Model
) -> Reason | None:
    """Return whether two records of the customers of a pair, born apart, hold the two apart.

    Args:
        con: Connection; temporary tables are made.
        left: A record of one customer.
        right: A record of the other, which the guard keeps away.
        model: The stored model.

    Returns:
        A reason that names the two records and their dates; None if there are no such two.
    """
    sides = [find_records(con, str(record["customer_id"])) for record in (left, right)]
    births = two_births(model.parameters.comparisons)
    for pair in weigh_all(con, model, sides):
        if any(pair.outcomes[place] in found for place, found in births.items()):
            first, second = pair.left, pair.right
            return Reason(
                is_same=False,
                by="births",
                text=f"Their own evidence would join them, but {first['name']} of the one customer "
                f"was born on {first['birth_date']:%Y-%m-%d} and {second['name']} of the other on "
                f"{second['birth_date']:%Y-%m-%d}, which no slip explains: nobody is born twice "
                "(guard of birth dates).",
            )
    return None
