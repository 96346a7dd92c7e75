"""What every notice says, in plain words: each sink lays it out and escapes it for its target."""

from __future__ import annotations

from datetime import datetime
from urllib.parse import urlsplit

from listener.records import Alert, Digest, DigestLine


def headline(alert: Alert) -> str:
    """Such as `P1 open: Acme · billing`."""
    return f"{alert.priority} {alert.state}: {subject(alert)}"


def subject(alert: Alert) -> str:
    """What it is about, the same for the alert's whole life."""
    return f"{alert.brand or 'no brand'} · {alert.issue}"


def facts(alert: Alert) -> list[tuple[str, str]]:
    """Name and value of all that a support lead asks for, most pressing first."""
    found = [
        ("Priority", alert.priority),
        ("State", _state(alert)),
        ("Brand", alert.brand or "–"),
        ("Issue", alert.issue),
        ("Reasons", reasons(alert)),
        ("Customer", customer(alert)),
        ("Due", moment(alert.due_at)),
        ("Opened", moment(alert.opened_at)),
        ("Assignee", alert.assignee or ""),
        ("Evidence", f"{len(alert.evidence)} messages"),
        ("Model", f"{alert.model.name} {alert.model.version}"),
    ]
    return [(name, value) for name, value in found if value]


def reasons(alert: Alert) -> str:
    """Each reason with its share of the score, and what a hard rule fired on."""
    said = (
        f"{r.code} {r.contribution:.0%}" + (f" ({r.because})" if r.because else "")
        for r in alert.reasons
    )
    return ", ".join(said) or "–"


def customer(alert: Alert) -> str:
    """Who wrote it, and how we know."""
    link = alert.link
    if link.customer_id is None:
        return "not linked"
    return f"{link.customer_id} ({link.tier}, {link.basis or 'no basis'}, {link.probability:.0%})"


def permalink(alert: Alert) -> str | None:
    """The message's address, if a browser may be sent there."""
    return alert.permalink if alert.permalink and is_web(alert.permalink) else None


def is_web(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname)


def moment(at: datetime | None) -> str:
    """To the minute, with its zone; nothing for None."""
    return f"{at:%Y-%m-%d %H:%M %Z}" if at is not None else ""


def shorten(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"


def digest_headline(digest: Digest) -> str:
    return (
        f"{digest.complaints} complaints without an alert, of {digest.mentions} messages until "
        f"{moment(digest.end)}"
    )


def digest_line(line: DigestLine) -> str:
    return f"{line.count} × {line.brand or 'no brand'} · {line.issue}"


def digest_standing(digest: Digest) -> str:
    """Open and overdue alerts by priority."""
    standing = [
        f"{priority}: {count} open, {digest.overdue_alerts.get(priority, 0)} overdue"
        for priority, count in sorted(digest.open_alerts.items())
    ]
    return "; ".join(standing) or "no open alerts"


def _state(alert: Alert) -> str:
    if alert.state == "acknowledged":
        return f"acknowledged by {alert.acknowledged_by or 'somebody'}"
    if alert.state == "resolved":
        return f"resolved {moment(alert.resolved_at)}".rstrip()
    return alert.state
