"""Mention → Linked, and its part in its brands' figures.

Judging and linking share the author's key, so they share a hop: each hop through Kafka costs about
as much processor time as a third of the model's. The rules themselves live in `models` and
`listener.identity`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

from agents.flow import Batches, Hop, Incoming, MaskBytes, Outcome, Outgoing, Step, overlapped, send
from listener.brand import BrandPolicy, weigh
from listener.fit import stage_of
from listener.identity import Guesser, LinkPolicy, link, proof_of, subject_of
from listener.ports import Directory, Judge
from listener.records import Forget, Gone, Judgement, Linked, Mention
from listener.topics import BRAND_EVIDENCE, LINKED, MANUAL_LINKS, SUBJECT_EVENTS, THREADS

Run = Callable[[Callable[[], list[Judgement]]], Awaitable[list[Judgement]]]
"""Runs blocking work off the event loop, one piece at a time."""


def classify(
    judge: Judge,
    directory: Directory,
    *,
    links: LinkPolicy,
    guess: Guesser | None,
    brands: BrandPolicy,
    run: Run,
    mask: MaskBytes,
) -> Hop:
    """`guess`: whom an author most probably is (T3); None where the policy uses no resemblance."""
    step: Step[Mention | Forget] = Step(stage="classify", kind=Mention | Forget, mask=mask)

    def join(mention: Mention, judgement: Judgement) -> Linked:
        found, standing = link(mention, directory.find, links, guess=guess)
        return Linked(
            mention=mention,
            judgement=judgement,
            link=found,
            standing=standing,
            subject=subject_of(mention, found),
            stage=stage_of(judgement.labels, found, standing, now=mention.event_time),
        )

    def one(incoming: Incoming, mention: Mention, judgement: Judgement) -> list[Outgoing]:
        linked = join(mention, judgement)
        parts = weigh(linked, brands)
        outputs = [
            send(LINKED, linked.subject, linked, of=incoming),
            *(send(BRAND_EVIDENCE, part.brand, part, of=incoming) for part in parts),
        ]
        proof = proof_of(mention, linked.link, directory.find, links)
        if proof is not None:
            outputs.append(send(MANUAL_LINKS, proof.author, proof, of=incoming))
        return outputs

    def forgotten(incoming: Incoming, request: Forget) -> list[Outgoing]:
        """Where a message belongs only its thread knows; an author is a subject by itself, and
        what people said or the author proved goes, too."""
        if request.mention_id is not None:
            return [send(THREADS, request.mention_id, request, of=incoming)]
        subject = request.author or f"customer:{request.customer_id}"
        gone = Gone(subject=subject, at=request.requested_at)
        outputs = [send(SUBJECT_EVENTS, subject, gone, of=incoming)]
        if request.author is not None:
            outputs.append(send(MANUAL_LINKS, request.author, request, of=incoming))
        return outputs

    async def judged(mentions: Sequence[Mention]) -> list[Judgement]:
        texts = [m.text for m in mentions]
        langs = [m.lang for m in mentions]
        return await run(lambda: judge.judge(texts, langs)) if mentions else []

    async def outcome(batch: list[Incoming]) -> Outcome:
        outputs: list[Outgoing] = []
        records = step.decode(batch, outputs)
        mentions = [(i, m) for i, m in records if isinstance(m, Mention)]
        outputs += [out for i, f in records if isinstance(f, Forget) for out in forgotten(i, f)]
        judgements = await judged([m for _, m in mentions])
        for (incoming, mention), judgement in zip(mentions, judgements, strict=True):
            try:
                outputs += one(incoming, mention, judgement)
            except Exception as error:  # noqa: BLE001 - no mention may stop a partition
                outputs.append(step.refuse(incoming, error))
        return Outcome(outputs)

    def hop(batches: Batches) -> AsyncIterator[Outcome]:
        # No state is kept, so the model need not wait for what becomes of the batch before.
        return overlapped(batches, outcome)

    return hop
