"""The operator of HunarMitra realtime: scales WebSocket pods without anyone noticing.

Two halves that know little of each other. The pure one (`decide` and what it imports) turns what was seen
into a decision, without a clock, a network or a framework; the other one (`loop` and what it imports) sees,
and carries decisions out. `model` is the language between them."""
