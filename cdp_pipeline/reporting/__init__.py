"""Marts to one self-contained HTML page and an e-mail."""
