"""Consent-gated files for receiving systems, and their delivery."""
