"""The SQL models of ``sql/``, built in dependency order."""
