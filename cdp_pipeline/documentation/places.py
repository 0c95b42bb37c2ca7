"""Where things stand in the site: relative addresses, safe whatever a file is called."""

from __future__ import annotations

from urllib.parse import quote

from cdp_pipeline.documentation.catalogue import SOURCE


def page_of(name: str) -> str:
    """Return the page of a table or of a source, from the site's root.

    >>> page_of("core.fct_sales"), page_of("source.pos_sales")
    ('tables/core.fct_sales.html', 'sources/pos_sales.html')
    """
    schema, _, rest = name.partition(".")
    return f"sources/{quote(rest, safe='')}.html" if schema == SOURCE else f"tables/{file_of(name)}"


def file_of(name: str) -> str:
    """Return the file name of a page, quoted as in an address.

    >>> file_of("core.a b")
    'core.a%20b.html'
    """
    return f"{quote(name, safe='')}.html"


def anchor(kind: str, name: str) -> str:
    """Return the id of a thing within its page.

    >>> anchor("column", "net amount")
    'column-net%20amount'
    """
    return f"{kind}-{quote(name, safe='')}"


def column_page(table: str, column: str) -> str:
    """Return the address of a column: its row on the page of its table."""
    return f"{page_of(table)}#{quoted(anchor('column', column))}"


def quoted(text: str) -> str:
    """Return an id as an address writes it: its own percent signs are quoted once more.

    >>> quoted("column-net%20amount")
    'column-net%2520amount'
    """
    return quote(text, safe="")
