"""What a visitor receives: what handshakes, connections to servers and nginx's error log show for each site."""

import dataclasses
import datetime
import enum

from daemun.core.model.target import Endpoint, Scheme, UpstreamTls


class Trouble(enum.Enum):
    """What is wrong with one server.

    SILENT: a connection, or an answer on it, does not come in time. UNRESOLVED: its name has no address. ABSENT: the
    route has no server now, as when all containers are stopped. UNWELL: by its own `health:`. FORBIDDEN:
    nginx's workers may not open its unix socket.
    """

    REFUSED = "refused"
    SILENT = "no answer"
    UNREACHABLE = "unreachable"
    FORBIDDEN = "socket without rights"
    UNRESOLVED = "does not resolve"
    ABSENT = "no server"
    CLOSED = "closes the connection"
    CERTIFICATE = "certificate refused"
    SPEAKS_TLS = "speaks TLS"
    SPEAKS_HTTP = "speaks plain HTTP"
    OTHER_PROTOCOL = "speaks another protocol"
    LOOP = "redirects to itself"
    UNWELL = "not well"

    @property
    def is_permanent(self) -> bool:
        """Whether waiting does not help: a setting has to be changed."""
        return self in _PERMANENT


_PERMANENT = frozenset(
    {
        Trouble.FORBIDDEN,
        Trouble.CERTIFICATE,
        Trouble.SPEAKS_TLS,
        Trouble.SPEAKS_HTTP,
        Trouble.OTHER_PROTOCOL,
        Trouble.LOOP,
    }
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Aim:
    """One target of a route, and how it is tried.

    tls: how its certificate is verified.

    host, path: of the site and the route. written: the target as in the file. service: nginx queries it by name; None:
    endpoint or socket is set. is_checked: the route has a `health:`, which is used instead. is_pool: containers.
    is_judge: no server of the route but the one that decides who may come in (`access.forward_auth`).
    server_name: as SNI and in the certificate; None: nothing is compared. sees: what the server sees as Host.
    leads_back: scheme and host of each address by which the gate brings a visitor back to this one.
    sent: the path that the server sees; None: it is not known, and no request line is sent. is_https: what visitors
    use. headers: what the route sends besides. shows_certificate: the owner's nginx shows the server one of its own.
    """

    host: str
    path: str
    written: str
    scheme: Scheme
    tls: UpstreamTls
    service: str | None = None
    named: str | None = None
    endpoint: Endpoint | None = None
    socket: str | None = None
    server_name: str | None = None
    sees: str = ""
    sent: str | None = None
    is_https: bool = True
    is_checked: bool = False
    is_pool: bool = False
    is_judge: bool = False
    leads_back: tuple[tuple[str, str], ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    shows_certificate: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class ServerChange:
    """A look that found something else than the one before. trouble: None: it answers again. cause: in words."""

    at: datetime.datetime
    trouble: Trouble | None
    cause: str | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ServerLook:
    """What a look at one server found. server: with its address where a name stands for it.

    trouble: None: it answers. cause, cure: in words, with trouble. at: of the last look. since: of the first of those
    in a row that found trouble. history: the last changes, the oldest first (`served.server_history`); empty: it was
    never in trouble.
    """

    server: str
    at: datetime.datetime
    trouble: Trouble | None = None
    cause: str | None = None
    cure: str | None = None
    since: datetime.datetime | None = None
    history: tuple[ServerChange, ...] = dataclasses.field(default=(), compare=False)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamError:
    """The last error that nginx logged of a route's servers. count: of the same cause, one after another.

    cause: in plain words. is_lasting: a visitor who does the same gets the same. words: nginx's own. at_least: lines
    were left out, for they came too fast. since: the first of those, lasting or not as it is, with no pause between
    them that ends what the route is judged by.
    """

    at: datetime.datetime
    since: datetime.datetime
    count: int
    cause: str
    cure: str
    words: str
    is_lasting: bool = False
    at_least: bool = False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RouteLook:
    """servers: those that were looked at; empty: none was yet, or the route has none. judges: the same of what decides
    who may come in: while none of them answers, nobody does."""

    path: str
    servers: tuple[ServerLook, ...] = ()
    judges: tuple[ServerLook, ...] = ()
    last_error: UpstreamError | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class HandshakeLook:
    """A handshake that did not go as it should. listener: "127.0.0.1:443". is_wrong: it came about, with a certificate
    that is not the site's. only_rsa: the client took only certificates with an RSA key, as old ones do."""

    listener: str
    name: str
    at: datetime.datetime
    cause: str
    cure: str
    is_wrong: bool = False
    only_rsa: bool = False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SiteLook:
    """All that is known of one site. handshakes: those that failed. shaken_at: of the last one; None: none was made."""

    routes: tuple[RouteLook, ...] = ()
    handshakes: tuple[HandshakeLook, ...] = ()
    shaken_at: datetime.datetime | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class StreamLook:
    """All that is known of one entry of `streams`. servers: those that were looked at. unbound: addresses at which
    nothing listens. handshakes: those with the gate that failed. shaken_at: of the last one; None: none was made."""

    servers: tuple[ServerLook, ...] = ()
    unbound: tuple[str, ...] = ()
    handshakes: tuple[HandshakeLook, ...] = ()
    shaken_at: datetime.datetime | None = None
    last_error: UpstreamError | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ServerFault:
    """Why no server of a route serves. is_permanent: waiting does not help. since: of the first look that found it."""

    is_permanent: bool
    since: datetime.datetime
