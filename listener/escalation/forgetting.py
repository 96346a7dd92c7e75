"""A message was deleted at its source: its text goes, the alert's state stays (definitions §6)."""

from __future__ import annotations

from listener.escalation.state import Changes, SubjectState, Thread
from listener.records import Gone

_TIMERS = ("open", "change", "repeat", "step", "wake")


def redact(gone: Gone, state: SubjectState) -> Changes:
    """Takes the text out of alerts; one that has nothing else to stand on is told to nobody."""
    changes = Changes()
    for book in state.books():
        book.loose = [one for one in book.loose if gone.mention_id not in (None, one.mention_id)]
        for thread in book.threads.values():
            _redact(thread, gone.mention_id, changes)
    return changes


def _redact(thread: Thread, mention_id: str | None, changes: Changes) -> None:
    if thread.draft is not None and mention_id in (None, thread.draft.evidence[-1]):
        thread.draft = None
        thread.due.pop("breach", None)
    alert = thread.alert
    if alert is None or (mention_id is not None and mention_id not in alert.evidence):
        return
    kept = tuple(i for i in alert.evidence if mention_id is not None and i != mention_id)
    shown = mention_id is not None and thread.quoted != mention_id
    if not kept and alert.kind != "andon":
        thread.due = {name: at for name, at in thread.due.items() if name not in _TIMERS}
    changes.change(
        thread,
        evidence=kept,
        snippet=alert.snippet if shown else None,
        permalink=alert.permalink if shown else None,
        redacted=not kept and alert.kind != "andon",
    )
