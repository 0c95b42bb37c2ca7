/*
description: Every file made for a destination tonight.
grain: one row per file
key: [destination, file_name]
owner: crm
columns:
  destination: Receiving system
  file_name: Name below the destination's folder
  content: audience or trigger
  kind: "full, added (new or changed) or removed"
  row_count: Data rows
  byte_count: Size of the file
  checksum: First eight digits of the file's SHA-256
*/
with files as (
    select * from ops.exports
),

final as (
    select
        destination,
        file_name,
        content,
        kind,
        "rows" as row_count,
        bytes as byte_count,
        left(sha256, 8) as checksum
    from files
)

select * from final
