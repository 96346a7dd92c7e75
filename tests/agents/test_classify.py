"""Mentions → Linked: how a link goes on into subjects and figures, without a broker."""

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

from agents.classify import classify
from agents.flow import Incoming
from listener.brand import BrandPolicy
from listener.codec import decode, encode
from listener.identity import LinkPolicy, guesser, packaged
from listener.records import Author, BrandEvidence, Customer, Judgement, Linked, Mention
from listener.sources.masking import mask_bytes
from listener.topics import BRAND_EVIDENCE, LINKED
from tests.directories import directory_of
from tests.worlds import MODEL, NOW, labels, mention

ANN = Customer(
    customer_id="c1", since=NOW, names=("Ann Quastenberg",), external_ids=("E-1",),
    handles=("mastodon:annquastenberg",),
)  # fmt: skip


class Judge:
    def judge(self, texts: Sequence[str], langs: Sequence[str | None]) -> list[Judgement]:
        return [Judgement(labels=labels(), model=MODEL, lang="en") for _ in texts]


async def at_once(work: Callable[[], Any]) -> Any:
    return work()


async def outputs(sent: Mention) -> tuple[Linked, BrandEvidence]:
    directory, links = directory_of(ANN), LinkPolicy()
    hop = classify(
        Judge(),
        directory,
        links=links,
        guess=guesser(directory, packaged(), links),
        brands=BrandPolicy(),
        run=at_once,
        mask=mask_bytes,
    )

    async def batches() -> AsyncIterator[list[Incoming]]:
        yield [Incoming("listener.mentions", 0, 0, b"k", encode(sent), NOW)]

    (outcome,) = [out async for out in hop(batches())]
    by_topic = {out.topic: out.value for out in outcome.outputs}
    return decode(by_topic[LINKED.name], Linked), decode(
        by_topic[BRAND_EVIDENCE.name], BrandEvidence
    )


async def test_a_resemblance_counts_for_what_it_is_worth_and_moves_no_state() -> None:
    """The subject stays the author; the share of known customers gets r, not one."""
    author = Author(id="9", handle="annquastenberg", name="Ann Quastenberg")
    linked, part = await outputs(mention(network="bluesky", author=author))
    assert (linked.link.customer_id, linked.link.tier) == ("c1", "T3")
    assert linked.subject == "bluesky:9"
    assert linked.standing is not None
    assert 0.9 < part.known == linked.link.probability < 1


async def test_an_author_without_a_link_is_their_own_subject() -> None:
    """And no known customer."""
    linked, part = await outputs(mention(network="bluesky", author=Author(id="9", handle="me")))
    assert (linked.subject, linked.link.tier, part.known) == ("bluesky:9", "none", 0.0)
