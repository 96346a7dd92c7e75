"""Which message wakes a person, and what becomes of it (definitions §3)."""

from listener.escalation.lifecycle import SubjectState, act, escalate
from listener.escalation.policy import EscalationPolicy
from listener.escalation.score import Score, score

__all__ = ["EscalationPolicy", "Score", "SubjectState", "act", "escalate", "score"]
