"""What the store sells and where: products, stores and promotions.

The range itself belongs here; who buys what is in ``baskets``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from cdp_pipeline.sample.arrays import (
    Floats,
    Ints,
    Texts,
    happens,
    join_texts,
    number_texts,
    open_stream,
    pick,
    zipf_weights,
)
from cdp_pipeline.sample.contacts import load_places
from cdp_pipeline.sample.names import read_packed
from cdp_pipeline.sample.rendering import day_column, money_column, text_column
from cdp_pipeline.sample.seasons import Timeline

BOOTS = "Winter boots"
TIERS = ("value", "mid", "premium")
PRODUCT_COUNT = 2_000
PROMOTION_DAYS = 14
_BRANDS = (
    "Harrow & Vale", "Ashdown", "Brampton", "Calder", "Dunmore", "Elmsworth", "Fenwood",
    "Garrick", "Holt & Rye", "Inverlea", "Juniper", "Kestrel", "Larkhill", "Maison Élan",
    "Northgate", "Orwell", "Penrose", "Quill", "Rosewarne", "Selby", "Thornbury", "Wren",
)  # fmt: skip
_LOOKS = (
    "Classic", "Everyday", "Heritage", "Soft", "Signature", "Country", "City", "Original",
    "Fine", "Luxe", "Essential", "Studio", "Coastal", "Vintage", "Modern", "Pure",
)  # fmt: skip
_COLOURS = ("Black", "Navy", "Ivory", "Grey", "Red", "Forest", "Tan", "Blush", "Plum", "Sky")
_MONTH_PULL = {
    # How much better a product of a season sells, January first.
    "all": np.ones(12),
    "winter": np.array([1.3, 0.9, 0.5, 0.2, 0.1, 0.05, 0.05, 0.2, 0.7, 1.5, 2.2, 2.2]),
    "summer": np.array([0.15, 0.2, 0.5, 1.1, 1.8, 2.3, 2.3, 1.6, 0.6, 0.2, 0.1, 0.15]),
}


@dataclass(frozen=True)
class Catalogue:
    """The range in numbers; one entry per product, ordered by SKU.

    Attributes:
        sku: Seven digits with leading zeros.
        department: Index into ``departments``.
        category: Index into ``categories``.
        tier: Index into ``TIERS``.
        price: List price in pence.
        appeal: Popularity within its department.
        season: ``all``, ``winter`` or ``summer``.
        url: Path of the product's page.
        departments: Names of the departments.
        categories: Names of the categories.
        companion: For each category the one often bought with it.
        department_share: How much of the trade each department makes.
        table: The rows of ``products.csv``.
    """

    sku: Texts
    department: Ints
    category: Ints
    tier: Ints
    price: Ints
    appeal: Floats
    season: Texts
    url: Texts
    departments: tuple[str, ...]
    categories: tuple[str, ...]
    companion: Ints
    department_share: Floats
    table: pa.Table

    def of_category(self, name: str) -> Ints:
        """Return the products of a category."""
        return np.flatnonzero(self.category == self.categories.index(name)).astype(np.int64)


@dataclass(frozen=True)
class Promotions:
    """Price offers by department; one entry per promotion, ordered by its first day.

    Attributes:
        promotion_id: Id as in the files.
        first_day: First day number; may be negative.
        last_day: Last day number, inclusive.
        department: Index of the department.
        percent: Whole percents off.
        channel: ``all``, ``store`` or ``web``.
        table: The rows of ``promotions.csv``.
    """

    promotion_id: Texts
    first_day: Ints
    last_day: Ints
    department: Ints
    percent: Ints
    channel: Texts
    table: pa.Table


def stock_catalogue(seed: int) -> Catalogue:
    """Return the range: about 2,000 products in ten departments."""
    rng = open_stream(seed, "catalogue")
    rows = read_packed("categories.csv")
    departments = tuple(dict.fromkeys(row["department"] for row in rows))
    categories = tuple(row["category"] for row in rows)
    category = np.sort(np.arange(PRODUCT_COUNT) % len(rows)).astype(np.int64)
    tier = pick(rng, (0.35, 0.45, 0.20), PRODUCT_COUNT)
    weight = np.array([float(row["weight"]) for row in rows])
    rank = rng.permutation(PRODUCT_COUNT)
    of_department = np.array([departments.index(row["department"]) for row in rows])
    sku = np.sort(rng.choice(900_000, PRODUCT_COUNT, replace=False)) + 10_000
    name, brand = _name_products(rng, rows, category)
    fields = {
        "sku": number_texts(sku, 7),
        "product_name": name,
        "department": np.array(departments)[of_department[category]],
        "category": np.array(categories)[category],
        "brand": brand,
    }
    price = _set_prices(rng, rows, category, tier)
    season = np.array([row["season"] for row in rows])[category]
    url = join_texts("/product/", fields["sku"])
    columns = {key: text_column(value) for key, value in fields.items()}
    columns |= {
        "list_price": money_column(price),
        "price_tier": text_column(np.array(TIERS)[tier]),
        "season": text_column(season),
        "is_active": text_column(np.where(happens(rng, 0.97, PRODUCT_COUNT), "Y", "N")),
        "url_path": text_column(url),
    }
    return Catalogue(
        sku=fields["sku"],
        department=of_department[category],
        category=category,
        tier=tier,
        price=price,
        appeal=weight[category] * zipf_weights(PRODUCT_COUNT, 0.5)[rank],
        season=season,
        url=url,
        departments=departments,
        categories=categories,
        companion=np.array([categories.index(row["companion"]) for row in rows]),
        department_share=np.array([1.3, 1.0, 0.7, 0.8, 1.1, 1.1, 2.0, 0.4, 0.6, 0.7]),
        table=pa.table(columns),
    )


def pull_of_month(catalogue: Catalogue, month: int) -> Floats:
    """Return how well each product sells in a month (0 to 11), popularity and season together."""
    pull = np.select(
        [catalogue.season == season for season in _MONTH_PULL],
        [np.full(len(catalogue.sku), curve[month]) for curve in _MONTH_PULL.values()],
    )
    return np.asarray(catalogue.appeal * pull, dtype=np.float64)


def delist_products(catalogue: Catalogue, turn: int) -> pa.Table:
    """Return the rows of ``products.csv`` after ``turn`` rounds of taking products away."""
    number = np.arange(len(catalogue.sku))
    # Spread over the range; each round takes about one product in two hundred.
    gone = pa.array(number * 37 % 200 < turn)
    active = pa.compute.if_else(gone, pa.scalar("N"), catalogue.table["is_active"])
    place = catalogue.table.schema.get_field_index("is_active")
    return catalogue.table.set_column(place, "is_active", active)


def announce_promotions(promotions: Promotions, day: int) -> pa.Table:
    """Return the rows of ``promotions.csv`` known on a day: four weeks ahead at most."""
    known = promotions.first_day <= day + 2 * PROMOTION_DAYS
    return promotions.table.filter(pa.array(known))


def list_stores() -> pa.Table:
    """Return the rows of ``stores.csv``: twelve stores, the last one in Dublin."""
    places = load_places()
    count = int(np.sum(places.store_name != ""))
    dublin = places.area[:count] == "D"
    number = np.arange(count)
    postcode = join_texts(
        places.area[:count], number_texts(number % 4 + 1), " ", number_texts(number % 9 + 1), "AB"
    )
    return pa.table(
        {
            "store_id": text_column(join_texts("S", number_texts(number + 1, 3))),
            "store_name": text_column(places.store_name[:count]),
            "street": text_column(places.store_street[:count]),
            "city": text_column(places.city[:count]),
            "postcode": text_column(postcode),
            "latitude": pa.array([f"{value:.4f}" for value in places.latitude[:count]]),
            "longitude": pa.array([f"{value:.4f}" for value in places.longitude[:count]]),
            "opened_on": pa.array([f"{1931 + 7 * n}-03-{n + 1:02d}" for n in range(count)]),
            "time_zone": text_column(np.where(dublin, "Europe/Dublin", "Europe/London")),
            "is_open": pa.array(["Y"] * count),
        }
    )


def plan_promotions(catalogue: Catalogue, timeline: Timeline, seed: int) -> Promotions:
    """Return one promotion a fortnight, and a second one in most, until the end of the future."""
    rng = open_stream(seed, "promotions")
    starts = np.arange(-PROMOTION_DAYS, timeline.end_day + 1, PROMOTION_DAYS)
    first = np.sort(np.concatenate([starts, starts[happens(rng, 0.7, len(starts))]]))
    count = len(first)
    department = pick(rng, catalogue.department_share, count)
    percent = np.array([10, 15, 20, 25, 30])[pick(rng, (3, 2, 4, 1, 2), count)]
    channel = np.array(["all", "store", "web"])[pick(rng, (0.7, 0.15, 0.15), count)]
    last = first + PROMOTION_DAYS - 1
    ids = join_texts("PR", number_texts(np.arange(count) + 1, 4))
    names = np.array(catalogue.departments)[department]
    title = join_texts(names, " ", number_texts(percent), "% off")
    table = pa.table(
        {
            "promotion_id": text_column(ids),
            "promotion_name": text_column(title),
            "starts_on": day_column(timeline.dates, first),
            "ends_on": day_column(timeline.dates, last),
            "department": text_column(names),
            "discount_percent": text_column(number_texts(percent)),
            "channel": text_column(channel),
        }
    )
    return Promotions(ids, first, last, department, percent, channel, table)


def _name_products(
    rng: np.random.Generator, rows: list[dict[str, str]], category: Ints
) -> tuple[Texts, Texts]:
    count = len(category)
    nouns = np.array([row["nouns"].split("|") for row in rows])[category, rng.integers(0, 3, count)]
    brand = np.array(_BRANDS)[pick(rng, zipf_weights(len(_BRANDS), 0.6), count)]
    look = np.array(_LOOKS)[rng.integers(0, len(_LOOKS), count)]
    colour = np.array(_COLOURS)[rng.integers(0, len(_COLOURS), count)]
    food = np.array([row["department"] == "Food Hall" for row in rows])[category]
    named = join_texts(brand, " ", look, " ", nouns)
    return np.where(food, named, join_texts(named, ", ", colour)), brand


def _set_prices(
    rng: np.random.Generator, rows: list[dict[str, str]], category: Ints, tier: Ints
) -> Ints:
    """Return list prices in pence: whole pounds, half of them with 99 pence."""
    low = np.array([float(row["low_price"]) for row in rows])[category]
    high = np.array([float(row["high_price"]) for row in rows])[category]
    # Prices on a log scale: value in the lowest third of the range, premium in the highest.
    level = (tier + rng.random(PRODUCT_COUNT)) / len(TIERS)
    pounds = np.exp(np.log(low) + level * (np.log(high) - np.log(low)))
    pence = np.where(happens(rng, 0.5, PRODUCT_COUNT), 0, 99)
    return np.asarray(np.floor(pounds) * 100 + pence, dtype=np.int64)
