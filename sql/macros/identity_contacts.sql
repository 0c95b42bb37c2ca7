-- E-mail addresses, telephone numbers, addresses and card numbers in forms that compare well.

-- Lower case address without blanks or "mailto:"; NULL unless it has the shape of one.
-- Most addresses are written so already, which one cheap look tells.
create or replace temp macro identity_email(value) as
    case
        when regexp_full_match(value, '[a-z0-9._+-]+@[a-z0-9.-]+\.[a-z]{2,}') then value
        when regexp_full_match(lower(trim(value)), '[^@\s<>,;:]+@[^@\s<>,;:]+\.[a-z]{2,}')
            then lower(trim(value))
        else nullif(
            regexp_extract(
                lower(trim(value)),
                '^(?:mailto:)?([^@\s<>,;:]+@[^@\s<>,;:]+\.[a-z]{2,})\.?$',
                1
            ),
            ''
        )
    end;

-- Whether a well-formed address stands for "has none".
create or replace temp macro identity_is_junk_email(email) as
    regexp_full_match(
        split_part(email, '@', 1),
        'none|no|na|n\.a|no[._-]?e?mail|no[._-]?reply|unknown|donotemail|anonymous|guest|customer'
            || '|test|x+|asdf|abc|null'
    );

-- The mailbox behind an address: tags dropped, Gmail's dots ignored, one name per provider.
create or replace temp macro identity_mailbox(email) as
    case
        when split_part(email, '@', 2) in ('gmail.com', 'googlemail.com')
            then replace(split_part(split_part(email, '@', 1), '+', 1), '.', '') || '@gmail.com'
        when email is not null
            then split_part(split_part(email, '@', 1), '+', 1) || '@' || split_part(email, '@', 2)
    end;

-- What stands before an address's @, without the signs between its words.
create or replace temp macro identity_local_letters(email) as
    translate(split_part(email, '@', 1), '._+-', '');

-- How well a mailbox spells somebody: 3 the given name, 2 its initial beside a word of the family
-- name ("jdupont", "dupont.j"), 1 how the given name begins or the year of birth, 0 nothing of it.
-- Two letters are in too many words to count.
create or replace temp macro identity_naming_in(email, given, family, birth_date) as
    case
        when length(split_part(given, ' ', 1)) > 2 and (
            contains(identity_local_letters(email), split_part(given, ' ', 1))
            or contains(identity_local_letters(email), replace(given, ' ', ''))
        ) then 3
        when len(list_filter(
            string_split(family, ' '),
            lambda word: length(word) > 2 and (
                contains(identity_local_letters(email), given[1] || word)
                or contains(identity_local_letters(email), word || given[1])
            )
        )) > 0 then 2
        when length(split_part(given, ' ', 1)) > 2
            and contains(identity_local_letters(email), given[:3]) then 1
        when regexp_extract(identity_local_letters(email), '[0-9]+')
            in (strftime(birth_date, '%Y'), strftime(birth_date, '%y')) then 1
        else 0
    end;

-- The last nine digits: equal for 07700 900123, +44 7700 900123 and 0044 (0)7700-900123.
create or replace temp macro identity_phone(value) as
    case
        when regexp_full_match(value, '[0-9]{7,16}') then right(value, 9)
        when regexp_full_match(value, '[+() .-]*([0-9][+() .-]*){7,16}')
            then right(translate(value, '+() .-', ''), 9)
        else nullif(right(regexp_extract(
            regexp_replace(value, '[^0-9]', '', 'g'), '^[0-9]{7,16}$'), 9), '')
    end;

-- Whether nine digits stand for "has none".
create or replace temp macro identity_is_junk_phone(digits) as
    regexp_full_match(
        digits,
        '0+|1+|2+|3+|4+|5+|6+|7+|8+|9+|123456789|234567890|012345678|987654321'
    );

-- E.164, given the two-letter country of the person; other countries' local numbers stay digits.
create or replace temp macro identity_phone_e164(value, country) as
    case
        when regexp_replace(value, '[^0-9]', '', 'g') = '' then null
        when regexp_matches(trim(value), '^(\+|00)')
            then '+' || regexp_replace(
                regexp_replace(regexp_replace(value, '\(0\)', '', 'g'), '[^0-9]', '', 'g'),
                '^00',
                ''
            )
        when country in ('GB', 'IE', 'FR', 'DE', 'NL', 'BE')
            then '+' || case country
                when 'GB' then '44' when 'IE' then '353' when 'FR' then '33'
                when 'DE' then '49' when 'NL' then '31' else '32'
            end || regexp_replace(
                regexp_replace(value, '[^0-9]', '', 'g'),
                case country when 'GB' then '^(44)?0?' when 'IE' then '^(353)?0?' else '^0' end,
                ''
            )
        when country in ('US', 'CA')
            then '+1' || right(regexp_replace(value, '[^0-9]', '', 'g'), 10)
        else regexp_replace(value, '[^0-9]', '', 'g')
    end;

-- Two-letter code of the country names that stores write.
create or replace temp macro identity_country(value, home) as
    case
        when value is null or trim(value) = '' then home
        when upper(trim(value)) in (
            'GB', 'UK', 'GBR', 'UNITED KINGDOM', 'GREAT BRITAIN', 'ENGLAND', 'SCOTLAND', 'WALES',
            'NORTHERN IRELAND'
        ) then 'GB'
        when upper(trim(value)) in ('IE', 'IRL', 'IRELAND', 'EIRE') then 'IE'
        when upper(trim(value)) in ('US', 'USA', 'UNITED STATES', 'UNITED STATES OF AMERICA')
            then 'US'
        when length(trim(value)) = 2 then upper(trim(value))
        else trim(value)
    end;

-- Upper case letters and digits; an American ZIP+4 is cut to its five digits.
create or replace temp macro identity_postcode(value) as
    case
        when regexp_full_match(value, '[A-Z0-9]{1,8}') then value
        else nullif(regexp_replace(
            regexp_replace(upper(value), '[^A-Z0-9]', '', 'g'), '^(\d{5})\d{4}$', '\1'), '')
    end;

-- Street line in lower case with short forms: "Flat 3, 12 High Street" becomes "flat 3 12 high st",
-- "Łódzka 5" "lodzka 5" and "Gartenstraße" "gartenstr".
-- Most lines are words and numbers with single blanks, which one cheap look tells.
create or replace temp macro identity_street(value) as
    nullif(array_to_string(
        list_transform(
            string_split(
                replace(
                    case
                        when regexp_full_match(value, '[A-Za-z0-9]+( [A-Za-z0-9]+)*')
                            then lower(value)
                        else trim(regexp_replace(
                            regexp_replace(
                                replace(
                                    translate(lower(strip_accents(value)), 'øłđðı', 'olddi'),
                                    'ß', 'ss'
                                ),
                                '[''’`.]', '', 'g'
                            ),
                            '[^a-z0-9]+', ' ', 'g'
                        ))
                    end,
                    'strasse', 'str'
                ),
                ' '
            ),
            lambda word: case word
                when 'street' then 'st'
                when 'road' then 'rd'
                when 'avenue' then 'ave'
                when 'avenida' then 'ave'
                when 'lane' then 'ln'
                when 'drive' then 'dr'
                when 'court' then 'ct'
                when 'close' then 'cl'
                when 'circle' then 'cir'
                when 'place' then 'pl'
                when 'parkway' then 'pkwy'
                when 'square' then 'sq'
                when 'gardens' then 'gdns'
                when 'crescent' then 'cres'
                when 'terrace' then 'ter'
                when 'boulevard' then 'blvd'
                when 'ulica' then 'ul'
                when 'apartment' then 'flat'
                when 'apt' then 'flat'
                when 'appt' then 'flat'
                when 'unit' then 'flat'
                when 'whg' then 'flat'
                when 'wohnung' then 'flat'
                else word
            end
        ),
        ' '
    ), '');

-- Letters and digits of a card or account number without leading zeros, which spreadsheets lose.
create or replace temp macro identity_number(value) as
    case
        when regexp_full_match(value, '[A-Z1-9][A-Z0-9]*') then value
        else nullif(ltrim(regexp_replace(upper(value), '[^A-Z0-9]', '', 'g'), '0'), '')
    end;
