-- How often a person chooses something over how often everybody does; 1 is like everybody. Few
-- choices say little, so that four of everybody's are added to the person's own.
create or replace temp macro affinity_index(chosen, choices, house_share) as
    round(
        (cast(chosen as double) + 4 * house_share)
        / ((cast(choices as double) + 4) * nullif(house_share, 0)), 6
    );

/* checks:
affinity_index(0, 0, 0.25) = 1
affinity_index(4, 4, 0.25) = 2.5
affinity_index(0, 4, 0.5) = 0.5
affinity_index(1, 1, 0.0) is null
*/
