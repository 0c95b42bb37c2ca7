"""Rows that are no sales, or no longer anybody: training, voided lines, deleted records.

A flag that says so excludes its rows by a rule of its name; words of a state are asked about.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from cdp_pipeline.core.unseen import show_unseen
from cdp_pipeline.ingest.discovery.asking import Ask
from cdp_pipeline.ingest.discovery.kinds import Kind
from cdp_pipeline.ingest.discovery.wording import last_step
from cdp_pipeline.project.column_names import plain_header

_NO_SALE = re.compile(
    r"(^|_)(void(ed)?|training|train(ing)?_mode|test(_mode)?|cancel(l?ed)?|suspended|no_sale|"
    r"post_?void(ed)?|storno|storniert)(_flag|_mode)*$"
)
_DELETED = re.compile(r"(^|_)(deleted|is_delete|removed|geloescht|supprime)(_flag)?$")
_COMPANY = re.compile(r"(?i)^(corporate|company|business|organi[sz]ation|group|b2b|firma)$")
_PARENT = re.compile(r"(^|_)parent_(order_)?(line_?)?(item|line)(_id|_no)?$")
_MOST_STATES = 12


def flags_of_no_sale(kinds: Mapping[str, Kind]) -> list[str]:
    """Return the columns that are true where a row is no sale.

    Args:
        kinds: What the columns are, by our name.
    """
    return [name for name, kind in kinds.items() if _says(kind, _NO_SALE)]


def flag_of_deletion(kinds: Mapping[str, Kind]) -> str | None:
    """Return the column that is true where a record was deleted.

    Args:
        kinds: What the columns are, by our name.
    """
    return next((name for name, kind in kinds.items() if _says(kind, _DELETED)), None)


def states_of_no_sale(kinds: Mapping[str, Kind]) -> Ask | None:
    """Return the question which states of a receipt are no sale; None if none are told.

    Args:
        kinds: What the columns are, by our name.
    """
    for name, kind in kinds.items():
        words = sorted(kind.field.counts)
        if kind.tag == "status" and kind.type == "text" and 0 < len(words) <= _MOST_STATES:
            shown = show_unseen(", ".join(words)).replace("\n", " ")
            return Ask(
                f"SQL of the rows that are no sales, by {name} ({shown} were seen): such as "
                f"{name} in ('Voided', 'PostVoided', 'Suspended'); false if all of them are",
                "false",
            )
    return None


def kinds_of_nobody(kinds: Mapping[str, Kind]) -> Ask | None:
    """Return the question which records are of companies; None if no column tells.

    Args:
        kinds: What the columns are, by our name.
    """
    for name, kind in kinds.items():
        words = sorted(kind.field.counts)
        if len(words) > _MOST_STATES or not any(map(_COMPANY.search, words)):
            continue
        if (
            kind.type == "text"
            and not kind.pii
            and all(w.replace("_", "").isalpha() for w in words)
        ):
            shown = " and ".join(words)
            return Ask(
                f"SQL of the rows that are no persons, by {name} ({shown} were seen); false if "
                "all are persons",
                "false",
            )
    return None


def parts_of_lines(kinds: Mapping[str, Kind]) -> Ask | None:
    """Return the question whether parts of other lines count as lines; None if no column tells.

    Args:
        kinds: What the columns are, by our name.
    """
    for name, kind in kinds.items():
        if _PARENT.search(plain_header(last_step(kind.field.name))) and kind.field.filled:
            return Ask(
                f"{name} names the line that another is a part of: write {name} is not null if the "
                "whole is a line of its own, so that its parts would count twice; false if not",
                f"{name} is not null",
            )
    return None


def _says(kind: Kind, pattern: re.Pattern[str]) -> bool:
    is_told = pattern.search(plain_header(last_step(kind.field.name)))
    return kind.type == "boolean" and bool(is_told) and "value" not in kind.keys
