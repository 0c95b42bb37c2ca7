"""Records of every source in one comparable form.

Here: reading ``staging.person_records``, cleaning, hubs, the node table that comparing reads.
Not here: anything about pairs of records (``scoring``) or groups of them (``grouping``).
"""
