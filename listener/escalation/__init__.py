"""Which message wakes a person, and what becomes of it (definitions §3)."""

from listener.escalation.actions import act
from listener.escalation.andon import strike
from listener.escalation.belonging import belong
from listener.escalation.conversations import answer
from listener.escalation.forgetting import redact
from listener.escalation.lifecycle import hear
from listener.escalation.moves import arrive
from listener.escalation.policy import EscalationPolicy, Given
from listener.escalation.relinking import Resolve, relink
from listener.escalation.score import Score, score
from listener.escalation.state import Changes, SubjectState
from listener.escalation.timers import next_due, tick
from listener.escalation.waiting import broke_sla

__all__ = [
    "Changes",
    "EscalationPolicy",
    "Given",
    "Resolve",
    "Score",
    "SubjectState",
    "act",
    "answer",
    "arrive",
    "belong",
    "broke_sla",
    "hear",
    "next_due",
    "redact",
    "relink",
    "score",
    "strike",
    "tick",
]
