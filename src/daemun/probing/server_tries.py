"""One try of a server behind the gate, as nginx would reach it: a connection, for https a handshake with the route's
settings, and for HTTP one request line (HEAD, which changes nothing; GET where that is not known)."""

import asyncio
import collections.abc
import contextlib
import dataclasses
import os
import ssl

from daemun import causes, regular_files
from daemun.core import model, probe_targets, server_answers

_LARGEST_HEAD = 16384
_USER_AGENT = "daemun-probe"
_HTTP2_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0"
"""With an empty SETTINGS frame (RFC 9113 section 3.4)."""
_SETTINGS = 4
_HTTP2 = frozenset({model.Scheme.H2C, model.Scheme.GRPC})


class Contexts:
    """What certificates of servers are verified with: one for each way, for it takes 20 ms to make one.

    ca_bundle: the system's roots, as nginx is given them."""

    def __init__(self, ca_bundle: str | None) -> None:
        self._ca_bundle = ca_bundle
        self._made: dict[tuple[str | None, int], ssl.SSLContext] = {}

    async def find(self, tls: model.UpstreamTls, *, is_named: bool) -> ssl.SSLContext:
        """is_named: whether a name is compared. Raises: OSError when the roots cannot be read."""
        file = (tls.ca_file or self._ca_bundle) if tls.verify else None
        key = (f"{file} {is_named}", await asyncio.to_thread(_changed_ns, file) if file is not None else 0)
        if key not in self._made:
            self._made = {known: one for known, one in self._made.items() if known[0] != key[0]}
            self._made[key] = await asyncio.to_thread(_make_context, file, is_named=is_named)
        return self._made[key]


def _changed_ns(file: str) -> int:
    return os.stat(file).st_mtime_ns  # noqa: PTH116


def _make_context(file: str | None, *, is_named: bool) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    if file is None:
        context.verify_mode = ssl.CERT_NONE
        return context
    regular_files.check(file)
    context.load_verify_locations(file)
    context.check_hostname = is_named
    return context


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Try:
    """endpoint: None with a unix socket. in_container: daemun runs in one."""

    aim: model.Aim
    endpoint: model.Endpoint | None
    contexts: Contexts
    in_container: bool = False

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
            async with self._connect() as (reader, writer):
                return await self._try_protocol(reader, writer)
        except _NoConnectionError as error:
            return error.found

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
            found = server_answers.refused(self.aim, self.server, in_container=self.in_container)
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
            context = await self.contexts.find(self.aim.tls, is_named=name is not None)
            async with asyncio.timeout(server_answers.ANSWER_S):
                await writer.start_tls(context, server_hostname=name)
        except ssl.SSLCertVerificationError as error:
            return server_answers.certificate_refused(self.aim, self.server, error.verify_code, error.verify_message)
        except (OSError, TimeoutError) as error:
            if await self._speaks_http():
                return server_answers.speaks_http(self.aim, self.server)
            if isinstance(error, TimeoutError):
                return server_answers.without_answer(self.server)
            return server_answers.tls_failed(self.server, causes.find_words(error) or "the connection was closed")
        return None

    async def _request_once(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> server_answers.ServerFinding:
        head: bytes | None
        try:
            async with asyncio.timeout(server_answers.ANSWER_S):
                writer.write(self._request())
                head = await _read_head(reader)
        except TimeoutError:
            head = None
        except OSError:
            head = b""
        answer = server_answers.read_answer(head or b"")
        if answer is not None and answer.status in server_answers.WITHOUT_HEAD:
            answer = await self._get() or answer
        if answer is not None and answer.status != 400:
            return server_answers.judge_answer(self.aim, answer)
        if not probe_targets.is_encrypted(self.aim) and (
            server_answers.is_tls_alert(head or b"") or await self._speaks_tls()
        ):
            return server_answers.speaks_tls(self.aim, self.server)
        if answer is not None:
            return server_answers.WELL
        if head is None:
            return server_answers.without_answer(self.server)
        return server_answers.speaks_other(self.aim, self.server) if head else server_answers.closed(self.server)

    async def _get(self) -> server_answers.AnswerHead | None:
        """What GET is answered; the connection is closed before the body is read. None: nothing."""
        with contextlib.suppress(_NoConnectionError, OSError, TimeoutError):
            async with self._connect() as (reader, writer), asyncio.timeout(server_answers.ANSWER_S):
                if probe_targets.is_encrypted(self.aim) and await self._shake(writer) is not None:
                    return None
                writer.write(self._request("GET"))
                return server_answers.read_answer(await _read_head(reader))
        return None

    async def _greet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> server_answers.ServerFinding:
        """HTTP/2 without TLS: a server of it sends its SETTINGS at once. One that is silent is believed."""
        head = b""
        with contextlib.suppress(OSError, TimeoutError, asyncio.IncompleteReadError):
            async with asyncio.timeout(server_answers.ANSWER_S):
                writer.write(_HTTP2_PREFACE)
                head = await reader.readexactly(9)
        if server_answers.is_tls_alert(head) or (not head and await self._speaks_tls()):
            return server_answers.speaks_tls(self.aim, self.server)
        if not head or head[3] == _SETTINGS:
            return server_answers.WELL
        if head.startswith(b"HTTP/1") or await self._speaks_http():
            return server_answers.speaks_http(self.aim, self.server)
        return server_answers.speaks_other(self.aim, self.server)

    async def _speaks_http(self) -> bool:
        """Whether it answers a request without TLS."""
        with contextlib.suppress(_NoConnectionError, OSError, TimeoutError):
            async with self._connect() as (reader, writer), asyncio.timeout(server_answers.ANSWER_S):
                writer.write(self._request())
                return server_answers.read_answer(await _read_head(reader)) is not None
        return False

    async def _speaks_tls(self) -> bool:
        """Whether a handshake comes about, with any certificate."""
        context = await self.contexts.find(model.UpstreamTls(verify=False), is_named=False)
        with contextlib.suppress(_NoConnectionError, OSError, TimeoutError):
            async with self._connect() as (_, writer), asyncio.timeout(server_answers.CONNECT_S):
                await writer.start_tls(context, server_hostname=self.aim.server_name or self.aim.sees)
                return True
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


async def _read_head(reader: asyncio.StreamReader) -> bytes:
    """What comes until the end of a head, or of the connection."""
    head = b""
    while b"\r\n\r\n" not in head and len(head) < _LARGEST_HEAD:
        chunk = await reader.read(4096)
        if not chunk:
            break
        head += chunk
        if server_answers.is_tls_alert(head):
            break
    return head
