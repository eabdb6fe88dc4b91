"""One entry of `streams`: where connections or datagrams come in, and the servers that they go to.

Sources: nginx.org/en/docs/stream/ngx_stream_core_module.html, ngx_stream_proxy_module, ngx_stream_upstream_module.
"""

import dataclasses
import enum
import re
import typing

import pydantic

from daemun.core import model, value_parsers
from daemun.core.options import access_option, forms, upstream_tls_options
from daemun.core.texts import cures, names, rules, words


class StreamProtocol(enum.Enum):
    """Of a server. TLS: over TCP, to a server that shows a certificate."""

    TCP = "tcp"
    TLS = "tls"
    UDP = "udp"


class StreamBalance(enum.Enum):
    """How connections are spread over servers. IP_HASH: one address always has the same one."""

    ROUND_ROBIN = "round_robin"
    LEAST_CONN = "least_conn"
    IP_HASH = "ip_hash"
    RANDOM = "random"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class StreamTarget:
    """Of a server: a name or an address without brackets, and its port; or the absolute path of a unix socket; or the
    containers of a pool."""

    protocol: StreamProtocol
    host: str | None = None
    port: int | None = None
    socket: str | None = None
    pool: str | None = None

    def __str__(self) -> str:
        if self.pool is not None:
            return f"{self.protocol.value}://(container)"
        if self.socket is not None:
            return f"{self.protocol.value}://unix:{self.socket}"
        host = f"[{self.host}]" if self.host and ":" in self.host else self.host
        return f"{self.protocol.value}://{host}:{self.port}"


PASSTHROUGH = "passthrough"
"""Instead of a host as `tls`."""
_TARGET = re.compile(r"(?:(?P<scheme>[A-Za-z0-9+.-]+)://)?(?P<rest>.*)", re.DOTALL)
_SHAPE = '"tcp://host:port", "tls://host:port", "udp://host:port" or "tcp://unix:/path"'


def parse_target(text: str) -> StreamTarget:
    """Raises: ValueError with what to write instead."""
    try:
        return _parse_target(text)
    except ValueError as error:
        scheme, rest = _split(text)
        meant = scheme if scheme in {"udp", "tls"} else "tcp"
        cure = cures.write(_find_misfit, f"{meant}://{rest.rpartition('@')[2].partition('/')[0]}")
        shown = words.quoted(words.without_credentials_of_server(text))
        raise ValueError(f"server {shown} {error}{cure}") from error


def _split(text: str) -> tuple[str, str]:
    match = _TARGET.fullmatch(text.strip())
    assert match is not None  # it takes any text
    return (match["scheme"] or "").lower(), match["rest"]


def _find_misfit(text: str) -> str | None:
    try:
        _parse_target(text)
    except ValueError as error:
        return str(error)
    return None


def _parse_target(text: str) -> StreamTarget:
    """Raises: ValueError with the cause alone."""
    scheme, rest = _split(text)
    if scheme not in {protocol.value for protocol in StreamProtocol}:
        found = f"has the scheme {words.quoted(scheme)}" if scheme else "has no scheme"
        raise ValueError(f"{found}; expected {_SHAPE}")
    protocol = StreamProtocol(scheme)
    if rest.startswith("unix:"):
        socket = rest.removeprefix("unix:")
        cause = rules.check_socket(socket)
        if cause is not None:
            raise ValueError(cause)
        return StreamTarget(protocol=protocol, socket=socket)
    if "/" in rest or "?" in rest or "@" in rest:
        raise ValueError("holds more than a host and a port")
    host, port = value_parsers.split_authority(rest)
    if port is None:
        raise ValueError(f"has no port; expected {_SHAPE}")
    return StreamTarget(protocol=protocol, host=host, port=port)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Server(forms.OptionMap):
    """max_connections 0: no limit. max_fails 0 never marks it as failed."""

    shape: typing.ClassVar[str] = 'a server such as "tcp://10.0.0.5:1883", or a map with its `url`'
    meanings: typing.ClassVar[dict[str, str]] = {
        "url": "the server: tcp://host:port, tls://host:port, udp://host:port or tcp://unix:/path",
        "weight": "its share of connections; 1",
        "backup": "used only while no other server is there; not with `ip_hash`, `random`",
        "down": "not used for now",
        "max_fails": "failures within `fail_timeout` after which it is left out; 1; 0: never",
        "fail_timeout": "how long it is left out; 10s",
        "max_connections": "at most so many at a time; 0: no limit",
    }
    url: typing.Annotated[
        pydantic.InstanceOf[StreamTarget],
        pydantic.BeforeValidator(forms.parse_text(parse_target)),
        pydantic.WithJsonSchema(forms.TEXT),
    ]
    weight: forms.Number = 1
    backup: forms.Flag = False
    down: forms.Flag = False
    max_fails: forms.Number = 1
    fail_timeout_s: typing.Annotated[forms.Duration, pydantic.Field(alias="fail_timeout")] = 10.0
    max_connections: forms.Number = 0


def _server(value: object) -> object:
    return {"url": value} if isinstance(value, str) else value


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class StreamTimeouts(forms.OptionMap):
    """idle_s: how long both sides may be silent; None: the usual of the protocol (`Stream.idle_s`)."""

    shape: typing.ClassVar[str] = "a duration or a map of them"
    meanings: typing.ClassVar[dict[str, str]] = {
        "connect": "how long a connection to a server may take; 5s",
        "idle": "how long both sides may be silent; 1d over TCP, 1m over UDP",
    }
    connect_s: typing.Annotated[forms.Duration, pydantic.Field(alias="connect")] = 5.0
    idle_s: typing.Annotated[forms.Duration | None, pydantic.Field(alias="idle")] = None


def _times(value: object) -> object:
    return value if isinstance(value, dict) else {"idle": value}


def _tls(value: object) -> object:
    """A slip in the one word that is no host would show visitors a certificate for it."""
    if isinstance(value, bool):
        expected = f"expected a host whose certificate is shown, or {PASSTHROUGH}"
        raise ValueError(f"{expected}, found {words.describe(value)}")  # noqa: TRY004 pydantic's
    if isinstance(value, str) and value != PASSTHROUGH and (guess := words.guess(value, (PASSTHROUGH,))):
        raise ValueError(f"{words.quoted(value)} is neither a host with a certificate nor {PASSTHROUGH}{guess}")
    return value


_LONGEST_SILENCE_S = {StreamProtocol.TCP: 86400.0, StreamProtocol.TLS: 86400.0, StreamProtocol.UDP: 60.0}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Stream(forms.OptionMap):
    """Connections or datagrams that go to servers as they come.

    tls: the host whose certificate visitors are shown, or PASSTHROUGH; None: what they send is passed on as it is.
    hosts: with PASSTHROUGH: the names in handshakes that are passed on; empty: the stream's own name.
    verify, server_name: how the certificates of servers are checked, as in a route.
    allow, deny: as of `access_option.Access`. connections: how many of one address may be open at a time.
    proxy_protocol: whether servers are sent the visitor's address in a line ahead of each connection.
    responses: after so many datagrams of the server a session over UDP ends; None: when it is idle.
    """

    shape: typing.ClassVar[str] = "a map such as {listen: 1883, to: tcp://10.0.0.5:1883}"
    meanings: typing.ClassVar[dict[str, str]] = {
        "listen": "where it comes in: a port, IP:port, [IPv6]:port, or a list",
        "to": "the servers: tcp://host:port, tls://host:port, udp://host:port, tcp://unix:/path, or maps",
        "tls": "visitors come over TLS and are shown the certificate of this host: a site's, or one of its own; "
        "passthrough: handshakes for `hosts` at the port of HTTPS are the server's",
        "hosts": "beside `tls: passthrough`: the names of these handshakes; the stream's name",
        "verify": "whether the certificates of tls:// servers are checked, and against which roots; true",
        "server_name": "the name that they must carry; the server's host",
        "balance": "how connections are spread: round_robin, least_conn, ip_hash, random",
        "timeout": "how long both sides may be silent, or {connect, idle}",
        "allow": "addresses, networks and host names that are let in, all others are refused; private: the private "
        "networks",
        "deny": "addresses, networks and host names that are refused",
        "connections": "how many connections of one address may be open at a time",
        "proxy_protocol": "whether servers get the visitor's address ahead of each connection (PROXY protocol)",
        "responses": "over UDP: a session ends after so many datagrams of the server; 1 for DNS",
        "enabled": "whether it is served",
    }
    listen: typing.Annotated[
        tuple[
            typing.Annotated[
                pydantic.InstanceOf[model.Address],
                pydantic.BeforeValidator(value_parsers.parse_address),
                pydantic.WithJsonSchema({"type": ["integer", "string"]}),
            ],
            ...,
        ],
        pydantic.Strict(strict=False),
        forms.ONE_OR_MORE,
    ]
    to: typing.Annotated[
        tuple[typing.Annotated[Server, pydantic.BeforeValidator(_server), forms.Also(forms.TEXT)], ...],
        pydantic.Strict(strict=False),
        forms.ONE_OR_MORE,
    ]
    tls: typing.Annotated[forms.Host, pydantic.BeforeValidator(_tls)] | None = None
    hosts: forms.Hosts = ()
    verify: upstream_tls_options.Form = upstream_tls_options.VERIFY.default
    server_name: forms.Host | None = None
    balance: typing.Annotated[StreamBalance, forms.choice(StreamBalance)] = StreamBalance.ROUND_ROBIN
    timeout: typing.Annotated[StreamTimeouts, pydantic.BeforeValidator(_times), forms.Also(forms.DURATION)] = (
        StreamTimeouts()
    )
    allow: access_option.Networks = ()
    deny: access_option.Networks = ()
    connections: forms.Number | None = None
    proxy_protocol: forms.Flag = False
    responses: forms.Number | None = None
    enabled: forms.Flag = True

    @property
    def protocol(self) -> StreamProtocol:
        """An empty list is an error, which others report."""
        return self.to[0].url.protocol if self.to else StreamProtocol.TCP

    @property
    def is_udp(self) -> bool:
        return self.protocol is StreamProtocol.UDP

    @property
    def certificate_host(self) -> str | None:
        """Whose certificate visitors are shown; None: the gate shows none."""
        return None if self.is_passthrough else self.tls

    @property
    def is_passthrough(self) -> bool:
        """Whether handshakes are the server's, and which ones they are is seen from the names in them."""
        return self.tls == PASSTHROUGH

    @property
    def is_encrypted(self) -> bool:
        """Whether servers show a certificate."""
        return self.protocol is StreamProtocol.TLS

    @property
    def name_of_servers(self) -> str | None:
        """What their certificates must carry and they are sent as SNI; None: nothing is sent and nothing compared."""
        named = (server.url.host for server in self.to if server.url.host and not names.address_of(server.url.host))
        return self.server_name or next(named, None)

    @property
    def idle_s(self) -> float:
        own = self.timeout.idle_s
        return _LONGEST_SILENCE_S[self.protocol] if own is None else own

    @property
    def access(self) -> access_option.Access:
        """Who may come in, as where a site says it."""
        return access_option.Access(allow=self.allow, deny=self.deny)
