"""The draft of a propensity: one SELECT that lists when the deed happened."""

from __future__ import annotations

from cdp_pipeline.project.drafts.words import Words, as_comments, as_scalar, as_text
from cdp_pipeline.project.tables import TableSpec

SALES, PRODUCTS = "core.fct_sales", "core.dim_product"
"""Tables that the draft speaks of."""


def draft_propensity(
    words: Words,
    *,
    horizon_days: int,
    department: str | None,
    sales: TableSpec,
    products: TableSpec,
) -> str:
    """Return the SQL file of a propensity.

    Args:
        words: Name, title, owner.
        horizon_days: Days ahead in which it is to happen.
        department: Department that must be bought from; None for any purchase.
        sales: ``core.fct_sales``.
        products: ``core.dim_product``.
    """
    if department:
        as_scalar(department, "--department")
    event = "purchase in this department" if department else "purchase"
    return as_text(
        [
            "/*",
            f"title: {as_scalar(words.title, '--title')}",
            f"event: {event}   # completes: days since the last ...",
            f"owner: {as_scalar(words.owner, '--owner')}   # who answers questions about it",
            f"horizon_days: {horizon_days}   # 7 to 180 days ahead in which it is to happen",
            "# eligible_days: 730   # scored are those who bought in so many days",
            "columns:",
            "  customer_id: Stable id of the person",
            "  happened_on: Store-local date on which it happened",
            "*/",
            "-- List when the deed happened; learning, testing and scoring follow from this list.",
            "-- How, and what to do where people need a chance first: sql/propensities/README.md",
            *_select(department),
            "",
            f"-- Columns of {SALES}:",
            *as_comments(_meanings(sales), indent="--   "),
            f"-- Columns of {PRODUCTS}, joined by sku:",
            *as_comments(_meanings(products), indent="--   "),
        ]
    )


def _select(department: str | None) -> list[str]:
    joined = f"inner join {PRODUCTS} as products on sales.sku = products.sku"
    lines = ["select", "    sales.customer_id,", "    sales.sold_on as happened_on"]
    if department:
        quoted = department.replace("'", "''")
        lines += [
            f"from {SALES} as sales",
            joined,
            "where",
            f"    products.department = '{quoted}'",
        ]
        lines += ["    and sales.line_kind = 'product'"]
    else:
        lines += ["-- Any article. For some only, put this below FROM, and a condition on it:"]
        lines += [f"--   {joined}", f"from {SALES} as sales", "where"]
        lines += ["    sales.line_kind = 'product'"]
    return [*lines, "    and not sales.is_return"]


def _meanings(table: TableSpec) -> dict[str, str]:
    return {name: column.description for name, column in table.header.columns.items()}
