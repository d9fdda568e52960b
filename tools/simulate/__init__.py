"""Runs the operator's decision over a trace of connections, beside what HPA and KEDA would have done.

`traces` generates the load, `files` reads and writes it, `world` is the simulated cluster, `autoscalers` are the three
autoscalers that are compared, `run` runs them on a trace, and `report` and `picture` write the result.
A development tool: it needs the operator's package and environment, and no image contains it.
"""
