"""The operator of HunarMitra realtime: scales WebSocket pods without interrupting clients.

The pure half (`decide` and what it imports) turns observations into a decision, without a clock, a network or a
framework. The other half (`loop` and what it imports) observes and carries decisions out. `model` has the values that
both use.
"""
