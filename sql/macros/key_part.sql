-- One part of a composite key: joined by ':', different parts can never give the same key.
create or replace temp macro key_part(part) as
    replace(replace(coalesce(part, ''), '%', '%25'), ':', '%3A');

/* checks:
key_part('0048213') = '0048213'
key_part('a:b') || ':' || key_part('c') <> key_part('a') || ':' || key_part('b:c')
key_part('50%3A') = '50%253A'
key_part(null) = ''
*/
