"""Connections to a CA with a limit of time and size for each answer, whatever its server does.

The timeout of requests is that between two bytes, and it reads answers of any size: a server that sends a byte now and
then would block an order, and one of the few places for orders, for ever.
"""

import collections
import collections.abc
import contextlib
import io
import ipaddress
import socket
import threading
import typing
import urllib.parse

import requests
import urllib3
import urllib3.connection
from requests import adapters

from daemun import regular_files

ANSWER_S = 120.0
"""From the first byte of a request to the last of its answer; CAs answer within seconds."""
MOST_BYTES = 1 << 20
"""Chains have 20 kB, of post-quantum keys 100."""


class AnswerError(requests.exceptions.RequestException):
    """What was received is not an answer of a CA; the text describes it."""


class TooSlowError(requests.exceptions.Timeout):
    """The answer did not end in time."""


class Adapter(adapters.HTTPAdapter):
    """The transport of one `requests.Session`, for one thread: bounds the time and size of each answer."""

    def __init__(self, *, answer_s: float = ANSWER_S) -> None:
        self._answer_s = answer_s
        self._opened: collections.deque[socket.socket] = collections.deque(maxlen=8)
        super().__init__()

    def init_poolmanager(self, *args: typing.Any, **kwargs: typing.Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        _watch(self.poolmanager, self._opened.append)

    def cert_verify(self, conn: typing.Any, url: typing.Any, verify: typing.Any, cert: typing.Any) -> None:
        """Raises: OSError also for `acme.ca_file` that is a pipe, which the library would open."""
        if isinstance(verify, str):
            regular_files.check(verify)
        super().cert_verify(conn, url, verify, cert)

    def proxy_manager_for(self, *args: typing.Any, **kwargs: typing.Any) -> typing.Any:
        found = super().proxy_manager_for(*args, **kwargs)
        _watch(found, self._opened.append)
        return found

    def send(self, request: requests.PreparedRequest, *args: typing.Any, **kwargs: typing.Any) -> requests.Response:
        cut = threading.Event()

        def end() -> None:
            cut.set()
            for one in list(self._opened):
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)

        timer = threading.Timer(self._answer_s, end)
        timer.daemon = True
        timer.start()
        try:
            response = super().send(request, *args, **{**kwargs, "stream": True})
            _read(response)
        except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            if cut.is_set():
                raise self._too_slow() from error
            if isinstance(error, urllib3.exceptions.HTTPError):
                raise requests.exceptions.ConnectionError(error) from error
            raise
        finally:
            timer.cancel()
        if cut.is_set():  # an answer without a length seems to be whole then
            raise self._too_slow()
        return response

    def _too_slow(self) -> TooSlowError:
        return TooSlowError(f"its answer does not end within {self._answer_s:g} s")


def check_redirect(response: requests.Response, *_: object, **__: object) -> None:
    """For `Session.hooks`. What is signed for a CA goes nowhere else. Raises: AnswerError."""
    if response.is_redirect:
        target = urllib.parse.urljoin(response.url, response.headers["Location"])
        if urllib.parse.urlsplit(target)[:2] != urllib.parse.urlsplit(response.url)[:2]:
            raise AnswerError(f"a redirect to {_shown(target)}")


def check_link(url: str, home: str) -> None:
    """That a CA's answer does not lead to this machine. home: a URL that its owner chose. Raises: AnswerError."""
    found, chosen = urllib.parse.urlsplit(url), urllib.parse.urlsplit(home)
    if found.scheme != chosen.scheme:
        raise AnswerError(f"a link to {_shown(url)}")
    if found.hostname != chosen.hostname and _is_here(found.hostname or ""):
        raise AnswerError(f"a link to {_shown(url)}, which is this machine")


def _is_here(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return address.is_loopback or address.is_link_local or address.is_unspecified


def _shown(url: str) -> str:
    found = urllib.parse.urlsplit(url)
    return f"{found.scheme}://{found.netloc}"[:100] if f"{found.scheme}{found.netloc}".isprintable() else "elsewhere"


def _read(response: requests.Response) -> None:
    content = response.raw.read(MOST_BYTES + 1, decode_content=True)
    if len(content) > MOST_BYTES:
        response.raw.close()
        raise AnswerError(f"an answer of more than {MOST_BYTES >> 10} kB")
    response.raw.release_conn()
    response.raw = io.BytesIO(content)


def _watch(manager: typing.Any, opened: collections.abc.Callable[[socket.socket], None]) -> None:
    """Report every socket to its owner: when it is made, and when TLS replaces it."""

    class Plain(urllib3.connection.HTTPConnection):
        def _new_conn(self) -> socket.socket:
            made = super()._new_conn()
            opened(made)
            return made

    class Secure(urllib3.connection.HTTPSConnection):
        def _new_conn(self) -> socket.socket:
            made = super()._new_conn()
            opened(made)
            return made

        def connect(self) -> None:
            super().connect()
            if self.sock is not None:
                opened(self.sock)

    class PlainPool(urllib3.HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(urllib3.HTTPSConnectionPool):
        ConnectionCls = Secure

    manager.pool_classes_by_scheme = {"http": PlainPool, "https": SecurePool}
