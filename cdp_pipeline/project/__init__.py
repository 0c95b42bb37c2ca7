"""Declarations: contracts, table headers, segments, reports. Touches no customer data."""
