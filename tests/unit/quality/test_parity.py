"""Our predicates, Great Expectations on DuckDB and its pandas engine mean the same rows."""

from __future__ import annotations

from datetime import date, timedelta

import duckdb
import great_expectations as gx
import numpy as np
import pandas as pd
import pytest

from cdp_pipeline.project.checks import Check
from cdp_pipeline.project.predicates import row_predicate, unique_columns
from cdp_pipeline.quality.checkpoints import open_checkpoints
from cdp_pipeline.quality.suites import Subject, build_suite

ROWS = 3000
TYPES = {
    "row_id": "bigint",
    "name": "varchar",
    "postcode": "varchar",
    "quantity": "bigint",
    "price": "decimal(18,2)",
    "sold_on": "date",
}
CHECKS = [
    Check(expect="not_null", column="name", name="a"),
    Check(expect="not_null", column="price", name="b"),
    Check(expect="in_set", column="name", values=("Ann", "O'Neil", ""), name="c"),
    Check(expect="in_set", column="quantity", values=(0, "7"), name="d"),
    Check(expect="in_set", column="sold_on", values=("2026-11-20",), name="e"),
    Check(expect="between", column="quantity", min=-3, max=12, name="f"),
    Check(expect="between", column="price", min="0.01", max="4.5", name="g"),
    Check(expect="between", column="price", max=0, name="h"),
    Check(expect="between", column="sold_on", min="2026-11-01", name="i"),
    Check(expect="matches", column="postcode", pattern=r"^[A-Z]{1,2}\d{1,2} \d[A-Z]{2}$", name="j"),
    Check(expect="matches", column="name", pattern=r"[:{}?%]|é", name="k"),
    Check(expect="length_between", column="name", min=1, max=3, name="l"),
    Check(expect="length_between", column="postcode", max=7, name="m"),
    Check(expect="unique", column="name", name="n"),
    Check(expect="unique", columns=("quantity", "sold_on"), name="o"),
    Check(expect="unique", column="row_id", name="p"),
    Check(expect="not_null", column="quantity", mostly=0.5, name="q"),
    Check(expect="matches", column="name", pattern="n", mostly=0.05, name="r"),
]
NAMES = ["Ann", "ann", "O'Neil", "", " ", "Zoë", "José é", "a:b", "{x}", "what?", "50%"]
NAMES += ["🤦🏼‍♂️", "nan", "None", "NULL", "a\nb", "\t"]
POSTCODES = ["SW1A 1AA", "M1 1AE", "sw1a 1aa", "B33 8TH ", "12345", "", "EC1A1BB"]


@pytest.fixture(scope="module")
def dirty() -> pd.DataFrame:
    """Return seeded rows with missing, odd and repeated values."""
    rng = np.random.default_rng(7)

    def spoil(values: list[object], share: float) -> list[object]:
        return [None if miss else value for value, miss in zip(values, rng.random(ROWS) < share)]  # noqa: B905 - same length

    names = [
        NAMES[i] if i < len(NAMES) else f"u{n}" for n, i in enumerate(rng.integers(0, 25, ROWS))
    ]
    days = [date(2026, 10, 1) + timedelta(days=int(d)) for d in rng.integers(0, 61, ROWS)]
    cents = [f"{c / 100:.2f}" for c in rng.integers(-200, 600, ROWS)]
    with duckdb.connect() as con:
        frame = pd.DataFrame(
            {
                "row_id": range(ROWS),
                "name": spoil(names, 0.1),
                "postcode": spoil([POSTCODES[i] for i in rng.integers(0, 7, ROWS)], 0.2),
                "quantity": pd.array(
                    spoil([int(q) for q in rng.integers(-9, 400, ROWS)], 0.1), "Int64"
                ),
                "price": spoil(cents, 0.05),
                "sold_on": spoil(days, 0.3),
            }
        )
        con.register("frame", frame)
        columns = ", ".join(f"{name}::{kind} as {name}" for name, kind in TYPES.items())
        con.execute(f"create table dirty as select {columns} from frame")
        rows = con.execute("select * from dirty order by row_id").fetchall()
    return pd.DataFrame(rows, columns=list(TYPES), dtype=object)


@pytest.fixture(scope="module")
def dirty_table(dirty: pd.DataFrame) -> duckdb.DuckDBPyConnection:
    """Return a connection on which the rows are the table ``dirty``."""
    con = duckdb.connect()
    columns = ", ".join(f"{name} {kind}" for name, kind in TYPES.items())
    con.execute(f"create table dirty ({columns})")
    con.executemany(
        f"insert into dirty values ({', '.join('?' * len(TYPES))})", dirty.to_numpy().tolist()
    )
    return con


@pytest.fixture(scope="module")
def broken_rows(dirty_table: duckdb.DuckDBPyConnection) -> dict[str, set[int]]:
    """Return, by rule, the rows that our predicates set aside."""
    found = {}
    for check in CHECKS:
        if check.expect == "unique":
            key = unique_columns(check)
            incomplete = " or ".join(f"{name} is null" for name in key)
            fine = f"({incomplete} or count(*) over (partition by {', '.join(key)}) = 1)"
        else:
            fine = row_predicate(check, TYPES[check.column or ""])
        sql = f"select row_id from (select row_id, {fine} as fine from dirty) where not fine"
        found[check.rule] = {row[0] for row in dirty_table.execute(sql).fetchall()}
    return found


def test_the_rows_are_dirty_enough_to_tell_rules_apart(broken_rows: dict[str, set[int]]) -> None:
    assert broken_rows["p"] == set()
    shares = {rule: len(rows) / ROWS for rule, rows in broken_rows.items() if rule != "p"}
    assert all(0.01 < share < 0.99 for share in shares.values()), shares


def test_great_expectations_on_pandas_finds_exactly_our_rows(
    dirty: pd.DataFrame, broken_rows: dict[str, set[int]]
) -> None:
    # Great Expectations keeps bounds as floats, so its pandas engine gets float amounts: it would
    # hold the Decimal 0.01 to be smaller than the float 0.01.
    frame = dirty.assign(price=dirty["price"].astype(float))
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    asset = context.data_sources.add_pandas("pandas").add_dataframe_asset("dirty")
    batch = asset.add_batch_definition_whole_dataframe("all").get_batch({"dataframe": frame})
    suite = build_suite(Subject("dirty", "dirty", TYPES, "here"), CHECKS)
    outcome = batch.validate(
        suite,
        result_format={"result_format": "COMPLETE", "unexpected_index_column_names": ["row_id"]},
    )
    assert len(outcome.results) == len(CHECKS)
    for result in outcome.results:
        rule = result.expectation_config.meta["rule"]
        rows = {entry["row_id"] for entry in result.result.get("unexpected_index_list") or []}
        assert rows == broken_rows[rule], rule


def test_great_expectations_on_duckdb_counts_exactly_our_rows(
    dirty_table: duckdb.DuckDBPyConnection, broken_rows: dict[str, set[int]]
) -> None:
    with open_checkpoints(dirty_table, business_date=date(2026, 11, 20)) as checkpoints:
        subject = checkpoints.look_at("dirty", "from dirty", where="here")
        results = checkpoints.run([(subject, CHECKS)], stage="sources")
    counts = {result.rule: result.unexpected_rows for result in results}
    assert counts == {rule: len(rows) for rule, rows in broken_rows.items()}
    passed = {result.rule for result in results if result.success}
    assert passed == {"p", "q", "r"}
