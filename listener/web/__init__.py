"""The live page: inbox, brand, fit, mentions, health, and the API under them."""

from listener.web.app import create_app
from listener.web.events import Change, Hub
from listener.web.identity import Access, read_tokens
from listener.web.site import Site

__all__ = ["Access", "Change", "Hub", "Site", "create_app", "read_tokens"]
