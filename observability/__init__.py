"""Recording rules, alerts, inhibitions and dashboards, from one typed source.

`make observability` renders them as YAML and JSON for Prometheus, Alertmanager and Grafana. Nothing here runs in
production. `hunarmitra/telemetry/catalogue.py` and the operator define the metrics.
"""
