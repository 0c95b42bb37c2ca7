"""Columns that a contract declares and nothing uses: they need not be stored.

What a contract does not declare is never stored; what it declares and no feed, key, check, rule or
join uses should not be either. Whether people need it in the source's own rows is theirs to say.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from cdp_pipeline.project.contracts import SourceContract
from cdp_pipeline.project.expressions import referenced_columns


def unused_columns(
    contract: SourceContract, sources: Mapping[str, SourceContract]
) -> tuple[str, ...]:
    """Return the columns of a contract that no declaration uses, in its order.

    Args:
        contract: A vetted contract.
        sources: All contracts, which may join it.
    """
    used = {*_named(contract), *_joined(contract, sources)}
    used |= {name for sql in _expressions(contract) for name in referenced_columns(sql)}
    return tuple(name for name in contract.columns if name not in used)


def _named(contract: SourceContract) -> Iterator[str]:
    """Yield columns that are named as such."""
    load, filled, control = contract.load, contract.delivery.fill_down, contract.delivery.control
    yield from filter(None, (*load.key, load.updated_at, load.day))
    yield from filter(None, (contract.retention.by,) if contract.retention else ())
    yield from filter(None, (filled.by, filled.starts) if filled else ())
    yield from control.totals if control else ()
    for check in contract.all_checks():
        yield from filter(None, (check.column, *check.columns))
    yield from (ours for join in contract.join for ours in join.by)


def _joined(contract: SourceContract, sources: Mapping[str, SourceContract]) -> Iterator[str]:
    """Yield columns that other sources take from this one."""
    for join in (join for other in sources.values() for join in other.join):
        if join.source == contract.name:
            yield from (*join.by.values(), *join.columns.values())
            yield from referenced_columns(join.where) if join.where else ()


def _expressions(contract: SourceContract) -> Iterator[str]:
    yield from (rule.where for rule in contract.exclude)
    yield from (check.where for check in contract.checks if check.where)
    yield from (column.value for column in contract.columns.values() if column.value)
    yield from filter(None, (contract.load.deleted_when,))
    for feed in contract.feeds:
        yield from (*feed.columns.values(), *filter(None, (feed.where,)))
