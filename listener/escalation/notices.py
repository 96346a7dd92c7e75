"""From one state to the next: what opens, changes, suppresses, acknowledges and resolves an alert.

Every function takes the thread whose alert it is and writes what it changed to `changes`. Waits are
kept in `thread.due`; `timers` fires them.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import msgspec

from listener.escalation.hours import after, elapsed
from listener.escalation.policy import Given
from listener.escalation.routes import Route, Traits, receivers_of, route_of, traits_of
from listener.escalation.state import RANK, RINGING, Changes, Thread
from listener.records import Alert, Priority


def begin(thread: Thread, alert: Alert, changes: Changes, given: Given) -> None:
    """A new cycle: pending for the group wait; a P1 opens at once."""
    thread.alert = alert
    alert = thread.alert = msgspec.structs.replace(alert, route=_name(_route(thread, given)))
    thread.told_at = thread.raised = thread.silenced_until = thread.draft = None
    thread.due = {}
    changes.alerts.append(alert)
    if alert.priority == "P1":
        show(thread, changes, given)
    else:
        thread.due["open"] = given.later(given.policy.timing.group_wait)


def show(thread: Thread, changes: Changes, given: Given) -> None:
    """Opens the alert, or suppresses it where something mutes it."""
    thread.due.pop("open", None)
    until = muted_until(thread, given)
    if until is not None:
        suppress(thread, changes, until)
    elif _alert(thread).acknowledged_at is not None:
        thread.due.pop("wake", None)
        changes.change(thread, state="acknowledged")
    else:
        ring(thread, changes, given, repeat=_missed(thread, given))


def ring(thread: Thread, changes: Changes, given: Given, *, repeat: int = 0, **more: Any) -> None:
    """Open, from now on: tells the receivers of its step, and says so again in time."""
    alert = _alert(thread)
    step = more.get("step", alert.step)
    told = _receivers(thread, given, step)
    changes.change(
        thread,
        state="reopened" if thread.relapse else "open",
        quiet=False,
        route=_name(_route(thread, given)),
        receivers=told,
        repeat=alert.repeat + repeat,
        **more,
    )
    if thread.told_at is None or repeat or more:
        thread.told_at = given.now
    interval = timedelta(seconds=given.policy.timing.repeat_interval)
    thread.due.pop("wake", None)
    if alert.kind != "opportunity":
        # An offer is said once: nobody waits for it.
        thread.due["repeat"] = thread.told_at + interval
        _await_next_step(thread, given)


def again(thread: Thread, changes: Changes, given: Given, *, at: datetime) -> None:
    """The repeat that was due `at`, and all that were due since: one notice, not a storm."""
    alert, timing = _alert(thread), given.policy.timing
    interval = timedelta(seconds=timing.repeat_interval)
    # Whatever else is due in between comes first, and may begin the interval anew.
    until = min([given.now, *(due - timedelta(microseconds=1) for due in thread.due.values())])
    times = min(1 + max((until - at) // interval, 0), timing.repeats - alert.repeat)
    if times > 0:
        thread.told_at = at + (times - 1) * interval
        thread.due["repeat"] = thread.told_at + interval
        told = _receivers(thread, given.at(thread.told_at), alert.step)
        changes.change(thread, by=times, repeat=alert.repeat + times, receivers=told)


def climb(thread: Thread, changes: Changes, given: Given) -> None:
    """Nobody acknowledged in time: the next step of the route."""
    ring(thread, changes, given, step=_alert(thread).step + 1)


def suppress(thread: Thread, changes: Changes, until: datetime) -> None:
    """Nobody is told until then."""
    for timer in ("open", "change", "repeat", "step"):
        thread.due.pop(timer, None)
    thread.due["wake"] = until
    if _alert(thread).state != "suppressed":
        changes.change(thread, state="suppressed")


def acknowledge(thread: Thread, changes: Changes, *, by: str, at: datetime, **more: Any) -> None:
    """Somebody has taken it on: no more repeats and steps. A raise that waited goes with it."""
    for timer in ("open", "change", "repeat", "step", "wake"):
        thread.due.pop(timer, None)
    thread.silenced_until = None
    quiet = thread.told_at is None
    changes.change(
        thread,
        state="acknowledged",
        acknowledged_by=by,
        acknowledged_at=at,
        quiet=quiet,
        **(_raised(thread) | more),
    )


def resolve(thread: Thread, changes: Changes, *, at: datetime) -> None:
    """The end of a cycle. Whoever was never told of it is not told of its end."""
    thread.due = {name: due for name, due in thread.due.items() if name == "expire"}
    thread.waiting_since = None
    thread.solved = True
    thread.silenced_until = thread.raised = None
    quiet = thread.told_at is None
    changes.change(thread, state="resolved", resolved_at=at, due_at=None, quiet=quiet)


def rise(thread: Thread, priority: Priority, changes: Changes, given: Given) -> None:
    """A higher priority. A P1 is told at once, another when the group interval has passed."""
    thread.raised = priority
    state = _alert(thread).state
    if state in ("pending", "suppressed"):
        _take(thread, changes, given)
        if priority == "P1":
            thread.silenced_until = None
        if priority == "P1" or state == "suppressed":
            show(thread, changes, given)
        return
    interval = timedelta(seconds=given.policy.timing.group_interval)
    free = thread.told_at + interval if thread.told_at else given.now
    if priority == "P1" or free <= given.now:
        announce(thread, changes, given)
    else:
        thread.due["change"] = free


def announce(thread: Thread, changes: Changes, given: Given) -> None:
    """A raise that has waited long enough: the alert rings anew, from the route's first step."""
    thread.due.pop("change", None)
    if thread.raised is None:
        return
    _take(thread, None, given)
    until = muted_until(thread, given)
    if until is not None:
        suppress(thread, changes, until)
    else:
        ring(thread, changes, given, step=0)


def restamp(thread: Thread, changes: Changes, given: Given) -> None:
    """The clock stopped or ran on: the alert's due time moves."""
    alert = _alert(thread)
    due = due_at(thread, alert.priority, given)
    if due != alert.due_at:
        changes.change(thread, due_at=due)
        if alert.state in RINGING:
            _await_next_step(thread, given)


def due_at(
    thread: Thread, priority: Priority, given: Given, *, opened: datetime | None = None
) -> datetime | None:
    """When the SLA breaks, in business time; None while the customer is awaited."""
    if thread.waiting_since is None:
        return None
    since = _since(thread, opened)
    left = given.policy.sla_minutes[priority] * 60 - thread.spent
    return after(since, left, given.policy.hours, priority)


def pause(thread: Thread, at: datetime, given: Given) -> None:
    """The brand has answered: the customer is awaited, unless they have written since."""
    if thread.waiting_since is not None:
        hours, priority = given.policy.hours, _priority(thread)
        thread.spent += elapsed(_since(thread, None), at, hours, priority)
    thread.waiting_since = thread.last if thread.last > at else None
    thread.due.pop("breach", None)


def _since(thread: Thread, opened: datetime | None) -> datetime:
    """The alert's clock runs from its opening at the earliest."""
    assert thread.waiting_since is not None
    opened = opened or (thread.alert.opened_at if thread.standing and thread.alert else None)
    return max(thread.waiting_since, opened) if opened else thread.waiting_since


def _priority(thread: Thread) -> Priority:
    return thread.alert.priority if thread.alert else "P3"


def muted_until(thread: Thread, given: Given) -> datetime | None:
    """Until when nobody is to be told, if so: a silence, or an incident that says it already."""
    if thread.silenced_until is not None and given.now < thread.silenced_until:
        return thread.silenced_until
    traits = _traits(thread)
    ends = [
        silence.until
        for silence in given.policy.silences
        if (silence.starts is None or silence.starts <= given.now)
        and given.now < silence.until
        and silence.match.fits(traits)
    ]
    if ends:
        return max(ends)
    inhibited = given.policy.inhibit and traits.kind == "trouble" and traits.priority == "P3"
    if inhibited and (traits.brand, traits.issue) in given.incidents:
        return given.later(given.policy.timing.group_interval)
    return None


def _take(thread: Thread, changes: Changes | None, given: Given) -> None:
    """The raise that waited; with `changes` None it is published with what follows."""
    fields = _raised(thread)
    due = due_at(thread, fields.get("priority", _alert(thread).priority), given)
    by = 1 if changes is not None else 0
    (changes or Changes()).change(
        thread, by=by, due_at=due, acknowledged_by=None, acknowledged_at=None, **fields
    )


def _raised(thread: Thread) -> dict[str, Any]:
    """The field of a raise that waits, which is then done."""
    raised, thread.raised = thread.raised, None
    if raised is None or RANK[raised] <= RANK[_alert(thread).priority]:
        return {}
    return {"priority": raised}


def _missed(thread: Thread, given: Given) -> int:
    """Repeats that a silence swallowed."""
    if thread.told_at is None:
        return 0
    interval = timedelta(seconds=given.policy.timing.repeat_interval)
    left = given.policy.timing.repeats - _alert(thread).repeat
    return max(min((given.now - thread.told_at) // interval, left), 0)


def _await_next_step(thread: Thread, given: Given) -> None:
    thread.due.pop("step", None)
    alert, route = _alert(thread), _route(thread, given)
    if route is None or alert.step + 1 >= len(route.steps):
        return
    minutes = route.steps[alert.step].wait_minutes
    if minutes is not None:
        thread.due["step"] = given.later(minutes * 60)
    elif alert.due_at is not None:
        # Past its due time each further step waits a target's length again.
        late = after(
            given.now,
            given.policy.sla_minutes[alert.priority] * 60,
            given.policy.hours,
            alert.priority,
        )
        thread.due["step"] = alert.due_at if alert.due_at > given.now else late


def _receivers(thread: Thread, given: Given, step: int) -> tuple[str, ...]:
    route = _route(thread, given)
    if route is None:
        return ()
    chosen = route.steps[min(step, len(route.steps) - 1)]
    return receivers_of(chosen, given.policy.schedules, given.now)


def _route(thread: Thread, given: Given) -> Route | None:
    return route_of(given.policy.routes, _traits(thread))


def _name(route: Route | None) -> str | None:
    return route.name if route else None


def _traits(thread: Thread) -> Traits:
    return traits_of(_alert(thread), channel=thread.channel, segment=thread.segment)


def _alert(thread: Thread) -> Alert:
    assert thread.alert is not None
    return thread.alert
