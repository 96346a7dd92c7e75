"""c = P(neg) · severity factor · authenticity · (1 + β·log10(1 + reach)) (definitions §4)."""

from __future__ import annotations

from datetime import timedelta
from hashlib import blake2b
from math import log10

from listener.brand.policy import BrandPolicy
from listener.records import BrandEvidence, Labels, Linked, Mention


def weigh(linked: Linked, policy: BrandPolicy) -> list[BrandEvidence]:
    """One part for each brand that the mention is about. None where there is no judgement, and
    none for the brand's own messages; a repost weighs nothing, its origin has its reach."""
    mention, labels = linked.mention, linked.judgement.labels
    if labels is None or mention.from_brand:
        return []
    return [_part(linked, mention, labels, brand, policy) for brand in mention.brands]


def _part(
    linked: Linked, mention: Mention, labels: Labels, brand: str, policy: BrandPolicy
) -> BrandEvidence:
    reach = (mention.author.followers or 0) + mention.engagement
    return BrandEvidence(
        mention_id=mention.mention_id,
        brand=brand,
        event_time=mention.event_time,
        author=_author(mention, policy),
        negative=labels.sentiment["neg"],
        weight=round(_weight(mention, labels, reach, policy), 5),
        issue=labels.top_issue,
        fingerprint=mention.fingerprint,
        reach=min(max(reach, 0), policy.reach_cap),
        known=linked.link.probability if linked.link.customer_id else 0.0,
        bot=mention.author.bot,
        new_account=_is_new(mention, policy),
        backfill=mention.backfill,
        support=mention.channel == "support",
    )


def _weight(mention: Mention, labels: Labels, reach: int, policy: BrandPolicy) -> float:
    if mention.repost_of is not None:
        return 0.0
    severity = 0.5 + 0.5 * labels.expected_severity / 4
    audience = 1 + policy.reach_weight * log10(1 + min(max(reach, 0), policy.reach_cap))
    return labels.sentiment["neg"] * severity * _authenticity(mention, policy) * audience


def _authenticity(mention: Mention, policy: BrandPolicy) -> float:
    if mention.author.bot:
        return policy.bot_weight
    return policy.new_account_weight if _is_new(mention, policy) else 1.0


def _is_new(mention: Mention, policy: BrandPolicy) -> bool:
    created = mention.author.created_at
    age = timedelta(days=policy.new_account_days)
    return created is not None and mention.event_time - created < age


def _author(mention: Mention, policy: BrandPolicy) -> str:
    key = policy.author_key.encode()[:64]
    return blake2b(mention.author_key.encode(), digest_size=6, key=key).hexdigest()
