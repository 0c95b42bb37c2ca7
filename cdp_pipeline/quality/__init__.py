"""Gates: Great Expectations checkpoints and conservation checks."""
