"""Passes on networks of torch. torch is imported inside functions."""
