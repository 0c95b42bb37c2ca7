"""Drafts of declarations: whole files that are valid as they are written, with comments to go on.

Each module writes the text of one kind. Nothing is read from or written to disk here; drafts of
sources, which need a delivery, belong to ``ingest.discovery``.
"""
