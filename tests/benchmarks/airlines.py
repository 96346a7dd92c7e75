"""`python -m tests.benchmarks.airlines FILE [EVIDENCE]`: real posts to six airlines through the
rules, without a broker (docs/brand.md). EVIDENCE keeps what the model said, for the next time."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from listener.brand import BrandPolicy, BrandState, observe, weigh
from listener.records import BrandEvidence, BrandRisk, Burst, Incident, Linked
from listener.sources import FORMATS
from listener.sources.brands import BrandNames
from listener.sources.files import read_records
from listener.sources.prepare import Preparer
from models.load import load

HANDLES = {
    "Virgin America": "@VirginAmerica",
    "United": "@united",
    "Southwest": "@SouthwestAir",
    "JetBlue": "@JetBlue",
    "US Airways": "@USAirways",
    "American": "@AmericanAir",
}
POLICY = BrandPolicy(
    timezone="America/New_York",
    competitors={name: tuple(n for n in HANDLES if n != name) for name in HANDLES},
)
BATCH = 256


def main() -> None:
    file, *rest = map(Path, sys.argv[1:])
    kept = rest[0] if rest else None
    if kept is not None and kept.exists():
        parts = msgspec.json.Decoder(BrandEvidence).decode_lines(kept.read_bytes())
    else:
        parts = list(evidence(file))
        if kept is not None:
            kept.write_bytes(msgspec.json.Encoder().encode_lines(parts))
    parts.sort(key=lambda part: part.event_time)
    for brand in HANDLES:
        report(brand, [p for p in parts if p.brand == brand])


def evidence(file: Path) -> Iterator[BrandEvidence]:
    """Normalised, judged by the packaged model, weighed."""
    parse, judge = FORMATS["airlines"], load(threads=2)
    prepare = Preparer([BrandNames(name=n, handles=(h,)) for n, h in HANDLES.items()]).prepare
    mentions = [
        prepare(mention)
        for record in read_records(file)
        if not hasattr(mention := parse(record.value, observed_at=record.at), "reason")
    ]
    for start in range(0, len(mentions), BATCH):
        batch = mentions[start : start + BATCH]
        judgements = judge.judge([m.text for m in batch], [m.lang for m in batch])
        for mention, judgement in zip(batch, judgements, strict=True):
            linked = Linked(mention=mention, judgement=judgement, subject=mention.author_key)
            yield from weigh(linked, POLICY)


def report(brand: str, parts: Iterable[BrandEvidence]) -> None:
    state, told = BrandState(), list[BrandRisk]()
    for part in parts:
        told += observe(part, state, POLICY)
    bursts: dict[object, Burst] = {}
    incidents: dict[str, Incident] = {}
    for figure in told:
        for channel in figure.channels.values():
            if channel.burst:
                bursts[channel.burst.found_at] = channel.burst
            if channel.incident:
                incidents[channel.incident.incident_id] = channel.incident
    highest = max(told, key=lambda figure: figure.brand_risk)
    print(f"\n## {brand}: {state.seen} parts, {len(told)} figures, late {state.late}")
    print(f"highest risk {highest.brand_risk} at {highest.at:%d %b %H:%M}, burn {highest.burn}")
    print(f"last share of voice {told[-1].share_of_voice.get(brand)}; leak "
          f"{max(f.channels['public'].leak for f in told if 'public' in f.channels)}; state "
          f"{len(msgspec.json.encode(state)) / 1000:.0f} kB")  # fmt: skip
    lasting = [f.burn["3d"] for f in told if f.baseline_days >= POLICY.ticket_history_days]
    print(f"highest burn of 3 d after a week {max(lasting, default=0)}")
    for burst in bursts.values():
        print(f"burst  {span(burst)}, found {burst.found_at:%d %b %H:%M}, peak {burst.peak}")
    for incident in incidents.values():
        print(f"{incident.kind} {span(incident)}, found {incident.found_at:%d %b %H:%M}, "
              f"peak burn {incident.peak_burn}")  # fmt: skip
        if (grounds := incident.grounds) is not None:
            issues = ", ".join(f"{i.issue} {i.count} ({i.usual})" for i in grounds.issues)
            print(f"  {issues}; duplicates {grounds.duplicate}; samples "
                  f"{len(grounds.samples)}, first {grounds.first_mention}")  # fmt: skip


def span(episode: Burst | Incident) -> str:
    end = f"{episode.ended_at:%d %b %H:%M}" if episode.ended_at else "open"
    return f"{episode.started_at:%d %b %H:%M} to {end}"


if __name__ == "__main__":
    main()
