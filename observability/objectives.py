"""Service-level objectives, and the alerts on the burn rate of their error budgets.

The method is that of the Site Reliability Workbook (chapter 5, "Multiwindow, Multi-Burn-Rate Alerts"). The long window
shows that a significant part of the budget is used; the short window shows that the problem still exists. The first two
pairs of windows page a person, the other two wait for working hours. An alert also needs ``LEAST_BAD_EVENTS`` within
its long window, so that two slow events at night page nobody, even if there were few events.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from observability.model import Alert, Group, Record, Rule, Severity
from observability.parameters import Parameters

LEAST_BAD_EVENTS: Final = 10
RATIO: Final = "hunarmitra:slo_errors:ratio_rate"
BAD: Final = "hunarmitra:slo_errors:increase"
TARGET: Final = "hunarmitra:slo_objective:ratio"


@dataclass(frozen=True)
class Burn:
    """A burn rate of ``rate`` in the windows ``long`` and ``short``, for at least ``wait``."""

    rate: float
    long: str
    short: str
    wait: str
    severity: Severity


BURNS: Final = (
    Burn(14.4, "1h", "5m", "2m", Severity.CRITICAL),
    Burn(6, "6h", "30m", "15m", Severity.CRITICAL),
    Burn(3, "1d", "2h", "1h", Severity.WARNING),
    Burn(1, "3d", "6h", "3h", Severity.WARNING),
)
WINDOWS: Final = ("5m", "30m", "1h", "2h", "6h", "1d", "3d")

Rate = Callable[[Parameters, str], str]
"""Return an expression in events per second by namespace, given the parameters and a range without brackets."""


@dataclass(frozen=True, kw_only=True)
class Objective:
    """A service-level objective: over thirty days, at most ``1 - target`` of the ``total`` events may be ``bad``.

    ``slo`` is its label. ``alert`` is the prefix of its alerts' names. ``what`` completes the phrase "too many … ".
    Without ``pages`` the objective has only the slow alerts.
    """

    slo: str
    alert: str
    target: float
    what: str
    bad: Rate
    total: Rate
    pages: bool = True
    symptom_of: tuple[str, ...] = ()

    def group(self, parameters: Parameters) -> Group:
        rules: list[Rule] = [*self.records(parameters), *self.alerts(parameters)]
        return Group(name=f"hunarmitra-slo-{self.slo.replace('_', '-')}", rules=rules)

    def records(self, parameters: Parameters) -> Iterator[Record]:
        labels = {"slo": self.slo}
        yield Record(record=TARGET, expr=f"vector({self.target:g})", labels=labels)
        for duration in WINDOWS:
            window = parameters.window(duration)
            bad, total = self.bad(parameters, window), self.total(parameters, window)
            yield Record(record=f"{RATIO}{duration}", expr=f"({bad})\n/\n({total})", labels=labels)
        for duration in sorted({burn.long for burn in BURNS}, key=WINDOWS.index):
            bad = self.bad(parameters, parameters.window(duration))
            yield Record(
                record=f"{BAD}{duration}", expr=f"({bad}) * {parameters.window_seconds(duration):g}", labels=labels
            )

    def alerts(self, parameters: Parameters) -> Iterator[Alert]:
        for burn in BURNS:
            fast = burn.severity is Severity.CRITICAL
            if fast and not self.pages:
                continue
            limit = burn.rate * (1 - self.target)
            select = parameters.select
            yield Alert(
                name=f"{self.alert}BudgetBurn{'Fast' if fast else 'Slow'}",
                expr=(
                    f"{select(f'{RATIO}{burn.long}', slo=self.slo)} > {limit:.6g}\n"
                    f"and {select(f'{RATIO}{burn.short}', slo=self.slo)} > {limit:.6g}\n"
                    f"and {select(f'{BAD}{burn.long}', slo=self.slo)} >= {LEAST_BAD_EVENTS}"
                ),
                wait=burn.wait,
                severity=burn.severity,
                labels={"window": burn.long},
                summary=f"Too many {self.what}: the error budget burns {burn.rate:g} times too fast.",
                description=(
                    f"{{{{ $value | humanizePercentage }}}} over the last {burn.long} and more than {limit:.4%} over "
                    f"the last {burn.short}, where {1 - self.target:.2%} are allowed."
                ),
                symptom_of=self.symptom_of,
                memory=burn.short,
            )
