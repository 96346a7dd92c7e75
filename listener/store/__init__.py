"""The read model: what the web page and the API read. Rebuilt from the topics at will."""

from sqlalchemy.exc import TimeoutError as StoreBusy

from listener.store.alerts import AlertFilter, FoundAlert
from listener.store.cursors import Page
from listener.store.forgetting import Retention
from listener.store.mentions import MentionFilter
from listener.store.rows import AlertGone, Received
from listener.store.store import Store

__all__ = [
    "AlertFilter",
    "AlertGone",
    "FoundAlert",
    "MentionFilter",
    "Page",
    "Received",
    "Retention",
    "Store",
    "StoreBusy",
]
