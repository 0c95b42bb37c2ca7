"""The amount of a line: the column that holds it, or what it is made of, as rows bear out.

A column may hold the amount of a line, of the whole sale, before or after a discount; a price may
be that of one unit or of all. Arithmetic over the sampled rows tells; where it does not, people are
asked.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal

from cdp_pipeline.ingest.discovery.asking import Ask
from cdp_pipeline.ingest.discovery.codes import plain_word
from cdp_pipeline.ingest.discovery.kinds import Kind
from cdp_pipeline.ingest.discovery.numbers import number_of
from cdp_pipeline.ingest.discovery.usable import is_usable
from cdp_pipeline.ingest.discovery.wording import last_step
from cdp_pipeline.project.column_names import plain_header
from cdp_pipeline.project.column_tags import is_name_of_amount
from cdp_pipeline.storage.warehouse import quote_literal

_EACH_ELEMENT = "[]"
"""Stands in the path of a column that an array within a record gives a value for each row."""

_TAGS = ("net_amount", "order_amount", "gross_amount")
_CENT = Decimal("0.01")
_LEAST_ROWS = 3
_MOST_WORDS = 12
RETURNS = re.compile(
    r"(^|_)(returns?|returned|refund(ed)?|credit_note|gutschrift|retour(e|en)?|avoir|reso|"
    r"remboursement|devoluci[oó]n|r(ü|ue)ckgabe)(_|$)"
)
"""Words for goods given back."""
_NET = re.compile(r"(^|_)(net|netto|neto)_|_net$")
"""Names of amounts that no discount is taken off any more."""
_LEAST_IN_CENTS = 100
_CENTS = re.compile(r"(^|_)(cents?|pence|centimes?|minor|minor_units?)(_|$)")
_NEARLY_ALL = 0.99


def amount_of_line(
    kinds: Mapping[str, Kind], by_tag: Mapping[str, str], *, of_heads: Collection[str]
) -> str | Ask | None:
    """Return SQL of the amount of a line, a question, or None if no column tells.

    Args:
        kinds: What the columns are, by our name.
        by_tag: Our name of the column with a tag.
        of_heads: Columns that only the first line of a sale fills: they are of the whole sale.
    """
    column = _column_of_lines(kinds, by_tag, of_heads)
    count, price, discount = (
        by_tag.get(tag) for tag in ("quantity", "unit_price", "discount_amount")
    )
    if column is None and (count is None or price is None):
        return None
    if discount in of_heads:
        discount = None
    rows = {n: _numbers(kinds[n]) for n in {column, count, price, discount} if n is not None}
    if column is not None:
        is_order = not {"sale_id", "store_id"} & by_tag.keys()  # its status says what came back
        states = {by_tag.get("status")} if is_order else set()
        rest = {name: kind for name, kind in kinds.items() if name not in states}
        if returned := returns_in_plus(rest, column):
            where, words = returned
            said, shown = ", ".join(map(quote_literal, words)), " and ".join(words)
            is_one = f"{where} = {said}" if len(words) == 1 else f"{where} in ({said})"
            minus = f"case when {is_one} then -abs({column}) else {column} end"
            return Ask(
                f"amounts of {shown} stand without a minus, and returns must be negative: write "
                f"{minus}, the quantity likewise, or {column} if {shown} is no return",
                minus,
            )
        if taxed := _with_tax(kinds, column):
            return Ask(
                f"{taxed} is with tax, {column} without: write the one that stores mean by sales, "
                f"less {discount or 'the discount'} if that is not taken off yet",
                taxed,
            )
        if discount is None or _says_net(kinds[column]):
            return column
        return _after_discount(column, discount, rows, count, price)
    return _of_prices(str(count), str(price), discount, rows)


def discount_of_line(kinds: Mapping[str, Kind], discount: str) -> str:
    """Return SQL of a discount as a positive amount: some tills write what is taken off as minus.

    Args:
        kinds: What the columns are, by our name.
        discount: The column with the discount.
    """
    numbers = [number for number in _numbers(kinds[discount]) if number]
    is_minus = sum(number < 0 for number in numbers) * 2 > len(numbers)
    return f"-{discount}" if is_minus else discount


def price_of_unit(kinds: Mapping[str, Kind], by_tag: Mapping[str, str], amount: str) -> str:
    """Return SQL of the price of one unit where amounts before the discount stand in its place.

    Empty if a column holds it, or if rows do not bear out that those amounts are of lines.

    Args:
        kinds: What the columns are, by our name.
        by_tag: Our name of the column with a tag.
        amount: The column with the amount of a line.
    """
    names = [by_tag.get(tag) for tag in ("quantity", "gross_amount", "discount_amount")]
    count, gross, discount = names
    if "unit_price" in by_tag or None in names or amount not in kinds:
        return ""
    columns = (_numbers(kinds[str(name)]) for name in (gross, discount, amount))
    rows = [row for row in zip(*columns, strict=True) if row[0] is not None and row[2] is not None]
    fine = [abs(abs(w) - abs(cut or 0) - abs(net)) <= _CENT for w, cut, net in rows]
    if sum(fine) < _NEARLY_ALL * len(rows):
        return ""
    return f"round(abs({gross} / nullif({count}, 0)), 2)"


def _words_of_returns(kind: Kind) -> set[str]:
    """Return the words of a column that stand for goods given back; a sign may have its own."""
    words = {word.strip() for word in kind.field.counts}
    if words == {"+", "-"}:
        return {"-"}
    return {word for word in words if RETURNS.search(plain_word(word))}


def rows_of_returns(kinds: Mapping[str, Kind], by_tag: Mapping[str, str]) -> tuple[str, set[int]]:
    """Return SQL of the rows that a column calls returns, and which of the sample these are.

    Only where they are just those in minus: "Gift return box" is sold, and what a column calls
    neither return nor sale may be a return all the same. A sign in a column of its own is no word.

    Args:
        kinds: What the columns are, by our name.
        by_tag: Our name of the column with a tag.
    """
    told = [by_tag[tag] for tag in ("quantity", "net_amount", "gross_amount") if tag in by_tag]
    numbers = [_numbers(kinds[name]) for name in told if name in kinds]
    for name, kind in kinds.items():
        if kind.type != "text" or kind.pii or len(kind.field.counts) > _MOST_WORDS:
            continue
        words = sorted(_words_of_returns(kind))
        if not words or len(words) == len(kind.field.counts):
            continue
        rows = {n for n, value in enumerate(kind.field.values) if value.strip() in words}
        if words == ["-"] or any(_are_in_minus(rows, column) for column in numbers):
            said = ", ".join(map(quote_literal, words))
            return f"{name} = {said}" if len(words) == 1 else f"{name} in ({said})", rows
    return "", set()


def _are_in_minus(rows: Collection[int], numbers: Sequence[Decimal | None]) -> bool:
    """Return whether rows are the only ones with numbers below zero, and have none above."""
    below = {n for n, number in enumerate(numbers) if number is not None and number < 0}
    return bool(below) and below <= {*rows} and all((numbers[n] or 0) <= 0 for n in rows)


def whole_amounts(kinds: Mapping[str, Kind]) -> dict[str, str]:
    """Return the columns of money without any decimals, each with an amount: they may be cents."""
    found = {}
    for name, kind in kinds.items():
        look = kind.numbers
        if look is None or look.decimal_mark or look.doubtful or look.decimals or look.currency:
            continue
        if is_name_of_amount(last_step(kind.field.name)):
            most = max(kind.field.counts, key=lambda text: number_of(text, ".") or 0)
            if (number_of(most, ".") or 0) >= _LEAST_IN_CENTS:
                found[name] = most
    return found


def in_units(sql: str, whole: Mapping[str, str]) -> str | Ask:
    """Return SQL of an amount in whole units of its currency, or a question if it may be in cents.

    Args:
        sql: The amount.
        whole: Columns without decimals, each with an amount.
    """
    named = [name for name in whole if re.search(rf"\b{name}\b", sql)]
    if not named:
        return sql
    cents = f"round({sql} / 100, 2)" if sql in {*named} else f"round(({sql}) / 100, 2)"
    if all(_CENTS.search(name) for name in named):
        return cents
    return Ask(
        f"is {whole[named[0]]} in {named[0]} an amount in whole units, or in cents? "
        f"Write {sql}, or {cents}",
        sql,
    )


def returns_in_plus(kinds: Mapping[str, Kind], amount: str) -> tuple[str, list[str]] | None:
    """Return the column that says what is a return, and its words, where amounts do not say so.

    Args:
        kinds: What the columns are, by our name.
        amount: The column with the amount of a line.
    """
    amounts = _numbers(kinds[amount])
    for name, kind in kinds.items():
        if kind.type != "text" or kind.pii or len(kind.field.counts) > _MOST_WORDS:
            continue
        in_plus = {
            value.strip()
            for value, number in zip(kind.field.values, amounts, strict=True)
            if number is not None and number > 0
        }
        if words := sorted(in_plus & _words_of_returns(kind)):
            return name, words
    return None


def _column_of_lines(
    kinds: Mapping[str, Kind], by_tag: Mapping[str, str], of_heads: Collection[str]
) -> str | None:
    """Return the column with the amount of a line, not that of the whole sale on each of its lines.

    A total that is repeated would be counted once a line. Where every sale has one line, what is
    called a total of the sale is taken for one.
    """
    sale = by_tag.get("sale_id") or by_tag.get("order_id")
    if sale is None:
        return None
    sales = kinds[sale].field.values
    is_of_array = any(_EACH_ELEMENT in kind.field.name for kind in kinds.values())
    for tag in _TAGS:
        of_lines = [
            name
            for name, kind in kinds.items()
            if kind.tag == tag
            and is_usable(kind)
            and name not in of_heads
            and (_is_of_element(kind) or not is_of_array)
            and (is_of_array or not _is_of_the_whole(kind.field.values, sales))
            and (is_of_array or tag != "order_amount" or _differs(kind.field.values, sales))
        ]
        if of_lines:
            return max(of_lines, key=lambda name: (name == by_tag.get(tag), name))
    return None


def _is_of_element(kind: Kind) -> bool:
    """Return whether each element of an array has a value of its own, perhaps a computed one."""
    return _EACH_ELEMENT in kind.field.name or "value" in kind.keys


def _with_tax(kinds: Mapping[str, Kind], column: str) -> str | None:
    """Return the column that says the same with tax, if there is one that differs."""
    taxed = re.compile(rf"{re.escape(column)}_(incl|inkl|inc)_\w+")
    for name, kind in kinds.items():
        if taxed.fullmatch(name) and kind.field.values != kinds[column].field.values:
            return name
    return None


def _is_of_the_whole(values: Sequence[str], sales: Sequence[str]) -> bool:
    """Return whether all lines of each sale say the same, and there are sales of several lines."""
    lines = Counter(sales)
    several = {sale for sale, count in lines.items() if count > 1}
    said = {(sale, value) for sale, value in zip(sales, values, strict=True) if sale in several}
    return len(several) > 1 and len(said) == len(several)


def _differs(values: Sequence[str], sales: Sequence[str]) -> bool:
    """Return whether lines of one sale say different things."""
    return len(set(zip(sales, values, strict=True))) > len(set(sales))


def _numbers(kind: Kind) -> list[Decimal | None]:
    mark = (kind.numbers.decimal_mark if kind.numbers else "") or "."
    known = {text: number_of(text, mark) for text in set(kind.field.values)}
    return [known[text] for text in kind.field.values]


def _says_net(kind: Kind) -> bool:
    return "value" not in kind.keys and bool(_NET.search(plain_header(last_step(kind.field.name))))


def _after_discount(
    column: str,
    discount: str,
    rows: Mapping[str, Sequence[Decimal | None]],
    count: str | None,
    price: str | None,
) -> str | Ask:
    """Return an amount that is what the units cost less its discount, or a question."""
    cuts = [number for number in rows[discount] if number]
    amounts = [number for number in rows[column] if number]
    is_minus = sum(cut < 0 for cut in cuts) * 2 > len(cuts)
    sign = "+" if is_minus and sum(n < 0 for n in amounts) * 2 <= len(amounts) else "-"
    if count is not None and price is not None:
        whole = [
            abs(abs(amount) - abs(number * cost) + abs(cut)) <= _CENT
            for amount, number, cost, cut in zip(
                *(rows[name] for name in (column, count, price, discount)), strict=True
            )
            if amount is not None and number is not None and cost is not None and cut
        ]
        if len(whole) >= _LEAST_ROWS and sum(whole) >= _NEARLY_ALL * len(whole):
            return column
    less = f"{column} {sign} coalesce({discount}, 0)"
    return Ask(f"is {column} before or after {discount}? Write {less}, or {column}", less)


def _of_prices(
    count: str, price: str, discount: str | None, rows: Mapping[str, Sequence[Decimal | None]]
) -> str | Ask:
    """Return units times price, or a question where that may be wrong."""
    product = f"round({count} * {price}, 2)"
    pairs = list(zip(rows[count], rows[price], strict=True))
    if any(number is not None and cost is not None and number < 0 > cost for number, cost in pairs):
        return Ask(
            f"is {price} the amount of the whole line, or of one unit? It is negative where "
            f"{count} is; write {price}, or round({count} * abs({price}), 2)",
            f"round({count} * abs({price}), 2)",
        )
    if discount is not None and any(rows[discount]):
        return Ask(
            f"is {price} before or after {discount}? Write {product} - {discount}, or {product}",
            product,
        )
    return product
