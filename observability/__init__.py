"""What is done with the metrics: recording rules, alerts, inhibitions and dashboards, from one typed source.

Nothing here runs in production: `make observability` renders YAML and JSON, which Prometheus, Alertmanager and Grafana
read. The metrics themselves are made in `hunarmitra/telemetry/catalogue.py` and in the operator.
"""
