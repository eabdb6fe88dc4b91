"""A client that asks again and again until it is answered rightly: what is live is what a client receives."""

import collections.abc
import http.client
import socket
import ssl
import time

_ANSWER_S = 5.0
PAUSE_S = 0.004
"""Between two questions; so much later than it was, a change may be seen."""


class NeverError(Exception):
    """What was waited for did not come in time."""


class Visitor:
    """Of an HTTPS port on loopback. Every question is a connection and a full handshake of its own."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._context.check_hostname = False
        self._context.verify_mode = ssl.CERT_NONE  # certificates of local authorities; who has them is seen otherwise

    def ask(self, host: str) -> str | None:
        """The body of what `GET /` is answered with; None when it is anything but 200."""
        try:
            with self._connect(host) as secured:
                secured.sendall(f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
                answer = http.client.HTTPResponse(secured)
                answer.begin()
                return answer.read().decode() if answer.status == 200 else None
        except (OSError, http.client.HTTPException):
            return None

    def certificate(self, host: str) -> bytes | None:
        """What is shown in the handshake, as DER."""
        try:
            with self._connect(host) as secured:
                return secured.getpeercert(binary_form=True)
        except OSError:
            return None

    def _connect(self, host: str) -> ssl.SSLSocket:
        plain = socket.create_connection(("127.0.0.1", self._port), timeout=_ANSWER_S)
        return self._context.wrap_socket(plain, server_hostname=host)


def wait(look: collections.abc.Callable[[], object], wanted: object, *, within_s: float) -> float:
    """Seconds until what is seen is what is wanted. Raises: NeverError."""
    began_s = time.monotonic()
    while (seen := look()) != wanted:
        if time.monotonic() - began_s > within_s:
            raise NeverError(f"not within {within_s:.0f} s; last seen: {seen!s:.80}")
        time.sleep(PAUSE_S)
    return time.monotonic() - began_s
