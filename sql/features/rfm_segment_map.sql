/*
description: >-
  Name of each combination of recency, frequency and monetary score. Move a cell to another line to
  change what it is called; a test holds that every cell stands exactly once.
grain: one row per combination of scores 1 to 5
key: [rfm_cell]
owner: marketing
columns:
  rfm_cell: Scores of recency, frequency and money in a row; 555 is best
  rfm_segment: Name of the cell
checks:
  - {expect: row_count_between, min: 125, max: 125}
*/
with segments (rfm_segment, cells) as (
    values
    ('Champions', '555 554 545 544 455 454 445'),
    ('Loyal', '543 444 435 355 354 345 344 335'),
    (
        'Potential Loyalist',
        '553 552 551 542 541 533 532 531 453 452 451 442 441 433 432 431 423 '
        || '353 352 351 342 341 333 323'
    ),
    ('New Customers', '512 511 422 421 412 411 311'),
    ('Promising', '525 524 523 522 521 515 514 513 425 424 415 414 413 315 314 313'),
    ('Need Attention', '535 534 443 434 343 334 325 324'),
    ('About To Sleep', '331 321 312 251 241 231 221 213'),
    (
        'At Risk',
        '255 254 253 252 245 244 243 242 235 234 225 224 '
        || '153 152 145 143 142 135 134 133 125 124'
    ),
    ('Cannot Lose Them', '215 214 155 154 144 115 114 113'),
    ('Hibernating', '332 322 233 232 223 222 212 211 132 123 122'),
    ('Lost', '151 141 131 121 112 111')
),

final as (
    select
        unnest(string_split(cells, ' ')) as rfm_cell,
        rfm_segment
    from segments
)

select * from final
