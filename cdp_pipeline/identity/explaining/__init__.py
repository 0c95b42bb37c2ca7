"""Why two records are one customer, or are not.

Here: evidence read back from a published version, counterfactuals, bridges, the page. Not here: the
weights themselves (``scoring``).
"""
