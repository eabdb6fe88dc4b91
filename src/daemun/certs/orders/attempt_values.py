"""The inputs and results of an attempt to get a certificate (`certs.orders.order_attempt`), as values."""

import collections.abc
import dataclasses
import datetime
import threading

from daemun.certs.acme import prover_port
from daemun.certs.orders import ca_outages
from daemun.certs.served import certificate_records, certificate_store
from daemun.control import certificate_port, ports
from daemun.core import model
from daemun.core.issuance import budget


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AttemptNeeds:
    """What a try needs besides what it orders. pause: None: really (`acme_network.Pause`). outages: of all tries."""

    store: ports.Store
    stored: certificate_store.CertificateStore
    clock: ports.Clock
    provers: prover_port.Provers
    examiner: certificate_port.Examiner | None
    limits_of: collections.abc.Callable[[str], budget.Limits]
    pause: collections.abc.Callable[[float, threading.Event], bool] | None = None
    outages: ca_outages.Outages = dataclasses.field(default_factory=ca_outages.Outages)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AttemptInput:
    """before: how it went so far. replaced: what is served, which a new one is for. known: what was issued last for it.
    down: the directories of CAs that are left out, as they are known to be down."""

    spec: model.CertificateSpec
    authorities: tuple[model.Authority, ...]
    before: certificate_records.Attempts | None
    replaced: certificate_records.Issued | None
    known: certificate_records.Issued | None = None
    down: frozenset[str] = frozenset()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """No CA gave a certificate for all names. is_failure: False: none was tried, there is only a wait.

    reason: of each CA, in words. holds: as `certificate_records.Attempts.holds`. rehearse: whether test systems are
    tried next.
    seen: a fingerprint of what was found in DNS; None: without a look. is_elsewhere: another process orders it now, or
    whether one does cannot be found out: nothing is known of the CA, or of the names. tries: the CAs that got an order,
    by directory ("": it came to none, as something of this machine failed), each with what came of it.
    """

    reason: str
    is_failure: bool
    holds: tuple[tuple[str, datetime.datetime], ...] = ()
    rehearse: bool = False
    seen: str | None = None
    is_elsewhere: bool = False
    tries: tuple[tuple[str, str], ...] = ()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Obtained:
    """issued: of a CA; None: the store has all that can be had. failed: why it is not for all names; None: it is."""

    issued: certificate_records.Issued | None
    failed: Failed | None = None
