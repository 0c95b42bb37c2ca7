"""Nights of three stores' tills in twenty-one more kinds of trouble, each held to the truth.

What each store and day took is known from what was sent, so that after every single night, not only
in the end, the warehouse must hold exactly what has come of it so far. Files carry manifests.
"""

from __future__ import annotations

import gzip
import random
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Final

import pytest

from tests.hostile.happenings import Arrival, assert_conserved, happen
from tests.hostile.test_damaged_nights import HEADER, STORES, Chain, Row, written
from tests.unit.ingest.conftest import REPOSITORY, Store

FIRST_NIGHT = date(2026, 10, 10)
CLOCKS_GO_BACK = datetime(2026, 10, 25, 2)  # noqa: DTZ001 - the wall clock of the stores
MANIFEST = "'^(?P<rows>\\d+);(?P<line_amount>-?[\\d.]+)$'"
AFTER: Final = 7
"""Nights after the last damage, on which what is late comes."""


@dataclass
class Sender:
    """A store on its night.

    Attributes:
        chain: Sells.
        night: When it sends.
        store: Which it is.
        name: What its file is called.
        rows: What it sold.
        others: File name and rows of the other stores of that night.
        events: By night, what happens.
    """

    chain: Chain
    night: date
    store: str
    name: str
    rows: list[Row]
    others: list[tuple[str, list[Row]]]
    events: dict[date, list[Arrival[Row]]] = field(default_factory=lambda: defaultdict(list))

    def send(
        self,
        data: bytes,
        counts: list[Row] | None,
        *,
        after: int = 0,
        name: str = "",
        stated: list[Row] | None = None,
    ) -> None:
        """Send bytes some nights later, with a manifest of the stated rows (else all)."""
        said = manifest(self.rows if stated is None else stated)
        arrival = Arrival(name or self.name, data, counts, said)
        self.events[self.night + timedelta(after)].append(arrival)

    def add(self, arrival: Arrival[Row], *, after: int = 0) -> None:
        self.events[self.night + timedelta(after)].append(arrival)

    def send_all(self, *, after: int = 0, name: str = "") -> None:
        self.send(plain(self.rows), self.rows, after=after, name=name)


def manifest(rows: list[Row]) -> bytes:
    return f"{len(rows)};{sum(Decimal(row['line_amount']) for row in rows)}\n".encode()


def plain(rows: list[Row], header: tuple[str, ...] = HEADER) -> bytes:
    return written(rows, header=header).encode()


def packed(rows: list[Row]) -> bytes:
    return gzip.compress(plain(rows), mtime=0)


def mistaken(rows: list[Row]) -> list[Row]:
    """Return rows as a till wrote them that had every third price wrong."""
    wrong = {"unit_price": "2.00", "quantity": "1", "discount_amount": "0", "line_amount": "2.00"}
    wrong |= {"transaction_type": "SALE"}
    return [row | wrong if n % 3 == 0 else dict(row) for n, row in enumerate(rows)]


def with_clock(rows: list[Row], hours: int, form: str) -> list[Row]:
    """Return rows with times of a clock that is hours ahead of UTC."""
    found = []
    for row in rows:
        local = datetime.fromisoformat(row["till_time"])
        ahead = 1 if local < CLOCKS_GO_BACK else 0
        found.append(row | {"till_time": (local + timedelta(hours=hours - ahead)).strftime(form)})
    return found


def undamaged(s: Sender) -> None:
    s.send_all()


def late_and_packed(s: Sender) -> None:
    s.send(packed(s.rows), s.rows, after=6, name=s.name + ".gz")


def sent_again_with_fewer_rows(s: Sender) -> None:
    more = [row | {"receipt_id": "X" + row["receipt_id"]} for row in mistaken(s.rows)]
    both = s.rows + more
    s.send(plain(both), both, stated=both)
    s.send_all(after=2)


def sent_again_but_truncated(s: Sender) -> None:
    first, name = mistaken(s.rows), s.name + ".gz"
    s.send(packed(first), first, name=name, stated=first)
    s.send(packed(s.rows)[:-40], None, after=1, name=name)
    s.send(packed(s.rows), s.rows, after=3, name=name)


def header_changes_in_the_middle(s: Sender) -> None:
    other, half = list(HEADER), len(s.rows) // 2
    i, j = other.index("unit_price"), other.index("line_amount")
    other[i], other[j] = other[j], other[i]
    s.send(plain(s.rows[:half]) + plain(s.rows[half:], tuple(other)), None)
    s.send_all(after=1)


def amounts_in_the_wrong_column(s: Sender) -> None:
    other = list(HEADER)
    i, j = other.index("unit_price"), other.index("line_amount")
    other[i], other[j] = other[j], other[i]
    body = plain(s.rows, tuple(other)).split(b"\n", 1)[1]
    s.send(plain([]) + body, None)
    s.send_all(after=1)


def copy_in_an_earlier_folder(s: Sender) -> None:
    copy = s.name.replace(str(s.night), str(s.night - timedelta(3)))
    s.send_all()
    s.send(plain(s.rows), [], name=copy.replace("pos_sales_S", "pos_sales_A_S"))


def in_the_folder_of_yesterday(s: Sender) -> None:
    wrong = s.name.replace(f"/{s.night}/", f"/{s.night - timedelta(1)}/").replace(".csv", "_w.csv")
    s.send_all(name=wrong)
    s.send(plain(s.rows), [], after=2)


def corrections_of_corrections(s: Sender) -> None:
    first, second = mistaken(s.rows), mistaken(s.rows[1:])
    for after, rows in enumerate((first, second, first, s.rows)):
        s.send(plain(rows), rows, after=after, stated=rows)


def clock_of_utc(s: Sender) -> None:
    s.send(plain(with_clock(s.rows, 0, "%Y-%m-%dT%H:%M:%SZ")), s.rows)


def clock_of_tokyo(s: Sender) -> None:
    s.send(plain(with_clock(s.rows, 9, "%Y-%m-%d %H:%M:%S +0900")), s.rows)


def empty(s: Sender) -> None:
    s.send(b"", [], stated=[])
    s.send_all(after=4)


def half_at_the_end_of_a_record(s: Sender) -> None:
    s.send(plain(s.rows[: len(s.rows) // 2]), [])
    s.send_all(after=1)


def half_uploaded(s: Sender) -> None:
    part = s.name + ".part"
    s.add(Arrival(part, plain(s.rows)[:900], []))
    s.add(Arrival(part, None, []), after=1)
    s.send_all(after=1)


def manifest_late(s: Sender) -> None:
    s.add(Arrival(s.name, plain(s.rows), []))
    s.send_all(after=2)


def manifest_disagrees(s: Sender) -> None:
    s.send(plain(s.rows), [], stated=s.rows[1:])
    s.send_all(after=1)


def gone_later(s: Sender) -> None:
    s.send_all()
    s.add(Arrival(s.name, None, None), after=3)


def bytes_of_another_store(s: Sender) -> None:
    _, rows = s.others[-1]
    s.send(plain(rows), [], stated=rows)
    s.send_all(after=1)


def parts_that_change_places(s: Sender) -> None:
    sold = s.chain.sell(s.store, s.night)
    second = [row | {"receipt_id": "B" + row["receipt_id"]} for row in sold]
    name = s.name.replace(".csv", "_b.csv")
    for after, (ours, theirs) in enumerate(((s.rows, second), (second, s.rows))):
        s.send(plain(ours), ours, after=after, stated=ours)
        s.send(plain(theirs), theirs, after=after, name=name, stated=theirs)


def what_was_corrected_comes_again_elsewhere(s: Sender) -> None:
    first = mistaken(s.rows)
    s.send(plain(first), first, stated=first)
    s.send_all(after=1)
    name = s.name.replace(".csv", "_z.csv")
    s.send(plain(first), [], after=2, name=name, stated=first)


def grows_from_night_to_night(s: Sender) -> None:
    third = len(s.rows) // 3
    for after, rows in enumerate((s.rows[:third], s.rows[: 2 * third], s.rows)):
        s.send(plain(rows), rows, after=after, stated=rows)


def lines_end_in_returns(s: Sender) -> None:
    s.send(plain(s.rows).replace(b"\n", b"\r"), s.rows)


DAMAGES: tuple[Callable[[Sender], None], ...] = (
    late_and_packed,
    sent_again_with_fewer_rows,
    sent_again_but_truncated,
    header_changes_in_the_middle,
    amounts_in_the_wrong_column,
    copy_in_an_earlier_folder,
    in_the_folder_of_yesterday,
    corrections_of_corrections,
    clock_of_utc,
    clock_of_tokyo,
    empty,
    half_at_the_end_of_a_record,
    half_uploaded,
    manifest_late,
    manifest_disagrees,
    gone_later,
    bytes_of_another_store,
    parts_that_change_places,
    what_was_corrected_comes_again_elsewhere,
    grows_from_night_to_night,
    lines_end_in_returns,
)


def planned(seed: int) -> dict[date, list[Arrival[Row]]]:
    """Return what happens on each night: one store in trouble, the others not."""
    chain = Chain(random.Random(seed))  # noqa: S311 - data of a test
    events: dict[date, list[Arrival[Row]]] = defaultdict(list)
    for n, damage in enumerate(DAMAGES):
        night = FIRST_NIGHT + timedelta(n)
        others: list[tuple[str, list[Row]]] = []
        for store in sorted(STORES, key=lambda s: s == STORES[n % len(STORES)]):
            rows = chain.sell(store, night)
            rows[0]["till_time"], rows[-1]["till_time"] = f"{night}T00:10:00", f"{night}T23:40:00"
            name = f"pos_sales/{night}/pos_sales_{store}.csv"
            sender = Sender(chain, night, store, name, rows, others, events)
            (damage if store == STORES[n % len(STORES)] else undamaged)(sender)
            others = [*others, (name, rows)]
    return events


def takings(counts: dict[str, list[Row]]) -> dict[tuple[str, date], Decimal]:
    """Return takings by store and day of the files that count."""
    found: dict[tuple[str, date], Decimal] = defaultdict(Decimal)
    for rows in counts.values():
        for row in rows:
            if row["transaction_type"] in {"SALE", "RETURN"}:
                day = date.fromisoformat(row["till_time"][:10])
                found[row["store_id"], day] += Decimal(row["line_amount"])
    return found


@pytest.mark.slow
def test_each_night_holds_what_has_come_so_far(store: Store) -> None:
    contract = (REPOSITORY / "expectations" / "pos_sales.yml").read_text()
    with_manifest = contract.replace(
        "  required: true\n  minimum_rows: 1\n",
        f'  control: {{from: manifest, manifest: "{{name}}.ctl", pattern: {MANIFEST}}}\n',
    )
    assert with_manifest != contract
    (store.root / "expectations" / "pos_sales.yml").write_text(with_manifest)
    events, counts = planned(7), dict[str, list[Row]]()
    for n in range(len(DAMAGES) + AFTER):
        night = FIRST_NIGHT + timedelta(n)
        for arrival in events.pop(night, []):
            happen(store, arrival)
            if arrival.counts is not None:
                counts[arrival.name] = arrival.counts
        store.night(night)
        store.publish(night)
        found = store.query(
            "select store_id, cast(timezone('Europe/London', timezone('UTC', sold_at)) as date), "
            "sum(net_amount) from staging.sale_lines group by all",
            night,
        )
        assert {(s, day): amount for s, day, amount in found} == takings(counts), night
        assert_conserved(store, night)
    assert not events
