"""The documentation site: generated from the declarations and from what was published last."""
