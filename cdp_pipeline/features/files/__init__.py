"""Customer analytics of files without a project: ``cdp clv`` and ``cdp rfm``.

Here: reading transactions, results and pages. Not here: the models and scores themselves, which are
the night's.
"""
