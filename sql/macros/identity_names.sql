-- Names of people: remarks removed, one field split into two, and a form that compares well.
-- Nothing here is locale-bound beyond the listed titles and particles.

-- The text without till remarks such as *VIP*, (deceased), [do not mail]; NULL if nothing is left.
-- Most names hold no mark and are done after the first, cheap look.
create or replace temp macro identity_unmark(value) as
    case
        when regexp_full_match(value, '[^\s\p{Z}(*\[_"]+( [^\s\p{Z}(*\[_"]+)*') then value
        else nullif(trim(regexp_replace(
            regexp_replace(value, '\([^)]*\)?|\*[^*]*\*|\[[^\]]*\]?|[*_"]', ' ', 'g'),
            '\s+', ' ', 'g')), '')
    end;

-- Whether a name is one word of plain letters and no title: most are, and need no other look.
create or replace temp macro identity_is_plain_name(value) as
    regexp_full_match(value, '[A-Za-z]+')
    and lower(value) not in (
        'mr', 'mrs', 'ms', 'miss', 'mx', 'dr', 'prof', 'professor', 'rev', 'revd', 'sir', 'dame',
        'herr', 'frau', 'mme', 'mlle'
    );

-- The name without leading titles and trailing generation or honour marks.
-- Most names have neither and are done after the first, cheap look.
create or replace temp macro identity_untitle(value) as
    case
        when not regexp_matches(
            value,
            '^(?i:mr|mrs|ms|miss|mx|dr|prof|professor|rev|revd|sir|dame|herr|frau|mme|mlle)\b'
                || '|[\s,](?i:jr|sr|junior|senior|ii|iii|iv|esq|phd|obe|mbe|cbe)\b\.?\s*$'
        ) then nullif(trim(value), '')
        else nullif(trim(regexp_replace(regexp_replace(
            value,
            '^((?i:mr|mrs|ms|miss|mx|dr|prof|professor|rev|revd|sir|dame|herr|frau|mme'
                || '|mlle)\b\.?\s*)+',
            ''),
            '([\s,]+(?i:jr|sr|junior|senior|ii|iii|iv|esq|phd|obe|mbe|cbe)\b\.?)+\s*$', '')), '')
    end;

-- One field split: "SMITH, Anna", "Anna Smith", "Mr Jan van der Berg"; a lone word, and what begins
-- as "van der Berg", "de la Cruz" or, with a small letter, "van Gogh" does: family name. Di and Del
-- are given names of people called van der Berg, and Van Anh is one of somebody called de Vries.
-- Korean names begin with the family's, and need no blank: 김민준 and 김 민준 are Kim Minjun.
-- Given the field and, reckoned once, identity_untitle of it.
create or replace temp macro identity_split_name(value, untitled) as
    case
        when contains(untitled, ',') then struct_pack(
            given := identity_untitle(trim(split_part(untitled, ',', 2))),
            family := identity_untitle(trim(split_part(untitled, ',', 1)))
        )
        when regexp_matches(
            untitled,
            '^(?i:van|von)\s+((?i:der|den|de|het|la|dem)\s+)+\S+$'
                || '|^(?i:de)\s+(?i:la|las|los)\s+\S+$'
                || '|^(?:van|VAN|(?i:von))\s.*\s(?i:van|von|de|der|den)\s'
                || '|^(?:van|von|de|den|der|ter|ten)\s+\p{Lu}\S*$'
        ) then struct_pack(given := cast(null as varchar), family := untitled)
        when value between '가' and '힣힣힣힣' and regexp_full_match(
            value, '[가-힣]{2,4}|([가-힣]|(남궁|황보|제갈|선우|독고|사공|서문)) [가-힣]{2,3}|[가-힣] [가-힣]'
        ) then regexp_extract(
            value, '^(남궁|황보|제갈|선우|독고|사공|서문|.) ?(.+)$', ['family', 'given']
        )
        when contains(untitled, ' ') then regexp_extract(
            untitled,
            '^(.+?)\s+((?:(?i:van|von|de|del|della|di|da|dos|du|la|le|der|den|ter|ten|bin|ibn|al'
                || '|el|st|mac)\s+)*\S+)$',
            ['given', 'family']
        )
        else struct_pack(given := cast(null as varchar), family := untitled)
    end;

-- Small Cyrillic and Greek letters without accents in Latin ones, as passports write them.
create or replace temp macro identity_latin(value) as
    case
        when regexp_matches(value, '[α-ωа-яєіїґў]') then translate(
            replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(
                replace(replace(replace(replace(
                    value,
                    'щ', 'shch'), 'ж', 'zh'), 'х', 'kh'), 'ц', 'ts'), 'ч', 'ch'), 'ш', 'sh'),
                    'ю', 'yu'), 'я', 'ya'), 'є', 'ye'), 'θ', 'th'), 'χ', 'ch'), 'ψ', 'ps'),
                'ου', 'ou'), 'ї', 'i'),
            'абвгґдезиійклмнопрстуўфыэъьαβγδεζηικλμνξοπρσςτυφω',
            'abvggdeziiiklmnoprstuufyeiiavgdeziiklmnxoprsstyfo'
        )
        else value
    end;

-- Korean syllables in Latin letters, each sound by sound; a family name as its bearers write it.
create or replace temp macro identity_romanised(value) as
    case
        when length(value) = 1
            and contains('김이박최정강조윤임신권황안전유고문노심백', cast(value as varchar))
            then string_split(
                'kim lee park choi jung kang cho yoon lim shin kwon hwang ahn jeon yoo ko moon noh '
                    || 'shim baek', ' '
            )[strpos('김이박최정강조윤임신권황안전유고문노심백', value)]
        else array_to_string(list_transform(
            string_split(value, ''),
            lambda letter: case
                when letter between '가' and '힣' then
                    string_split('g kk n d tt r m b pp s ss  j jj ch k t p h', ' ')[
                        (unicode(letter) - 44032) // 588 + 1
                    ]
                    || string_split(
                        'a ae ya yae eo e yeo ye o wa wae oe yo u wo we wi yu eu ui i', ' '
                    )[
                        (unicode(letter) - 44032) % 588 // 28 + 1
                    ]
                    || string_split(' k k k n n n t l k m l l l p l m p p t t ng t t k t p t', ' ')[
                        (unicode(letter) - 44032) % 28 + 1
                    ]
                else letter
            end
        ), '')
    end;

-- Nought and one amid letters are the letters that a scanner or a clerk took them for: Sc0tt.
create or replace temp macro identity_reread(value) as
    case
        when regexp_matches(value, '(^|[a-z])[01][a-z]') then translate(value, '01', 'ol')
        else value
    end;

-- Small letters and single blanks, without accents: the form in which names are compared.
-- O'Brien, O Brien and Mc Carthy are written in one word.
create or replace temp macro identity_letters(value) as
    case
        when regexp_full_match(value, '[A-Za-z]+') then lower(value)
        when regexp_full_match(value, '[A-Za-z]{2,}([ -][A-Za-z]+)+\.?')
            and not starts_with(lower(value), 'mc') and not starts_with(lower(value), 'mac')
            then rtrim(replace(lower(value), '-', ' '), '.')
        when value between '가' and '힣힣힣힣'
            then nullif(trim(regexp_replace(
                lower(strip_accents(identity_romanised(value))), '[^\p{L}]+', ' ', 'g'
            )), '')
        else nullif(trim(regexp_replace(
            regexp_replace(
                regexp_replace(
                    replace(replace(replace(
                        translate(
                            identity_latin(identity_reread(lower(strip_accents(value)))),
                            'øłđðı', 'olddi'
                        ),
                        'ß', 'ss'), 'æ', 'ae'), 'œ', 'oe'),
                    '[''’‘`´.]', '', 'g'
                ),
                '[^\p{L}]+', ' ', 'g'
            ),
            '^(o|mc|mac) ', '\1'
        )), '')
    end;

-- The given name that compares well: its first word. Thi and Van before a Vietnamese name only tell
-- women from men; Abdul Rahman and Abd al-Rahman are Abdulrahman.
create or replace temp macro identity_first_given(letters) as
    case
        when not contains(letters, ' ') then letters
        when regexp_matches(letters, '^(thi|van|abd|abd.l) ') then
            case
                when starts_with(letters, 'abd')
                    then 'abdul' || regexp_extract(letters, '^abd\S* (?:.l )?(\S+)', 1)
                else split_part(letters, ' ', 2)
            end
        else split_part(letters, ' ', 1)
    end;

-- Whether a comparable name is what a till types when there is none.
create or replace temp macro identity_is_no_name(value) as
    value in (
        'unknown', 'none', 'n a', 'no name', 'noname', 'anonymous', 'customer',
        'test', 'testing', 'test customer', 'test test', 'test user', 'test account', 'xxx',
        'tbc', 'cash customer', 'null'
    );

-- Whether a comparable family name is what is left of one that was cut: Anna van der.
create or replace temp macro identity_is_cut_family(value) as
    value in (
        'van', 'von', 'der', 'den', 'de', 'del', 'van der', 'van den', 'van de', 'von der', 'de la',
        'de los'
    );

-- A name as it is printed: all-capital and all-small names get capitals at the starts of words.
create or replace temp macro identity_proper_case(value) as
    case
        when value = upper(value) or value = lower(value) then array_to_string(
            list_transform(
                regexp_extract_all(lower(value), '[\p{L}\p{M}\p{N}]+|[^\p{L}\p{M}\p{N}]+'),
                lambda part: upper(part[1]) || part[2:]
            ), '')
        else value
    end;
