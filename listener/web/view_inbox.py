"""What the inbox shows of one alert, one message and one person, ready to print."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from listener.store import FoundAlert
from listener.store.alerts import Standing
from listener.web.site import plain
from listener.web.words import ISSUES, REASONS, SENTIMENTS, STATES, TIERS, read_time, say

LEAST_SHARE: Final = 0.01
MOST_ISSUES: Final = 6
LEAST_FLAG: Final = 0.3
STANDING: Final = ("pending", "open", "acknowledged", "reopened")
ORDER: Final = {"flags": 0, "severity": 1, "issue": 2, "complaint": 3, "sentiment": 4}
"""Heads in the order of what they say of an alert."""
Json = dict[str, Any]


def overview(standing: Sequence[Standing], brands: Mapping[str, bytes]) -> Json:
    """What a morning begins with: how much stands, how late it is, what it is about, and whether
    a brand has an incident."""
    most = max((each.all for each in standing), default=1)
    risks = [plain(record) for record in brands.values()]
    return {
        "all": sum(each.all for each in standing),
        "urgent": sum(each.urgent for each in standing),
        "late": sum(each.late for each in standing),
        "soon": sum(each.soon for each in standing),
        "free": sum(each.free for each in standing),
        "issues": [
            {"issue": each.issue, "name": say(ISSUES, each.issue), "all": each.all,
             "late": each.late, "width": round(100 * each.all / most, 1)}
            for each in standing[:MOST_ISSUES]
        ],
        "incidents": [
            risk for risk in risks if risk.get("incident") and not risk["incident"].get("ended_at")
        ],
    }  # fmt: skip


def alert_view(found: FoundAlert, *, now: datetime) -> Json:
    """One alert of the list, or the head of its page."""
    record: Json = plain(found.record)
    due = read_time(record.get("due_at"))
    standing = record["state"] in STANDING
    link = record.get("link") or {}
    return {
        "id": found.alert_id,
        "record": record,
        "unread": found.unread and standing,
        "standing": standing,
        "priority": record["priority"],
        "issue": say(ISSUES, record["issue"]),
        "state": say(STATES, record["state"]),
        "kind": record.get("kind", "trouble"),
        "text": record.get("snippet"),
        "who": found.handle or record["subject"],
        "stage": found.stage,
        "customer": link.get("customer_id"),
        "tier": link.get("tier", "none"),
        "tier_name": say(TIERS, link.get("tier", "none")),
        "due": due,
        "late": bool(due and standing and due < now),
        "soon": bool(due and standing and 0 <= (due - now).total_seconds() < 3600),
        "step": record.get("step", 0),
        "reasons": reasons_view(record.get("reasons") or ()),
    }


def reasons_view(reasons: Sequence[Json]) -> list[Json]:
    """Reasons by their share, and what a hard rule fired on; width in hundredths."""
    shown = [
        {
            "name": " · ".join(filter(None, (say(REASONS, reason["code"]), reason.get("because")))),
            "share": round(100 * reason["contribution"]),
        }
        for reason in reasons
        if reason["contribution"] >= LEAST_SHARE
    ]
    return sorted(shown, key=lambda reason: -int(reason["share"]))


def mention_view(record: bytes, *, marked: Sequence[str] = ()) -> Json:
    """One message; `mine` where it is among the evidence that is looked at."""
    linked: Json = plain(record)
    mention, judgement = linked["mention"], linked["judgement"]
    labels: Json | None = judgement.get("labels")
    author, link = mention["author"], linked.get("link") or {}
    grades = (labels or {}).get("severity") or ()
    return {
        "id": mention["mention_id"],
        "text": mention["text"],
        "title": mention.get("title"),
        "who": author.get("name") or author.get("handle") or author["id"],
        "handle": author.get("handle"),
        "network": mention["network"],
        "channel": mention.get("channel", "public"),
        "at": mention["event_time"],
        "uri": safe_link(mention.get("uri")),
        "brands": mention.get("brands") or (),
        "from_brand": mention.get("from_brand", False),
        "marked": mention["mention_id"] in marked,
        "issue": say(ISSUES, _top((labels or {}).get("issue")) or "unjudged"),
        "sentiment": _top((labels or {}).get("sentiment")) or "unjudged",
        "sentiment_name": say(SENTIMENTS, _top((labels or {}).get("sentiment")) or "unjudged"),
        "severity": round(sum(g * p for g, p in enumerate(grades)), 1) if grades else None,
        "flags": _flags((labels or {}).get("flags") or {}),
        "unsure": judgement.get("unsure") or (),
        "lang": mention.get("lang"),
        "customer": link.get("customer_id"),
        "tier": link.get("tier", "none"),
        "tier_name": say(TIERS, link.get("tier", "none")),
        "subject": linked["subject"],
    }


def link_view(record: Json) -> Json:
    """Who it is and how we know."""
    link = record.get("link") or {}
    basis = str(link.get("basis") or "").replace("_", " ")
    return {
        "customer": link.get("customer_id"),
        "tier": link.get("tier", "none"),
        "tier_name": say(TIERS, link.get("tier", "none")),
        "basis": basis,
        "probability": link.get("probability"),
        "evidence": link.get("evidence") or (),
        "counts": link.get("tier") in ("T0", "T1", "T2"),
    }


def words_view(text: str, told: Sequence[Json], *, reasons: Sequence[str] = ()) -> list[Json]:
    """Labels with their words; the text cut where a word moved the label, `size` 1 to 3. Those that
    are the alert's reasons first."""

    def place(item: Json) -> tuple[bool, int]:
        named = item["label"] in reasons or item["head"] in reasons
        return (not named, ORDER.get(item["head"], 9))

    return [
        {
            "label": _label(item["head"], item["label"]),
            "p": item["p"],
            "parts": _parts(text, item["words"]),
        }
        for item in sorted(told, key=place)
    ]


def texts_of(record: bytes) -> tuple[str, str | None]:
    """A message's text and language."""
    mention: Json = plain(record)["mention"]
    return mention["text"], mention.get("lang")


def safe_link(uri: object) -> str | None:
    """Only what a browser may follow without running it."""
    text = str(uri or "")
    return text if text.lower().startswith(("https://", "http://")) else None


def _label(head: str, label: str) -> str:
    if head == "issue":
        return f"Issue: {say(ISSUES, label).lower()}"
    if head == "sentiment":
        return f"Sentiment: {say(SENTIMENTS, label).lower()}"
    if head == "complaint":
        return "Complaint"
    return f"Severity {label}" if head == "severity" else say({}, label)


def _parts(text: str, words: Sequence[Json]) -> list[Json]:
    parts: list[Json] = []
    at = 0
    for word in sorted(words, key=lambda each: int(each["start"])):
        parts.append({"text": text[at : word["start"]], "size": 0, "against": False})
        size = 1 + (abs(word["effect"]) >= 0.7) + (abs(word["effect"]) >= 1.5)
        against = word["effect"] < 0
        parts.append({"text": text[word["start"] : word["end"]], "size": size, "against": against})
        at = word["end"]
    return [*parts, {"text": text[at:], "size": 0, "against": False}]


def _flags(flags: dict[str, float]) -> list[str]:
    ranked = sorted(flags.items(), key=lambda item: -item[1])
    return [name.replace("_", " ") for name, p in ranked if p >= LEAST_FLAG]


def _top(shares: dict[str, float] | None) -> str | None:
    return max(shares, key=shares.__getitem__) if shares else None
