"""Passes over ensembles of trees: fewer trees, smaller trees, trees as graphs."""
