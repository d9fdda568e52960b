"""The ws pods: connections, handshakes and closes, and the state of the processes."""

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
    """Select the processes that serve only connections."""
    return f"{expression} and on (namespace, pod) {PODS}"


PAGE = Page(
    name="fleet",
    title="WebSocket fleet",
    description="Connections, handshakes, closes, drains, and the processes that hold them.",
    rows=(
        Row(
            title="Sockets",
            panels=(
                Panel(
                    title="Open connections by kind",
                    description="`shared` are those of `/ws/`; `joining` have not received their first frame.",
                    unit=Unit.NUMBER,
                    look=Look.STACKED,
                    queries=(Query(total("hunarmitra_ws_connections", "kind"), "{{kind}}"),),
                ),
                Panel(
                    title="Open connections by pod",
                    description="Unequal after a scale-up, until the operator has rebalanced.",
                    unit=Unit.NUMBER,
                    queries=(Query(select(CONNECTIONS), "{{pod}}"),),
                ),
                Panel(
                    title="Used capacity",
                    description="Share of each pod's limit (WS_MAX_CONNECTIONS), without draining pods.",
                    unit=Unit.RATIO,
                    alarm=0.98,
                    queries=(Query(select(FILL), "{{pod}}"),),
                ),
                Panel(
                    title="Total capacity",
                    description="The limits of all pods together.",
                    unit=Unit.NUMBER,
                    look=Look.STAT,
                    span=4,
                    queries=(Query(total("hunarmitra_ws_connections_limit")),),
                ),
                Panel(
                    title="Watched channels",
                    description="Bookings and users with a subscription, summed over pods.",
                    unit=Unit.NUMBER,
                    look=Look.STAT,
                    span=4,
                    queries=(Query(total("hunarmitra_ws_groups")),),
                ),
                Panel(
                    title="Draining pods",
                    description="Pods that move their connections away.",
                    unit=Unit.NUMBER,
                    look=Look.STAT,
                    span=4,
                    queries=(Query(f"sum({PODS})"),),
                ),
                Panel(
                    title="Deliveries by lane",
                    description="Events handed to connections.",
                    unit=Unit.PER_SECOND,
                    span=12,
                    queries=(Query(per_second("hunarmitra_ws_deliveries_total", "lane"), "{{lane}}"),),
                ),
                Panel(
                    title="Subscriptions, by channel",
                    description="A connection of `/ws/` may have many; each other connection has one.",
                    unit=Unit.NUMBER,
                    span=12,
                    look=Look.STACKED,
                    queries=(Query(total("hunarmitra_ws_subscriptions", "channel"), "{{channel}}"),),
                ),
            ),
        ),
        Row(
            title="Connects and disconnects",
            panels=(
                Panel(
                    title="Handshakes by outcome",
                    description="`refused`: rejected because of the client; `unavailable`: a failure of the server; "
                    "`full` "
                    "and `reconnect`: the client tries again.",
                    unit=Unit.PER_SECOND,
                    queries=(Query(per_second("hunarmitra_ws_handshakes_total", "outcome"), "{{outcome}}"),),
                ),
                Panel(
                    title="Time to the first frame",
                    description="Of connections that joined: authorization, subscription, snapshot and replay.",
                    unit=Unit.SECONDS,
                    queries=tuple(quantiles("hunarmitra_ws_handshake_duration_seconds", 0.5, 0.99)),
                ),
                Panel(
                    title="Connections that went live",
                    description="Connections that received their first frame, by kind.",
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
                    title="Connections without a valid token",
                    description="TCP connections that have shown no valid token yet, and how many of them were closed: "
                    "`late` sent no complete request in time, `address` and `full` gave way to newer ones.",
                    unit=Unit.NUMBER,
                    span=12,
                    queries=(
                        Query(total("hunarmitra_ws_unauthenticated_connections"), "open"),
                        Query(per_second("hunarmitra_ws_connections_cut_total", "reason"), "{{reason}}, per second"),
                    ),
                ),
                Panel(
                    title="Drains",
                    description="Connections moved by drains and rebalancing, and those still open when the grace "
                    "period ended.",
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
                    title="Waiting bytes",
                    description="For all clients of a pod in total. Grows when many clients, or their networks, are "
                    "slow.",
                    unit=Unit.BYTES,
                    queries=(Query(f"max by (pod) ({select('hunarmitra_ws_send_buffer_bytes')})", "{{pod}}"),),
                ),
                Panel(
                    title="Closed as too slow",
                    description="Connections closed with 4008; the client reconnects with `since`.",
                    unit=Unit.PER_SECOND,
                    queries=(Query(per_second("hunarmitra_ws_slow_clients_closed_total"), "closed"),),
                ),
                Panel(
                    title="Conflated locations",
                    description="Locations replaced by a newer one before they were sent.",
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
                    description="How late timers are. Every client of the pod waits that long.",
                    unit=Unit.SECONDS,
                    alarm=0.25,
                    queries=(Query(select(LOOP_DELAY), "{{pod}}"),),
                ),
                Panel(
                    title="Event loop, all pods",
                    description="Half of all timers, and the latest of a thousand.",
                    unit=Unit.SECONDS,
                    queries=(
                        Query(quantile(0.5, "hunarmitra_ws_event_loop_delay_seconds"), "50 %"),
                        Query(quantile(0.999, "hunarmitra_ws_event_loop_delay_seconds"), "99.9 %"),
                    ),
                ),
                Panel(
                    title="CPU",
                    description="CPU cores in use; a ws process uses about one at most.",
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
                    description="Share of the limit of the process. Each connection needs one.",
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
                    description="Time since its start; a restart shows as a drop to zero.",
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
