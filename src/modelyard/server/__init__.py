"""The server: a yard on this machine behind HTTP."""
