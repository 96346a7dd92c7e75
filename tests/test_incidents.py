"""Which incidents are open, and what they are about."""

from typing import Any

from listener.incidents import Incidents
from listener.records import BrandRisk, Incident, Interval
from tests.worlds import NOW


def risk(brand: str, incident: Incident | None, **issues: float) -> BrandRisk:
    fields: dict[str, Any] = {"top_issues": issues}
    return BrandRisk(
        brand=brand,
        at=NOW,
        brand_risk=50.0,
        burn={},
        significance={},
        mentions_24h=100,
        negative_share=0.5,
        negative_interval=Interval(low=0.4, high=0.6),
        incident=incident,
        **fields,
    )


def test_an_open_incident_is_about_the_issues_that_carry_it() -> None:
    """A fifth of the negative volume or more; nothing once it has ended."""
    incidents = Incidents()
    burst = Incident(incident_id="1", kind="page", started_at=NOW)
    incidents.put(risk("Acme", burst, outage=0.7, billing=0.1))
    incidents.put(risk("Other", None, delivery=0.9))
    assert incidents() == {("Acme", "outage")}
    over = Incident(incident_id="1", kind="page", started_at=NOW, ended_at=NOW)
    incidents.put(risk("Acme", over, outage=0.7))
    assert incidents() == set()
