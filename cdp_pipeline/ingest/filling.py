"""Values that stand on the first of several lines only, brought down to the others.

Columns that are read are filled as texts, before anything is cast. Computed ones are filled by
their values: in flat files whose lines are of several kinds (a head, then its lines), the same
field means an order's number on one line and an article on the next, so that only an expression
can tell which it is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from cdp_pipeline.ingest.casting import text_name
from cdp_pipeline.project.contracts import SourceContract
from cdp_pipeline.project.layout import FillDown
from cdp_pipeline.storage.warehouse import quote_column

_GROUP = "_group"
"""Number of the line that started the group a row is of."""


def fill_texts(relation: str, contract: SourceContract) -> str:
    """Return a relation of clean texts with those filled down that the contract names.

    Args:
        relation: Relation of clean texts, in file order.
        contract: Without ``fill_down`` the relation is returned as it is; with it rows are
            numbered by ``_row``.
    """
    filled = contract.delivery.fill_down
    if filled is None:
        return relation
    relation = f"(select *, row_number() over () as _row from {relation})"  # noqa: S608 - vetted
    if not contract.columns[_anchor(filled)].value:
        relation = _grouped(relation, filled, text_name)
    names = [name for name in filled.columns if not contract.columns[name].value]
    return _filled(relation, contract, names, text_name) if names else relation


def fill_computed(relation: str, contract: SourceContract) -> str:
    """Return a relation of values with the computed ones filled down that the contract names.

    Args:
        relation: Relation of clean texts and values, with ``_row`` if anything is filled down.
        contract: Says what is.
    """
    filled = contract.delivery.fill_down
    names = [n for n in filled.columns if contract.columns[n].value] if filled else []
    if filled is None or not names:
        return relation
    if contract.columns[_anchor(filled)].value:
        relation = _grouped(relation, filled, quote_column)
    return _filled(relation, contract, names, quote_column)


def _anchor(filled: FillDown) -> str:
    return filled.by or str(filled.starts)


def _grouped(relation: str, filled: FillDown, spell: Callable[[str], str]) -> str:
    """Number the groups that a column starts, before that column is filled down itself."""
    if not filled.starts:
        return relation
    starts = f"count({spell(filled.starts)}) over (order by _row)"
    return f"(select *, {starts} as {_GROUP} from {relation})"  # noqa: S608 - quoted


def _filled(
    relation: str, contract: SourceContract, names: Sequence[str], spell: Callable[[str], str]
) -> str:
    filled = contract.delivery.fill_down
    if filled is None:
        return relation
    together = _GROUP
    if filled.by:
        is_computed = contract.columns[filled.by].value
        together = quote_column(filled.by) if is_computed else text_name(filled.by)
    values = ", ".join(
        f"coalesce({spell(name)}, last_value({spell(name)} ignore nulls) over ("
        f"partition by {together} order by _row rows unbounded preceding)) as {spell(name)}"
        for name in names
    )
    return f"(select * replace ({values}) from {relation})"  # noqa: S608 - quoted
