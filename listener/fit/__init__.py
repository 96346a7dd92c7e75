"""How well the customers that a segment brought can play their part (definitions §5)."""

from listener.fit.events import CustomerState, evidence_of
from listener.fit.policy import FitPolicy, band_of
from listener.fit.rates import SegmentState, observe, signals
from listener.fit.stages import stage_of

__all__ = [
    "CustomerState",
    "FitPolicy",
    "SegmentState",
    "band_of",
    "evidence_of",
    "observe",
    "signals",
    "stage_of",
]
