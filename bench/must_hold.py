"""What the measurements must show, as ratios of medians from the same runs."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from bench.pairs import Ratios
from bench.results import Results
from bench.scenarios.hostile import HTTP_KINDS, WS_KINDS
from bench.scenarios.outages import EACH_SECONDS
from bench.scenarios.outages import KINDS as OUTAGES

OWN, CENTRIFUGE, STOCK, BASELINE, BARE, FLOOR = (
    "hunarmitra", "centrifuge", "daphne-pubsub", "daphne-authorizing", "bare-rest", "floor",
)  # fmt: skip

ONE_CONNECTION, TWO_CONNECTIONS = "one-connection", "two-connections"
EARLIER, GO = "version-0.1", "go-tracking"
PARTS_OF_A_LOCATION = ("http", "ws", "PostgreSQL", "Redis")

GROWTH = 0.02
"""How much the memory of a server that does not grow goes up and down while clients come and go."""


@dataclass(frozen=True)
class Verdict:
    """``held`` is None when something of it was not measured."""

    what: str
    required: str
    measured: str
    held: bool | None


def verdicts(results: Results) -> Iterator[Verdict]:
    for group in (
        _fan_out,
        _latency,
        _connecting,
        _memory,
        _many,
        _one_connection,
        _live,
        _soak,
        _slow_reader,
        _hostile,
        _rolling,
        _rest,
        _booking,
        _outages,
        _bloat,
        _observed,
    ):
        yield from group(results)


def _judge(what: str, required: str, measured: str, *values: float, holds: Callable[[], bool]) -> Verdict:
    held = None if any(math.isnan(value) for value in values) else holds()
    return Verdict(what, required, measured if held is not None else "not measured", held)


def _told(what: str, ratio: float) -> Verdict:
    """No requirement: the figure that another is read by."""
    return Verdict(what, "–", "not measured" if math.isnan(ratio) else f"{ratio:.2f} ×", None)


def _at_least(what: str, ratio: float, least: float) -> Verdict:
    return _judge(what, f"≥ {least:g} ×", f"{ratio:.2f} ×", ratio, holds=lambda: ratio >= least)


def _at_most(what: str, value: float, most: float, unit: str, required: str = "") -> Verdict:
    return _judge(what, required or f"≤ {most:g} {unit}", f"{value:.3g} {unit}", value, holds=lambda: value <= most)


def _none(what: str, count: float) -> Verdict:
    return _judge(what, "0", f"{count:g}", count, holds=lambda: count == 0)


def _fan_out(results: Results) -> Iterator[Verdict]:
    def per_cpu(subject: str, load: str) -> float:
        return results.median("fan-out", subject, f"{load} deliveries per CPU second")

    for load in ("500 fixed", "500 saturated"):
        words = "500 sockets a booking, " + ("one rate for all" if "fixed" in load else "saturation")
        own = per_cpu(OWN, load)
        yield _at_least(f"Deliveries per CPU second, {words}, to centrifuge", own / per_cpu(CENTRIFUGE, load), 2)
        if "fixed" in load:
            floor = results.median("floor", FLOOR, "paced writes per CPU second") / per_cpu(CENTRIFUGE, load)
            yield _told("… what one bare write a delivery at that rate would be, which no server exceeds", floor)
        for stock in ("daphne-pubsub", "daphne-core"):
            yield _at_least(f"… to {stock}", own / per_cpu(stock, load), 15)
        yield _at_least("… to version 0.1", own / per_cpu(EARLIER, load), 0.95)
    for load in ("20 fixed", "20 saturated"):
        words = "20 sockets a booking, " + ("one rate for all" if "fixed" in load else "saturation")
        own = per_cpu(OWN, load)
        yield _at_least(f"Deliveries per CPU second, {words}, to centrifuge", own / per_cpu(CENTRIFUGE, load), 1)
        yield _at_least("… to version 0.1", own / per_cpu(EARLIER, load), 0.95)
    loads = [f"{sockets} {load}" for sockets in (20, 500) for load in ("fixed", "saturated")]
    lost = sum(
        sum(results.values("fan-out", OWN, f"{load} {what}")) for load in loads for what in ("lost", "duplicates")
    )
    yield _none("Lost or repeated in all of these, this server", lost if results.runs("fan-out") else float("nan"))


def _latency(results: Results) -> Iterator[Verdict]:
    own = results.median("fan-out", OWN, "20 fixed p99 ms")
    other = results.median("fan-out", CENTRIFUGE, "20 fixed p99 ms")
    yield _judge(
        "Publish → socket p99, 1,000 sockets, 100 events/s",
        "≤ 1.5 × centrifuge's, or 5 ms",
        f"{own:.2f} ms, {own / other:.2f} ×",
        own,
        other,
        holds=lambda: own <= max(5.0, 1.5 * other),
    )
    watcher = results.median("rest", OWN, "watcher p99 ms")
    bare = results.median("rest", BARE, "POST p99 ms")
    bound = 2 * bare + own
    yield _judge(
        "Tracking POST → socket p99",
        f"≤ 2 × bare POST's p99 + publish → socket p99 = {bound:.1f} ms",
        f"{watcher:.1f} ms",
        watcher,
        bound,
        holds=lambda: watcher <= bound,
    )


def _connecting(results: Results) -> Iterator[Verdict]:
    def ratio(name: str, other: str = BASELINE) -> float:
        return results.median("connects", OWN, name) / results.median("connects", other, name)

    per_cpu, slowest = "connects per CPU second", "crowd slowest ms"
    yield _at_least("Connects per CPU second, to stock daphne with our authorization", ratio(per_cpu), 1.5)
    yield _at_least("… to version 0.1", ratio(per_cpu, EARLIER), 2.2)
    yield _at_least("… to centrifuge", ratio(per_cpu, CENTRIFUGE), 0.35)
    yield _at_most("1,000 at once, the slowest, to stock daphne with our authorization", ratio(slowest), 0.7, "×")


def _memory(results: Results) -> Iterator[Verdict]:
    own = results.median("memory", OWN, "KB per socket")
    other = results.median("memory", CENTRIFUGE, "KB per socket")
    yield _at_most("Memory per idle authenticated socket", own, 20, "KB")
    yield _at_most("… to centrifuge", own / other, 1, "×", "< 1 ×")
    yield _at_most("… to version 0.1", own / results.median("memory", EARLIER, "KB per socket"), 1, "×")


def _many(results: Results) -> Iterator[Verdict]:
    own = results.median("many", OWN, "p99 ms")
    other = results.median("many", CENTRIFUGE, "p99 ms")
    sockets = results.median("many", OWN, "sockets")
    count = "10,000" if math.isnan(sockets) else f"{sockets:,.0f}"
    yield _judge(
        f"Publish → socket p99, {count} sockets, 200 events/s",
        "≤ 4 × centrifuge's, or 15 ms",
        f"{own:.2f} ms, {own / other:.2f} ×",
        own,
        other,
        holds=lambda: own <= max(15.0, 4 * other),
    )
    stall = results.median("many", OWN, "max ms")
    yield _at_most("… longest delivery, which no stall of the event loop exceeds", stall, 100, "ms")
    yield _none("… lost or repeated", _sum(results, "many"))


def _one_connection(results: Results) -> Iterator[Verdict]:
    scenario = "one-connection"

    def one(name: str) -> float:
        return results.median(scenario, ONE_CONNECTION, name)

    def ratio(name: str) -> float:
        return one(name) / results.median(scenario, TWO_CONNECTIONS, name)

    what = "A phone with two subscriptions"
    yield _at_most(f"{what}: publish → socket p99 at 200 events/s, to two connections", ratio("p99 ms"), 1.3, "×")
    yield _at_most("… memory", one("KB per phone"), 11, "KB")
    yield _at_most("… to two connections", ratio("KB per phone"), 0.5, "×")
    yield _at_most("… CPU of connecting, to two connections", ratio("connect CPU us"), 0.5, "×")
    yield _told("… CPU of PostgreSQL for that", ratio("connect PostgreSQL CPU us"))
    yield _told("… statements for that", ratio("statements of a connect"))
    yield _told("… statements for that, one phone after the other", ratio("statements of a connect alone"))
    yield _at_most("… 2,000 return at once with 50 missed events, the slowest", ratio("returning slowest ms"), 1, "×")
    yield _none("… lost or repeated", _sum(results, scenario, ONE_CONNECTION))
    yield _at_most("500 subscriptions of a dispatcher, joined", one("500 subscriptions seconds"), 2, "s")
    events, disconnects = one("dispatcher events"), one("dispatcher disconnects")
    count = "40,000" if math.isnan(events) else f"{events:,.0f}"
    breaks = "10" if math.isnan(disconnects) else f"{disconnects:g}"
    wrong = sum(
        results.highest(scenario, ONE_CONNECTION, f"dispatcher {name}") for name in ("lost", "repeated", "out of order")
    )
    yield _none(f"… {count} status events through them, {breaks} disconnects: lost, repeated or out of order", wrong)


def _live(results: Results) -> Iterator[Verdict]:
    cores = results.median("live", OWN, "CPU cores")
    yield _at_most("`live` at 10,000 bookings and 2,500 locations/s, one dispatcher", cores, 0.35, "cores")
    yield _none("… statuses lost or repeated", _sum(results, "live"))
    busy = results.median("live", OWN, "others p99 ms")
    quiet = [results.median("live", OWN, f"others quiet{again} p99 ms") for again in ("", " again")]
    yield _judge(
        "… other clients' p99",
        f"within the noise of two equal runs ({quiet[0]:.1f} and {quiet[1]:.1f} ms), or 5 ms",
        f"{busy:.1f} ms",
        busy,
        *quiet,
        holds=lambda: busy <= max(5.0, max(quiet) + abs(quiet[0] - quiet[1])),
    )


def _soak(results: Results) -> Iterator[Verdict]:
    seconds = results.median("soak", OWN, "seconds")
    time = "30 minutes" if math.isnan(seconds) else f"{seconds / 60:.0f} minutes"
    yield _none(f"{time} of that with 50 connects and closes a second: lost or repeated", _sum(results, "soak"))
    warm = results.median("soak", OWN, "memory warm MB")
    growth = results.highest("soak", OWN, "memory highest MB") / warm - 1
    yield _at_most("… memory's growth after warm-up, highest to warm", 100 * growth, 100 * GROWTH, "%")


def _slow_reader(results: Results) -> Iterator[Verdict]:
    scenario = "slow-reader"
    grown = results.highest(scenario, OWN, "memory grown KB")
    yield _at_most("One client stops reading: memory grows by", grown, 1_048.6, "KB", "≤ 1,049 KB, the buffer's limit")
    deaf = results.median(scenario, OWN, "others p99 ms")
    quiet = [results.median(scenario, OWN, name) for name in ("quiet p99 ms", "quiet again p99 ms")]
    yield _judge(
        "… the others' p99",
        f"within the noise of two equal runs ({quiet[0]:.1f} and {quiet[1]:.1f} ms)",
        f"{deaf:.1f} ms",
        deaf,
        *quiet,
        holds=lambda: deaf <= max(quiet) + abs(quiet[0] - quiet[1]),
    )
    closed = results.median(scenario, OWN, "closed 4008")
    yield _judge("… it reads again and sees 4008", "yes", "yes" if closed else "no", closed, holds=lambda: closed >= 1)
    resyncs = results.highest(scenario, OWN, "resynchronized")
    said = "by replay" if resyncs == 0 else "told resync_required"
    yield _judge("… and resumes complete", "by replay", said, resyncs, holds=lambda: resyncs == 0)
    yield _none("… events lost or repeated", _sum(results, scenario))


def _hostile(results: Results) -> Iterator[Verdict]:
    scenario = "hostile"

    def highest(name: str) -> float:
        return results.highest(scenario, OWN, name)

    for kinds, clients in ((WS_KINDS, "connections"), (HTTP_KINDS, "requests")):
        ratios = {kind: _beside_quiet(results, kind) for kind in kinds}
        worst = max(kinds, key=lambda kind, of=ratios: of[kind])
        yield _judge(
            f"Beside hostile clients, p99 of honest {clients} to a quiet run, the worst kind",
            f"≤ 2 ×, or {NOISE_MS:g} ms more",
            f"{ratios[worst]:.2f} × ({worst})",
            *ratios.values(),
            holds=lambda kinds=kinds: all(_stays_quick(results, kind) for kind in kinds),  # type: ignore[misc]
        )
        refused = [highest(f"{kind} refused") for kind in kinds]
        yield _none(f"… honest {clients} refused or closed", sum(refused))
    yield _none("… events lost", sum(highest(f"{kind} lost") for kind in WS_KINDS))
    grown = [highest(f"{kind} memory grown MB") for kind in WS_KINDS]
    documented = highest("documented MB")
    yield _judge(
        "… memory of the ws process grows by, the worst kind",
        f"≤ {documented:.0f} MB, the documented sum",
        f"{max(grown):.0f} MB",
        documented,
        *grown,
        holds=lambda: max(grown) <= documented,
    )


NOISE_MS = 5.0
"""How much the p99 of two equal runs differs on a busy machine."""


def _beside_quiet(results: Results, kind: str) -> float:
    return results.median("hostile", OWN, f"{kind} p99 ms") / results.median("hostile", OWN, f"{kind} p99 ms quiet")


def _stays_quick(results: Results, kind: str) -> bool:
    quiet, beside = (results.median("hostile", OWN, f"{kind} p99 ms{suffix}") for suffix in (" quiet", ""))
    return beside <= max(2 * quiet, quiet + NOISE_MS)


def _rolling(results: Results) -> Iterator[Verdict]:
    scenario = "rolling-restart"
    yield _none("Rolling restarts: events lost or repeated", _sum(results, scenario))
    yield _none("… clients closed 1006", results.highest(scenario, OWN, "closed 1006"))
    herd = results.highest(scenario, OWN, "busiest second over mean")
    yield _at_most("… busiest second of reconnects, to the mean", herd, 3, "×")


def _rest(results: Results) -> Iterator[Verdict]:
    name = "requests per CPU second"
    ratio = results.median("rest", OWN, name) / results.median("rest", BARE, name)
    yield _at_least("POST tracking requests per CPU second, to a bare REST framework view", ratio, 2.4)


def _booking(results: Results) -> Iterator[Verdict]:
    def cost(subject: str, operation: str, *parts: str) -> float:
        return sum(
            results.median("booking", subject, f"{operation} {part} us") for part in parts or PARTS_OF_A_LOCATION
        )

    by_rest, by_connection = "location by REST", "location by connection at 1,000/s"
    yield _at_most(
        "A location by REST, CPU of http and PostgreSQL, to version 0.1",
        cost(OWN, by_rest, "http", "PostgreSQL") / cost(EARLIER, by_rest, "http", "PostgreSQL"),
        0.28,
        "×",
    )
    yield _at_most(
        "… CPU of http, to the same endpoint in Go", cost(OWN, by_rest, "http") / cost(GO, by_rest, "http"), 5, "×"
    )
    connection = cost(OWN, by_connection, "ws", "PostgreSQL", "Redis")
    yield _at_most(
        "A location by connection at 1,000/s, all CPU with two deliveries, to a POST of version 0.1",
        connection / cost(EARLIER, by_rest),
        0.055,
        "×",
    )
    yield _at_most("… to a POST in Go with its deliveries", connection / cost(GO, by_rest), 1, "×", "< 1 ×")
    for rate, most in (("1,000", 60), ("2,500", 120)):
        p99 = results.median("booking", OWN, f"location by connection at {rate}/s p99 ms")
        yield _at_most(f"… worker → watcher p99 at {rate}/s", p99, most, "ms")
    life = results.median("booking", OWN, "life sum ms") / results.median("booking", EARLIER, "life sum ms")
    yield _at_most("A booking's life, all CPU, to version 0.1", life, 0.1, "×")


WAITING_KB = 4.0
"""The most that a booking's waiting location, its answer and its share of everything else may keep in an outage."""


def _outages(results: Results) -> Iterator[Verdict]:
    def worst(name: str) -> tuple[float, str]:
        found = {kind: results.highest("outages", OWN, f"{kind} {name}") for kind in OUTAGES}
        kind = max(found, key=lambda kind: (math.isnan(found[kind]), found[kind]))
        return found[kind], kind

    def at_most(what: str, name: str, most: float, unit: str) -> Verdict:
        value, kind = worst(name)
        measured = f"{value:.3g} {unit} ({kind})"
        return _judge(what, f"≤ {most:.3g} {unit}", measured, value, holds=lambda: value <= most)

    rate = results.median("outages", OWN, "locations a second")
    seconds = results.median("outages", OWN, "outage s")
    load = "1,000 locations/s, 10 s" if math.isnan(rate) else f"{rate:,.0f} locations/s, {seconds:g} s"
    bookings = 1_000 if math.isnan(rate) else rate
    yield at_most(
        f"PostgreSQL or Redis hang or are away, {load}: memory of the ws process grows by, the worst kind",
        "memory grown MB",
        EACH_SECONDS * bookings * WAITING_KB / 1e3,
        "MB",
    )
    yield _none("… locations without an answer", worst("unanswered")[0])
    yield _none("… told `unavailable` without `retry_in_ms`", worst("without retry")[0])
    yield _none("… answered twice", worst("second answers")[0])
    yield at_most("… slowest answer", "slowest answer s", 3, "s")
    yield at_most("… until a location is accepted again", "accepted again s", 3, "s")
    yield at_most("… until a location is delivered again", "delivered again s", 3, "s")
    yield at_most("… until all are accepted and delivered within a second", "well again s", 3, "s")
    yield _none("… connections closed", worst("disconnects")[0])


def _bloat(results: Results) -> Iterator[Verdict]:
    def one(name: str) -> float:
        return results.median("bloat", OWN, name)

    count = one("locations")
    locations = "A million" if math.isnan(count) else f"{count:,.0f}"
    hot = one("HOT %")
    yield _judge(f"{locations} locations: HOT updates", "≥ 99 %", f"{hot:.3g} %", hot, holds=lambda: hot >= 99)
    yield _none("… not stored", one("not stored"))
    heap, indexes = (one(f"{what} at the end MB") / one(f"{what} when grown MB") for what in ("heap", "indexes"))
    yield _at_most("… heap at the end, to rows of full size", heap, 1.1, "×")
    yield _at_most("… indexes at the end, to rows of full size", indexes, 1, "×")
    yield _told("… heap at the end, to the table without locations", one("heap at the end MB") / one("heap before MB"))


def _observed(results: Results) -> Iterator[Verdict]:
    for load in ("500", "20"):
        pairs = Ratios.of(results, "observability", OWN, load)
        yield _judge(
            f"Deliveries per CPU second, {load} sockets a booking, metrics and 1 % traces on, to all off",
            "≥ 0.95 ×, median of pairs",
            f"{pairs.median:.2f} × ({pairs.lowest:.2f}–{pairs.highest:.2f})",
            pairs.median,
            holds=partial(operator.ge, pairs.median, 0.95),
        )
    yield _none("… lost or repeated", results.highest("observability", OWN, "lost"))


def _sum(results: Results, scenario: str, subject: str = OWN) -> float:
    if not results.runs(scenario):
        return float("nan")
    return sum(sum(results.values(scenario, subject, name)) for name in ("lost", "duplicates"))
