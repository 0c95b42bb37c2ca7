"""The consent gate: whether a person may be contacted, for what, how, today."""
