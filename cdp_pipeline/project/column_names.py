"""What the columns of other people's files are called, in ten languages and many spellings.

A header is cut to plain words (``custFirstName`` and ``CUST_FIRST-NAME`` are ``first_name``) and
looked up. Only names are judged here; what the values say is judged in ``columns``.
"""

from __future__ import annotations

import re
import unicodedata

ROLES: dict[str, str] = {
    "record_id": (
        "id unique_id uid rec_id record_id record_key row_id rowid row_number recid key pk guid "
        "uuid unique_key source_id source_key record_number rec_no index ids idx"
    ),
    "source": ("source source_system source_name src system dataset data_source origin quelle"),
    "truth": (
        "cluster cluster_id entity entity_id true_id truth true_entity true_cluster label "
        "labels person_id simulant_id group_id match_id golden_id gold_id ent_id ncid "
        "duplicate_of is_duplicate duplicate dup_id original_id individual_id true_person "
        "person_key real_id identity ground_truth matching_id z_cluster"
    ),
    "given_name": (
        "first_name firstname first given_name givenname given forename fore_name given_names "
        "first_names fname f_name vorname rufname prenom nombre nombre_de_pila nombres nome "
        "primeiro_nome voornaam fornamn imie imiona fornavn etunimi christian_name name_first "
        "nm_first first_nm"
    ),
    "family_name": (
        "last_name lastname last surname sur_name family_name familyname lname l_name sname "
        "nachname familienname zuname nom nom_de_famille apellido apellidos primer_apellido "
        "cognome sobrenome apelido achternaam familienaam efternamn nazwisko etternavn sukunimi "
        "name_last nm_last last_nm"
    ),
    "full_name": (
        "name full_name fullname whole_name complete_name display_name cardholder "
        "cardholder_name holder_name name_full nom_complet nombre_completo nome_completo "
        "vollstandiger_name volledige_naam naam namn patient_name first_and_surname "
        "first_and_last_name imie_i_nazwisko nom_prenom"
    ),
    "middle_name": (
        "middle_name middlename middle middle_names second_name zweiter_vorname mname "
        "segundo_nombre middle_initial mi m_i middle_init middle_nm nm_middle deuxieme_prenom "
        "tussenvoegsel name_middle midl_name"
    ),
    "birth_date": (
        "dob birth_date birthdate date_of_birth birth_dt d_o_b birthday bday born born_on "
        "geburtsdatum geburtstag geb_datum geboren_am date_de_naissance date_naissance ddn "
        "fecha_de_nacimiento fecha_nacimiento data_di_nascita data_nascita data_de_nascimento "
        "data_nascimento geboortedatum fodelsedatum data_urodzenia fodselsdato syntymaaika "
        "birth_day_date dateofbirth dt_birth birth"
    ),
    "birth_year": (
        "birth_year year_of_birth yob birthyear by geburtsjahr annee_de_naissance "
        "annee_naissance ano_de_nacimiento anno_di_nascita geboortejaar fodelsear byear"
    ),
    "birth_month": ("birth_month month_of_birth mob geburtsmonat bm bmonth"),
    "birth_day": ("birth_day day_of_birth geburtstag_tag bd bday_day bday_of_month"),
    "age": ("age alter edad eta idade leeftijd alder wiek age_years age_at_year_end"),
    "sex": (
        "sex gender sex_code gender_code geschlecht sexe sexo sesso genere geslacht kon plec "
        "kjonn sukupuoli gen"
    ),
    "email": (
        "email e_mail mail email_address e_mail_address emailaddress mail_address email_addr "
        "email1 email_1 correo correo_electronico courriel adresse_mail adresse_email "
        "posta_elettronica indirizzo_email epost e_post emailadresse e_mail_adresse emailadres"
    ),
    "phone": (
        "phone telephone tel phone_number phonenumber telephone_number tel_no phone_no mobile "
        "mobile_phone mobile_number cell cell_phone cellphone landline phone1 phone_1 "
        "full_phone_number full_phone_num telefon telefonnummer handy mobil festnetz "
        "telephone_portable portable telefono movil celular cellulare telefone telemovel "
        "telefoon telefoonnummer mobiel contact_number msisdn phone_num area_phone telno"
    ),
    "street": (
        "street address street_address address_line address_line_1 address_line1 address1 "
        "address_1 addr addr1 addr_1 line1 line_1 street_line street_line_1 full_address "
        "strasse str anschrift adresse rue voie calle direccion domicilio via indirizzo rua "
        "endereco morada straat adres gata gatuadress ulica vei mailing_address "
        "res_street_address mail_addr1 addr_line_1 residence_address house_address "
        "strasse_hausnummer strasse_und_hausnummer"
    ),
    "house_number": (
        "street_number street_no house_number house_no housenumber house_num house hausnummer "
        "hausnr hnr numero numero_de_rue numero_civico civico huisnummer nr building_number "
        "st_number streetnumber number street_num address_number"
    ),
    "street_name": (
        "street_name streetname strassenname nom_de_rue straatnaam road road_name st_name "
        "nombre_de_calle street_nm"
    ),
    "unit": (
        "unit unit_number apartment apt apt_number apartment_number flat flat_number suite "
        "address_line_2 address_line2 address2 address_2 addr2 addr_2 line2 line_2 "
        "street_line_2 adresszusatz complement complemento apto"
    ),
    "city": (
        "city town suburb locality city_name town_name municipality place village ort stadt "
        "wohnort ville commune localite ciudad poblacion localidad municipio citta comune "
        "cidade plaats woonplaats stad ort_stadt miasto miejscowosc poststed postort "
        "res_city_desc post_town res_city city_desc mail_city postal_town"
    ),
    "state": (
        "state province county region state_code state_cd bundesland departement provincia "
        "estado provincie lan wojewodztwo st state_abbr state_province county_desc county_name "
        "mail_state res_state"
    ),
    "postcode": (
        "postcode post_code postal_code postalcode zip zip_code zipcode zip5 plz postleitzahl "
        "code_postal codigo_postal cp cap cep postnummer kod_pocztowy postnr postinumero "
        "postcode_fake pcode mail_zipcode zip_cd pin_code pincode eircode"
    ),
    "country": ("country country_code land pays pais paese nation country_name country_cd"),
    "loyalty_id": (
        "loyalty_id loyalty_number loyalty_no loyalty_card loyalty_card_number card_number "
        "card_no card_id cardno card club_card clubcard membership_number membership_id "
        "membership_no member_id member_number member_no membernumber kundenkarte "
        "kundenkartennummer kartennummer carte_de_fidelite numero_carte tarjeta_fidelidad "
        "tessera fidelity_card klantenkaart loyalty rewards_number reward_id"
    ),
    "account_id": (
        "account_id account_number account_no account acct acct_no acct_id acct_number "
        "web_account web_account_id user_id userid username user_name login login_id "
        "customer_id customer_number customer_no cust_id cust_no customerid client_id "
        "client_number kundennummer kundennr numero_client numero_cliente id_cliente "
        "codice_cliente klantnummer kundnummer shopper_id profile_id"
    ),
    "payment_token": (
        "payment_token payment_card payment_card_token token card_token pan_token card_hash "
        "payment_id payment_hash card_fingerprint iban pan credit_card credit_card_number"
    ),
    "national_id": (
        "ssn social_security_number social_security soc_sec_id soc_sec ssn_itin national_id "
        "national_number national_insurance_number nino ni_number nhs_number nhs_no sin tax_id "
        "tax_number tin steuernummer steuer_id sozialversicherungsnummer insee "
        "numero_securite_sociale nir dni nif nie codice_fiscale cf cpf bsn personnummer pesel "
        "passport passport_number passport_no driver_license drivers_license driver_licence "
        "drivers_licence drivers_license_number id_number identity_number medicare_number "
        "medicare ssnum social_sec_no aadhaar cnp hetu"
    ),
    "birth_place": (
        "birth_place birthplace place_of_birth pob geburtsort lieu_de_naissance "
        "lugar_de_nacimiento luogo_di_nascita naturalidade geboorteplaats fodelseort birth_city "
        "birth_state birth_country town_of_birth county_of_birth miejsce_urodzenia"
    ),
    "occupation": (
        "occupation profession job job_title trade beruf metier profesion ocupacion professione "
        "profissao beroep yrke zawod"
    ),
    "identifier": (
        "voter_reg_num voter_id registration_number registration_no reg_no reg_num "
        "licence_number license_number policy_number policy_no patient_id patient_number mrn "
        "medical_record_number hospital_number case_number student_id employee_id staff_id "
        "device_id household_id family_id external_id legacy_id crm_id reference "
        "reference_number"
    ),
    "category": (
        "race ethnicity race_ethnicity race_code ethnic_code ethnic_group party party_cd "
        "nationality marital_status religion language birth_state_code"
    ),
}
"""Roles, each with the header words that name it."""

OTHERS = re.compile(
    r"^(employer|company|business|store|shop|branch|spouse|partner|mother|father|guardian|parent|"
    r"emergency|doctor|physician|gp|agent|sales|product|item|previous|prev|former|old|maiden|"
    r"shipping|delivery|recipient|gift|event|tax|order|next_of_kin|kin|reference_person)_"
)
"""Columns that speak of somebody or something else."""

_PREFIX = re.compile(
    r"^(customer|cust|client|person|personal|people|member|contact|consumer|buyer|user|individual|"
    r"subject|patient|applicant|owner|home|primary|main|current|residential|residence|res|billing|"
    r"bill|mailing_address|mailing|mail|postal|address|addr|contact|legal|voter|registrant|kunde|"
    r"kunden|client|cliente|the|your|my|s|p|x|orig|raw|clean|std|standardised|standardized)_(?=.)"
)
_SUFFIX = re.compile(
    r"(?<=.)_(raw|clean|std|text|txt|str|string|value|val|desc|fake|cd|1|01|0|a|x|orig|original|"
    r"field|col|column|s|primary|main|current)$"
)
_BLANK = re.compile(r"^(col(umn)?|field|feld|var(iable)?|unnamed|f|v|x|c|a|attr|champ)?_?\d*$")

_LOOKUP: dict[str, str] = {}
for _role, _words in ROLES.items():
    for _word in _words.split():
        _LOOKUP.setdefault(_word, _role)


def plain_header(header: str) -> str:
    """Return a header as small words joined by underscores.

    >>> plain_header("custFirst Name"), plain_header("Straße"), plain_header("E-Mail")
    ('cust_first_name', 'strasse', 'e_mail')
    """
    text = header.replace("ß", "ss")
    text = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    text = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", text)
    return re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")


def says_nothing(header: str) -> bool:
    """Return whether a header is a mere number: ``col_3``, ``unnamed_0``, ``field7``."""
    return bool(_BLANK.match(plain_header(header)))


_NUMBER_NAME = re.compile(r"(^|_)(id|ids|no|nr|num|number|key|code|ref|reference|nummer)$")


def is_number_name(header: str) -> bool:
    """Return whether a header speaks of a number that things are known by.

    >>> is_number_name("order_no"), is_number_name("ReceiptId"), is_number_name("city")
    (True, True, False)
    """
    return bool(_NUMBER_NAME.search(plain_header(header)))


def role_of(header: str) -> str | None:
    """Return the role that a header names, ``other`` for somebody else's data, or None.

    >>> role_of("Cust_FirstName"), role_of("mailing_address_zipcode"), role_of("PLZ")
    ('given_name', 'postcode', 'postcode')
    >>> role_of("employer_city"), role_of("wages")
    ('other', None)
    """
    name = plain_header(header)
    if OTHERS.match(name) and name not in _LOOKUP:
        return "other"
    seen: set[str] = set()
    waiting = [name]
    while waiting:
        current = waiting.pop(0)
        if current in _LOOKUP:
            return _LOOKUP[current]
        squeezed = current.replace("_", "")
        if squeezed in _LOOKUP:
            return _LOOKUP[squeezed]
        seen.add(current)
        shorter = (_PREFIX.sub("", current, count=1), _SUFFIX.sub("", current))
        waiting += [name for name in shorter if name and name not in seen]
    return None
