"""One host name with its routes, its TLS and its ways of answering."""

import dataclasses
import enum

from daemun.core.model.acme_settings import Ordering
from daemun.core.model.problem import NOWHERE, Origin
from daemun.core.model.route import Route, Snippet
from daemun.core.model.target import OptionValues


class TlsMode(enum.Enum):
    """AUTO: ACME where a public CA signs the names, else the local CA. FILES: the owner's own certificate."""

    AUTO = "auto"
    ACME = "acme"
    LOCAL = "local"
    OFF = "off"
    FILES = "files"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TlsPolicy:
    """What is negotiated with clients. name: for messages. protocols, ciphers: as nginx and OpenSSL spell them.

    prefers_server: whether the order of the ciphers is the gate's or the client's.
    """

    name: str
    protocols: tuple[str, ...]
    ciphers: str
    prefers_server: bool = False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ClientVerification:
    """Clients show a certificate of a private CA. ca_file, crl_file: absolute paths of PEM files.

    digest: of what both hold, which nginx loads once; "": not looked at. is_optional: who shows none is served, too.
    """

    ca_file: str
    crl_file: str | None = None
    digest: str = ""
    is_optional: bool = False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """certificate, key: absolute paths of PEM files; only with TlsMode.FILES.

    group: the names of the certificate when it is for several sites, this one among them; empty: the site's names.
    ordering: how this certificate is ordered.
    policy: None: that of the whole gate. clients: None: clients show no certificate.
    """

    mode: TlsMode = TlsMode.AUTO
    certificate: str | None = None
    key: str | None = None
    group: tuple[str, ...] = ()
    ordering: Ordering = Ordering()
    policy: TlsPolicy | None = None
    clients: ClientVerification | None = None


class HttpMode(enum.Enum):
    """What plain HTTP answers: a 301 to HTTPS, the site itself, or nothing but the ACME challenge (404)."""

    REDIRECT = "redirect"
    SERVE = "serve"
    OFF = "off"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FixedAnswer:
    """What the gate answers itself. text: a body, or with a redirect's status where it leads; with the variables of
    `texts.names.VARIABLES`."""

    status: int = 404
    text: str | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SetAside:
    """Why a site cannot be served as it is written. bars: what no earlier version that stands in may name: files that
    nginx would read at once and that are not there, and folders that would show a secret."""

    reason: str
    bars: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Overlay:
    """A site of the file lies over the one that containers have of the same host: their routes are its own, and what it
    sets holds instead of what they set.

    keys: what it sets, as of `Problem.field`: ("hsts",), ("listen",), ("routes", "/api/", "timeout").
    beneath: where the containers' site comes from; None: there is none, or sources are not merged yet.
    """

    keys: frozenset[tuple[str | int, ...]] = frozenset()
    beneath: Origin | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """One host name with its routes.

    host: lower case, IDNA-encoded: a name, "*.example.com", an IPv4 address or "[IPv6]". From containers also
        "www.example.*", and a regular expression behind "~" that `texts.patterns` accepts.
    aliases: of the same forms. routes: sorted by path, at least one.
    http_port, https_port: where it listens instead of the gate's addresses; None: there.
    http2: whether it is offered; None: as for the whole gate. server_tokens: what nginx shows of itself ("on", "off",
        "build"); None: its name alone.
    refuses_tls: without TLS: handshakes for its names are refused, whatever certificate unknown names get.
    challenge: whether daemun answers the ACME challenge on plain HTTP, and not the site.
    otherwise: what answers paths that no route has.
    fault: it is set aside: what runs of it goes on, or a 503 page is served. None: nothing is wrong with it.
    overlay: None: its routes are its own alone.
    """

    host: str
    aliases: tuple[str, ...] = ()
    tls: Tls = Tls()
    http: HttpMode = HttpMode.REDIRECT
    enabled: bool = True
    routes: tuple[Route, ...] = ()
    http_port: int | None = None
    https_port: int | None = None
    http2: bool | None = None
    server_tokens: str | None = None
    options: OptionValues = ()
    refuses_tls: bool = False
    challenge: bool = True
    otherwise: FixedAnswer = FixedAnswer()
    snippet: Snippet = ()
    fault: SetAside | None = None
    overlay: Overlay | None = None
    origin: Origin = NOWHERE

    @property
    def waits_for_container(self) -> bool:
        """Whether it lies over a site that no container has now."""
        return self.overlay is not None and self.overlay.beneath is None

    @property
    def place(self) -> str:
        """Where it comes from, for messages: "daemun.yaml:14:3 over container chat-1"."""
        if self.overlay is None or self.overlay.beneath is None:
            return str(self.origin)
        return f"{self.origin} over {self.overlay.beneath}"

    @property
    def names(self) -> tuple[str, ...]:
        """All host names, the main one first."""
        return (self.host, *self.aliases)
