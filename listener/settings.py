"""Deployment settings: one typed object, read from environment variables `LISTENER_…`."""

from __future__ import annotations

import ssl
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from listener.errors import BrokerError, SettingsError

Port = Annotated[int, Field(ge=0, le=65535)]


class Settings(BaseSettings):
    """Every setting, its default and what it does. Secrets print as asterisks."""

    model_config = SettingsConfigDict(env_prefix="LISTENER_", frozen=True, extra="forbid")

    broker: str = Field("localhost:9092", description="Kafka bootstrap servers, comma-separated.")
    group: str = Field("listener", description="Consumer group; one for each installation.")
    policy: Path | None = Field(None, description="Policy file (YAML); none: built-in defaults.")
    model: str = Field(
        "packaged", description="`packaged`, a folder with weights, or `hf:` and a model."
    )
    model_threads: int = Field(0, ge=0, description="Threads of the model; 0: one a core.")
    batch: int = Field(64, ge=1, le=4096, description="Most messages judged at once.")
    partitions: int = Field(4, ge=1, description="Partitions of each wide topic.")
    replication: int = Field(1, ge=1, description="Replication factor of created topics.")
    database: str = Field(
        "sqlite:///listener.db", description="Read model's URL: sqlite:///… or postgresql://…."
    )
    metrics_port: Port = Field(9464, description="/metrics and /healthz of the worker; 0: off.")
    web_port: Port = Field(8080, description="Port of the web page.")
    web_host: str = Field("127.0.0.1", description="Address that the web page binds.")
    web_tokens: SecretStr | None = Field(
        None, description="Who may use the page: `name:role:SHA-256 of the token`, comma-separated."
    )
    web_proxy_user: str | None = Field(
        None, description="Header in which a trusted proxy names the user."
    )
    web_proxy_role: str | None = Field(
        None, description="Header in which it names the role; none: support."
    )
    web_proxy_from: str = Field(
        "127.0.0.1,::1", description="Addresses of that proxy; others' headers are not believed."
    )
    web_secret: SecretStr | None = Field(
        None, description="Key of the sessions; none: they end with the process."
    )
    web_secure: bool = Field(False, description="Whether browsers reach the page by https.")
    web_explain: bool = Field(
        True, description="Whether the page loads the model to say which words moved a label."
    )
    webhook_url: SecretStr | None = Field(None, description="Where alerts are posted, if at all.")
    webhook_secret: SecretStr | None = Field(None, description="Key of the webhook's HMAC.")
    alerts_file: Path | None = Field(None, description="JSON-lines file that alerts are added to.")
    identity_key: SecretStr | None = Field(
        None,
        min_length=16,
        description="Key of the hashes of e-mails and phones; without it plain ones are left out.",
    )
    identity_weights: Path | None = Field(
        None,
        description="Weights of probabilistic links (`listener customers calibrate`); none: ours.",
    )
    phone_region: str | None = Field(
        None,
        pattern="^[A-Z]{2}$",
        description="Country (`DE`) of phone numbers without a country code; none: such are bad.",
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="How much the log says; never a person's text at INFO."
    )
    session_timeout: float = Field(
        6.0, gt=0, description="Seconds without heartbeat before partitions move."
    )
    commit_interval: float = Field(1.0, gt=0, description="Seconds between offset commits.")
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT", description="How to talk to the broker."
    )
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        "PLAIN", description="SASL mechanism, where the protocol has one."
    )
    sasl_username: str | None = Field(None, description="SASL user.")
    sasl_password: SecretStr | None = Field(None, description="SASL password.")
    ssl_cafile: Path | None = Field(None, description="CA bundle; none: the system's.")
    ssl_certfile: Path | None = Field(None, description="Client certificate, PEM.")
    ssl_keyfile: Path | None = Field(None, description="Client key, PEM.")

    @cached_property
    def ssl_context(self) -> ssl.SSLContext | None:
        """None without TLS. Raises SettingsError for a file that cannot be read."""
        return self._load_ssl() if self._transport == "SSL" else None

    def _load_ssl(self) -> ssl.SSLContext:
        try:
            context = ssl.create_default_context(cafile=self.ssl_cafile)
            if self.ssl_certfile is not None:
                context.load_cert_chain(self.ssl_certfile, self.ssl_keyfile)
        except (OSError, ssl.SSLError) as error:
            raise SettingsError(
                f"LISTENER_SSL_CAFILE={self.ssl_cafile}, LISTENER_SSL_CERTFILE="
                f"{self.ssl_certfile}: cannot load ({error}); give readable PEM files"
            ) from None
        return context

    @property
    def kafka(self) -> dict[str, Any]:
        """Connection options of every aiokafka client."""
        options: dict[str, Any] = {
            "bootstrap_servers": self.broker,
            "security_protocol": self.security_protocol,
            "ssl_context": self.ssl_context,
        }
        if self.security_protocol.startswith("SASL"):
            options["sasl_mechanism"] = self.sasl_mechanism
            options["sasl_plain_username"] = self.sasl_username
            options["sasl_plain_password"] = _plain(self.sasl_password)
        return options

    def unreachable(self, error: object) -> BrokerError:
        """The error of a client that cannot talk to the broker: which settings to look at."""
        remedy = "start the broker, or correct the address"
        if self.security_protocol != "PLAINTEXT":
            parts = ["LISTENER_SASL_USERNAME and _PASSWORD"] * ("SASL" in self.security_protocol)
            parts += ["LISTENER_SSL_CAFILE, _CERTFILE and _KEYFILE"] * (self._transport == "SSL")
            remedy += f", LISTENER_SECURITY_PROTOCOL={self.security_protocol}, {', '.join(parts)}"
        return BrokerError(f"LISTENER_BROKER={self.broker}: {error}; {remedy}")

    @property
    def _transport(self) -> str:
        """The protocol without SASL, whose own name would be read as one of TLS."""
        return self.security_protocol.removeprefix("SASL_")


def _plain(secret: SecretStr | None) -> str | None:
    return secret.get_secret_value() if secret else None


def load_settings(**overrides: Any) -> Settings:
    """Settings from the environment. Raises SettingsError that names each bad variable."""
    try:
        settings = Settings(**overrides)
    except ValidationError as error:
        raise SettingsError("; ".join(_explain(e) for e in error.errors())) from None
    if settings.security_protocol.startswith("SASL") and not settings.sasl_username:
        raise SettingsError(
            f"LISTENER_SASL_USERNAME is missing, but LISTENER_SECURITY_PROTOCOL="
            f"{settings.security_protocol} needs it; set it and LISTENER_SASL_PASSWORD"
        )
    return settings


def _explain(error: Any) -> str:
    name = "LISTENER_" + "_".join(str(part).upper() for part in error["loc"])
    secret = name.endswith(("SECRET", "PASSWORD", "IDENTITY_KEY"))
    value = "***" if secret else repr(error.get("input"))
    return f"{name}={value}: {error['msg']}; set it to a valid value or unset it"
