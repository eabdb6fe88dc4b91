"""What is remembered of dangers and of sent alerts, so that each is sent once, and once more when it is over.

The ledger is one value: kept in the store, and replaced as a whole after each look and each delivery.
"""

import dataclasses
import datetime
import enum

from daemun.core import model


class Danger(enum.Enum):
    """FAILING: no certificate was got, again and again. EXPIRING: the one that is served runs out soon, or has.
    UNSERVED: visitors of a site do not get it, or not all of it; then the alert's name is the site's host.
    UNWRITABLE: a folder of the state directory cannot be written; then name and host are its path.

    ERRORS: many requests of a site end with an error of the server. FILLING: a disk of the state directory is nearly
    full. UNAPPLIED: a change did not come live. OLD_WORKERS: too many generations of nginx's workers are left. WEAK:
    the nginx that serves has a known weakness. BANS: many addresses were banned. NODE_DOWN: a node of
    the fleet gives no sign of life. FLEET_DATABASE: this node does not reach the fleet's database. What is in such a
    danger is named by its Concern.
    """

    FAILING = "failing"
    EXPIRING = "expiring"
    UNSERVED = "unserved"
    UNWRITABLE = "unwritable"
    ERRORS = "errors"
    FILLING = "filling"
    UNAPPLIED = "unapplied"
    OLD_WORKERS = "old_workers"
    WEAK = "weak"
    BANS = "bans"
    NODE_DOWN = "node_down"
    FLEET_DATABASE = "fleet_database"

    @property
    def is_of_certificate(self) -> bool:
        return self in {Danger.FAILING, Danger.EXPIRING}

    @property
    def is_of_gate(self) -> bool:
        return not self.is_of_certificate and self not in {Danger.UNSERVED, Danger.UNWRITABLE}


class AlertEvent(enum.Enum):
    """What a message is about: a danger of that name. SOLVED: dangers that were alerted before are over. TEST: nothing
    happened."""

    FAILING = "failing"
    EXPIRING = "expiring"
    UNSERVED = "unserved"
    UNWRITABLE = "unwritable"
    ERRORS = "errors"
    FILLING = "filling"
    UNAPPLIED = "unapplied"
    OLD_WORKERS = "old_workers"
    WEAK = "weak"
    BANS = "bans"
    NODE_DOWN = "node_down"
    FLEET_DATABASE = "fleet_database"
    SOLVED = "solved"
    TEST = "test"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """How it went with one certificate, by its name. Other than the counts of an order's tries, this survives
    `daemun certs renew`.

    failing_since: since when it is wanted, or the first failure in a row was seen; None: all is well.
    failures: how many were since.
    attempt: the next try that was planned then; another one means another failure.
    not_after: of the certificate that was served meanwhile.
    calm_since: since when it looks as if all were well, without proof; of this process only.
    """

    name: str
    failing_since: datetime.datetime | None = None
    failures: int = 0
    attempt: datetime.datetime | None = None
    not_after: datetime.datetime | None = None
    calm_since: datetime.datetime | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Concern:
    """A danger of the gate itself. name: of what, once for each danger. about: the same, for people. patience: how long
    it must last before it is one."""

    danger: Danger
    name: str
    about: str
    cause: str
    cure: str = ""
    patience: datetime.timedelta = datetime.timedelta(0)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class BegunConcern:
    """Since when a concern lasts."""

    danger: Danger
    name: str
    at: datetime.datetime


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """A certificate, a site or a folder in danger, or what a Concern is about. host, names: as
    `model.CertificateStatus`. notified: the targets that it was sent to.

    solved_at: None: not yet. It is kept until every target that knows the danger knows that, too.
    cause: why it was in danger at the last look that found it so; "": not known. cure: what helps; "": the same.
    """

    danger: Danger
    name: str
    host: str
    names: tuple[str, ...]
    raised_at: datetime.datetime
    solved_at: datetime.datetime | None = None
    notified: tuple[str, ...] = ()
    cause: str = ""
    cure: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SentMessage:
    """When a target was last sent a message of this kind."""

    target: str
    event: AlertEvent
    at: datetime.datetime


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AlertLedger:
    """watched: sorted by name. alerts: at most one of a danger and a certificate, the oldest first. begun: of the
    concerns that last."""

    watched: tuple[Watched, ...] = ()
    alerts: tuple[Alert, ...] = ()
    sent: tuple[SentMessage, ...] = ()
    begun: tuple[BegunConcern, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One certificate in a message, one site, or one folder. status: None: it is needed no longer. site: what is wrong
    with it; None: nothing."""

    alert: Alert
    status: model.CertificateStatus | None = None
    site: model.SiteStatus | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """A message to be sent. at: not before then."""

    event: AlertEvent
    items: tuple[Item, ...] = ()
    at: datetime.datetime | None = None
