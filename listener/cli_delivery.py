"""The commands `listener receivers …` and `listener digest`."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime, timedelta
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from listener.errors import DeliveryError, InputError
from listener.logs import set_up
from listener.policy import Policy, load_policy
from listener.records import Digest
from listener.settings import Settings, load_settings

out = Console()
receivers_app = typer.Typer(help="Who is told of alerts.", no_args_is_help=True)


def _start() -> tuple[Settings, Policy]:
    settings = load_settings()
    set_up(settings.log_level)
    return settings, load_policy(settings.policy)


@receivers_app.command("list")
def receivers_list() -> None:
    """List the receivers and what is wrong with their settings; exit code 1 if anything is."""
    settings, policy = _start()
    from listener.delivery import receiver_faults

    table = Table("receiver", "sink")
    if settings.webhook_url is not None:
        table.add_row("webhook", "webhook (LISTENER_WEBHOOK_URL)")
    if settings.alerts_file is not None:
        table.add_row("file", "file (LISTENER_ALERTS_FILE)")
    for name, entry in policy.receivers.items():
        table.add_row(name, str(entry.__struct_config__.tag))
    out.print(table)
    faults = receiver_faults(settings, policy)
    for fault in faults:
        out.print(f"[red]✗[/] {fault}", highlight=False, soft_wrap=True)
    if faults:
        raise typer.Exit(1)


@receivers_app.command("test")
def receivers_test(
    name: Annotated[str, typer.Argument(help="Name of the receiver in the policy.")],
) -> None:
    """Send one test notice, and its end, to a receiver."""
    settings, policy = _start()
    from listener.delivery import build_sinks

    sinks = {sink.name: sink for sink in build_sinks(settings, policy)}
    if name not in sinks:
        raise InputError(f"{name}: no such receiver; one of {', '.join(sinks) or 'none'}")

    async def send() -> None:
        from listener.delivery import trial_notice

        sink = sinks[name]
        opened = trial_notice(datetime.now(UTC))
        ended = msgspec.structs.replace(
            opened, state="resolved", version=2, resolved_at=datetime.now(UTC)
        )
        try:
            ref = await sink.send(opened, key=opened.notice_id)
            await sink.send(ended, key=ended.notice_id, ref=ref)
        finally:
            await sink.close()

    try:
        asyncio.run(send())
    except DeliveryError as error:
        raise InputError(f"receivers.{name}: {error}; mend its entry or the destination") from None
    out.print(f"{name} took a test notice and its end", highlight=False)


def digest(
    day: Annotated[
        str | None, typer.Option(help="Day on which it ends, YYYY-MM-DD; none: the newest.")
    ] = None,
    send: Annotated[
        bool, typer.Option("--send", help="Send it to the digest's receivers.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON for a script.")] = False,
) -> None:
    """Sum up a day's complaints that raised no alert; for cron, with --send."""
    settings, policy = _start()
    from listener.reporting import make_digest, send_digest

    now = _end_of(day, policy)
    found = asyncio.run(make_digest(settings, policy, now=now))
    if json:
        typer.echo(msgspec.json.encode(found).decode())
    else:
        _show(found)
    if send:
        faults = asyncio.run(send_digest(settings, policy, found))
        for fault in faults:
            out.print(f"[red]✗[/] {fault}", highlight=False, soft_wrap=True)
        if faults:
            raise typer.Exit(1)


def _end_of(day: str | None, policy: Policy) -> datetime:
    now = datetime.now(UTC)
    if day is None:
        return now
    from listener.reporting import day_of

    try:
        chosen = date.fromisoformat(day)
    except ValueError:
        raise InputError(f"--day {day}: not a date; give YYYY-MM-DD") from None
    _, end = day_of(policy, now)
    return datetime.combine(chosen, end.timetz()) + timedelta(seconds=1)


def _show(found: Digest) -> None:
    from listener.sinks.wording import digest_headline, digest_standing

    out.print(digest_headline(found), highlight=False)
    out.print(digest_standing(found), highlight=False)
    table = Table("complaints", "brand", "issue", "examples")
    for line in found.lines:
        examples = "\n".join(line.examples)
        table.add_row(str(line.count), line.brand or "–", line.issue, examples)
    out.print(table)
