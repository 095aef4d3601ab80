"""Commit, checkout, diff and search measured beside the tools people use today.

Every tool runs as its users run it, in a process of its own, on the same files, in one run; what is
compared are ratios within that run. `python -m tests.benchmarks.store --help` tells the options.
"""
