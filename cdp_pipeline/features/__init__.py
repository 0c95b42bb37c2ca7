"""Features that need more than SQL: customer lifetime value. RFM and journeys are SQL models."""
