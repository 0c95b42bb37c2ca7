"""Rights of the people in the data: access, erasure, objection, and the proof of each.

Works across all stages, on what has been published and on every file of the data folder. What is
permitted without a request (consent, suppression) is decided in ``privacy``.
"""
