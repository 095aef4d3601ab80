"""HDF5 read by hand, as far as names, shapes and places go.

Not by h5py: the C library behind it follows external links, and crashes on damaged files.
"""
