"""Simulate the operator's decision on a trace of connections, and compare it with HPA and KEDA.

`traces` generates the load, `files` reads and writes it, `world` is the simulated cluster, `autoscalers` are the three
autoscalers that are compared, `run` runs them on a trace, and `report` and `picture` write the result.
A development tool: it needs the operator's package and environment, and no image contains it.
"""
