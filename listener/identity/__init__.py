"""Which known customer wrote a message: exact evidence only, tiers T0 to T2."""

from listener.identity.identifiers import identities_of
from listener.identity.match import LinkPolicy, link, subject_of

__all__ = ["LinkPolicy", "identities_of", "link", "subject_of"]
