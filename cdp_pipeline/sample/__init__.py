"""A made-up department store, "Harrow & Vale", whose every person is known.

Everything that invents data belongs here; nothing that reads deliveries does.
"""
