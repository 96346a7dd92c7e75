"""Which known customer wrote a message: exact evidence (T0 to T2), what people said, and T3."""

from listener.identity.blocking import blocks_of
from listener.identity.identifiers import identities_of, key_of, parse_key, tier_of
from listener.identity.manual import ManualState, apply, forget, identities_for, prove
from listener.identity.match import Sender, link, link_of, relinked, subject_of
from listener.identity.policy import LinkPolicy, ProofPolicy, may_look
from listener.identity.probable import Guesser, guesser
from listener.identity.proof import proof_of
from listener.identity.weights import Weights, packaged

__all__ = [
    "Guesser",
    "LinkPolicy",
    "ManualState",
    "ProofPolicy",
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
    "may_look",
    "packaged",
    "parse_key",
    "proof_of",
    "prove",
    "relinked",
    "subject_of",
    "tier_of",
]
