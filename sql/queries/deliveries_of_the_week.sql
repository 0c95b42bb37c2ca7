/*
question: What arrived in the last seven nights, and was every record accounted for?
role: engineer
grain: one row per delivered file
owner: data-engineering
columns:
  business_date: Business day the delivery belongs to
  source: Name of the source
  file_name: Path below the landing folder
  status: What became of the file
  records: Records in the file
  loaded: Rows loaded
  set_aside: Rows quarantined, repeated or left out by rule or erasure
  is_accounted_for: Whether the two add up to the records
*/
select
    deliveries.business_date,
    deliveries.source,
    deliveries.file_name,
    deliveries.status,
    deliveries.records,
    deliveries.loaded,
    deliveries.quarantined + deliveries.duplicates + deliveries.excluded + deliveries.suppressed
        as set_aside,
    deliveries.records
    = deliveries.loaded + deliveries.quarantined + deliveries.duplicates + deliveries.excluded
    + deliveries.suppressed
        as is_accounted_for
from ops.deliveries as deliveries
inner join core.dim_date as today on today.is_business_date
where deliveries.business_date > today.date_on - 7
order by
    deliveries.business_date desc,
    deliveries.source asc,
    deliveries.file_name asc,
    deliveries.file_id asc
