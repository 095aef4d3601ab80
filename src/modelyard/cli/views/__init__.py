"""What each result looks like: as JSON, to people, and as ids. Nothing here writes or asks."""
