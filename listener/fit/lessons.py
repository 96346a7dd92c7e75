"""What it costs us that customers cannot work it out: the agents' messages on their questions."""

from __future__ import annotations

from typing import Final

import msgspec

from listener.fit.events import CustomerState, Lesson, forget, shown
from listener.fit.policy import EFFORT, MESSAGES, FitPolicy
from listener.records import FitEvidence, Linked, Reply

LESSONS: Final = 10
MENTIONS: Final = 20
"""Messages of one thread that are remembered."""


def ask(linked: Linked, state: CustomerState, policy: FitPolicy, *, breached: bool) -> bool:
    """Whether a message is a question how, or goes on with one, so that our answers to it are to
    be counted. To be called before the message is taken in."""
    mention, labels, standing = linked.mention, linked.judgement.labels, linked.standing
    if labels is None or standing is None or mention.from_brand or breached:
        return False
    forget(state, policy, now=mention.event_time)
    before = {mention.parent, mention.root}
    for lesson in state.lessons:
        if before.intersection(lesson.mentions):
            _go_on(lesson, mention.mention_id)
            return True
    question = shown(linked, labels, standing, "learning_difficulty", state)
    if question.quality < policy.min_quality:
        return False
    state.lessons = [*state.lessons, Lesson(question, [mention.mention_id])][-LESSONS:]
    return True


def answered(reply: Reply, state: CustomerState, policy: FitPolicy) -> list[FitEvidence]:
    """An agent has answered: a message of ours, and once in 72 hours for each issue an event of its
    customer. Both are of the time of the question, whose incident and tenure count."""
    forget(state, policy, now=reply.at)
    lesson = next((one for one in state.lessons if reply.answers in one.mentions), None)
    if lesson is None or reply.mention_id in lesson.mentions:
        return []
    _go_on(lesson, reply.mention_id)
    key = f"{EFFORT}:{lesson.question.issue}"
    kinds = [MESSAGES] if key in state.events else [MESSAGES, EFFORT]
    state.events.setdefault(key, reply.at)
    return [msgspec.structs.replace(lesson.question, dimension=kind) for kind in kinds]


def _go_on(lesson: Lesson, mention_id: str) -> None:
    lesson.mentions = [*lesson.mentions, mention_id][-MENTIONS:]
