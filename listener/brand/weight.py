"""c = P(neg) · severity factor · authenticity · (1 + β·log10(1 + reach)) (definitions §4).

What depends on other mentions (novelty, an author's posting rate) is decided by the brand's state.
"""

from __future__ import annotations

from datetime import timedelta
from hashlib import blake2b
from math import log10

import msgspec

from listener.brand.policy import BrandPolicy
from listener.records import BrandEvidence, Labels, Linked, Mention


def weigh(linked: Linked, policy: BrandPolicy) -> list[BrandEvidence]:
    """One part for each brand that the mention is about, and one for each brand that has such a
    brand as competitor. None where there is no judgement, for the brand's own messages, and for
    edits of what has counted."""
    mention, labels = linked.mention, linked.judgement.labels
    if labels is None or mention.from_brand or mention.op == "update":
        return []
    parts = [_part(linked, mention, labels, brand, policy) for brand in mention.brands]
    return [*parts, *(rival for part in parts for rival in _rivals(part, policy))]


def audience(reach: int, policy: BrandPolicy) -> float:
    """1 + β·log10(1 + reach)."""
    return 1 + policy.reach_weight * log10(1 + max(reach, 0))


def _part(
    linked: Linked, mention: Mention, labels: Labels, brand: str, policy: BrandPolicy
) -> BrandEvidence:
    reach = _reach(mention, policy)
    return BrandEvidence(
        mention_id=mention.mention_id,
        brand=brand,
        event_time=mention.event_time,
        author=_author(mention, policy),
        negative=labels.sentiment["neg"],
        weight=round(_weight(mention, labels, reach, policy), 5),
        issue=labels.top_issue,
        fingerprint=mention.fingerprint,
        reach=reach,
        known=linked.link.probability if linked.link.customer_id else 0.0,
        bot=mention.author.bot,
        new_account=_is_new(mention, policy),
        backfill=mention.backfill,
        support=mention.channel == "support",
        channel=mention.channel,
        repost=mention.repost_of is not None,
        permalink=mention.uri,
    )


def _rivals(part: BrandEvidence, policy: BrandPolicy) -> list[BrandEvidence]:
    """The parts that a mention has in the share of voice of others."""
    return [
        msgspec.structs.replace(part, brand=brand, rival=part.brand, weight=0.0, permalink=None)
        for brand, rivals in sorted(policy.competitors.items())
        if part.brand in rivals and brand != part.brand
    ]


def _reach(mention: Mention, policy: BrandPolicy) -> int:
    reach = (mention.author.followers or 0) + mention.engagement
    return min(max(reach, 0), policy.reach_caps.get(mention.network, policy.reach_cap))


def _weight(mention: Mention, labels: Labels, reach: int, policy: BrandPolicy) -> float:
    severity = 0.5 + 0.5 * labels.expected_severity / 4
    negative = labels.sentiment["neg"] * severity
    return negative * _authenticity(mention, policy) * audience(reach, policy)


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
