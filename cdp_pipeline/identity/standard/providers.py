"""Mistyped mail providers: gmial.com and gmail.con are gmail.com.

Which providers exist is learned from the addresses themselves: a name that hardly anybody has and
that is one slip from one that very many have is that one, mistyped. Only providers belong here;
whose mailbox it is, comparisons decide.
"""

from __future__ import annotations

import duckdb

GREAT_PROVIDERS = 50
"""Most frequent providers whose mistyped names are looked for."""

GREAT_MINIMUM = 20
"""Addresses of a provider from which its mistyped names can be told."""

SLIP_RATIO = 20
"""How many times commoner the right name must be; a hand slips in a few per cent of addresses."""

SMALL_PROVIDERS = (
    "email.com",
    "gmx.at",
    "gmx.ch",
    "gmx.com",
    "gmx.de",
    "gmx.fr",
    "gmx.net",
    "live.ca",
    "live.cn",
    "mail.com",
    "mail.ru",
    "me.com",
    "ymail.com",
)
"""Providers that exist although they are one slip from a greater one."""

_SLIPS = """
create or replace temp table identity_provider_slips as
with providers as (
    select split_part(email, '@', 2) as name, count(*) as addresses
    from {table}
    where email is not null
    group by split_part(email, '@', 2)
),
great as (
    select name, addresses
    from providers
    where addresses >= $minimum
    order by addresses desc, name
    limit $most
)
select p.name, arg_max(g.name, (g.addresses, g.name)) as meant
from providers as p
inner join great as g
    on p.addresses * $ratio <= g.addresses
    and abs(length(p.name) - length(g.name)) <= 1
    and (left(p.name, 2) = left(g.name, 2) or right(p.name, 4) = right(g.name, 4))
    and damerau_levenshtein(p.name, g.name) = 1
where p.name not in (select unnest($small))
group by p.name
"""


def find_provider_slips(con: duckdb.DuckDBPyConnection, table: str) -> None:
    """Create the temporary table ``identity_provider_slips`` (name, meant).

    Args:
        con: Connection.
        table: Table with the column ``email``, well-formed or null.
    """
    con.execute(
        _SLIPS.format(table=table),
        {
            "minimum": GREAT_MINIMUM,
            "most": GREAT_PROVIDERS,
            "ratio": SLIP_RATIO,
            "small": list(SMALL_PROVIDERS),
        },
    )
