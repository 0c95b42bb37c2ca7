"""People found in files without a project: ``cdp link`` and its Python interface.

Here: recognising columns, gathering files into person records, results and page. Not here: the
linkage itself, which is the night's (``standard``, ``scoring``, ``grouping``).
"""
