"""What a person, or a desk's event, does with an alert. What makes no sense is refused whole."""

from __future__ import annotations

from typing import Final, NoReturn

from listener.errors import InvalidMessage
from listener.escalation import notices
from listener.escalation.moves import part
from listener.escalation.policy import Given
from listener.escalation.state import STANDING, Changes, SubjectState, Thread
from listener.records import Action

REMEMBERED: Final = 8
_ALLOWED: Final[dict[str, tuple[str, ...]]] = {
    "acknowledge": ("pending", "open", "reopened", "suppressed"),
    "resolve": STANDING,
    "wrong": STANDING,
    "silence": STANDING,
    "assign": STANDING,
    "link": (*STANDING, "resolved", "expired"),
    "unlink": (*STANDING, "resolved", "expired"),
}


def act(action: Action, state: SubjectState, given: Given) -> Changes:
    """Raises InvalidMessage before anything has changed. The same action again changes nothing."""
    thread = state.alert(action.alert_id)
    if thread is None:
        _refuse(f"{action.subject} has no alert {action.alert_id}", "$.alert_id")
    if action.action_id in thread.actions:
        return Changes()
    _check(action, thread)
    changes = Changes()
    if action.kind in ("link", "unlink"):
        part(action, state, thread, changes)
    else:
        _done(action, thread, changes, given)
    thread.actions = [*thread.actions, action.action_id][-REMEMBERED:]
    return changes


def _check(action: Action, thread: Thread) -> None:
    assert thread.alert is not None
    state = thread.alert.state
    if state not in _ALLOWED[action.kind]:
        _refuse(f"{action.kind}: the alert is {state}", "$.kind")
    if action.kind == "assign" and not action.assignee:
        _refuse("assign: to whom?", "$.assignee")
    if action.kind == "silence" and (action.until is None or action.until.tzinfo is None):
        _refuse("silence: until when? Give a time with a zone", "$.until")
    if action.kind in ("link", "unlink") and not action.customer_id:
        _refuse(f"{action.kind}: which customer?", "$.customer_id")


def _done(action: Action, thread: Thread, changes: Changes, given: Given) -> None:
    if action.kind == "acknowledge":
        notices.acknowledge(thread, changes, by=action.actor, at=action.at)
    elif action.kind in ("resolve", "wrong"):
        notices.resolve(thread, changes, at=action.at)
    elif action.kind == "assign":
        changes.change(thread, assignee=action.assignee)
    elif action.until is not None and action.until > given.now:
        thread.silenced_until = action.until
        notices.suppress(thread, changes, action.until)
    else:
        _refuse(f"silence: {action.until} is over", "$.until")


def _refuse(reason: str, field: str) -> NoReturn:
    raise InvalidMessage(reason, field=field)
