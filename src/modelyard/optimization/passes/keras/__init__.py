"""Passes over Keras models."""
