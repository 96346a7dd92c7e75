"""Which known customer wrote a message: exact evidence (T0 to T2), what people said, and T3."""

from listener.identity.blocking import blocks_of
from listener.identity.identifiers import identities_of, key_of, parse_key, tier_of
from listener.identity.manual import ManualState, apply, forget, identities_for
from listener.identity.match import Sender, link, link_of, relinked, subject_of
from listener.identity.policy import LinkPolicy
from listener.identity.probable import Guesser, guesser
from listener.identity.weights import Weights, packaged

__all__ = [
    "Guesser",
    "LinkPolicy",
    "ManualState",
    "Sender",
    "Weights",
    "apply",
    "blocks_of",
    "forget",
    "guesser",
    "identities_for",
    "identities_of",
    "key_of",
    "link",
    "link_of",
    "packaged",
    "parse_key",
    "relinked",
    "subject_of",
    "tier_of",
]
