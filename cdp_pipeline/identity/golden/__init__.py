"""What a customer shows: one golden record, one owner a mailbox, one household.

Here: declared survivorship, verification, households with stable ids. Not here: who is one customer
(``grouping``).
"""
