"""Clients that reach any host name at a gate on 127.0.0.1, the way that name's real visitors would.

Every client keeps the name in Host, `:authority`, SNI and certificate verification; only the address is replaced.
Nothing here is mocked: the bytes go through the loopback interface to nginx.
"""

import asyncio
import collections
import collections.abc
import contextlib
import dataclasses
import itertools
import pathlib
import socket
import ssl
import time
import types

import h2.config
import h2.connection
import h2.events
import httpx
import websockets.asyncio.client
from cryptography import x509

LOOPBACK = "127.0.0.1"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class GateAddress:
    """Where a gate listens. ca: the PEM file of the roots that clients trust. own: the PEM file of a certificate that
    they show, and its key."""

    http: int
    https: int
    ca: pathlib.Path
    own: pathlib.Path | None = None

    def port(self, scheme: str) -> int:
        return self.https if scheme in {"https", "wss"} else self.http

    def context(self) -> ssl.SSLContext:
        context = trust(self.ca)
        if self.own is not None:
            context.load_cert_chain(self.own)
        return context


def trust(ca: pathlib.Path) -> ssl.SSLContext:
    """A context that trusts these roots and no others. Raises: FileNotFoundError when the file is not there."""
    return ssl.create_default_context(cafile=str(ca))


def _redirected(request: httpx.Request, gate: GateAddress) -> httpx.Request:
    """The same request, sent to the gate: httpx took Host from the URL before, SNI stays the URL's host."""
    request.extensions = {**request.extensions, "sni_hostname": request.url.host}
    request.url = request.url.copy_with(host=LOOPBACK, port=gate.port(request.url.scheme))
    return request


class _Transport(httpx.BaseTransport):
    """One pool of connections per host name, as a browser has: httpcore would share one for all of an address."""

    def __init__(self, gate: GateAddress, *, http2: bool) -> None:
        self._gate = gate
        self._http2 = http2
        self._pools: dict[tuple[str, str], httpx.HTTPTransport] = {}

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        key = (request.url.scheme, request.url.host)
        if key not in self._pools:
            verify = self._gate.context() if key[0] == "https" else False
            self._pools[key] = httpx.HTTPTransport(verify=verify, http1=not self._http2, http2=self._http2)
        return self._pools[key].handle_request(_redirected(request, self._gate))

    def close(self) -> None:
        for pool in self._pools.values():
            pool.close()


def client(gate: GateAddress, *, http2: bool = False) -> httpx.Client:
    """Redirects are not followed; HTTP/2 means nothing but HTTP/2 (over TLS)."""
    return httpx.Client(transport=_Transport(gate, http2=http2), trust_env=False, timeout=60)


def get(gate: GateAddress, url: str, *, http2: bool = False, **headers: str) -> httpx.Response:
    """One request on a connection of its own. Header names: underscores become dashes."""
    with client(gate, http2=http2) as once:
        return once.get(url, headers={name.replace("_", "-"): value for name, value in headers.items()})


def http2_events(gate: GateAddress, host: str, path: str, *headers: tuple[str, str]) -> list[h2.events.Event]:
    """All that a client of HTTP/2 receives for one request, informational answers and trailers among it."""
    context = gate.context()
    context.set_alpn_protocols(["h2"])
    found: list[h2.events.Event] = []
    with context.wrap_socket(
        socket.create_connection(("127.0.0.1", gate.https), timeout=60), server_hostname=host
    ) as connection:
        client = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True))
        client.initiate_connection()
        asked = ((":method", "GET"), (":scheme", "https"), (":authority", host), (":path", path), *headers)
        client.send_headers(1, asked, end_stream=True)
        while not any(isinstance(event, h2.events.StreamEnded | h2.events.StreamReset) for event in found):
            connection.sendall(client.data_to_send())
            found += client.receive_data(connection.recv(65_536))
    return found


def try_get(gate: GateAddress, url: str) -> httpx.Response | None:
    """As `get`; None when there is no answer: nothing listens, no CA file, no certificate that is trusted."""
    with contextlib.suppress(httpx.TransportError, OSError, ssl.SSLError):
        return get(gate, url)
    return None


# --- WebSockets ------------------------------------------------------------------------------------------------


def websocket(gate: GateAddress, host: str, path: str, **headers: str) -> websockets.asyncio.client.connect:
    """`async with websocket(...) as socket`: wss, without keep-alive pings, so that an idle socket is really idle.

    Not with threads: these read and write one TLS connection at once, and with Python 3.11 one in some hundred hangs.
    headers: underscores stand for dashes.
    """
    return websockets.asyncio.client.connect(
        f"wss://{host}{path}",
        host=LOOPBACK,
        port=gate.https,
        ssl=gate.context(),
        server_hostname=host,
        additional_headers={name.replace("_", "-"): value for name, value in headers.items()},
        proxy=None,
        ping_interval=None,
        open_timeout=60,
    )


async def echo(socket_: websockets.asyncio.client.ClientConnection, text: str) -> None:
    """Send text and see it come back within a minute."""
    await socket_.send(text)
    async with asyncio.timeout(60):
        answer = await socket_.recv()
    assert answer == text


async def echo_all(sockets: collections.abc.Iterable[websockets.asyncio.client.ClientConnection], word: str) -> None:
    """Each gets a text of its own back."""
    async with asyncio.TaskGroup() as group:
        for number, socket_ in enumerate(sockets):
            group.create_task(echo(socket_, f"{word} {number}"))


# --- load ------------------------------------------------------------------------------------------------------


class Load:
    """Visitors over HTTP/1.1, until the block ends; each failure is kept with its reason.

    A visitor asks, reads the whole answer, and waits pause_s: longer than nothing, so that requests also meet
    connections that were idle when a reload happened. keep_alive=False: a new connection for every request.
    body: what is posted; None: GET. patience_s: how long one answer may take. is_numbered: each request has a path of
    its own below the URL's.
    answers: each text that came, and how often. longest_s: the slowest answer.
    """

    def __init__(
        self,
        gate: GateAddress,
        url: str,
        *,
        visitors: int,
        pause_s: float,
        keep_alive: bool = True,
        status: int = 200,
        body: bytes | None = None,
        patience_s: float = 60,
        is_numbered: bool = False,
    ) -> None:
        self._gate = gate
        self._url = httpx.URL(url)
        self._visitors = visitors
        self._pause_s = pause_s
        self._keep = 1 if keep_alive else 0
        self._status = status
        self._body = body
        self._patience_s = patience_s
        self._numbers = itertools.count() if is_numbered else None
        self._tasks: list[asyncio.Task[None]] = []
        self._ended = [0] * visitors
        self._is_ending = False
        self.answered = 0
        self.answers: collections.Counter[str] = collections.Counter()
        self.longest_s = 0.0
        self.failures: collections.Counter[str] = collections.Counter()

    async def __aenter__(self) -> "Load":
        for number in range(self._visitors):
            self._tasks.append(asyncio.create_task(self._visit(number)))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: types.TracebackType | None
    ) -> None:
        # httpx leaves a connection open that is cancelled in its handshake: requests that are under way come first.
        self._is_ending = True
        _, under_way = await asyncio.wait(self._tasks, timeout=5)
        for task in under_way:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def answer(self, count: int) -> None:
        """Return after `count` further answers (at most a minute)."""
        enough = self.answered + count
        async with asyncio.timeout(60):
            while self.answered < enough:
                await asyncio.sleep(0.02)

    async def each_asks_anew(self) -> None:
        """Return when no request that is under way now is so any more, and each visitor has sent a further one and has
        been answered (at most 60 s)."""
        enough = [count + 2 for count in self._ended]
        async with asyncio.timeout(60):
            while any(count < least for count, least in zip(self._ended, enough, strict=True)):
                await asyncio.sleep(0.02)

    async def _visit(self, number: int) -> None:
        verify: ssl.SSLContext | bool = trust(self._gate.ca) if self._url.scheme == "https" else False
        limits = httpx.Limits(max_connections=1, max_keepalive_connections=self._keep, keepalive_expiry=60)
        url = self._url.copy_with(host=LOOPBACK, port=self._gate.port(self._url.scheme))
        async with httpx.AsyncClient(
            verify=verify, limits=limits, trust_env=False, timeout=self._patience_s
        ) as visitor:
            while not self._is_ending:
                begin = time.monotonic()
                try:
                    answer = await visitor.request(
                        "GET" if self._body is None else "POST",
                        url if self._numbers is None else url.join(str(next(self._numbers))),
                        content=self._body,
                        headers={"Host": self._url.host},
                        extensions={"sni_hostname": self._url.host},
                    )
                except httpx.TransportError as error:
                    if not self._is_ending:
                        self.failures[repr(error)] += 1
                else:
                    if self._is_ending:
                        return
                    if answer.status_code == self._status:
                        self.answered += 1
                        self.answers[answer.text] += 1
                        self.longest_s = max(self.longest_s, time.monotonic() - begin)
                    else:
                        self.failures[f"HTTP {answer.status_code}"] += 1
                self._ended[number] += 1
                await asyncio.sleep(self._pause_s)


# --- TLS -------------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Handshake:
    """What a TLS handshake came to. alert: OpenSSL's name of it ("TLSV1_UNRECOGNIZED_NAME"), or None."""

    certificate: x509.Certificate | None = None
    alert: str | None = None
    protocol: str | None = None

    @property
    def names(self) -> set[str]:
        """The DNS names and addresses the certificate carries."""
        assert self.certificate is not None, f"no certificate: {self.alert}"
        extension = self.certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        addresses = extension.get_values_for_type(x509.IPAddress)
        return {*extension.get_values_for_type(x509.DNSName), *map(str, addresses)}

    @property
    def issuer(self) -> str:
        assert self.certificate is not None, f"no certificate: {self.alert}"
        return self.certificate.issuer.rfc4514_string()


def handshake(gate: GateAddress, name: str | None, *, ciphers: str | None = None) -> Handshake:
    """One handshake with this SNI name (None: without), nothing verified. ciphers: the only ones that the client takes,
    of TLS 1.2. Raises: OSError when nothing listens."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if ciphers is not None:
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers(ciphers)
    context.set_alpn_protocols(["h2", "http/1.1"])
    with socket.create_connection((LOOPBACK, gate.https), timeout=60) as plain:
        try:
            with context.wrap_socket(plain, server_hostname=name) as secure:
                der = secure.getpeercert(binary_form=True)
                assert der is not None
                return Handshake(
                    certificate=x509.load_der_x509_certificate(der), protocol=secure.selected_alpn_protocol()
                )
        except ssl.SSLError as error:
            return Handshake(alert=error.reason)


def try_handshake(gate: GateAddress, name: str, *, ciphers: str | None = None) -> Handshake | None:
    """As `handshake`; None when nothing listens or the connection breaks."""
    with contextlib.suppress(OSError):
        return handshake(gate, name, ciphers=ciphers)
    return None
