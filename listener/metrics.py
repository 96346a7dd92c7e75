"""Every metric, by name. Labels have few values: hops, topics, sinks, brands and channels."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from listener.records import Alert, BrandRisk, ChannelRisk

BATCH_BUCKETS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
SECONDS_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

BRAND_GAUGES = {
    "risk": "Brand risk, 0 to 100; channel `all` is the whole brand.",
    "burn_15m": "Weighted volume of 15 minutes as a multiple of its share of the 28-day budget.",
    "burn_30m": "The same of 30 minutes.",
    "burn_1h": "The same of an hour.",
    "burn_6h": "The same of 6 hours.",
    "burn_24h": "The same of a day.",
    "burn_3d": "The same of three days.",
    "negative_share": "Negative share of the mentions of 24 hours.",
    "negative_share_low": "Lower end of its 95 % Wilson interval.",
    "negative_share_high": "Upper end of its 95 % Wilson interval.",
    "volume_ratio": "Mentions of 24 hours as a multiple of the usual.",
    "incident_open": "1 while an incident is open.",
}


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
        self._brand = {
            name: Gauge(f"listener_brand_{name}", text, ["brand", "channel"], registry=registry)
            for name, text in BRAND_GAUGES.items()
        }
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

    def brand(self, risk: BrandRisk) -> None:
        """`all` is the brand in all of its channels."""
        self._stands(risk.brand, "all", risk, None)
        for channel, one in risk.channels.items():
            self._stands(risk.brand, channel, one, one.volume_ratio)

    def _stands(
        self, brand: str, channel: str, risk: BrandRisk | ChannelRisk, volume: float | None
    ) -> None:
        figures = {
            "risk": risk.brand_risk,
            "negative_share": risk.negative_share,
            "negative_share_low": risk.negative_interval.low,
            "negative_share_high": risk.negative_interval.high,
            "incident_open": float(risk.incident is not None and risk.incident.open),
        } | {f"burn_{window}": burn for window, burn in risk.burn.items()}
        if volume is not None:
            figures["volume_ratio"] = volume
        for name, value in figures.items():
            self._brand[name].labels(brand, channel).set(value)

    def delivered(self, sink: str, result: str) -> None:
        self.deliveries.labels(sink, result).inc()
