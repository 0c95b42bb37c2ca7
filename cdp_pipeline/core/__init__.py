"""Errors, settings, context, log: what every layer may use."""
