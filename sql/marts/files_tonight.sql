/*
description: Every file made for a destination tonight.
grain: one row per file
key: [destination, file_name]
owner: crm
# one person may be in several files
sums: []
columns:
  destination: Receiving system
  file_name: Name below the destination's folder
  content: audience or trigger
  kind: "full, added (new or changed) or removed"
  row_count: Data rows
  byte_count: Size of the file
  sha256_start: First eight digits of the file's SHA-256
*/
with files as (
    select * from ops.exports
),

final as (
    select
        files.destination,
        files.file_name,
        files.content,
        files.kind,
        files.rows as row_count,
        files.bytes as byte_count,
        left(files.sha256, 8) as sha256_start
    from files
)

select * from final
