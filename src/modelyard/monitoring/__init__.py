"""What deployments do: how fast, how right, how their data moved, and who is told."""
