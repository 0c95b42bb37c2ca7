/*
description: Files of tonight that did not simply arrive, and those that did not arrive.
grain: one row per file and kind
key: [source, kind, file_name]
owner: data-engineering
columns:
  source: Name of the source; empty if no source takes the file
  kind: >-
    refused; waiting: incomplete, looked at again next night; missing: expected, not delivered;
    gone: left the landing folder; repeated: same bytes as another file; sent again: replaces what
    had its name; late: of an earlier business day; misplaced: no source takes it
  file_name: Path below the landing folder; of what is missing the path in its contract
  detail: What is said of it
*/
with arrivals as (
    select * from ops.arrivals
),

final as (
    select
        source,
        replace(kind, '_', ' ') as kind,
        file_name,
        detail
    from arrivals
)

select * from final
