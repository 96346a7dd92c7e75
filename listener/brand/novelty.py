"""What a mention adds to those before it: copies add reach, and a flood of one author little."""

from __future__ import annotations

from typing import Final, NamedTuple

from listener.brand.policy import BrandPolicy
from listener.brand.state import CLUSTERS, HOUR, TICK, BrandState, ChannelState, Cluster, Part
from listener.brand.weight import audience

NEAR: Final = 3
"""Bits of 64 by which near-duplicates may differ."""


class Addition(NamedTuple):
    """`weight` is what is added to the volume; `fresh`: not a copy."""

    weight: float
    fresh: bool


def addition(part: Part, state: BrandState, channel: ChannelState, policy: BrandPolicy) -> Addition:
    """Takes the part into its cluster of near-duplicates; 500 reposts are one complaint plus
    reach."""
    cluster = _cluster(part, state)
    if cluster is not None:
        return Addition(_more_reach(part, cluster, policy), fresh=False)
    if part.repost:
        return Addition(0.0, fresh=False)
    weight = part.weight * _moderation(part, channel, policy)
    if part.fingerprint is not None:
        state.clusters[part.fingerprint] = Cluster(round(weight, 5), part.reach)
        if len(state.clusters) > CLUSTERS:
            del state.clusters[next(iter(state.clusters))]
    return Addition(weight, fresh=True)


def _cluster(part: Part, state: BrandState) -> Cluster | None:
    if part.fingerprint is None:
        return None
    key = part.fingerprint if part.fingerprint in state.clusters else _near(part.fingerprint, state)
    if key is None:
        return None
    cluster = state.clusters.pop(key)
    state.clusters[key] = cluster
    return cluster


def _near(fingerprint: str, state: BrandState) -> str | None:
    mine = int(fingerprint, 16)
    for key in state.clusters:
        if (mine ^ int(key, 16)).bit_count() <= NEAR:
            return key
    return None


def _more_reach(part: Part, cluster: Cluster, policy: BrandPolicy) -> float:
    """c grows as if the cluster were one mention with the audience of all, up to the cap."""
    base = cluster.weight / audience(cluster.reach, policy)
    reach = min(cluster.reach + part.reach, policy.reach_cap)
    more = max(base * audience(reach, policy) - cluster.weight, 0.0)
    cluster.weight = round(cluster.weight + more, 5)
    cluster.reach = max(reach, cluster.reach)
    cluster.members += 1
    return more


def _moderation(part: Part, channel: ChannelState, policy: BrandPolicy) -> float:
    """1 up to `posts_an_hour` of an author; beyond, the n-th post adds (limit / n)²."""
    start = part.at // TICK * TICK
    posts = 1
    for at in range(start - HOUR + TICK, start + TICK, TICK):
        bucket = channel.buckets.get(at)
        posts += bucket.authors.get(part.author, 0) if bucket else 0
    return min((policy.posts_an_hour / posts) ** 2, 1.0)
