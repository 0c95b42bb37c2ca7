"""Records to people: standardise, block, compare, estimate, cluster, keep ids stable."""
