"""Web pages: how long the server takes for them, what they weigh, when one sees them."""
