"""The words by which headers name people's data, in ten languages and several alphabets.

Words alone; how a header is cut down to them is said in ``column_names``.
"""

from __future__ import annotations

ROLES: dict[str, str] = {
    "record_id": (
        "id unique_id uid rec_id record_id record_key row_id rowid row_number recid key pk guid "
        "uuid unique_key source_id source_key record_number rec_no index ids idx"
    ),
    "source": "source source_system source_name src system dataset data_source origin quelle",
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
        "nm_first first_nm nm_given given_nm fornafn eiginnafn ten krestni_jmeno jmeno isim "
        "prenume meno ime eesnimi keresztnev keresztneve utonev adi primer_nombre roepnaam "
        "egennavn tilltalsnamn"
    ),
    "family_name": (
        "last_name lastname last surname sur_name family_name familyname lname l_name sname "
        "nachname familienname zuname nom nom_de_famille apellido apellidos primer_apellido "
        "cognome sobrenome apelido achternaam familienaam efternamn nazwisko etternavn sukunimi "
        "name_last nm_last last_nm kenninafn eftirnafn ho prijmeni soyad soyadi nume_de_familie "
        "vezeteknev csaladnev priezvisko prezime priimek surnames apellido_1 apellido_paterno "
        "sobrenomes ultimo_nome geslachtsnaam soyisim"
    ),
    "full_name": (
        "name full_name fullname whole_name complete_name display_name cardholder "
        "cardholder_name holder_name name_full nom_complet nombre_completo nome_completo "
        "vollstandiger_name volledige_naam naam namn patient_name first_and_surname "
        "first_and_last_name imie_i_nazwisko nom_prenom nafn nimi ho_ten ho_va_ten kunden_name "
        "nm name_on_card nom_et_prenom prenom_nom nombre_y_apellidos nombre_apellidos "
        "apellidos_y_nombre apellidos_nombre nome_e_cognome cognome_nome voor_en_achternaam "
        "vor_und_nachname vor_und_zuname ad_soyad adi_soyadi jmeno_a_prijmeni nev teljes_nev "
        "navn fulde_navn fullt_navn fullstandigt_namn nume_complet nume_si_prenume ime_i_prezime "
        "ime_in_priimek meno_a_priezvisko koko_nimi taysi_nimi adi_ve_soyadi ad_ve_soyad "
        "vardas_pavarde"
    ),
    "middle_name": (
        "middle_name middlename middle middle_names second_name zweiter_vorname mname "
        "segundo_nombre middle_initial mi m_i middle_init middle_nm nm_middle deuxieme_prenom "
        "tussenvoegsel name_middle midl_name patronymic tussenvoegsels ten_dem otchestvo "
        "patronymic_name"
    ),
    "birth_date": (
        "dob birth_date birthdate date_of_birth birth_dt d_o_b birthday bday born born_on "
        "geburtsdatum geburtstag geb_datum geboren_am date_de_naissance date_naissance ddn "
        "fecha_de_nacimiento fecha_nacimiento data_di_nascita data_nascita data_de_nascimento "
        "data_nascimento geboortedatum fodelsedatum data_urodzenia fodselsdato syntymaaika "
        "birth_day_date dateofbirth dt_birth birth dt_of_birth nacimiento f_nacimiento f_nac "
        "fec_nac fecha_nac nascimento dt_nascimento dt_nasc data_nasc nascita geb_dat gebdat "
        "geboren geb naissance date_naiss ngay_sinh faedingardagur fodt fodselsdag fodelsedag "
        "syntymapaiva datum_narozeni szuletesi_ido szuletesi_datum datum_narodenia datum_rodenja "
        "datum_rojstva sunniaeg dzimsanas_datums gimimo_data fecha_nacim dogum_tarihi data_nasterii"
    ),
    "birth_year": (
        "birth_year year_of_birth yob birthyear by geburtsjahr annee_de_naissance "
        "annee_naissance ano_de_nacimiento anno_di_nascita geboortejaar fodelsear byear "
        "ano_nacimiento ano_nascimento ano_de_nascimento rok_urodzenia rok_narozeni fodselsar "
        "faedingarar geb_jahr geb_jaar syntymavuosi dogum_yili year_born born_year "
        "estimated_birth_year est_birth_year approx_birth_year birth_yr"
    ),
    "birth_month": (
        "birth_month month_of_birth mob geburtsmonat bm bmonth dob_month month_born geb_monat"
    ),
    "birth_day": (
        "birth_day day_of_birth geburtstag_tag bd bday_day bday_of_month dob_day day_born geb_tag"
    ),
    "age": (
        "age alter edad eta idade leeftijd alder wiek age_years age_at_year_end aldur ika vek "
        "kor yas tuoi age_in_years age_yrs stated_age age_at_census age_last_birthday"
    ),
    "age_year": "year census_year year_of_census survey_year record_year year_recorded event_year",
    "sex": (
        "sex gender sex_code gender_code geschlecht sexe sexo sesso genere geslacht kon plec "
        "kjonn sukupuoli gen kyn gioi_tinh cinsiyet pohlavi nem"
    ),
    "email": (
        "email e_mail mail email_address e_mail_address emailaddress mail_address email_addr "
        "email1 email_1 correo correo_electronico courriel adresse_mail adresse_email "
        "posta_elettronica indirizzo_email epost e_post emailadresse e_mail_adresse emailadres "
        "netfang epostadresse e_postadresse e_postadress epostadress sahkoposti "
        "sahkopostiosoite mail_addr mailadres mailadresse endereco_de_email adres_email "
        "e_mail_adres eposta user_mail"
    ),
    "phone": (
        "phone telephone tel phone_number phonenumber telephone_number tel_no phone_no mobile "
        "mobile_phone mobile_number cell cell_phone cellphone landline phone1 phone_1 "
        "full_phone_number full_phone_num telefon telefonnummer handy mobil festnetz "
        "telephone_portable portable telefono movil celular cellulare telefone telemovel "
        "telefoon telefoonnummer mobiel contact_number msisdn phone_num area_phone telno gsm "
        "gsm_nummer simi farsimi simanumer fone telefono_movil tel_mobile numero_de_telephone "
        "numero_de_telefono numero_di_telefono numero_de_telefone dien_thoai so_dien_thoai sdt "
        "puhelin puhelinnumero matkapuhelin tlf tlf_nr telefonnr mobilnummer handynummer "
        "numer_telefonu telefonszam cep_telefonu whatsapp handphone hp_no komorka contact_nr "
        "tel_fixe fixe telefono_fijo fijo telefone_fixo telefono_fisso vaste_telefoon "
        "cislo_telefonu telefonni_cislo ev_telefonu mobiltelefon"
    ),
    "street": (
        "street address street_address address_line address_line_1 address_line1 address1 "
        "address_1 addr addr1 addr_1 line1 line_1 street_line street_line_1 full_address "
        "strasse str anschrift adresse rue voie calle direccion domicilio via indirizzo rua "
        "endereco morada straat adres gata gatuadress ulica vei mailing_address "
        "res_street_address mail_addr1 addr_line_1 residence_address house_address "
        "strasse_hausnummer strasse_und_hausnummer heimilisfang dia_chi logradouro osoite "
        "katuosoite lakcim adresse_ligne_1 ligne_1 ulice direccion_1 endereco_1 woonadres "
        "str_nr "
        "ulice_a_cp ulice_a_c_p ulice_a_cislo_popisne utca"
    ),
    "house_number": (
        "street_number street_no house_number house_no housenumber house_num house hausnummer "
        "hausnr hnr numero numero_de_rue numero_civico civico huisnummer nr building_number "
        "st_number streetnumber number street_num address_number huisnr husnummer husnr "
        "hausnummer_zusatz numer_domu hazszam cislo_domu"
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
        "res_city_desc post_town res_city city_desc mail_city postal_town stadur thanh_pho "
        "kaupunki mesto varos sehir oras concelho gemeinde parish parish_of_residence residence "
        "residence_place place_of_residence town_of_residence "
        "colonia bairro ilce mahalle quan quan_huyen"
    ),
    "state": (
        "state province county region state_code state_cd bundesland departement provincia "
        "estado provincie lan wojewodztwo st state_abbr state_province county_desc county_name "
        "mail_state res_state"
    ),
    "postcode": (
        "postcode post_code postal_code postalcode zip zip_code zipcode zip5 plz postleitzahl "
        "code_postal codigo_postal cp cap cep postnummer kod_pocztowy postnr postinumero "
        "postcode_fake pcode mail_zipcode zip_cd pin_code pincode eircode postal_cd post_cd "
        "postnumer kodepos ma_buu_chinh ma_buu_dien iranyitoszam psc posta_kodu cod_postal "
        "code_post postal"
    ),
    "country": (
        "country country_code land pays pais paese nation country_name country_cd ulke orszag "
        "country_id country_iso country_iso_code iso_country"
    ),
    "loyalty_id": (
        "loyalty_id loyalty_account_id loyalty_number loyalty_no loyalty_card loyalty_card_number "
        "card_number card_no card_id cardno card club_card clubcard membership_number "
        "membership_id membership_no member_id member_number member_no membernumber kundenkarte "
        "kundenkartennummer kartennummer carte_de_fidelite numero_carte tarjeta_fidelidad "
        "tessera fidelity_card klantenkaart loyalty rewards_number reward_id tarjeta "
        "tarjeta_cliente tarjeta_de_cliente tarjeta_socio num_socio numero_socio carte_fidelite "
        "carte_client cartao cartao_fidelidade cartao_cliente pasnummer pasnr klantenpas "
        "spaarkaart kort kortnumer kortnummer kundekort kundkort kartennr carta_fedelta "
        "tessera_fedelta karta karta_lojalnosciowa so_the the_thanh_vien loyalty_card_id "
        "bonuskort bonuskarte member_nr"
    ),
    "account_id": (
        "account_id account_number account_no account acct acct_no acct_id acct_number "
        "customer_user external_user_id external_customer_id "
        "web_account web_account_id user_id userid username user_name login login_id "
        "customer_id customer_number customer_no cust_id cust_no customerid client_id "
        "client_number kundennummer kundennr numero_client numero_cliente customer_nr id_cliente "
        "codice_cliente klantnummer kundnummer shopper_id profile_id klantnr klant_nr klant_id "
        "kunden_nr kunden_id kundenr kunde_nr user_key user_no gebruiker gebruikersnaam benutzer "
        "benutzername usuario utilisateur utente client_no client_nr codigo_cliente cod_cliente "
        "code_client id_client id_kunde ma_kh ma_khach_hang konto kontonummer"
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
        "drivers_licence drivers_license_number id_number identity_number identity_no "
        "medicare_number medicare ssnum social_sec_no aadhaar cnp hetu kennitala cccd cmnd "
        "rodne_cislo tckn tc_kimlik_no curp rfc rut cuil fodselsnummer cpr cpr_nr personnr "
        "henkilotunnus isikukood pps ppsn burgerservicenummer rijksregisternummer"
    ),
    "birth_place": (
        "birth_place birthplace place_of_birth pob geburtsort lieu_de_naissance "
        "lugar_de_nacimiento luogo_di_nascita naturalidade geboorteplaats fodelseort birth_city "
        "birth_state birth_country town_of_birth county_of_birth miejsce_urodzenia birth_parish "
        "parish_of_birth place_born where_born born_in birth_town faedingarstadur fodested "
        "fodeort fodelseplats noi_sinh misto_narozeni syntymapaikka"
    ),
    "occupation": (
        "occupation profession job job_title trade beruf metier profesion ocupacion professione "
        "profissao beroep yrke zawod starf ammatti povolani foglalkozas meslek "
        "rank_or_profession rank_profession_or_occupation calling nghe_nghiep"
    ),
    "identifier": (
        "voter_reg_num voter_id registration_number registration_no reg_no reg_num "
        "licence_number license_number policy_number policy_no patient_id patient_number mrn "
        "medical_record_number hospital_number case_number student_id employee_id staff_id "
        "device_id household_id family_id external_id legacy_id crm_id reference reference_number "
        "subscriber_key"
    ),
    "category": (
        "race ethnicity race_ethnicity race_code ethnic_code ethnic_group party party_cd "
        "nationality marital_status religion language birth_state_code"
    ),
}
"""Roles, each with the header words that name it."""

SCRIPTS: dict[str, str] = {
    word: role
    for role, words in {
        "full_name": "姓名 名前 氏名 お名前 顧客名 客户姓名 성명 이름 الاسم الاسمالكامل фио",
        "family_name": "姓 姓氏 苗字 성 اللقب اسمالعائلة фамилия επώνυμο επωνυμο",
        "given_name": "名 名字 الاسمالأول имя όνομα ονομα",
        "middle_name": "отчество",
        "birth_date": "出生日期 生日 出生年月日 生年月日 생년월일 생일 تاريخالميلاد датарождения",
        "sex": "性别 性別 성별 الجنس пол φύλο",
        "email": "邮箱 电子邮件 电子邮箱 メール メールアドレス 이메일 البريدالإلكتروني "
        "почта эл.почта",
        "phone": "手机 手机号 手机号码 电话 电话号码 联系电话 電話 電話番号 携帯電話 전화번호 "
        "휴대폰 الهاتف الجوال رقمالهاتف رقمالجوال телефон τηλέφωνο",
        "street": "地址 住址 详细地址 住所 주소 العنوان адрес улица διεύθυνση",
        "city": "城市 市 도시 المدينة город πόλη",
        "postcode": "邮编 邮政编码 郵便番号 우편번호 الرمزالبريدي индекс почтовыйиндекс",
        "loyalty_id": "会员卡号 会员号 卡号 会員番号 회원번호 رقمالعضوية номеркарты",
        "national_id": "身份证 身份证号 身份证号码 주민등록번호 رقمالهوية снилс инн",
    }.items()
    for word in words.split()
}
"""Headers in other alphabets, without blanks, by what they name."""
