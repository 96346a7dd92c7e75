"""The label space, in the codebook's order."""

from __future__ import annotations

from typing import Final, get_args

from listener.records import Issue, Sentiment

SENTIMENTS: Final[tuple[Sentiment, ...]] = get_args(Sentiment)
ISSUES: Final[tuple[Issue, ...]] = get_args(Issue)
GRADES: Final = 5
FLAGS: Final = (
    "request",
    "howto",
    "unwilling",
    "mismatch",
    "success",
    "advocacy",
    "churn",
    "purchase",
    "repeat",
    "safety",
    "legal",
    "privacy",
    "sarcasm",
    "spam",
)

HEADS: Final[dict[str, int]] = {
    "sentiment": len(SENTIMENTS),
    "complaint": 1,
    "severity": GRADES,
    "issue": len(ISSUES),
    "flags": len(FLAGS),
}
"""Head → number of logits. `complaint` and `flags` are independent (sigmoid), the rest softmax."""

SOFTMAX: Final = ("sentiment", "severity", "issue")
