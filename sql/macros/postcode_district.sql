-- The first half of a British or Irish postal code, else its first 3 characters.
create or replace temp macro postcode_district(postcode) as
    case
        when regexp_matches(upper(trim(postcode)), '^[A-Z]{1,2}[0-9][0-9A-Z]? *[0-9][A-Z]{2}$')
            then regexp_extract(upper(trim(postcode)), '^(.+?) *[0-9][A-Z]{2}$', 1)
        else nullif(left(upper(trim(postcode)), 3), '')
    end;

/* checks:
postcode_district('sw1a 1aa') = 'SW1A'
postcode_district('M11AE') = 'M1'
postcode_district('D02 X285') = 'D02'
postcode_district('90210-1234') = '902'
postcode_district('  ') is null
postcode_district(null) is null
*/
