"""How good the customers are, where the truth is known: generated stores and labelled samples.

Pairwise precision and recall after clustering; the truth is read here and nowhere else.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import duckdb

from cdp_pipeline.core.errors import ConfigError
from cdp_pipeline.storage.warehouse import fetch_dicts, has_table


@dataclass(frozen=True)
class PairScore:
    """Agreement of two groupings of the same records, over pairs of records.

    Attributes:
        records: Records that both know.
        people: True people among them.
        customers: Customers found.
        precision: Share of joined pairs that are one person.
        recall: Share of one person's pairs that were joined.
        mixed_customers: Customers that hold records of several people.
    """

    records: int
    people: int
    customers: int
    precision: float
    recall: float
    mixed_customers: int

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        total = self.precision + self.recall
        return 2 * self.precision * self.recall / total if total else 0.0


@dataclass(frozen=True)
class ReceiptScore:
    """How many receipts reached their buyer.

    Attributes:
        receipts: Store receipts of known buyers.
        attributed: Receipts with a customer.
        right: Receipts whose customer is the true buyer.
    """

    receipts: int
    attributed: int
    right: int


@dataclass(frozen=True)
class TruthScore:
    """All figures of one version.

    Attributes:
        profiles: Loyalty and account records: what a merge of profiles is judged by.
        named: All records that say who somebody is, orders and contacts included.
        by_kind: Pairs inside each record kind.
        receipts: None when the version has no sales.
    """

    profiles: PairScore
    named: PairScore
    by_kind: dict[str, PairScore]
    receipts: ReceiptScore | None

    @property
    def precision(self) -> float:
        """Precision on profiles."""
        return self.profiles.precision

    @property
    def recall(self) -> float:
        """Recall on profiles."""
        return self.profiles.recall

    @property
    def f1(self) -> float:
        """F1 on profiles."""
        return self.profiles.f1

    def as_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return asdict(self)


def score_against_truth(con: duckdb.DuckDBPyConnection, truth_dir: Path) -> TruthScore:
    """Compare a version's customers with the truth.

    Args:
        con: Connection to a published version, or a build connection.
        truth_dir: Folder with ``person_records.parquet`` (source, record_key, person_id).

    Returns:
        Scores; a record without a customer counts as a customer of its own.

    Raises:
        ConfigError: The folder holds no truth.
    """
    path = truth_dir / "person_records.parquet"
    if not path.is_file():
        raise ConfigError(
            "no truth to compare with",
            where=str(path),
            hint="Give the truth folder of a generated store.",
        )
    # The published connection may not read files, so both sides meet in a private one.
    with duckdb.connect() as private:
        private.execute("create table truth as from read_parquet(?)", [str(path)])
        records = con.sql(_RECORDS).to_arrow_table()
        private.register("record_rows", records)
        private.execute(_JOINED)
        kinds = [row[0] for row in private.execute(_KINDS).fetchall()]
        return TruthScore(
            profiles=score_pairs(private, "record_kind in ('loyalty', 'account')"),
            named=score_pairs(private, "is_comparable"),
            by_kind={k: score_pairs(private, f"record_kind = '{k}'") for k in kinds},
            receipts=_score_receipts(con, private),
        )


_RECORDS = """
select
    r.source, r.record_key, r.record_kind, r.is_comparable, r.is_usable,
    coalesce(m.customer_id, r.source || ':' || r.record_key) as customer_id
from identity.records as r
left join identity.customer_map as m on m.source = r.source and m.record_key = r.record_key
"""

_JOINED = """
create table joined as
select r.*, cast(t.person_id as varchar) as person_id
from record_rows as r
inner join truth as t on t.source = r.source and t.record_key = r.record_key
"""

_KINDS = "select distinct record_kind from joined where is_comparable order by record_kind"


def score_pairs(con: duckdb.DuckDBPyConnection, chosen: str) -> PairScore:
    """Score the rows of the table ``joined`` (customer_id, person_id) that satisfy a condition."""
    row = fetch_dicts(
        con,
        f"""
        with cells as (
            select customer_id, person_id, count(*) as n
            from joined
            where {chosen}
            group by customer_id, person_id
        ),
        customers as (
            select customer_id, sum(n) as n, count(*) as people from cells group by customer_id
        ),
        people as (select person_id, sum(n) as n from cells group by person_id)
        select
            (select coalesce(sum(n), 0) from cells) as records,
            (select count(*) from people) as people,
            (select count(*) from customers) as customers,
            (select count(*) from customers where people > 1) as mixed_customers,
            (select coalesce(sum(n * (n - 1)), 0) from cells) as right_pairs,
            (select coalesce(sum(n * (n - 1)), 0) from customers) as joined_pairs,
            (select coalesce(sum(n * (n - 1)), 0) from people) as true_pairs
        """,  # noqa: S608 - conditions are written above
    )[0]
    right, joined, true = (int(row.pop(f"{name}_pairs")) for name in ("right", "joined", "true"))
    return PairScore(
        precision=right / joined if joined else 1.0,
        recall=right / true if true else 1.0,
        **{name: int(count) for name, count in row.items()},
    )


def _score_receipts(
    con: duckdb.DuckDBPyConnection, private: duckdb.DuckDBPyConnection
) -> ReceiptScore | None:
    if not has_table(con, "core.fct_sales"):
        return None
    sales = con.sql(
        "select source, sale_id, min(customer_id) as customer_id from core.fct_sales "
        "where channel = 'store' group by source, sale_id"
    ).to_arrow_table()
    private.register("sale_rows", sales)
    row = fetch_dicts(private, _RECEIPTS)[0]
    return ReceiptScore(**{name: int(count) for name, count in row.items()})


_RECEIPTS = """
with receipts as (
    select s.customer_id, cast(t.person_id as varchar) as person_id
    from sale_rows as s
    inner join truth as t on t.source = s.source and t.record_key = s.sale_id
),
statements as (
    select customer_id, person_id, 1000 as weight from joined where is_comparable
    union all
    select customer_id, person_id, 1 from receipts where customer_id is not null
),
owners as (
    select customer_id, person_id
    from (
        select customer_id, person_id, sum(weight) as weight
        from statements
        group by customer_id, person_id
    )
    qualify row_number() over (
        partition by customer_id order by weight desc, person_id
    ) = 1
)
select
    count(*) as receipts,
    count(r.customer_id) as attributed,
    count(*) filter (o.person_id = r.person_id) as right
from receipts as r
left join owners as o on o.customer_id = r.customer_id
"""
