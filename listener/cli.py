"""The command `listener`."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import typer
import uvloop
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from listener import __version__, records
from listener.cli_delivery import digest, receivers_app
from listener.errors import InputError, ListenerError
from listener.logs import set_up
from listener.policy import Policy, load_policy
from listener.settings import Settings, load_settings

EXIT_USER = 2
"""Exit code of a mistake that the user can mend."""

app = typer.Typer(
    help="Hears what customers say and tells the right team in time.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
topics_app = typer.Typer(help="Make and check the topics.", no_args_is_help=True)
letters_app = typer.Typer(help="What no hop could process.", no_args_is_help=True)
customers_app = typer.Typer(help="The customer directory.", no_args_is_help=True)
model_app = typer.Typer(help="Train and export the model.", no_args_is_help=True)
web_app = typer.Typer(help="Run the live page over the read model.")
app.add_typer(web_app, name="web")
app.add_typer(topics_app, name="topics")
app.add_typer(letters_app, name="dead-letters")
app.add_typer(customers_app, name="customers")
app.add_typer(model_app, name="model")
app.add_typer(receivers_app, name="receivers")
app.command()(digest)
fit_app = typer.Typer(help="How well customers fit, by where they came from.", no_args_is_help=True)
app.add_typer(fit_app, name="fit")

out = Console()
Json = Annotated[bool, typer.Option("--json", help="Print JSON for a script.")]


def main() -> None:
    """Runs the command; a mistake that a person can mend is one line, not a traceback."""
    try:
        app()
    except ListenerError as error:
        Console(stderr=True).print(f"[red]error:[/red] {error}", highlight=False, soft_wrap=True)
        sys.exit(EXIT_USER)
    except KeyboardInterrupt:
        sys.exit(130)


def _start() -> tuple[Settings, Policy]:
    settings = load_settings()
    set_up(settings.log_level)
    return settings, load_policy(settings.policy)


def _run(work: Coroutine[Any, Any, Any]) -> Any:
    # Half of a worker's own time is the event loop's, and uvloop's is the cheaper one.
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)


@app.command()
def demo(
    port: Annotated[int, typer.Option(help="Port of the page.")] = 8080,
    speed: Annotated[float, typer.Option(help="Simulated seconds a second.")] = 1200.0,
) -> None:
    """Run everything here: broker, worker, page and three days of a fictional brand."""
    from listener.demo.run import run_demo

    load_settings()
    run_demo(port=port, speed=speed, say=lambda text: out.print(text, highlight=False))


@app.command()
def worker(
    announce: Annotated[bool, typer.Option(help="Print `ready` once every hop reads.")] = False,
) -> None:
    """Run one worker: every hop from raw posts to alerts, brand risk and fit signals."""
    settings, policy = _start()
    from listener.worker import run_worker

    def ready() -> None:
        if announce:
            typer.echo("ready")
            sys.stdout.flush()

    sys.exit(_run(run_worker(settings, policy, ready=ready)))


@web_app.callback(invoke_without_command=True)
def web(context: typer.Context) -> None:
    """Run the live page over the read model."""
    if context.invoked_subcommand is not None:
        return
    settings, policy = _start()
    from listener.page import serve_page

    _run(serve_page(settings, policy, ready=lambda url: out.print(f"Page at {url}")))


@web_app.command("rebuild")
def web_rebuild() -> None:
    """Empty the read model; the page fills it again from the topics."""
    settings, _ = _start()
    from listener.page import rebuild

    _run(rebuild(settings))
    out.print("Emptied; `listener web` reads the topics from their beginning", highlight=False)


@web_app.command("token")
def web_token(name: str, role: str = "support") -> None:
    """Make a token for a person or a script, and its line for LISTENER_WEB_TOKENS."""
    import hashlib
    import secrets

    from listener.web.identity import ROLES

    if role not in ROLES or ":" in name or "," in name:
        raise InputError(
            f"{name} {role}: a name without `:` and `,`, and one of {', '.join(ROLES)}"
        )
    token = secrets.token_urlsafe(24)
    digest = hashlib.sha256(token.encode()).hexdigest()
    out.print(f"token (shown once): {token}", highlight=False, soft_wrap=True)
    out.print(f"LISTENER_WEB_TOKENS: {name}:{role}:{digest}", highlight=False, soft_wrap=True)


@app.command()
def broker(
    port: Annotated[int, typer.Option(help="Port to listen on; 0: any free one.")] = 9092,
) -> None:
    """Run the embedded broker. It keeps all in memory, a bounded log in each partition, and
    neither compacts nor expires anything: for trials and tests, not for production."""
    settings, policy = _start()
    from listener.broker import EmbeddedBroker
    from listener.cluster import counts

    with EmbeddedBroker(counts(policy, width=settings.partitions), port=port) as running:
        out.print(f"Broker at {running.address}; stop it with Ctrl-C", highlight=False)
        _sleep()


def _sleep() -> None:
    import signal
    import threading

    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    stopped.wait()


@app.command()
def replay(
    file: Annotated[Path, typer.Argument(help="JSON-lines file of raw messages.")],
    format: Annotated[str, typer.Option("--format", help="Format of the file.")] = "canonical",
    speed: Annotated[str, typer.Option(help="60 plays an hour in a minute; or `max`.")] = "max",
) -> None:
    """Send a file of raw messages to the raw topic of its format."""
    settings, policy = _start()
    from listener import feed
    from listener.sources.files import read_records

    topic = _topic_of(format, policy)
    factor = _speed(speed)
    with Progress(console=out, disable=not out.is_terminal) as bar:
        task = bar.add_task(f"to {topic}", total=None)
        sent = _run(
            feed.replay(
                settings,
                topic,
                read_records(file),
                speed=factor,
                progress=lambda n: bar.update(task, completed=n),
            )
        )
    out.print(f"{sent} messages sent to {topic}", highlight=False)


def _topic_of(format: str, policy: Policy) -> str:
    for topic, name in policy.sources.items():
        if name == format:
            return topic
    known = ", ".join(f"{topic}: {name}" for topic, name in policy.sources.items())
    raise InputError(f"--format {format}: no raw topic of the policy has it ({known}); add one")


def _speed(text: str) -> float | None:
    if text == "max":
        return None
    try:
        factor = float(text)
    except ValueError:
        factor = 0.0
    if factor <= 0:
        raise InputError(f"--speed {text}: give a number above 0, or `max`")
    return factor


@app.command()
def classify(
    source: Annotated[str, typer.Argument(help="A file, `-`, or a text in quotes.")] = "-",
    json: Json = False,
    why: Annotated[bool, typer.Option(help="Tell which words moved the labels.")] = False,
) -> None:
    """Judge texts: a table for one text, JSON lines for a file of JSON or plain lines."""
    settings = load_settings()
    from listener.judging import judge_lines, judge_text

    if source != "-" and not Path(source).exists() and (" " in source or not Path(source).suffix):
        judge_text(settings, source, out=out, json=json, why=why)
        return
    for line in judge_lines(settings, source, why=why):
        typer.echo(line)


@app.command()
def backtest(
    policy: Annotated[Path, typer.Option(help="The new policy, to be compared.")],
    source: Annotated[
        str, typer.Option("--from", help="A file of messages, or a time: the topic since then.")
    ],
    to: Annotated[str | None, typer.Option(help="End of the time, of a topic.")] = None,
    format: Annotated[
        str | None, typer.Option(help="Format of a raw file, to be judged here; none: linked.")
    ] = None,
    json: Json = False,
) -> None:
    """Tell what a policy would have done with past messages, against the current one."""
    settings, current = _start()
    from listener.backtest import backtest as compare
    from listener.backtest import messages_of, tables

    new = load_policy(policy)
    messages = messages_of(settings, current, source, to=to, format=format)
    quiet = json or not out.is_terminal
    with Progress(console=out, disable=quiet) as bar:
        task = bar.add_task("played", total=2 * len(messages))
        report = compare(
            messages, new=new, current=current, progress=lambda n: bar.update(task, completed=n)
        )
    if json:
        typer.echo(msgspec.json.encode(report).decode())
        return
    for part in tables(report):
        out.print(part)


@customers_app.command("import")
def customers_import(
    file: Annotated[Path | None, typer.Argument(help="A .csv or .jsonl file of customers.")] = None,
    map: Annotated[
        list[str] | None, typer.Option("--map", help="FIELD=COLUMN, e.g. email=E-Mail.")
    ] = None,
    erase: Annotated[
        list[str] | None, typer.Option("--erase", help="Id of a customer to erase.")
    ] = None,
    json: Json = False,
) -> None:
    """Send customers to their topic, where the worker indexes them; exit code 1 if rows are bad."""
    settings, _ = _start()
    from listener.importing import import_file

    if file is None and not erase:
        raise InputError("nothing to do; give a FILE, or --erase ID")
    errors = Console(stderr=True)
    found = _run(import_file(settings, file, mapping=map or (), erase=erase or (), console=errors))
    if json:
        typer.echo(msgspec.json.encode(found).decode())
    else:
        counts = msgspec.structs.asdict(found).items()
        out.print(", ".join(f"{count} {name}" for name, count in counts), highlight=False)
    if found.bad:
        raise typer.Exit(1)


@customers_app.command("calibrate")
def customers_calibrate(
    file: Annotated[Path, typer.Argument(help="Customers with handles on several networks.")],
    to: Annotated[Path, typer.Option(help="File of weights to write.")],
    map: Annotated[
        list[str] | None, typer.Option("--map", help="FIELD=COLUMN, e.g. email=E-Mail.")
    ] = None,
) -> None:
    """Estimate the weights of probabilistic links from your own customers."""
    load_settings()
    from listener.calibrating import calibrate, profiles_of
    from listener.columns import parse_mapping
    from listener.customers import read_customers
    from listener.identity import packaged

    rows = read_customers(file, mapping=parse_mapping(map or ()), seal=lambda customer: customer)
    known = profiles_of(rows)
    with out.status(f"weights from {len(known)} customers"):
        weights = calibrate(known, {}, packaged())
    to.write_bytes(msgspec.json.format(msgspec.json.encode(weights), indent=1) + b"\n")
    out.print(f"written to {to}; links from a probability of {weights.threshold}", highlight=False)


@topics_app.command("create")
def topics_create() -> None:
    """Make the topics that are missing."""
    settings, policy = _start()
    from listener.cluster import create_topics

    made = _run(create_topics(settings, policy))
    out.print(f"{len(made)} topics made" + "".join(f"\n  {name}" for name in made))


@topics_app.command("show")
def topics_show(json: Json = False) -> None:
    """Show each topic as it is and what is wrong with it; exit code 1 if anything is."""
    settings, policy = _start()
    from listener.cluster import show_topics

    reports = _run(show_topics(settings, policy))
    if json:
        typer.echo(msgspec.json.encode(reports).decode())
    else:
        table = Table("topic", "partitions", "cleanup", "retention, h", "faults")
        table.columns[0].no_wrap = True
        for r in reports:
            hours = str(r.retention_ms // 3_600_000) if r.retention_ms else ""
            table.add_row(r.name, str(r.partitions), r.cleanup, hours, "; ".join(r.faults))
        out.print(table)
    if any(report.faults for report in reports):
        raise typer.Exit(1)


@letters_app.command("list")
def letters_list(json: Json = False) -> None:
    """List what could not be processed, where and why."""
    settings, _ = _start()
    from listener import feed

    letters = [letter for _, letter in _run(feed.dead_letters(settings))]
    if json:
        for letter in letters:
            typer.echo(msgspec.json.encode(letter).decode())
        return
    table = Table("at", "stage", "where", "field", "error")
    for letter in letters:
        where = f"{letter.topic} {letter.partition}:{letter.offset}"
        table.add_row(
            f"{letter.at:%Y-%m-%d %H:%M}", letter.stage, where, letter.field, letter.error
        )
    out.print(table)


@letters_app.command("replay")
def letters_replay(
    stage: Annotated[str | None, typer.Option(help="Only letters of this stage.")] = None,
) -> None:
    """Send the originals again, once their cause is mended."""
    settings, _ = _start()
    from listener import feed

    letters = _run(feed.dead_letters(settings))
    chosen = [pair for pair in letters if stage is None or pair[1].stage == stage]
    sent = _run(feed.replay_letters(settings, chosen))
    out.print(f"{sent} of {len(letters)} dead letters sent again", highlight=False)


@app.command()
def check() -> None:
    """Check settings, policy, model, broker and topics; each failure says how to mend it."""
    from listener.checks import checks

    failed = False
    for name, test in checks():
        fault = _fault(test)
        failed = failed or fault is not None
        out.print(
            f"[{'red' if fault else 'green'}]{'✗' if fault else '✓'}[/] {name}"
            + (f": {fault}" if fault else ""),
            highlight=False,
            soft_wrap=True,
        )
    if failed:
        raise typer.Exit(1)


def _fault(test: Callable[[], None]) -> str | None:
    try:
        test()
    except ListenerError as error:
        return str(error)
    return None


@app.command()
def schema(
    record: Annotated[str | None, typer.Argument(help="One record, e.g. Alert.")] = None,
) -> None:
    """Print the JSON Schema of the records on the topics."""
    kinds = {
        name: kind
        for name, kind in vars(records).items()
        if isinstance(kind, type)
        and issubclass(kind, records.Record)
        and kind is not records.Record
    }
    if record is not None and record not in kinds:
        raise InputError(f"{record}: no such record; one of {', '.join(kinds)}")
    chosen = [kinds[record]] if record else list(kinds.values())
    _, components = msgspec.json.schema_components(chosen, ref_template="#/$defs/{name}")
    typer.echo(msgspec.json.format(msgspec.json.encode({"$defs": components})).decode())


@app.command()
def version() -> None:
    """Print the version."""
    typer.echo(__version__)


@fit_app.command("report")
def fit_report(
    segment: Annotated[str | None, typer.Option(help="Only this segment.")] = None,
    csv: Annotated[Path | None, typer.Option(help="CSV file to write.")] = None,
    png: Annotated[Path | None, typer.Option(help="Forest plot to write (extra `plots`).")] = None,
    json: Json = False,
) -> None:
    """Show the newest fit signals, the overall index, and whom to turn to."""
    settings, _ = _start()
    from listener import fit_report as report

    found = _run(report.gather(settings, segment))
    if csv is not None:
        report.write_csv(found.signals, csv)
    if png is not None:
        report.draw(found.signals, png)
    if json:
        typer.echo(msgspec.json.encode(found._asdict()).decode())
        return
    out.print(report.table(found))
    for line in report.summary(found):
        out.print(line, highlight=False, soft_wrap=True)


@model_app.command("train")
def model_train(
    data: Annotated[Path, typer.Option(help="Folder with `train/`.")],
    run: Annotated[Path, typer.Option(help="Folder of the run; an old one is resumed.")],
    seed: int = 7,
    epochs: int = 8,
) -> None:
    """Train the multi-task model (extra `torch`)."""
    _need_torch()
    from models.training.train import Config, train

    config = Config(seed=seed, epochs=epochs, threads=os.cpu_count() or 1)
    train(data, run, config=config, report=lambda text: out.print(text, highlight=False))


@model_app.command("export")
def model_export(
    data: Annotated[Path, typer.Option(help="Folder with `train/`, for calibration.")],
    run: Annotated[Path, typer.Option(help="Folder of a finished run.")],
    to: Annotated[Path, typer.Option(help="Folder to write.")],
    release: Annotated[str, typer.Option(help="Version of the model.")] = "1",
    weights: Annotated[
        Literal["int8", "fp32", "torch"],
        typer.Option(help="ONNX in 8 bits or in full, or bf16 for torch, e.g. on a GPU."),
    ] = "int8",
) -> None:
    """Write weights, tokenizer and calibration of a run (extra `torch`)."""
    _need_torch()
    from models.export import export

    export(run, data, to, name="listener-minilm", version=release, kind=weights)
    out.print(f"written to {to}", highlight=False)


@model_app.command("evaluate")
def model_evaluate(
    data: Annotated[Path, typer.Option(help="Folder with `eval/`.")],
    card: Annotated[Path | None, typer.Option(help="Model card to write the figures into.")] = None,
    plots: Annotated[Path, typer.Option(help="Folder for the plots of the card.")] = Path(
        "docs/model"
    ),
) -> None:
    """Measure the model on texts that it never saw, with intervals, slices and plots."""
    from listener.judging import judge_of
    from models.evaluation import evaluate, write_card
    from models.evaluation.plots import draw

    found = evaluate(judge_of(load_settings()), data)
    for name, part in found.items():
        for key, value in part.figures.items():
            out.print(f"{name} {key} {value}", highlight=False)
    if card is not None:
        write_card(found, draw(found, plots), card)
        out.print(f"written to {card}", highlight=False)


def _need_torch() -> None:
    try:
        import torch  # noqa: F401 - asked for, not used
    except ImportError:
        raise ListenerError("training needs torch; pip install 'listener[torch]'") from None
