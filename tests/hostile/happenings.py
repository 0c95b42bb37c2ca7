"""What happens to delivered files night by night, and what must hold of them afterwards."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Generic, TypeVar

from tests.unit.ingest.conftest import Store

Record = TypeVar("Record")


@dataclass(frozen=True)
class Arrival(Generic[Record]):
    """What happens to a file on a night.

    Attributes:
        name: Its name below landing.
        data: Its bytes; None if it goes.
        counts: The records that count of it from then on; None if those of the night before do.
        manifest: Bytes of its manifest; None if there is none.
    """

    name: str
    data: bytes | None
    counts: list[Record] | None
    manifest: bytes | None = None


def happen(store: Store, arrival: Arrival[Record]) -> None:
    """Put a file into landing, or take it away, its manifest with it."""
    path = store.root / "data" / "landing" / arrival.name
    beside = path.with_name(path.name + ".ctl")
    if arrival.data is None:
        path.unlink()
        beside.unlink(missing_ok=True)
        return
    store.deliver(arrival.name, arrival.data)
    if arrival.manifest is not None:
        beside.write_bytes(arrival.manifest)


def assert_conserved(store: Store, night: date) -> None:
    """Every record of a loaded file is accounted for, and none of another is loaded."""
    for name, status, records, loaded, aside, duplicates, excluded in store.ledger(night):
        assert status != "loaded" or records == loaded + aside + duplicates + excluded, name
        assert status == "loaded" or loaded == 0, name
