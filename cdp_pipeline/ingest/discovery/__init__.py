"""Look at a delivery and draft its contract: what can be seen is written, the rest is asked."""
