"""What monitoring says, for other systems: Prometheus, Grafana, OpenTelemetry."""
