"""Erasure of a person from all that identity keeps: tables of a version, journals, proposals.

Here: who is meant, and taking them out. Not here: other layers of the warehouse, deliveries, older
versions, and the tombstone that keeps a person out when an old file is read again.
"""
