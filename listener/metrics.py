"""Every metric, by name. Labels have few values: hops, topics, sinks, brands of the policy."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from listener.records import Alert

BATCH_BUCKETS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
SECONDS_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class Metrics:
    """What operations scrape. Implements `lanes.Watch`."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self.records = Counter(
            "listener_records_total", "Records that a hop took.", ["hop"], registry=registry
        )
        self.outputs = Counter(
            "listener_outputs_total",
            "Records that a hop sent.",
            ["hop", "topic"],
            registry=registry,
        )
        self.failures = Counter(
            "listener_send_failures_total",
            "Sends that the broker refused and that were tried again.",
            ["hop", "kind"],
            registry=registry,
        )
        self.hop_seconds = Histogram(
            "listener_hop_seconds",
            "Time that a hop took for one batch.",
            ["hop"],
            buckets=SECONDS_BUCKETS,
            registry=registry,
        )
        self.batch_records = Histogram(
            "listener_batch_records",
            "Records in one batch.",
            ["hop"],
            buckets=BATCH_BUCKETS,
            registry=registry,
        )
        self.model_seconds = Histogram(
            "listener_model_seconds",
            "Time that the model took for one batch.",
            buckets=SECONDS_BUCKETS,
            registry=registry,
        )
        self.deliveries = Counter(
            "listener_deliveries_total",
            "Notices by sink and result (delivered, delayed, refused).",
            ["sink", "result"],
            registry=registry,
        )
        self.judged_alerts = Counter(
            "listener_alerts_judged_total",
            "Alerts that a person ended, by verdict (right, wrong): precision is right's share.",
            ["verdict"],
            registry=registry,
        )
        self.sink_open = Gauge(
            "listener_sink_open",
            "1 while a receiver's circuit breaker is open: it failed several times in a row.",
            ["sink"],
            registry=registry,
        )
        self.sink_waiting = Gauge(
            "listener_sink_waiting",
            "Alerts that a receiver is still to hear of.",
            ["sink"],
            registry=registry,
        )
        self.brand_risk = Gauge(
            "listener_brand_risk", "Brand risk, 0 to 100.", ["brand"], registry=registry
        )
        self.customers = Gauge(
            "listener_directory_identities", "Identifiers in the directory.", registry=registry
        )

    def took(self, hop: str, *, records: int, seconds: float) -> None:
        self.records.labels(hop).inc(records)
        self.batch_records.labels(hop).observe(records)
        self.hop_seconds.labels(hop).observe(seconds)

    def sent(self, hop: str, *, topic: str) -> None:
        self.outputs.labels(hop, topic).inc()

    def failed(self, hop: str, *, kind: str) -> None:
        self.failures.labels(hop, kind).inc()

    def judged(self, alert: Alert, verdict: str) -> None:
        self.judged_alerts.labels(verdict).inc()

    def sink_state(self, sink: str, *, open: bool, waiting: int) -> None:
        self.sink_open.labels(sink).set(open)
        self.sink_waiting.labels(sink).set(waiting)

    def delivered(self, sink: str, result: str) -> None:
        self.deliveries.labels(sink, result).inc()
