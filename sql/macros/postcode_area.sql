-- The coarse part of a postal code: letters of a British or Irish one, else its first 3 characters.
create or replace temp macro postcode_area(postcode) as
    case
        when regexp_matches(upper(trim(postcode)), '^[A-Z]{1,2}[0-9]')
            then regexp_extract(upper(trim(postcode)), '^[A-Z]{1,2}')
        else nullif(left(upper(trim(postcode)), 3), '')
    end;

/* checks:
postcode_area('sw1a 1aa') = 'SW'
postcode_area('M1 1AE') = 'M'
postcode_area('D02 X285') = 'D'
postcode_area('90210-1234') = '902'
postcode_area('  ') is null
postcode_area(null) is null
*/
