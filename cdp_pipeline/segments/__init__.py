"""Predicates to members, joiners, leavers and holdouts."""
