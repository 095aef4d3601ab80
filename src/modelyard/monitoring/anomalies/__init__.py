"""Overload, faults and attacks, found while a deployment answers: events with what shows them."""
