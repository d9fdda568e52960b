"""The report of tests/e2e/chaos."""

from __future__ import annotations

from tests.e2e.chaos.report import Outcome, table, unrecovered
from tests.e2e.chaos.schedule import Fault, Kind

KILL = Kind("kill ws", frozenset({"ws"}))
FIRST = Outcome(Fault(1, KILL, 10, 0, 0), "ws-1", began=10.2, healed=11.2, recovered=23.7)
SECOND = Outcome(Fault(2, KILL, 20, 5, 0), "ws-2", began=20, healed=25, recovered=None)
THIRD = Outcome(Fault(3, KILL, 5, 1, 0), "ws-3", began=5, healed=6, recovered=8)


def test_the_table_names_each_fault_its_recovery_and_what_overlapped() -> None:
    assert table([FIRST, SECOND, THIRD]).splitlines() == [
        "| # | fault   | of   | began | lasted | recovered | beside |",
        "|---|---------|------|-------|--------|-----------|--------|",
        "| 1 | kill ws | ws-1 | 10 s  | 1.0 s  | 12.5 s    | 2      |",
        "| 2 | kill ws | ws-2 | 20 s  | 5.0 s  | no        | 1      |",
        "| 3 | kill ws | ws-3 | 5 s   | 1.0 s  | 2.0 s     |        |",
    ]


def test_a_fault_without_recovery_is_a_violation() -> None:
    assert unrecovered([FIRST, SECOND]) == ["fault 2 (kill ws, ws-2) was not recovered from in time"]
