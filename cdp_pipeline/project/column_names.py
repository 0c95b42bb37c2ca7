"""What the columns of other people's files are called, in ten languages and many spellings.

A header is cut to plain words (``custFirstName`` and ``CUST_FIRST-NAME`` are ``first_name``) and
looked up. Only names are judged here; what the values say is judged in ``columns``.
"""

from __future__ import annotations

import re
import unicodedata

from cdp_pipeline.project.role_words import ROLES, SCRIPTS

OTHERS = re.compile(
    r"^(employer|company|business|store|shop|branch|spouse|partner|mother|father|guardian|parent|"
    r"emergency|doctor|physician|gp|agent|sales|product|item|previous|prev|former|old|maiden|"
    r"shipping|delivery|recipient|gift|event|tax|order|next_of_kin|kin|reference_person)_"
)
"""Columns that speak of somebody or something else."""

_OTHER_PEOPLE = re.compile(
    r"^(spouse|partner|mother|father|guardian|parent|emergency|agent|shipping|ship|ship_to|"
    r"delivery|recipient|gift|next_of_kin|kin|reference_person|requester|sender|from|via|author|"
    r"cardholder|card|staff|employee|cashier|operator|seller|sales_?person|clerk)_(?=.)"
)

_PREFIX = re.compile(
    r"^(customer|cust|client|person|personal|people|member|contact|consumer|buyer|user|individual|"
    r"subject|patient|applicant|owner|home|primary|main|default|current|residential|residence|res|billing|"
    r"bill|mailing_address|mailing|mail|postal|address|addr|contact|legal|voter|registrant|kunde|"
    r"kunden|client|cliente|klant|the|your|my|no|nr|num|s|p|x|orig|raw|clean|std|standardised|"
    r"standardized)_(?=.)"
)
_SUFFIX = re.compile(
    r"(?<=.)_(raw|clean|std|text|txt|str|string|value|val|desc|fake|cd|1|01|0|a|x|orig|original|"
    r"field|col|column|s|primary|main|current|no|nr|num|nbr|number|nummer|nm|tx|addr|entered|"
    r"typed)$"
)
_FIRST = re.compile(r"(?<=[a-z]{3})0?1$")
"""The number of the first of several: ``apellido1``."""

_DELIVERY = re.compile(
    r"^(shipping|shipped|ship|delivery|deliver|recipient|envio|entrega|livraison|liefer|versand|"
    r"bezorg|aflever)_(to_)?|_(shipping|ship|delivery|recipient|envio|entrega|livraison|lieferung|"
    r"versand)$"
)
_CUSTOMERS = frozenset(
    {
        *("acheteur", "buyer", "client", "cliente", "customer", "deliver_to", "destinatario"),
        *("guest", "khach_hang", "klant", "kund", "kunde", "recipient", "ship_to", "shopper"),
        "titular",
    }
)
_BLANK = re.compile(r"^(col(umn)?|field|feld|var(iable)?|unnamed|f|v|x|c|a|attr|champ)?_?\d*$")

_LOOKUP: dict[str, str] = {}
for _role, _words in ROLES.items():
    for _word in _words.split():
        _LOOKUP.setdefault(_word, _role)

_SHORTEST_RUN = 8
_RUN_TOGETHER = {
    _joined: _role
    for _word, _role in _LOOKUP.items()
    if "_" in _word and len(_joined := _word.replace("_", "")) >= _SHORTEST_RUN
}
"""Names of several words without what parts them: ``fechanacimiento``. Short ones mislead."""


_WHOLE_LETTERS = str.maketrans(
    {"ß": "ss", "ł": "l", "ø": "o", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i"}  # noqa: RUF001
    | {"Ł": "L", "Ø": "O", "Đ": "D", "Ð": "D", "Þ": "Th", "Æ": "Ae", "Œ": "Oe"}
)
"""Letters that do not fall apart into a plain one and a mark."""


def plain_header(header: str) -> str:
    """Return a header as small words joined by underscores.

    >>> plain_header("custFirst Name"), plain_header("Straße"), plain_header("E-Mail")
    ('cust_first_name', 'strasse', 'e_mail')
    """
    text = header.translate(_WHOLE_LETTERS)
    text = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    text = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", text)
    return re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")


def says_nothing(header: str) -> bool:
    """Return whether a header is a mere number: ``col_3``, ``unnamed_0``, ``field7``."""
    return bool(_BLANK.match(plain_header(header)))


_NUMBER_NAME = re.compile(r"(^|_)(ids?|no|nr|num(ber)?|key|code|ref|reference|nummer)$|^record_id_")


def is_number_name(header: str) -> bool:
    """Return whether a header speaks of a number that things are known by.

    >>> is_number_name("order_no"), is_number_name("ReceiptId"), is_number_name("city")
    (True, True, False)
    """
    return bool(_NUMBER_NAME.search(plain_header(header)))


def role_of_others(header: str) -> str | None:
    """Return the role of a column that speaks of somebody who need not be the customer.

    No feed takes it for the customer's, but it is somebody's personal data all the same.

    >>> role_of_others("Shipping Zip"), role_of_others("ship-city"), role_of_others("Product Name")
    ('postcode', 'city', None)
    """
    name = plain_header(header)
    bare = _OTHER_PEOPLE.sub("", name, count=1)
    return role_of(bare) if bare != name else None


def role_of(header: str) -> str | None:
    """Return the role that a header names, ``other`` for somebody else's data, or None.

    >>> role_of("Cust_FirstName"), role_of("mailing_address_zipcode"), role_of("PLZ")
    ('given_name', 'postcode', 'postcode')
    >>> role_of("employer_city"), role_of("wages")
    ('other', None)
    """
    name = plain_header(header)
    if not name:
        return SCRIPTS.get("".join(header.split()).casefold())
    if OTHERS.match(name) and name not in _LOOKUP:
        return "other"
    seen: set[str] = set()
    waiting = [name]
    while waiting:
        current = waiting.pop(0)
        run = current.replace("_", "")
        role = _LOOKUP.get(current) or _LOOKUP.get(run) or _RUN_TOGETHER.get(run)
        if role and (current == name or not _misleads(name, current, role)):
            return role
        seen.add(current)
        shorter = [pattern.sub("", current, count=1) for pattern in (_PREFIX, _SUFFIX, _FIRST)]
        waiting += [word for word in shorter if word and word not in seen]
    return _role_of_parts(name)


_NUMBER_AFFIX = re.compile(r"^(no|nr|num)_|_(no|nr|num|nbr|number|nummer)$")
_NUMBERED = re.compile("truth|phone|house_number|unit|postcode|.+_token|identifier|(?!rec).+_id")


def _misleads(name: str, shorter: str, role: str) -> bool:
    """Return whether a shortened name says something else: no ``region_no`` is a region."""
    if shorter in {"nr", "number", "numero"}:  # bill_nr
        return not re.match(r"(home|res|residen\w+|mail\w*|postal|addr\w*)_", name)
    if re.fullmatch("(first|last|middle)_(entered|typed)", name):
        return True
    is_lost = _NUMBER_AFFIX.search(name) and not _NUMBER_AFFIX.search(shorter)
    return bool(is_lost) and not _NUMBERED.fullmatch(role)


_AND = frozenset({"a", "and", "e", "en", "es", "et", "i", "och", "og", "si", "und", "y"})
_STREET_LINE = frozenset({"street", "house_number"})


def _role_of_parts(name: str) -> str | None:
    """Return the role that both halves of a name speak of: ``mobile_telephone``.

    Of a street and a number they are the line of an address: ``calle_y_numero``.
    """
    words = name.split("_")
    for cut in range(1, len(words)):
        after = words[cut + 1 :] if words[cut] in _AND else words[cut:]
        halves = {_LOOKUP.get("_".join(part)) for part in (words[:cut], after)}
        if halves == _STREET_LINE:
            return "street"
        if len(halves) == 1 and None not in halves:
            return halves.pop()
    return None


def delivery_role(header: str) -> str | None:
    """Return what a header says of the person whom goods are sent to, or None.

    >>> delivery_role("shipping_zip"), delivery_role("direccion_envio"), delivery_role("zip")
    ('postcode', 'street', None)
    """
    name = plain_header(header)
    bare = _DELIVERY.sub("", name)
    return None if bare in {"", name, "nr", "number", "numero"} else role_of(bare)


def names_a_customer(header: str) -> bool:
    """Return whether a header says no more than that a customer stands there: ``cliente``.

    >>> names_a_customer("Klant"), names_a_customer("deliver_to"), names_a_customer("klantnr")
    (True, True, False)
    """
    return plain_header(header) in _CUSTOMERS
