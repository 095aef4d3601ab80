"""A yard on a server: the same protocol as for a folder, over HTTP."""
