-- Further evidence in forms that compare well; see cdp_pipeline/project/evidence.py for the tags.

-- Four digits of a year between 1850 and 2099; NULL without one.
create or replace temp macro identity_year(value) as
    nullif(regexp_extract(
        cast(value as varchar), '(?:^|[^0-9])((?:18[5-9]|19[0-9]|20[0-9])[0-9])(?:$|[^0-9])', 1
    ), '');
