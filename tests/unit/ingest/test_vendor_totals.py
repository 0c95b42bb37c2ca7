"""Sums per store and day of vendors' layouts equal the truth to the penny, over many receipts.

The files are written here in the vendors' layouts while the truth is added up beside them, so that
nothing of the reader takes part in the answer.
"""

from __future__ import annotations

import csv
import io
import json
import random
import shutil
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

import pytest

from tests.unit.ingest.conftest import REPOSITORY, Store

EXAMPLES = REPOSITORY / "data" / "examples"
SAMPLES = REPOSITORY / "tests" / "data" / "vendors"
DAYS = ("2026-11-18", "2026-11-19", "2026-11-20")
Truth = dict[tuple[str, str], Decimal]


@dataclass(frozen=True)
class Line:
    """A line of a receipt or order."""

    number: int
    store: str
    day: str
    sku: str
    quantity: int
    price: Decimal
    discount: Decimal
    is_return: bool

    @property
    def net(self) -> Decimal:
        paid = self.quantity * self.price - self.discount
        return -paid if self.is_return else paid


def lines(seed: int, *, returns: bool = True) -> list[Line]:
    chance = random.Random(seed)  # noqa: S311 - data of a test
    return [
        Line(
            number,
            chance.choice(("0007", "0042", "0113")),
            chance.choice(DAYS),
            f"{chance.randrange(10**6):07d}",
            chance.randint(1, 4),
            Decimal(chance.randint(99, 250_000)) / 100,
            Decimal(chance.choice((0, 0, 0, 50, 99))) / 100,
            is_return=returns and chance.random() < 0.1,
        )
        for number in range(1, 301)
    ]


def summed(found: list[Line], *, by_store: bool) -> Truth:
    truth: Truth = defaultdict(Decimal)
    for line in found:
        truth[line.store if by_store else "", line.day] += line.net
    return dict(truth)


def dollars(amount: Decimal) -> str:
    return f"-${-amount:,.2f}" if amount < 0 else f"${amount:,.2f}"


def square(found: list[Line]) -> dict[str, str]:
    header = (SAMPLES / "square/square_items/2026-11-20/items-2026-11-18.csv").read_text()
    names = header.splitlines()[0].split(",")
    files: dict[str, str] = {}
    for day in DAYS:
        text = io.StringIO()
        writer = csv.DictWriter(text, names, restval="")
        writer.writeheader()
        for line in found:
            sign = -1 if line.is_return else 1
            values = {
                "Date": line.day,
                "Time": "12:00:00",
                "Time Zone": "London",
                "Item": "Coat, wool",
                "Qty": f"{sign * line.quantity}.0",
                "SKU": line.sku,
                "Gross Sales": dollars(sign * line.quantity * line.price),
                "Discounts": dollars(-sign * line.discount),
                "Net Sales": dollars(line.net),
                "Tax": "$0.00",
                "Transaction ID": f"t{line.number}",
                "Payment ID": f"p{line.number}",
                "Event Type": "Refund" if line.is_return else "Payment",
                "Location": line.store,
            }
            if line.day == day:
                writer.writerow(values)
        files[f"square_items/2026-11-20/items-{day}.csv"] = text.getvalue()
    return files


def poslog(found: list[Line]) -> dict[str, str]:
    parts = []
    for line in found:
        kind = "Return" if line.is_return else "Sale"
        gross = line.quantity * line.price
        parts.append(
            f"<Transaction><BusinessUnit><UnitID>{line.store}</UnitID></BusinessUnit>"
            f"<WorkstationID>1</WorkstationID><SequenceNumber>{line.number}</SequenceNumber>"
            f"<BusinessDayDate>{line.day}</BusinessDayDate>"
            f"<EndDateTime>{line.day}T12:00:00</EndDateTime><RetailTransaction "
            'TransactionStatus="Finished"><LineItem><SequenceNumber>1</SequenceNumber>'
            f"<{kind}><POSIdentity><POSItemID>{line.sku}</POSItemID></POSIdentity>"
            f"<ActualSalesUnitPrice>{line.price}</ActualSalesUnitPrice>"
            f"<ExtendedAmount>{gross}</ExtendedAmount>"
            f"<ExtendedDiscountAmount>{line.discount}</ExtendedDiscountAmount>"
            f"<Quantity>{line.quantity}</Quantity></{kind}></LineItem>"
            f"<LineItem><SequenceNumber>2</SequenceNumber><Tender><Amount>{line.net}</Amount>"
            "</Tender></LineItem></RetailTransaction></Transaction>"
        )
    head = (SAMPLES / "arts_poslog/arts_poslog/2026-11-20/poslog_0042.xml").read_text()
    opening = head[: head.index("<Transaction>")]
    return {"arts_poslog/2026-11-20/poslog_1.xml": opening + "".join(parts) + "</POSLog>"}


def shopify(found: list[Line]) -> dict[str, str]:
    sample = (SAMPLES / "shopify/shopify_orders/2026-11-20/orders_export_1.csv").read_text()
    names = next(csv.reader(io.StringIO(sample)))
    text = io.StringIO()
    writer = csv.DictWriter(text, names, restval="")
    writer.writeheader()
    for line in found:
        writer.writerow(
            {
                "Name": f"#{line.number}",
                "Email": f"c{line.number}@example.com",
                "Financial Status": "paid",
                "Currency": "GBP",
                "Subtotal": line.net,
                "Shipping": "0.00",
                "Taxes": "0.00",
                "Total": line.net,
                "Created at": f"{line.day} 23:30:00 +0100",
                "Lineitem quantity": line.quantity,
                "Lineitem name": "Coat",
                "Lineitem price": line.price,
                "Lineitem sku": line.sku,
                "Lineitem discount": line.discount,
                "Id": line.number,
            }
        )
    return {"shopify_orders/2026-11-20/orders_export_1.csv": text.getvalue()}


def woocommerce(found: list[Line]) -> dict[str, str]:
    sample = (SAMPLES / "woocommerce/woocommerce_orders/2026-11-20/order_export.csv").read_text()
    names = next(csv.reader(io.StringIO(sample)))
    text = io.StringIO()
    writer = csv.DictWriter(text, names, restval="")
    writer.writeheader()
    for line in found:
        year, month, day = line.day.split("-")
        packed = f"name:Coat|product_id:1|sku:{line.sku}|quantity:{line.quantity}|total:{line.net}"
        writer.writerow(
            {
                "order_id": line.number,
                "order_number": line.number,
                "order_date": f"{month}/{day}/{year} 12:05",
                "status": "completed",
                "shipping_total": "0",
                "order_total": line.net,
                "order_currency": "EUR",
                "customer_user": "0",
                "billing_email": f"c{line.number}@example.com",
                "line_item_1": f"{packed}|sub_total:{line.net + line.discount}",
            }
        )
    return {"woocommerce_orders/2026-11-20/order_export.csv": text.getvalue()}


def magento(found: list[Line]) -> dict[str, str]:
    orders = [
        {
            "increment_id": f"{line.number:09d}",
            "created_at": f"{line.day} 12:00:00",
            "updated_at": f"{line.day} 13:00:00",
            "status": "complete",
            "order_currency_code": "GBP",
            "grand_total": float(line.net),
            "customer_email": f"c{line.number}@example.com",
            "items": [
                {
                    "item_id": line.number,
                    "sku": line.sku,
                    "qty_ordered": line.quantity,
                    "price_incl_tax": float(line.price),
                    "discount_amount": float(line.discount),
                    "row_total_incl_tax": float(line.quantity * line.price),
                }
            ],
        }
        for line in found
    ]
    return {"magento_orders/2026-11-20/orders_1.json": json.dumps({"items": orders})}


SALES = "select store_id, sold_on::varchar, sum(net_amount) from staging.sale_lines group by all"
ORDERS = (
    "select '', o.ordered_on::varchar, sum(l.net_amount) from staging.order_lines as l "
    "inner join staging.orders as o using (source, order_id) group by all"
)
VENDORS: dict[str, tuple[Callable[[list[Line]], dict[str, str]], str]] = {
    "square": (square, SALES),
    "arts_poslog": (poslog, SALES),
    "shopify": (shopify, ORDERS),
    "woocommerce": (woocommerce, ORDERS),
    "magento": (magento, ORDERS),
}


@pytest.mark.parametrize("vendor", VENDORS)
def test_sums_of_each_store_and_day_are_the_truth(vendor: str, store: Store) -> None:
    write, sql = VENDORS[vendor]
    by_store = sql == SALES
    found = lines(seed=len(vendor), returns=by_store)
    shutil.copytree(
        EXAMPLES / vendor / "expectations", store.root / "expectations", dirs_exist_ok=True
    )
    for name, text in write(found).items():
        store.deliver(name, text)
    store.night()
    for _, status, records, *fates in store.ledger():
        assert status == "loaded"
        assert records == sum(fates)
    held = {(place, day): amount for place, day, amount in store.query(sql)}
    assert held == summed(found, by_store=by_store)
    assert len(held) == (9 if by_store else 3)
