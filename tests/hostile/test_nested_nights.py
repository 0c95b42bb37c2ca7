"""Nights of a web shop's JSON and of two stores' POSLog in thirty-three kinds of trouble.

What counts of each file is known from what was sent, so that after every night the sums by store
and day, and what became of each record, are held to the truth. JSON comes with manifests.
"""

from __future__ import annotations

import gzip
import json
import random
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

import pytest

from tests.hostile.happenings import Arrival, assert_conserved, happen
from tests.unit.ingest.conftest import REPOSITORY, Store

FIRST_NIGHT = date(2026, 9, 29)
CLOCKS_GO_BACK = datetime(2026, 10, 25, 1)  # noqa: DTZ001 - the wall clock of the stores
AFTER: Final = 5
"""Nights after the last damage, on which what is late comes."""

CONTRACT: dict[str, Any] = {
    "title": "Orders of the web shop",
    "owner": "tests",
    "delivery": {
        "path": "web/*/*.json*",
        "format": "json",
        "records": "export.orders",
        "time_zone": "Europe/London",
        "control": {"from": "manifest", "pattern": r"^(?P<rows>\d+)$"},
    },
    "load": {"mode": "upsert", "key": ["order_id", "line_no"], "updated_at": "updated_at"},
    "columns": {
        "order_id": {"from": "id", "required": True},
        "ordered_at": {"type": "timestamp", "required": True},
        "updated_at": {"type": "timestamp", "required": True},
        "store_id": {"from": "store.id", "required": True},
        "line_no": {"from": "lines[].no", "type": "integer", "required": True},
        "sku": {"from": "lines[].sku"},
        "quantity": {"from": "lines[].qty", "type": "integer", "required": True},
        "amount": {"from": "lines[].amount", "type": "decimal", "required": True},
    },
    "feeds": [
        {
            "entity": "sale_lines",
            "columns": {
                "sale_id": "order_id",
                "line_no": "line_no",
                "sold_at": "ordered_at",
                "store_id": "store_id",
                "channel": "'web'",
                "sku": "sku",
                "quantity": "quantity",
                "net_amount": "amount",
                "currency": "'GBP'",
            },
        }
    ],
}

Order = dict[str, Any]
Truth = dict[tuple[str, date], Decimal]


@dataclass
class Sender:
    """A shop or store on its night."""

    night: date
    name: str
    orders: list[Order]
    yesterday: list[Order]
    write: Callable[[list[Order]], bytes]
    events: dict[date, list[Arrival[Order]]] = field(default_factory=lambda: defaultdict(list))

    def send(
        self,
        data: bytes | None,
        counts: list[Order] | None,
        *,
        after: int = 0,
        name: str = "",
        stated: int | None = None,
    ) -> None:
        """Send bytes some nights later; shops state in a manifest how many orders that is."""
        known = len(self.orders if counts is None else counts) if stated is None else stated
        manifest = f"{known}\n".encode() if self.name.startswith("web/") else None
        found = Arrival(name or self.name, data, counts, manifest)
        self.events[self.night + timedelta(after)].append(found)

    def send_all(self, *, after: int = 0, name: str = "") -> None:
        self.send(self.write(self.orders), self.orders, after=after, name=name)

    def send_broken(self, data: bytes) -> None:
        """Send what nothing counts of, and the right file under its name a night later."""
        self.send(data, [])
        self.send_all(after=1)


def line(chance: random.Random, number: int) -> Order:
    cents = chance.randint(-5_000, 90_000)
    amount = f"{Decimal(cents) / 100:.2f}"
    quantity = -1 if cents < 0 else chance.randint(1, 3)
    return {"no": number, "sku": f"{cents % 997:07d}", "qty": quantity, "amount": amount}


def sell(chance: random.Random, day: date, stores: tuple[str, ...], *, start: int) -> list[Order]:
    found: list[Order] = []
    for number in range(start, start + chance.randint(11, 16)):
        moment = datetime(day.year, day.month, day.day, chance.randrange(24), number % 60)  # noqa: DTZ001 - the wall clock of the stores
        found.append(
            {
                "id": f"{stores[0][0]}{day:%m%d}-{number}",
                "ordered_at": moment.isoformat(),
                "updated_at": f"{day}T23:50:00",
                "store": {"id": chance.choice(stores)},
                "note": chance.choice(["", 'Zoë\n"gift" - £5', None, "x" * 3_000]),
                "lines": [line(chance, n) for n in range(1, chance.randint(2, 5))],
            }
        )
    return found


def as_json(orders: list[Order], **layout: Any) -> bytes:
    layout = {"ensure_ascii": False, **layout}
    return json.dumps({"export": {"by": "shop", "orders": orders}}, **layout).encode()


def changed(orders: list[Order], moment: str, **of_lines: Any) -> list[Order]:
    """Return orders as they stand at a later moment, their lines changed."""
    return [
        {**order, "updated_at": moment, "lines": [{**part, **of_lines} for part in order["lines"]]}
        for order in orders
    ]


def turned(orders: list[Order]) -> list[Order]:
    return [
        {**o, "lines": [{**p, "amount": str(-Decimal(p["amount"]))} for p in o["lines"]]}
        for o in orders
    ]


def undamaged(s: Sender) -> None:
    s.send_all()


def half_written(s: Sender) -> None:
    data = s.write(s.orders)
    s.send_broken(data[: len(data) * 2 // 3])


def corrected_under_its_name(s: Sender) -> None:
    wrong = changed(s.orders, s.orders[0]["updated_at"], amount="1.00", qty=1)
    s.send(s.write(wrong), wrong)
    s.send_all(after=1)


def copied_under_another_name(s: Sender) -> None:
    s.send_all()
    name = s.name.replace(".", "_copy.", 1)
    s.send(s.write(s.orders), [], after=1, name=name, stated=len(s.orders))


def late_by_three_days(s: Sender) -> None:
    s.send_all(after=3)


def never_sent(_: Sender) -> None:
    pass


def no_byte(s: Sender) -> None:
    s.send_broken(b"")


def none_sold_then_under_another_name(s: Sender) -> None:
    s.send(s.write([]), [])
    s.send_all(after=1, name=s.name.replace(".", "_full.", 1))


def packed(s: Sender) -> None:
    s.send(gzip.compress(s.write(s.orders), mtime=0), s.orders, name=s.name + ".gz")


def packed_and_cut(s: Sender) -> None:
    whole = gzip.compress(s.write(s.orders), mtime=0)
    s.send(whole[:-20], [], name=s.name + ".gz", stated=len(s.orders))
    s.send(whole, s.orders, name=s.name + ".gz", after=1)


def packed_in_two_members(s: Sender) -> None:
    data = s.write(s.orders)
    halves = (data[: len(data) // 2], data[len(data) // 2 :])
    both = b"".join(gzip.compress(half, mtime=0) for half in halves)
    s.send(both, s.orders, name=s.name + ".gz")


def two_documents_in_one(s: Sender) -> None:
    both = s.write(s.orders[:6]) + b"\n" + s.write(s.orders[6:])
    s.send_broken(both)


def everything_twice(s: Sender) -> None:
    s.send(s.write(s.orders + s.orders), s.orders, stated=2 * len(s.orders))


def in_the_folder_of_yesterday(s: Sender) -> None:
    folder, day, name = s.name.split("/")
    before = date.fromisoformat(day) - timedelta(1)
    s.send_all(name=f"{folder}/{before}/late_{name}")


def with_a_mark_in_utf_16(s: Sender) -> None:
    s.send(s.write(s.orders).decode().replace("utf-8", "utf-16").encode("utf-16"), s.orders)


def taken_back_and_sent_again(s: Sender) -> None:
    s.send_all()
    s.send(None, None, after=1)
    s.send_all(after=2)


# The shop.


def corrections_of_yesterday(s: Sender) -> None:
    later = changed(s.yesterday, f"{s.night}T22:00:00", amount="0.00", qty=0)
    both = s.orders + later
    s.send(s.write(both), both)


def corrections_before_what_they_correct(s: Sender) -> None:
    later = changed(s.orders, f"{s.night}T23:59:00", amount="2.50", qty=1)
    s.send(s.write(later), later, name=s.name.replace(".", "_changes.", 1))
    s.send_all(after=2)


def signs_turned_then_right(s: Sender) -> None:
    s.send(s.write(turned(s.orders)), turned(s.orders))
    right = changed(s.orders, f"{s.night}T23:58:00")
    s.send(s.write(right), right, after=1, name=s.name.replace(".", "_right.", 1))


def lines_renamed(s: Sender) -> None:
    s.send_broken(s.write(s.orders).replace(b'"lines"', b'"items"'))


def records_elsewhere(s: Sender) -> None:
    s.send_broken(s.write(s.orders).replace(b'"export"', b'"data"'))


def manifest_too_high(s: Sender) -> None:
    s.send(s.write(s.orders), [], stated=len(s.orders) + 1)
    s.send_all(after=1)


def one_order_a_line(s: Sender) -> None:
    s.send_broken("".join(json.dumps(order) + "\n" for order in s.orders).encode())


def with_commas(s: Sender) -> None:
    s.send_broken(s.write(s.orders).replace(b".", b","))


def laid_out_for_people(s: Sender) -> None:
    data = as_json(s.orders, indent=2, sort_keys=True).replace(b"\n", b"\r\n")
    s.send(b"\xef\xbb\xbf" + data, s.orders)


def numbers_instead_of_texts(s: Sender) -> None:
    plain = [
        {**o, "lines": [{**p, "amount": float(p["amount"])} for p in o["lines"]]} for o in s.orders
    ]
    s.send(s.write(plain), s.orders)


def one_order_unreadable(s: Sender) -> None:
    bad = [changed(s.orders[:1], s.orders[0]["updated_at"], amount="n/a")[0], *s.orders[1:]]
    s.send(s.write(bad), s.orders[1:], stated=len(s.orders))
    s.send_all(after=1)


def clock_of_utc(s: Sender) -> None:
    moved = []
    for order in s.orders:
        local = datetime.fromisoformat(order["ordered_at"])
        ahead = timedelta(hours=1 if local < CLOCKS_GO_BACK else 0)
        moved.append({**order, "ordered_at": f"{local - ahead}Z"})
    s.send(s.write(moved), s.orders)


# The tills.


HEAD = (
    '<?xml version="1.0" encoding="utf-8"?>\n'
    '<POSLog xmlns="http://www.nrf-arts.org/IXRetail/namespace/">'
)


def as_poslog(orders: list[Order]) -> bytes:
    parts = [HEAD]
    for order in orders:
        lines = "".join(map(_item, order["lines"]))
        parts.append(
            f"<Transaction><BusinessUnit><UnitID>{order['store']['id']}</UnitID></BusinessUnit>"
            f"<WorkstationID>1</WorkstationID><SequenceNumber>{order['id']}</SequenceNumber>"
            f"<BusinessDayDate>{order['ordered_at'][:10]}</BusinessDayDate>"
            f"<EndDateTime>{order['ordered_at']}</EndDateTime><CurrencyCode>GBP</CurrencyCode>"
            f'<RetailTransaction TransactionStatus="Finished">{lines}</RetailTransaction>'
            "</Transaction>"
        )
    return "\n".join([*parts, "</POSLog>\n"]).encode()


def _item(part: Order) -> str:
    amount = Decimal(part["amount"])
    kind = "Return" if amount < 0 else "Sale"
    return (
        f"<LineItem><SequenceNumber>{part['no']}</SequenceNumber><{kind}><POSIdentity><POSItemID>"
        f"{part['sku']}</POSItemID></POSIdentity><Description>Coat &amp; h&#228;t</Description>"
        f"<ActualSalesUnitPrice>{abs(amount)}</ActualSalesUnitPrice><ExtendedAmount>{abs(amount)}"
        f"</ExtendedAmount><ExtendedDiscountAmount>0.00</ExtendedDiscountAmount><Quantity>"
        f"{abs(part['qty'])}</Quantity></{kind}></LineItem>"
    )


def elements_renamed(s: Sender) -> None:
    s.send_broken(s.write(s.orders).replace(b"RetailTransaction", b"StoreTransaction"))


def with_prefixes(s: Sender) -> None:
    data = s.write(s.orders).replace(b"xmlns=", b"xmlns:a=").replace(b"</", b"</a:")
    s.send(data.replace(b"<", b"<a:").replace(b"<a:/a:", b"</a:").replace(b"<a:?", b"<?"), s.orders)


def in_latin_letters(s: Sender) -> None:
    data = s.write(s.orders).decode().replace("utf-8", "ISO-8859-1").replace("&#228;", "ä")
    s.send(data.encode("latin-1"), s.orders)


def with_training(s: Sender) -> None:
    played = s.write(changed(s.orders[:4], "")).replace(
        b"<Transaction>", b'<Transaction TrainingModeFlag="true">'
    )
    body = played.removeprefix(HEAD.encode()).replace(b"<SequenceNumber>S", b"<SequenceNumber>T")
    s.send(s.write(s.orders).replace(b"</POSLog>", body.strip()), s.orders)


def with_tenders(s: Sender) -> None:
    paid = (
        b"<LineItem><SequenceNumber>99</SequenceNumber><Tender><Amount>1.00</Amount></Tender>"
        b"</LineItem></RetailTransaction>"
    )
    s.send(s.write(s.orders).replace(b"</RetailTransaction>", paid), s.orders)


EITHER = (
    undamaged, half_written, corrected_under_its_name, copied_under_another_name,
    late_by_three_days, never_sent, no_byte, none_sold_then_under_another_name, packed,
    packed_and_cut, packed_in_two_members, two_documents_in_one, everything_twice,
    in_the_folder_of_yesterday, taken_back_and_sent_again,
)  # fmt: skip
SHOP = (
    *EITHER, corrections_of_yesterday, corrections_before_what_they_correct,
    signs_turned_then_right, lines_renamed, records_elsewhere, manifest_too_high,
    one_order_a_line, with_commas, laid_out_for_people, numbers_instead_of_texts,
    one_order_unreadable, clock_of_utc,
)  # fmt: skip
TILLS = (
    *EITHER, with_a_mark_in_utf_16, elements_renamed, with_prefixes, in_latin_letters,
    with_training, with_tenders,
)  # fmt: skip
NIGHTS: Final = len(SHOP)  # the last of them is that on which clocks go back


def planned(seed: int) -> dict[date, list[Arrival[Order]]]:
    """Return what happens on each night."""
    chance = random.Random(seed)  # noqa: S311 - data of a test
    events: dict[date, list[Arrival[Order]]] = defaultdict(list)
    web: list[Order] = []
    for n in range(NIGHTS):
        night = FIRST_NIGHT + timedelta(n)
        orders = sell(chance, night, ("W1", "W2", "W3"), start=100)
        shop = Sender(night, f"web/{night}/orders.json", orders, web, as_json, events)
        SHOP[n % len(SHOP)](shop)
        web = orders
        receipts = sell(chance, night, ("S1", "S2"), start=500)
        name = f"arts_poslog/{night}/tills.xml"
        TILLS[(n + 3) % len(TILLS)](Sender(night, name, receipts, [], as_poslog, events))
    return events


def takings(counts: dict[str, list[Order]]) -> Truth:
    """Return takings by store and day: of each order what was said of it last."""
    newest: dict[str, Order] = {}
    for orders in counts.values():
        for order in orders:
            known = newest.get(order["id"])
            if known is None or order["updated_at"] >= known["updated_at"]:
                newest[order["id"]] = order
    found: Truth = defaultdict(Decimal)
    for order in newest.values():
        day = date.fromisoformat(order["ordered_at"][:10])
        found[order["store"]["id"], day] += sum(Decimal(p["amount"]) for p in order["lines"])
    return dict(found)


@pytest.mark.slow
def test_each_night_holds_what_nested_files_have_said_so_far(store: Store) -> None:
    shipped = REPOSITORY / "data" / "examples" / "arts_poslog" / "expectations" / "arts_poslog.yml"
    (store.root / "expectations" / "arts_poslog.yml").write_text(shipped.read_text())
    store.declare("web", CONTRACT)
    events, counts = planned(11), dict[str, list[Order]]()
    for n in range(NIGHTS + AFTER):
        night = FIRST_NIGHT + timedelta(n)
        for arrival in events.pop(night, []):
            happen(store, arrival)
            if arrival.counts is not None:
                counts[arrival.name] = arrival.counts
        store.night(night)
        store.publish(night)
        found = store.query(
            "select store_id, sold_on, sum(net_amount) from staging.sale_lines group by all", night
        )
        assert {(s, day): amount for s, day, amount in found} == takings(counts), night
        assert_conserved(store, night)
    assert not events
