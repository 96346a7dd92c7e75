"""The read model: what the web page and the API read. Rebuilt from the topics at will."""

from listener.store.store import Store

__all__ = ["Store"]
