"""What the business decides, in one YAML file: sources, brands, model, links, and the rules."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import yaml

from listener.brand import BrandPolicy
from listener.errors import PolicyError
from listener.escalation import EscalationPolicy
from listener.fit import FitPolicy
from listener.identity import LinkPolicy
from listener.receivers import DeliveryPolicy, DigestPolicy, ReceiverPolicy
from listener.sources import FORMATS
from listener.sources.brands import BrandNames

OF_SETTINGS = ("webhook", "file")
"""Receivers that LISTENER_WEBHOOK_URL and LISTENER_ALERTS_FILE make."""
DEFAULT_SOURCES = {"raw.canonical": "canonical"}


class ModelPolicy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How to read a Hugging Face model (`LISTENER_MODEL=hf:…`)."""

    labels: dict[str, str] = {}
    """The model's label → ours, for example `NEGATIVE: sentiment.neg` or `LABEL_1: complaint.yes`.
    """
    languages: tuple[str, ...] = ("en",)
    """Languages that it reads; messages in others get no labels."""


class ReadModelPolicy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Days that the page keeps each kind, counted back from the newest message."""

    mentions: float = 90.0
    alerts: float = 365.0
    figures: float = 90.0
    dead_letters: float = 30.0
    audit: float = 730.0


class Policy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole policy. Every section may be left out."""

    sources: dict[str, str] = msgspec.field(default_factory=lambda: dict(DEFAULT_SOURCES))
    """Raw topic → format."""
    brands: tuple[BrandNames, ...] = ()
    model: ModelPolicy = msgspec.field(default_factory=ModelPolicy)
    identity: LinkPolicy = msgspec.field(default_factory=LinkPolicy)
    escalation: EscalationPolicy = msgspec.field(default_factory=EscalationPolicy)
    brand: BrandPolicy = msgspec.field(default_factory=BrandPolicy)
    fit: FitPolicy = msgspec.field(default_factory=FitPolicy)
    read_model: ReadModelPolicy = msgspec.field(default_factory=ReadModelPolicy)
    receivers: dict[str, ReceiverPolicy] = {}
    """Name → who is told of alerts, and how."""
    delivery: DeliveryPolicy = msgspec.field(default_factory=DeliveryPolicy)
    digest: DigestPolicy = msgspec.field(default_factory=DigestPolicy)

    @property
    def brand_rules(self) -> BrandPolicy:
        """The section `brand`; without competitors of its own, `escalation.rivals` are those of
        every other brand."""
        rivals = self.escalation.rivals
        if self.brand.competitors or not rivals:
            return self.brand
        ours = [brand.name for brand in self.brands if brand.name not in rivals]
        competitors = dict.fromkeys(ours, tuple(rivals))
        return msgspec.structs.replace(self.brand, competitors=competitors)


def load_policy(path: Path | None) -> Policy:
    """The policy at `path`; the defaults for None. Raises PolicyError with the path of the key."""
    if path is None:
        return Policy()
    return parse_policy(_read(path), where=str(path))


def parse_policy(text: str, *, where: str) -> Policy:
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise PolicyError(f"{where}: not YAML ({error}); mend the file") from None
    return _convert({} if content is None else content, where=where)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise PolicyError(
            f"LISTENER_POLICY={path}: cannot read ({error}); give a readable YAML file"
        ) from None


def _convert(content: Any, *, where: str) -> Policy:
    try:
        policy = msgspec.convert(content, Policy)
    except msgspec.ValidationError as error:
        raise PolicyError(f"{where}: {error}; mend that key") from None
    for topic, name in policy.sources.items():
        if name not in FORMATS:
            known = ", ".join(sorted(FORMATS))
            raise PolicyError(f"{where}: sources.{topic}={name}: no such format; one of {known}")
    _check_receivers(policy, where=where)
    return policy


def _check_receivers(policy: Policy, *, where: str) -> None:
    """A route may only tell receivers that the policy has, or that a setting makes."""
    missing = sorted(policy.escalation.receivers() - {*policy.receivers, *OF_SETTINGS})
    if missing:
        raise PolicyError(
            f"{where}: escalation tells {', '.join(missing)}: no such receiver; add it to "
            "`receivers`, or correct the route or schedule"
        )
