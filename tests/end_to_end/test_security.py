"""TLS and SASL reach every client: admin, feed, worker, directory."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import trustme
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from listener.cluster import create_topics, show_topics
from listener.demo.story import people, policy_text, story
from listener.errors import BrokerError
from listener.feed import import_customers, replay
from listener.policy import load_policy
from listener.settings import Settings, load_settings
from tests.brokers import Worker, apache_kafka
from tests.ledger import wait_for, wait_for_directory

START = datetime(2026, 5, 1, tzinfo=UTC)
MESSAGES = 40
PASSWORD = "only for this test"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an authority's certificate, and one of both broker and client."""
    folder = tmp_path_factory.mktemp("tls")
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1", "localhost")
    authority.cert_pem.write_to_path(folder / "ca.pem")
    issued.private_key_and_cert_chain_pem.write_to_path(folder / "client.pem")
    # Kafka reads a private key in PKCS #8 only.
    key = load_pem_private_key(issued.private_key_pem.bytes(), None)
    plain = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    chain = b"".join(part.bytes() for part in issued.cert_chain_pems)
    (folder / "broker.pem").write_bytes(plain + chain)
    return folder


def listener(protocol: str, port: int) -> list[str]:
    return [
        f"listeners={protocol}://127.0.0.1:{port},CONTROLLER://127.0.0.1:{port + 1}",
        f"advertised.listeners={protocol}://127.0.0.1:{port}",
        f"inter.broker.listener.name={protocol}",
        f"listener.security.protocol.map=CONTROLLER:PLAINTEXT,{protocol}:{protocol}",
    ]


def tls(certificate: Path) -> list[str]:
    return [
        "ssl.keystore.type=PEM",
        f"ssl.keystore.location={certificate / 'broker.pem'}",
        "ssl.truststore.type=PEM",
        f"ssl.truststore.location={certificate / 'ca.pem'}",
    ]


def sasl() -> list[str]:
    module = "org.apache.kafka.common.security.plain.PlainLoginModule required"
    return [
        "sasl.enabled.mechanisms=PLAIN",
        "sasl.mechanism.inter.broker.protocol=PLAIN",
        "listener.name.sasl_ssl.plain.sasl.jaas.config="
        f'{module} username="admin" password="{PASSWORD}" user_admin="{PASSWORD}" '
        f'user_listener="{PASSWORD}";',
    ]


@pytest.fixture(params=["SSL", "SASL_SSL"])
def secured(request: pytest.FixtureRequest, certificate: Path) -> Iterator[dict[str, Any]]:
    """Settings for a broker that takes nobody without a client certificate, or a password."""
    protocol = request.param
    more = sasl() if protocol == "SASL_SSL" else ["ssl.client.auth=required"]
    with apache_kafka(lambda port: [*listener(protocol, port), *tls(certificate), *more]) as kafka:
        common = {
            "broker": kafka.address,
            "security_protocol": protocol,
            "ssl_cafile": str(certificate / "ca.pem"),
        }
        if protocol == "SASL_SSL":
            yield common | {"sasl_username": "listener", "sasl_password": PASSWORD}
        else:
            yield common | {"ssl_certfile": str(certificate / "client.pem")}


def test_the_whole_flow_runs_on_a_secured_broker(secured: dict[str, Any], tmp_path: Path) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text(policy_text())
    settings: Settings = load_settings(policy=policy, metrics_port=0, **secured)
    asyncio.run(create_topics(settings, load_policy(policy)))
    assert not any(t.faults for t in asyncio.run(show_topics(settings, load_policy(policy))))
    asyncio.run(import_customers(settings, people(start=START)))
    environment = {f"LISTENER_{name.upper()}": value for name, value in secured.items()}
    worker = Worker(settings, **environment)
    worker.start()
    try:
        wait_for_directory(settings, customers=400)
        messages = list(story(start=START))[:MESSAGES]
        asyncio.run(replay(settings, "raw.canonical", messages, speed=None))
        found = wait_for(settings, inputs=MESSAGES, seconds=60)
    finally:
        assert worker.stop() == 0
    assert len(found.mentions) == MESSAGES


def test_a_broker_that_refuses_us_is_a_clear_error(secured: dict[str, Any]) -> None:
    """Wrong password, or no certificate: what is wrong and which settings to look at."""
    wrong = {k: v for k, v in secured.items() if k != "ssl_certfile"}
    if "sasl_password" in wrong:
        wrong["sasl_password"] = "not it"
    with pytest.raises(BrokerError, match=r"LISTENER_BROKER=.*LISTENER_S"):
        asyncio.run(show_topics(load_settings(**wrong), load_policy(None)))
    environment = {f"LISTENER_{name.upper()}": value for name, value in wrong.items()}
    answer = subprocess.run(
        [sys.executable, "-m", "listener", "worker"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert answer.returncode == 2
    assert "LISTENER_BROKER=" in answer.stderr
    assert "Traceback" not in answer.stderr
