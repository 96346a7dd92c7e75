"""One row a topic: name, key, record, partitions, cleanup.

Topics whose keys must meet share a partition count (`wide`). Brand and fit figures are sums over
many subjects, so the parts of each mention travel once more, keyed by what they are summed over.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from listener import records

DAY_MS: Final = 24 * 3600 * 1000


class Topic(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    key: str
    record: Any | None
    """None: bytes of other producers."""
    wide: bool = True
    """As many partitions as the setting says; otherwise one."""
    cleanup: str = "delete"
    retention_ms: int | None = None
    help: str

    def partitions(self, width: int) -> int:
        return width if self.wide else 1


MENTIONS: Final = Topic(
    name="listener.mentions",
    key="author `network:id`",
    record=records.Mention,
    retention_ms=30 * DAY_MS,
    help="Every message, masked and normalised.",
)
LINKED: Final = Topic(
    name="listener.linked",
    key="subject: customer, else author",
    record=records.Linked,
    retention_ms=30 * DAY_MS,
    help="Mentions with their judgement and customer.",
)
ACTIONS: Final = Topic(
    name="listener.actions",
    key="subject",
    record=records.Action,
    help="What people did with alerts.",
)
SUBJECT_EVENTS: Final = Topic(
    name="listener.subject.events",
    key="subject",
    record=records.Reply | records.GroupHit | records.Moved | records.Belongs | records.Gone,
    retention_ms=7 * DAY_MS,
    help="What became elsewhere of a subject's threads: answers, group hits, moves, deletions.",
)
THREADS: Final = Topic(
    name="listener.threads",
    key="mention id",
    record=records.ThreadOf | records.Reply | records.Forget,
    retention_ms=7 * DAY_MS,
    help="Whose thread a message belongs to, and the brand's answers to it.",
)
ALERTS: Final = Topic(
    name="listener.alerts",
    key="dedup key",
    record=records.Alert,
    cleanup="compact",
    help="Alerts, the newest version of each.",
)
NOTICES: Final = Topic(
    name="listener.notices",
    key="dedup key",
    record=records.Notice,
    retention_ms=7 * DAY_MS,
    help="Notices out of dead letters, each to be told to its receiver again.",
)
DIGESTS: Final = Topic(
    name="listener.digests",
    key="digest id",
    record=records.Digest,
    wide=False,
    cleanup="compact",
    help="Digests that were sent.",
)
BRAND_EVIDENCE: Final = Topic(
    name="listener.brand.evidence",
    key="brand",
    record=records.BrandEvidence,
    retention_ms=7 * DAY_MS,
    help="Each mention's part in its brand's figures.",
)
BRAND_RISK: Final = Topic(
    name="listener.brand.risk",
    key="brand",
    record=records.BrandRisk,
    cleanup="compact,delete",
    retention_ms=90 * DAY_MS,
    help="How each brand stands.",
)
FIT_EVIDENCE: Final = Topic(
    name="listener.fit.evidence",
    key="segment",
    record=records.FitEvidence,
    wide=False,
    retention_ms=7 * DAY_MS,
    help="Events of customers that say how well they fit.",
)
FIT_SIGNALS: Final = Topic(
    name="listener.fit.signals",
    key="segment:dimension:band",
    record=records.FitSignal,
    cleanup="compact",
    help="How the customers of each segment fare.",
)
FIT_INDEX: Final = Topic(
    name="listener.fit.index",
    key="segment",
    record=records.FitIndex,
    cleanup="compact",
    help="How well each segment fits all in all.",
)
STAGES: Final = Topic(
    name="listener.stages",
    key="subject: customer, else author",
    record=records.SubjectStage,
    cleanup="compact",
    help="Where each subject stands in the life cycle, and why.",
)
HELP_OFFERS: Final = Topic(
    name="listener.help.offers",
    key="customer id",
    record=records.HelpOffer,
    retention_ms=30 * DAY_MS,
    help="Whom to offer help, and why.",
)
CUSTOMERS: Final = Topic(
    name="listener.customers",
    key="customer id",
    record=records.Customer,
    cleanup="compact",
    help="The company's customer directory.",
)
IDENTITIES: Final = Topic(
    name="listener.identities",
    key="identifier and customer",
    record=records.Identity,
    cleanup="compact",
    help="Whose each identifier is.",
)
MANUAL_LINKS: Final = Topic(
    name="listener.links",
    key="author `network:id`",
    record=records.ManualLink | records.Proof | records.Forget,
    cleanup="compact",
    help="What people said, and what authors proved, of whose messages these are.",
)
DEAD_LETTERS: Final = Topic(
    name="listener.dead-letters",
    key="raw key",
    record=records.DeadLetter,
    help="What no hop could process, and why.",
)


STATE_PREFIX: Final = "listener.state."


def _state(name: str, source: Topic) -> Topic:
    return Topic(
        name=f"{STATE_PREFIX}{name}",
        key=source.key,
        record=None,
        wide=source.wide,
        cleanup="compact",
        help=f"State behind {source.name}, in the same partitions.",
    )


STATE_SUBJECTS: Final = _state("subjects", LINKED)
STATE_BRANDS: Final = _state("brands", BRAND_EVIDENCE)
STATE_SEGMENTS: Final = _state("segments", FIT_EVIDENCE)
STATE_DELIVERIES: Final = _state("deliveries", ALERTS)
STATE_THREADS: Final = _state("threads", THREADS)
STATE_CUSTOMERS: Final = _state("customers", CUSTOMERS)
STATE_AUTHORS: Final = _state("authors", MANUAL_LINKS)

TOPICS: Final = (
    MENTIONS,
    LINKED,
    ACTIONS,
    SUBJECT_EVENTS,
    THREADS,
    ALERTS,
    NOTICES,
    DIGESTS,
    BRAND_EVIDENCE,
    BRAND_RISK,
    FIT_EVIDENCE,
    FIT_SIGNALS,
    FIT_INDEX,
    STAGES,
    HELP_OFFERS,
    CUSTOMERS,
    IDENTITIES,
    MANUAL_LINKS,
    DEAD_LETTERS,
    STATE_SUBJECTS,
    STATE_BRANDS,
    STATE_SEGMENTS,
    STATE_DELIVERIES,
    STATE_THREADS,
    STATE_CUSTOMERS,
    STATE_AUTHORS,
)


def raw(name: str) -> Topic:
    """A topic that other producers write; the policy names its format."""
    return Topic(name=name, key="as the producer has it", record=None, help="Raw messages.")
