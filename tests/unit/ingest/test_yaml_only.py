"""Layouts of vendors that no contract is shipped for, read by a declaration alone, to the penny."""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest
import yaml

from tests.unit.ingest.conftest import NIGHT, Store


@dataclass(frozen=True)
class Layout:
    """A vendor's file and what must become of it.

    Attributes:
        contract: What people write, in YAML.
        data: The delivered text.
        amount: Sum of its lines.
        units: Sum of their quantities.
        rows: Loaded and excluded rows.
    """

    contract: str
    data: str
    amount: Decimal
    units: int
    rows: tuple[int, int]


IDOC = (
    "<IDOC><E1WPB01><POSKREIS>0042</POSKREIS><VORGDATUM>20261120</VORGDATUM>"
    "<BONNUMMER>{0}</BONNUMMER>{1}</E1WPB01></IDOC>"
)
IDOC_LINE = (
    "<E1WPB02><ARTNR>000{0}</ARTNR><VORZEICHEN>{1}</VORZEICHEN><MENGE>1.000</MENGE>"
    "<E1WPB03><KONDVALUE>{2}</KONDVALUE></E1WPB03></E1WPB02>"
)
SALES = {
    "version": {"max": 9},
    "data": [
        {
            "id": f"s{n}",
            "status": "VOIDED" if n == 3 else "CLOSED",
            "sale_date": f"2026-11-20T1{n}:00:00+00:00",
            "line_items": [
                {"sku": f"0{n}{i}", "quantity": sign, "price_total": sign * 19.99}
                for i, sign in enumerate([1, -1, 1])
            ],
        }
        for n in range(5)
    ],
}
PACKED = (
    "Product ID: {0}, Product Qty: 2, Product SKU: BC-{0}, Product Name: Tee, "
    "Product Total Price: 20.10"
)

LAYOUTS = {
    "a till log of heads, lines and tenders": Layout(
        """
delivery: {path: "till/*", format: csv, delimiter: "|", header: false, short_rows: fill, quote: "",
           time_zone: Europe/London, fill_down: {starts: receipt, columns: [receipt, moment]}}
load: {mode: append, key: [_file, _line]}
columns:
  kind: {values: [H, L, T]}
  c2: {}
  c3: {}
  c4: {}
  c5: {}
  receipt: {value: "if(kind = 'H', c2 || '-' || c3, null)"}
  moment: {value: "if(kind = 'H', try_strptime(c4 || c5, '%Y%m%d%H%M'), null)", type: timestamp}
  amount: {value: "try_cast(c5 as decimal(18, 2)) / 100", type: decimal}
exclude: [{rule: no_lines, where: "kind <> 'L'"}]
feeds: [{entity: sale_lines, columns: {sale_id: receipt, line_no: c2, sku: c3, sold_at: moment,
         quantity: "try_cast(c4 as decimal(18, 3))", net_amount: amount, currency: "'GBP'"}}]
""",
        "".join(
            f"H|0042|{n}|20261120|090{n}\nL|1|0001|1|1250\nL|2|0002|-1|-0250\nT|CASH|1000\n"
            for n in range(6)
        ),
        Decimal("60.00"),
        0,
        (12, 12),
    ),
    "segments on one line": Layout(
        r"""
delivery: {path: "till/*", format: csv, delimiter: "\x1f", header: false, quote: ""}
load: {mode: append, key: [message]}
columns:
  line: {}
  message: {value: "regexp_extract(line, 'UNH\\+([^+]+)', 1)"}
  ean: {value: "regexp_extract(line, 'LIN\\+1\\+\\+([0-9]+)', 1)"}
  units: {value: "try_cast(regexp_extract(line, 'QTY\\+153:([0-9.]+)', 1) as decimal(18, 3))",
          type: number}
  amount: {value: "try_cast(regexp_extract(line, 'MOA\\+79:([0-9.]+)', 1) as decimal(18, 2))",
           type: decimal}
feeds: [{entity: sale_lines, columns: {sale_id: message, line_no: "'1'", sku: ean, quantity: units,
         net_amount: amount, sold_on: _business_date, currency: "'EUR'"}}]
""",
        "".join(
            f"UNH+{n}+SLSRPT:D:96A'LIN+1++400000000000{n}:EN'QTY+153:2'MOA+79:9.9{n}'UNT+4+{n}'\n"
            for n in range(8)
        ),
        Decimal("79.48"),
        16,
        (8, 0),
    ),
    "documents whose signs stand in an element": Layout(
        """
delivery: {path: "till/*", format: xml, records: E1WPB01, time_zone: Europe/Berlin}
load: {mode: append, key: [store, receipt, _item]}
columns:
  store: {from: POSKREIS}
  day: {from: VORGDATUM, type: date, format: "%Y%m%d"}
  receipt: {from: BONNUMMER, required: true}
  article: {from: "E1WPB02[].ARTNR"}
  sign: {from: "E1WPB02[].VORZEICHEN", values: ["+", "-"]}
  units: {from: "E1WPB02[].MENGE", type: number}
  worth: {from: "E1WPB02[].E1WPB03.KONDVALUE", type: decimal}
feeds: [{entity: sale_lines, columns: {sale_id: "store || '-' || receipt", line_no: _item,
         store_id: store, sku: article, quantity: "if(sign = '-', -units, units)",
         net_amount: "if(sign = '-', -worth, worth)", sold_on: day, currency: "'EUR'"}}]
""",
        "<WPUBON>"
        + "".join(
            IDOC.format(n, IDOC_LINE.format(7, "+", "20.50") + IDOC_LINE.format(8, "-", "0.25"))
            for n in range(4)
        )
        + "</WPUBON>",
        Decimal("81.00"),
        0,
        (8, 0),
    ),
    "products packed into one cell": Layout(
        """
delivery: {path: "till/*", format: csv}
load: {mode: append, key: [order_no, _item]}
columns:
  order_no: {from: Order ID, required: true}
  day: {from: Order Date, type: date, format: "%m/%d/%Y"}
  product: {from: Product Details, split: "|"}
  sku: {value: "regexp_extract(product, 'Product SKU: ([^,]+)', 1)"}
  units: {value: "try_cast(regexp_extract(product, 'Product Qty: ([0-9]+)', 1) as integer)",
          type: integer}
  amount: {value: "try_cast(regexp_extract(product, 'Total Price: ([0-9.]+)', 1) as decimal(9, 2))",
           type: decimal}
feeds: [{entity: sale_lines, columns: {sale_id: order_no, line_no: _item, sku: sku, sold_on: day,
         quantity: units, net_amount: amount, currency: "'USD'"}}]
""",
        "Order ID,Order Date,Product Details\n"
        + "".join(
            f'{n},11/20/2026,"{PACKED.format(n)}|{PACKED.format(n + 50)}"\n' for n in range(5)
        ),
        Decimal("201.00"),
        20,
        (10, 0),
    ),
    "sales below a key, with lines of their own": Layout(
        """
delivery: {path: "till/*", format: json, records: data}
load: {mode: append, key: [sale, _item]}
columns:
  sale: {from: id, required: true}
  status: {values: [CLOSED, VOIDED, ONACCOUNT, LAYBY]}
  moment: {from: sale_date, type: timestamp}
  sku: {from: "line_items[].sku"}
  units: {from: "line_items[].quantity", type: number}
  amount: {from: "line_items[].price_total", type: decimal}
exclude: [{rule: no_sale, where: "status in ('VOIDED', 'LAYBY')"}]
feeds: [{entity: sale_lines, columns: {sale_id: sale, line_no: _item, sku: sku, sold_at: moment,
         quantity: units, net_amount: amount, currency: "'GBP'"}}]
""",
        json.dumps(SALES, indent=1),
        Decimal("79.96"),
        4,
        (12, 3),
    ),
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_layout_is_read_by_its_declaration_alone(store: Store, name: str) -> None:
    layout = LAYOUTS[name]
    contract: dict[str, Any] = yaml.safe_load(layout.contract)
    store.declare("till", {"title": "Till", "owner": "tests", **contract})
    store.deliver(f"till/export_{NIGHT:%Y%m%d}.txt", layout.data)
    store.night()
    loaded, excluded = layout.rows
    assert [row[1:] for row in store.ledger()] == [
        ("loaded", loaded + excluded, loaded, 0, 0, excluded)
    ]
    found = store.query(
        "select sold_on, sum(net_amount), sum(quantity), min(length(sku)) > 0 "
        "from staging.sale_lines group by all"
    )
    assert found == [(NIGHT, layout.amount, layout.units, True)]
