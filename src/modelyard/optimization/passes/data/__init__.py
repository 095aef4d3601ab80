"""Passes that improve what a model learns from, each measured with and without."""
