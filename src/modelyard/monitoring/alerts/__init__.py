"""Rules, what they look at, when they fire, and who is told."""
