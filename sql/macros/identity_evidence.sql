-- Further evidence in forms that compare well; see cdp_pipeline/project/evidence.py for the tags.

-- Four digits of a year between 1200 and 2099, as registers tell of any century; NULL without one.
create or replace temp macro identity_year(value) as
    nullif(regexp_extract(
        cast(value as varchar), '(?:^|[^0-9])((?:1[2-9]|20)[0-9]{2})(?:$|[^0-9])', 1
    ), '');
