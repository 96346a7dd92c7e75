"""Where messages of an author are: with customers whom they are linked to, too.

A customer's state tells each author once; the author's own state remembers, and sends on there what
is to be forgotten.
"""

from __future__ import annotations

from typing import Final

from listener.escalation.state import Changes, SubjectState
from listener.records import Belongs, Gone, Linked

WRITERS: Final = 64
UNDER: Final = 16


def whereabouts(linked: Linked, state: SubjectState) -> list[Belongs]:
    """What an author must know whose first message this is in another one's state."""
    author = linked.mention.author_key
    if author == linked.subject or author in state.writers:
        return []
    state.writers = [*state.writers, author][-WRITERS:]
    return [Belongs(subject=author, customer=linked.subject, at=linked.mention.observed_at)]


def belong(record: Belongs, state: SubjectState) -> Changes:
    """The author learns of it; whoever is to be forgotten is forgotten there at once."""
    changes = Changes()
    if state.forgotten is not None and record.at <= state.forgotten:
        changes.gone.append(
            Gone(subject=record.customer, author=record.subject, at=state.forgotten)
        )
    elif record.customer not in state.under:
        state.under = [*state.under, record.customer][-UNDER:]
    return changes
