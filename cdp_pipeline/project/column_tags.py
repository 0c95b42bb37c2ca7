"""What columns of deliveries mean: people's data by ``column_names``, commerce and events here.

A tag says what a column is about; the entity columns that a feed may set bear the same names. Only
names are judged.
"""

from __future__ import annotations

import re

from cdp_pipeline.project.column_names import plain_header, role_of

_WORDS: dict[str, str] = {
    "sale_id": (
        "receipt receipt_id receipt_no receipt_number receiptid bon bon_id bon_nr bonnummer beleg "
        "beleg_nr belegnummer ticket ticket_id ticket_no transaction transaction_id transaction_no "
        "trans_id trans_no txn txn_id txn_no transno sale_id sale_no invoice invoice_id invoice_no "
        "invoice_number rechnung rechnungsnummer facture ticket_caisse numero_ticket kassenbon "
        "invoiceno"
    ),
    "order_id": (
        "order order_id order_no order_number orderid order_nr order_num bestellnummer bestell_nr "
        "bestellung auftrag auftragsnummer auftrag_nr commande numero_commande pedido "
        "numero_pedido ordine bestelnummer ordernummer web_order_id order_ref order_reference "
        "increment_id auftragsnr"
    ),
    "line_no": (
        "line line_no line_number line_nr line_id lineno item_no item_number item_seq seq sequence "
        "sequence_number position pos pos_nr positionsnummer zeile ligne line_item line_num"
    ),
    "sku": (
        "sku sku_id article article_id article_no article_number artikel artikel_nr artikelnummer "
        "art_nr artnr item_id item_code item_sku product_id product_code product_no productid "
        "stock_code stockcode ean gtin upc barcode style style_no plu reference_article "
        "product_number productnumber material_number "
        "positem_id pos_item_id variant_id variant_sku lineitem_sku code_article codigo_producto"
    ),
    "product_name": (
        "product product_name item item_name item_description article_name article_description "
        "artikelbezeichnung bezeichnung product_title lineitem_name designation libelle "
        "description product_description produkt"
    ),
    "quantity": (
        "quantity qty qty_sold units unit_count menge anzahl stueck stuck quantite "
        "qte cantidad quantita aantal antal pieces pcs units_sold lineitem_quantity quantidade "
        "unit_quantity quantity_sold quantity_ordered qty_ordered quantity_purchased"
    ),
    "unit_price": (
        "unit_price price price_each item_price preis einzelpreis stueckpreis prix prix_unitaire "
        "precio precio_unitario prezzo prijs pris unitprice selling_price retail_price list_price "
        "lineitem_price preco actual_sales_unit_price actual_unit_price"
    ),
    "discount_amount": (
        "discount discount_amount discounts rabatt nachlass remise descuento sconto korting "
        "markdown promo_discount discount_value reduction line_discount extended_discount_amount"
    ),
    "tax_amount": "tax tax_amount vat vat_amount mwst ust umsatzsteuer tva iva btw moms taxes gst",
    "net_amount": (
        "amount net_amount line_amount line_total net net_sales net_total line_net total_price "
        "betrag nettobetrag umsatz umsatz_eur montant montant_net importe importe_neto importo "
        "bedrag belopp sales sales_amount revenue value extended_price ext_price netto "
        "line_value sum netto_umsatz valor summe calc_total extended_amount line_sum row_total "
        "price_total gesamtpreis positionsbetrag zeilenbetrag"
    ),
    "gross_amount": "gross gross_amount gross_sales brutto bruttobetrag bruto",
    "order_amount": (
        "total order_total grand_total total_amount order_amount order_value gesamt gesamtbetrag "
        "total_ttc montant_total importe_total totale totaal basket_value total_paid amount_paid "
        "invoice_total amount_total subtotal total_gross total_net"
    ),
    "shipping_amount": (
        "shipping shipping_amount shipping_cost delivery_fee versandkosten postage freight "
        "frais_de_port shipping_total"
    ),
    "currency": (
        "currency currency_code waehrung wahrung devise moneda valuta curr ccy iso_currency"
    ),
    "store_id": (
        "store store_id store_no store_number storeid shop shop_id shop_no branch branch_id "
        "filiale filial_nr filialnummer magasin tienda negozio winkel outlet outlet_id location "
        "location_id site site_id store_code till_store boutique business_unit_unit_id "
        "retail_store_id"
    ),
    "store_name": (
        "store_name shop_name branch_name filialname nom_magasin location_name outlet_name"
    ),
    "till_id": (
        "till till_id till_no register register_id kasse kassen_nr terminal terminal_id pos_id "
        "workstation_id workstation"
    ),
    "tender": (
        "tender tender_type payment payment_method payment_type pay_method zahlart zahlungsart "
        "mode_paiement forma_pago card_brand paid_by"
    ),
    "department": "department dept abteilung rayon departamento reparto division",
    "category": "category product_category warengruppe categorie categoria kategorie product_type",
    "brand": "brand marke marque marca merk manufacturer vendor",
    "promotion_id": (
        "promotion promotion_id promo promo_code coupon coupon_code discount_code voucher"
    ),
    "event_type": (
        "event event_type event_name type action activity activity_type metric transaction_type "
        "trans_type record_type kind art vorgang interaction"
    ),
    "event_id": (
        "event_id eventid payment_id payment_no message_id hit_id activity_id interaction_id log_id"
    ),
    "campaign_id": "campaign campaign_id campaign_name kampagne send_id sendid mailing mailing_id",
    "session_id": "session session_id sessionid visit_id ga_session_id",
    "cookie_id": "cookie cookie_id client_id ga_client_id user_pseudo_id anonymous_id visitor_id",
    "url": "url page page_url click_url link_url link page_location landing_page referrer uri href",
    "is_machine": "machine_open machine_opens is_machine is_bot bot_click apple_privacy_open",
    "is_return": "is_return isreturn is_refund return_flag refund_flag",
    "device": "device device_type device_category user_agent",
    "occurred_at": (
        "time date datetime date_time timestamp ts occurred_at event_time event_date "
        "event_timestamp eventdate sold_at sale_date sale_time transaction_date transaction_time "
        "trans_date till_time order_date order_time ordered_at purchase_date invoice_date datum "
        "uhrzeit zeit zeitpunkt zeitstempel kaufdatum belegdatum bestelldatum verkaufsdatum "
        "auftragsdatum rechnungsdatum "
        "date_heure "
        "fecha fecha_hora hora heure date_achat date_vente data data_ora ora tijd tidspunkt dato "
        "business_date businessdate paid_at send_time sent_at created created_at create_date "
        "created_on creation_date creationdate opened_at received_at date_created invoicedate "
        "end_date_time business_day_date"
    ),
    "updated_at": (
        "updated updated_at update_date last_updated last_update modified modified_at modified_on "
        "last_modified last_changed changed_at change_date geaendert_am aenderungsdatum "
        "date_modified modification_date lastmodified systemmodstamp updated_on mutatiedatum "
        "last_modified_date modified_date"
    ),
    "joined_on": (
        "joined joined_on join_date member_since enrolled_on enrolment_date enrollment_date "
        "registered registration_date registrationdate signup_date sign_up_date eintrittsdatum "
        "mitglied_seit optin_time customer_since"
    ),
    "status": "status state_of_order order_status state_code_order fulfilment fulfillment_status "
    "financial_status payment_status",
    "channel": "channel kanal canal canale sales_channel source_channel",
    "tier": "tier loyalty_tier level stufe status_level segment_tier member_tier",
    "free_text": (
        "note notes comment comments remark remarks kommentar bemerkung notiz message nachricht "
        "customer_note memo commentaire observaciones text feedback"
    ),
    "time_zone": "time_zone timezone zone tz zeitzone",
    "latitude": "latitude lat breitengrad",
    "longitude": "longitude lon lng laengengrad langengrad",
}
"""Tags of commerce and events, each with the header words that name it."""

_LOOKUP: dict[str, str] = {}
for _tag, _named in _WORDS.items():
    for _word in _named.split():
        _LOOKUP.setdefault(_word, _tag)

_NOTHING = frozenset({"unit", "token", "number", "index", "name_of", "code", "key", "origin"})
"""Headers that mean something beside people's data only."""

_CONSENT = re.compile(
    r"(^|_)(consent|opt_?in|opt_?out|accepts|agreed?|permission|newsletter|subscribed?|"
    r"unsubscribed?|einwilligung|werbung|werbeeinwilligung|werbeerlaubnis|zustimmung|marketing|"
    r"can_receive|gdpr|consentement|consenso|opted_?out|do_?not_?(contact|call|mail|email|sms|text)|"
    r"werbesperre|werbewiderspruch)(_|$)"
)
_REFUSAL = re.compile(
    r"(^|_)(un_?subscribed?|opt(ed)?_?out|do_?not|dont|not|never|without|refused?|refuses|"
    r"declined?|suppress(ed)?|block(ed)?|blacklist(ed)?|withdrawn|revoked?|object(ed|s)?|"
    r"abgemeldet|widersprochen|widerspruch|werbewiderspruch|werbesperre|kein|keine|refus|desabonne)(_|$)"
)
_CHANNELS = (
    ("email", r"e_?mail|newsletter|courriel|correo"),
    ("sms", r"sms|text|mobile|whatsapp"),
    ("push", r"push|app"),
    ("post", r"post|postal|letter|brief|catalogue|mailing"),
    ("phone", r"phone|call|telephone|telefon"),
)
_KINDS_OF_AMOUNTS = re.compile(
    r"_(in_)?(cents?|pence|centimes?|minor|minor_units?|brutto|netto|gross|net|"
    r"(incl|inkl|excl|exkl|inc|ex)_\w+|eur|euro|usd|gbp|chf)$"
)
_ZONES = re.compile(r"_(utc|gmt|local)$")
_SHARES = re.compile(r"%|(^|_)(percent|percentage|prozent|pct|rate)(_|$)")
_PARTS = re.compile(r"^(li|lineitem|line_item|line|item|order|sale|transaction|product|articles?)_")

PII_OF_TAG: dict[str, str] = {
    **dict.fromkeys(("given_name", "family_name", "full_name", "middle_name"), "name"),
    **dict.fromkeys(
        ("street", "house_number", "street_name", "unit", "city", "postcode", "state"), "address"
    ),
    **dict.fromkeys(("birth_date", "birth_year", "birth_month", "birth_day"), "birth_date"),
    **dict.fromkeys(
        ("loyalty_id", "account_id", "payment_token", "national_id", "identifier"), "identifier"
    ),
    "birth_place": "birth_date",
    "email": "email",
    "phone": "phone",
    "sex": "sex",
    "cookie_id": "cookie",
    "free_text": "free_text",
}
"""Kind of personal data of each tag that is any."""


def tag_of(header: str) -> str | None:
    """Return what a header speaks of, or None.

    >>> tag_of("Artikelnummer"), tag_of("Lineitem quantity"), tag_of("E-Mail"), tag_of("foo")
    ('sku', 'quantity', 'email', None)
    >>> tag_of("accepts_marketing"), tag_of("email_opt_in"), tag_of("Billing Zip")
    ('consent', 'consent', 'postcode')
    >>> tag_of("Einzelpreis (brutto)"), tag_of("Amount in EUR"), tag_of("Rabatt %")
    ('unit_price', 'net_amount', None)
    """
    name = plain_header(header)
    if _SHARES.search(f"%{name}" if "%" in header else name):
        return None
    if name in _LOOKUP or name in _NOTHING:
        return _LOOKUP.get(name)
    if _CONSENT.search(name):
        return "consent"
    bare = _KINDS_OF_AMOUNTS.sub("", name)
    unzoned = _ZONES.sub("", name)
    for shorter in (name.replace("_", ""), _PARTS.sub("", name), bare, unzoned):
        if shorter in _LOOKUP:
            return _LOOKUP[shorter]
    role = role_of(header)
    if role in {"other", "record_id", "source", "truth", "category", "age_year"}:
        return None
    return role


def consent_channel(header: str) -> str | None:
    """Return the channel that a consent is about, by the column's name.

    >>> consent_channel("accepts_sms"), consent_channel("opt_in")
    ('sms', None)
    """
    name = plain_header(header)
    return next((c for c, words in _CHANNELS if re.search(rf"(^|_)({words})(_|$)", name)), None)


def is_refusal(header: str) -> bool:
    """Return whether yes in a column of consent means that somebody said no.

    >>> is_refusal("Unsubscribed from all email"), is_refusal("email_opt_out")
    (True, True)
    >>> is_refusal("accepts_marketing"), is_refusal("subscribed")
    (False, False)
    """
    return bool(_REFUSAL.search(plain_header(header)))


def says_moment(header: str) -> bool:
    """Return whether a header speaks of a day or a moment.

    >>> says_moment("created_ts"), says_moment("Kaufdatum"), says_moment("amount")
    (True, True, False)
    """
    if tag_of(header) in {"occurred_at", "updated_at", "joined_on", "birth_date"}:
        return True
    words = r"(date|datum|time|at|on|ts|timestamp|day|zeit|fecha|dato|when|dob)"
    return bool(re.search(rf"(^|_){words}(_|$)|datum$|date$", plain_header(header)))


def is_name_of_amount(header: str) -> bool:
    """Return whether a header speaks of money.

    >>> is_name_of_amount("Net Sales"), is_name_of_amount("qty")
    (True, False)
    """
    return tag_of(header) in {
        "unit_price",
        "discount_amount",
        "tax_amount",
        "net_amount",
        "gross_amount",
        "order_amount",
        "shipping_amount",
    }
