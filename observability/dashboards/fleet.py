"""The ws pods: who is connected, how they come and go, and how the processes fare."""

from __future__ import annotations

from observability.alerts.sockets import CONNECTIONS, FILL, LOOP_DELAY
from observability.dashboards.panels import (
    Look,
    Page,
    Panel,
    Query,
    Row,
    Unit,
    per_second,
    quantile,
    quantiles,
    select,
    total,
)

PODS = select("hunarmitra_ws_draining")


def _of_ws_pods(expression: str) -> str:
    """Of the processes that serve sockets alone."""
    return f"{expression} and on (namespace, pod) {PODS}"


PAGE = Page(
    name="fleet",
    title="WebSocket fleet",
    description="Sockets, handshakes, closes, drains, and the processes that hold them.",
    rows=(
        Row(
            title="Sockets",
            panels=(
                Panel(
                    title="Open sockets by kind",
                    description="joining are those without their first frame yet.",
                    unit=Unit.NUMBER,
                    look=Look.STACKED,
                    queries=(Query(total("hunarmitra_ws_connections", "kind"), "{{kind}}"),),
                ),
                Panel(
                    title="Open sockets by pod",
                    description="Unequal after a scale-up, until the operator has moved some.",
                    unit=Unit.NUMBER,
                    queries=(Query(select(CONNECTIONS), "{{pod}}"),),
                ),
                Panel(
                    title="Room taken",
                    description="Share of each pod's limit (WS_MAX_CONNECTIONS). Draining pods are left out.",
                    unit=Unit.RATIO,
                    alarm=0.98,
                    queries=(Query(select(FILL), "{{pod}}"),),
                ),
                Panel(
                    title="Room in all",
                    description="The limits of all pods together.",
                    unit=Unit.NUMBER,
                    look=Look.STAT,
                    span=4,
                    queries=(Query(total("hunarmitra_ws_connections_limit")),),
                ),
                Panel(
                    title="Groups",
                    description="Bookings and users that somebody watches, summed over pods.",
                    unit=Unit.NUMBER,
                    look=Look.STAT,
                    span=4,
                    queries=(Query(total("hunarmitra_ws_groups")),),
                ),
                Panel(
                    title="Draining pods",
                    description="Pods that move their sockets away.",
                    unit=Unit.NUMBER,
                    look=Look.STAT,
                    span=4,
                    queries=(Query(f"sum({PODS})"),),
                ),
                Panel(
                    title="Deliveries by lane",
                    description="Events handed to sockets.",
                    unit=Unit.PER_SECOND,
                    span=12,
                    queries=(Query(per_second("hunarmitra_ws_deliveries_total", "lane"), "{{lane}}"),),
                ),
            ),
        ),
        Row(
            title="Coming and going",
            panels=(
                Panel(
                    title="Handshakes by outcome",
                    description="refused is the client's doing, unavailable ours; full and reconnect send it "
                    "elsewhere.",
                    unit=Unit.PER_SECOND,
                    queries=(Query(per_second("hunarmitra_ws_handshakes_total", "outcome"), "{{outcome}}"),),
                ),
                Panel(
                    title="Time to the first frame",
                    description="Of sockets that joined: authorization, subscription, snapshot and replay.",
                    unit=Unit.SECONDS,
                    queries=tuple(quantiles("hunarmitra_ws_handshake_duration_seconds", 0.5, 0.99)),
                ),
                Panel(
                    title="Sockets that went live",
                    description="Those that got their first frame, by kind.",
                    unit=Unit.PER_SECOND,
                    queries=(Query(per_second("hunarmitra_ws_connects_total", "kind"), "{{kind}}"),),
                ),
                Panel(
                    title="Closes by code",
                    description="1000 and 1001 are clients that leave, 1006 networks that break, 4008 slow clients, "
                    "4012 drains, 4013 full pods. docs/realtime.md has all.",
                    unit=Unit.PER_SECOND,
                    look=Look.STACKED,
                    span=12,
                    queries=(Query(per_second("hunarmitra_ws_closes_total", "code"), "{{code}}"),),
                ),
                Panel(
                    title="Drains",
                    description="Sockets moved away by drains and sheds, and those still open when the grace ended.",
                    unit=Unit.PER_SECOND,
                    span=12,
                    queries=(
                        Query(per_second("hunarmitra_ws_drain_moved_total"), "moved"),
                        Query(per_second("hunarmitra_ws_drain_cut_off_total"), "cut off"),
                    ),
                ),
            ),
        ),
        Row(
            title="Slow clients",
            panels=(
                Panel(
                    title="Bytes that wait",
                    description="For all sockets of a pod together. It grows when many clients, or their network, are "
                    "slow.",
                    unit=Unit.BYTES,
                    queries=(Query(f"max by (pod) ({select('hunarmitra_ws_send_buffer_bytes')})", "{{pod}}"),),
                ),
                Panel(
                    title="Closed as too slow",
                    description="Sockets closed 4008; the client comes back with `since`.",
                    unit=Unit.PER_SECOND,
                    queries=(Query(per_second("hunarmitra_ws_slow_clients_closed_total"), "closed"),),
                ),
                Panel(
                    title="Positions left out",
                    description="Replaced by a newer one before they were written, as it is meant.",
                    unit=Unit.PER_SECOND,
                    queries=(Query(per_second("hunarmitra_ws_locations_conflated_total"), "positions"),),
                ),
            ),
        ),
        Row(
            title="Processes",
            panels=(
                Panel(
                    title="Event loop, 99 %",
                    description="By how much a timer is late. Every socket of the pod waits that long.",
                    unit=Unit.SECONDS,
                    alarm=0.25,
                    queries=(Query(select(LOOP_DELAY), "{{pod}}"),),
                ),
                Panel(
                    title="Event loop, worst pods together",
                    description="Half of all timers, and the latest of a thousand.",
                    unit=Unit.SECONDS,
                    queries=(
                        Query(quantile(0.5, "hunarmitra_ws_event_loop_delay_seconds"), "50 %"),
                        Query(quantile(0.999, "hunarmitra_ws_event_loop_delay_seconds"), "99.9 %"),
                    ),
                ),
                Panel(
                    title="Processor",
                    description="Processors in use; a ws process uses at most about one.",
                    unit=Unit.CPUS,
                    queries=(
                        Query(_of_ws_pods(per_second("process_cpu_seconds_total", "namespace", "pod")), "{{pod}}"),
                    ),
                ),
                Panel(
                    title="Memory",
                    description="Resident memory of the process.",
                    unit=Unit.BYTES,
                    queries=(
                        Query(_of_ws_pods(total("process_resident_memory_bytes", "namespace", "pod")), "{{pod}}"),
                    ),
                ),
                Panel(
                    title="Open files",
                    description="One for each socket, and some; as a share of what the process may open.",
                    unit=Unit.RATIO,
                    alarm=0.9,
                    queries=(
                        Query(
                            _of_ws_pods(
                                f"{total('process_open_fds', 'namespace', 'pod')}"
                                f" / {total('process_max_fds', 'namespace', 'pod')}"
                            ),
                            "{{pod}}",
                        ),
                    ),
                ),
                Panel(
                    title="Age of the process",
                    description="Since it started; a restart shows as a fall to zero.",
                    unit=Unit.SECONDS,
                    queries=(
                        Query(
                            _of_ws_pods(f"time() - max by (namespace, pod) ({select('process_start_time_seconds')})"),
                            "{{pod}}",
                        ),
                    ),
                ),
            ),
        ),
    ),
)
