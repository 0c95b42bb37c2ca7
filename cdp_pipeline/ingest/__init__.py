"""Deliveries to typed staging tables; bad rows to quarantine with a reason."""
