"""The gate: may tonight's identities replace yesterday's, and what an operator decided.

Here: churn and its effects on segments, value, consent and exports. Not here: publication of the
warehouse itself (``storage``).
"""
