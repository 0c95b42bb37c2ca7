"""One module per way of delivering."""
