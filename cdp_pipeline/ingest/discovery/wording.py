"""What a header, or the last steps of a path into nested records, speaks of."""

from __future__ import annotations

import re

from cdp_pipeline.project.column_names import plain_header
from cdp_pipeline.project.column_tags import PII_OF_TAG, tag_of
from cdp_pipeline.project.contracts import EACH

_VAGUE = frozenset(
    {"name", "id", "code", "number", "type", "value", "title", "status", "date", "time", "text",
     "key", "label", "category"}
)  # fmt: skip
"""Last steps of paths that say nothing without the step before."""


def last_step(name: str) -> str:
    """Return the last step of a path, which is what it is about.

    >>> last_step("items[].sku"), last_step("Amount#2")
    ('sku', 'Amount')
    """
    bare = re.sub(r"\[[^\]]*\]|#\d+$", "", name)
    return bare.rpartition(".")[2].strip('"@') or bare


def last_two(name: str) -> str:
    """Return the last two steps of a path as one name, or a header as it is.

    >>> last_two("via.source.from.name"), last_two("Ship City")
    ('from_name', 'Ship City')
    """
    bare = _without_brackets(name)
    steps = [step.strip('"@') for step in bare.split(".")[-2:]]
    return "_".join(steps) if len(steps) > 1 else last_step(bare)


def without_marks(name: str) -> str:
    """Return a path without the marks by which elements are taken.

    >>> without_marks("addresses[default_billing=true].city"), without_marks("p[key=x].value")
    ('addresses.city', 'p[key=x].value')
    """
    return re.sub(r"\[[^\]=]+=true\]", "", name)


def _without_brackets(name: str) -> str:
    name = without_marks(name)
    bare = re.sub(r"\[\w+=([^\]]*)\](\.\w+)*$", r".\1", name)
    return re.sub(r"\[[^\]]*\]", "", bare.replace(EACH, ""))


_BARE = frozenset({"value", "address", "number"})
"""Last steps within elements that are what their array is called: ``emails[].value``."""

_FILLERS = frozenset({"details", "detail", "info", "data", "attributes", "fields", "record"})
"""Steps between what somebody is and what is said of them: ``billing_details.name``."""


def _whose(name: str) -> str:
    """Return a path without what stands between somebody and what is said of them.

    >>> _whose("billing_details.name"), _whose("customer.info.name")
    ('billing.name', 'customer.name')
    """
    steps = [re.sub(r"_(details?|info|data)$", "", step) for step in name.split(".")]
    return ".".join([step for step in steps[:-1] if step not in _FILLERS] + steps[-1:])


_OF_ANOTHER = re.compile(
    r"(transaction|sale|order|document|receipt)_?(link|ref(erence)?)|link|original(_.+)?|"
    r"(parent|linked|previous|prior|related|refunded|returned)_(transaction|sale|order|receipt|"
    r"invoice|document)"
)
_OF_DOCUMENTS = frozenset({"sale_id", "order_id"})
"""What names a document; below a step of another one, it names that."""


def _tag_of_another(bare: str, found: str | None) -> str | None:
    """Return what a path speaks of if a step of it says that it is of another document.

    >>> _tag_of_another("Return.TransactionLink.TransactionID", "sale_id")
    'original_sale_id'
    """
    steps = [plain_header(step) for step in bare.split(".")[:-1]]
    if not any(_OF_ANOTHER.fullmatch(step) for step in steps):
        return found
    if found in _OF_DOCUMENTS:
        return "original_sale_id"
    is_of_document = found in {"store_id", "till_id", "occurred_at", "line_no", "status"}
    return None if is_of_document else found


_CONTAINERS = frozenset({"item", "record", "row", "result", "entry", "value", "element", "object"})
_THINGS = frozenset({"product", "article", "sku", "store", "shop", "company", "brand", "category"})


def tag_of_field(name: str, *, of: str = "") -> str | None:
    """Return what a header or path speaks of: its last step, or its last two.

    Args:
        name: The header or path.
        of: Place of the records, such as ``data.products``: what a record is.

    >>> tag_of_field("customer.email"), tag_of_field("items[].sku"), tag_of_field("address.city")
    ('email', 'sku', 'city')
    >>> tag_of_field("name"), tag_of_field("name", of="Product"), tag_of_field("id", of="orders")
    ('full_name', 'product_name', 'order_id')
    >>> tag_of_field("emails[0].value"), tag_of_field("phones[primary=true].number")
    ('email', 'phone')
    """
    bare = _without_brackets(name)
    last = last_step(bare)
    is_vague = plain_header(last) in _VAGUE
    if "." not in bare:
        thing = plain_header(of.rpartition(".")[2]).removesuffix("s")
        told = tag_of(f"{thing}_{last}") if is_vague and thing not in _CONTAINERS | {""} else None
        found = told or tag_of(last)
        return None if thing in _THINGS and found in PII_OF_TAG else found
    if plain_header(last) in _BARE and "]" in name:
        held = tag_of(last_step(bare.rpartition(".")[0]).removesuffix("s"))
        if held in {"email", "phone"}:
            return held
    both = tag_of(last_two(name)) or tag_of(last_two(_whose(bare)))
    return _tag_of_another(bare, both if is_vague else tag_of(last) or both)


_PART_OF_NUMBER = re.compile(
    r"(^|_)((pan|card|account|iban)_(suffix|prefix|bin)|"
    r"(last|first)_?(four|4|six|6)(_(digits?|numbers?)(_.+)?|_of_.+|_(pan|card))?|"
    r"(pan|card|account|iban)_last_digits|(letzte|derniers)_(vier|4|quatre)(_(ziffern|chiffres))?)$"
)


def is_part_of_number(header: str) -> bool:
    """Return whether a header speaks of some digits of a number: of a card, most often its last.

    They are shared by many, so that nothing is known by them, but begin with zeros like any text.

    >>> is_part_of_number("pan_suffix"), is_part_of_number("Card last 4")
    (True, True)
    >>> is_part_of_number("last_4_weeks"), is_part_of_number("card_number")
    (False, False)
    """
    return bool(_PART_OF_NUMBER.search(plain_header(header)))
