"""Every record on a topic, in flow order. Frozen: a new fact is a new record.

JSON on the wire. Unknown fields are ignored, so a newer writer never stops an older reader; times
are ISO 8601 with a zone. `SCHEMA` rises when a field changes its meaning or goes away.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final, Literal

import msgspec

SCHEMA: Final = 1

Sentiment = Literal["neg", "neu", "pos"]
Issue = Literal[
    "billing",
    "delivery",
    "product",
    "outage",
    "account",
    "cancel",
    "staff",
    "policy",
    "feature",
    "other",
    "none",
]
Channel = Literal["public", "review", "support"]
Tier = Literal["T0", "T1", "T2", "T3", "none"]
Stage = Literal["suspect", "prospect", "adopting", "retained", "advocate", "at_risk", "lost"]
AlertState = Literal[
    "pending", "open", "acknowledged", "resolved", "suppressed", "expired", "reopened"
]
Priority = Literal["P1", "P2", "P3"]
AlertKind = Literal["trouble", "opportunity", "andon"]


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """What every record on a topic shares."""

    schema: int = SCHEMA


# --- people and messages --------------------------------------------------------------------


class Author(msgspec.Struct, frozen=True, kw_only=True):
    """Who wrote it, as the source tells. `id` is the source's own, stable one."""

    id: str
    handle: str | None = None
    name: str | None = None
    followers: int | None = None
    bot: bool = False
    created_at: datetime | None = None
    verified_domains: tuple[str, ...] = ()
    opted_out: bool = False
    location: str | None = None


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """Identifiers that an author named in the message itself, before they were masked."""

    identifiers: tuple[str, ...]
    """`email:` and `phone:` with a hash, `external:` with an id of the deployment's own form."""
    needed: int
    """How many of one customer's prove that it is the author."""


class Hints(msgspec.Struct, frozen=True, kw_only=True):
    """What the source itself says about which customer this is.

    Hashes are HMAC-SHA256 hex under the deployment's key. A source may give a plain address and
    number instead; normalise hashes them, and no topic carries them.
    """

    external_id: str | None = None
    email_hash: str | None = None
    phone_hash: str | None = None
    email: str | None = None
    phone: str | None = None
    said: Said | None = None
    """Normalise fills it in; what a source gives is not taken."""


class Mention(Record, frozen=True, kw_only=True, tag_field="type", tag="mention"):
    """One message of one person, from any source, masked and ready to judge."""

    mention_id: str
    op: Literal["create", "update"] = "create"
    network: str
    channel: Channel = "public"
    uri: str | None = None
    author: Author
    text: str
    lang: str | None = None
    title: str | None = None
    rating: float | None = None
    created_at: datetime
    observed_at: datetime
    event_time: datetime
    backfill: bool = False
    parent: str | None = None
    root: str | None = None
    repost_of: str | None = None
    quote_of: str | None = None
    engagement: int = 0
    hints: Hints = Hints()
    brands: tuple[str, ...] = ()
    from_brand: bool = False
    fingerprint: str | None = None
    """Near-duplicates share it: 16 hex digits of a SimHash over the masked text."""

    @property
    def author_key(self) -> str:
        return f"{self.network}:{self.author.id}"

    @property
    def thread(self) -> str:
        """The mention id of the thread's first message."""
        return self.root or self.parent or self.mention_id


class Forget(Record, frozen=True, kw_only=True, tag_field="type", tag="forget"):
    """A message, an author or a customer whose text and identifiers must go. One of the three."""

    mention_id: str | None = None
    author: str | None = None
    customer_id: str | None = None
    reason: str
    requested_at: datetime


# --- judging and linking --------------------------------------------------------------------


class ModelId(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    version: str


class Labels(msgspec.Struct, frozen=True, kw_only=True):
    """Calibrated probabilities of every label of the codebook.

    `severity` is P(0) … P(4); `sentiment`, `issue` and `severity` sum to 1; flags are independent.
    """

    sentiment: dict[Sentiment, float]
    complaint: float
    severity: tuple[float, float, float, float, float]
    issue: dict[Issue, float]
    flags: dict[str, float]

    @property
    def top_issue(self) -> Issue:
        return max(self.issue, key=self.issue.__getitem__)

    @property
    def top_sentiment(self) -> Sentiment:
        return max(self.sentiment, key=self.sentiment.__getitem__)

    @property
    def expected_severity(self) -> float:
        """In [0, 4]."""
        return sum(grade * p for grade, p in enumerate(self.severity))


class Judgement(msgspec.Struct, frozen=True, kw_only=True):
    """What the model says of one text. `labels` is None where it does not serve the language."""

    labels: Labels | None
    unsure: tuple[str, ...] = ()
    """Heads (`sentiment`, `complaint`, `severity`, `issue`) and flags under their threshold."""
    model: ModelId
    lang: str | None = None


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """Which known customer wrote it, why we think so, and how surely."""

    customer_id: str | None = None
    tier: Tier = "none"
    basis: str = ""
    probability: float = 0.0
    evidence: tuple[str, ...] = ()
    expires: datetime | None = None


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """What the directory says of the linked customer, as far as the rules need it."""

    segment: str
    since: datetime
    value: float = 0.0
    value_percentile: float = 0.0
    """In [0, 1]; the directory fills it in, since it changes with every other customer."""


class Linked(Record, frozen=True, kw_only=True, tag_field="type", tag="linked"):
    """A mention, its judgement and its customer. Key: `subject`."""

    mention: Mention
    judgement: Judgement
    link: Link = Link()
    standing: Standing | None = None
    subject: str
    stage: Stage = "suspect"


class Customer(Record, frozen=True, kw_only=True):
    """One customer as the company's own directory has it. Key: `customer_id`.

    Other systems may write e-mails and phones in plain; the index hop hashes them, and our own
    import sends hashes only. A null value on the topic erases the customer.
    """

    customer_id: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    segment: str = "unknown"
    """Where the customer came from: acquisition source or campaign."""
    since: Annotated[datetime, msgspec.Meta(tz=True)]
    """When the customer was acquired."""
    value: float = 0.0
    """Money a year, in whatever unit; only its rank counts."""
    external_ids: tuple[str, ...] = ()
    email_hashes: tuple[str, ...] = ()
    """HMAC-SHA256 hex of the normalised address, under the deployment's key."""
    handles: tuple[str, ...] = ()
    """`network:handle`, as the customer gave them."""
    domains: tuple[str, ...] = ()
    left_at: datetime | None = None
    names: tuple[str, ...] = ()
    emails: tuple[str, ...] = ()
    phones: tuple[str, ...] = ()
    phone_hashes: tuple[str, ...] = ()
    """The same of the number in E.164 (`+49…`)."""
    location: str | None = None
    language: str | None = None
    source: str | None = None
    """Acquisition source, where the segment is something finer."""
    consent: dict[str, bool] = {}
    """Network → given or withdrawn; a network that is not named was not asked about."""


class Profile(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What probabilistic linking compares: the company's own data, never logged."""

    names: tuple[str, ...] = ()
    handles: tuple[str, ...] = ()
    """`network:handle`."""
    location: str | None = None
    domains: tuple[str, ...] = ()


class Identity(Record, frozen=True, kw_only=True):
    """One identifier and whose it is.

    Key: identifier (`external:…`, `email:…`, `network:@handle`, `network:author id`) and customer,
    since a family may share an address and nobody may take it from the other.
    """

    identifier: str
    customer_id: str
    tier: Tier
    standing: Standing | None = None
    """None on a person's own link, which is of another partition than the customer."""
    basis: str = ""
    """`manual`: a person linked this author; `unlinked`: a person said that it is not theirs;
    `proof`: the author named what only this customer has."""
    consent: dict[str, bool] = {}
    profile: Profile | None = None
    expires: datetime | None = None
    """Of `proof`: until when it holds."""
    evidence: tuple[str, ...] = ()
    """Of `proof`: what was named, and in which messages."""


class ManualLink(Record, frozen=True, kw_only=True, tag_field="type", tag="manual_link"):
    """A person said whose messages these are, or are not. Key: `author` (`network:id`)."""

    author: str
    customer_id: str
    linked: bool
    """Whether they are this customer's; if not, no rule may link the two again."""
    actor: str
    at: datetime
    action_id: str


class Proof(Record, frozen=True, kw_only=True, tag_field="type", tag="proof"):
    """An author named identifiers of one customer in a thread. Key: `author` (`network:id`)."""

    author: str
    customer_id: str
    identifiers: tuple[str, ...]
    """As a person may see them: hashes are cut."""
    needed: int
    mention_id: str
    at: datetime
    counts_until: datetime
    """A later message may add what is missing until then."""
    expires: datetime | None = None


# --- alerts ---------------------------------------------------------------------------------


class Reason(msgspec.Struct, frozen=True, kw_only=True):
    code: str
    """A hard rule (`safety`, `legal`, `privacy`) or an input of the score (`severity`, …)."""
    contribution: float
    """Share of the score, in [0, 1]; a hard rule has 1."""
    because: str = ""
    """Of a hard rule: the probabilities that it fired on."""


class Alert(Record, frozen=True, kw_only=True):
    """Something a person should look at, and how far they got. Key: `alert_id`."""

    alert_id: str
    group_key: str
    kind: AlertKind = "trouble"
    """`opportunity`: somebody wants to buy; `andon`: one issue hits many customers."""
    state: AlertState
    priority: Priority
    score: float
    reasons: tuple[Reason, ...]
    subject: str
    brand: str | None = None
    issue: Issue
    opened_at: datetime
    due_at: datetime | None = None
    acknowledged_by: str | None = None
    acknowledged_at: datetime | None = None
    resolved_at: datetime | None = None
    evidence: tuple[str, ...] = ()
    snippet: str | None = None
    permalink: str | None = None
    link: Link = Link()
    model: ModelId
    version: int = 1
    """Rises by one with every change."""
    cycle: int = 1
    """Rises by one each time a resolved alert opens again."""
    assignee: str | None = None
    route: str | None = None
    """Name of the policy's route that took it."""
    receivers: tuple[str, ...] = ()
    """Names of the policy's receivers that are to be told now; none: every one."""
    step: int = 0
    """Step of its route: rises when nobody acknowledges in time."""
    repeat: int = 0
    """Times that an open alert has been said again, after each repeat interval."""
    quiet: bool = False
    """Nobody is told: nobody had heard of it before, or its source is gone."""
    redacted: bool = False
    """Every message behind it was deleted at its source."""

    @property
    def notice_id(self) -> str:
        """Same as long as nobody needs telling again."""
        what = (self.cycle, self.state, self.priority, self.step, self.repeat)
        return ":".join(map(str, (self.alert_id, *what)))

    @property
    def notifies(self) -> bool:
        """Whether anybody is told of this state at all."""
        told = self.state in ("open", "reopened", "acknowledged", "resolved")
        return told and not self.quiet


class Action(Record, frozen=True, kw_only=True, tag_field="type", tag="action"):
    """What a person, or a desk's event, did with an alert. Key: `subject`, to meet its state."""

    action_id: str
    alert_id: str
    subject: str
    kind: Literal["acknowledge", "resolve", "wrong", "assign", "silence", "link", "unlink"]
    actor: str
    at: datetime
    note: str | None = None
    assignee: str | None = None
    """Of `assign`."""
    until: datetime | None = None
    """Of `silence`: this alert is suppressed until then."""
    customer_id: str | None = None
    """Of `link` and `unlink`: whose message it is, or is not."""


# --- what becomes of threads elsewhere ------------------------------------------------------


class ThreadOf(Record, frozen=True, kw_only=True, tag_field="type", tag="thread_of"):
    """Whose thread a message or an answer belongs to. Key: `mention_id`."""

    mention_id: str
    subject: str
    at: datetime


class Reply(Record, frozen=True, kw_only=True, tag_field="type", tag="reply"):
    """The brand's answer to a message. Key: `answers`, then the subject whose thread it is."""

    mention_id: str
    answers: str
    """Mention id of the message that it answers."""
    author: str
    """The brand's account."""
    at: datetime
    observed_at: datetime
    subject: str = ""


class GroupHit(Record, frozen=True, kw_only=True, tag_field="type", tag="group_hit"):
    """One customer whom one issue of one brand hit. Key: `subject`, which is the group's."""

    subject: str
    """`group:` and the group key."""
    group_key: str
    brand: str | None = None
    issue: Issue
    customer: str
    """The subject who was hit."""
    mention_id: str
    model: ModelId
    at: datetime
    observed_at: datetime


class Moved(Record, frozen=True, kw_only=True, tag_field="type", tag="moved"):
    """An author's threads, on their way to a customer or back. Key: `subject`."""

    subject: str
    author: str
    back: bool = False
    customer_id: str
    book: msgspec.Raw
    """Threads as escalation keeps them."""
    link: Link | None = None
    """What the directory says; None: a person linked them."""
    at: datetime


class Belongs(Record, frozen=True, kw_only=True, tag_field="type", tag="belongs"):
    """A customer's state has messages of this author, so that forgetting the author finds them.
    Key: `subject`."""

    subject: str
    """The author."""
    customer: str
    """The customer's subject."""
    at: datetime


class Gone(Record, frozen=True, kw_only=True, tag_field="type", tag="gone"):
    """A message, or all of an author or customer, that was deleted. Key: `subject`."""

    subject: str
    mention_id: str | None = None
    """None: everything of the subject, or of `author` there."""
    author: str | None = None
    """Whose it was, where the subject has messages of others."""
    at: datetime


# --- delivery -------------------------------------------------------------------------------


class Notice(Record, frozen=True, kw_only=True):
    """An alert to be told to one receiver again, out of dead letters. Key: the alert's id."""

    receiver: str
    alert: Alert


class DigestLine(msgspec.Struct, frozen=True, kw_only=True):
    """Complaints about one issue of one brand that raised no alert."""

    brand: str | None
    issue: Issue
    count: int
    examples: tuple[str, ...] = ()
    """Permalinks of the most severe."""


class Digest(Record, frozen=True, kw_only=True):
    """What one day brought that woke nobody, and what stands open. Key: `digest_id`."""

    digest_id: str
    start: datetime
    end: datetime
    mentions: int
    complaints: int
    """Complaints that no alert covers; `lines` has them by brand and issue."""
    lines: tuple[DigestLine, ...] = ()
    open_alerts: dict[Priority, int] = {}
    overdue_alerts: dict[Priority, int] = {}


# --- brand ----------------------------------------------------------------------------------


class BrandEvidence(Record, frozen=True, kw_only=True):
    """One mention's part in its brand's figures, without its text. Key: `brand`."""

    mention_id: str
    brand: str
    event_time: datetime
    author: str
    """A keyed hash of the author: enough to count distinct ones."""
    negative: float
    """P(neg), calibrated: an unsure judgement counts for what it is worth."""
    weight: float
    """c of definitions §4 without novelty, which the brand's state decides."""
    issue: Issue
    fingerprint: str | None = None
    reach: int = 0
    known: float = 0.0
    """Probability that the author is a customer of the directory."""
    bot: bool = False
    new_account: bool = False
    backfill: bool = False
    support: bool = False
    channel: Channel = "public"
    repost: bool = False
    """Its text is another's: it adds reach, no complaint."""
    permalink: str | None = None
    rival: str | None = None
    """A competitor that it is about, instead of the brand: it counts for share of voice alone."""


class Interval(msgspec.Struct, frozen=True, kw_only=True):
    low: float
    high: float


class Burst(msgspec.Struct, frozen=True, kw_only=True):
    """Significantly more distinct negative authors than usual, whether or not it matters."""

    started_at: datetime
    """As Kleinberg's automaton dates it."""
    found_at: datetime
    ended_at: datetime | None = None
    peak: float = 0.0
    """Highest multiple of the usual in an hour."""


class IssueCount(msgspec.Struct, frozen=True, kw_only=True):
    """One issue in an incident, against what is usual in as many hours."""

    issue_id: str
    """The same hour after hour: of brand and issue, as an alert's `group_key`."""
    issue: Issue
    count: int
    usual: float


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """A mention that stands for many: no text, so that forgetting the mention forgets all."""

    mention_id: str
    at: datetime
    issue: Issue
    permalink: str | None = None


class Grounds(msgspec.Struct, frozen=True, kw_only=True):
    """What speaks for an incident being ours: all of the time since it started."""

    authors: int
    """Distinct negative authors of the last hour, and how many are usual."""
    usual_authors: float
    p_long: float
    p_short: float
    known: float = 0.0
    """Share of known customers among the mentions."""
    bot: float = 0.0
    new_account: float = 0.0
    duplicate: float = 0.0
    support_lift: float | None = None
    """Multiple of the usual that support hears of the top issue; None: there is no support."""
    issues: tuple[IssueCount, ...] = ()
    samples: tuple[Sample, ...] = ()
    first_mention: str | None = None


class Incident(msgspec.Struct, frozen=True, kw_only=True):
    """A burst that is real (significance) and matters (burn)."""

    incident_id: str
    kind: Literal["page", "ticket"]
    started_at: datetime
    ended_at: datetime | None = None
    peak_burn: float = 0.0
    channel: Channel = "public"
    found_at: datetime | None = None
    grounds: Grounds | None = None

    @property
    def open(self) -> bool:
        return self.ended_at is None


class ChannelRisk(msgspec.Struct, frozen=True, kw_only=True):
    """How a brand stands in one channel."""

    brand_risk: float
    burn: dict[str, float]
    significance: dict[str, float]
    mentions_24h: int
    negative_share: float
    negative_interval: Interval
    volume_ratio: float
    """Mentions of the last 24 h as a multiple of the usual."""
    authors: int
    """Distinct negative authors of the last hour, and how many are usual then."""
    usual_authors: float
    leak: float
    """CUSUM of the hours; from the policy's `leak_level` on a slow leak is real."""
    baseline: Literal["prior", "warming", "own"]
    """`prior`: under a day of history, so that mostly the policy's prior speaks; `warming`: under
    four weeks, hours of the week lean on hours of the day."""
    baseline_days: float
    burst: Burst | None = None
    incident: Incident | None = None


class BrandRisk(Record, frozen=True, kw_only=True):
    """How a brand stands at one event time. Key: `brand`."""

    brand: str
    at: datetime
    brand_risk: float
    """0 to 100: 100·(1 − 2^(−burn_24h/3))."""
    burn: dict[str, float]
    """Window (`15m`, `30m`, `1h`, `6h`, `24h`, `3d`) → multiple of the 28-day budget."""
    significance: dict[str, float]
    """Window (`15m`, `1h`) → upper-tail p of the number of distinct negative authors, of the
    channel where it is least."""
    mentions_24h: int
    negative_share: float
    negative_interval: Interval
    incident: Incident | None = None
    """Of the channel where it is worst; the last one where none is open."""
    top_issues: dict[Issue, float] = {}
    shares: dict[str, float] = {}
    """`known`, `bot`, `new_account`, `duplicate`, `reach_negative`: shares of the last 24 h."""
    evidence: tuple[str, ...] = ()
    late: int = 0
    baseline_days: float = 0.0
    """Event time the baseline has seen; under 28 the budget is scaled to what it has."""
    channels: dict[Channel, ChannelRisk] = {}
    share_of_voice: dict[str, float] = {}
    """Brand → share of the mentions of the last 24 h, among this one and its competitors."""


# --- fit ------------------------------------------------------------------------------------


class FitEvidence(Record, frozen=True, kw_only=True, tag_field="type", tag="event"):
    """One event of one customer in one dimension. Key: `segment`.

    The dimension `heard` says that the customer wrote at all: what coverage is counted by.
    """

    mention_id: str
    customer_id: str
    segment: str
    dimension: str
    issue: Issue
    event_time: datetime
    tenure_days: float
    quality: float
    """q: the label's calibrated probability."""
    link: float
    """r: the link's probability."""
    brand: str | None = None
    """Whose incidents excuse it; None: anyone's of ours."""
    reason: str | None = None
    """Of a mismatch, what was expected otherwise, where that is known."""


class IncidentWindow(Record, frozen=True, kw_only=True, tag_field="type", tag="incident"):
    """When a brand had an incident: what customers said then does not count against them. Key:
    `brand`, on the topic of `FitEvidence`."""

    brand: str
    incident_id: str
    started_at: datetime
    ended_at: datetime | None = None


class FitSignal(Record, frozen=True, kw_only=True):
    """How the customers of one segment fare in one dimension at one tenure. Key: `segment`."""

    segment: str
    dimension: str
    band: str
    at: datetime
    rate: float
    """Posterior mean of events a customer, recent ones weighted more, errors of the classifier
    taken out where the policy knows them."""
    interval: Interval
    """90 % credible."""
    n: int
    """Customers of the directory."""
    n_eff: float
    """As many customers whose events were all certain and new would tell as much."""
    pooled: float
    p_above: float
    """P(θ > 1.25·m), m without the segment itself: `others`."""
    p_below: float
    """P(θ < 0.8·m), the same m."""
    coverage: float
    """Share of the customers who wrote anything at all at this tenure."""
    status: Literal["insufficient", "elevated", "better", "typical"]
    evidence: tuple[str, ...] = ()
    censored: float = 0.0
    """Events, weighted, that do not count since an incident of ours was open."""
    others: float = 0.0
    """What all other segments show at that tenure; the pooled rate where there are none."""
    reasons: dict[str, float] = {}
    """Of mismatch: what was expected otherwise → share of the events; the rest is not known."""
    messages: float | None = None
    """Of education effort: agents' messages a customer, recent ones weighted more."""
    minutes: float | None = None
    """The same as working time, by the policy's minutes a message."""


class FitIndex(Record, frozen=True, kw_only=True):
    """How well a segment fits all in all, and why. Key: `segment`."""

    segment: str
    at: datetime
    index: float
    """100: as all customers at the same tenure; above: better."""
    vector: dict[str, float]
    """Dimension → rate as a multiple of the pooled one, over the tenure bands."""
    customers: int
    cost: float | None = None
    """Spend for each customer, where the policy has the spend."""
    adjusted_cost: float | None = None
    """Spend for each customer who fits as all do: `cost` · 100 ÷ `index`."""


class SubjectStage(Record, frozen=True, kw_only=True):
    """Where a subject stands in the life cycle, since when and why. Key: `subject`."""

    subject: str
    customer_id: str | None = None
    stage: Stage
    since: datetime
    reasons: tuple[str, ...] = ()
    evidence: tuple[str, ...] = ()
    """Mention ids."""
    stuck: bool = False
    """Asked the same again while adopting: a nudge may help."""


class HelpOffer(Record, frozen=True, kw_only=True):
    """A reason to offer one customer help. Nothing else may be made of it. Key: `customer_id`."""

    offer_id: str
    customer_id: str
    kind: Literal["education", "onboarding_call"]
    reason: str
    issue: Issue
    at: datetime
    evidence: tuple[str, ...] = ()


# --- what could not be processed ------------------------------------------------------------


class DeadLetter(Record, frozen=True, kw_only=True):
    """A record that no hop can process, and why. `raw` is base64 of its masked bytes."""

    stage: str
    error: str
    field: str
    topic: str
    partition: int
    offset: int
    raw: bytes
    truncated: bool = False
    at: datetime
