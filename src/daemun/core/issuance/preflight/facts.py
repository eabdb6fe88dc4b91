"""What was seen, before it is judged."""

import dataclasses
import datetime
import enum
import ipaddress

from daemun.core import model

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ThisMachine:
    """This machine and its gate.

    addresses: of its interfaces. listens: whether the gate itself listens at port 80, where CAs look.
    """

    addresses: frozenset[Address] = frozenset()
    listens: bool = True

    @property
    def public(self) -> tuple[Address, ...]:
        """Those that a record in DNS could name, IPv4 first."""
        return tuple(sorted((one for one in self.addresses if one.is_global), key=lambda one: (one.version, one)))


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class OrderContext:
    """What an order is for, and by which account. account: the URL of the account at the CA; None: not made yet.

    is_public: whether browsers trust the CA. challenge: how the name is proved.
    """

    host: str
    is_public: bool
    challenge: model.Challenge = model.Challenge.HTTP_01
    account: str | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """A name's addresses in DNS, IPv4 first.

    exists: False: the name does not exist (NXDOMAIN). failures: why a question had no answer, in words, with the type
    that was queried: "AAAA: the resolver answers SERVFAIL".
    """

    addresses: tuple[Address, ...] = ()
    exists: bool = True
    failures: tuple[str, ...] = ()


class Reach(enum.Enum):
    """Who answered a request for a token of ours at port 80 of an address.

    HERE: this gate. REFUSED: nothing listens. SILENT: no answer in time. NO_WAY: the network knows no way.
    CLOSED: something that speaks no HTTP. OTHER: another server. ACCOUNT: another gate or ACME client, with an account
    of its own. MOVED: a redirect to somewhere else. LOOP: redirects without an end.
    """

    HERE = "here"
    REFUSED = "refused"
    SILENT = "silent"
    NO_WAY = "no way"
    CLOSED = "closed"
    OTHER = "other"
    ACCOUNT = "account"
    MOVED = "moved"
    LOOP = "loop"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PreflightVisit:
    """One address that was visited. detail: what the answer was, fit to be shown ("HTTP 404 from \\"Apache\\"")."""

    address: Address
    reach: Reach
    detail: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CaaRecord:
    """Source: RFC 8659 section 4.1. tag: in lower case."""

    tag: str
    value: str
    is_critical: bool = False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Caa:
    """The CAA records that count for a name: those of the nearest of its parents that has any.

    at: whose they are; None: there are none. failure: why that could not be found out, in words.
    """

    at: str | None = None
    records: tuple[CaaRecord, ...] = ()
    failure: str | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class NameServerCheck:
    """failure: why it has no answer for the zone, in words; None: it has one."""

    name: str
    failure: str | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ProofPlace:
    """Where a record for a proof in DNS is looked for.

    record: the name that a CA queries. target: where a CNAME leads from there; None: there is none.
    zone: the one it lies in; None: none was found. failure: why that could not be found out, in words.
    servers: of the zone.
    """

    record: str
    target: str | None = None
    zone: str | None = None
    servers: tuple[NameServerCheck, ...] = ()
    failure: str | None = None


class CaAnswer(enum.Enum):
    """DIRECTORY: as it should be. UNTRUSTED: TLS with a certificate that is not trusted. NOT_NOW: one that is not valid
    at the time of this machine's clock; then `ahead` is not to be trusted, either, but a lie gains nothing.
    UNREACHABLE, NO_DIRECTORY: see `detail`."""

    DIRECTORY = "directory"
    UNTRUSTED = "untrusted"
    NOT_NOW = "not now"
    UNREACHABLE = "unreachable"
    IN_TROUBLE = "in trouble"
    NO_DIRECTORY = "no directory"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CaDirectory:
    """The content of a CA's directory. identities: its own names in CAA records; empty: it has none.

    ahead: how far this machine's clock is before the CA's (negative: behind); None: it sent no time.
    """

    answer: CaAnswer
    identities: tuple[str, ...] = ()
    ahead: datetime.timedelta | None = None
    detail: str = ""
