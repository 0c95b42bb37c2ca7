"""A till file of any size with known faults: ``python -m benchmarks.ingest.till_file``.

The columns are those of ``expectations/pos_sales.yml``. One line in 1,000 breaks a rule, one in
500 repeats an earlier line, one in 50,000 has the key of an earlier line and another amount. Equal
sizes give equal bytes.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict, dataclass
from pathlib import Path

import duckdb

NIGHT = "2026-11-20"
BYTES_A_LINE = 107.8
"""Mean length of a line, by which a size in bytes becomes a number of lines."""

_BROKEN_EVERY, _REPEATED_EVERY, _CONFLICT_EVERY = 1_000, 500, 50_000
_BACK = 250

_LINES = """
copy (
    select
        'R' || lpad(cast(n // 3 as varchar), 10, '0') as receipt_id,
        n % 3 + 1 as line_no,
        strftime(
            timestamp '{night} 09:00:00' + to_seconds(cast((n // 3 * 7) % 39600 as bigint)),
            '%Y-%m-%d %H:%M:%S'
        ) as till_time,
        'S' || lpad(cast(n // 3 % 60 as varchar), 3, '0') as store_id,
        'T' || cast(n // 3 % 7 as varchar) as till_id,
        case
            when is_broken and n % 3 = 0 then 'LAYBY'
            when h % 100 = 0 and not is_original then 'VOID'
            when h % 1000 = 1 and not is_original then 'TRAINING'
            when is_return then 'RETURN'
            else 'SALE'
        end as transaction_type,
        lpad(cast(h % 40000 as varchar), 7, '0') as sku,
        if(is_return, '-', '') || cast(pieces as varchar) as quantity,
        if(is_broken and n % 3 = 1, '-', '') || amount(cents) as unit_price,
        if(is_return and off > 0, '-', '') || amount(off) as discount_amount,
        if(is_broken and n % 3 = 2, if(is_return, '', '-'), if(is_return, '-', ''))
            || amount(pieces * cents - off + if(is_conflict, 100, 0)) as line_amount,
        if(off > 0, 'P' || cast(h % 90 as varchar), null) as promotion_id,
        if(is_return, 'R' || lpad(cast(h % 900000 as varchar), 10, '0'), null)
            as original_receipt_id,
        ['card', 'cash', 'gift_card', 'app'][r % 4 + 1] as tender,
        if(r % 4 = 0, 'tok_' || substr(md5(cast(r % 300000 as varchar)), 1, 16), null)
            as payment_token,
        if(r % 5 < 3, lpad(cast(90000000 + r % 400000 as varchar), 12, '0'), null)
            as loyalty_card_no,
        if(r % 10 = 0, 'shopper' || cast(r % 200000 as varchar) || '@example.com', null)
            as ereceipt_email,
        if(r % 25 = 1, '+4477009' || lpad(cast(r % 100000 as varchar), 5, '0'), null)
            as ereceipt_phone,
        'GBP' as currency,
    from (
        select
            *,
            h // 7 % 100 < 6 as is_return,
            h // 700 % 4 + 1 as pieces,
            h // 3000 % 20000 + 99 as cents,
            if(h // 11 % 10 = 0, h // 3000 % 90 + 5, 0) as off,
        from (
            select
                *,
                (n * 1103515245 + 12345) % 2147483647 // 8 as h,
                (n // 3 * 22695477 + 77) % 2147483647 // 16 as r,
                i % {broken} = 7 as is_broken,
                n % {back} in (13, 249) as is_original,
            from (
                select
                    i,
                    i % {conflict} = 13 and i > {back} as is_conflict,
                    if(i % {repeated} = 499 or is_conflict, i - {back}, i) as n,
                from range({lines}) as lines (i)
            )
        )
    )
    order by i
) to '{path}' (format csv, header)
"""


@dataclass(frozen=True)
class Truth:
    """What a till file holds.

    Attributes:
        bytes: Its size.
        lines: Records.
        broken: Lines that break a rule.
        repeated: Lines that repeat an earlier one.
        conflicting: Lines with the key of an earlier one and another content.
    """

    bytes: int
    lines: int
    broken: int
    repeated: int
    conflicting: int


def write_till_file(path: Path, megabytes: int) -> Truth:
    """Write a file of about so many megabytes and return what it holds."""
    lines = int(megabytes * 1e6 / BYTES_A_LINE)
    con = duckdb.connect(config={"memory_limit": "1GB", "temp_directory": str(path.parent)})
    con.execute(
        "create macro amount(c) as cast(c // 100 as varchar) || '.' "
        "|| lpad(cast(c % 100 as varchar), 2, '0')"
    )
    con.execute(
        _LINES.format(
            night=NIGHT,
            broken=_BROKEN_EVERY,
            repeated=_REPEATED_EVERY,
            conflict=_CONFLICT_EVERY,
            back=_BACK,
            lines=lines,
            path=path,
        )
    )
    con.close()
    return Truth(
        bytes=path.stat().st_size,
        lines=lines,
        broken=_hits(lines, _BROKEN_EVERY, 7),
        repeated=_hits(lines, _REPEATED_EVERY, 499),
        conflicting=_hits(lines, _CONFLICT_EVERY, 13) - (lines > 13),
    )


def _hits(lines: int, every: int, first: int) -> int:
    return (lines - first + every - 1) // every if lines > first else 0


def main() -> None:
    """Write the file that the command line asks for and print what it holds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, default=1000)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    print(json.dumps(asdict(write_till_file(options.out, options.megabytes))))


if __name__ == "__main__":
    main()
