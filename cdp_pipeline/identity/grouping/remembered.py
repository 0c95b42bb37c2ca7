"""Ids that nobody has: dormant ones may come back with their records, spent ones never do.

An id is dormant while all its records are gone and nobody asked for erasure: a file may have been
incomplete for a night. Of the records only keyed hashes are kept, for a year by default; a record
that returns brings its customer's id back. Then the id is spent, as are ids of erased people and
ids that lost their redirect: only a keyed hash remains, so that they are never minted again. The
hashes are keyed since an id follows from the key of a record: without the secret, nobody can try
card numbers until one fits. Choosing ids belongs in ``ids``.
"""

from __future__ import annotations

from dataclasses import dataclass

import duckdb

from cdp_pipeline.core.errors import IdentityError
from cdp_pipeline.core.settings import IdentitySettings
from cdp_pipeline.storage.warehouse import base_columns, fetch_value, has_base_table

TABLES = ("dormant_ids", "spent_ids")


@dataclass(frozen=True)
class Kind:
    """A kind of id and where its living, retired and remembered ones are.

    Attributes:
        prefix: First letter of ids.
        owners: Table whose rows have living ids.
        owned: Its column with the id.
        member: SQL over that table: the text key of a member, as in ``identity_members``.
        retired: Table of redirects.
        retired_id: Its column with the retired id.
        name: For ``identity.spent_ids``.
    """

    prefix: str
    owners: str
    owned: str
    member: str
    retired: str
    retired_id: str
    name: str


CUSTOMERS = Kind(
    prefix="C",
    owners="identity.customer_map",
    owned="customer_id",
    member="source || '/' || record_key",
    retired="identity.redirects",
    retired_id="old_customer_id",
    name="customer",
)
HOUSEHOLDS = Kind(
    prefix="H",
    owners="identity.golden_records",
    owned="household_id",
    member="customer_id",
    retired="identity.household_redirects",
    retired_id="old_household_id",
    name="household",
)


@dataclass(frozen=True)
class Memory:
    """How ids that nobody has are remembered.

    Attributes:
        secrets: Keys of hashes: the first makes them, all recognise them.
        return_days: Days for which an id without records is dormant.
    """

    secrets: tuple[str, ...] = ("cdp",)
    return_days: int = 365

    @classmethod
    def of(cls, settings: IdentitySettings) -> Memory:
        """Return what the settings say."""
        secrets = tuple(secret.get_secret_value() for secret in settings.id_secrets)
        return cls(secrets, settings.return_days)


_KEYED = """
create or replace temp macro identity_keyed(secret, plain) as
    sha256(secret || sha256(secret || plain))
"""

_SECRETS = """
create or replace temp table identity_secrets as
select secret, left(identity_keyed(secret, 'identity'), 8) as key_id, number = 1 as is_first
from (
    select unnest($secrets) as secret, generate_subscripts($secrets, 1) as number
)
"""

_NO_DORMANT = """
select null::varchar as id, null::varchar as member_hash, null::date as gone_on where false
"""


def recall_ids(
    con: duckdb.DuckDBPyConnection, kind: Kind, memory: Memory, *, also_used: str = ""
) -> None:
    """Load what the version before remembers of a kind of ids.

    Creates ``identity_used_ids`` (id: has an owner or a redirect, or is dormant),
    ``identity_dormant`` (id, member_hash, gone_on), ``identity_spent`` (id_hash) and
    ``identity_secrets`` (secret, key_id, is_first).

    Args:
        con: Build connection.
        kind: Customers or households.
        memory: How ids are remembered.
        also_used: SELECT of further ids that are not free.

    Raises:
        IdentityError: The secrets are others than those that made the remembered hashes.
    """
    load_secrets(con, memory)
    _require_secrets(con)
    dormant, spent = _NO_DORMANT, "select null::varchar as id_hash where false"
    if has_base_table(con, "identity.dormant_ids"):
        dormant = (
            "select id, member_hash, gone_on from base.identity.dormant_ids "  # noqa: S608 - constants
            f"where left(id, 1) = '{kind.prefix}'"
        )
    if has_base_table(con, "identity.spent_ids"):
        spent = "select id_hash from base.identity.spent_ids"
    used = ["select id from identity_dormant", *([also_used] if also_used else [])]
    for table, column in ((kind.owners, kind.owned), (kind.retired, kind.retired_id)):
        if has_base_table(con, table):
            used.append(f"select {column} from base.{table} where {column} is not null")  # noqa: S608 - constants
    con.execute(f"create or replace temp table identity_dormant as {dormant}")
    con.execute(f"create or replace temp table identity_spent as {spent}")
    con.execute(f"create or replace temp table identity_used_ids as {' union '.join(used)}")


def load_secrets(con: duckdb.DuckDBPyConnection, memory: Memory) -> None:
    """Create ``identity_secrets`` and the macro ``identity_keyed`` (secret, plain)."""
    con.execute(_KEYED)
    con.execute(_SECRETS, {"secrets": list(memory.secrets)})


def _require_secrets(con: duckdb.DuckDBPyConnection) -> None:
    if "key_id" not in base_columns(con, "identity.spent_ids"):
        return
    unknown = fetch_value(
        con,
        "select min(key_id) from base.identity.spent_ids "
        "where key_id not in (select key_id from identity_secrets)",
    )
    if unknown:
        raise IdentityError(
            f"spent ids are hashed with a secret that the settings lack (key {unknown})",
            where="setting identity.id_secrets",
            hint="Put the former secret back, behind the new one: all of the list recognise ids, "
            "the first hashes new ones.",
        )


_RETURNING = """
create or replace temp table identity_returning as
select n.member, min(d.id) as id
from ({members}) as n
cross join identity_secrets as k
inner join identity_dormant as d on d.member_hash = identity_keyed(k.secret, n.member)
group by n.member
"""


def find_returning(con: duckdb.DuckDBPyConnection, members: str) -> None:
    """Create ``identity_returning`` (member, id): members of dormant ids that are back.

    Args:
        con: Build connection after ``recall_ids``.
        members: SELECT of the column ``member``: those that nobody had last night.
    """
    if fetch_value(con, "select count(*) from identity_dormant"):
        con.execute(_RETURNING.format(members=members))
    else:
        con.execute("create or replace temp table identity_returning (member varchar, id varchar)")


_MADE = """
create table if not exists identity.dormant_ids (id varchar, member_hash varchar, gone_on date);
create table if not exists identity.spent_ids (
    id_hash varchar, kind varchar, key_id varchar, spent_on date
);
delete from identity.dormant_ids where left(id, 1) = '{prefix}';
delete from identity.spent_ids where kind = '{name}';
"""

_FREE = """
create or replace temp table identity_free_ids as
select distinct id from identity_used_ids where id not in ({living})
"""

_GONE = """
select
    b.{owned} as id,
    identity_keyed(k.secret, {member}) as member_hash,
    cast($day as date) as gone_on
from base.{owners} as b
inner join identity_secrets as k on k.is_first
where b.{owned} in (select id from identity_free_ids)
"""

_DORMANT = """
insert into identity.dormant_ids
with gone as ({gone}),
carried as (
    select * from identity_dormant
    where id in (select id from identity_free_ids) and id not in (select id from gone)
)
select * from (select * from gone union all select * from carried)
where gone_on > cast($day as date) - to_days($return_days)
order by id, member_hash
"""

_CARRIED_SPENT = """
insert into identity.spent_ids
select id_hash, kind, key_id, spent_on from base.identity.spent_ids
where kind = '{name}'
order by id_hash
"""

_SPENT = """
insert into identity.spent_ids
select identity_keyed(k.secret, f.id), '{name}', k.key_id, cast($day as date)
from ({ids}) as f
inner join identity_secrets as k on k.is_first
where identity_keyed(k.secret, f.id) not in (select id_hash from identity.spent_ids)
order by 1
"""


def remember_ids(
    con: duckdb.DuckDBPyConnection, kind: Kind, memory: Memory, *, living: str, business_date: str
) -> None:
    """Write ``identity.dormant_ids`` and ``identity.spent_ids`` of a kind of ids.

    Args:
        con: Build connection after ``recall_ids``.
        kind: Customers or households.
        memory: How ids are remembered.
        living: SELECT of ids that have an owner or a redirect tonight.
        business_date: The night, as YYYY-MM-DD.
    """
    for statement in _MADE.format(prefix=kind.prefix, name=kind.name).split(";"):
        con.execute(statement)
    con.execute(_FREE.format(living=living))
    gone = _NO_DORMANT
    if has_base_table(con, kind.owners):
        gone = _GONE.format(owned=kind.owned, owners=kind.owners, member=kind.member)
    con.execute(
        _DORMANT.format(gone=gone), {"day": business_date, "return_days": memory.return_days}
    )
    if "kind" in base_columns(con, "identity.spent_ids"):
        con.execute(_CARRIED_SPENT.format(name=kind.name))
    spend_ids(
        con,
        kind,
        "select id from identity_free_ids where id not in (select id from identity.dormant_ids)",
        business_date=business_date,
    )


def spend_ids(con: duckdb.DuckDBPyConnection, kind: Kind, ids: str, *, business_date: str) -> None:
    """Add the ids of a SELECT to ``identity.spent_ids``: nobody will have them again."""
    con.execute(_SPENT.format(name=kind.name, ids=ids), {"day": business_date})
