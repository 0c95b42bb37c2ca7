"""What a training learned of the goods, kept as a file until the next one.

Between two trainings a person's lists follow from it, the person's own purchases, and what is in
stock; nobody else's purchases move them. So a night remakes the lists of those for whom something
has changed, and all others stand. The file lies beside the registry's and travels with the version.
"""

from __future__ import annotations

import zipfile
import zlib
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa

from cdp_pipeline.core.recommend_settings import RecommendSettings
from cdp_pipeline.features.recommend.lists import LEAST_SHARED
from cdp_pipeline.features.recommend.log import Numbers, PurchaseLog
from cdp_pipeline.features.recommend.ranking import Models, as_matrices

_WEIGHTS = ("ease", "baskets")

# What reading raises when the archive, a member or what a member says of itself is damaged; each
# member has a checksum.
_DAMAGES = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    OSError,
    LookupError,
    RuntimeError,
    ValueError,
)


@dataclass(frozen=True)
class Learned:
    """All that the lists of one level follow from but the customers' own purchases.

    Attributes:
        learned_on: Business date of the training; ages of purchases are counted from it.
        learned_by: The settings that it followed from; under others it does not hold.
        items: Names of the items, most bought first.
        item_customers: Customers of each item.
        item_baskets: Baskets with each item.
        in_range: Articles that somebody bought lately: others are not shown.
        models: What ranks.
    """

    learned_on: date
    learned_by: str
    items: tuple[str, ...]
    item_customers: Numbers
    item_baskets: Numbers
    in_range: tuple[str, ...]
    models: Models

    def register(self, con: duckdb.DuckDBPyConnection, name: str) -> str:
        """Create the temporary table of numbered items that ``count_purchases`` takes."""
        columns = {
            "item": np.arange(len(self.items)),
            "item_id": pa.array(self.items, pa.string()),
            "customers": self.item_customers,
            "baskets": self.item_baskets,
        }
        con.register("recommend_items", pa.table(columns))
        con.execute(f"create or replace temp table {name}_known as from recommend_items")
        con.unregister("recommend_items")
        return f"{name}_known"


def settings_learned_by(settings: RecommendSettings) -> str:
    """Return, as one text, the settings that decide what a training learns."""
    return settings.model_dump_json(exclude={"list_length", "refit_days"})


def as_learned(
    log: PurchaseLog, models: Models, in_range: tuple[str, ...], learned_on: date, learned_by: str
) -> Learned:
    """Return what is kept of a log and the models that were learned from it."""
    counts = (log.items, log.item_customers, log.item_baskets)
    return Learned(learned_on, learned_by, *counts, in_range, models)


def save_learned(path: Path, learned: Learned) -> None:
    """Write what was learned as arrays of numpy; the same content gives the same bytes.

    How many bought both of two items is kept where they are enough to be a reason.
    """
    models = learned.models
    shared = models.shared if models.shared is not None else np.zeros((0, 0), dtype=np.int32)
    one, two = np.nonzero(shared >= LEAST_SHARED)
    arrays = {
        "learned_on": np.array(learned.learned_on.isoformat()),
        "learned_by": np.array(learned.learned_by),
        "items": np.array(learned.items, dtype=np.str_),
        "item_customers": learned.item_customers,
        "item_baskets": learned.item_baskets,
        "in_range": np.array(learned.in_range, dtype=np.str_),
        "size": np.array(models.size),
        "customers": np.array(models.customers),
        "popularity": models.popularity,
        "reach": models.reach,
        "shared": np.stack([one, two, shared[one, two]]).astype(np.int32),
    }
    for name in _WEIGHTS:
        if name in models.matrices:
            arrays[f"weights_{name}"] = models.matrices[name].weights
    np.savez(path, allow_pickle=False, **arrays)


def load_learned(path: Path) -> Learned | None:
    """Return what a file holds; None without the file, or where it is damaged."""
    if not path.is_file():
        return None
    try:
        return _read_learned(path)
    except _DAMAGES:
        return None


def _read_learned(path: Path) -> Learned:
    # Opened here: numpy leaves a damaged file open.
    with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
        size, popularity = int(file["size"]), file["popularity"]
        weights = {n: file[f"weights_{n}"] for n in _WEIGHTS if f"weights_{n}" in file}
        shared = np.zeros((size, size), dtype=np.int32)
        one, two, both = file["shared"]
        shared[one, two] = both
        models = Models(
            size=size,
            customers=int(file["customers"]),
            popularity=popularity,
            reach=file["reach"],
            shared=shared if weights else None,
            matrices=as_matrices(weights, popularity[:size]),
        )
        return Learned(
            learned_on=date.fromisoformat(str(file["learned_on"])),
            learned_by=str(file["learned_by"]),
            items=tuple(file["items"].tolist()),
            item_customers=file["item_customers"],
            item_baskets=file["item_baskets"],
            in_range=tuple(file["in_range"].tolist()),
            models=models,
        )
