"""Runs the decision over a trace of connections, beside what HPA and KEDA would have done.

`traces` says what the load does, `world` is the cluster that it falls on, `autoscalers` are the three that
are compared, `run` brings them together, and `report` and `picture` show what came of it."""
