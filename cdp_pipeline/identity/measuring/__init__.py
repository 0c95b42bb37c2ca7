"""How good the customers are, with and without truth.

Here: the nightly sample and its intervals, signs of wrong merges, ``cdp evaluate``. Not here: the
gate that acts upon churn (``release``).
"""
