"""Columns that change places under an unchanged header are told from those of any other night."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from cdp_pipeline.core.errors import DataQualityError
from cdp_pipeline.ingest.shapes import compare_shapes, find_shapes
from tests.unit.ingest.conftest import NIGHT, Store, make_contract

COLUMNS: dict[str, Any] = {
    "id": {"required": True},
    "first_name": {"pii": "name"},
    "last_name": {"pii": "name"},
    "email": {"pii": "email"},
    "postcode": {},
    "phone": {},
    "store_id": {},
    "born_on": {"type": "date"},
    "joined_on": {"type": "date"},
    "mail_consent": {"type": "boolean"},
    "text_consent": {"type": "boolean"},
    "price": {"type": "decimal"},
    "amount": {"type": "decimal"},
    "points": {"type": "integer"},
    "discount": {"type": "decimal"},
    "returned": {"type": "integer"},
}
FIRST = ("Anna", "Tom", "Ida", "Zoe", "Ben", "Mia", "Lea", "Max", "Eva", "Jan", "Ole", "Paul")
LAST = ("Hartmann", "Ferguson", "Castellano", "MacDonald", "O'Sullivan", "Lindqvist", "Robertson")
CONTRACT = make_contract(COLUMNS)
Change = Callable[[dict[str, Any]], dict[str, Any]]


def person(rng: random.Random, day: date) -> dict[str, Any]:
    first, last = rng.choice(FIRST), rng.choice(LAST) + rng.choice(("", "", "-Wood", "s"))
    price = Decimal(rng.randint(100, 9_900)) / 100
    return {
        "id": str(rng.randrange(10**9)),
        "first_name": first,
        "last_name": last,
        "email": f"{first}{rng.choice(('', '.', '_'))}{rng.randrange(99)}@mail.com".lower(),
        "postcode": f"{rng.choice('ABCDE')}{rng.randint(1, 9)} {rng.randint(1, 9)}XY",
        "phone": f"07{rng.randrange(10**8):08d}",
        "store_id": f"S{rng.randint(1, 12):03d}",
        "born_on": day - timedelta(days=rng.randint(18 * 365, 80 * 365)),
        "joined_on": day - timedelta(days=rng.randint(0, 900)),
        "mail_consent": rng.random() < 0.7,
        "text_consent": rng.random() < 0.2,
        "price": price,
        "amount": price * rng.randint(2, 9),
        "points": rng.randint(0, 5_000),
        "discount": Decimal(rng.random() < 0.1),  # mostly nought, as the next one
        "returned": int(rng.random() < 0.1),
    }


def shapes_of(seed: int, change: Change = dict, rows: int = 200) -> dict[str, dict[str, float]]:
    rng, day = random.Random(seed), NIGHT + timedelta(days=seed)  # noqa: S311 - a test
    people = [change(person(rng, day)) for _ in range(rows)]
    return find_shapes(pa.Table.from_pylist(people), CONTRACT, business_date=day)


def swap(one: str, other: str) -> Change:
    return lambda row: {**row, one: row[other], other: row[one]}


BEFORE = [shapes_of(seed) for seed in range(8)]


@pytest.mark.parametrize("rows", [60, 200])
def test_ordinary_nights_are_like_those_before(rows: int) -> None:
    said = [
        text
        for seed in range(100, 200)
        for text in compare_shapes(CONTRACT, shapes_of(seed, rows=rows), BEFORE, least=4)
    ]
    assert said == []


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("first_name", "last_name"),
        ("email", "phone"),
        ("postcode", "store_id"),
        ("born_on", "joined_on"),
        ("mail_consent", "text_consent"),
        ("price", "amount"),
        ("price", "points"),
    ],
)
def test_columns_that_changed_places_are_named(one: str, other: str) -> None:
    for seed in range(100, 120):
        said = list(compare_shapes(CONTRACT, shapes_of(seed, swap(one, other)), BEFORE, least=4))
        assert [text for text in said if text.startswith(f"{one} holds what {other} held")]


def test_one_swapped_night_before_does_not_hide_the_next() -> None:
    swapped = swap("first_name", "last_name")
    before = [*BEFORE[:7], shapes_of(99, swapped)]
    assert list(compare_shapes(CONTRACT, shapes_of(100, swapped), before, least=4))
    assert not list(compare_shapes(CONTRACT, shapes_of(101), before, least=4))


def test_another_unit_and_another_writing_are_told_without_a_value() -> None:
    pence = shapes_of(100, lambda row: {**row, "price": row["price"] * 100})
    assert [t.split(";")[0][:27] for t in compare_shapes(CONTRACT, pence, BEFORE, least=4)] == [
        "the middle value of price i"
    ]
    numbered = shapes_of(100, lambda row: {**row, "store_id": row["store_id"][1:]})
    (said,) = compare_shapes(CONTRACT, numbered, BEFORE, least=4)
    assert "store_id is mostly written in digits; in 8 files before it was in digits, cap" in said


def remark(rng: random.Random) -> str:
    marks = rng.sample(".,;:!?-()'&/%+", rng.randint(2, 6))
    return "".join(f"{rng.choice(FIRST)}{rng.choice((' 5', '', ' x'))}{mark}" for mark in marks)


def with_remarks(seed: int, change: Change = dict, rows: int = 40) -> dict[str, dict[str, float]]:
    rng = random.Random(seed)  # noqa: S311 - a test
    return shapes_of(seed, lambda row: change({**row, "last_name": remark(rng)}), rows)


def test_free_text_is_written_otherwise_every_night() -> None:
    before = [with_remarks(seed) for seed in range(8)]
    for seed in range(100, 150):
        assert not list(compare_shapes(CONTRACT, with_remarks(seed), before, least=4))
    swapped = with_remarks(100, swap("last_name", "store_id"))
    (said,) = compare_shapes(CONTRACT, swapped, before, least=4)
    assert said.startswith("last_name holds what store_id held")


def test_no_number_that_names_a_person_is_kept() -> None:
    contract = make_contract({"phone": {"type": "integer", "pii": "phone"}})
    numbers = pa.table({"phone": [447_700_900_000 + n for n in range(121, 142)]})
    (shape,) = find_shapes(numbers, contract, business_date=NIGHT).values()
    assert shape == {"middle": 448_000_000_000.0}


def test_nothing_is_said_of_few_files_or_few_values() -> None:
    changed = shapes_of(100, swap("email", "phone"))
    assert not list(compare_shapes(CONTRACT, changed, BEFORE[:3], least=4))
    assert shapes_of(100, rows=19) == {}


def deliver_names(store: Store, day: date, *, is_swapped: bool) -> None:
    rng = random.Random(day.toordinal())  # noqa: S311 - a test
    names = [(rng.choice(FIRST), rng.choice(LAST)) for _ in range(40)]
    lines = [
        ",".join([f"{day:%d}-{n}", *(pair[::-1] if is_swapped else pair)])
        for n, pair in enumerate(names)
    ]
    text = "\n".join(["id,first_name,last_name", *lines, ""])
    store.deliver(f"people/people_{day:%Y%m%d}.csv", text)


def declare_names(store: Store, policy: str) -> None:
    store.declare(
        "people",
        {
            "title": "People",
            "owner": "tests",
            "delivery": {"path": "people/*", "format": "csv"},
            "load": {"mode": "append", "key": ["id"]},
            "drift": {"shapes": policy},
            "columns": {"id": {"required": True}, "first_name": {}, "last_name": {}},
            "feeds": [
                {"entity": "products", "columns": {"sku": "id", "product_name": "last_name"}}
            ],
        },
    )


def test_a_night_says_it_stops_or_passes_it_by_as_the_contract_has_it(store: Store) -> None:
    declare_names(store, "warn")
    for back in range(5, 0, -1):
        deliver_names(store, NIGHT - timedelta(days=back), is_swapped=False)
    last = NIGHT - timedelta(days=1)
    store.night(last)
    store.publish(last)
    deliver_names(store, NIGHT, is_swapped=True)
    said = "first_name holds what last_name held in 5 files before"
    assert [said in message for message in store.night().messages] == [True]
    declare_names(store, "pass")
    assert store.night().messages == ()
    declare_names(store, "stop")
    with pytest.raises(DataQualityError, match=said):
        store.night()
