"""The server: how fast it starts, registers, lists, transfers; and what it stands."""
