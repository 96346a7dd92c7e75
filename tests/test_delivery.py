"""From the policy's receivers to sinks."""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args

import pytest
import yaml

from listener.delivery import build_sinks, receiver_faults
from listener.errors import ListenerError, PolicyError
from listener.policy import Policy, parse_policy
from listener.receivers import ReceiverPolicy
from listener.reporting import day_of, reporter
from listener.settings import Settings, load_settings

DOCUMENT = (Path(__file__).parent.parent / "docs" / "receivers.md").read_text(encoding="utf-8")
SECRETS = {
    "SLACK_TOKEN": "xoxb-1",
    "SLACK_WEBHOOK": "https://hooks.example/services/T/B/X",
    "PAGERDUTY_KEY": "0" * 32,
    "ALERT_WEBHOOK": "https://own.example/alerts",
    "ALERT_WEBHOOK_SECRET": "s",
    "ZENDESK_TOKEN": "t",
    "SMTP_PASSWORD": "p",
}


def documented(folder: Path) -> Policy:
    (example,) = re.findall(r"```yaml\n(.*?)```", DOCUMENT, re.DOTALL)
    content = yaml.safe_load(example)
    content["receivers"]["archive"]["path"] = str(folder / "alerts.jsonl")
    return parse_policy(yaml.safe_dump(content), where="docs/receivers.md")


def one(entry: str) -> Policy:
    return parse_policy(f"receivers: {{it: {entry}}}", where="policy.yaml")


@pytest.fixture
def plain() -> Settings:
    return load_settings()


def test_the_example_of_the_document_works(tmp_path: Path, plain: Settings) -> None:
    """Every kind of sink is in it, and each entry makes a sink of its name."""
    policy = documented(tmp_path)
    kinds = {kind.__struct_config__.tag for kind in get_args(ReceiverPolicy)}
    assert {e.__struct_config__.tag for e in policy.receivers.values()} == kinds
    sinks = build_sinks(plain, policy, SECRETS)
    assert [sink.name for sink in sinks] == list(policy.receivers)
    assert receiver_faults(plain, policy, SECRETS) == []


def test_every_default_of_the_document_is_the_policy_s(tmp_path: Path) -> None:
    """`delivery` has no option that the document does not tell."""
    for name in Policy().delivery.__struct_fields__:
        assert f"`{name}`" in DOCUMENT, name


def test_each_missing_secret_is_named_and_none_is_told(tmp_path: Path, plain: Settings) -> None:
    """Key, variable and remedy, for every receiver at once."""
    policy = documented(tmp_path)
    faults = receiver_faults(plain, policy, {})
    assert len(faults) == 6
    for name in ("care-channel", "care-feed", "on-call", "own-system", "desk", "leads"):
        (fault,) = [f for f in faults if f"receivers.{name}." in f]
        assert "set it" in fault


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("{sink: slack}", "give url_env"),
        ("{sink: slack, channel: C1}", "receivers.it.token_env"),
        ("{sink: slack, url_env: U, channel: C1}", "leave one of them out"),
        ("{sink: webhook, url_env: NO_URL}", "receivers.it.url_env"),
        ("{sink: email, host: h, to: [], sender: a@b.example}", "receivers.it.to"),
        ("{sink: email, host: h, to: [nobody], sender: a@b.example}", "receivers.it.to=nobody"),
        ("{sink: email, host: h, to: [a@b.example], sender: a@b.example, cafile: /no}", "cafile"),
        ("{sink: alertmanager, url: nowhere}", "receivers.it.url"),
        ("{sink: file, path: /no/such/folder/x}", "receiver it"),
    ],
)
def test_a_wrong_entry_is_named_with_its_remedy(entry: str, said: str, plain: Settings) -> None:
    environment = {"U": "https://h.example/secret", "NO_URL": "secret-that-is-no-url"}
    (fault,) = receiver_faults(plain, one(entry), environment)
    assert said in fault
    assert "secret" not in fault


@pytest.mark.parametrize(
    "entry", ["{sink: fax}", "{sink: pagerduty}", "{sink: file, path: x, colour: red}", "{}"]
)
def test_an_entry_of_the_wrong_shape_is_a_policy_error(entry: str) -> None:
    with pytest.raises(PolicyError, match=r"receivers"):
        one(entry)


def test_the_settings_go_on_as_receivers(tmp_path: Path) -> None:
    """`webhook` and `file`; a receiver of the policy may not hide them."""
    settings = load_settings(
        webhook_url="https://h.example/x", alerts_file=tmp_path / "alerts.jsonl"
    )
    assert [sink.name for sink in build_sinks(settings, Policy())] == ["webhook", "file"]
    policy = parse_policy("receivers: {file: {sink: file, path: x}}", where="p")
    with pytest.raises(PolicyError, match="LISTENER_ALERTS_FILE"):
        build_sinks(settings, policy)


def test_a_digest_s_receivers_must_take_digests(tmp_path: Path) -> None:
    policy = parse_policy(
        "receivers: {am: {sink: alertmanager, url: 'http://h:9093'}, f: {sink: file, path: "
        f"{tmp_path}/x}}}}",
        where="p",
    )
    assert reporter(policy, "f").name == "f"
    for name in ("am", "nobody"):
        with pytest.raises(PolicyError, match=f"digest.receivers={name}"):
            reporter(policy, name)


@pytest.mark.parametrize("text", ["at: noon", "zone: Mars/Base"])
def test_a_digest_s_time_must_be_one(text: str) -> None:
    policy = parse_policy(f"digest: {{{text}}}", where="p")
    with pytest.raises(ListenerError, match=f"digest.{text.split(':')[0]}="):
        day_of(policy, datetime(2026, 5, 4, tzinfo=UTC))
