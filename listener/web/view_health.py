"""How the read model keeps up, and what could not be processed."""

from __future__ import annotations

import base64
from typing import Any

from listener.store.ledger import Letter
from listener.web.site import Site, plain

Json = dict[str, Any]
SHOWN_BYTES = 2000


async def health_figures(site: Site) -> Json:
    """Lag and rate by topic, rows by kind, dead letters by stage, versions; deletions whose text
    may still be on the disk, and seconds since the oldest of them was asked for."""
    lag = site.progress.lag() if site.progress else {}
    rates = site.progress.rates() if site.progress else {}
    taken: dict[str, int] = {}
    for (topic, _), following in (await site.store.ledger.offsets()).items():
        taken[topic] = taken.get(topic, 0) + following
    topics = sorted({*lag, *taken})
    counts = await site.store.alerts.counts()
    outstanding = await site.store.ledger.outstanding()
    waiting = None if outstanding.since is None else site.clock().timestamp() - outstanding.since
    return {
        "topics": [
            {"topic": t, "lag": lag.get(t), "rate": rates.get(t), "read": taken.get(t, 0)}
            for t in topics
        ],
        "mentions": await site.store.mentions.count(),
        "alerts_standing": counts["all"],
        "dead_letters": await site.store.ledger.letter_counts(),
        "deletes_outstanding": outstanding.deletes,
        "oldest_delete_seconds": waiting,
        "streams": site.hub.streams,
        "versions": dict(site.versions),
    }


def letter_view(letter: Letter) -> Json:
    """One dead letter; its bytes as text, as far as they are any."""
    record: Json = plain(letter.record)
    shown = base64.b64decode(record.get("raw") or "")[:SHOWN_BYTES].decode("utf-8", "replace")
    return {
        "id": letter.letter_id,
        "record": record,
        "where": f"{record['topic']} {record['partition']}:{record['offset']}",
        "raw": "".join(c if c.isprintable() or c in "\n\t" else "·" for c in shown),
    }
