"""What alerts and dashboards say of a real release, by a real Prometheus: `make watch`, a long run."""
