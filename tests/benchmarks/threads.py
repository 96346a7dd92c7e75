"""What becomes of alerts in real support threads: `python -m tests.benchmarks.threads FILE.jsonl`.

Plays the file through normalise, the packaged model, link and escalation in process, and prints
figures; `--sample N` prints sampled alerts with their texts, to be read and never to be committed.
"""

from __future__ import annotations

import argparse
import json
import random
from collections import Counter, defaultdict
from pathlib import Path

from listener.escalation import EscalationPolicy
from listener.past import dump, from_file, from_raw
from listener.policy import Policy, load_policy
from listener.records import Alert, Linked
from listener.rehearsal import Rehearsal, notices
from listener.sources.brands import BrandNames
from models.load import load


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("file", type=Path)
    parser.add_argument("--format", default="threads", help="or `linked`, what --keep wrote")
    parser.add_argument("--raw", type=Path, help="of linked messages: the file they are from")
    parser.add_argument("--policy", type=Path)
    parser.add_argument("--keep", type=Path, help="file for the judged messages, to play again")
    parser.add_argument("--sample", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    policy = (
        load_policy(options.policy) if options.policy else accounts(options.raw or options.file)
    )
    if options.format == "linked":
        messages = from_file(options.file)
    else:
        judge = load(threads=1)
        messages = from_raw(options.file, format=options.format, policy=policy, judge=judge)
    if options.keep:
        options.keep.write_bytes(b"\n".join(dump(messages)))
    play = Rehearsal(policy)
    for linked in messages:
        play.feed(linked)
    alerts = [alert for _, alert in play.published]
    figures(alerts, messages, notices=len(notices(play.published)))
    if options.sample:
        show(alerts, messages, count=options.sample, seed=options.seed)


def accounts(path: Path) -> Policy:
    """Every account that answers in the file is a brand of ours."""
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    names = sorted({line["author"] for line in lines if line.get("from_brand")})
    return Policy(
        brands=tuple(BrandNames(name=name, handles=(f"@{name}",)) for name in names),
        # Unlike most public streams the file has the brands' answers.
        escalation=EscalationPolicy(answered_channels=("public",)),
    )


def figures(alerts: list[Alert], messages: list[Linked], *, notices: int) -> None:
    cycles: dict[tuple[str, int], list[Alert]] = defaultdict(list)
    for alert in alerts:
        cycles[alert.alert_id, alert.cycle].append(alert)
    kinds = Counter(c[0].kind for c in cycles.values())
    trouble = [c for c in cycles.values() if c[0].kind == "trouble"]
    print(f"{len(messages)} messages, {sum(m.mention.from_brand for m in messages)} of the brands")
    print(f"{len(cycles)} alerts: {dict(kinds)}; {notices} notices")
    print("priority at the end:", dict(Counter(c[-1].priority for c in trouble)))
    share("acknowledged by an answer", trouble, "acknowledged")
    share("resolved by the customer's word", trouble, "resolved")
    share("told before that", trouble, "open")
    print("state at the end:", dict(Counter(c[-1].state for c in trouble)))
    due = [c for c in trouble if c[-1].acknowledged_at]
    waits = sorted((c[-1].acknowledged_at - c[0].opened_at).total_seconds() / 60 for c in due)  # type: ignore[operator]  # it is there
    if waits:
        print(f"minutes to the answer: median {waits[len(waits) // 2]:.0f}")


def share(what: str, cycles: list[list[Alert]], state: str) -> None:
    count = sum(any(a.state == state for a in cycle) for cycle in cycles)
    print(f"{what}: {count} of {len(cycles)} ({count / max(len(cycles), 1):.0%})")


def show(alerts: list[Alert], messages: list[Linked], *, count: int, seed: int) -> None:
    texts = {m.mention.mention_id: m.mention.text for m in messages}
    last = {(a.alert_id, a.cycle): a for a in alerts if a.kind != "andon"}
    keys = sorted(last)
    for key in random.Random(seed).sample(keys, min(count, len(keys))):
        alert = last[key]
        reasons = ", ".join(f"{r.code} {r.contribution:.2f}" for r in alert.reasons)
        print(f"\n[{alert.kind} {alert.priority} {alert.issue} → {alert.state}] {reasons}")
        for identifier in alert.evidence:
            print(f"   {texts[identifier]}")


if __name__ == "__main__":
    main()
