"""The certificates sites need, and what is known of each."""

import dataclasses
import datetime
import enum

from daemun.core.model.acme_settings import KeyType, Ordering
from daemun.core.model.problem import NOWHERE, Origin
from daemun.core.model.site import TlsMode


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CertificateSpec:
    """A certificate some site needs.

    name: its folder under live/, made by `certificates.certificate_choice.name_of`. host: of the site, the first of
        several.
    names: the identifiers it must carry, the first one the subject. mode: never TlsMode.OFF or AUTO.
    certificate, key: the owner's PEM files, with TlsMode.FILES.
    ordering: with what the gate has for all, but for the CA.
    unordered: those of the names that are left to the local CA because no public one signs them.
    shown: the names that nginx finds in a folder of their own under live/
        (`certificates.certificate_choice.folder_of`); none where one folder is for all of them.
    takes_names: names are added to its site while the gate runs, and whatever live/ holds is one of them.
    is_added: it is for such a name.
    first: of the second of two certificates for the same names, with a key of another type: the one that it is shown
    beside, in the same folders.
    origin: where its site is described.
    """

    name: str
    host: str
    names: tuple[str, ...]
    mode: TlsMode
    certificate: str | None = None
    key: str | None = None
    ordering: Ordering = Ordering()
    unordered: tuple[str, ...] = ()
    shown: tuple[str, ...] = ()
    takes_names: bool = False
    is_added: bool = False
    first: "CertificateSpec | None" = None
    origin: Origin = dataclasses.field(default=NOWHERE, compare=False)

    @property
    def has_two_types(self) -> bool:
        """Whether its folders have room for a second certificate (`layout.SECOND_CHAIN`)."""
        return self.ordering.further_key_type is not None

    @property
    def algorithm(self) -> str | None:
        """Of its key, where it is one of two; None: any, until it is renewed."""
        kind = self.ordering.key_type
        return kind.algorithm if kind is not None and (self.has_two_types or self.first is not None) else None


class CertificateState(enum.Enum):
    """VALID: the certificate that was wanted is served. LOCAL: one of the local CA is, and is meant to be.
    PENDING: the local one is served while one is ordered. FAILING: the last try failed (a next one is planned).
    INVALID: it is served as wanted, and no visitor can use it (expired, for another name). INCOMPLETE: some cannot
    (a part of its chain or of the names is missing). NOT_SERVED: it is there, and handshakes do not show it."""

    VALID = "valid"
    LOCAL = "local"
    PENDING = "pending"
    FAILING = "failing"
    INVALID = "invalid"
    INCOMPLETE = "incomplete"
    NOT_SERVED = "not served"


class CertificateKind(enum.Enum):
    """Whose certificate is served: PUBLIC: of a CA. OWN: the owner's files. LOCAL: of the local CA."""

    PUBLIC = "public"
    OWN = "own"
    LOCAL = "local"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class OtherCertificate:
    """What some names of a site are served with while its other names have another certificate. fingerprint: as in
    `CertificateStatus`."""

    names: tuple[str, ...]
    kind: CertificateKind
    issuer: str
    not_before: datetime.datetime
    not_after: datetime.datetime
    fingerprint: str | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class OrderTry:
    """One try to get a certificate that failed. at: aware. authority: the directory URL of the CA; "": it was of this
    machine. result: why it failed."""

    at: datetime.datetime
    authority: str
    result: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CertificateStatus:
    """What is known of one certificate. Instants are aware UTC; None: not known or not planned.

    kind, issuer, not_before, not_after: of the one that is served.
    fingerprint: SHA-256 of it, as hexadecimal digits.
    authority: the directory URL of the CA whose certificate is served; None: no public one is.
    reason: what a person should know: why it is not as wanted, or why it is renewed early.
    failures: tries in a row that failed; last_error: why the last of them did; failing_since: when the first one did.
    tries: the last of those in a row, the oldest first.
    others: for the names that are not served with this certificate.
    held_until: no order is sent before, as the CAs demand (Retry-After) or as their limits require.
    key_type: where a certificate with a key of another type is wanted for the same names, too.
    rsa_shown: where two types are wanted: the names for which clients that take only RSA are shown a certificate, and
    its fingerprint.
    """

    name: str
    host: str
    names: tuple[str, ...]
    state: CertificateState
    kind: CertificateKind | None = None
    issuer: str | None = None
    not_before: datetime.datetime | None = None
    not_after: datetime.datetime | None = None
    renew_at: datetime.datetime | None = None
    next_attempt: datetime.datetime | None = None
    reason: str | None = None
    authority: str | None = None
    failures: int = 0
    last_error: str | None = None
    failing_since: datetime.datetime | None = None
    tries: tuple[OrderTry, ...] = ()
    others: tuple[OtherCertificate, ...] = ()
    held_until: datetime.datetime | None = None
    fingerprint: str | None = None
    key_type: KeyType | None = None
    rsa_shown: tuple[tuple[str, str], ...] = ()
