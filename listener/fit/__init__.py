"""How well the customers that a segment brought can play their part (definitions §5)."""

from listener.fit.events import CustomerState, asked_again, evidence_of
from listener.fit.index import indices
from listener.fit.learn import Heard, learn
from listener.fit.lessons import answered
from listener.fit.offers import Offers, offer
from listener.fit.policy import FitPolicy, band_of
from listener.fit.rates import signals
from listener.fit.segments import SegmentState, due, excuse, know, observe
from listener.fit.stages import Life, live, stage_of

__all__ = [
    "CustomerState",
    "FitPolicy",
    "Heard",
    "Life",
    "Offers",
    "SegmentState",
    "answered",
    "asked_again",
    "band_of",
    "due",
    "evidence_of",
    "excuse",
    "indices",
    "know",
    "learn",
    "live",
    "observe",
    "offer",
    "signals",
    "stage_of",
]
