"""Orders as a hostile sender might write them: a contract, sound rows, and CSV bytes."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any

NIGHT = date(2026, 11, 20)
HEADER = ("order_id", "ordered_at", "customer_id", "email", "name", "quantity", "amount", "note")

CONTRACT: dict[str, Any] = {
    "name": "orders",
    "title": "Orders",
    "owner": "tests",
    "delivery": {"path": "orders/*", "format": "csv"},
    "load": {"mode": "append", "key": ["order_id"]},
    "columns": {
        "order_id": {"required": True},
        "ordered_at": {"type": "timestamp", "required": True},
        "customer_id": {},
        "email": {},
        "name": {},
        "quantity": {"type": "integer", "required": True},
        "amount": {"type": "decimal", "required": True},
        "note": {"pii": "free_text"},
    },
    "checks": [
        {
            "name": "not_from_the_future",
            "expect": "true",
            "where": "ordered_at < _business_date + interval '2 days'",
            "severity": "quarantine",
        },
        {
            "name": "one_sign",
            "expect": "true",
            "where": "quantity * amount >= 0",
            "severity": "quarantine",
        },
    ],
    "feeds": [{"entity": "products", "columns": {}}],
}
Row = tuple[str, ...]


def order(number: int, **changed: str) -> Row:
    """Return one sound order as texts."""
    values = {
        "order_id": f"O{number:05d}",
        "ordered_at": f"2026-03-{1 + number % 28:02d} 12:{number % 60:02d}:00",
        "customer_id": f"C{number % 7}",
        "email": f"user{number}@example.com",
        "name": f"Name {number}",
        "quantity": str(1 + number % 3),
        "amount": f"{number}.50",
        "note": "ok",
    }
    return tuple({**values, **changed}[name] for name in HEADER)


SOUND: tuple[Row, ...] = tuple(order(number) for number in range(20))


def write(
    rows: Iterable[Sequence[str]],
    *,
    header: Sequence[str] | None = HEADER,
    delimiter: str = ",",
    line_end: str = "\n",
    encoding: str = "utf-8",
) -> bytes:
    """Return rows as CSV bytes."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, lineterminator=line_end)
    if header:
        writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue().encode(encoding)


def among(*extra: Row) -> list[Row]:
    """Return the sound orders with others in their midst."""
    return [*SOUND[:10], *extra, *SOUND[10:]]


def with_line(line: bytes) -> bytes:
    """Return the sound orders with a raw line after the tenth, on line 12."""
    return write(SOUND[:10]) + line + b"\n" + write(SOUND[10:], header=None)
