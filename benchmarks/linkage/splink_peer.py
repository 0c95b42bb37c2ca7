"""Splink 5 on DuckDB, set up as its own demonstrations set it up, and the fastest way found.

Documented: the comparisons of its library for names, dates of birth and e-mail addresses, its demo
rules, u from ten million random pairs, one expectation-maximisation session a training rule. Lean:
Levenshtein instead of Damerau-Levenshtein, u and each session from a million pairs. Both are
clustered at the threshold of the demonstrations and at all of ``THRESHOLDS``; the best of them is
chosen with the truth, which no user has.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import splink.comparison_level_library as levels
import splink.comparison_library as comparisons
from splink import DuckDBAPI, Linker, SettingsCreator, block_on

from benchmarks.linkage.datasets import DataSet
from benchmarks.linkage.wordlists import Integers
from benchmarks.linkage.worker import Outcome, Watch

THREADS = 2
PREDICT_FROM = 0.01
THRESHOLDS = (0.5, 0.8, 0.9, 0.95, 0.99, 0.999, 0.9999, 0.99999)
LEAN_PAIRS = 1e6
SEED = 2

logging.getLogger("splink").setLevel(logging.ERROR)


@dataclass(frozen=True)
class Plan:
    """How one kind of data is linked."""

    columns: str
    rules: list[Any]
    comparisons: list[Any]
    deterministic: list[Any]
    recall: float
    training: list[Any]
    u_pairs: float
    threshold: float
    two_sides: bool = False
    trains_plainly: bool = True


def link_documented(data: DataSet, scratch: Path, watch: Watch) -> Outcome:
    """Link as the demonstrations do."""
    return _link(data, scratch, watch, lean=False)


def link_lean(data: DataSet, scratch: Path, watch: Watch) -> Outcome:
    """Link with the settings that were fastest."""
    return _link(data, scratch, watch, lean=True)


def _link(data: DataSet, scratch: Path, watch: Watch, *, lean: bool) -> Outcome:
    plan = _plan_febrl(data, lean=lean) if data.is_febrl else _plan_people(data, lean=lean)
    con = duckdb.connect()
    con.execute(f"set threads = {THREADS}; set temp_directory = '{scratch}'")
    with watch.phase("read"):
        _load(con, data, plan)
        api = DuckDBAPI(connection=con)
        names = ("part_a", "part_b") if plan.two_sides else ("part",)
        parts = [api.register(con.table(name).to_arrow_table()) for name in names]
        settings = SettingsCreator(
            link_type="link_only" if plan.two_sides else "dedupe_only",
            unique_id_column_name="record",
            blocking_rules_to_generate_predictions=plan.rules,
            comparisons=plan.comparisons,
            retain_intermediate_calculation_columns=False,
            retain_matching_columns=False,
        )
        linker = Linker(parts if plan.two_sides else parts[0], settings)
    _train(linker, plan, watch, lean=lean)
    with watch.phase("predict"):
        predicted = linker.inference.predict(threshold_match_probability=PREDICT_FROM)
    with watch.phase("cluster"):
        default = _cluster(con, linker, predicted, plan.threshold, data.rows)
    groups = {f"{plan.threshold}": default}
    for threshold in THRESHOLDS:
        if threshold != plan.threshold:
            groups[f"{threshold}"] = _cluster(con, linker, predicted, threshold, data.rows)
    found = con.execute(
        "select record_l as l, record_r as r, match_probability as p "  # noqa: S608 - Splink's own
        f"from {predicted.physical_name}"
    ).fetchnumpy()
    edges = tuple(
        np.asarray(found[name], kind) for name, kind in zip("lrp", (int, int, float), strict=True)
    )
    return Outcome(groups, edges, accept=plan.threshold, notes=[f"{len(edges[0]):,} scored pairs"])


def _load(con: duckdb.DuckDBPyConnection, data: DataSet, plan: Plan) -> None:
    con.execute(
        f"create table part as select "  # noqa: S608 - fixed column names
        f"(row_number() over (order by source, record_key) - 1)::integer as record, {plan.columns} "
        "from read_parquet(?) order by record",
        [str(data.folder / "standard.parquet")],
    )
    if plan.two_sides:
        for side in "ab":
            con.execute(
                f"create table part_{side} as select * exclude (source) from part "  # noqa: S608 - same
                f"where source = '{side}' order by record"
            )


def _train(linker: Linker, plan: Plan, watch: Watch, *, lean: bool) -> None:
    training = linker.training
    with watch.phase("prior and u"):
        training.estimate_probability_two_random_records_match(
            plan.deterministic, recall=plan.recall
        )
        pairs = min(plan.u_pairs, LEAN_PAIRS) if lean else plan.u_pairs
        training.estimate_u_using_random_sampling(max_pairs=pairs, seed=SEED)
    options: dict[str, Any] = {"max_pairs": LEAN_PAIRS} if lean else {}
    if plan.trains_plainly:
        options["estimate_without_term_frequencies"] = True
    with watch.phase("expectation maximisation"):
        for rule in plan.training:
            training.estimate_parameters_using_expectation_maximisation(rule, **options)


def _cluster(
    con: duckdb.DuckDBPyConnection,
    linker: Linker,
    predicted: Any,  # noqa: ANN401 - Splink's frame
    threshold: float,
    rows: int,
) -> Integers:
    clustered = linker.clustering.cluster_pairwise_predictions_at_threshold(
        predicted, threshold_match_probability=threshold
    )
    found = con.execute(
        "select record, dense_rank() over (order by cluster_id) as number "  # noqa: S608 - Splink's own
        f"from {clustered.physical_name}"
    ).fetchnumpy()
    groups = np.full(rows, -1, dtype=np.int64)
    groups[found["record"]] = found["number"]
    return groups


def _plan_people(data: DataSet, *, lean: bool) -> Plan:
    birth_date: Any = comparisons.DateOfBirthComparison("birth_date", input_is_string=True)
    phone: Any = comparisons.DamerauLevenshteinAtThresholds("phone", [1])
    if lean:
        birth_date = comparisons.CustomComparison(
            output_column_name="birth_date",
            comparison_levels=[
                levels.NullLevel("birth_date"),
                levels.ExactMatchLevel("birth_date"),
                levels.LevenshteinLevel("birth_date", 1),
                levels.ElseLevel(),
            ],
        )
        phone = comparisons.LevenshteinAtThresholds("phone", [1])
    compared = [
        comparisons.ForenameSurnameComparison(
            "first_name", "last_name", forename_surname_concat_col_name="both_names"
        ),
        birth_date,
        comparisons.EmailComparison("email"),
        phone.configure(term_frequency_adjustments=True),
        comparisons.ExactMatch("loyalty_id").configure(term_frequency_adjustments=True),
        _address(),
    ]
    rules = [
        block_on("email"),
        block_on("phone"),
        block_on("loyalty_id"),
        block_on("birth_date", "last_name"),
        block_on("birth_date", "first_name"),
        block_on("street", "postcode"),
        block_on("first_name", "last_name", "postcode"),
        "l.first_name = r.last_name and l.last_name = r.first_name and l.postcode = r.postcode",
        block_on("substr(first_name, 1, 1)", "last_name", "postcode"),
    ]
    if data.has_profiles:
        token = comparisons.ExactMatch("payment_token")
        compared.append(token.configure(term_frequency_adjustments=True))
        rules.append(block_on("payment_token"))
    return Plan(
        columns="first_name, last_name, first_name || ' ' || last_name as both_names, "
        "birth_date::varchar as birth_date, email, phone, loyalty_id, street, postcode, "
        "payment_token",
        rules=rules,
        comparisons=compared,
        deterministic=[
            block_on("email", "first_name"),
            block_on("phone", "first_name", "last_name"),
            block_on("birth_date", "first_name", "last_name"),
        ],
        recall=0.6,
        training=[block_on("first_name", "last_name"), block_on("birth_date"), block_on("email")],
        u_pairs=1e7,
        threshold=0.95,
    )


def _address() -> Any:  # noqa: ANN401 - Splink's comparison
    both = levels.And(levels.ExactMatchLevel("street"), levels.ExactMatchLevel("postcode"))
    near = levels.And(levels.JaroWinklerLevel("street", 0.92), levels.ExactMatchLevel("postcode"))
    none = levels.And(levels.NullLevel("street"), levels.NullLevel("postcode"))
    return comparisons.CustomComparison(
        output_column_name="address",
        comparison_levels=[
            none.configure(is_null_level=True),
            both,
            near,
            levels.ExactMatchLevel("postcode", term_frequency_adjustments=True),
            levels.ElseLevel(),
        ],
    )


def _plan_febrl(data: DataSet, *, lean: bool) -> Plan:
    """FEBRL 1 to 3 as in Splink's FEBRL3 demonstration, FEBRL 4 as in its linkage demonstration."""
    distance = (
        comparisons.LevenshteinAtThresholds if lean else comparisons.DamerauLevenshteinAtThresholds
    )
    frequent = {"term_frequency_adjustments": True}
    born = {"input_is_string": True, "datetime_format": "%Y%m%d"}
    number = comparisons.ExactMatch("street_number").configure(**frequent)
    columns = (
        "source, given_name, surname, date_of_birth, soc_sec_id, street_number, postcode, state, "
        "address_1"
    )
    same_person = block_on("given_name", "surname", "date_of_birth")
    swapped = "l.given_name = r.surname and l.surname = r.given_name"
    if data.name == "febrl4":
        return Plan(
            columns=columns,
            rules=[block_on("given_name", "surname"), swapped, block_on("date_of_birth"),
                   block_on("soc_sec_id"), block_on("state", "address_1"),
                   block_on("street_number", "address_1"), block_on("postcode")],
            comparisons=[
                comparisons.NameComparison("given_name").configure(**frequent),
                comparisons.NameComparison("surname").configure(**frequent),
                comparisons.DateOfBirthComparison(
                    "date_of_birth", invalid_dates_as_null=True, **born
                ),
                distance("soc_sec_id", [1, 2]),
                number,
                distance("postcode", [1, 2]).configure(**frequent),
            ],
            deterministic=[block_on("soc_sec_id"), same_person],
            recall=0.8,
            training=[block_on("date_of_birth"), block_on("postcode")],
            u_pairs=1e6,
            threshold=0.5,
            two_sides=True,
        )  # fmt: skip
    return Plan(
        columns=columns,
        rules=[block_on("soc_sec_id"), block_on("given_name"), block_on("surname"),
               block_on("date_of_birth"), block_on("postcode")],
        comparisons=[
            comparisons.NameComparison("given_name"),
            comparisons.NameComparison("surname"),
            comparisons.DateOfBirthComparison("date_of_birth", **born),
            distance("soc_sec_id", [2]),
            number,
            comparisons.ExactMatch("postcode").configure(**frequent),
        ],
        deterministic=[
            block_on("soc_sec_id"),
            same_person,
            f"{swapped} and l.date_of_birth = r.date_of_birth",
        ],
        recall=0.9,
        training=[block_on("date_of_birth"), block_on("postcode")],
        u_pairs=1e6,
        threshold=0.5,
        trains_plainly=False,
    )  # fmt: skip
