"""What is kept of deployments as they run: references, tiles, answers, events, alerts."""
