"""From weighed pairs to customers with stable ids.

Here: guarded average linkage, records without a name, incremental nights, ids and their changes.
Not here: which values a customer shows (``golden``), whether a night may publish (``release``).
"""
