/*
description: Stores, listed in the newest store file or merely seen on a receipt.
grain: one row per store
key: [store_id]
owner: data-engineering
columns:
  store_id: Store number
  store_name: Name shown to customers; the number if the store is not listed
  city: Town
  postcode: Postal code
  postcode_area: Coarse part of the postal code
  latitude: Degrees north (WGS 84)
  longitude: Degrees east (WGS 84)
  time_zone: IANA zone
  opened_on: Day of opening
  is_open: Whether it trades
  is_listed: Whether the store file has it
checks:
  - {expect: not_null, column: store_id}
  - {expect: "true", name: selling_stores_are_listed, where: is_listed, severity: warn}
*/
with stores as (
    select * from staging.stores
),

sale_lines as (
    select * from staging.sale_lines
),

listed as (
    select
        store_id,
        coalesce(store_name, store_id) as store_name,
        city,
        postcode,
        postcode_area(postcode) as postcode_area,
        latitude,
        longitude,
        time_zone,
        opened_on,
        coalesce(is_open, true) as is_open,
        true as is_listed
    from stores
),

selling as (
    select distinct store_id from sale_lines
    where store_id is not null
),

unlisted as (
    select
        selling.store_id,
        selling.store_id as store_name,
        cast(null as varchar) as city,
        cast(null as varchar) as postcode,
        cast(null as varchar) as postcode_area,
        cast(null as double) as latitude,
        cast(null as double) as longitude,
        cast(null as varchar) as time_zone,
        cast(null as date) as opened_on,
        true as is_open,
        false as is_listed
    from selling
    anti join listed on selling.store_id = listed.store_id
),

final as (
    select * from listed
    union all
    select * from unlisted
)

select * from final
