"""Pairs of records and what they are worth: blocking, comparison, the three-class model.

Here: declared keys and levels, the fit without labels, weights in bits, the correction learned from
judgements. Not here: what becomes of a weighed pair (``grouping``).
"""
