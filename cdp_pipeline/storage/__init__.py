"""Where data lies and how it gets there safely: paths, versions, lock, connections."""
