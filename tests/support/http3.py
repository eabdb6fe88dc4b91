"""A client of HTTP/3 (RFC 9114), by aioquic."""

import asyncio
import pathlib

from aioquic.asyncio import client, protocol
from aioquic.h3 import connection, events
from aioquic.quic import configuration
from aioquic.quic import events as quic_events

_TRIES = 6
_WITHIN_S = 15


class _Protocol(protocol.QuicConnectionProtocol):
    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        self.http = connection.H3Connection(self._quic)
        self.headers: dict[str, str] = {}
        self.body = b""
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def quic_event_received(self, event: quic_events.QuicEvent) -> None:
        for one in self.http.handle_event(event):
            if isinstance(one, events.HeadersReceived):
                self.headers |= {name.decode(): value.decode() for name, value in one.headers}
            if isinstance(one, events.DataReceived):
                self.body += one.data
            if isinstance(one, events.HeadersReceived | events.DataReceived) and one.stream_ended:
                self.ended.set_result(None)
        if isinstance(event, quic_events.ConnectionTerminated) and not self.ended.done():
            self.ended.set_exception(ConnectionError(f"QUIC ended: {event.reason_phrase}"))


def get(
    port: int, host: str, path: str, trusted: pathlib.Path, *, authority: str | None = None
) -> tuple[dict[str, str], bytes]:
    """One GET on a connection of its own. trusted: a file with roots. authority: whom the request is for, where that is
    not the name of the handshake. Returns: the headers with :status, and the body.

    A reload of nginx ends connections over QUIC without telling the client (nginx issue 425), which waits in vain; what
    came too early is sent again.

    Raises: ConnectionError, TimeoutError.
    """
    for left in reversed(range(_TRIES)):
        try:
            return asyncio.run(asyncio.wait_for(_get(port, host, path, trusted, authority or host), _WITHIN_S))
        except (ConnectionError, TimeoutError):
            if not left:
                raise
    raise AssertionError("unreachable")


async def _get(port: int, host: str, path: str, trusted: pathlib.Path, authority: str) -> tuple[dict[str, str], bytes]:
    chosen = configuration.QuicConfiguration(is_client=True, alpn_protocols=["h3"], server_name=host)
    chosen.load_verify_locations(cafile=str(trusted))
    async with client.connect("127.0.0.1", port, configuration=chosen, create_protocol=_Protocol) as made:
        assert isinstance(made, _Protocol)
        stream = made._quic.get_next_available_stream_id()
        names = ((":method", "GET"), (":scheme", "https"), (":authority", f"{authority}:{port}"), (":path", path))
        made.http.send_headers(stream, [(name.encode(), value.encode()) for name, value in names], end_stream=True)
        made.transmit()
        await made.ended
        return made.headers, made.body
