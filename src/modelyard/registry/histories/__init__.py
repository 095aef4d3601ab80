"""Histories of other systems become versions: each with its own author, time and parents.

A version remembers where it came from in its label `origin`, so that a second run brings only what
is new. Versions land in entries `copy` of the journal, as those of another yard do.
"""
