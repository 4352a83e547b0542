"""What shows how a release is: Grafana's dashboards, and the list of metrics that they and the alerts may ask for."""
