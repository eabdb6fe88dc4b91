"""One try of a server behind the gate, as nginx would reach it: a connection, for https a handshake with the route's
settings, and for HTTP one request line (HEAD, which changes nothing; GET where that is not known), for HTTP/2 its
preface."""

import asyncio
import collections.abc
import contextlib
import dataclasses
import os
import re
import ssl

from cryptography import x509

from daemun import causes, regular_files
from daemun.core import model
from daemun.core.served import probe_targets, server_answers, server_greetings, server_handshakes
from daemun.probing import fastcgi_values, socket_rights

_LARGEST_HEAD = 16384
_ANSWER = b"HTTP/"
_PAUSE_S = 1.0
"""So long is waited for more of a page whose head is there: a connection that stays open has no end."""
_USER_AGENT = "daemun-probe"
_HTTP2_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0"
"""With an empty SETTINGS frame (RFC 9113 section 3.4)."""
_SETTINGS = 4
_HTTP2 = frozenset({model.Scheme.H2, model.Scheme.H2C, model.Scheme.GRPC})
_ALPN_OF_HTTP2 = "h2"
"""RFC 9113 section 3.2. nginx offers it alone to an h2 server (ngx_http_proxy_v2_module)."""


class Contexts:
    """What certificates of servers are verified with: one for each way, for it takes 20 ms to make one.

    ca_bundle: the system's roots, as nginx is given them."""

    def __init__(self, ca_bundle: str | None) -> None:
        self._ca_bundle = ca_bundle
        self._made: dict[tuple[str | None, int], ssl.SSLContext] = {}

    async def find(self, tls: model.UpstreamTls, *, is_named: bool, alpn: tuple[str, ...] = ()) -> ssl.SSLContext:
        """is_named: whether a name is compared. alpn: the protocols that are offered; empty: none. Raises: OSError when
        the roots cannot be read."""
        file = (tls.ca_file or self._ca_bundle) if tls.verify else None
        key = (f"{file} {is_named} {alpn}", await asyncio.to_thread(_changed_ns, file) if file is not None else 0)
        if key not in self._made:
            self._made = {known: one for known, one in self._made.items() if known[0] != key[0]}
            self._made[key] = await asyncio.to_thread(_make_context, file, is_named=is_named, alpn=alpn)
        return self._made[key]


def _changed_ns(file: str) -> int:
    return os.stat(file).st_mtime_ns  # noqa: PTH116


def _make_context(file: str | None, *, is_named: bool, alpn: tuple[str, ...]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if alpn:
        context.set_alpn_protocols(alpn)
    context.check_hostname = False
    if file is None:
        context.verify_mode = ssl.CERT_NONE
        return context
    regular_files.check(file)
    context.load_verify_locations(file)
    context.check_hostname = is_named
    return context


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ProbeMachine:
    """in_container: daemun runs in one. worker: whom nginx's workers run as; None: as daemun."""

    in_container: bool = False
    worker: model.WorkerAccount | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ServerProbe:
    """endpoint: None with a unix socket. gate: where the gate listens."""

    aim: model.Aim
    endpoint: model.Endpoint | None
    contexts: Contexts
    machine: ProbeMachine = ProbeMachine()
    gate: tuple[model.Address, ...] = ()

    @property
    def server(self) -> str:
        """As messages name it."""
        if self.endpoint is None:
            return f"unix:{self.aim.socket}"
        host = f"[{self.endpoint.address}]" if ":" in self.endpoint.address else self.endpoint.address
        shown = f"{host}:{self.endpoint.port}"
        return f"{self.aim.named} ({shown})" if self.aim.named is not None else shown

    async def run(self) -> server_answers.ServerFinding:
        """Never raises but when cancelled."""
        try:
            other = await asyncio.to_thread(socket_rights.find_other_kind, self.aim.socket) if self.aim.socket else None
            if other is not None:
                return server_answers.no_socket(self.server, other)
            if self.aim.socket is not None and self.machine.worker is not None:
                refused = await asyncio.to_thread(socket_rights.find_refusal, self.aim.socket, self.machine.worker)
                if refused is not None:
                    return server_answers.socket_refused(self.server, refused, self.machine.worker.user)
            async with self._connect() as (reader, writer):
                if self._is_the_gate(writer):
                    return server_answers.leads_back(self.aim, self.server)
                return await self._try_protocol(reader, writer)
        except _NoConnectionError as error:
            return error.found

    def _is_the_gate(self, writer: asyncio.StreamWriter) -> bool:
        if self.endpoint is None:
            return False
        peer, own = writer.get_extra_info("peername"), writer.get_extra_info("sockname")
        return bool(peer and own) and server_answers.is_the_gate(self.aim, self.gate, peer[:2], own[0])

    async def _try_protocol(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> server_answers.ServerFinding:
        if probe_targets.is_encrypted(self.aim):
            failed = await self._shake(writer)
            if failed is not None:
                return failed
        if self.aim.sent is not None:
            return await self._request_once(reader, writer)
        if self.aim.scheme in _HTTP2:
            return await self._greet(reader, writer)
        if self.aim.scheme is model.Scheme.FASTCGI and await fastcgi_values.is_answered_by_http(reader, writer):
            return server_answers.speaks_http(self.aim, self.server)
        return server_answers.WELL

    @contextlib.asynccontextmanager
    async def _connect(self) -> collections.abc.AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        try:
            async with asyncio.timeout(server_answers.CONNECT_S):
                if self.endpoint is None:
                    streams = await asyncio.open_unix_connection(self.aim.socket)
                else:
                    streams = await asyncio.open_connection(self.endpoint.address, self.endpoint.port)
        except TimeoutError:
            raise _NoConnectionError(server_answers.without_connection(self.server)) from None
        except (ConnectionRefusedError, FileNotFoundError):
            found = server_answers.refused(self.aim, self.server, in_container=self.machine.in_container)
            raise _NoConnectionError(found) from None
        except OSError as error:
            words = causes.find_words(error) or "no reason is given"
            raise _NoConnectionError(server_answers.unreachable(self.server, words)) from None
        try:
            yield streams
        finally:
            streams[1].transport.abort()  # at once: a server that never answers would be waited for

    async def _shake(self, writer: asyncio.StreamWriter) -> server_answers.ServerFinding | None:
        name = self.aim.server_name
        try:
            alpn = (_ALPN_OF_HTTP2,) if self.aim.scheme is model.Scheme.H2 else ()
            context = await self.contexts.find(self.aim.tls, is_named=name is not None, alpn=alpn)
            async with asyncio.timeout(server_answers.ANSWER_S):
                await writer.start_tls(context, server_hostname=name)
        except ssl.SSLCertVerificationError as error:
            code, words = error.verify_code, error.verify_message
            sent = await self._find_sent() if code in server_handshakes.UNKNOWN_ISSUER else None
            return server_handshakes.certificate_refused(self.aim, self.server, code, words, sent)
        except (OSError, TimeoutError) as error:
            return await self._explain_handshake(error)
        return None

    async def _explain_handshake(self, error: OSError) -> server_answers.ServerFinding:
        end = _read_end(error)
        if end.takes_no_protocol and self.aim.scheme is model.Scheme.H2:
            return server_answers.speaks_http(self.aim, self.server, is_over_tls=True)
        if end.is_of_tls:
            return server_answers.WELL if self.aim.shows_certificate else server_handshakes.tls_failed(self.server, end)
        head = await self._request_without_tls()
        is_http = server_answers.read_answer(head) is not None
        # What closes a connection at the first bytes of a handshake may be a server of https that has no certificate
        # for the name, and tells a client without TLS that it should use https.
        if is_http and (end.is_of_another_protocol or not server_greetings.refuses_plain_http(head)):
            return server_answers.speaks_http(self.aim, self.server)
        if head and not is_http and not server_answers.is_tls_alert(head):
            return server_answers.speaks_other(self.aim, self.server, head)
        if isinstance(error, TimeoutError):
            return server_answers.without_answer(self.server)
        return server_handshakes.tls_failed(self.server, end)

    async def _request_once(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> server_answers.ServerFinding:
        head: bytes | None = b""
        try:
            async with asyncio.timeout(server_answers.ANSWER_S):
                writer.write(self._request())
                head = await _read_head(reader)
        except TimeoutError:
            head = None
        except OSError:
            head = b""
        answer = server_answers.read_answer(head or b"")
        is_unclear = answer is not None and answer.status == 400 and probe_targets.is_encrypted(self.aim)
        if answer is not None and (answer.status in server_answers.WITHOUT_HEAD or is_unclear):
            page = await self._get()
            if not self.aim.shows_certificate and server_greetings.wants_client_certificate(page):
                return server_handshakes.wants_client_certificate(self.server)
            answer = server_answers.read_answer(page) or answer
        if answer is not None and answer.status != 400:
            return server_answers.judge_answer(self.aim, answer, self.gate)
        if not probe_targets.is_encrypted(self.aim) and await self._turns_out_to_be_tls(head):
            return server_answers.speaks_tls(self.aim, self.server)
        return server_answers.WELL if answer is not None else await self._explain_no_answer(head)

    async def _explain_no_answer(self, head: bytes | None) -> server_answers.ServerFinding:
        """head: what came instead of an answer; None: nothing in time."""
        end = await self._find_late_end() if head == b"" and probe_targets.is_encrypted(self.aim) else None
        if end is not None and end.is_of_tls:
            return server_answers.WELL if self.aim.shows_certificate else server_handshakes.tls_failed(self.server, end)
        if head is None:
            return server_answers.without_answer(self.server)
        if not head:
            return server_answers.closed(self.server)
        is_over_tls = probe_targets.is_encrypted(self.aim)
        return server_answers.speaks_other(self.aim, self.server, head, is_over_tls=is_over_tls)

    async def _find_late_end(self) -> server_handshakes.HandshakeEnd | None:
        """With TLS 1.3 a server looks at the client's certificate after the client's part of the handshake. Nothing is
        sent: a write to a connection that was closed fails, and hides why it was."""
        with contextlib.suppress(_NoConnectionError, TimeoutError):
            async with self._connect() as (reader, writer), asyncio.timeout(_PAUSE_S):
                if await self._shake(writer) is None:
                    try:
                        await reader.read(1)
                    except OSError as error:
                        return _read_end(error)
        return None

    async def _turns_out_to_be_tls(self, head: bytes | None) -> bool:
        """head: the answer to a request without it, None: there is none. One that is of no protocol of the web is of
        another server."""
        if not head or server_answers.read_answer(head) is not None:
            return await self._speaks_tls()
        return server_answers.is_tls_alert(head)

    async def _get(self) -> bytes:
        """What GET is answered, head and a part of the body; empty: nothing."""
        with contextlib.suppress(_NoConnectionError, OSError, TimeoutError):
            async with self._connect() as (reader, writer), asyncio.timeout(server_answers.ANSWER_S):
                if probe_targets.is_encrypted(self.aim) and await self._shake(writer) is not None:
                    return b""
                writer.write(self._request("GET"))
                return await _read_page(reader)
        return b""

    async def _find_sent(self) -> server_handshakes.SentChain | None:
        """The certificates that the server sends; None: that cannot be known."""
        context = await self.contexts.find(model.UpstreamTls(verify=False), is_named=False)
        with contextlib.suppress(_NoConnectionError, OSError, TimeoutError, ValueError):
            async with self._connect() as (_, writer), asyncio.timeout(server_answers.ANSWER_S):
                await writer.start_tls(context, server_hostname=self.aim.server_name or self.aim.sees)
                sent = _read_chain(writer.get_extra_info("ssl_object"))
                if sent:
                    issuer = x509.load_der_x509_certificate(sent[-1]).issuer
                    named = issuer.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
                    words = str(named[0].value) if named else issuer.rfc4514_string()
                    return server_handshakes.SentChain(count=len(sent), issuer=words)
        return None

    async def _greet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> server_answers.ServerFinding:
        """A server of HTTP/2 sends its SETTINGS at once. One that is silent is believed."""
        head = b""
        with contextlib.suppress(OSError, TimeoutError, asyncio.IncompleteReadError):
            async with asyncio.timeout(server_answers.ANSWER_S):
                writer.write(_HTTP2_PREFACE)
                head = await reader.readexactly(9)
        if head[3:4] == bytes([_SETTINGS]) or _chosen_protocol(writer) == _ALPN_OF_HTTP2:
            return server_answers.WELL
        if probe_targets.is_encrypted(self.aim):
            return server_answers.speaks_http(self.aim, self.server, is_over_tls=True)
        if server_answers.is_tls_alert(head) or (not head and await self._speaks_tls()):
            return server_answers.speaks_tls(self.aim, self.server, is_http2=await self._speaks_http2_over_tls())
        if not head:
            return server_answers.WELL
        if head.startswith(b"HTTP/1") or server_answers.read_answer(await self._request_without_tls()) is not None:
            return server_answers.speaks_http(self.aim, self.server)
        return server_answers.speaks_other(self.aim, self.server, head)

    async def _request_without_tls(self) -> bytes:
        """What a request without TLS is answered; empty: nothing. GET, for the body tells what the head does not."""
        with contextlib.suppress(_NoConnectionError, OSError, TimeoutError):
            async with self._connect() as (reader, writer), asyncio.timeout(server_answers.ANSWER_S):
                writer.write(self._request("GET"))
                return await _read_page(reader)
        return b""

    async def _speaks_tls(self) -> bool:
        """Whether a handshake comes about, with any certificate, or fails as one of TLS does."""
        context = await self.contexts.find(model.UpstreamTls(verify=False), is_named=False)
        with contextlib.suppress(_NoConnectionError, TimeoutError):
            async with self._connect() as (_, writer), asyncio.timeout(server_answers.CONNECT_S):
                try:
                    await writer.start_tls(context, server_hostname=self.aim.server_name or self.aim.sees)
                except OSError as error:
                    return not isinstance(error, TimeoutError) and _read_end(error).is_of_tls
                return True
        return False

    async def _speaks_http2_over_tls(self) -> bool:
        """Whether it is what a handshake ends in that leaves the choice to the server."""
        both = (_ALPN_OF_HTTP2, "http/1.1")
        context = await self.contexts.find(model.UpstreamTls(verify=False), is_named=False, alpn=both)
        with contextlib.suppress(_NoConnectionError, OSError, TimeoutError):
            async with self._connect() as (_, writer), asyncio.timeout(server_answers.CONNECT_S):
                await writer.start_tls(context, server_hostname=self.aim.server_name or self.aim.sees)
                return _chosen_protocol(writer) == _ALPN_OF_HTTP2
        return False

    def _request(self, method: str = "HEAD") -> bytes:
        scheme = "https" if self.aim.is_https else "http"
        headers = {
            "Host": self.aim.sees,
            "User-Agent": _USER_AGENT,
            "Accept": "*/*",
            "X-Real-IP": "127.0.0.1",
            "X-Forwarded-For": "127.0.0.1",
            "X-Forwarded-Proto": scheme,
            "X-Forwarded-Host": self.aim.sees,
            **dict(self.aim.headers),
            "Connection": "close",
        }
        lines = [f"{method} {self.aim.sent or '/'} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("utf-8", "replace")


class _NoConnectionError(Exception):
    def __init__(self, found: server_answers.ServerFinding) -> None:
        super().__init__(found.cause)
        self.found = found


def _read_end(error: OSError) -> server_handshakes.HandshakeEnd:
    reason = (error.reason or _spell_reason(error)) if isinstance(error, ssl.SSLError) else None
    return server_handshakes.HandshakeEnd(reason=reason, words=causes.find_words(error) or "the connection was closed")


def _spell_reason(error: ssl.SSLError) -> str | None:
    """Of an error that Python has OpenSSL's words of ("[SSL] tlsv1 alert no application protocol (_ssl.c:1006)"), and
    not its name."""
    match = re.match(r"\[SSL\] (?P<words>[a-z0-9 ]+) \(", error.strerror or "")
    return match["words"].upper().replace(" ", "_") if match is not None else None


def _chosen_protocol(writer: asyncio.StreamWriter) -> str | None:
    """By ALPN (RFC 7301); None: the server chose none, or there is no TLS."""
    connection: ssl.SSLObject | None = writer.get_extra_info("ssl_object")
    return connection.selected_alpn_protocol() if connection is not None else None


def _read_chain(connection: ssl.SSLObject | None) -> list[bytes]:
    """What the server sent, in DER; public since Python 3.13, and there since 3.10. Empty: that cannot be known."""
    read = getattr(connection, "get_unverified_chain", None)
    if read is not None:
        return list(read())
    read = getattr(getattr(connection, "_sslobj", None), "get_unverified_chain", None)
    return [ssl.PEM_cert_to_DER_cert(one.public_bytes()) for one in (read() or ())] if read is not None else []


async def _read_page(reader: asyncio.StreamReader) -> bytes:
    """What comes until the end of the connection, of a short body, or of a pause."""
    page = b""
    with contextlib.suppress(TimeoutError):
        while len(page) < _LARGEST_HEAD:
            async with asyncio.timeout(_PAUSE_S if b"\r\n\r\n" in page else None):
                chunk = await reader.read(4096)
            if not chunk:
                break
            page += chunk
            if _is_other(page):
                break
    return page


async def _read_head(reader: asyncio.StreamReader) -> bytes:
    """What comes until the end of a head, or of the connection."""
    head = b""
    while b"\r\n\r\n" not in head and len(head) < _LARGEST_HEAD:
        chunk = await reader.read(4096)
        if not chunk:
            break
        head += chunk
        if _is_other(head):
            break
    return head


def _is_other(begin: bytes) -> bool:
    """Whether no answer of HTTP begins so: another protocol may wait for more, and never ends its head."""
    return not begin.startswith(_ANSWER[: len(begin)])
