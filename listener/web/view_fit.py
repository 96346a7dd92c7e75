"""How customers fare by where they came from: heat table, forest plot, stages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from listener.store.figures import Offer, Person
from listener.web.site import Site
from listener.web.words import DIMENSIONS, EXPECTED, NUDGES, STAGES, percent, say, span

Json = dict[str, Any]
BANDS: Final = ("0-7", "8-30", "31-90", "91+")
NOTABLE: Final = ("elevated", "better")
FUNNEL: Final = ("suspect", "prospect", "adopting", "retained", "advocate")
BESIDE: Final = ("at_risk", "lost")
PROBABLE: Final = 0.8
"""Chance of being over, or under, what is usual from which a cell is shaded."""
GOOD: Final = "success"
DAY: Final = 86_400.0
OFFER_DAYS: Final = 14.0
"""An offer of help is shown for as long as there may be no other."""
QUIET_DAYS: Final = (7.0, 30.0)
"""A newcomer who was heard, and then not for so long, has gone quiet; after it is no newcomer."""
MOST_NUDGES: Final = 12
SWAPPED: Final = str.maketrans("wb", "bw")


def fit_view(signals: Sequence[Json], *, band: str | None, dimension: str | None) -> Json:
    """Everything of the page but the stages. `band` None: the one with the most to tell."""
    bands = [b for b in BANDS if any(s["band"] == b for s in signals)]
    chosen = band if band in bands else _telling(signals, bands)
    here = [s for s in signals if s["band"] == chosen]
    names = sorted({s["dimension"] for s in here}, key=_order)
    dimension = dimension if dimension in names else _notable(here, names)
    return {
        "bands": bands,
        "band": chosen,
        "dimensions": [(name, say(DIMENSIONS, name)) for name in names],
        "dimension": dimension,
        "rows": heat_rows(here, names),
        "forest": forest([s for s in here if s["dimension"] == dimension]),
        "notable": [signal_view(s) for s in signals if s["status"] in NOTABLE],
    }


def _order(name: str) -> tuple[int, str]:
    known = list(DIMENSIONS)
    return (known.index(name) if name in known else len(known), name)


def _telling(signals: Sequence[Json], bands: Sequence[str]) -> str:
    """The band with the most that stands out, then with the most customers."""

    def weight(band: str) -> tuple[int, int]:
        here = [s for s in signals if s["band"] == band]
        return sum(s["status"] in NOTABLE for s in here), sum(s["n"] for s in here)

    return max(bands, key=weight, default="")


def _notable(here: Sequence[Json], names: Sequence[str]) -> str:
    def weight(name: str) -> int:
        return sum(s["status"] in NOTABLE for s in here if s["dimension"] == name)

    return max(names, key=weight, default="")


def heat_rows(here: Sequence[Json], names: Sequence[str]) -> list[Json]:
    """A row for each segment, a cell for each dimension or None."""
    cells = {(s["segment"], s["dimension"]): signal_view(s) for s in here}
    segments = sorted({s["segment"] for s in here})
    return [
        {
            "segment": segment,
            "n": max(s["n"] for s in here if s["segment"] == segment),
            "cells": [cells.get((segment, name)) for name in names],
        }
        for segment in segments
    ]


def signal_view(signal: Json) -> Json:
    low, high = signal["interval"]["low"], signal["interval"]["high"]
    return {
        "record": signal,
        "segment": signal["segment"],
        "name": say(DIMENSIONS, signal["dimension"]),
        "band": signal["band"],
        "rate": percent(signal["rate"], 1),
        "interval": f"{100 * low:.1f} – {100 * high:.1f} %",
        "usual": percent(signal["pooled"], 1),
        "others": percent(signal["others"], 1) if signal.get("others") else None,
        "reasons": [(say(EXPECTED, k), percent(v)) for k, v in _by_share(signal)],
        "effort": _effort(signal),
        "coverage": percent(signal.get("coverage")),
        "status": signal["status"],
        "shade": shade(signal),
    }


def _by_share(signal: Json) -> list[tuple[str, float]]:
    return sorted(signal.get("reasons", {}).items(), key=lambda item: -item[1])


def _effort(signal: Json) -> Json | None:
    if signal.get("messages") is None:
        return None
    minutes = signal.get("minutes") or 0.0
    return {"messages": f"{signal['messages']:.2f}", "minutes": f"{minutes:.1f}"}


def shade(signal: Json) -> str:
    """Colour of a cell by how sure it is: `w2` worse, `w1` probably, `b2` and `b1` better, `z` as
    usual, `none` for too little to tell."""
    status = signal["status"]
    if status == "insufficient":
        return "none"
    if status == "elevated" or signal["p_above"] >= PROBABLE:
        found = "w2" if status == "elevated" else "w1"
    elif status == "better" or signal["p_below"] >= PROBABLE:
        found = "b2" if status == "better" else "b1"
    else:
        return "z"
    # A high rate of success is good news.
    return found.translate(SWAPPED) if signal["dimension"] == GOOD else found


def forest(signals: Sequence[Json]) -> Json:
    """Geometry of the forest plot, in hundredths of its width."""
    if not signals:
        return {"rows": [], "pooled": 0, "ticks": []}
    end = _end(max(max(s["interval"]["high"] for s in signals), signals[0]["pooled"]) * 1.05)
    rows = [
        signal_view(s)
        | {
            "low": round(100 * s["interval"]["low"] / end, 2),
            "mid": round(100 * s["rate"] / end, 2),
            "width": round(100 * (s["interval"]["high"] - s["interval"]["low"]) / end, 2),
        }
        for s in sorted(signals, key=lambda each: -float(each["rate"]))
    ]
    ticks = [(25 * i, percent(end * i / 4)) for i in range(5)]
    return {"rows": rows, "pooled": round(100 * signals[0]["pooled"] / end, 2), "ticks": ticks}


def _end(most: float) -> float:
    return next((end for end in (0.04, 0.08, 0.12, 0.2, 0.4, 0.6, 0.8) if most <= end), 1.0)


def funnel(stages: Mapping[str, int]) -> Json:
    """People at each stage; widths in hundredths of the largest."""
    most = max([*stages.values(), 1])

    def row(stage: str) -> Json:
        n = stages.get(stage, 0)
        return {
            "stage": stage,
            "name": say(STAGES, stage),
            "n": n,
            "width": round(100 * n / most, 1),
        }

    return {"steps": [row(s) for s in FUNNEL], "beside": [row(s) for s in BESIDE],
            "total": sum(stages.values())}  # fmt: skip


async def nudges(site: Site) -> list[Json]:
    """Who may need help, and why: offers that the rules made, then newcomers who are stuck, then
    those who have gone quiet. Each person once."""
    figures, now = site.store.figures, site.clock().timestamp()
    offers = await figures.offers(since=now - OFFER_DAYS * DAY, limit=MOST_NUDGES)
    known = await figures.customers([offer.customer_id for offer in offers])
    new, old = (now - days * DAY for days in QUIET_DAYS)
    stuck = await figures.people("adopting", stuck=True, since=old, limit=MOST_NUDGES)
    quiet = await figures.people("adopting", since=old, until=new, limit=MOST_NUDGES)
    rows = [_offered(offer, known.get(offer.customer_id)) for offer in offers]
    rows += [_nudge(p, "stuck", "a newcomer who asked the same again") for p in stuck]
    rows += [_nudge(p, "quiet", f"a newcomer, silent for {span(now - p.at)}") for p in quiet]
    once = {row["customer"] or row["subject"]: row for row in reversed(rows)}
    return [row for row in rows if once[row["customer"] or row["subject"]] is row][:MOST_NUDGES]


def _offered(offer: Offer, person: Person | None) -> Json:
    subject = person.subject if person else f"customer:{offer.customer_id}"
    known = person or Person(subject, None, offer.customer_id, "", offer.at)
    return _nudge(known, offer.kind, offer.reason) | {"at": offer.at}


def _nudge(person: Person, kind: str, reason: str) -> Json:
    return {
        "subject": person.subject,
        "customer": person.customer_id,
        "who": person.handle or person.customer_id or person.subject,
        "segment": person.segment,
        "kind": say(NUDGES, kind),
        "offered": kind in ("education", "onboarding_call"),
        "reason": reason,
        "at": person.at,
    }
