"""What the hard rules' condition saves and loses on annotated messages.

`python -m tests.benchmarks.hard_rules FILE.jsonl …` (texts with the codebook's labels). A true case
has the flag, is about a product, service or organisation, and its author complains or asks for
something and is not glad.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from listener.escalation import EscalationPolicy, score
from listener.escalation.policy import HardRule
from listener.escalation.score import Facts
from listener.model import load_model
from listener.policy import Policy
from listener.records import Judgement
from listener.settings import load_settings
from tests.worlds import linked

BATCH = 64
NOW = EscalationPolicy()
BARE = msgspec.structs.replace(
    NOW, hard_rules={flag: HardRule(complaint=0.0, positive=1.1) for flag in NOW.hard_rules}
)
Row = dict[str, Any]


def main() -> None:
    texts = [Path(name).read_text(encoding="utf-8") for name in sys.argv[1:]]
    rows = [json.loads(line) for text in texts for line in text.split("\n") if line]
    counts: Counter[str] = Counter()
    for row, judgement in judged(rows):
        before, after = fired(judgement, BARE), fired(judgement, NOW)
        for flag in before:
            kind = "true" if true(row, flag) else "false"
            counts[f"flag alone: {kind}"] += 1
            counts[f"with the condition: {kind}"] += flag in after
    for name, count in sorted(counts.items()):
        print(f"{name} {count}")
    golden = [(r, f) for r in rows for f in NOW.hard_rules if f in r["flags"] and about(r)]
    lost = sum(not meets(row) for row, _ in golden)
    print(f"by the annotators' labels: {len(golden)} flags, {lost} of them without the condition")


def judged(rows: list[Row]) -> Iterator[tuple[Row, Judgement]]:
    judge = load_model(load_settings(), Policy())
    for start in range(0, len(rows), BATCH):
        part = rows[start : start + BATCH]
        found = judge.judge([r["text"] for r in part], ["en"] * len(part))
        yield from zip(part, found, strict=True)


def fired(judgement: Judgement, policy: EscalationPolicy) -> set[str]:
    message = msgspec.structs.replace(linked(channel="support"), judgement=judgement)
    found = score(message, Facts(), policy)
    return {reason.code for reason in found.reasons} & set(policy.hard_rules)


def about(row: Row) -> bool:
    return bool(row["issue"] != "none")


def meets(row: Row) -> bool:
    """The condition, of labels that are certain."""
    troubled = row["complaint"] == 1 or "request" in row["flags"] or row["sentiment"] == "neg"
    return bool(troubled and row["sentiment"] != "pos")


def true(row: Row, flag: str) -> bool:
    troubled = row["complaint"] == 1 or "request" in row["flags"]
    return flag in row["flags"] and about(row) and troubled and row["sentiment"] != "pos"


if __name__ == "__main__":
    main()
